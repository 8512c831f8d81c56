//! Settings of the vault's shares: fees and price guard, fixed for ever when the vault is made.

use anyhow::{Result, ensure};
use probity_chain::{Address, ShareTerms};
use serde::{Deserialize, Serialize};

/// What the contract allows.
const MOST_MANAGEMENT_BPS: u16 = 500;
const MOST_PERFORMANCE_BPS: u16 = 3_000;

/// The terms of the shares.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharesSettings {
    /// Shares a year for the recipient, bps of all.
    pub(crate) management_fee_bps: u16,
    /// Of what a share gains over the highest value that was charged for.
    pub(crate) performance_fee_bps: u16,
    /// Who gets both, `0x` and 40 hex digits; empty without fees.
    pub(crate) fee_recipient: String,
    /// How far back the mean price reaches.
    pub(crate) price_window_s: u32,
    /// Most between price and mean for a flow in quote alone, ticks of a basis point each.
    pub(crate) max_deviation_ticks: u16,
}

impl SharesSettings {
    /// The terms in the contract's words; numbers that it would refuse are named.
    pub(crate) fn terms(&self) -> Result<ShareTerms> {
        let (management_bps, performance_bps) = (self.management_fee_bps, self.performance_fee_bps);
        ensure!(
            management_bps <= MOST_MANAGEMENT_BPS,
            "shares.management_fee_bps: expected 0 … {MOST_MANAGEMENT_BPS}, got {management_bps}"
        );
        ensure!(
            performance_bps <= MOST_PERFORMANCE_BPS,
            "shares.performance_fee_bps: expected 0 … {MOST_PERFORMANCE_BPS}, got {performance_bps}"
        );
        ensure!((300..=86_400).contains(&self.price_window_s), "shares.price_window_s: expected 300 … 86400, got {}", self.price_window_s);
        ensure!(
            (10..=500).contains(&self.max_deviation_ticks),
            "shares.max_deviation_ticks: expected 10 … 500, got {}",
            self.max_deviation_ticks
        );
        let fees = management_bps != 0 || performance_bps != 0;
        let recipient = match (fees, self.fee_recipient.as_str()) {
            (false, "") => Address::zero(),
            (false, got) => anyhow::bail!("shares.fee_recipient: expected nothing, since both fees are 0, got {got}"),
            (true, "") => anyhow::bail!("shares.fee_recipient: expected who gets the fees, 0x and 40 hex digits, got nothing"),
            (true, text) => crate::keys::address("shares.fee_recipient", text)?,
        };
        ensure!(!fees || recipient != Address::zero(), "shares.fee_recipient: expected an account, got the zero address");
        Ok(ShareTerms {
            management_bps,
            performance_bps,
            recipient,
            window_s: self.price_window_s,
            max_deviation: self.max_deviation_ticks,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_crates_and_bad_terms_are_named() {
        let default = crate::settings::of_text("").unwrap().shares;
        assert_eq!(default.terms().unwrap(), ShareTerms::default());
        let someone = "0x000000000000000000000000000000000000dEaD".to_owned();
        let fees = SharesSettings { management_fee_bps: 200, performance_fee_bps: 2_000, fee_recipient: someone, ..default.clone() };
        assert_eq!((fees.terms().unwrap().management_bps, fees.terms().unwrap().performance_bps), (200, 2_000));
        let why = |s: SharesSettings| s.terms().err().map(|e| e.to_string()).unwrap_or_default();
        for (bad, field) in [
            (SharesSettings { management_fee_bps: 501, ..fees.clone() }, "shares.management_fee_bps: expected 0 … 500, got 501"),
            (SharesSettings { performance_fee_bps: 3_001, ..fees.clone() }, "shares.performance_fee_bps: expected 0 … 3000, got 3001"),
            (SharesSettings { fee_recipient: String::new(), ..fees.clone() }, "shares.fee_recipient: expected who"),
            (SharesSettings { fee_recipient: "0x12".to_owned(), ..fees.clone() }, "shares.fee_recipient: expected 0x"),
            (
                SharesSettings { fee_recipient: format!("{:?}", Address::zero()), ..fees.clone() },
                "shares.fee_recipient: expected an account",
            ),
            (SharesSettings { fee_recipient: fees.fee_recipient, ..default.clone() }, "shares.fee_recipient: expected nothing"),
            (SharesSettings { price_window_s: 299, ..default.clone() }, "shares.price_window_s"),
            (SharesSettings { max_deviation_ticks: 501, ..default }, "shares.max_deviation_ticks"),
        ] {
            assert!(why(bad.clone()).starts_with(field), "{field}: {}", why(bad));
        }
    }
}
