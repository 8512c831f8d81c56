//! The vault's share contract as a depositor should see it: what it is, what it charges, and whether it takes and pays quote now.

use crate::run::units;
use anyhow::Result;
use probity_chain::VaultView;
use serde::Serialize;

/// What is fixed for ever.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ShareTermsSeen {
    address: String,
    management_fee_bps: u16,
    performance_fee_bps: u16,
    /// None without fees.
    fee_recipient: Option<String>,
    price_window_s: u32,
    max_deviation_ticks: u16,
    /// Ticks that a flow in quote alone pays on the vault's base.
    spread_ticks: i32,
}

/// All of it. Amounts are raw, in text where they may pass 2^53.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SharesSeen {
    #[serde(flatten)]
    pub(crate) fixed: ShareTermsSeen,
    /// Whether price and mean are close enough for flows in quote alone.
    steady: bool,
    /// Value of all shares at the pool's mean price, quote.
    total_assets_raw: String,
    /// Value of 10^6 share units at that price, fees that are due taken off, quote.
    million_shares_quote_raw: String,
    /// Highest value of 10^6 share units that a performance fee was taken for, quote; 0: none yet.
    high_water_quote_raw: String,
    /// Up to here the management fee is taken, unix seconds.
    fees_until_s: u64,
    /// Largest deposit in quote now.
    max_deposit_raw: String,
}

impl ShareTermsSeen {
    /// For people.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let fees = match &self.fee_recipient {
            None => "none, ever".to_owned(),
            Some(recipient) => format!(
                "in new shares to {recipient}: {} bps of all shares a year, {} bps of what a share gains over its highest charged value; fixed",
                self.management_fee_bps, self.performance_fee_bps
            ),
        };
        let guard = format!(
            "at the worse of the pool's price and its mean over {} s, and {} ticks against the caller; refused while they are more than {} ticks apart",
            self.price_window_s, self.spread_ticks, self.max_deviation_ticks
        );
        [("share token (ERC-4626)", self.address.clone()), ("fees", fees), ("flows in quote alone", guard)]
            .map(|(k, v)| (k.to_owned(), v))
            .to_vec()
    }
}

impl SharesSeen {
    /// Asks the node.
    pub(crate) async fn of(view: &VaultView) -> Result<Self> {
        let facts = view.share_facts().await?;
        let terms = facts.terms;
        let fees = terms.management_bps != 0 || terms.performance_bps != 0;
        Ok(Self {
            fixed: ShareTermsSeen {
                address: format!("{:?}", facts.address),
                management_fee_bps: terms.management_bps,
                performance_fee_bps: terms.performance_bps,
                fee_recipient: fees.then(|| format!("{:?}", terms.recipient)),
                price_window_s: terms.window_s,
                max_deviation_ticks: terms.max_deviation,
                spread_ticks: facts.spread,
            },
            steady: facts.steady,
            total_assets_raw: facts.total_assets.to_string(),
            million_shares_quote_raw: facts.million_shares.to_string(),
            high_water_quote_raw: facts.high_water_million.to_string(),
            fees_until_s: facts.fees_until_s,
            max_deposit_raw: facts.max_deposit.to_string(),
        })
    }

    /// For people.
    pub(crate) fn rows(&self, quote: &str, decimals: u8) -> Vec<(String, String)> {
        let amount = |raw: &str| format!("{} {quote}", units(raw.parse().unwrap_or(0), decimals));
        let mut rows = self.fixed.rows();
        let mut row = |key: &str, value: String| rows.push((key.to_owned(), value));
        row(
            "value at the pool's mean price",
            format!(
                "{}; {} for 1,000,000 share units, fees due taken off",
                amount(&self.total_assets_raw),
                amount(&self.million_shares_quote_raw)
            ),
        );
        if self.fixed.performance_fee_bps != 0 {
            row("performance fee above", format!("{} for 1,000,000 share units", amount(&self.high_water_quote_raw)));
        }
        let now = match (self.steady, self.max_deposit_raw.as_str()) {
            (false, _) => {
                "no deposit and no withdrawal in quote: the price is too far from its mean, or the pool's oracle too short; in kind works"
                    .to_owned()
            }
            (true, "0") => "no deposit: the vault pays out only, or has no first deposit yet".to_owned(),
            (true, most) => format!("deposits up to {}", amount(most)),
        };
        row("now", now);
        rows
    }
}
