//! Settlement on chain: the verifier contract, deployed for one circuit and asked directly, and the vault's side of it.

use crate::ChainError;
use crate::attempt::Notes;
use crate::contracts::{SETTLEMENTVERIFIER_BYTECODE, SETTLEMENTVERIFIER_DEPLOYED_BYTECODE, SettledFilter, Terms as ContractTerms};
use crate::record::{Move, Observed, Outcome};
use crate::rotation::Weights;
use crate::rpc::{Rpc, connect, failure, host_of};
use crate::send::Sender;
use crate::vault::{Vault, gas_of};
use crate::view::VaultView;
use ethers::providers::{Middleware, RpcError};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, BlockNumber, Bytes, TransactionRequest, U256};

/// The verifier contract of one circuit.
#[derive(Debug, Clone)]
pub struct SettlementVerifier {
    rpc: Rpc,
    host: String,
    address: Address,
}

/// What the verifier contract said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The settlement holds; where it ends.
    Holds(Vec<u8>),
    /// It does not; the number of the failure, 0 if there was none.
    Refused(u64),
}

/// How decisions are proven to the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The verifier contract.
    pub verifier: Address,
    /// Digest of the genesis state.
    pub genesis_state: [u8; 32],
    /// Decisions that may await their proof while there is trading; 0: a trade's own transaction carries its proof.
    pub max_unproven_decisions: u32,
    /// Seconds since the first of them.
    pub max_unproven_seconds: u32,
}

/// Where a vault's settlement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The terms; the verifier is zero before the vault is armed.
    pub terms: Terms,
    /// Decisions taken.
    pub steps: u32,
    /// Decisions proven.
    pub proven_steps: u32,
    /// Head after the last decision.
    pub head: [u8; 32],
    /// Head after the last proven decision.
    pub proven_head: [u8; 32],
    /// State digest after it.
    pub proven_state: [u8; 32],
    /// Chain of challenges up to it.
    pub proven_trail: [u8; 32],
    /// Fingerprint up to it.
    pub proven_fingerprint: [u8; 32],
    /// Chain of challenges up to now.
    pub trail: [u8; 32],
    /// Fingerprint up to now.
    pub fingerprint: [u8; 32],
    /// Time of the first decision that awaits its proof, unix seconds; 0 if none does.
    pub first_unproven_time_s: u64,
    /// Weights at the proven position, what is announced there not yet among them.
    pub weights: Weights,
    /// Decisions up to which the next settlement may go: the next announcement or take-over; `u32::MAX` if none is ahead.
    pub settles_to: u32,
}

fn bytes(value: U256) -> [u8; 32] {
    let mut out = [0; 32];
    value.to_big_endian(&mut out);
    out
}

impl SettlementVerifier {
    /// Deploys the verifier with a key's table of constants; returns it and the gas used.
    pub async fn deploy(sender: &Sender, table: &[u8]) -> Result<(Self, u64), ChainError> {
        let data: Vec<u8> = SETTLEMENTVERIFIER_BYTECODE.iter().chain(table).copied().collect();
        let receipt = sender.send("deploy", None, data.into()).await?;
        let address = receipt.contract_address.ok_or_else(|| ChainError::value("contractAddress", "an address", "none"))?;
        let gas = gas_of(&receipt)?;
        Ok((Self { rpc: sender.rpc().clone(), host: sender.host().to_owned(), address }, gas))
    }

    /// The verifier at an address.
    pub fn at(url: &str, address: Address) -> Result<Self, ChainError> {
        Ok(Self { rpc: connect(url)?, host: host_of(url), address })
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// The code that a key's verifier has on chain: this version's code and the key's table.
    #[must_use]
    pub fn code(table: &[u8]) -> Vec<u8> {
        // The artifact's creation code holds no table, its runtime code neither.
        SETTLEMENTVERIFIER_DEPLOYED_BYTECODE.iter().chain(table).copied().collect()
    }

    /// The code at the address.
    pub async fn deployed(&self) -> Result<Vec<u8>, ChainError> {
        let code = self.rpc.get_code(self.address, None).await;
        Ok(code.map_err(|e| failure("eth_getCode", &self.host, &e))?.to_vec())
    }

    /// Whether the code at the address is that of a key: every constant is compared, not only a digest.
    pub async fn code_matches(&self, table: &[u8]) -> Result<bool, ChainError> {
        Ok(self.deployed().await? == Self::code(table))
    }

    /// Gas of a transaction that asks the same, from its receipt.
    pub async fn gas(&self, sender: &Sender, data: Vec<u8>) -> Result<u64, ChainError> {
        let receipt = sender.send("verify", Some(self.address), data.into()).await?;
        gas_of(&receipt)
    }

    /// Asks the contract about a claim and a settlement (their bytes, one after the other). Costs nothing.
    pub async fn ask(&self, data: Vec<u8>) -> Result<Verdict, ChainError> {
        let tx: TypedTransaction = TransactionRequest::new().to(self.address).data(data).into();
        match self.rpc.call(&tx, None).await {
            Ok(answer) => Ok(Verdict::Holds(answer.to_vec())),
            Err(error) => {
                let reverted = error.as_error_response().filter(|r| r.message.contains("revert"));
                let Some(response) = reverted else { return Err(failure("eth_call", &self.host, &error)) };
                let data = response.as_revert_data().unwrap_or_default();
                let low = data.last_chunk::<8>().filter(|_| data.len() == 32).map_or(0, |b| u64::from_be_bytes(*b));
                Ok(Verdict::Refused(low))
            }
        }
    }
}

impl Vault {
    /// Arms the vault: names its verifier and terms, once and before its first decision.
    pub async fn arm(&self, terms: &Terms) -> Result<(), ChainError> {
        let terms = ContractTerms {
            verifier: terms.verifier,
            genesis_state: terms.genesis_state,
            max_unproven_decisions: terms.max_unproven_decisions,
            max_unproven_seconds: terms.max_unproven_seconds,
        };
        self.call("arm", self.contract().arm(terms).calldata()).await.map(drop)
    }

    /// Settles everything decided so far; returns the gas used. Anybody may.
    pub async fn settle(&self, settlement: &[u8]) -> Result<u64, ChainError> {
        self.settle_noting(settlement, &mut ()).await
    }

    /// The same, telling of every stage.
    pub async fn settle_noting(&self, settlement: &[u8], notes: &mut dyn Notes) -> Result<u64, ChainError> {
        let call = self.contract().settle(settlement.to_vec().into());
        let receipt = self.call_noting("settle", call.calldata(), Vec::new(), notes).await?;
        gas_of(&receipt)
    }

    /// Sends a decision with a settlement of everything up to it, itself included.
    pub async fn decide_settled(&self, seen: &Observed, m: &Move, settlement: &[u8]) -> Result<Outcome, ChainError> {
        self.decide_settled_noting(seen, m, settlement, &mut ()).await
    }

    /// The same, telling of every stage.
    pub async fn decide_settled_noting(
        &self,
        seen: &Observed,
        m: &Move,
        settlement: &[u8],
        notes: &mut dyn Notes,
    ) -> Result<Outcome, ChainError> {
        let call = self.contract().decide_settled(m.decision(seen, &[]), Bytes::new(), settlement.to_vec().into());
        let receipt = self.call_noting("decideSettled", call.calldata(), Vec::new(), notes).await?;
        self.outcome(&receipt).await
    }
}

impl VaultView {
    /// Where the settlement stands.
    pub async fn standing(&self) -> Result<Standing, ChainError> {
        let s = self.contract.standing().call().await.map_err(|e| self.refused("standing", &e))?;
        Ok(Standing {
            terms: Terms {
                verifier: s.verifier,
                genesis_state: s.genesis_state,
                max_unproven_decisions: s.max_unproven_decisions,
                max_unproven_seconds: s.max_unproven_seconds,
            },
            steps: s.steps,
            head: s.head,
            proven_steps: s.proven_steps,
            proven_head: s.proven_head,
            proven_state: s.proven_state,
            proven_trail: s.proven_trail,
            proven_fingerprint: bytes(s.proven_fingerprint),
            trail: s.trail,
            fingerprint: bytes(s.fingerprint),
            first_unproven_time_s: s.first_unproven_time,
            weights: Weights { commitment: s.weights.commitment, ahead: s.weights.ahead, ahead_step: s.weights.ahead_step },
            settles_to: s.settles_to,
        })
    }

    /// Base fee of the newest block, wei a gas.
    pub async fn base_fee_wei(&self) -> Result<u128, ChainError> {
        let block = self.rpc.get_block(BlockNumber::Latest).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        let fee =
            block.and_then(|b| b.base_fee_per_gas).ok_or_else(|| ChainError::value("latest block", "a base fee (EIP-1559)", "none"))?;
        u128::try_from(fee).map_err(|_| ChainError::value("latest block", "a base fee of 128 bits", fee))
    }

    /// The settlements since a block: decisions proven and the head they reach.
    pub async fn settled(&self, from_block: u64) -> Result<Vec<(u32, [u8; 32])>, ChainError> {
        let events = self.contract.event::<SettledFilter>().from_block(from_block).query().await;
        let events = events.map_err(|e| self.refused("eth_getLogs", &e))?;
        Ok(events.into_iter().map(|e| (e.steps, e.head)).collect())
    }
}
