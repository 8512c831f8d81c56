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
    /// The whole path on a forked chain: run, prove, post, audit offline and on chain, a forged copy rejected.
    Demo(DemoArgs),
    /// Run the agent: on development chains moved along a market, on a fork, or on a real chain.
    Run(RunArgs),
    /// Verify a decision log against its proof, and with --rpc against the chain.
    Audit(AuditArgs),
    /// Make a fresh proof of a decision log from its opening (model and salt).
    Prove(ProveArgs),
    /// Show what a log, a proof or a run's folder holds, without judging it.
    Inspect(InspectArgs),
    /// Backtest the strategy over a recorded series with the same engine.
    Backtest(BacktestArgs),
    /// Train a model on a recorded series.
    Train(TrainArgs),
    /// List the trial ledger and check its chain; exit code 1 if it is broken.
    Trials,
    /// Salt and commit to a model: writes the opening (secret) and prints the commitment (public).
    Commit(CommitArgs),
    /// The development chains of a run.
    Chain {
        /// What to do with them.
        #[command(subcommand)]
        action: ChainAction,
    },
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

/// Commands on development chains.
#[derive(Debug, Subcommand)]
pub(crate) enum ChainAction {
    /// Ends the chains that a run left up (`--keep-chain`, SIGTERM, or a killed agent).
    Stop {
        /// Folder of the run.
        #[arg(long, value_name = "DIR", default_value = ".probity/run")]
        dir: PathBuf,
    },
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// OHLCV series (CSV, may be gzipped); a simulated one if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) market: Option<PathBuf>,
    /// First bar of the series: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) from: Option<u64>,
    /// Bars of the series that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) to: Option<u64>,
    /// Seed of the simulated market.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Decisions.
    #[arg(long, default_value_t = 48)]
    pub(crate) decisions: u32,
    /// Folder of the demo; an earlier demo in it is replaced.
    #[arg(long, value_name = "DIR", default_value = ".probity/demo")]
    pub(crate) dir: PathBuf,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Folder of journal, keys, log and proof; an interrupted run in it goes on.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Series that moves the development chain's pool (CSV, may be gzipped); a simulated one if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) market: Option<PathBuf>,
    /// First bar of the series: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) from: Option<u64>,
    /// Bars of the series that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) to: Option<u64>,
    /// Seed of the simulated market.
    #[arg(long, conflicts_with = "market")]
    pub(crate) seed: Option<u64>,
    /// Decisions after which the run is sealed; the market's length if left out.
    #[arg(long)]
    pub(crate) decisions: Option<u32>,
    /// Fork this node instead of the stand-in mainnet.
    #[arg(long, value_name = "URL")]
    pub(crate) fork_url: Option<String>,
    /// Pool (setting chain.pool).
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) pool: Option<String>,
    /// When proofs are posted (setting posting.policy).
    #[arg(long, value_enum)]
    pub(crate) posting: Option<Posting>,
    /// Trade on the real chain behind this node (setting chain.rpc_url); the key comes from PROBITY_OPERATOR_KEY.
    #[arg(long, value_name = "URL", conflicts_with_all = ["fork_url", "market", "seed"])]
    pub(crate) rpc: Option<String>,
    /// On a real chain: deploy a vault and make the first deposit.
    #[arg(long)]
    pub(crate) deploy: bool,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Leave the development chains up after the run.
    #[arg(long)]
    pub(crate) keep_chain: bool,
}

/// `--posting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Posting {
    /// A trade's own transaction carries its proof.
    WithTrade,
    /// Apart, every so many decisions (setting posting.every_decisions).
    Every,
}

impl RunArgs {
    /// The flags that are settings.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let posting = self.posting.map(|p| match p {
            Posting::WithTrade => "with_trade".to_owned(),
            Posting::Every => "every".to_owned(),
        });
        let flags = [("chain.pool", self.pool.clone()), ("posting.policy", posting), ("chain.rpc_url", self.rpc.clone())];
        flags.into_iter().filter_map(|(key, value)| value.map(|v| (key, v))).collect()
    }
}

/// Flags of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The compressed proof; with --rpc it may be left out: the newest one posted on chain is taken.
    #[arg(long, value_name = "FILE", required_unless_present = "rpc")]
    pub(crate) proof: Option<PathBuf>,
    /// Compare with what the vault recorded, on this node's word.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Opening of the commitment (model and salt): replays every decision natively.
    #[arg(long, value_name = "FILE")]
    pub(crate) reveal: Option<PathBuf>,
}

/// Flags of `prove`.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// Its opening: model and salt.
    #[arg(long, value_name = "FILE")]
    pub(crate) opening: PathBuf,
    /// Where the proof goes; never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A decision log, a proof, or the folder of a run.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Last decisions that are listed.
    #[arg(long, default_value_t = 20)]
    pub(crate) last: usize,
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
