//! Flags of `rotate`.

use clap::Args;
use std::path::PathBuf;

/// Flags of `rotate`.
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Folder of the run.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Opening of the new weights (model and salt), as `probity commit --opening` wrote it.
    #[arg(long, value_name = "FILE", required_unless_present = "withdraw")]
    pub(crate) opening: Option<PathBuf>,
    /// First decision that they make: at least 12 after the next one. As soon as that allows if left out.
    #[arg(long, value_name = "DECISION")]
    pub(crate) at: Option<u32>,
    /// Take back a request that the agent has not taken up.
    #[arg(long, conflicts_with_all = ["opening", "at"])]
    pub(crate) withdraw: bool,
}
