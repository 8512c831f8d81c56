//! Signing and sending: explicit nonce and gas, raw transactions, receipts polled at a short interval.
//!
//! A sent transaction is unknown until its receipt. Keys are never shown: `Debug` prints the address.

use crate::ChainError;
use ethers::middleware::{MiddlewareBuilder, SignerMiddleware};
use ethers::providers::{Http, Middleware, Provider};
use ethers::signers::{LocalWallet, Signer};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes, TransactionReceipt, U256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The provider that calls go through.
pub type Rpc = Provider<Http>;

/// Time between two looks for a receipt.
const POLL: Duration = Duration::from_millis(20);

/// One account on one chain.
#[derive(Clone)]
pub struct Sender {
    client: Arc<SignerMiddleware<Rpc, LocalWallet>>,
    host: String,
    receipt_timeout: Duration,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({:?} on {})", self.address(), self.host)
    }
}

/// Scheme and host of a URL; what follows may be a secret.
#[must_use]
pub fn host_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or("");
    format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or(""))
}

/// A provider for a URL.
pub fn connect(url: &str) -> Result<Rpc, ChainError> {
    let rpc =
        Provider::<Http>::try_from(url).map_err(|_| ChainError::value("rpc url", "http://host:port or https://host/path", host_of(url)))?;
    Ok(rpc.interval(POLL))
}

impl Sender {
    /// An account by its private key (32 bytes hex), on the chain with the expected id.
    pub async fn new(url: &str, private_key: &str, chain_id: u64, receipt_timeout_s: u64) -> Result<Self, ChainError> {
        let rpc = connect(url)?;
        let host = host_of(url);
        let fail = |reason: String| ChainError::Rpc { call: "eth_chainId", rpc: host.clone(), reason };
        let ask = tokio::time::timeout(Duration::from_secs(15), rpc.get_chainid()).await;
        let got = ask.map_err(|_| fail("no answer in 15 s".into()))?.map_err(|e| fail(e.to_string()))?.as_u64();
        if got != chain_id {
            return Err(ChainError::ChainId { expected: chain_id, got, rpc: host });
        }
        let wallet: LocalWallet = private_key
            .trim_start_matches("0x")
            .parse()
            .map_err(|_| ChainError::value("operator key", "32 bytes hex", "something else (not shown)"))?;
        let client = Arc::new(rpc.with_signer(wallet.with_chain_id(chain_id)));
        Ok(Self { client, host, receipt_timeout: Duration::from_secs(receipt_timeout_s) })
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.client.signer().address()
    }

    /// The provider behind it.
    #[must_use]
    pub fn rpc(&self) -> &Rpc {
        self.client.inner()
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn fail(&self, call: &'static str, reason: impl ToString) -> ChainError {
        ChainError::Rpc { call, rpc: self.host.clone(), reason: reason.to_string() }
    }

    /// Sends a call (or a creation, with `to` none) and waits for its receipt.
    pub(crate) async fn send(&self, call: &'static str, to: Option<Address>, data: Bytes) -> Result<TransactionReceipt, ChainError> {
        let rpc = self.rpc();
        let mut tx = ethers::types::Eip1559TransactionRequest::new().from(self.address()).data(data);
        tx.to = to.map(Into::into);
        let mut typed: TypedTransaction = tx.clone().into();
        let gas = rpc.estimate_gas(&typed, None).await.map_err(|e| refusal(call, &self.host, &e))?;
        let nonce = rpc.get_transaction_count(self.address(), None).await.map_err(|e| self.fail("eth_getTransactionCount", e))?;
        let block = rpc.get_block(ethers::types::BlockNumber::Latest).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        let base_fee = block.and_then(|b| b.base_fee_per_gas).unwrap_or_default();
        let tip = U256::from(1_000_000_000u64);
        // The 63/64 rule hides what a caught inner call needs from the estimate: leave room.
        tx = tx.nonce(nonce).gas(gas + gas / 4 + 30_000).max_priority_fee_per_gas(tip).max_fee_per_gas(base_fee * 2 + tip);
        typed = tx.chain_id(self.client.signer().chain_id()).into();
        let signature = self.client.signer().sign_transaction(&typed).await.map_err(|_| self.fail("signing", "the key refused"))?;
        let pending = rpc.send_raw_transaction(typed.rlp_signed(&signature)).await.map_err(|e| refusal(call, &self.host, &e))?;
        let hash = pending.tx_hash();
        tracing::debug!(?hash, call, "sent");
        let started = Instant::now();
        loop {
            if let Some(receipt) = rpc.get_transaction_receipt(hash).await.map_err(|e| self.fail("eth_getTransactionReceipt", e))? {
                if receipt.status != Some(1u64.into()) {
                    return Err(ChainError::Revert {
                        call,
                        reason: format!("transaction {hash:?} failed in block {:?}", receipt.block_number),
                    });
                }
                return Ok(receipt);
            }
            if started.elapsed() > self.receipt_timeout {
                return Err(ChainError::Unknown { tx_hash: format!("{hash:?}"), waited_s: self.receipt_timeout.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A refusal by the contract with its decoded error, or a failure of the RPC.
fn refusal(call: &'static str, host: &str, error: &ethers::providers::ProviderError) -> ChainError {
    match crate::revert::decode(error) {
        Some(reason) => ChainError::Revert { call, reason },
        None => ChainError::Rpc { call, rpc: host.to_owned(), reason: error.to_string() },
    }
}
