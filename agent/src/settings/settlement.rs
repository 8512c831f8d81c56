//! Settings of settlement: whether the vault itself verifies what was decided, and when that is paid for.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// More decisions without a proof a vault refuses to record.
const MOST_UNPROVEN: u32 = 1_024;
/// Under strict terms, settle when so many are left.
const STRICT_MARGIN: u32 = 64;

/// Whether the vault verifies proofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SettlementMode {
    /// No: proofs are posted, and whoever audits verifies them.
    Off,
    /// Trades come first; the vault stops them when too much awaits its proof.
    Deferred,
    /// A trade's own transaction carries the proof of everything up to it.
    Strict,
}

/// Settlement.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettlementSettings {
    /// The mode; bound when the vault is armed.
    pub(crate) mode: SettlementMode,
    /// Decisions of a block of the settlement's circuit; bound when the verifier is deployed.
    pub(crate) decisions_per_block: u16,
    /// Decisions that may await their proof while there is trading.
    pub(crate) max_unproven_decisions: u32,
    /// Time that the first of them may wait.
    pub(crate) max_unproven_s: u32,
    /// Settle when so many decisions are left before trading stops.
    pub(crate) margin_decisions: u32,
    /// Settle when so much time is left before trading stops.
    pub(crate) margin_s: u32,
    /// Settle earlier at a base fee of at most this; 0: never.
    pub(crate) early_base_fee_mgwei: u64,
    /// But not for fewer decisions than this.
    pub(crate) early_decisions: u32,
}

impl SettlementSettings {
    /// Whether the vault verifies.
    pub(crate) const fn on(&self) -> bool {
        !matches!(self.mode, SettlementMode::Off)
    }

    /// Numbers that cannot work, named.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            (1..=1_024).contains(&self.decisions_per_block),
            "settlement.decisions_per_block: expected 1 … 1024, got {}",
            self.decisions_per_block
        );
        if self.mode == SettlementMode::Deferred {
            let most = self.max_unproven_decisions;
            ensure!((1..=1_024).contains(&most), "settlement.max_unproven_decisions: expected 1 … 1024, got {most} (mode \"strict\" is 0)");
            ensure!(
                self.margin_decisions < most,
                "settlement.margin_decisions: expected less than max_unproven_decisions ({most}), got {}",
                self.margin_decisions
            );
            ensure!(
                self.margin_s < self.max_unproven_s,
                "settlement.margin_s: expected less than max_unproven_s ({}), got {}",
                self.max_unproven_s,
                self.margin_s
            );
        }
        Ok(())
    }

    /// Decisions and seconds that may be unproven, as the vault is armed with them.
    pub(crate) const fn terms(&self) -> (u32, u32) {
        match self.mode {
            SettlementMode::Strict => (0, 0),
            SettlementMode::Off | SettlementMode::Deferred => (self.max_unproven_decisions, self.max_unproven_s),
        }
    }

    /// Whether to settle now. A settlement costs half a million gas and a little more a decision, so the cheapest schedule that keeps
    /// trading is as late as the terms allow, less the margins; and earlier where gas is cheap enough.
    pub(crate) const fn due(&self, unproven: u32, waited_s: u64, base_fee_wei: u128) -> bool {
        if unproven == 0 {
            return false;
        }
        if matches!(self.mode, SettlementMode::Strict) {
            // Orders carry their proofs. Only decisions without one pile up, and the vault takes no more than so many of them.
            return unproven.saturating_add(STRICT_MARGIN) >= MOST_UNPROVEN;
        }
        let (most, longest) = self.terms();
        let late =
            unproven.saturating_add(self.margin_decisions) >= most || waited_s.saturating_add(self.margin_s as u64) >= longest as u64;
        let cheap = base_fee_wei <= (self.early_base_fee_mgwei as u128).saturating_mul(1_000_000);
        late || (self.early_base_fee_mgwei > 0 && cheap && unproven >= self.early_decisions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: SettlementSettings = SettlementSettings {
        mode: SettlementMode::Deferred,
        decisions_per_block: 16,
        max_unproven_decisions: 200,
        max_unproven_s: 86_400,
        margin_decisions: 8,
        margin_s: 3_600,
        early_base_fee_mgwei: 500,
        early_decisions: 48,
    };

    #[test]
    fn as_late_as_the_terms_allow_and_earlier_where_gas_is_cheap() {
        let dear = 20_000_000_000;
        assert!(!TERMS.due(0, 90_000, 1));
        assert!(!TERMS.due(191, 0, dear));
        assert!(TERMS.due(192, 0, dear));
        assert!(!TERMS.due(1, 82_799, dear));
        assert!(TERMS.due(1, 82_800, dear));
        assert!(TERMS.due(48, 0, 500_000_000));
        assert!(!TERMS.due(48, 0, 500_000_001));
        assert!(!TERMS.due(47, 0, 1));
        assert!(!SettlementSettings { early_base_fee_mgwei: 0, ..TERMS }.due(48, 0, 0));
        let strict = SettlementSettings { mode: SettlementMode::Strict, ..TERMS };
        assert!(!strict.due(959, 1_000_000, 1));
        assert!(strict.due(960, 0, dear));
    }

    #[test]
    fn numbers_that_cannot_work_are_named() {
        let refused = |s: SettlementSettings| s.check().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused(SettlementSettings { max_unproven_decisions: 2_000, ..TERMS }).contains("settlement.max_unproven_decisions"));
        assert!(refused(SettlementSettings { margin_decisions: 200, ..TERMS }).contains("settlement.margin_decisions"));
        assert!(refused(SettlementSettings { margin_s: 86_400, ..TERMS }).contains("settlement.margin_s"));
        assert!(refused(SettlementSettings { decisions_per_block: 0, ..TERMS }).contains("settlement.decisions_per_block"));
        assert!(TERMS.check().is_ok());
    }
}
