//! Flags of `attest`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands on registries of agents (ERC-8004).
#[derive(Debug, Subcommand)]
pub(crate) enum AttestAction {
    /// On a run's development chains: deploy registries of agents and of validations, this project's own.
    Registries(RegistriesArgs),
    /// Register an agent; prints its number.
    Register(RegisterArgs),
    /// Ask a validator to validate a run; prints the hash that its answer will name. For the agent's owner.
    Request(RequestArgs),
    /// Audit log and proof, write the document of what they show, and answer a request with its digest. Nothing is sent unless the audit accepts.
    Respond(RespondArgs),
    /// Hold an answer and its document against an audit of one's own; the score counts for nothing. Exit code 1 names each mismatch.
    Check(CheckArgs),
}

/// Flags of `attest registries`.
#[derive(Debug, Args)]
pub(crate) struct RegistriesArgs {
    /// Folder of a run whose development chains are up.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// The registry, and who acts on it.
#[derive(Debug, Args)]
pub(crate) struct RegistryArgs {
    /// The registry of validations; it names that of the agents itself.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) registry: String,
    /// Node of the registry; the run's development chains or setting chain.rpc_url if left out.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Folder of a run: its log and proof, and on development chains its operator's key. Its agent must not be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// A log and its proof.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// The decision log; the run's if left out.
    #[arg(long, value_name = "FILE", required_unless_present = "dir")]
    pub(crate) log: Option<PathBuf>,
    /// The compressed proof, from genesis on; the run's if left out.
    #[arg(long, value_name = "FILE", required_unless_present = "dir")]
    pub(crate) proof: Option<PathBuf>,
}

/// Flags of `attest register`.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    pub(crate) at: RegistryArgs,
    /// Where the agent's registration file is.
    #[arg(long, value_name = "URI", default_value = "")]
    pub(crate) uri: String,
}

/// Flags of `attest request`.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub(crate) at: RegistryArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    /// The agent's number in the registry of agents.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) agent_id: u64,
    /// Who is to answer.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) validator: String,
    /// Where the request will be found.
    #[arg(long, value_name = "URI", default_value = "")]
    pub(crate) uri: String,
    /// Where the request is written, request-HASH.json beside the log if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What is asked of the vault's chain.
#[derive(Debug, Args)]
pub(crate) struct VaultArgs {
    /// Node of the vault's chain, if it is not the registry's.
    #[arg(long, value_name = "URL")]
    pub(crate) vault_rpc: Option<String>,
    /// Accept an agent whose owner and wallet are both not the vault's operator.
    #[arg(long)]
    pub(crate) other_operator: bool,
}

/// Flags of `attest respond`.
#[derive(Debug, Args)]
pub(crate) struct RespondArgs {
    #[command(flatten)]
    pub(crate) at: RegistryArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
    /// The request's hash.
    #[arg(long, value_name = "HASH")]
    pub(crate) request: String,
    /// The agent that it is about.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) agent_id: u64,
    /// Where the document will be found.
    #[arg(long, value_name = "URI", default_value = "")]
    pub(crate) uri: String,
    /// Where the proof is, if it was not posted to the vault.
    #[arg(long, value_name = "URI")]
    pub(crate) proof_uri: Option<String>,
    /// Where the document is written, attestation-HASH.json beside the log if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Flags of `attest check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The registry of validations.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) registry: String,
    /// Node of the registry; setting chain.rpc_url if left out.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
    /// The request's hash.
    #[arg(long, value_name = "HASH")]
    pub(crate) request: String,
    /// The document that the answer commits to.
    #[arg(long, value_name = "FILE")]
    pub(crate) document: PathBuf,
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The compressed proof.
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: PathBuf,
    /// Who should have answered.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) validator: Option<String>,
    /// First block in which answers are looked for.
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    pub(crate) from_block: u64,
}
