//! Many strategies over many windows, in parallel, in a stable order: the same plan gives the same lines whatever the threads.

use crate::metrics::float;
use crate::overfit::{Blocks, Overfitting, overfitting};
use crate::{BacktestError, Dataset, Terms, run};
use probity_strategy::{Amount, Engine, Mandate, Model, PolicyParams};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What is varied; an empty list leaves the model's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Gain of the policy, times the model's own.
    pub gain: Vec<f64>,
    /// Half-width of the no-trade zone, bps.
    pub band_bps: Vec<u16>,
    /// Largest move in one step, bps.
    pub max_step_bps: Vec<u16>,
    /// Steps without trades after an order.
    pub cooldown_steps: Vec<u16>,
    /// Pool fee, bps.
    pub fee_bps: Vec<u16>,
    /// Windows of equal length that the series is cut into; 0 and 1: the whole.
    pub windows: usize,
}

/// One point of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its place in the plan.
    pub index: usize,
    /// Which window.
    pub window: usize,
    /// Bars of it.
    pub bars: std::ops::Range<usize>,
    /// Pool fee, bps.
    pub fee_bps: u16,
    /// Gain, times the model's own.
    pub gain: f64,
    /// Policy, private like the model's.
    policy: PolicyParams,
}

/// What one point gave. The policy is shown as the grid named it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Place in the plan.
    pub index: usize,
    /// Window.
    pub window: usize,
    /// Times the model's own gain.
    pub gain: f64,
    /// Half-width of the no-trade zone, bps.
    pub band_bps: u16,
    /// Largest move, bps.
    pub max_step_bps: u16,
    /// Steps without trades after an order.
    pub cooldown_steps: u16,
    /// Pool fee, bps.
    pub fee_bps: u16,
    /// Return.
    pub total_return: f64,
    /// Largest drawdown.
    pub max_drawdown: f64,
    /// Sharpe ratio of one interval.
    pub sharpe_per_interval: Option<f64>,
    /// Trades.
    pub trades: usize,
    /// Orders that missed their bound.
    pub failed: u32,
    /// Sum, sum of squares and number of the returns of each of twelve blocks of the window.
    pub blocks: Blocks,
}

impl Grid {
    /// Every point, windows outermost.
    pub fn jobs(&self, model: &Model, terms: &Terms, bars: usize) -> Result<Vec<Job>, BacktestError> {
        fn or<T: Copy>(list: &[T], own: T) -> Vec<T> {
            if list.is_empty() { vec![own] } else { list.to_vec() }
        }
        let bad = |field, expected: &str, got: String| BacktestError::Series { field, expected: expected.into(), got };
        let windows = self.windows.max(1);
        if bars / windows < 32 {
            return Err(bad("windows", "at least 32 bars in each", format!("{} bars in {windows} windows", bars)));
        }
        let own = &model.policy;
        let gains = or(&self.gain, 1.0);
        if let Some(g) = gains.iter().find(|g| !(0.0..=1_000.0).contains(*g)) {
            return Err(bad("gain", "0 … 1000", g.to_string()));
        }
        if let Some(v) = self.band_bps.iter().chain(&self.max_step_bps).find(|v| **v > 10_000) {
            return Err(bad("band_bps, max_step_bps", "0 … 10000", v.to_string()));
        }
        if let Some(v) = self.fee_bps.iter().find(|v| **v >= 10_000) {
            return Err(bad("fee_bps", "below 10000", v.to_string()));
        }
        let mut out = Vec::new();
        for window in 0..windows {
            for fee_bps in or(&self.fee_bps, terms.frictions.fee_bps) {
                for gain in &gains {
                    for band_bps in or(&self.band_bps, own.band_bps) {
                        for max_step_bps in or(&self.max_step_bps, own.max_step_bps) {
                            for cooldown_steps in or(&self.cooldown_steps, own.cooldown_steps) {
                                let policy =
                                    PolicyParams { gain: times(own.gain, *gain), band_bps, max_step_bps, cooldown_steps, ..own.clone() };
                                let range = window * bars / windows..(window + 1) * bars / windows;
                                out.push(Job { index: out.len(), window, bars: range, fee_bps, gain: *gain, policy });
                            }
                        }
                    }
                }
            }
        }
        Ok(out)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::as_conversions, reason = "clamped before")]
fn times(v: u16, by: f64) -> u16 {
    (f64::from(v) * by).round().clamp(0.0, 65_535.0) as u16
}

/// Runs jobs in parallel; the lines are in the order of the jobs. `done` is told of each as it ends, in no order.
pub fn sweep(
    mandate: &Mandate,
    model: &Model,
    data: &Dataset,
    terms: &Terms,
    quote: Amount,
    jobs: &[Job],
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Line>, BacktestError> {
    jobs.par_iter()
        .map(|job| {
            let engine = Engine::new(mandate.clone(), Model { policy: job.policy.clone(), ..model.clone() })?;
            let mut terms = terms.clone();
            terms.frictions.fee_bps = job.fee_bps;
            let r = if job.bars == (0..data.bars.len()) {
                run(&engine, data, &terms, quote, Amount::ZERO)?
            } else {
                run(&engine, &data.part(job.bars.clone()), &terms, quote, Amount::ZERO)?
            };
            let m = r.metrics();
            done();
            Ok(Line {
                index: job.index,
                window: job.window,
                gain: job.gain,
                band_bps: job.policy.band_bps,
                max_step_bps: job.policy.max_step_bps,
                cooldown_steps: job.policy.cooldown_steps,
                fee_bps: job.fee_bps,
                total_return: m.total_return,
                max_drawdown: m.max_drawdown,
                sharpe_per_interval: m.sharpe.map(|s| s.per_interval),
                trades: m.trades,
                failed: r.failed,
                blocks: Blocks::of(&r.equity.iter().map(|p| float(p.nav)).collect::<Vec<_>>()),
            })
        })
        .collect()
}

/// Whether the choice of the best line of the first window and fee would have been one for its past.
#[must_use]
pub fn chosen(lines: &[Line]) -> Option<Overfitting> {
    let first = lines.first()?;
    let same: Vec<Blocks> =
        lines.iter().filter(|l| l.window == first.window && l.fee_bps == first.fee_bps).map(|l| l.blocks.clone()).collect();
    overfitting(&same)
}
