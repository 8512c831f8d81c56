//! Flags of `run`, `demo` and `chain`.

use crate::cli::ServeFlags;
use clap::{Args, Subcommand};
use std::path::PathBuf;

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

/// Flags of `halt` and `resume`.
#[derive(Debug, Args)]
pub(crate) struct HaltArgs {
    /// Folder of the run.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Why; it is kept in the journal.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
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
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Folder of journal, keys, log and proof; an interrupted run in it goes on. With several --config, the folder of their folders.
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
    /// Trade on the real chain behind this node (setting chain.rpc_url); settings [keys] say who signs.
    #[arg(long, value_name = "URL", conflicts_with_all = ["fork_url", "market", "seed"])]
    pub(crate) rpc: Option<String>,
    /// On a real chain: deploy a vault and make the first deposit.
    #[arg(long)]
    pub(crate) deploy: bool,
    /// On paper: observe the real chain behind --rpc, send nothing to it, and fill orders by the pool's own state. No key, no vault.
    #[arg(long, conflicts_with_all = ["deploy", "fork_url", "market", "seed", "keep_chain"])]
    pub(crate) paper: bool,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Leave the development chains up after the run.
    #[arg(long)]
    pub(crate) keep_chain: bool,
    /// Print lines instead of the view on the terminal (so do NO_TUI=1, TERM=dumb, --json, and an output that is no terminal).
    #[arg(long)]
    pub(crate) plain: bool,
    /// The dashboard.
    #[command(flatten)]
    pub(crate) serve: ServeFlags,
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
    /// As if no flag were given.
    pub(crate) fn plain() -> Self {
        Self {
            dir: PathBuf::new(),
            market: None,
            from: None,
            to: None,
            seed: None,
            decisions: None,
            fork_url: None,
            pool: None,
            posting: None,
            rpc: None,
            deploy: false,
            paper: false,
            model: None,
            keep_chain: false,
            plain: false,
            serve: ServeFlags::default(),
        }
    }

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
