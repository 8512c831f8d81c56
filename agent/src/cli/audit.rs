//! Flags of what an auditor uses: `audit`, `prove`, `disclose`, `inspect`.

use clap::Args;
use std::path::PathBuf;

/// Flags of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The compressed proof; with --rpc it may be left out: the newest one posted on chain is taken.
    #[arg(long, value_name = "FILE", required_unless_present = "rpc")]
    pub(crate) proof: Option<PathBuf>,
    /// A proof that ends where the next one starts; repeated in order, all of them before --proof.
    #[arg(long, value_name = "FILE")]
    pub(crate) before: Vec<PathBuf>,
    /// A proof of part of the log is what is wanted: what it leaves out is no error.
    #[arg(long)]
    pub(crate) segment: bool,
    /// Compare with what the vault recorded, on this node's word.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Go on from the state that an earlier audit of this log left: its lines are compared by digest, and only later ones checked.
    #[arg(long, value_name = "STATE", conflicts_with_all = ["reveal", "segment"])]
    pub(crate) since: Option<PathBuf>,
    /// Where this audit's own state goes, for a later --since; only if it accepts. Never over an existing file; keep it where only you write.
    #[arg(long, value_name = "STATE", conflicts_with = "segment")]
    pub(crate) state: Option<PathBuf>,
    /// Opening of the commitment (model and salt): replays every decision natively.
    #[arg(long, value_name = "FILE")]
    pub(crate) reveal: Option<PathBuf>,
    /// The mandate you were promised (JSON): the log has to keep this one.
    #[arg(long, value_name = "FILE")]
    pub(crate) mandate: Option<PathBuf>,
    /// The commitment to the model that you were promised or that is registered on chain: the log has to begin with this one.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) commitment: Option<probity_verifier::Digest>,
    /// Write a page for people (FILE.html) or the same as data (FILE.json); never over an existing file.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// How the report reads raw units, as USDC:6/WETH:18 (the log does not say).
    #[arg(long, value_name = "QUOTE:DECIMALS/BASE:DECIMALS", requires = "report")]
    pub(crate) units: Option<probity_verifier::Units>,
    /// Another log of the same agent: whether the two tell one history.
    #[arg(long, value_name = "FILE", requires = "other_proof")]
    pub(crate) other_log: Option<PathBuf>,
    /// Its proof.
    #[arg(long, value_name = "FILE", requires = "other_log")]
    pub(crate) other_proof: Option<PathBuf>,
    /// Where the evidence goes if the two logs part (JSON); never over an existing file.
    #[arg(long, value_name = "FILE", requires = "other_log")]
    pub(crate) evidence: Option<PathBuf>,
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
    /// Cut the proof after so many decisions, repeatable and rising: proofs of consecutive stretches go to FILE.1, FILE.2, …, FILE.
    #[arg(long, value_name = "DECISIONS")]
    pub(crate) cut: Vec<u32>,
}

/// Flags of `disclose`.
#[derive(Debug, Args)]
pub(crate) struct DiscloseArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The first decision to show.
    #[arg(long, value_name = "DECISION")]
    pub(crate) from: u32,
    /// The decision before which to stop.
    #[arg(long, value_name = "DECISION")]
    pub(crate) to: u32,
    /// Where the records go; never overwritten. Proofs that end at both ends of the range go with them: `prove --cut FROM --cut TO`.
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
