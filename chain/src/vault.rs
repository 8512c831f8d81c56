//! The vault with an account that may act on it: deploy, register, decide, post. Deposits and withdrawals are in `shares.rs`.

use crate::ChainError;
use crate::attempt::{Attempt, Notes};
use crate::contracts::{Erc20, PROBITYVAULT_BYTECODE, Pool, ProbityVault};
use crate::record::{Move, Observed, Outcome, Promise};
use crate::send::Sender;
use crate::shares::ShareTerms;
use crate::view::VaultView;
use ethers::types::{Address, Bytes, TransactionReceipt, U256};
use ethers::utils::keccak256;
use std::sync::Arc;

/// Shortest time between two blocks that write an observation, s: Ethereum's.
const BLOCK_TIME_S: u64 = 12;
/// Slots of the pool's oracle prepared in one transaction (about 22,000 gas each).
const SLOTS_AT_ONCE: u16 = 300;

/// A vault with an account that may act on it.
#[derive(Debug, Clone)]
pub struct Vault {
    view: VaultView,
    sender: Sender,
}

impl Vault {
    /// Deploys a vault whose operator is the sender, with its share contract on the usual terms: no fees.
    pub async fn deploy(sender: Sender, quote: Address, base: Address, pool: Address) -> Result<Self, ChainError> {
        Self::deploy_noting(sender, [quote, base, pool], &ShareTerms::default(), Vec::new(), &mut ()).await
    }

    /// The same on other terms, telling of every stage; `earlier` are the transactions that an earlier start signed for this vault.
    pub async fn deploy_noting(
        sender: Sender,
        [quote, base, pool]: [Address; 3],
        terms: &ShareTerms,
        earlier: Vec<Attempt>,
        notes: &mut dyn Notes,
    ) -> Result<Self, ChainError> {
        let arguments = terms.arguments(quote, base, pool, sender.address());
        let data: Bytes = PROBITYVAULT_BYTECODE.iter().copied().chain(arguments).collect::<Vec<u8>>().into();
        let receipt = sender.carry("deploy", None, data, earlier, notes).await?;
        let address = receipt.contract_address.ok_or_else(|| ChainError::value("contractAddress", "an address", "none"))?;
        Ok(Self::at(sender, address))
    }

    /// A vault that is already there.
    #[must_use]
    pub fn at(sender: Sender, address: Address) -> Self {
        Self { view: VaultView::on(sender.rpc().clone(), sender.host().to_owned(), address), sender }
    }

    /// The account that acts.
    #[must_use]
    pub fn account(&self) -> Address {
        self.sender.address()
    }

    /// Whoever sends.
    #[must_use]
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The vault for reading.
    #[must_use]
    pub const fn view(&self) -> &VaultView {
        &self.view
    }

    /// Registers mandate and commitment.
    pub async fn register(&self, promise: &Promise) -> Result<(), ChainError> {
        self.call("register", self.contract().register(promise.registration()).calldata()).await.map(drop)
    }

    /// Makes the pool's oracle keep at least `history_s` seconds even if every block of 12 s swaps, at the sender's cost of
    /// about 22,000 gas a slot; returns the observations it will keep. Longer than 65,535 blocks cannot be had.
    pub async fn prepare_oracle(&self, history_s: u64) -> Result<u16, ChainError> {
        let wanted = u16::try_from(history_s.div_ceil(BLOCK_TIME_S).saturating_add(2)).unwrap_or(u16::MAX);
        let address = self.view.pool().await?;
        let pool = Pool::new(address, Arc::new(self.sender.rpc().clone()));
        let (.., mut next, _, _) = pool.slot_0().call().await.map_err(|e| self.sender.fail("slot0", e))?;
        while next < wanted {
            next = wanted.min(next.saturating_add(SLOTS_AT_ONCE));
            let data = encoded("increaseObservationCardinalityNext", pool.increase_observation_cardinality_next(next).calldata())?;
            self.sender.send("increaseObservationCardinalityNext", Some(address), data).await?;
        }
        Ok(next)
    }

    /// Sends a decision, with the compressed proof if there is one.
    pub async fn decide(&self, seen: &Observed, m: &Move, proof: &[u8]) -> Result<Outcome, ChainError> {
        self.decide_noting(seen, m, proof, Vec::new(), &mut ()).await
    }

    /// The same, telling of every stage; `earlier` are the transactions that an earlier start signed for this decision.
    pub async fn decide_noting(
        &self,
        seen: &Observed,
        m: &Move,
        proof: &[u8],
        earlier: Vec<Attempt>,
        notes: &mut dyn Notes,
    ) -> Result<Outcome, ChainError> {
        let decision = m.decision(seen, proof);
        let call = self.contract().decide(decision, proof.to_vec().into());
        let receipt = self.call_noting("decide", call.calldata(), earlier, notes).await?;
        self.outcome(&receipt).await
    }

    /// What a decision's receipt says became of it.
    pub(crate) async fn outcome(&self, receipt: &TransactionReceipt) -> Result<Outcome, ChainError> {
        let hash = receipt.transaction_hash;
        let block = receipt.block_number.ok_or_else(|| ChainError::value("receipt", "a block", "none"))?.as_u64();
        let found = self.view.decided(block).await?.into_iter().find(|d| d.outcome.tx_hash == hash.0);
        found.map(|d| d.outcome).ok_or_else(|| ChainError::value("Decided event", format!("one in {hash:?}"), "none"))
    }

    /// Posts a proof of the first `steps` decisions; returns the gas used.
    pub async fn post_proof(&self, steps: u32, head: [u8; 32], proof: &[u8]) -> Result<u64, ChainError> {
        self.post_proof_noting(steps, head, proof, &mut ()).await
    }

    /// The same, telling of every stage.
    pub async fn post_proof_noting(&self, steps: u32, head: [u8; 32], proof: &[u8], notes: &mut dyn Notes) -> Result<u64, ChainError> {
        let call = self.contract().post_proof(steps, head, keccak256(proof), proof.to_vec().into());
        let receipt = self.call_noting("postProof", call.calldata(), Vec::new(), notes).await?;
        gas_of(&receipt)
    }

    pub(crate) const fn contract(&self) -> &ProbityVault<crate::Rpc> {
        &self.view.contract
    }

    /// Lets the share contract take the sender's tokens: the only one that ever does.
    pub(crate) async fn approve(&self, quote: u128, base: u128) -> Result<(), ChainError> {
        let spender = self.view.shares_contract().await?;
        let (quote_token, base_token) = self.view.tokens().await?;
        for (token, amount) in [(quote_token, quote), (base_token, base)].into_iter().filter(|(_, amount)| *amount != 0) {
            let contract = Erc20::new(token, Arc::new(self.sender.rpc().clone()));
            let data = encoded("approve", contract.approve(spender, U256::from(amount)).calldata())?;
            self.sender.send("approve", Some(token), data).await?;
        }
        Ok(())
    }

    pub(crate) async fn call(&self, name: &'static str, data: Option<Bytes>) -> Result<TransactionReceipt, ChainError> {
        self.call_noting(name, data, Vec::new(), &mut ()).await
    }

    /// The same, telling of every stage; `earlier` are the transactions that an earlier start signed for this very call.
    pub(crate) async fn call_noting(
        &self,
        name: &'static str,
        data: Option<Bytes>,
        earlier: Vec<Attempt>,
        notes: &mut dyn Notes,
    ) -> Result<TransactionReceipt, ChainError> {
        self.sender.carry(name, Some(self.view.address()), encoded(name, data)?, earlier, notes).await
    }
}

/// Gas that a transaction used.
pub(crate) fn gas_of(receipt: &TransactionReceipt) -> Result<u64, ChainError> {
    Ok(receipt.gas_used.ok_or_else(|| ChainError::value("receipt", "gas used", "none"))?.as_u64())
}

pub(crate) fn encoded(name: &'static str, data: Option<Bytes>) -> Result<Bytes, ChainError> {
    data.ok_or_else(|| ChainError::value("calldata", "an encodable call", name))
}
