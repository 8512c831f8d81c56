//! Flags of `commit` and `layout`.

use clap::Args;
use std::path::PathBuf;

/// `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// Nothing to download, nothing to trust.
    Transparent,
    /// Powers of tau from a ceremony.
    Pairing,
}

impl From<Engine> for probity_strategy::ProofEngine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Transparent => Self::Transparent,
            Engine::Pairing => Self::Pairing,
        }
    }
}

/// Flags of `layout`.
#[derive(Debug, Args)]
pub(crate) struct LayoutArgs {
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Longest time from a decision to its proof.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_latency: Option<u64>,
    /// Engine (setting mandate.proof_engine).
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,
    /// Time between two decisions (setting mandate.interval_s).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) interval: Option<u32>,
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
    /// Where the public part (commitment, shape, head of the trial ledger) is written. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,
    /// Longest time from a decision to its proof, for the choice in the table of layouts.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_latency: Option<u64>,
    /// Leave the table of layouts out: it measures this machine and counts circuits, which takes seconds.
    #[arg(long, conflicts_with = "max_latency")]
    pub(crate) no_layout: bool,
}
