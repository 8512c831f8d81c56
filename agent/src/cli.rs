//! Commands and flags: the one definition that feeds help, man pages and completions.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A DeFi trading agent that can prove it kept to its strategy.
#[derive(Debug, Parser)]
#[command(name = "probity", version, about, after_help = "Exit codes: 0 done or accepted, 1 rejected, 2 could not tell or failed.")]
pub(crate) struct Cli {
    /// Settings file (TOML); see `probity config show`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Machine-readable result on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A proven run over a simulated or recorded market, its audit, and a forged copy that is rejected.
    Demo(DemoArgs),
    /// Verify a decision log against its proof.
    Audit(AuditArgs),
    /// Backtest the strategy over a recorded series with the same engine.
    Backtest(BacktestArgs),
    /// Train a model on a recorded series.
    Train(TrainArgs),
    /// List the trial ledger and check its chain; exit code 1 if it is broken.
    Trials,
    /// Salt and commit to a model: writes the opening (secret) and prints the commitment (public).
    Commit(CommitArgs),
    /// Settings.
    Config {
        /// What to do with them.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Shell completions on stdout.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Man page on stdout.
    Man,
}

/// Settings commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Every setting, its value and where the value came from.
    Show,
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// OHLCV series (CSV, may be gzipped); a simulated one if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) market: Option<PathBuf>,
    /// First bar of the series, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars of the series that open before this time, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = u64::MAX)]
    pub(crate) to: u64,
    /// Seed of the simulated market.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Decisions on the simulated market.
    #[arg(long, default_value_t = 96)]
    pub(crate) decisions: usize,
    /// Folder of log and proof.
    #[arg(long, value_name = "DIR", default_value = ".probity/demo")]
    pub(crate) dir: PathBuf,
}

/// Flags of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The compressed proof.
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: PathBuf,
    /// Opening of the commitment (model and salt): replays every decision natively.
    #[arg(long, value_name = "FILE")]
    pub(crate) reveal: Option<PathBuf>,
}

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
    /// First bar, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars that open before this time, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = u64::MAX)]
    pub(crate) to: u64,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Fold every decision and write log and proof into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) prove: Option<PathBuf>,
    /// Write a report into this folder: manifest.json, equity.csv, trades.csv, report.html.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Checks of the backtest.
#[derive(Debug, Subcommand)]
pub(crate) enum BacktestCheck {
    /// Cut off, raise, lower and thin out the future after every bar: no decision up to it may change. Exit code 1 if one does.
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
}

/// A recorded series and a model.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// OHLCV series (CSV, may be gzipped).
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// First bar, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars that open before this time, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = u64::MAX)]
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
}

/// Flags of `commit`.
#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Where the opening (model and salt) is written, readable by the owner only. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) opening: PathBuf,
}
