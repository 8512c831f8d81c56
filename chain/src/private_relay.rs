//! A private relay: takes signed transactions past the public pool of waiting ones, where they could be traded against.
//!
//! The relay sees transactions before anybody else and can hold them back; it cannot change them.

use crate::ChainError;
use crate::rpc::{Rpc, connect, host_of};
use ethers::providers::ProviderError;
use ethers::types::{Bytes, H256, U64};
use serde_json::json;

/// Blocks in which a transaction may still be included, after the latest; the relay forgets it then.
const BLOCKS: u64 = 25;

/// A relay that answers to `eth_sendPrivateTransaction`.
#[derive(Clone)]
pub struct PrivateRelay {
    rpc: Rpc,
    host: String,
    /// Whether what it refuses or does not answer to goes to the public node.
    pub(crate) falls_back: bool,
}

impl std::fmt::Debug for PrivateRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateRelay({}, falls back: {})", self.host, self.falls_back)
    }
}

impl PrivateRelay {
    /// The relay at a URL. With `falls_back`, a transaction that it refuses, or for which no answer comes, is sent through the
    /// public node: it is the same transaction, so it cannot be mined twice.
    pub fn at(url: &str, falls_back: bool) -> Result<Self, ChainError> {
        Ok(Self { rpc: connect(url)?, host: host_of(url), falls_back })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Hands a signed transaction over.
    pub(crate) async fn send(&self, raw: &Bytes, latest_block: u64) -> Result<H256, ProviderError> {
        let until = U64::from(latest_block.saturating_add(BLOCKS));
        self.rpc.request("eth_sendPrivateTransaction", json!([{ "tx": raw, "maxBlockNumber": until }])).await
    }
}
