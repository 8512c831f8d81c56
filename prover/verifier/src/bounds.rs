//! The public bounds of an order: what anyone can check without the model (S7, S8).

use probity_strategy::{Limits, Observation, Order, Side, Valuation};

/// A bound that an order breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Field of the order or limit of the mandate.
    pub(crate) field: &'static str,
    /// What would have been allowed.
    pub(crate) expected: String,
    /// What the log says.
    pub(crate) got: String,
}

/// What the bounds need to know besides the observation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// Halted after this decision.
    pub(crate) halted: bool,
    /// The observation does not follow its predecessor by one interval.
    pub(crate) gap: bool,
    /// Turnover of this window so far, bps, at least.
    pub(crate) used_bps: u128,
}

/// Checks an order; the second value is the least turnover it took, bps.
pub(crate) fn check(limits: &Limits, obs: &Observation, order: &Order, context: Context) -> (Vec<Broken>, u128) {
    let mut broken = Vec::new();
    let mut need = |ok: bool, field, expected: String, got: u128| {
        if !ok {
            broken.push(Broken { field, expected, got: got.to_string() });
        }
    };
    let val = Valuation::of(obs);
    let (amount, price) = (order.amount_in.raw(), obs.price_x64.x64());
    let least_value = match order.side {
        Side::Buy => amount,
        Side::Sell => Valuation::of(&Observation { base: order.amount_in, ..obs.clone() }).base_value,
    };
    let cap = limits.max_trade_quote.raw();
    need(amount > 0, "order.amount_in", "more than 0".to_owned(), amount);
    need(least_value <= cap, "limits.max_trade_quote", format!("a trade of at most {cap}"), least_value);
    let most = share(limits.max_trade_bps.into(), val.nav);
    need(least_value <= most, "limits.max_trade_bps", format!("a trade of at most {most}"), least_value);
    need(!context.gap, "order", "none after a gap".to_owned(), amount);
    match order.side {
        Side::Buy => {
            need(!context.halted, "order.side", "no buy while halted".to_owned(), amount);
            let room = u128::try_from(i64::from(limits.max_weight_bps).saturating_sub(val.weight_bps)).unwrap_or(0);
            let most = share(room, val.nav);
            need(amount <= most, "limits.max_weight_bps", format!("a buy of at most {most}"), amount);
            if amount <= cap {
                let expected = keep(shifted_div(amount, price).saturating_add(1), limits.max_slippage_bps);
                need(order.min_out == expected, "order.min_out", expected.to_string(), order.min_out);
            }
        }
        Side::Sell => {
            need(order.amount_in <= obs.base, "order.amount_in", format!("at most the base held, {}", obs.base.raw()), amount);
            let least = keep(least_value, limits.max_slippage_bps);
            need(order.min_out >= least, "order.min_out", format!("at least {least}"), order.min_out);
        }
    }
    if order.side == Side::Buy || order.amount_in < obs.base {
        // A sell of floor(v·2^64/price) base is worth at most one base unit's value less than v.
        let slack = if order.side == Side::Sell { (price >> 64).saturating_add(2) } else { 0 };
        let least = share(limits.min_trade_bps.into(), val.nav).min(cap);
        need(least_value.saturating_add(slack) >= least, "limits.min_trade_bps", format!("a trade of at least {least}"), least_value);
    }
    let spent = least_value.saturating_mul(10_000).checked_div(val.nav).unwrap_or(0);
    let used = context.used_bps.saturating_add(spent);
    need(
        used <= u128::from(limits.max_turnover_bps),
        "limits.max_turnover_bps",
        format!("at most {} in one window", limits.max_turnover_bps),
        used,
    );
    (broken, spent)
}

/// floor(bps · nav / 10000) for bps up to 10000 and nav below 2^97.
fn share(bps: u128, nav: u128) -> u128 {
    bps.saturating_mul(nav) / 10_000
}

/// ceil(expect · (10000 − slippage) / 10000).
fn keep(expect: u128, slippage_bps: u16) -> u128 {
    let keep = u128::from(10_000u16.saturating_sub(slippage_bps));
    let (whole, rest) = (expect / 10_000, expect % 10_000);
    whole.saturating_mul(keep).saturating_add(rest.saturating_mul(keep).div_ceil(10_000))
}

/// floor(v · 2^64 / d) for v below 2^80 and d of at least 2^19.
fn shifted_div(v: u128, d: u128) -> u128 {
    let (mut q, mut rest) = (v / d.max(1), v % d.max(1));
    for _ in 0..64 {
        rest <<= 1;
        q <<= 1;
        if rest >= d {
            rest -= d;
            q |= 1;
        }
    }
    q
}
