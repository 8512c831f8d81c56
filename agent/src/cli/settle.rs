//! Flags of `settle`, `vault status` and `settlement verify-code`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Flags of `settle`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// Folder of the run, whose agent must not be running.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Node; the run's development chains or setting chain.rpc_url if left out.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}

/// Commands on vaults.
#[derive(Debug, Subcommand)]
pub(crate) enum VaultAction {
    /// Where a vault stands: promise, terms, what is proven and what is not, accounts, and whether its verifier is this program's.
    Status(StatusArgs),
}

/// Flags of `vault status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Folder of the run; its promise is compared with the vault's and its parameters with the verifier's.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Vault.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "dir")]
    pub(crate) vault: Option<String>,
    /// Node; the run's development chains or setting chain.rpc_url if left out.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}

/// Commands on settlements.
#[derive(Debug, Subcommand)]
pub(crate) enum SettlementAction {
    /// Rebuilds the verifier's runtime code from this program's source, the model shape and the parameters, and compares it with what is
    /// deployed; exit code 1 if they differ.
    VerifyCode(VerifyCodeArgs),
}

/// Flags of `settlement verify-code`.
#[derive(Debug, Args)]
pub(crate) struct VerifyCodeArgs {
    /// Mandate file; its model shape is that of the circuit.
    #[arg(long, value_name = "FILE", required_unless_present = "dir", conflicts_with = "dir")]
    pub(crate) mandate: Option<PathBuf>,
    /// Folder of a run, in place of a mandate.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Verifier; the vault's own if left out.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) verifier: Option<String>,
    /// Node; the run's development chains or setting chain.rpc_url if left out.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}
