//! What a log's decisions did to the funds, recomputed from balances, prices and fills: one pass, bounded memory, integers.

use crate::Entry;
use probity_strategy::{Amount, Mandate, Observation, Order, Portfolio, Side, State, Valuation};
use serde::{Serialize, Serializer};

/// The index that performance is measured with begins here.
pub(crate) const INDEX: u128 = 1_000_000_000;
/// Most points of the drawn series; longer logs are thinned evenly.
const MAX_POINTS: usize = 1_024;
/// Most fills that are drawn.
const MAX_MARKS: usize = 240;

/// Big integers travel as decimal strings: JSON numbers lose digits past 2^53, and some readers refuse them past 2^64.
fn decimal<T: std::fmt::Display, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

/// One drawn point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Decision.
    pub step: u32,
    /// Unix time, s.
    pub time_s: u64,
    /// Value of what the vault held, raw quote.
    #[serde(serialize_with = "decimal")]
    pub nav: u128,
    /// Performance index without flows, 10^9 at the first decision.
    #[serde(serialize_with = "decimal")]
    pub index: u128,
    /// Price index, 10^9 at the first decision.
    #[serde(serialize_with = "decimal")]
    pub price: u128,
    /// Weight of the base asset, bps.
    pub weight_bps: i64,
}

/// One drawn fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TradeMark {
    /// Decision that ordered it.
    pub step: u32,
    /// Bought or sold.
    pub side: Side,
    /// Performance index then.
    #[serde(serialize_with = "decimal")]
    pub index: u128,
}

/// What came out, recomputed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Performance {
    /// Value at the first decision, raw quote.
    #[serde(serialize_with = "decimal")]
    pub first_nav: u128,
    /// Value at the last decision, raw quote.
    #[serde(serialize_with = "decimal")]
    pub last_nav: u128,
    /// Return without deposits and withdrawals, chained from decision to decision, parts of a million.
    pub return_ppm: i64,
    /// Change of the price over the same time, parts of a million.
    pub price_change_ppm: i64,
    /// Deepest fall of the index from its highest point, parts of a million.
    pub deepest_fall_ppm: i64,
    /// Put in after the first decision, valued then, raw quote.
    #[serde(serialize_with = "decimal")]
    pub put_in: u128,
    /// Taken out, valued then, raw quote.
    #[serde(serialize_with = "decimal")]
    pub taken_out: u128,
    /// Decisions with funds put in or taken out.
    pub flows: u32,
    /// Orders.
    pub orders: u32,
    /// Orders that were filled.
    pub fills: u32,
    /// Decisions that the agent was halted at.
    pub halted: u32,
    /// Value of what was bought, at the price decided on, raw quote.
    #[serde(serialize_with = "decimal")]
    pub bought: u128,
    /// Value of what was sold, at the price decided on, raw quote.
    #[serde(serialize_with = "decimal")]
    pub sold: u128,
    /// What fills cost against the price decided on (positive: lost), raw quote: pool fee, impact, and what the price moved meanwhile.
    #[serde(serialize_with = "decimal")]
    pub fill_cost: i128,
    /// First observation, Unix s.
    pub first_time_s: u64,
    /// Last observation, Unix s.
    pub last_time_s: u64,
    /// Blocks of the first and the last observation.
    pub blocks: (u64, u64),
}

/// The closest that a limit came to its bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Closest {
    /// The value, in the limit's own unit; none if nothing was ever measured.
    pub value: Option<u128>,
    /// Where.
    pub step: u32,
}

impl Closest {
    fn high(&mut self, value: u128, step: u32) {
        if self.value.is_none_or(|v| value > v) {
            *self = Self { value: Some(value), step };
        }
    }

    fn low(&mut self, value: u128, step: u32) {
        if self.value.is_none_or(|v| value < v) {
            *self = Self { value: Some(value), step };
        }
    }
}

/// How close the limits came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closeness {
    /// Weight after a buy as ordered, bps.
    pub weight_bps: Closest,
    /// Trade, bps of the value.
    pub trade_bps: Closest,
    /// Smallest trade, bps.
    pub smallest_bps: Closest,
    /// Trade, raw quote.
    pub trade_quote: Closest,
    /// Turnover of one window, bps.
    pub turnover_bps: Closest,
    /// Loss from the high-water mark per share, bps.
    pub drawdown_bps: Closest,
    /// Worst fill against the price decided on, bps.
    pub slippage_bps: Closest,
    /// First decision with an order.
    pub first_order: Closest,
}

/// The pass.
#[derive(Debug)]
pub(crate) struct Tracker {
    mandate: Mandate,
    state: State,
    used_bps: u128,
    index: u128,
    peak: u128,
    first_price: u128,
    ordered: Option<(Order, Observation)>,
    stride: u32,
    every: u32,
    pub(crate) performance: Performance,
    pub(crate) closeness: Closeness,
    pub(crate) points: Vec<Point>,
    last: Option<Point>,
    pub(crate) marks: Vec<TradeMark>,
}

impl Tracker {
    /// Before the first decision of a valid mandate.
    pub(crate) fn new(mandate: &Mandate) -> Self {
        Self {
            state: State::genesis(mandate),
            mandate: mandate.clone(),
            used_bps: 0,
            index: INDEX,
            peak: INDEX,
            first_price: 1,
            ordered: None,
            stride: 1,
            every: 1,
            performance: Performance::default(),
            closeness: Closeness::default(),
            points: Vec::new(),
            last: None,
            marks: Vec::new(),
        }
    }

    /// Takes the next decision.
    pub(crate) fn entry(&mut self, entry: &Entry) {
        let (obs, decision) = (&entry.record.observation, entry.record.decision);
        let val = Valuation::of(obs);
        let portfolio = Portfolio::of(&self.mandate.limits, &self.state, obs, &val);
        self.perform(obs, &val, &portfolio);
        self.filled(obs);
        if self.state.step > 0 {
            let (mark, shares) = (self.state.high_water, obs.shares.raw());
            let kept = ratio((val.nav, mark.shares.raw()), (mark.nav, shares), 10_000);
            self.closeness.drawdown_bps.high(10_000u128.saturating_sub(kept), obs.step);
        }
        if self.state.step.checked_rem(self.mandate.limits.turnover_window_steps.into()) == Some(0) {
            self.used_bps = 0;
        }
        if let Some(order) = &decision.order {
            self.order(obs, &val, order);
        }
        self.performance.halted = self.performance.halted.saturating_add(u32::from(decision.halted));
        self.ordered = decision.order.map(|order| (order, obs.clone()));
        let state = &mut self.state;
        state.step = state.step.saturating_add(1);
        state.last_time_s = obs.time_s;
        (state.quote, state.base, state.pending) = (obs.quote, obs.base, decision.order);
        (state.high_water, state.halted) = (portfolio.high_water, decision.halted);
        self.point(obs, &val);
    }

    fn perform(&mut self, obs: &Observation, val: &Valuation, portfolio: &Portfolio) {
        if self.state.step == 0 {
            self.first_price = obs.price_x64.x64().max(1);
        }
        let price = self.price(obs);
        let p = &mut self.performance;
        if self.state.step == 0 {
            (p.first_nav, p.first_time_s, p.blocks.0) = (val.nav, obs.time_s, obs.block_number);
        } else {
            let base = worth(portfolio.base_flow.unsigned_abs(), obs);
            let quote = portfolio.quote_flow.unsigned_abs();
            let (mut into, mut out) = (0u128, 0u128);
            for (flow, value) in [(portfolio.quote_flow, quote), (portfolio.base_flow, base)] {
                if flow > 0 { into = into.saturating_add(value) } else { out = out.saturating_add(value) }
            }
            p.flows = p.flows.saturating_add(u32::from(into > 0 || out > 0));
            p.put_in = p.put_in.saturating_add(into);
            p.taken_out = p.taken_out.saturating_add(out);
            // The value without what came in or went out since, against the value before.
            let kept = val.nav.saturating_add(out).saturating_sub(into);
            if p.last_nav > 0 {
                self.index = ratio((kept, 1), (p.last_nav, 1), self.index).min(1 << 44);
            }
        }
        self.peak = self.peak.max(self.index);
        (p.last_nav, p.last_time_s, p.blocks.1) = (val.nav, obs.time_s, obs.block_number);
        p.return_ppm = change(self.index, INDEX);
        p.price_change_ppm = change(price, INDEX);
        p.deepest_fall_ppm = p.deepest_fall_ppm.min(change(self.index, self.peak));
    }

    fn price(&self, obs: &Observation) -> u128 {
        ratio((obs.price_x64.x64(), 1), (self.first_price, 1), INDEX)
    }

    /// The fill of the order before, against the price it was decided on.
    fn filled(&mut self, obs: &Observation) {
        let (Some(fill), Some((order, then))) = (obs.fill, self.ordered.take()) else { return };
        let (given, taken) = match order.side {
            Side::Buy => (order.amount_in.raw(), worth(fill.amount_out.raw(), &then)),
            Side::Sell => (worth(order.amount_in.raw(), &then), fill.amount_out.raw()),
        };
        let p = &mut self.performance;
        p.fills = p.fills.saturating_add(1);
        match order.side {
            Side::Buy => p.bought = p.bought.saturating_add(given),
            Side::Sell => p.sold = p.sold.saturating_add(given),
        }
        let cost = signed(given).saturating_sub(signed(taken));
        p.fill_cost = p.fill_cost.saturating_add(cost);
        self.closeness.slippage_bps.high(ratio((u128::try_from(cost).unwrap_or(0), 1), (given.max(1), 1), 10_000), then.step);
        if p.fills.checked_rem(self.every) == Some(0) {
            self.marks.push(TradeMark { step: then.step, side: order.side, index: self.last.map_or(INDEX, |l| l.index) });
        }
        if self.marks.len() > MAX_MARKS {
            halve(&mut self.marks);
            self.every = self.every.saturating_mul(2);
        }
    }

    fn order(&mut self, obs: &Observation, val: &Valuation, order: &Order) {
        let size = match order.side {
            Side::Buy => order.amount_in.raw(),
            Side::Sell => worth(order.amount_in.raw(), obs),
        };
        let size_bps = ratio((size, 1), (val.nav.max(1), 1), 10_000);
        let c = &mut self.closeness;
        if order.side == Side::Buy {
            c.weight_bps.high(u128::try_from(val.weight_bps).unwrap_or(0).saturating_add(size_bps), obs.step);
        }
        c.trade_bps.high(size_bps, obs.step);
        if order.side == Side::Buy || order.amount_in < obs.base {
            c.smallest_bps.low(size_bps, obs.step);
        }
        c.trade_quote.high(size, obs.step);
        self.used_bps = self.used_bps.saturating_add(size_bps);
        c.turnover_bps.high(self.used_bps, obs.step);
        c.first_order.low(obs.step.into(), obs.step);
        self.performance.orders = self.performance.orders.saturating_add(1);
    }

    fn point(&mut self, obs: &Observation, val: &Valuation) {
        let point = Point {
            step: obs.step,
            time_s: obs.time_s,
            nav: val.nav,
            index: self.index,
            price: self.price(obs),
            weight_bps: val.weight_bps,
        };
        if self.state.step.saturating_sub(1).checked_rem(self.stride) == Some(0) {
            self.points.push(point);
        }
        if self.points.len() > MAX_POINTS {
            halve(&mut self.points);
            self.stride = self.stride.saturating_mul(2);
        }
        self.last = Some(point);
    }

    /// Ends the pass: the last decision is always drawn.
    pub(crate) fn finish(&mut self) {
        if let Some(last) = self.last.filter(|l| self.points.last() != Some(l)) {
            self.points.push(last);
        }
    }
}

/// Every other one, the first kept.
fn halve<T>(items: &mut Vec<T>) {
    let mut keep = false;
    items.retain(|_| {
        keep = !keep;
        keep
    });
}

/// Base at an observation's price, raw quote.
fn worth(base: u128, obs: &Observation) -> u128 {
    Valuation::of(&Observation { base: Amount::saturating(base), quote: Amount::ZERO, ..obs.clone() }).base_value
}

fn signed(value: u128) -> i128 {
    i128::try_from(value).unwrap_or(i128::MAX)
}

/// `a.0 · a.1 · scale / (b.0 · b.1)`, to 40 bits or more of a side; zero over zero is the scale.
fn ratio(a: (u128, u128), b: (u128, u128), scale: u128) -> u128 {
    let narrow = |(x, y): (u128, u128)| {
        let bits = |v: u128| 128u32.saturating_sub(v.leading_zeros());
        let (cut_x, cut_y) = (bits(x).saturating_sub(41), bits(y).saturating_sub(41));
        ((x >> cut_x).saturating_mul(y >> cut_y), cut_x.saturating_add(cut_y))
    };
    let ((high, cut), (low, under)) = (narrow(a), narrow(b));
    if low == 0 {
        return if high == 0 { scale } else { u128::MAX };
    }
    let value = high.saturating_mul(scale).checked_div(low).unwrap_or(0);
    match cut.checked_sub(under) {
        Some(up) if up < value.leading_zeros() => value.checked_shl(up).unwrap_or(u128::MAX),
        Some(_) if value == 0 => 0,
        Some(_) => u128::MAX,
        // Shift the dividend, not the quotient, as far as it has bits to give.
        None => high.saturating_mul(scale).checked_shr(under.saturating_sub(cut)).unwrap_or(0).checked_div(low).unwrap_or(0),
    }
}

fn change(now: u128, then: u128) -> i64 {
    let now = ratio((now, 1), (then.max(1), 1), 1_000_000);
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_hold_at_every_size() {
        assert_eq!(ratio((3, 1), (2, 1), 10_000), 15_000);
        assert_eq!(ratio((0, 5), (2, 1), 10_000), 0);
        assert_eq!(ratio((0, 0), (0, 7), 10_000), 10_000);
        let (big, half) = ((1u128 << 97) - 2, (1u128 << 96) - 1);
        assert_eq!(ratio((big, half), (half, big), 10_000), 10_000);
        assert_eq!(ratio((half, 1), (big, 1), 1_000_000), 500_000);
        assert_eq!(change(1_100_000_000, INDEX), 100_000);
        assert_eq!(change(900_000_000, INDEX), -100_000);
    }
}
