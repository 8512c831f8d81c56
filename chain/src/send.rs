//! Signing and sending: explicit nonce and gas, raw transactions, receipts polled at a short interval.
//!
//! A sent transaction is unknown until its receipt: whatever goes wrong after it left, short of a clear refusal by the node,
//! ends in [`ChainError::Unknown`] with its hash. Keys are never shown: `Debug` prints the address.

use crate::ChainError;
use crate::private_relay::PrivateRelay;
use crate::rpc::{POLL, Rpc, connect, failure, host_of};
use crate::signer::Signer;
use ethers::providers::{Middleware, ProviderError, RpcError};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, BlockNumber, Bytes, Eip1559TransactionRequest, H256, TransactionReceipt};
use ethers::utils::keccak256;
use std::time::{Duration, Instant};

/// Tip for the block's builder, wei a gas.
const TIP: u64 = 1_000_000_000;

/// One account on one chain.
#[derive(Clone)]
pub struct Sender {
    rpc: Rpc,
    signer: Signer,
    chain_id: u64,
    relay: Option<PrivateRelay>,
    host: String,
    receipt_timeout: Duration,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({:?} on {})", self.address(), self.host)
    }
}

impl Sender {
    /// An account by its private key (32 bytes hex), on the chain with the expected id.
    pub async fn new(url: &str, private_key: &str, chain_id: u64, receipt_timeout_s: u64) -> Result<Self, ChainError> {
        Self::signed_by(url, Signer::from_key(private_key)?, chain_id, receipt_timeout_s).await
    }

    /// The account of a signer, on the chain with the expected id.
    pub async fn signed_by(url: &str, signer: Signer, chain_id: u64, receipt_timeout_s: u64) -> Result<Self, ChainError> {
        let rpc = connect(url)?;
        let host = host_of(url);
        let got = rpc.get_chainid().await.map_err(|e| failure("eth_chainId", &host, &e))?.as_u64();
        if got != chain_id {
            return Err(ChainError::ChainId { expected: chain_id, got, rpc: host });
        }
        Ok(Self { rpc, signer, chain_id, relay: None, host, receipt_timeout: Duration::from_secs(receipt_timeout_s) })
    }

    /// The same account, whose transactions go through a private relay.
    #[must_use]
    pub fn through(mut self, relay: PrivateRelay) -> Self {
        self.relay = Some(relay);
        self
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The provider behind it.
    #[must_use]
    pub const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn fail(&self, call: &'static str, reason: impl ToString) -> ChainError {
        ChainError::Rpc { call, rpc: self.host.clone(), reason: reason.to_string() }
    }

    /// Sends a call (or a creation, with `to` none) and waits for its receipt.
    pub(crate) async fn send(&self, call: &'static str, to: Option<Address>, data: Bytes) -> Result<TransactionReceipt, ChainError> {
        let started = Instant::now();
        loop {
            let (hash, raw) = self.sign(call, to, data.clone()).await?;
            let sent = Instant::now();
            let answer = tokio::time::timeout(self.receipt_timeout, self.hand_over(&raw)).await;
            let error = match answer {
                Ok(Err(error)) => error,
                Ok(Ok(_)) => {
                    tracing::debug!(?hash, call, "sent");
                    return self.receipt(call, hash, sent).await;
                }
                Err(_) => return self.receipt(call, hash, sent).await,
            };
            let Some(answer) = error.as_error_response().map(|r| r.message.to_lowercase()) else {
                // Without an answer it may have got through: only the chain can tell.
                tracing::warn!(?hash, call, rpc = self.host, "no answer to a sent transaction; looking for its receipt");
                return self.receipt(call, hash, sent).await;
            };
            if answer.contains("already known") || answer.contains("already imported") {
                return self.receipt(call, hash, sent).await;
            }
            if answer.contains("underpriced") {
                return Err(ChainError::Waiting { account: self.address() });
            }
            // The nonce was used meanwhile: by this very transaction, or the node's count lagged behind its blocks.
            if answer.contains("nonce too low") && started.elapsed() < self.receipt_timeout {
                tokio::time::sleep(POLL).await;
                let known = self.rpc().get_transaction_receipt(hash).await.map_err(|e| self.fail("eth_getTransactionReceipt", e))?;
                if known.is_some() {
                    return self.receipt(call, hash, sent).await;
                }
                continue;
            }
            return Err(failure(call, self.relay.as_ref().map_or(&self.host, |relay| relay.host()), &error));
        }
    }

    /// Hands a signed transaction to the relay, or to the node.
    async fn hand_over(&self, raw: &Bytes) -> Result<(), ProviderError> {
        if let Some(relay) = &self.relay {
            let latest = self.rpc.get_block_number().await?.as_u64();
            match relay.send(raw, latest).await {
                Ok(_) => return Ok(()),
                Err(error) if !relay.falls_back => return Err(error),
                Err(error) => tracing::warn!(relay = relay.host(), %error, "the private relay did not take it: it goes to the public node"),
            }
        }
        self.rpc.send_raw_transaction(raw.clone()).await.map(drop)
    }

    /// Builds and signs; returns the transaction's hash and bytes. Nothing has left yet.
    async fn sign(&self, call: &'static str, to: Option<Address>, data: Bytes) -> Result<(H256, Bytes), ChainError> {
        let rpc = self.rpc();
        let mut tx = Eip1559TransactionRequest::new().from(self.address()).data(data);
        tx.to = to.map(Into::into);
        let count = async |block: BlockNumber| {
            let count = rpc.get_transaction_count(self.address(), Some(block.into())).await;
            count.map_err(|e| self.fail("eth_getTransactionCount", e))
        };
        let nonce = count(BlockNumber::Latest).await?;
        if count(BlockNumber::Pending).await? > nonce {
            return Err(ChainError::Waiting { account: self.address() });
        }
        // In the block to come: some nodes would estimate in the latest block, which is the anchor of a decision and must be past.
        let gas =
            rpc.estimate_gas(&tx.clone().into(), Some(BlockNumber::Pending.into())).await.map_err(|e| failure(call, &self.host, &e))?;
        let block = rpc.get_block(BlockNumber::Latest).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        let base_fee = block.and_then(|b| b.base_fee_per_gas);
        let base_fee = base_fee.ok_or_else(|| ChainError::value("latest block", "a base fee (EIP-1559)", "none"))?;
        // The 63/64 rule hides what a caught inner call needs from the estimate: leave room.
        let gas = gas + gas / 4 + 30_000;
        let fee = base_fee * 2 + TIP;
        let have = rpc.get_balance(self.address(), None).await.map_err(|e| self.fail("eth_getBalance", e))?;
        if have < gas * fee {
            return Err(ChainError::Funds { call, account: self.address(), need_wei: gas * fee, have_wei: have });
        }
        tx = tx.nonce(nonce).gas(gas).max_priority_fee_per_gas(TIP).max_fee_per_gas(fee);
        let typed: TypedTransaction = tx.chain_id(self.chain_id).into();
        let raw = self.signer.sign(&typed).await?;
        Ok((H256(keccak256(&raw)), raw))
    }

    /// Waits for a receipt. Failures of the node in between do not end the wait.
    async fn receipt(&self, call: &'static str, hash: H256, sent: Instant) -> Result<TransactionReceipt, ChainError> {
        let mut last = "the node has none yet".to_owned();
        loop {
            let left = self.receipt_timeout.saturating_sub(sent.elapsed());
            match tokio::time::timeout(left, self.rpc().get_transaction_receipt(hash)).await {
                Ok(Ok(Some(receipt))) if receipt.status == Some(1u64.into()) => return Ok(receipt),
                Ok(Ok(Some(receipt))) => {
                    let block = receipt.block_number.unwrap_or_default();
                    return Err(ChainError::Revert { call, reason: format!("transaction {hash:?} failed in block {block}") });
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => {
                    let (tx_hash, waited_s) = (format!("{hash:?}"), self.receipt_timeout.as_secs());
                    return Err(ChainError::Unknown { tx_hash, waited_s, rpc: self.host.clone(), last });
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
