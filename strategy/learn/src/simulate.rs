//! The integer policy over a series, with float accounting: quick enough to choose policy parameters by.

use crate::{
    LearnError, Series,
    series::{advance, empty},
};
use probity_strategy::{Features, Inputs, Model, ModelShape, forward, propose, remember};
use serde::Serialize;

/// Figures of one simulated run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Simulated {
    /// Sum of log returns after costs.
    pub log_return: f64,
    /// Mean over deviation of the log returns, of one interval.
    pub sharpe_per_interval: f64,
    /// Mean over deviation of the log returns beyond those of a costless half-and-half portfolio, of one interval.
    pub active_sharpe_per_interval: f64,
    /// Orders to buy.
    pub buys: u32,
    /// Orders to sell.
    pub sells: u32,
    /// Decisions.
    pub steps: u32,
    /// Mean weight of base, 0 … 1.
    pub mean_weight: f64,
}

/// Largest and smallest trade the simulation lets through, bps of the value.
const TRADE_BPS: (i64, i64) = (50, 2_500);
/// Steps without trades at the start.
const WARMUP: u16 = 16;

/// Runs features, network and policy in integers on the bars `from ≤ time < to`; a trade costs `cost_bps` of its size.
///
/// Features and memory are warmed on the bars before `from`. Turnover and drawdown limits of a mandate are not applied.
pub fn simulate(shape: &ModelShape, model: &Model, series: &Series, from: u64, to: u64, cost_bps: f64) -> Result<Simulated, LearnError> {
    visited(shape, model, series, (from, to), cost_bps, &mut |_| ())
}

/// One decision of a simulated run.
pub(crate) struct Visited {
    pub(crate) time_s: u64,
    pub(crate) inputs: Inputs,
    pub(crate) weight_bps: i64,
    pub(crate) idle: bool,
    /// Size of the trade with its sign, 0 for none.
    pub(crate) moved: i64,
}

/// The move that the simulation carries out.
pub(crate) fn traded(proposed: i64) -> i64 {
    let (least, most) = TRADE_BPS;
    let moved = proposed.clamp(-most, most);
    if moved.abs() >= least { moved } else { 0 }
}

/// The same, showing every decision.
pub(crate) fn visited(
    shape: &ModelShape,
    model: &Model,
    series: &Series,
    (from, to): (u64, u64),
    cost_bps: f64,
    visit: &mut dyn FnMut(Visited),
) -> Result<Simulated, LearnError> {
    shape.validate()?;
    model.validate(shape)?;
    let mut state = empty();
    let (mut weight, mut wait) = (0.5f64, WARMUP);
    let (mut out, mut weights) = (Simulated::default(), 0.0);
    let (mut own, mut active) = (Vec::new(), Vec::new());
    let mut last: Option<(u64, i32)> = None;
    let mut memory = vec![0; shape.units()];
    for (time, x) in series.times.iter().zip(&series.ticks) {
        let (mut log, mut half) = (0.0, 0.0);
        let gap = last.is_none_or(|(t, _)| t + u64::from(series.interval_s) != *time);
        if let Some((_, before)) = last {
            let growth = 1.000_1f64.powi(x - before);
            let value = 1.0 + weight * (growth - 1.0);
            log = value.ln();
            half = (0.5 + growth / 2.0).ln();
            weight *= growth / value;
        }
        let weight_bps = whole(weight * 10_000.0).clamp(0, 9_999) + 1;
        let features = Features::of(&state, *x, weight_bps);
        advance(&mut state, *x, &features);
        last = Some((*time, *x));
        if *time < from || *time >= to {
            weight = 0.5;
            if *time < from && !memory.is_empty() {
                memory = remember(shape, model, &features.scaled(model), &memory);
            }
            continue;
        }
        let inputs = Inputs { features: features.scaled(model), memory };
        let signal = forward(shape, model, &inputs);
        memory = signal.memory;
        let idle = gap || wait > 0;
        let moved = traded(propose(&model.policy, signal.outputs, weight_bps, idle));
        visit(Visited { time_s: *time, inputs, weight_bps, idle, moved });
        wait = wait.saturating_sub(1);
        if moved != 0 {
            let share = f64::from(i32::try_from(moved).unwrap_or(0)) / 10_000.0;
            log += (1.0 - share.abs() * cost_bps / 10_000.0).ln();
            weight = (weight + share).clamp(0.0, 1.0);
            wait = model.policy.cooldown_steps;
            if moved > 0 { out.buys += 1 } else { out.sells += 1 }
        }
        out.steps += 1;
        own.push(log);
        active.push(log - half);
        weights += weight;
    }
    let n = f64::from(out.steps.max(1));
    out.log_return = own.iter().sum();
    out.sharpe_per_interval = ratio(&own, n);
    out.active_sharpe_per_interval = ratio(&active, n);
    out.mean_weight = weights / n;
    Ok(out)
}

/// Mean over deviation; 0 where nothing moves.
fn ratio(values: &[f64], n: f64) -> f64 {
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    if deviation > 0.0 { mean / deviation } else { 0.0 }
}

#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "bounded by the caller's clamp")]
fn whole(v: f64) -> i64 {
    v.floor() as i64
}
