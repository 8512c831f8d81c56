//! Flags of `backtest` and its checks.

use crate::cli::SeriesArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Flags of `backtest`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BacktestArgs {
    /// A check of the backtest itself, in place of a run.
    #[command(subcommand)]
    pub(crate) check: Option<BacktestCheck>,
    /// OHLCV series (CSV, may be gzipped).
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) data: Option<PathBuf>,
    /// First bar: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = u64::MAX)]
    pub(crate) to: u64,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Fold every decision and write log and proof into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) prove: Option<PathBuf>,
    /// Write a report into this folder: manifest.json, equity.csv, trades.csv, critic.json, report.json, report.html; with --prove log and
    /// proof as well.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Checks of the backtest.
#[derive(Debug, Subcommand)]
pub(crate) enum BacktestCheck {
    /// Cut off, raise, lower and thin out the future after every bar: no decision of engine, candle and circuit up to it may change.
    /// Exit code 1 if one does.
    Lookahead {
        /// What to run over.
        #[command(flatten)]
        series: SeriesArgs,
        /// Bars of one window; every bar is the last known one of some window.
        #[arg(long, value_name = "BARS", default_value_t = 40)]
        window: usize,
        /// Cuts over the whole run.
        #[arg(long, default_value_t = 24)]
        cuts: usize,
        /// Stretches, around trades where there are any, over which the circuit decides as well (some seconds each).
        #[arg(long, default_value_t = 2, value_name = "STRETCHES")]
        circuit: usize,
    },
    /// Decide the second half of the series with more and more history before it: what does the result owe to its start?
    Warmup {
        /// What to run over.
        #[command(flatten)]
        series: SeriesArgs,
        /// Exit code 1 if the returns of the starts lie further apart, bps of the starting value.
        #[arg(long, value_name = "BPS")]
        max_spread_bps: Option<u32>,
    },
    /// Many policies, costs and windows in parallel, one JSON line each; an interrupted sweep goes on in its file.
    Sweep(SweepArgs),
    /// The period of a live log, live and backtested: the difference, trade by trade. Exit code 1 if the model did not make the log.
    Compare(CompareArgs),
}

/// Flags of `backtest sweep`. Every list leaves the model's own value where it is left out.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// What to run over.
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Gains of the policy, times the model's own.
    #[arg(long, value_delimiter = ',', value_name = "TIMES")]
    pub(crate) gain: Vec<f64>,
    /// Half-widths of the no-trade zone.
    #[arg(long, value_delimiter = ',', value_name = "BPS")]
    pub(crate) band_bps: Vec<u16>,
    /// Largest moves in one step.
    #[arg(long, value_delimiter = ',', value_name = "BPS")]
    pub(crate) max_step_bps: Vec<u16>,
    /// Steps without trades after an order.
    #[arg(long, value_delimiter = ',', value_name = "STEPS")]
    pub(crate) cooldown_steps: Vec<u16>,
    /// Pool fees.
    #[arg(long, value_delimiter = ',', value_name = "BPS")]
    pub(crate) fee_bps: Vec<u16>,
    /// Windows of equal length that the series is cut into.
    #[arg(long, default_value_t = 1)]
    pub(crate) windows: usize,
    /// JSON lines: a header with the plan, then one line each.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Threads; as many as there are cores if left out.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// Flags of `backtest compare`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompareArgs {
    /// The live decision log.
    #[arg(value_name = "LIVE_LOG")]
    pub(crate) log: PathBuf,
    /// Model file.
    #[arg(long, value_name = "FILE", required_unless_present = "opening")]
    pub(crate) model: Option<PathBuf>,
    /// Opening of the log's commitment, in place of a model file.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(crate) opening: Option<PathBuf>,
    /// OHLCV series to backtest on; the log's own prices if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Decimals of the log's quote token, which the log does not say: what the prices of --data are counted in.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(..=30))]
    pub(crate) quote_decimals: u8,
    /// Decimals of its base token.
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u8).range(..=30))]
    pub(crate) base_decimals: u8,
}
