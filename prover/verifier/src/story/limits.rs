//! The mandate in words, and how close each of its limits came.

use super::text::{Units, amount, bps, grouped, span, utc};
use super::track::{Closeness, Closest, Performance};
use probity_strategy::Mandate;
use serde::Serialize;

/// One promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitRow {
    /// Field of the mandate.
    pub field: &'static str,
    /// The promise in words.
    pub promise: String,
    /// The closest it came, in words.
    pub closest: String,
    /// The same in percent of the limit, where that means something; above 100 it was broken.
    pub used_percent: Option<u32>,
    /// Decision.
    pub step: Option<u32>,
}

/// Every limit of a mandate.
pub(crate) fn rows(m: &Mandate, c: &Closeness, p: &Performance, units: Option<&Units>) -> Vec<LimitRow> {
    let l = &m.limits;
    let quote = |raw| amount(raw, units.map(|u| (u.quote.as_str(), u.quote_decimals)));
    let row = |field, promise: String, limit: u128, closest: Closest, show: &dyn Fn(u128) -> String| LimitRow {
        field,
        promise,
        closest: closest.value.map_or_else(|| "never came up".to_owned(), show),
        used_percent: closest.value.and_then(|v| v.saturating_mul(100).checked_div(limit)).and_then(|p| u32::try_from(p).ok()),
        step: closest.value.map(|_| closest.step),
    };
    let most = |what: &str, limit: u128| format!("{what} at most {}", bps(limit));
    let show_bps = |v| bps(v);
    let mut smallest = row(
        "min_trade_bps",
        format!("No trade smaller than {} of the value (a sale of everything left excepted)", bps(l.min_trade_bps.into())),
        l.min_trade_bps.into(),
        c.smallest_bps,
        &show_bps,
    );
    smallest.used_percent = None;
    let mut warm = row(
        "warmup_steps",
        format!("In the first {} decisions no trade but a sale that a limit demands", l.warmup_steps),
        1,
        c.first_order,
        &|v| format!("first order at decision {}", grouped(v)),
    );
    warm.used_percent = None;
    vec![
        row(
            "max_weight_bps",
            most("After a buy, the base asset is", l.max_weight_bps.into()) + " of the value",
            l.max_weight_bps.into(),
            c.weight_bps,
            &show_bps,
        ),
        row("max_trade_bps", most("A trade is", l.max_trade_bps.into()) + " of the value", l.max_trade_bps.into(), c.trade_bps, &show_bps),
        row(
            "max_trade_quote",
            format!("A trade is at most {}", quote(l.max_trade_quote.raw())),
            l.max_trade_quote.raw(),
            c.trade_quote,
            &quote,
        ),
        smallest,
        row(
            "max_turnover_bps",
            most(&format!("In each window of {} decisions, trades add up to", l.turnover_window_steps), l.max_turnover_bps.into())
                + " of the value",
            l.max_turnover_bps.into(),
            c.turnover_bps,
            &show_bps,
        ),
        row(
            "max_drawdown_bps",
            format!(
                "At a loss of {} a share from the highest point, everything is sold and the agent stays out",
                bps(l.max_drawdown_bps.into())
            ),
            l.max_drawdown_bps.into(),
            c.drawdown_bps,
            &|v| if p.halted > 0 { format!("{}; halted at {} decisions", bps(v), grouped(p.halted.into())) } else { bps(v) },
        ),
        row(
            "max_slippage_bps",
            format!(
                "A fill is at most {} worse than the price decided on, pool fee included, or does not happen",
                bps(l.max_slippage_bps.into())
            ),
            l.max_slippage_bps.into(),
            c.slippage_bps,
            &show_bps,
        ),
        warm,
    ]
}

/// The rest of the mandate: who, where, when.
pub(crate) fn terms(m: &Mandate) -> Vec<(&'static str, String)> {
    let base = if m.base_is_token1 { "the pool's token1" } else { "the pool's token0" };
    vec![
        ("Vault", format!("{} on chain {}", m.vault, m.chain_id)),
        ("Pool", format!("{}, the only one it may trade in; the base asset is {base}", m.pool)),
        ("Clock", format!("one decision every {}, counted from {}", span(m.interval_s.into()), utc(m.genesis_time_s))),
        ("Model", format!("a network of layers {}, private, behind the commitment", m.model)),
        ("Proof", format!("{} engine, up to {} decisions a fold", crate::engine_name(m.proof_engine), m.decisions_per_fold)),
    ]
}
