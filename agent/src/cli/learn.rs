//! Flags of what makes a strategy: `train`, `walk-forward`, `model`, `trials`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// A recorded series and a model.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// OHLCV series (CSV, may be gzipped).
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// First bar: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = u64::MAX)]
    pub(crate) to: u64,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

/// Flags of `train`. The defaults are the ones the shipped model was trained with.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// OHLCV series (CSV, may be gzipped); bars after `--validation-to` are never looked at.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Where the model is written, readable by the owner only. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of everything random: the same seed gives the same model.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Bars before this time train, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 1_640_995_200)]
    pub(crate) validation_from: u64,
    /// Bars from `--validation-from` up to this time stop the training and choose the policy, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 1_672_531_200)]
    pub(crate) validation_to: u64,
    /// Bars dropped between training and validation.
    #[arg(long, value_name = "BARS", default_value_t = 256)]
    pub(crate) embargo: usize,
    /// Steps of one training window.
    #[arg(long, value_name = "STEPS", default_value_t = 32)]
    pub(crate) window: usize,
    /// Windows in one batch.
    #[arg(long, value_name = "WINDOWS", default_value_t = 192)]
    pub(crate) batch: usize,
    /// Cost of a trade, bps of its size.
    #[arg(long, value_name = "BPS", default_value_t = 5.0)]
    pub(crate) cost_bps: f64,
    /// Most optimiser steps.
    #[arg(long, value_name = "STEPS", default_value_t = 600)]
    pub(crate) max_steps: usize,
    /// Evaluations (one every 20 steps) without improvement before stopping.
    #[arg(long, default_value_t = 8)]
    pub(crate) patience: usize,
    /// Least share of decisions that must buy, and that must sell, for a policy to be chosen; 0 leaves it to the objective.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) min_activity: f64,
    /// Widths of the hidden layers; empty for a linear model.
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS", default_values_t = [32, 16], conflicts_with = "linear")]
    pub(crate) hidden: Vec<u16>,
    /// No hidden layer: the baseline that a network has to beat.
    #[arg(long)]
    pub(crate) linear: bool,
    /// Cells of memory, 1 … 32; 0 for a model that decides by the features of the day alone.
    #[arg(long, value_name = "CELLS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=32))]
    pub(crate) recurrent: u16,
    /// Train through floats and round at the end, in place of through the integer network's own rounding.
    #[arg(long)]
    pub(crate) float_forward: bool,
    /// Keep the state of the training here (private); a training that was interrupted goes on from it, to the same model.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Also write the float network (safetensors, private). Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights_out: Option<PathBuf>,
}

/// Flags of `walk-forward`.
#[derive(Debug, Args)]
pub(crate) struct WalkForwardArgs {
    /// OHLCV series (CSV, may be gzipped, or Parquet).
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Start of the first part that is traded; everything before it is for the first training.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2018-07-01")]
    pub(crate) first: u64,
    /// Days traded with one model.
    #[arg(long, default_value_t = 183)]
    pub(crate) test_days: u64,
    /// Days before them that stop the training and choose the policy.
    #[arg(long, default_value_t = 183)]
    pub(crate) validation_days: u64,
    /// Costs of a trade: each is trained for, and paid.
    #[arg(long, value_delimiter = ',', value_name = "BPS", default_values_t = [5, 30])]
    pub(crate) cost_bps: Vec<u16>,
    /// Bars of the moving average beside it.
    #[arg(long, value_name = "BARS", default_value_t = 720)]
    pub(crate) average: usize,
    /// Least share of decisions that must buy, and that must sell, for a policy to be chosen; 0 leaves it to the objective.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) min_activity: f64,
    /// Random strategies of the same turnover beside it.
    #[arg(long, default_value_t = 200)]
    pub(crate) random: usize,
    /// Seed of everything random.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Widths of the hidden layers.
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS", default_values_t = [32, 16], conflicts_with = "linear")]
    pub(crate) hidden: Vec<u16>,
    /// No hidden layer.
    #[arg(long)]
    pub(crate) linear: bool,
    /// Cells of memory, 1 … 32; 0 for a model that decides by the features of the day alone.
    #[arg(long, value_name = "CELLS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=32))]
    pub(crate) recurrent: u16,
    /// Most optimiser steps of one training.
    #[arg(long, value_name = "STEPS", default_value_t = 600)]
    pub(crate) max_steps: usize,
    /// Write the figures (walk-forward.json) and the curves (equity-COST.csv) into this folder. Nothing is overwritten.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Float networks and integer models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// Make an integer model of a float network trained elsewhere (PyTorch-style state dict in safetensors), and report.
    Import {
        /// The float network.
        #[arg(long, value_name = "FILE")]
        weights: PathBuf,
        /// OHLCV series to measure activations and choose the policy on.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Where the model is written, readable by the owner only. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Bars before this time measure the activations.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2022-01-01")]
        validation_from: u64,
        /// Bars from there to this time choose the policy; later ones are held out for the report.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2023-01-01")]
        validation_to: u64,
        /// Cost of a trade, bps of its size.
        #[arg(long, value_name = "BPS", default_value_t = 5.0)]
        cost_bps: f64,
    },
    /// What quantising costs: decisions that flip, distance of the outputs, on held-out bars.
    Quantisation {
        /// The float network (`train --weights-out`, or from elsewhere).
        #[arg(long, value_name = "FILE")]
        weights: PathBuf,
        /// The integer model made of it.
        #[arg(long, value_name = "FILE")]
        model: PathBuf,
        /// OHLCV series.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// First bar; take one that neither training nor the choice of the policy has seen.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2023-01-01")]
        from: u64,
        /// Bars before this time.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = u64::MAX)]
        to: u64,
        /// Exit code 1 if more decisions of 10,000 flip.
        #[arg(long, value_name = "FLIPS")]
        max_flips: Option<f64>,
    },
}

/// Flags of `trials`.
#[derive(Debug, Args)]
pub(crate) struct TrialsArgs {
    /// Commitment file whose ledger head must be in this ledger; exit code 1 if it is not.
    #[arg(long, value_name = "FILE")]
    pub(crate) commitment: Option<PathBuf>,
    /// Its opening, with the binding beside it: checks that the commitment was made over that head.
    #[arg(long, value_name = "FILE", requires = "commitment")]
    pub(crate) opening: Option<PathBuf>,
}
