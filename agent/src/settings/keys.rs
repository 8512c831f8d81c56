//! Settings of the operator's account: where its key is, never the key.

use crate::settings::Url;
use serde::{Deserialize, Serialize};

/// Who signs on a real chain.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysSettings {
    /// Encrypted key file; empty: none.
    pub(crate) keystore: String,
    /// File with its password, readable by its owner only; empty: the environment or a prompt.
    pub(crate) password_file: String,
    /// Signing service over JSON-RPC; empty: none. What follows the host may be a secret and is never shown.
    pub(crate) signer_url: Url,
    /// The service's account to sign with.
    pub(crate) signer_address: String,
    /// BIP-32 path of a Ledger's key; empty: none.
    pub(crate) ledger_path: String,
}
