//! From floats to the integer model, and the choice of the policy on the validation part.

use crate::{
    LearnError, Series, Simulated, TrainConfig,
    grid::{Grid, round},
    simulate,
    surrogate::Surrogate,
};
use candle_core::{Device, Tensor};
use probity_strategy::{FEATURE_SHIFT, FEATURES, Inputs, Model, ModelShape, PolicyParams, forward};

/// Weight range ±5000 bps with 8 fractional bits onto ±127.
const WEIGHT_SCALE: u16 = 104;

/// An integer model and what quantising cost.
pub(crate) struct Quantised {
    pub(crate) model: Model,
    /// Share of decisions that changed between the float and the integer network, under the same policy.
    pub(crate) flips: f64,
    pub(crate) target_error_bps: f64,
    pub(crate) tried: usize,
    pub(crate) validation: Simulated,
}

/// The scale that takes the 99 % quantile of each feature to ±127.
pub(crate) fn scales(raw: &[[i64; FEATURES]]) -> [u16; FEATURES] {
    let mut out = [WEIGHT_SCALE; FEATURES];
    for (i, scale) in out.iter_mut().enumerate().take(FEATURES - 1) {
        let mut column: Vec<i64> = raw.iter().filter_map(|r| r.get(i)).map(|v| v.abs()).collect();
        column.sort_unstable();
        let high = column.get(column.len() * 99 / 100).copied().unwrap_or(1).max(1);
        *scale = u16::try_from((127i64 << FEATURE_SHIFT) / high).unwrap_or(u16::MAX).max(1);
    }
    out
}

/// The 15 market features as the integer network sees them, over 127.
pub(crate) fn scaled(raw: &[i64; FEATURES], scales: &[u16; FEATURES]) -> [f32; 15] {
    let mut out = [0.0; 15];
    for ((o, d), scale) in out.iter_mut().zip(raw).zip(scales) {
        *o = f32::from(i8::try_from(((d * i64::from(*scale)) >> FEATURE_SHIFT).clamp(-128, 127)).unwrap_or(0)) / 127.0;
    }
    out
}

/// Quantises the network and chooses the policy by running the integer policy on the validation part.
pub(crate) fn quantise(
    shape: &ModelShape,
    net: &Surrogate,
    scales: [u16; FEATURES],
    train: &[[f32; 15]],
    series: &Series,
    check: &[[f32; 15]],
    config: &TrainConfig,
) -> Result<Quantised, LearnError> {
    let grid = Grid::of(shape, net, &sample(shape, train, 4_096)?)?;
    let (weights, biases) = grid.integers(net)?;
    let from_scale = grid.outputs();
    let policy = PolicyParams { gain: 0, band_gain: 0, band_bps: 0, max_step_bps: 10_000, cooldown_steps: 0 };
    let mut model = Model { scales, weights, biases, policy };
    let (mut tried, mut best): (usize, Option<(f64, Simulated, PolicyParams)>) = (0, None);
    let unit = 2_500.0 * 65_536.0 / from_scale;
    for gain in [1.0, 2.0, 4.0, 8.0] {
        for band_bps in [200u16, 400, 800] {
            for cooldown_steps in [0u16, 1, 3] {
                for band_gain in [0.0, 1.0] {
                    let gain = u16::try_from(round(unit * gain, 65_535)).unwrap_or(0);
                    let band_gain = u16::try_from(round(unit * band_gain, 65_535)).unwrap_or(0);
                    model.policy = PolicyParams { gain, band_gain, band_bps, max_step_bps: 2_500, cooldown_steps };
                    let run = simulate(shape, &model, series, config.validation_from, config.validation_to, config.cost_bps)?;
                    tried += 1;
                    let active = f64::from(run.buys.min(run.sells)) >= config.min_activity * f64::from(run.steps);
                    // Inactive policies only count while nothing active has been found.
                    let score = run.active_sharpe_per_interval - if active { 0.0 } else { 1e3 };
                    if best.as_ref().is_none_or(|(b, _, _)| score > *b) {
                        best = Some((score, run, model.policy.clone()));
                    }
                }
            }
        }
    }
    let (_, validation, policy) = best.ok_or_else(|| LearnError::value("policies", "at least 1", 0))?;
    model.policy = policy;
    let (flips, target_error_bps) = compare(shape, net, &model, check, from_scale)?;
    Ok(Quantised { model, flips, target_error_bps, tried, validation })
}

pub(crate) fn rows(features: &[[f32; 15]]) -> Result<Tensor, LearnError> {
    // The weight feature of a weight of 5000 bps is 0.
    let flat: Vec<f32> = features.iter().flat_map(|f| f.iter().copied().chain([0.0])).collect();
    Ok(Tensor::from_vec(flat, (features.len(), FEATURES), &Device::Cpu)?)
}

/// Steps from which a memory is filled where a window or a sample begins in the middle of a series.
const SETTLING: usize = 32;

/// How many steps a network of this shape has to see before one that counts.
pub(crate) fn settling(shape: &ModelShape) -> usize {
    if shape.recurrent.is_some() { SETTLING } else { 0 }
}

/// About so many inputs, evenly spread, each as the last of the steps that fill a memory.
pub(crate) fn sample(shape: &ModelShape, inputs: &[[f32; 15]], count: usize) -> Result<Vec<Tensor>, LearnError> {
    let before = settling(shape);
    let places = inputs.len().saturating_sub(before);
    let at = |step: usize| -> Vec<[f32; 15]> { inputs.iter().skip(step).take(places).step_by((places / count).max(1)).copied().collect() };
    (0..=before).map(|step| rows(&at(step))).collect()
}

/// Share of decisions that differ at a weight of 5000 bps, and the largest difference of the target.
fn compare(shape: &ModelShape, net: &Surrogate, model: &Model, check: &[[f32; 15]], unit: f64) -> Result<(f64, f64), LearnError> {
    let float = net.along(&rows(check)?, &[])?;
    let policy = &model.policy;
    let decide = |o: [f64; 3]| {
        let target = (5_000.0 + (o[2] - o[0]) * f64::from(policy.gain) / 65_536.0).clamp(0.0, 10_000.0);
        let band = f64::from(policy.band_bps) + o[1].max(0.0) * f64::from(policy.band_gain) / 65_536.0;
        let change = target - 5_000.0;
        let beyond = change.abs() > band;
        (target, i8::from(beyond && change > 0.0) - i8::from(beyond && change < 0.0))
    };
    let (mut flips, mut worst) = (0u32, 0.0f64);
    let mut memory = vec![0; shape.units()];
    for (f, row) in check.iter().zip(&float) {
        let mut inputs = Inputs { features: [0; FEATURES], memory };
        for (i, v) in inputs.features.iter_mut().zip(f) {
            *i = round(f64::from(*v) * 127.0, 128);
        }
        let ours = forward(shape, model, &inputs);
        memory = ours.memory;
        let Ok(theirs) = <[f32; 3]>::try_from(row.clone()) else { return Err(LearnError::value("outputs", 3, row.len())) };
        let (a, b) = (decide(ours.outputs.map(f64::from)), decide(theirs.map(|v| f64::from(v) * unit)));
        flips += u32::from(a.1 != b.1);
        worst = worst.max((a.0 - b.0).abs());
    }
    Ok((f64::from(flips) / f64::from(u32::try_from(check.len()).unwrap_or(1).max(1)), worst))
}
