//! How much a result owes to where it started.
//!
//! The same last part of a series is decided with more and more bars of history before it. Features are recurrent, and the
//! position at the start of the part is whatever the history led to: both fade, and this shows how fast and how far.

use crate::{Backtest, BacktestError, Dataset, Metrics, Terms, inputs, metrics, run};
use probity_strategy::{Amount, Engine, FEATURES, Inputs};
use serde::Serialize;

/// One start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Start {
    /// Bars of history before the part that is compared.
    pub history: usize,
    /// Features (the weight apart) and cells of a memory that differ from those of the longest history at the part's first bar.
    pub differing_features: usize,
    /// Bars of the part after which none of them differs any more; none if some still does at its end.
    pub settled_after: Option<usize>,
    /// Share of the part's decisions that are not those of the longest history, 0 … 1 (side and whether there is an order).
    pub other_decisions: f64,
    /// Decision of the part at which the engine was halted; 0 if it already was.
    pub halted_at: Option<usize>,
    /// Figures over the part alone.
    pub metrics: Metrics,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warmup {
    /// Decisions of the part that is compared.
    pub decisions: usize,
    /// Unix time of its first decision.
    pub from_s: u64,
    /// The starts, shortest history first; the last one is the reference.
    pub starts: Vec<Start>,
    /// Largest return less smallest, 0.01 = one percentage point.
    pub spread: f64,
}

/// Histories tried, bars, as far as half the series holds them; and half the series.
const HISTORIES: [usize; 6] = [0, 16, 64, 256, 1_024, 4_096];

/// Compares starts over the second half of the series.
pub fn warmup(engine: &Engine, data: &Dataset, terms: &Terms, quote: Amount) -> Result<Warmup, BacktestError> {
    let n = data.bars.len();
    let half = n / 2;
    if half < 2 {
        return Err(BacktestError::Series { field: "rows", expected: "at least 4 bars".into(), got: n.to_string() });
    }
    let one = |history: usize| -> Result<(Backtest, Vec<Inputs>), BacktestError> {
        let result = run(engine, &data.part(half.saturating_sub(history)..n), terms, quote, Amount::ZERO)?;
        let inputs = inputs(engine, &result)?;
        Ok((result, inputs))
    };
    let (reference, known) = one(half)?;
    let mut starts = Vec::new();
    for history in HISTORIES.into_iter().filter(|h| *h < half).chain([half]) {
        let (result, seen) = if history == half { (reference.clone(), known.clone()) } else { one(history)? };
        let market = |i: &Inputs| -> Vec<i32> {
            i.features.iter().copied().take(FEATURES - 1).chain(i.memory.iter().map(|cell| i32::from(*cell))).collect()
        };
        let pairs = || seen.iter().skip(history).zip(known.iter().skip(half)).map(|(a, b)| (market(a), market(b)));
        let last = pairs().enumerate().filter(|(_, (a, b))| a != b).map(|(i, _)| i + 1).max().unwrap_or(0);
        let decided = |b: &Backtest, skip: usize| -> Vec<_> {
            b.records.iter().skip(skip).map(|r| (r.decision.halted, r.decision.order.map(|o| o.side))).collect()
        };
        let (ours, theirs) = (decided(&result, history), decided(&reference, half));
        let other = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
        starts.push(Start {
            history,
            differing_features: pairs().next().map_or(0, |(a, b)| a.iter().zip(&b).filter(|(x, y)| x != y).count()),
            settled_after: (last < n - half).then_some(last),
            other_decisions: metrics::count(other) / metrics::count(theirs.len()).max(1.0),
            halted_at: result.halted_at.and_then(|k| usize::try_from(k).ok()).map(|k| k.saturating_sub(history)),
            metrics: metrics::from(&result, history),
        });
    }
    let returns = || starts.iter().map(|s| s.metrics.total_return);
    let spread = returns().fold(f64::MIN, f64::max) - returns().fold(f64::MAX, f64::min);
    let from_s = reference.records.get(half).map_or(0, |r| r.observation.time_s);
    Ok(Warmup { decisions: n - half, from_s, starts, spread })
}
