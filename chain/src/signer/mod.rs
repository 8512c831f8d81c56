//! Who signs: a key in this process (from the environment or an encrypted file), a signing service that keeps it, or a Ledger.
//!
//! Whoever signs, what leaves is the transaction that was asked for: the answer of a service or a device is checked byte for byte, and
//! its signature must be the account's. `Debug` and errors name the address, never a key or a password.

mod keystore;
#[cfg(feature = "ledger")]
mod ledger;
mod service;
mod signed;

pub use keystore::{Cost, Keystore};
#[cfg(feature = "ledger")]
pub use ledger::KeyPath;

use crate::ChainError;
use ethers::signers::{LocalWallet, Signer as _};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes};
use service::Service;
use std::sync::Arc;
use std::time::Duration;

/// How long whoever keeps a key is waited for: a person may have to approve.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// An account that can sign.
#[derive(Clone)]
pub struct Signer(Kind);

#[derive(Clone)]
enum Kind {
    /// The library overwrites the key in memory when the last copy is dropped.
    Local(LocalWallet),
    Service(Arc<Service>),
    #[cfg(feature = "ledger")]
    Ledger(Arc<ledger::Ledger>),
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

    /// An account of the first Ledger that is plugged in: unlocked, its Ethereum app open. Each answer is waited for as long as
    /// `patience` says; whoever holds the device confirms every transaction on it.
    #[cfg(feature = "ledger")]
    pub async fn ledger(path: &KeyPath, patience: Duration) -> Result<Self, ChainError> {
        Ok(Self(Kind::Ledger(Arc::new(ledger::Ledger::open(path, patience).await?))))
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        match &self.0 {
            Kind::Local(wallet) => wallet.address(),
            Kind::Service(service) => service.account(),
            #[cfg(feature = "ledger")]
            Kind::Ledger(ledger) => ledger.account(),
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
            #[cfg(feature = "ledger")]
            Kind::Ledger(ledger) => ledger.sign(tx).await,
        }
    }
}
