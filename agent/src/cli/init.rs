//! Flags of `init`.

use crate::cli::Engine;
use clap::{Args, ValueEnum, value_parser};
use std::path::PathBuf;

/// Flags of `init`. What is left out is asked for on a terminal.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Settings file to write, readable by its owner only.
    #[arg(long, value_name = "FILE", default_value = "probity.toml")]
    pub(crate) out: PathBuf,
    /// Replace the settings file if it is there. A key file is never replaced.
    #[arg(long)]
    pub(crate) force: bool,
    /// Folder that the run will have; only looked at.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Node of the real chain (setting chain.rpc_url). Others can read flags: a URL that holds a key is better given in PROBITY__CHAIN__RPC_URL,
    /// and is not written then.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Chain id that the node must have (setting chain.chain_id).
    #[arg(long, value_name = "ID", value_parser = value_parser!(u64).range(1..))]
    pub(crate) chain_id: Option<u64>,
    /// Uniswap v3 pool (setting chain.pool).
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) pool: Option<String>,
    /// The pool's token that values are counted in (setting chain.quote_token).
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) quote_token: Option<String>,
    /// Largest trade, whole units of the quote token (setting mandate.max_trade_quote_units).
    #[arg(long, value_name = "UNITS", value_parser = value_parser!(u64).range(1..))]
    pub(crate) max_trade: Option<u64>,
    /// First deposit, whole units of the quote token (setting agent.seed_quote_units).
    #[arg(long, value_name = "UNITS", value_parser = value_parser!(u64).range(1..))]
    pub(crate) first_deposit: Option<u64>,
    /// Time between two decisions (setting mandate.interval_s); 300 without a terminal.
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..=604_800))]
    pub(crate) interval: Option<u32>,
    /// Most that a trade may lose to fee and price, hundredths of a percent (setting mandate.max_slippage_bps); 100 without a terminal.
    #[arg(long, value_name = "BPS", value_parser = value_parser!(u16).range(0..=10_000))]
    pub(crate) max_slippage: Option<u16>,
    /// Proof engine (setting mandate.proof_engine); transparent without a terminal.
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,
    /// Powers-of-tau file, for the pairing engine (setting proof.ptau_file).
    #[arg(long, value_name = "FILE")]
    pub(crate) ptau_file: Option<PathBuf>,
    /// The operator's key.
    #[arg(long, value_enum)]
    pub(crate) key: Option<KeyChoice>,
    /// Encrypted key file, written or used (setting keys.keystore); operator.keystore.json without a terminal.
    #[arg(long, value_name = "FILE")]
    pub(crate) keystore: Option<PathBuf>,
    /// For `--key import`: file with the private key (32 bytes hex), readable by its owner only; standard input or a prompt if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// File with the key file's password, readable by its owner only (setting keys.password_file); PROBITY_KEYSTORE_PASSWORD or a prompt if
    /// left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `--key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyChoice {
    /// Make one and write it encrypted.
    New,
    /// Encrypt one that exists.
    Import,
    /// An encrypted key file that is there.
    File,
    /// Name none: it will be in PROBITY_OPERATOR_KEY, with a signing service (settings keys.signer_url,
    /// keys.signer_address) or on a Ledger (keys.ledger_path).
    None,
}

/// An address as the settings have it: lowercase.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("0x").filter(|h| h.len() == 40 && h.bytes().all(|b| b.is_ascii_hexdigit()));
    hex.map(|h| format!("0x{}", h.to_ascii_lowercase())).ok_or_else(|| "expected 0x and 40 hex digits".to_owned())
}
