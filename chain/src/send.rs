//! Signing and sending: explicit nonce and gas, raw transactions, receipts polled at a short interval.
//!
//! A sent transaction is unknown until its receipt: whatever goes wrong after it left, short of a clear refusal by the node,
//! ends in [`ChainError::Unknown`] with its hash. One that is stuck is replaced by itself: same nonce, same call, higher fee,
//! so that at most one of them is ever mined. Keys are never shown: `Debug` prints the address.

use crate::ChainError;
use crate::attempt::{Attempt, Fees, Notes};
use crate::private_relay::PrivateRelay;
use crate::rpc::{POLL, Rpc, connect, failure, host_of};
use crate::signer::Signer;
use ethers::providers::{Middleware, ProviderError, RpcError};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, BlockNumber, Bytes, Eip1559TransactionRequest, H256, TransactionReceipt, U256};
use ethers::utils::keccak256;
use std::time::{Duration, Instant};

/// Tip for the block's builder where nothing else is asked for, wei a gas.
const TIP: u128 = 1_000_000_000;
/// A replacement offers this much more, percent; nodes ask for at least 10.
const BUMP_PERCENT: u128 = 25;
/// Looks for the receipt of a transaction whose nonce is used, before the nonce counts as another's.
const LOOKS: u32 = 25;

/// One account on one chain.
#[derive(Clone)]
pub struct Sender {
    rpc: Rpc,
    signer: Signer,
    chain_id: u64,
    relay: Option<PrivateRelay>,
    host: String,
    receipt_timeout: Duration,
    fees: Fees,
}

/// What is sent, with every transaction signed for it so far: all of the same nonce, so that one of them at most is mined.
struct Call {
    name: &'static str,
    to: Option<Address>,
    data: Bytes,
    attempts: Vec<Attempt>,
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
        let receipt_timeout = Duration::from_secs(receipt_timeout_s);
        Ok(Self { rpc, signer, chain_id, relay: None, host, receipt_timeout, fees: Fees::default() })
    }

    /// The same account, whose transactions go through a private relay.
    #[must_use]
    pub fn through(mut self, relay: PrivateRelay) -> Self {
        self.relay = Some(relay);
        self
    }

    /// The same account with a bound on what it pays, replacing what is stuck.
    #[must_use]
    pub fn with_fees(mut self, fees: Fees) -> Self {
        self.fees = fees;
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
    pub(crate) async fn send(&self, name: &'static str, to: Option<Address>, data: Bytes) -> Result<TransactionReceipt, ChainError> {
        self.carry(name, to, data, Vec::new(), &mut ()).await
    }

    /// The same, telling of every stage. `earlier` are the transactions that an earlier start signed for this very call: if one
    /// of them is mined, its receipt is the answer; if one may still be, it is sent again and never overtaken.
    pub(crate) async fn carry(
        &self,
        name: &'static str,
        to: Option<Address>,
        data: Bytes,
        earlier: Vec<Attempt>,
        notes: &mut dyn Notes,
    ) -> Result<TransactionReceipt, ChainError> {
        let mut call = Call { name, to, data, attempts: earlier };
        if !call.attempts.is_empty() {
            if let Some(receipt) = self.look(&call).await?.filter(succeeded) {
                return self.done(&call, receipt, notes);
            }
            let used = self.count(BlockNumber::Latest).await?;
            call.attempts.retain(|a| a.nonce >= used);
        }
        let mut plan = match call.attempts.last() {
            Some(last) => last.clone(),
            None => self.plan(&call).await?,
        };
        let (started, mut out, mut replace) = (Instant::now(), false, self.fees.replace_after.is_some());
        loop {
            let (attempt, raw) = self.sign(&call, &plan).await?;
            if call.attempts.iter().all(|a| a.tx_hash != attempt.tx_hash) {
                notes.signed(&attempt)?;
                call.attempts.push(attempt.clone());
            }
            match self.hand_over(&call, raw, out).await? {
                Handed::Over => notes.sent()?,
                // By this very call, or the node's count lagged behind its blocks.
                Handed::NonceUsed => match self.mined_meanwhile(&call).await? {
                    Some(receipt) => return self.done(&call, receipt, notes),
                    None if !out && started.elapsed() < self.receipt_timeout => {
                        call.attempts.clear();
                        plan = self.plan(&call).await?;
                        continue;
                    }
                    None => return Err(ChainError::NonceTaken { account: self.address(), nonce: attempt.nonce }),
                },
            }
            out = true;
            let sent = Instant::now();
            plan = loop {
                if let Some(receipt) = self.wait(&call, &attempt, started, sent, replace).await? {
                    return self.done(&call, receipt, notes);
                }
                match self.bumped(&attempt).await? {
                    Some(higher) => break higher,
                    None => replace = false,
                }
            };
            tracing::warn!(
                call = name,
                nonce = plan.nonce,
                max_fee_wei = plan.max_fee_wei,
                "stuck: it is replaced by itself at a higher fee"
            );
        }
    }

    fn done(&self, call: &Call, receipt: TransactionReceipt, notes: &mut dyn Notes) -> Result<TransactionReceipt, ChainError> {
        notes.mined()?;
        if succeeded(&receipt) {
            return Ok(receipt);
        }
        let (hash, block) = (receipt.transaction_hash, receipt.block_number.unwrap_or_default());
        Err(ChainError::Revert { call: call.name, reason: format!("transaction {hash:?} failed in block {block}") })
    }

    async fn count(&self, block: BlockNumber) -> Result<u64, ChainError> {
        let count = self.rpc().get_transaction_count(self.address(), Some(block.into())).await;
        Ok(count.map_err(|e| self.fail("eth_getTransactionCount", e))?.as_u64())
    }

    /// Wei a gas that the next block asks for.
    pub async fn base_fee_wei(&self) -> Result<u128, ChainError> {
        let block = self.rpc().get_block(BlockNumber::Latest).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        let fee =
            block.and_then(|b| b.base_fee_per_gas).ok_or_else(|| ChainError::value("latest block", "a base fee (EIP-1559)", "none"))?;
        u128::try_from(fee).map_err(|_| ChainError::value("base fee", "128 bits", fee))
    }

    fn tip_wei(&self) -> u128 {
        self.fees.tip_wei.unwrap_or(TIP)
    }

    /// What may be offered now, within the cap.
    pub async fn offer_wei(&self) -> Result<u128, ChainError> {
        let base = self.base_fee_wei().await?;
        let tip = self.tip_wei();
        let (least, wanted) = (base.saturating_add(tip), base.saturating_mul(2).saturating_add(tip));
        match self.fees.cap_wei {
            Some(cap) if cap < least => Err(ChainError::GasPrice { need_wei: least, cap_wei: cap }),
            Some(cap) => Ok(wanted.min(cap)),
            None => Ok(wanted),
        }
    }

    /// Nonce, gas and fee of a call for which nothing is signed.
    async fn plan(&self, call: &Call) -> Result<Attempt, ChainError> {
        let nonce = self.count(BlockNumber::Latest).await?;
        if self.count(BlockNumber::Pending).await? > nonce {
            return Err(ChainError::Waiting { account: self.address() });
        }
        let max_fee_wei = self.offer_wei().await?;
        let mut tx = Eip1559TransactionRequest::new().from(self.address()).data(call.data.clone());
        tx.to = call.to.map(Into::into);
        // In the block to come: some nodes would estimate in the latest block, which is the anchor of a decision and must be past.
        let gas = self.rpc().estimate_gas(&tx.into(), Some(BlockNumber::Pending.into())).await;
        let gas = gas.map_err(|e| failure(call.name, &self.host, &e))?;
        // The 63/64 rule hides what a caught inner call needs from the estimate: leave room.
        let gas = gas + gas / 4 + 30_000;
        let have = self.rpc().get_balance(self.address(), None).await.map_err(|e| self.fail("eth_getBalance", e))?;
        let need = gas.saturating_mul(U256::from(max_fee_wei));
        if have < need {
            return Err(ChainError::Funds { call: call.name, account: self.address(), need_wei: need, have_wei: have });
        }
        let gas = u64::try_from(gas).map_err(|_| ChainError::value("estimated gas", "64 bits", gas))?;
        Ok(Attempt { tx_hash: [0; 32], nonce, gas, max_fee_wei, tip_wei: self.tip_wei() })
    }

    /// The same at a higher fee; none if that is over the cap.
    async fn bumped(&self, last: &Attempt) -> Result<Option<Attempt>, ChainError> {
        let more = |wei: u128| wei.saturating_add(wei / 100 * BUMP_PERCENT).saturating_add(1);
        let wanted = self.base_fee_wei().await?.saturating_mul(2).saturating_add(self.tip_wei());
        let higher = Attempt { max_fee_wei: more(last.max_fee_wei).max(wanted), tip_wei: more(last.tip_wei), ..last.clone() };
        Ok(self.fees.cap_wei.is_none_or(|cap| higher.max_fee_wei <= cap).then_some(higher))
    }

    /// Signs; nothing has left yet.
    async fn sign(&self, call: &Call, plan: &Attempt) -> Result<(Attempt, Bytes), ChainError> {
        let mut tx = Eip1559TransactionRequest::new().from(self.address()).data(call.data.clone());
        tx.to = call.to.map(Into::into);
        tx = tx
            .nonce(plan.nonce)
            .gas(plan.gas)
            .max_priority_fee_per_gas(plan.tip_wei.min(plan.max_fee_wei))
            .max_fee_per_gas(plan.max_fee_wei);
        let typed: TypedTransaction = tx.chain_id(self.chain_id).into();
        let raw = self.signer.sign(&typed).await?;
        Ok((Attempt { tx_hash: keccak256(&raw), ..plan.clone() }, raw))
    }

    /// Hands a transaction to the node. `out`: another one of the same call may be mined, whatever the node says to this one.
    async fn hand_over(&self, call: &Call, raw: Bytes, out: bool) -> Result<Handed, ChainError> {
        let answer = tokio::time::timeout(self.receipt_timeout, self.pass_on(&raw)).await;
        let Ok(Err(error)) = answer else { return Ok(Handed::Over) };
        let Some(answer) = error.as_error_response().map(|r| r.message.to_lowercase()) else {
            // Without an answer it may have got through: only the chain can tell.
            tracing::warn!(call = call.name, rpc = self.host, "no answer to a sent transaction; looking for its receipt");
            return Ok(Handed::Over);
        };
        if answer.contains("nonce too low") {
            return Ok(Handed::NonceUsed);
        }
        if out || answer.contains("already known") || answer.contains("already imported") {
            return Ok(Handed::Over);
        }
        if answer.contains("underpriced") {
            return Err(ChainError::Waiting { account: self.address() });
        }
        Err(failure(call.name, self.relay.as_ref().map_or(&self.host, |relay| relay.host()), &error))
    }

    /// Gives the bytes to the relay, or to the node.
    async fn pass_on(&self, raw: &Bytes) -> Result<(), ProviderError> {
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

    /// The receipt of one of a call's transactions, if there is one.
    async fn look(&self, call: &Call) -> Result<Option<TransactionReceipt>, ChainError> {
        for attempt in call.attempts.iter().rev() {
            let found = self.rpc().get_transaction_receipt(H256(attempt.tx_hash)).await;
            if let Some(receipt) = found.map_err(|e| self.fail("eth_getTransactionReceipt", e))? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// Looks again and again, because a node may know that a nonce is used before it has the receipt.
    async fn mined_meanwhile(&self, call: &Call) -> Result<Option<TransactionReceipt>, ChainError> {
        for _ in 0..LOOKS {
            if let Some(receipt) = self.look(call).await? {
                return Ok(Some(receipt));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(None)
    }

    /// Waits for a receipt; none if the transaction is to be replaced. Failures of the node in between do not end the wait.
    async fn wait(
        &self,
        call: &Call,
        attempt: &Attempt,
        started: Instant,
        sent: Instant,
        replace: bool,
    ) -> Result<Option<TransactionReceipt>, ChainError> {
        let mut last = "the node has none yet".to_owned();
        let mut looks = 0u32;
        loop {
            let left = self.receipt_timeout.saturating_sub(started.elapsed());
            match tokio::time::timeout(left, self.look(call)).await {
                Ok(Ok(Some(receipt))) => return Ok(Some(receipt)),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => {
                    let (tx_hash, waited_s) = (format!("{:?}", H256(attempt.tx_hash)), self.receipt_timeout.as_secs());
                    return Err(ChainError::Unknown { tx_hash, waited_s, rpc: self.host.clone(), last });
                }
            }
            if replace && self.fees.replace_after.is_some_and(|after| sent.elapsed() >= after) {
                return Ok(None);
            }
            looks = looks.wrapping_add(1);
            // Somebody else with the same key, perhaps.
            if looks.is_multiple_of(LOOKS)
                && let Ok(used) = self.count(BlockNumber::Latest).await
                && used > attempt.nonce
            {
                return match self.mined_meanwhile(call).await? {
                    Some(receipt) => Ok(Some(receipt)),
                    None => Err(ChainError::NonceTaken { account: self.address(), nonce: attempt.nonce }),
                };
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// What a node said to a transaction.
enum Handed {
    /// It has it, or may have it.
    Over,
    /// The nonce is used.
    NonceUsed,
}

fn succeeded(receipt: &TransactionReceipt) -> bool {
    receipt.status == Some(1u64.into())
}
