//! The vault's client: deploy, seed, register, observe, decide, post, and read back what the chain recorded.

use crate::ChainError;
use crate::contracts::{Decision, Erc20, Observation, ProbityVault, Registration};
use crate::send::{Rpc, Sender};
use ethers::abi::{AbiEncode, Tokenizable};
use ethers::providers::Middleware;
use ethers::types::{Address, BlockNumber, Bytes, U256};
use ethers::utils::keccak256;
use std::sync::Arc;

/// What the mandate says to the vault, in raw units and seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Digest of the mandate.
    pub mandate_digest: [u8; 32],
    /// Commitment to the model.
    pub commitment: [u8; 32],
    /// Log head before the first decision.
    pub genesis_head: [u8; 32],
    /// Unix time decisions are counted from, s.
    pub genesis_time_s: u64,
    /// Seconds between decisions.
    pub interval_s: u32,
    /// Largest trade, raw quote.
    pub max_trade_quote: u128,
    /// Worst fill, bps.
    pub max_slippage_bps: u16,
}

/// An observation as the vault computes it (S1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Step, from 0.
    pub step: u32,
    /// Unix time, s.
    pub time_s: u64,
    /// Anchor block.
    pub block_number: u64,
    /// Its hash.
    pub block_hash: [u8; 32],
    /// Mean tick, floor.
    pub mean_tick: i32,
    /// Price at it, × 2^64.
    pub price_x64: u128,
    /// Raw quote.
    pub quote: u128,
    /// Raw base.
    pub base: u128,
    /// Shares.
    pub shares: u128,
    /// Fill of the order before, raw.
    pub fill: Option<u128>,
}

/// What the operator decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The order: buys base?, exact amount in, least amount out; none for a hold.
    pub order: Option<(bool, u128, u128)>,
    /// Head the decision was made on.
    pub head_before: [u8; 32],
    /// Head after it.
    pub head_after: [u8; 32],
}

/// What became of a decision's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Transaction hash.
    pub tx_hash: [u8; 32],
    /// Block.
    pub block_number: u64,
    /// Gas used.
    pub gas_used: u64,
    /// Whether the order was filled.
    pub executed: bool,
    /// Raw amount received.
    pub amount_out: u128,
}

/// A decision as the chain recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The observation the vault computed.
    pub observed: Observed,
    /// The operator's move.
    pub decided: Move,
    /// What became of it.
    pub outcome: Outcome,
}

/// A posted proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Decisions it covers.
    pub steps: u32,
    /// Head it proves.
    pub head: [u8; 32],
    /// keccak-256 of the bytes.
    pub digest: [u8; 32],
    /// Length, bytes.
    pub length: u64,
    /// Block.
    pub block_number: u64,
}

/// A vault as anyone can read it.
#[derive(Debug, Clone)]
pub struct VaultView {
    contract: ProbityVault<Rpc>,
    rpc: Rpc,
    host: String,
}

/// A vault with an account that may act on it.
#[derive(Debug, Clone)]
pub struct Vault {
    view: VaultView,
    sender: Sender,
}

impl Observed {
    fn of(o: &Observation) -> Self {
        Self {
            step: o.step,
            time_s: o.time,
            block_number: o.block_number,
            block_hash: o.block_hash,
            mean_tick: o.mean_tick,
            price_x64: o.price_x64,
            quote: o.quote,
            base: o.base,
            shares: o.shares,
            fill: o.filled.then_some(o.fill_out),
        }
    }

    /// keccak-256 of the observation's ABI encoding, as the vault computes it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let o = Observation {
            step: self.step,
            time: self.time_s,
            block_number: self.block_number,
            block_hash: self.block_hash,
            mean_tick: self.mean_tick,
            price_x64: self.price_x64,
            quote: self.quote,
            base: self.base,
            shares: self.shares,
            filled: self.fill.is_some(),
            fill_out: self.fill.unwrap_or(0),
        };
        keccak256(ethers::abi::encode(&[o.into_token()]))
    }
}

impl VaultView {
    /// The vault at an address on the node at a URL.
    pub fn at(url: &str, address: Address) -> Result<Self, ChainError> {
        let rpc = crate::send::connect(url)?;
        Ok(Self { contract: ProbityVault::new(address, Arc::new(rpc.clone())), rpc, host: crate::send::host_of(url) })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.contract.address()
    }

    /// The node's chain id.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        Ok(self.rpc.get_chainid().await.map_err(|e| self.fail("eth_chainId", e))?.as_u64())
    }

    fn fail(&self, call: &'static str, reason: impl ToString) -> ChainError {
        ChainError::Rpc { call, rpc: self.host.clone(), reason: reason.to_string() }
    }

    /// What was registered, and in which block (0: nothing yet).
    pub async fn registration(&self) -> Result<(Promise, u64), ChainError> {
        let block = self.contract.registered_block().call().await.map_err(|e| self.fail("registeredBlock", e))?;
        let r = self.contract.registration().call().await.map_err(|e| self.fail("registration", e))?;
        let promise = Promise {
            mandate_digest: r.mandate_digest,
            commitment: r.commitment,
            genesis_head: r.genesis_head,
            genesis_time_s: r.genesis_time,
            interval_s: r.interval,
            max_trade_quote: r.max_trade_quote,
            max_slippage_bps: r.max_slippage_bps,
        };
        Ok((promise, block))
    }

    /// The next step and the head it will be made on.
    pub async fn position(&self) -> Result<(u32, [u8; 32]), ChainError> {
        let step = self.contract.next_step().call().await.map_err(|e| self.fail("nextStep", e))?;
        let head = self.contract.head().call().await.map_err(|e| self.fail("head", e))?;
        Ok((step, head))
    }

    /// The observation at `time_s`, from the latest block; refused while that block is older than `time_s`, because the
    /// mean could still change.
    pub async fn observe(&self, time_s: u64) -> Result<Observed, ChainError> {
        let rpc = &self.rpc;
        let block = rpc.get_block(BlockNumber::Latest).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        let block = block.ok_or_else(|| ChainError::value("latest block", "a block", "none"))?;
        let (Some(number), Some(hash)) = (block.number, block.hash) else {
            return Err(ChainError::value("latest block", "a number and a hash", "a pending block"));
        };
        if block.timestamp.as_u64() < time_s {
            return Err(ChainError::value("latest block's time", format!("{time_s} or later"), block.timestamp));
        }
        let seen = self.contract.observation(time_s, number.as_u64(), hash.0).block(number.as_u64());
        let seen = seen.call().await.map_err(|e| self.fail("observation", e))?;
        Ok(Observed::of(&seen))
    }

    /// Every decision the chain recorded from a block on, in order.
    pub async fn decided(&self, from_block: u64) -> Result<Vec<Decided>, ChainError> {
        let filter = self.contract.decided_filter().from_block(from_block);
        let events = filter.query_with_meta().await.map_err(|e| self.fail("eth_getLogs", e))?;
        let mut out = Vec::with_capacity(events.len());
        for (event, meta) in events {
            let receipt =
                self.rpc.get_transaction_receipt(meta.transaction_hash).await.map_err(|e| self.fail("eth_getTransactionReceipt", e))?;
            let d = &event.decision;
            out.push(Decided {
                observed: Observed::of(&event.observation),
                decided: Move {
                    order: (d.side != 0).then_some((d.side == 1, d.amount_in, d.min_out)),
                    head_before: d.head_before,
                    head_after: d.head_after,
                },
                outcome: Outcome {
                    tx_hash: meta.transaction_hash.0,
                    block_number: meta.block_number.as_u64(),
                    gas_used: receipt.and_then(|r| r.gas_used).unwrap_or_default().as_u64(),
                    executed: event.executed,
                    amount_out: event.amount_out,
                },
            });
        }
        Ok(out)
    }

    /// Every posted proof from a block on, in order.
    pub async fn posted(&self, from_block: u64) -> Result<Vec<Posted>, ChainError> {
        let filter = self.contract.proof_posted_filter().from_block(from_block);
        let events = filter.query_with_meta().await.map_err(|e| self.fail("eth_getLogs", e))?;
        let of = |(e, meta): (crate::contracts::ProofPostedFilter, ethers::contract::LogMeta)| Posted {
            steps: e.steps,
            head: e.head,
            digest: e.digest,
            length: e.length.as_u64(),
            block_number: meta.block_number.as_u64(),
        };
        Ok(events.into_iter().map(of).collect())
    }
}

impl Vault {
    /// Deploys a vault whose operator is the sender.
    pub async fn deploy(sender: Sender, quote: Address, base: Address, pool: Address) -> Result<Self, ChainError> {
        let code = crate::contracts::PROBITYVAULT_BYTECODE.clone();
        let arguments = (quote, base, pool, sender.address()).encode();
        let data: Bytes = code.iter().copied().chain(arguments).collect::<Vec<u8>>().into();
        let receipt = sender.send("deploy", None, data).await?;
        let address = receipt.contract_address.ok_or_else(|| ChainError::value("contractAddress", "an address", "none"))?;
        Ok(Self::at(sender, address))
    }

    /// A vault that is already there.
    #[must_use]
    pub fn at(sender: Sender, address: Address) -> Self {
        let (rpc, host) = (sender.rpc().clone(), sender.host().to_owned());
        Self { view: VaultView { contract: ProbityVault::new(address, Arc::new(rpc.clone())), rpc, host }, sender }
    }

    /// The vault for reading.
    #[must_use]
    pub const fn view(&self) -> &VaultView {
        &self.view
    }

    /// Makes the first deposit from the sender's tokens, raw.
    pub async fn seed(&self, quote: u128, base: u128) -> Result<(), ChainError> {
        let tokens = [(self.view.contract.quote(), quote), (self.view.contract.base(), base)];
        for (token, amount) in tokens {
            let token = token.call().await.map_err(|e| self.sender.fail("token", e))?;
            let approve = Erc20::new(token, Arc::new(self.sender.rpc().clone())).approve(self.view.address(), U256::from(amount));
            let data = approve.calldata().unwrap_or_default();
            self.sender.send("approve", Some(token), data).await?;
        }
        self.call("seed", self.view.contract.seed(quote, base).calldata()).await.map(drop)
    }

    /// Burns the sender's shares for both tokens.
    pub async fn withdraw(&self, shares: u128) -> Result<(), ChainError> {
        self.call("withdraw", self.view.contract.withdraw(shares).calldata()).await.map(drop)
    }

    /// Registers mandate and commitment.
    pub async fn register(&self, p: &Promise) -> Result<(), ChainError> {
        let r = Registration {
            mandate_digest: p.mandate_digest,
            commitment: p.commitment,
            genesis_head: p.genesis_head,
            genesis_time: p.genesis_time_s,
            interval: p.interval_s,
            max_trade_quote: p.max_trade_quote,
            max_slippage_bps: p.max_slippage_bps,
        };
        self.call("register", self.view.contract.register(r).calldata()).await.map(drop)
    }

    /// Sends a decision, with the compressed proof if there is one.
    pub async fn decide(&self, seen: &Observed, m: &Move, proof: &[u8]) -> Result<Outcome, ChainError> {
        let (side, amount_in, min_out) = m.order.map_or((0, 0, 0), |(buy, amount, least)| (if buy { 1 } else { 2 }, amount, least));
        let d = Decision {
            step: seen.step,
            time: seen.time_s,
            block_number: seen.block_number,
            block_hash: seen.block_hash,
            observation_digest: seen.digest(),
            head_before: m.head_before,
            head_after: m.head_after,
            side,
            amount_in,
            min_out,
            proof_digest: if proof.is_empty() { [0; 32] } else { keccak256(proof) },
        };
        let receipt = self.call("decide", self.view.contract.decide(d, proof.to_vec().into()).calldata()).await?;
        let hash = receipt.transaction_hash;
        let found =
            self.view.decided(receipt.block_number.map_or(0, |b| b.as_u64())).await?.into_iter().find(|d| d.outcome.tx_hash == hash.0);
        found.map(|d| d.outcome).ok_or_else(|| ChainError::value("Decided event", format!("one in {hash:?}"), "none"))
    }

    /// Posts a proof of the first `steps` decisions; returns the gas used.
    pub async fn post_proof(&self, steps: u32, head: [u8; 32], proof: &[u8]) -> Result<u64, ChainError> {
        let call = self.view.contract.post_proof(steps, head, keccak256(proof), proof.to_vec().into());
        let receipt = self.call("postProof", call.calldata()).await?;
        Ok(receipt.gas_used.unwrap_or_default().as_u64())
    }

    async fn call(&self, name: &'static str, data: Option<Bytes>) -> Result<ethers::types::TransactionReceipt, ChainError> {
        let data = data.ok_or_else(|| ChainError::value("calldata", "an encodable call", name))?;
        self.sender.send(name, Some(self.view.address()), data).await
    }
}
