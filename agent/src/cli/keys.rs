//! Flags of `keys`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands on the operator's key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a key and write it encrypted; prints its address.
    New(NewKeyArgs),
    /// Encrypt a key that exists: from a private file, from standard input, or typed unseen.
    Import(ImportKeyArgs),
    /// The account that the settings name, or that a key file holds. Unlocks it, so that what is shown is true.
    Show(ShowKeyArgs),
}

/// Flags of `keys new`.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// Where the encrypted key goes: a new file.
    #[arg(long, value_name = "FILE", default_value = "operator.keystore.json")]
    pub(crate) out: PathBuf,
    /// File with the password, readable by its owner only (mode 0600); PROBITY_KEYSTORE_PASSWORD or a prompt if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Flags of `keys import`.
#[derive(Debug, Args)]
pub(crate) struct ImportKeyArgs {
    /// Where the encrypted key goes and how its password is had.
    #[command(flatten)]
    pub(crate) new: NewKeyArgs,
    /// File with the private key (32 bytes hex), readable by its owner only; standard input or a prompt if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Flags of `keys show`.
#[derive(Debug, Args)]
pub(crate) struct ShowKeyArgs {
    /// Key file; the account of the settings if left out.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// File with its password (setting keys.password_file).
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}
