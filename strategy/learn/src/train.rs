//! Training: AdamW on contiguous windows, split in time, purged, stopped early, the same for the same seed.

use crate::{
    FloatNet, LearnError, ModelFile, Series, Simulated,
    adamw::AdamW,
    checkpoint::{self, Progress},
    grid::Grid,
    quantise::{self, Quantised},
    surrogate::{Surrogate, Windows, uniform},
};
use candle_core::{Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use probity_strategy::ModelShape;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use serde::Serialize;
use std::path::Path;

/// What training is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Bars before this unix time train (less the embargo).
    pub validation_from: u64,
    /// Bars from `validation_from` up to this unix time stop the training and choose the policy. Later bars are not looked at.
    pub validation_to: u64,
    /// Bars dropped between training and validation: the reach of the slowest feature.
    pub embargo: usize,
    /// Most optimiser steps.
    pub max_steps: usize,
    /// Windows in a batch.
    pub batch: usize,
    /// Steps of a window.
    pub window: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Cost of a trade, bps of its size.
    pub cost_bps: f64,
    /// Aversion: weight of half the squared step return, beyond that of the logarithm.
    pub risk: f64,
    /// Evaluations without improvement before stopping.
    pub patience: usize,
    /// Least share of decisions that must trade, in either direction, for a policy to be chosen.
    pub min_activity: f64,
    /// Trains through the integer network's own rounding (the gradient straight through it); without, through floats.
    pub quantised_forward: bool,
    /// Shows a progress bar on stderr.
    pub progress: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            validation_from: 1_640_995_200,
            validation_to: 1_672_531_200,
            embargo: 256,
            max_steps: 600,
            batch: 192,
            window: 32,
            learning_rate: 0.002,
            weight_decay: 0.02,
            cost_bps: 5.0,
            risk: 20.0,
            patience: 8,
            min_activity: 0.1,
            quantised_forward: true,
            progress: false,
        }
    }
}

impl TrainConfig {
    /// Checks every number by its name.
    pub fn validate(&self) -> Result<(), LearnError> {
        let whole = [("window", self.window, 1, 4_096), ("batch", self.batch, 1, 65_536), ("max_steps", self.max_steps, 0, 1_000_000)];
        for (field, v, lo, hi) in
            whole.into_iter().chain([("patience", self.patience, 1, 1_000_000), ("embargo", self.embargo, 0, 1 << 32)])
        {
            if !(lo..=hi).contains(&v) {
                return Err(LearnError::value(field, format!("{lo} … {hi}"), v));
            }
        }
        let real =
            [("cost_bps", self.cost_bps, 1_000.0), ("learning_rate", self.learning_rate, 1.0), ("weight_decay", self.weight_decay, 1.0)];
        for (field, v, hi) in real.into_iter().chain([("risk", self.risk, 1e6), ("min_activity", self.min_activity, 0.5)]) {
            if !(0.0..=hi).contains(&v) {
                return Err(LearnError::value(field, format!("0 … {hi}"), v));
            }
        }
        if self.validation_from >= self.validation_to {
            return Err(LearnError::value(
                "validation_to",
                format!("a time after validation_from ({})", self.validation_from),
                self.validation_to,
            ));
        }
        Ok(())
    }
}

/// What training did. No private number is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainReport {
    /// Seed.
    pub seed: u64,
    /// SHA-256 of the data.
    pub data_sha256: String,
    /// Bars trained on.
    pub train_bars: usize,
    /// Bars validated on.
    pub validation_bars: usize,
    /// Optimiser steps made.
    pub steps: usize,
    /// Step whose weights were kept.
    pub best_step: usize,
    /// Objective on validation windows before training, bps a step (returns less the training mean).
    pub validation_before: f64,
    /// The same for the kept weights.
    pub validation_after: f64,
    /// Annualised Sharpe ratio of the kept weights' net returns on validation windows, beyond a half-and-half portfolio and
    /// the training mean.
    pub validation_sharpe: f64,
    /// Share of validation decisions (trade, direction or hold) that quantising changed.
    pub decision_flips: f64,
    /// Largest difference of the target weight through quantising, bps.
    pub largest_target_error_bps: f64,
    /// Policies tried on the validation part.
    pub policies_tried: usize,
    /// The chosen integer model on the validation part, at `cost_bps`.
    pub validation: Simulated,
}

const EVALUATE_EVERY: usize = 20;

/// What training made.
#[derive(Debug)]
pub struct Trained {
    /// The integer model.
    pub file: ModelFile,
    /// The float network it was quantised from.
    pub net: FloatNet,
    /// What training did.
    pub report: TrainReport,
}

/// Trains a model of this shape on the series.
pub fn train(shape: &ModelShape, series: &Series, config: &TrainConfig) -> Result<(ModelFile, TrainReport), LearnError> {
    let trained = train_in(shape, series, config, None)?;
    Ok((trained.file, trained.report))
}

/// The same; with a file, every evaluation is written down there and a training that was interrupted goes on from it, to the
/// same model.
pub fn train_in(shape: &ModelShape, series: &Series, config: &TrainConfig, file: Option<&Path>) -> Result<Trained, LearnError> {
    shape.validate()?;
    config.validate()?;
    let raw = series.features();
    let split = series.times.partition_point(|t| *t < config.validation_from);
    let end = series.times.partition_point(|t| *t < config.validation_to);
    let train_end = split.saturating_sub(config.embargo);
    let scales = quantise::scales(raw.get(config.embargo..train_end).unwrap_or(&[]));
    let inputs: Vec<[f32; 15]> = raw.iter().map(|r| quantise::scaled(r, &scales)).collect();
    let growth: Vec<f32> = series.ticks.iter().zip(series.ticks.iter().skip(1)).map(|(a, b)| 1.000_1f32.powi(b - a) - 1.0).collect();
    let before = quantise::settling(shape);
    let begun = |from: usize, to: usize, stride: usize| -> Vec<usize> {
        starts(series, from, to, config.window + before, stride).iter().map(|at| at + before).collect()
    };
    let train_starts = begun(config.embargo, train_end, 1);
    let check_starts = begun(split.saturating_sub(before), end, config.window);
    if train_starts.len() < config.batch || check_starts.len() < 8 {
        let got = format!("{} and {}", train_starts.len(), check_starts.len());
        return Err(LearnError::value("windows without gaps", "one batch to train on, 8 to validate on", got));
    }
    let known = growth.get(config.embargo..train_end).unwrap_or(&[]);
    let mean = mean(known);
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let net = Surrogate::new(shape, &mut rng)?;
    let make = |at: &[usize], start: Vec<f32>| windows(&inputs, &growth, mean, at, (before, config.window), start);
    let check = make(&check_starts, vec![0.5; check_starts.len()])?;
    let (cost, risk) = (config.cost_bps / 10_000.0, config.risk);
    let train_inputs = inputs.get(config.embargo..train_end).unwrap_or(&[]);
    let sample = quantise::sample(shape, train_inputs, 1_024)?;
    let grid_of = |net: &Surrogate| if config.quantised_forward { Grid::of(shape, net, &sample).map(Some) } else { Ok(None) };
    let year = (31_536_000.0 / f64::from(series.interval_s)).sqrt();
    let evaluate = |net: &Surrogate, grid: Option<&Grid>| -> Result<(f64, f64), LearnError> {
        let (objective, nets) = net.objective(&check, grid, cost, risk)?;
        Ok((f64::from(objective.to_scalar::<f32>()?), sharpe(&nets)? * year))
    };
    let training = checkpoint::training(shape, series, config)?;
    let mut optimiser = AdamW::new(net.vars(), config.learning_rate, config.weight_decay)?;
    let mut grid = grid_of(&net)?;
    let (before, mut best_sharpe) = evaluate(&net, grid.as_ref())?;
    let (mut best, mut best_step, mut kept, mut stale) = (before, 0, net.snapshot()?, 0);
    let (mut steps, mut last, mut last_sharpe) = (0, before, best_sharpe);
    if let Some((at, values)) = file.map(|f| checkpoint::load(f, &training, &net, &mut optimiser)).transpose()?.flatten() {
        let place = at.random_at.parse().map_err(|_| LearnError::value("checkpoint, random_at", "a whole number", &at.random_at))?;
        rng.set_word_pos(place);
        (steps, best_step, stale, kept) = (at.steps, at.best_step, at.stale, values);
        (best, best_sharpe) = (f64::from_bits(at.best_bits), f64::from_bits(at.sharpe_bits));
        grid = grid_of(&net)?;
        (last, last_sharpe) = (best, best_sharpe);
    }
    let bar = bar(config);
    bar.set_position(u64::try_from(steps).unwrap_or(0));
    while steps < config.max_steps && stale < config.patience {
        let at: Vec<usize> = (0..config.batch).filter_map(|_| pick(&mut rng, &train_starts)).collect();
        let start = at.iter().map(|_| uniform(&mut rng)).collect();
        let loss = net.objective(&make(&at, start)?, grid.as_ref(), cost, risk)?.0.neg()?;
        optimiser.step(&loss.backward()?)?;
        steps += 1;
        bar.inc(1);
        if config.progress {
            let loss = f64::from(loss.to_scalar::<f32>()?);
            bar.set_message(format!(
                "loss {loss:+.3}, on validation {:+.3} (best {:+.3}) bps a step, validation Sharpe {last_sharpe:+.2}",
                -last, -best
            ));
        }
        if steps % EVALUATE_EVERY == 0 {
            grid = grid_of(&net)?;
            (last, last_sharpe) = evaluate(&net, grid.as_ref())?;
            stale += 1;
            if last > best {
                (best, best_sharpe, best_step, kept, stale) = (last, last_sharpe, steps, net.snapshot()?, 0);
            }
            if let Some(path) = file {
                let progress = Progress {
                    version: 1,
                    training: training.clone(),
                    steps,
                    optimiser_steps: optimiser.steps,
                    best_step,
                    stale,
                    before_bits: before.to_bits(),
                    best_bits: best.to_bits(),
                    sharpe_bits: best_sharpe.to_bits(),
                    random_at: rng.get_word_pos().to_string(),
                };
                checkpoint::save(path, &progress, &net, &optimiser, &kept)?;
            }
        }
    }
    bar.finish_and_clear();
    net.restore(&kept)?;
    let Quantised { model, flips, target_error_bps, tried, validation } =
        quantise::quantise(shape, &net, scales, train_inputs, series, inputs.get(split..end).unwrap_or(&[]), config)?;
    let report = TrainReport {
        seed: config.seed,
        data_sha256: series.sha256.clone(),
        train_bars: train_end.saturating_sub(config.embargo),
        validation_bars: end - split,
        steps,
        best_step,
        validation_before: before,
        validation_after: best,
        validation_sharpe: best_sharpe,
        decision_flips: flips,
        largest_target_error_bps: target_error_bps,
        policies_tried: tried,
        validation,
    };
    let float = FloatNet::of_surrogate(shape, &net, scales)?;
    Ok(Trained { file: ModelFile::new(shape.clone(), model)?, net: float, report })
}

/// Mean over deviation of all values.
fn sharpe(nets: &[Tensor]) -> Result<f64, LearnError> {
    let all: Vec<f32> = Tensor::cat(nets, 0)?.flatten_all()?.to_vec1()?;
    let n = f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX).max(1));
    let mean = all.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let deviation = (all.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt();
    Ok(if deviation > 0.0 { mean / deviation } else { 0.0 })
}

#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "a mean of f32 values fits f32")]
fn mean(values: &[f32]) -> f32 {
    let n = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX).max(1));
    (values.iter().map(|v| f64::from(*v)).sum::<f64>() / n) as f32
}

/// Starts of windows of `length` decisions and one more bar within `from..to` that no gap breaks.
fn starts(series: &Series, from: usize, to: usize, length: usize, stride: usize) -> Vec<usize> {
    let span = u64::from(series.interval_s) * u64::try_from(length).unwrap_or(u64::MAX);
    (from..to.saturating_sub(length))
        .step_by(stride.max(1))
        .filter(|i| matches!((series.times.get(*i), series.times.get(i + length)), (Some(a), Some(b)) if b - a == span))
        .collect()
}

fn pick(rng: &mut ChaCha8Rng, from: &[usize]) -> Option<usize> {
    let n = u64::try_from(from.len()).ok()?;
    from.get(usize::try_from(rng.next_u64().checked_rem(n)?).ok()?).copied()
}

fn windows(
    inputs: &[[f32; 15]],
    growth: &[f32],
    mean: f32,
    at: &[usize],
    (settling, length): (usize, usize),
    start: Vec<f32>,
) -> Result<Windows, LearnError> {
    let seen = |ahead: usize, back: usize| -> Result<Tensor, LearnError> {
        let place = |i: &usize| inputs.get((i + ahead).saturating_sub(back));
        let rows: Vec<f32> = at.iter().filter_map(place).flatten().copied().collect();
        Ok(Tensor::from_vec(rows, (at.len(), 15), &Device::Cpu)?)
    };
    let before = (1..=settling).rev().map(|back| seen(0, back)).collect::<Result<_, _>>()?;
    let (mut features, mut returns) = (Vec::with_capacity(length), Vec::with_capacity(length));
    for t in 0..length {
        features.push(seen(t, 0)?);
        let column: Vec<f32> = at.iter().filter_map(|i| growth.get(i + t)).map(|g| g - mean).collect();
        returns.push(Tensor::from_vec(column, (at.len(), 1), &Device::Cpu)?);
    }
    Ok(Windows { before, features, returns, start: Tensor::from_vec(start, (at.len(), 1), &Device::Cpu)? })
}

fn bar(config: &TrainConfig) -> ProgressBar {
    if !config.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(config.max_steps).unwrap_or(0));
    if let Ok(style) = ProgressStyle::with_template("training {bar:30} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}
