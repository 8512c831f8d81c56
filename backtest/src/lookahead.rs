//! Does a decision depend on what comes after it?
//!
//! The subject is a black box from a dataset to one value a bar. Its future is cut off, raised, lowered and thinned out
//! after a bar, and every value up to that bar must stay what it was. Twice: over the whole run at evenly spaced bars, in all
//! four ways; and at every bar in short windows, truncated and in one of the other ways by turns, because a run for every
//! bar of a long series would take the square of its length.

use crate::{BacktestError, Dataset};
use probity_strategy::Price;
use serde::Serialize;

/// How thorough to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LookaheadPlan {
    /// Bars of one window; every bar is the last known one of some window.
    pub window: usize,
    /// Cuts over the whole run.
    pub cuts: usize,
}

impl Default for LookaheadPlan {
    fn default() -> Self {
        Self { window: 40, cuts: 24 }
    }
}

/// What was done to the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Future {
    /// It is not there.
    Truncated,
    /// Every later price is three times as high.
    Raised,
    /// Every later price is a third.
    Lowered,
    /// Every second later bar is absent.
    Thinned,
}

/// A value that changed with its future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// The decision, counted over the whole series.
    pub decision: usize,
    /// The last bar that was left alone.
    pub known_to: usize,
    /// What was done to the bars after it.
    pub future: Future,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lookahead {
    /// Decisions in the series; each was the last known one at least once.
    pub decisions: usize,
    /// Runs made.
    pub runs: usize,
    /// Values compared.
    pub compared: u64,
    /// Those that changed, at most 100.
    pub leaks: Vec<Leak>,
    /// How many changed altogether.
    pub leaked: u64,
}

const FUTURES: [Future; 4] = [Future::Truncated, Future::Raised, Future::Lowered, Future::Thinned];

/// The same at every bar from one on, over the whole of a short series, in all four ways.
pub fn lookahead_from<T: PartialEq, E: From<BacktestError>>(
    data: &Dataset,
    from: usize,
    subject: impl FnMut(&Dataset) -> Result<Vec<T>, E>,
) -> Result<Lookahead, E> {
    let n = data.bars.len();
    let mut out = Lookahead { decisions: n.saturating_sub(from), runs: 0, compared: 0, leaks: Vec::new(), leaked: 0 };
    Futures { subject }.check(&mut out, data, 0, &mut (from..n.saturating_sub(1)), true)?;
    Ok(out)
}

/// Runs the subject over changed futures. It must give one value a bar.
pub fn lookahead<T: PartialEq, E: From<BacktestError>>(
    data: &Dataset,
    plan: LookaheadPlan,
    subject: impl FnMut(&Dataset) -> Result<Vec<T>, E>,
) -> Result<Lookahead, E> {
    let n = data.bars.len();
    if plan.window < 2 || plan.cuts == 0 {
        let got = format!("{} and {}", plan.window, plan.cuts);
        return Err(BacktestError::Series { field: "window, cuts", expected: "at least 2 and 1".into(), got }.into());
    }
    let mut out = Lookahead { decisions: n, runs: 0, compared: 0, leaks: Vec::new(), leaked: 0 };
    let mut futures = Futures { subject };
    let step = (n / (plan.cuts + 1)).max(1);
    futures.check(&mut out, data, 0, &mut (0..n.saturating_sub(1)).skip(step.saturating_sub(1)).step_by(step).take(plan.cuts), true)?;
    // Windows overlap by half, so that a bar is not always near the cold start of its window.
    let half = (plan.window / 2).max(1);
    for start in (0..n).step_by(half) {
        let end = (start + plan.window).min(n);
        if end - start < 2 {
            break;
        }
        let from = if start == 0 { 0 } else { half.min(end - start) };
        futures.check(&mut out, &data.part(start..end), start, &mut (from..end - start), false)?;
        if end == n {
            break;
        }
    }
    Ok(out)
}

/// The subject, before other and other futures.
struct Futures<S> {
    subject: S,
}

impl<S> Futures<S> {
    /// Compares what is decided up to each of the known bars of a part.
    fn check<T: PartialEq, E: From<BacktestError>>(
        &mut self,
        out: &mut Lookahead,
        part: &Dataset,
        offset: usize,
        known: &mut dyn Iterator<Item = usize>,
        all: bool,
    ) -> Result<(), E>
    where
        S: FnMut(&Dataset) -> Result<Vec<T>, E>,
    {
        let base = values((self.subject)(part)?, part.bars.len())?;
        out.runs += 1;
        for k in known {
            let turn = FUTURES.get(1 + (offset + k) % 3).copied().unwrap_or(Future::Raised);
            for future in if all { FUTURES.to_vec() } else { vec![Future::Truncated, turn] } {
                let changed = changed(part, k, future);
                let other = values((self.subject)(&changed)?, changed.bars.len())?;
                out.runs += 1;
                for (i, (a, b)) in base.iter().zip(&other).enumerate().take(k + 1) {
                    out.compared += 1;
                    if a != b {
                        out.leaked += 1;
                        if out.leaks.len() < 100 {
                            out.leaks.push(Leak { decision: offset + i, known_to: offset + k, future });
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn values<T>(values: Vec<T>, bars: usize) -> Result<Vec<T>, BacktestError> {
    if values.len() == bars {
        return Ok(values);
    }
    Err(BacktestError::Series { field: "values", expected: format!("{bars}, one a bar"), got: values.len().to_string() })
}

/// The dataset with another future after bar `k`.
fn changed(data: &Dataset, k: usize, future: Future) -> Dataset {
    let mut out = data.clone();
    match future {
        Future::Truncated => out.bars.truncate(k + 1),
        Future::Raised | Future::Lowered => {
            for bar in out.bars.iter_mut().skip(k + 1) {
                let p = bar.close.x64();
                bar.close = Price::saturating(if future == Future::Raised { p.saturating_mul(3) } else { p / 3 });
            }
        }
        Future::Thinned => {
            let mut i = 0;
            out.bars.retain(|_| {
                i += 1;
                i <= k + 1 || (i - k) % 2 == 1
            });
        }
    }
    out.count_gaps();
    out
}
