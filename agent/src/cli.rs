//! Commands and flags: the one definition that feeds help, man pages and completions.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A DeFi trading agent that can prove it kept to its strategy.
#[derive(Debug, Parser)]
#[command(name = "probity", version, about, after_help = "Exit codes: 0 done or accepted, 1 rejected, 2 could not tell or failed.")]
pub struct Cli {
    /// Settings file (TOML); see `probity config show`.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Machine-readable result on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade on a fork: observe, decide, journal, execute, prove, post.
    Run(RunArgs),
    /// The whole path on a forked stand-in mainnet: run, audit offline and against the chain, tamper, reject.
    Demo(RunArgs),
    /// Verify a decision log against its proof.
    Audit(AuditArgs),
    /// Backtest the strategy over a recorded series with the same engine.
    Backtest(BacktestArgs),
    /// Salt and commit to a model: writes the opening (secret) and prints the commitment (public).
    Commit(CommitArgs),
    /// Show what a log, a proof or a model file says, without trusting it.
    Inspect {
        /// The file.
        file: PathBuf,
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
pub enum ConfigAction {
    /// Every setting, its value and where the value came from.
    Show,
}

/// Flags of `run` and `demo`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// OHLCV series that moves the pool's price (CSV, may be gzipped); simulated if left out.
    #[arg(long, value_name = "FILE")]
    pub market: Option<PathBuf>,
    /// First bar of the series, unix seconds.
    #[arg(long, value_name = "UNIX_S")]
    pub from: Option<u64>,
    /// Last bar of the series, unix seconds.
    #[arg(long, value_name = "UNIX_S")]
    pub to: Option<u64>,
    /// Seed of the simulated market.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Decisions to make (0 = until Ctrl-C).
    #[arg(long)]
    pub decisions: Option<u32>,
    /// Mainnet RPC to fork instead of the local stand-in.
    #[arg(long, value_name = "URL")]
    pub fork_url: Option<String>,
    /// Pool to trade in on that fork.
    #[arg(long, value_name = "ADDRESS")]
    pub pool: Option<String>,
    /// Folder of journal, checkpoint, log and proof.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Model file.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
}

impl RunArgs {
    /// The flags as settings.
    #[must_use]
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        let path = |p: &Option<PathBuf>| p.as_ref().map(|p| p.display().to_string());
        [
            ("market.file", path(&self.market)),
            ("market.from_unix_s", self.from.map(|v| v.to_string())),
            ("market.to_unix_s", self.to.map(|v| v.to_string())),
            ("market.seed", self.seed.map(|v| v.to_string())),
            ("agent.decisions", self.decisions.map(|v| v.to_string())),
            ("chain.fork_url", self.fork_url.clone()),
            ("chain.pool", self.pool.clone()),
            ("agent.dir", path(&self.dir)),
            ("agent.model_file", path(&self.model)),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|v| (key, v)))
        .collect()
    }
}

/// Flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub log: PathBuf,
    /// The compressed proof.
    #[arg(long, value_name = "FILE")]
    pub proof: PathBuf,
    /// Chain to compare with: registration, observations, orders, heads.
    #[arg(long, value_name = "URL")]
    pub rpc: Option<String>,
    /// Opening of the commitment (model and salt): replays every decision natively.
    #[arg(long, value_name = "FILE")]
    pub reveal: Option<PathBuf>,
}

/// Flags of `backtest`.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// OHLCV series (CSV, may be gzipped).
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// First bar, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 0)]
    pub from: u64,
    /// Last bar, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = u64::MAX)]
    pub to: u64,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
}

/// Flags of `commit`.
#[derive(Debug, Args)]
pub struct CommitArgs {
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Where the opening (model and salt) is written, readable by the owner only. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub opening: PathBuf,
}
