//! Figures of a run. Floats live here: they describe, they never decide.

use crate::{Backtest, BacktestError, Dataset, EquityPoint, Feed, Frictions, Terms, Trade, Venue, venue::to_quote};
use probity_strategy::{Amount, Order, Side};
use serde::Serialize;

/// A Sharpe ratio that knows which returns it was taken of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sharpe {
    /// Seconds of one return.
    pub interval_s: u32,
    /// Mean return over its deviation, of one interval; riskless rate 0.
    pub per_interval: f64,
    /// The same times sqrt(intervals in 365 days).
    pub annualised: f64,
}

/// Figures of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// Last value over first, minus 1.
    pub total_return: f64,
    /// Largest loss from an earlier high, 0 … 1.
    pub max_drawdown: f64,
    /// None where the value never changes.
    pub sharpe: Option<Sharpe>,
    /// Sum of trade sizes over the mean value.
    pub turnover: f64,
    /// Executed trades.
    pub trades: usize,
    /// Of these, buys.
    pub buys: usize,
    /// Fee, slippage and gas over the first value.
    pub costs: f64,
    /// Mean weight of the base asset, 0 … 1.
    pub mean_weight: f64,
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "figures for people, far above f64's precision needs")]
pub(crate) fn float(v: u128) -> f64 {
    // The processor converts one word itself; the nearest float is the same.
    u64::try_from(v).map_or_else(|_| v as f64, |word| word as f64)
}

pub(crate) fn count(v: usize) -> f64 {
    float(u128::try_from(v).unwrap_or(0))
}

/// The figures of an equity curve (one point an interval) and its trades.
pub(crate) fn of(interval_s: u32, equity: &[EquityPoint], trades: &[Trade]) -> Metrics {
    let navs: Vec<f64> = equity.iter().map(|p| float(p.nav)).collect();
    let first = navs.first().copied().unwrap_or(0.0).max(1.0);
    let (mut high, mut max_drawdown) = (0.0f64, 0.0f64);
    for v in &navs {
        high = high.max(*v);
        if high > 0.0 {
            max_drawdown = max_drawdown.max(1.0 - v / high);
        }
    }
    let returns: Vec<f64> = navs.iter().zip(navs.iter().skip(1)).filter(|(a, _)| **a > 0.0).map(|(a, b)| b / a - 1.0).collect();
    let n = count(returns.len()).max(1.0);
    let mean = returns.iter().sum::<f64>() / n;
    let deviation = (returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
    let sharpe = (deviation > 0.0).then(|| {
        let per_interval = mean / deviation;
        Sharpe { interval_s, per_interval, annualised: per_interval * (31_536_000.0 / f64::from(interval_s)).sqrt() }
    });
    let points = count(navs.len()).max(1.0);
    Metrics {
        total_return: navs.last().copied().unwrap_or(first) / first - 1.0,
        max_drawdown,
        sharpe,
        // An empty sum of floats is −0.
        turnover: (0.0 + trades.iter().map(|t| float(t.size_quote)).sum::<f64>()) / (navs.iter().sum::<f64>() / points).max(1.0),
        trades: trades.len(),
        buys: trades.iter().filter(|t| t.side == Side::Buy).count(),
        costs: (0.0 + trades.iter().map(|t| float(t.cost_quote)).sum::<f64>()) / first,
        mean_weight: equity.iter().map(|p| float(p.weight_bps.unsigned_abs().into())).sum::<f64>() / points / 10_000.0,
    }
}

/// The figures of a run from one of its decisions on.
pub(crate) fn from(run: &Backtest, step: usize) -> Metrics {
    let later: Vec<Trade> = run.trades.iter().filter(|t| usize::try_from(t.step).is_ok_and(|s| s >= step)).copied().collect();
    of(run.interval_s, run.equity.get(step..).unwrap_or(&[]), &later)
}

/// Baseline: everything into base at the first bar (in the same market, with the same costs), then hold.
pub fn buy_and_hold(data: &Dataset, terms: &Terms, quote: Amount) -> Result<Baseline, BacktestError> {
    // Orientation only mirrors ticks; the pool of a snapshot has base as its token1, as in USDC/WETH.
    let feed = Feed::of(data, true);
    let mut venue = Venue::new(terms, true, quote.raw(), 0)?;
    let mut trades = Vec::new();
    if let Some(first) = feed.quotes.first() {
        let gas = terms.gas(first.time_s, first.price_x64)?;
        let amount_in = Amount::saturating(quote.raw().saturating_sub(gas));
        venue.settle(first)?;
        let order = Order { side: Side::Buy, amount_in, min_out: 0 };
        let done = venue.execute_at(&order, first.price_x64, gas).ok_or_else(|| BacktestError::Series {
            field: "buy and hold",
            expected: "a market that fills the whole starting capital at the first bar".into(),
            got: "a refusal; start with less or name a deeper market".into(),
        })?;
        trades.push(Trade::of(0, &order, &done));
    }
    held(&feed, &venue, trades, quote)
}

/// Baseline: nothing.
pub fn cash(data: &Dataset, quote: Amount) -> Result<Baseline, BacktestError> {
    let frictions = Frictions { fee_bps: 0, slippage_bps: 0, gas_quote: Amount::ZERO };
    held(&Feed::of(data, true), &Venue::flat(frictions, quote.raw(), 0), Vec::new(), quote)
}

/// A strategy that needs no model: its curve and figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// One point a bar, after a first one before the first bar.
    pub equity: Vec<EquityPoint>,
    /// Figures.
    pub metrics: Metrics,
}

pub(crate) fn held(feed: &Feed, venue: &Venue, trades: Vec<Trade>, start: Amount) -> Result<Baseline, BacktestError> {
    let start_s = feed.quotes.first().map_or(0, |q| q.time_s.saturating_sub(u64::from(feed.interval_s)));
    let mut equity = vec![EquityPoint { time_s: start_s, nav: start.raw(), weight_bps: 0 }];
    for q in &feed.quotes {
        let base = to_quote(venue.base, q.price_x64).ok_or_else(|| BacktestError::Series {
            field: "base value",
            expected: "below 2^128".into(),
            got: "more".into(),
        })?;
        let weight_bps = if base == 0 { 0 } else { i64::try_from(base.saturating_mul(10_000) / (venue.quote + base)).unwrap_or(0) };
        equity.push(EquityPoint { time_s: q.time_s, nav: venue.quote + base, weight_bps });
    }
    let metrics = of(feed.interval_s, &equity, &trades);
    Ok(Baseline { equity, metrics })
}
