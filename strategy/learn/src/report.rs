//! What quantising costs, on bars that neither training nor the choice of the policy has seen; and models from elsewhere.

use crate::{
    FloatNet, LearnError, ModelFile, Series, Simulated, TrainConfig,
    grid::round,
    quantise::{self, Quantised},
    simulate::{self, Visited},
};
use candle_core::{Device, Tensor};
use probity_strategy::{FEATURES, forward, propose};
use serde::Serialize;

/// Float network against integer model, decision by decision along the integer model's own run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuantisationReport {
    /// SHA-256 of the data.
    pub data_sha256: String,
    /// First and last decision, unix seconds.
    pub span: (u64, u64),
    /// Decisions compared.
    pub decisions: usize,
    /// Decisions (buy, sell, hold) that differ.
    pub flips: usize,
    /// The same of 10,000.
    pub flips_per_10_000: f64,
    /// Flips from a buy to a sell or back; the others are between a trade and none.
    pub reversals: usize,
    /// Integer units of one unit of the float network's outputs: the factor that fits best.
    pub unit: f64,
    /// Largest distance of an output, in units of the float network.
    pub worst_logit: f64,
    /// Root of the mean square of the float network's outputs, to hold the distance against.
    pub logit_size: f64,
    /// Largest difference of the target weight, bps.
    pub worst_target_bps: f64,
    /// The integer model's figures on these bars.
    pub integer: Simulated,
}

/// Compares a float network with an integer model on the bars `from ≤ time < to`.
pub fn quantisation(
    net: &FloatNet,
    file: &ModelFile,
    series: &Series,
    from: u64,
    to: u64,
    cost_bps: f64,
) -> Result<QuantisationReport, LearnError> {
    if net.dims != file.shape.dims {
        return Err(LearnError::value("float network", format!("the model's widths {:?}", file.shape.dims), format!("{:?}", net.dims)));
    }
    if net.scales.is_some_and(|s| s != file.model.scales) {
        return Err(LearnError::value("feature_scales", "those of the model", "others: the two were not made for the same inputs"));
    }
    let mut seen: Vec<Visited> = Vec::new();
    let integer = simulate::visited(&file.shape, &file.model, series, (from, to), cost_bps, &mut |v| seen.push(v))?;
    if seen.is_empty() {
        return Err(LearnError::value("from, to", "bars to compare on", "none"));
    }
    let surrogate = net.surrogate()?;
    let flat: Vec<f32> = seen.iter().flat_map(|v| v.inputs.features.map(|i| f32::from(i16::try_from(i).unwrap_or(0)) / 127.0)).collect();
    let input = Tensor::from_vec(flat, (seen.len(), FEATURES), &Device::Cpu)?;
    // Both remember the same when the comparison begins, and each what it makes of it from there on.
    let start: Vec<f32> = seen.iter().take(1).flat_map(|v| &v.inputs.memory).map(|cell| f32::from(*cell) / 127.0).collect();
    let floats = surrogate.along(&input, &start)?;
    let mut rows: Vec<([f64; 3], [f64; 3])> = Vec::with_capacity(seen.len());
    for (v, row) in seen.iter().zip(&floats) {
        let ours = forward(&file.shape, &file.model, &v.inputs).outputs;
        let [x, y, z] = row.as_slice() else { return Err(LearnError::value("outputs", 3, row.len())) };
        rows.push((ours.map(f64::from), [*x, *y, *z].map(f64::from)));
    }
    let at = |row: &[f64; 3], i: usize| row.get(i).copied().unwrap_or(0.0);
    let square: f64 = rows.iter().flat_map(|(_, theirs)| theirs).map(|v| v * v).sum();
    let both: f64 = rows.iter().flat_map(|(ours, theirs)| ours.iter().zip(theirs)).map(|(a, b)| a * b).sum();
    let unit = if square > 0.0 { both / square } else { 1.0 };
    if unit.is_nan() || unit <= 0.0 {
        return Err(LearnError::value("float network", "the one that the model was made of", "one whose outputs point the other way"));
    }
    let policy = &file.model.policy;
    let (mut flips, mut reversals, mut worst_logit, mut worst_target) = (0, 0, 0.0f64, 0.0f64);
    for (v, (ours, theirs)) in seen.iter().zip(&rows) {
        let scaled = theirs.map(|o| round(o * unit, (1 << 23) - 1));
        let other = simulate::traded(propose(policy, scaled, v.weight_bps, v.idle));
        flips += usize::from(other.signum() != v.moved.signum());
        reversals += usize::from(other.signum() * v.moved.signum() < 0);
        for i in 0..3 {
            worst_logit = worst_logit.max((at(ours, i) / unit - at(theirs, i)).abs());
        }
        let target = |o: [f64; 3]| (5_000.0 + (o[2] - o[0]) * f64::from(policy.gain) / 65_536.0).clamp(0.0, 10_000.0);
        worst_target = worst_target.max((target(*ours) - target(theirs.map(|o| o * unit))).abs());
    }
    let n = f64::from(u32::try_from(seen.len()).unwrap_or(u32::MAX));
    let times = || seen.iter().map(|v| v.time_s);
    Ok(QuantisationReport {
        data_sha256: series.sha256.clone(),
        span: (times().next().unwrap_or(0), times().next_back().unwrap_or(0)),
        decisions: seen.len(),
        flips,
        flips_per_10_000: f64::from(u32::try_from(flips).unwrap_or(u32::MAX)) * 10_000.0 / n,
        reversals,
        unit,
        worst_logit,
        logit_size: (square / (3.0 * n)).sqrt(),
        worst_target_bps: worst_target,
        integer,
    })
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// Whether the file said which scales its features had; else they were taken from the training bars.
    pub own_scales: bool,
    /// Policies tried on the validation part.
    pub policies_tried: usize,
    /// The chosen integer model on the validation part.
    pub validation: Simulated,
}

/// Quantises a float network trained elsewhere: activations are measured on the bars before `validation_from`, the policy is
/// chosen on those from there to `validation_to`.
pub fn import(net: &FloatNet, series: &Series, config: &TrainConfig) -> Result<(ModelFile, ImportReport), LearnError> {
    config.validate()?;
    let shape = net.shape();
    let raw = series.features();
    let split = series.times.partition_point(|t| *t < config.validation_from);
    let end = series.times.partition_point(|t| *t < config.validation_to);
    let known = raw.get(config.embargo..split.saturating_sub(config.embargo)).unwrap_or(&[]);
    let check = raw.get(split..end).unwrap_or(&[]);
    if known.len() < 64 || check.len() < 64 {
        let got = format!("{} and {}", known.len(), check.len());
        return Err(LearnError::value("bars before and after validation_from", "at least 64 each, the embargo apart", got));
    }
    let scales = net.scales.unwrap_or_else(|| quantise::scales(known));
    let inputs = |part: &[[i64; FEATURES]]| part.iter().map(|r| quantise::scaled(r, &scales)).collect::<Vec<_>>();
    let Quantised { model, tried, validation, .. } =
        quantise::quantise(&shape, &net.surrogate()?, scales, &inputs(known), series, &inputs(check), config)?;
    let report = ImportReport { own_scales: net.scales.is_some(), policies_tried: tried, validation };
    Ok((ModelFile::new(shape, model)?, report))
}
