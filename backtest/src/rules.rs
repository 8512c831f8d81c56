//! Strategies without a model, in the same market at the same costs: what a model has to beat.
//!
//! A rule names the target weight at a bar's close, from that close and earlier ones alone. It pays what everybody pays, and
//! is spared the mandate's limits, latency and lost orders.

use crate::metrics::{count, float};
use crate::{Backtest, BacktestError, Baseline, Dataset, EquityPoint, Feed, Terms, Trade, Venue, metrics, venue::to_quote};
use probity_strategy::{Amount, Order, Price, Side};

/// A rule carried out: one point a bar, as a run has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruled {
    /// Curve and figures.
    pub baseline: Baseline,
    /// Its trades.
    pub trades: Vec<Trade>,
}

/// Trades to the weight a rule names at each close (bps; none: stays where it is).
fn follow(
    feed: &Feed,
    terms: &Terms,
    quote: Amount,
    mut target: impl FnMut(usize, Price, i64) -> Option<i64>,
) -> Result<Ruled, BacktestError> {
    let mut venue = Venue::new(terms, true, quote.raw(), 0)?;
    let (mut equity, mut trades) = (Vec::with_capacity(feed.quotes.len()), Vec::new());
    let over = || BacktestError::Series { field: "base value", expected: "below 2^128".into(), got: "more".into() };
    for (i, q) in feed.quotes.iter().enumerate() {
        venue.settle(q)?;
        let value = to_quote(venue.base, q.price_x64).ok_or_else(over)?;
        let nav = venue.quote.checked_add(value).ok_or_else(over)?;
        let weight = weight_of(value, nav);
        let Some(target) = target(i, q.price_x64, weight) else {
            equity.push(EquityPoint { time_s: q.time_s, nav, weight_bps: weight });
            continue;
        };
        let gas = terms.gas(q.time_s, q.price_x64)?;
        if let Some(order) = order(&venue, target - weight, nav, value, gas) {
            let step = u32::try_from(i).unwrap_or(u32::MAX);
            if let Some(done) = venue.execute_at(&order, q.price_x64, gas) {
                trades.push(Trade::of(step, &order, &done));
            }
        }
        let value = to_quote(venue.base, q.price_x64).ok_or_else(over)?;
        let nav = venue.quote.checked_add(value).ok_or_else(over)?;
        equity.push(EquityPoint { time_s: q.time_s, nav, weight_bps: weight_of(value, nav) });
    }
    let metrics = metrics::of(feed.interval_s, &equity, &trades);
    Ok(Ruled { baseline: Baseline { equity, metrics }, trades })
}

fn weight_of(value: u128, nav: u128) -> i64 {
    // One word divides a few times faster than two; what a share of a fund is worth nearly always fits.
    if let (Ok(value), Ok(nav)) = (u64::try_from(value), u64::try_from(nav))
        && let Some(scaled) = value.checked_mul(10_000)
    {
        return scaled.checked_div(nav).and_then(|w| i64::try_from(w).ok()).unwrap_or(0);
    }
    value.saturating_mul(10_000).checked_div(nav).and_then(|w| i64::try_from(w).ok()).unwrap_or(0)
}

fn order(venue: &Venue, change: i64, nav: u128, value: u128, gas: u128) -> Option<Order> {
    let size = nav.checked_mul(u128::from(change.unsigned_abs()))? / 10_000;
    let (side, given) = if change > 0 {
        (Side::Buy, size.min(venue.quote.checked_sub(gas)?))
    } else if value > 0 {
        // The same share of the base as of its value.
        (Side::Sell, if size >= value { venue.base } else { venue.base.checked_mul(size)? / value })
    } else {
        return None;
    };
    let amount_in = Amount::new(given).ok().filter(|a| *a != Amount::ZERO)?;
    Some(Order { side, amount_in, min_out: 0 })
}

/// The whole capital in base while the close is above the mean of the last `window` closes, else none of it.
pub fn moving_average(data: &Dataset, terms: &Terms, quote: Amount, window: usize) -> Result<Ruled, BacktestError> {
    moving_average_of(&Feed::of(data, true), data, terms, quote, window)
}

/// The same on a feed that was made of the data before, with base as token1.
pub fn moving_average_of(feed: &Feed, data: &Dataset, terms: &Terms, quote: Amount, window: usize) -> Result<Ruled, BacktestError> {
    if window == 0 {
        return Err(BacktestError::Series { field: "moving average", expected: "at least 1 bar".into(), got: "0".into() });
    }
    let closes: Vec<f64> = data.bars.iter().map(|b| float(b.close.x64())).collect();
    let (mut sum, mut inside) = (0.0, false);
    follow(feed, terms, quote, |i, _, _| {
        let close = closes.get(i).copied()?;
        sum += close;
        if i >= window {
            sum -= closes.get(i - window).copied()?;
        }
        if i + 1 < window {
            return None;
        }
        let above = close > sum / count(window);
        if above == inside {
            return None;
        }
        inside = above;
        Some(if above { 10_000 } else { 0 })
    })
}

/// The moves of a run at other times: a strategy with the same turnover and without its timing.
///
/// Every traded share of the value, in its order, `shift` bars later, around the end of the series. A move that does not fit
/// (nothing left to sell or to buy with) is cut to what is there.
pub fn shifted(run: &Backtest, data: &Dataset, terms: &Terms, quote: Amount, shift: usize) -> Result<Ruled, BacktestError> {
    let n = data.bars.len();
    if n == 0 || run.equity.len() != n {
        return Err(BacktestError::Series {
            field: "run",
            expected: format!("{n} decisions, those of the data"),
            got: run.equity.len().to_string(),
        });
    }
    let mut moves = vec![0i64; n];
    for t in &run.trades {
        let at = usize::try_from(t.step).unwrap_or(0);
        let nav = run.equity.get(at).map_or(1, |p| p.nav.max(1));
        let share = i64::try_from(t.size_quote.saturating_mul(10_000) / nav).unwrap_or(0);
        if let Some(m) = moves.get_mut((at + shift) % n) {
            *m += if t.side == Side::Buy { share } else { -share };
        }
    }
    follow(&Feed::of(data, true), terms, quote, |i, _, weight| moves.get(i).filter(|m| **m != 0).map(|m| (weight + m).clamp(0, 10_000)))
}

#[cfg(test)]
mod tests {
    use super::weight_of;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_weight_is_the_same_in_one_word_and_in_two(value in any::<u128>(), shift in 0u32..128, more in any::<u64>()) {
            let value = value >> shift;
            let nav = value.saturating_add(more.into());
            let wide = value.saturating_mul(10_000).checked_div(nav).and_then(|w| i64::try_from(w).ok()).unwrap_or(0);
            prop_assert_eq!(weight_of(value, nav), wide);
        }
    }
}
