//! Settings of bad days: what stops the agent, what it may pay, how long it tries.

use serde::{Deserialize, Serialize};

/// Bad days.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SafetySettings {
    /// Blocks on top of a block before it is observed or taken for final; on a real chain only.
    pub(crate) confirmations: u64,
    /// Most that is offered for gas, gwei; 0: no bound.
    pub(crate) max_gas_price_gwei: u64,
    /// Tip for the block's builder, thousandths of a gwei.
    pub(crate) tip_mgwei: u64,
    /// Time after which a stuck transaction is replaced by itself, s; 0: never.
    pub(crate) replace_after_s: u64,
    /// How long a real chain may fail before the run ends with the error, s.
    pub(crate) give_up_after_s: u64,
    /// Age of the newest block by this machine's clock that halts, s; 0: never.
    pub(crate) max_block_age_s: u64,
    /// How far the newest block may be ahead of this machine's clock, s.
    pub(crate) max_clock_drift_s: u64,
    /// Decisions that may wait for their fold before the agent waits for the prover.
    pub(crate) max_backlog_decisions: u32,
    /// How long it waits for the prover before it halts, s.
    pub(crate) backlog_wait_s: u64,
    /// When decisions are folded.
    pub(crate) fold: FoldWhen,
}

impl SafetySettings {
    /// Most that is offered for gas, wei.
    pub(crate) fn cap_wei(&self) -> Option<u128> {
        (self.max_gas_price_gwei > 0).then(|| u128::from(self.max_gas_price_gwei).saturating_mul(1_000_000_000))
    }

    /// The tip, wei a gas.
    pub(crate) fn tip_wei(&self) -> u128 {
        u128::from(self.tip_mgwei).saturating_mul(1_000_000)
    }
}

/// When decisions are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FoldWhen {
    /// Beside the live loop.
    Beside,
    /// When a proof is asked for: at the latest when the run is sealed.
    Later,
}
