//! Flags of `doctor` and `deploy`.

use clap::Args;
use std::path::PathBuf;

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Folder of the run; what is deployed and written there is looked at too.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Node of the real chain (setting chain.rpc_url).
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}

/// Flags of `deploy`.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Folder of the run; `probity run --dir` goes on in it.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Node of the real chain (setting chain.rpc_url).
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}
