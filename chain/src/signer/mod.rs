//! Who signs: a key in this process (from the environment or an encrypted file), or a signing service that keeps it.
//!
//! Whoever signs, what leaves is the transaction that was asked for: the answer of a service is checked byte for byte, and its
//! signature must be the account's. `Debug` and errors name the address, never a key or a password.

mod keystore;
mod service;

pub use keystore::{Cost, Keystore};

use crate::ChainError;
use ethers::signers::{LocalWallet, Signer as _};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes};
use service::Service;
use std::sync::Arc;

/// An account that can sign.
#[derive(Clone)]
pub struct Signer(Kind);

#[derive(Clone)]
enum Kind {
    /// The library overwrites the key in memory when the last copy is dropped.
    Local(LocalWallet),
    Service(Arc<Service>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({:?})", self.address())
    }
}

impl Signer {
    /// The account of a private key, 32 bytes hex.
    pub fn from_key(private_key: &str) -> Result<Self, ChainError> {
        let text = private_key.trim();
        let wallet = text.strip_prefix("0x").unwrap_or(text).parse();
        // The library's own error could quote what it was given.
        wallet.map(Self::local).map_err(|_| ChainError::value("operator key", "32 bytes hex", "something else (not shown)"))
    }

    /// A fresh account: the key from the operating system's randomness.
    #[must_use]
    pub fn random() -> Self {
        Self::local(LocalWallet::new(&mut rand_core::OsRng))
    }

    const fn local(wallet: LocalWallet) -> Self {
        Self(Kind::Local(wallet))
    }

    /// An account of a signing service over JSON-RPC (clef, or a node or signer with `eth_signTransaction`). The service must
    /// list the account.
    pub async fn service(url: &str, account: Address) -> Result<Self, ChainError> {
        Ok(Self(Kind::Service(Arc::new(Service::connect(url, account).await?))))
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        match &self.0 {
            Kind::Local(wallet) => wallet.address(),
            Kind::Service(service) => service.account(),
        }
    }

    /// Signs; the bytes are ready to be sent. The transaction must name its chain.
    pub(crate) async fn sign(&self, tx: &TypedTransaction) -> Result<Bytes, ChainError> {
        match &self.0 {
            Kind::Local(wallet) => {
                let signature = wallet.sign_transaction(tx).await;
                let refused = |_| ChainError::Signing { signer: "the key in this process".into(), reason: "it refused".into() };
                signature.map(|s| tx.rlp_signed(&s)).map_err(refused)
            }
            Kind::Service(service) => service.sign(tx).await,
        }
    }
}
