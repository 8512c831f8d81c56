//! What the chain recorded of a vault: decisions, posted proofs, flows, and the pool's own report of its swaps.
//!
//! Public nodes bound how many blocks a question may span: where one refuses, the span is halved.

use crate::ChainError;
use crate::contracts::{DecideCall, DecideSettledCall, DecidedFilter, FlowFilter, PostProofCall, ProofPostedFilter, SwapFilter};
use crate::record::{Decided, Flow, Move, Observed, Outcome, Posted, SwapSeen};
use crate::rpc::{Rpc, failure};
use crate::view::VaultView;
use ethers::abi::AbiDecode;
use ethers::contract::EthEvent;
use ethers::providers::{Middleware, RpcError};
use ethers::types::{Address, Filter, H256, I256, Log};
use ethers::utils::keccak256;

/// Fewest blocks asked about at once; a node that refuses even those gives an error.
const LEAST_SPAN: u64 = 500;

impl VaultView {
    /// Every decision the chain recorded from a block on, in order.
    pub async fn decided(&self, from_block: u64) -> Result<Vec<Decided>, ChainError> {
        self.decisions(from_block, None).await
    }

    /// The decision of one step, if the chain recorded it from a block on.
    pub async fn decided_at(&self, step: u32, from_block: u64) -> Result<Option<Decided>, ChainError> {
        Ok(self.decisions(from_block, Some(H256::from_low_u64_be(step.into()))).await?.pop())
    }

    async fn decisions(&self, from_block: u64, step: Option<H256>) -> Result<Vec<Decided>, ChainError> {
        let mut out = Vec::new();
        for (event, at) in self.logs::<DecidedFilter>(self.address(), from_block, [step, None]).await? {
            let receipt = self.rpc.get_transaction_receipt(at.tx).await.map_err(|e| self.fail("eth_getTransactionReceipt", e))?;
            let gas_used = receipt.and_then(|r| r.gas_used);
            out.push(Decided {
                observed: Observed::of(&event.observation),
                decided: Move::of(&event.decision),
                outcome: Outcome {
                    tx_hash: at.tx.0,
                    block_number: at.block,
                    gas_used: gas_used.ok_or_else(|| ChainError::value("receipt", "gas used", format!("none for {:?}", at.tx)))?.as_u64(),
                    executed: event.executed,
                    amount_out: event.amount_out,
                },
            });
        }
        Ok(out)
    }

    /// Every posted proof from a block on, in order.
    pub async fn posted(&self, from_block: u64) -> Result<Vec<Posted>, ChainError> {
        let found = self.logs::<ProofPostedFilter>(self.address(), from_block, [None, None]).await?;
        let of = |(e, at): (ProofPostedFilter, Place)| Posted {
            steps: e.steps,
            head: e.head,
            digest: e.digest,
            length: e.length.as_u64(),
            block_number: at.block,
            tx_hash: at.tx.0,
        };
        Ok(found.into_iter().map(of).collect())
    }

    /// The bytes of a posted proof, out of the call that posted it; their digest is checked.
    pub async fn posted_proof(&self, posted: &Posted) -> Result<Vec<u8>, ChainError> {
        let hash = H256(posted.tx_hash);
        let found = self.rpc.get_transaction(hash).await.map_err(|e| self.fail("eth_getTransactionByHash", e))?;
        let sent = found.ok_or_else(|| ChainError::value("posting transaction", format!("{hash:?}"), "none on this chain"))?;
        let bad = |got: &str| ChainError::value("posting transaction", "a call of the vault's decide or postProof", got);
        if sent.to != Some(self.address()) {
            return Err(bad("a call of another contract: the operator went through one, and the proof is inside"));
        }
        let input = &sent.input;
        let proof = match (DecideCall::decode(input), PostProofCall::decode(input), DecideSettledCall::decode(input)) {
            (Ok(call), ..) => call.proof,
            (_, Ok(call), _) => call.proof,
            (.., Ok(call)) => call.proof,
            _ => return Err(bad("another call")),
        };
        if keccak256(&proof) != posted.digest {
            return Err(ChainError::value("posted proof", hex::encode(posted.digest), hex::encode(keccak256(&proof))));
        }
        Ok(proof.to_vec())
    }

    /// Every deposit and withdrawal from a block on, in order.
    pub async fn flows(&self, from_block: u64) -> Result<Vec<Flow>, ChainError> {
        let found = self.logs::<FlowFilter>(self.address(), from_block, [None, None]).await?;
        let of = |(e, at): (FlowFilter, Place)| Flow {
            account: e.account,
            deposit: e.deposit,
            quote: e.quote,
            base: e.base,
            shares: e.shares,
            block_number: at.block,
            tx_hash: at.tx.0,
        };
        Ok(found.into_iter().map(of).collect())
    }

    /// Every swap of the vault's pool from a block on that names the vault as sender or recipient, in order.
    pub async fn swaps(&self, from_block: u64) -> Result<Vec<SwapSeen>, ChainError> {
        let pool = self.pool().await?;
        let vault = Some(H256::from(self.address()));
        let mut found = self.logs::<SwapFilter>(pool, from_block, [vault, None]).await?;
        for (event, at) in self.logs::<SwapFilter>(pool, from_block, [None, vault]).await? {
            if event.sender != self.address() {
                found.push((event, at));
            }
        }
        found.sort_by_key(|(_, at)| (at.block, at.index));
        let amount = |v: I256| i128::try_from(v).map_err(|_| ChainError::value("swap amount", "128 bits", v));
        let of = |(e, at): (SwapFilter, Place)| {
            Ok(SwapSeen {
                tx_hash: at.tx.0,
                block_number: at.block,
                amount0: amount(e.amount_0)?,
                amount1: amount(e.amount_1)?,
                by_vault: e.sender == self.address(),
            })
        };
        found.into_iter().map(of).collect()
    }

    pub(crate) async fn logs<E: EthEvent>(
        &self,
        address: Address,
        from_block: u64,
        topics: [Option<H256>; 2],
    ) -> Result<Vec<(E, Place)>, ChainError> {
        let [one, two] = topics;
        logs(&self.rpc, &self.host, address, from_block, [one, two, None]).await
    }
}

/// Events of one kind, oldest first, with where they stand.
pub(crate) async fn logs<E: EthEvent>(
    rpc: &Rpc,
    host: &str,
    address: Address,
    from_block: u64,
    topics: [Option<H256>; 3],
) -> Result<Vec<(E, Place)>, ChainError> {
    let latest = rpc.get_block_number().await.map_err(|e| failure("eth_blockNumber", host, &e))?.as_u64();
    let mut out = Vec::new();
    let (mut from, mut span) = (from_block, latest.saturating_sub(from_block).saturating_add(1));
    while from <= latest {
        let to = latest.min(from.saturating_add(span - 1));
        let mut filter = Filter::new().address(address).topic0(E::signature()).from_block(from).to_block(to);
        let [one, two, three] = topics;
        if let Some(one) = one {
            filter = filter.topic1(one);
        }
        if let Some(two) = two {
            filter = filter.topic2(two);
        }
        if let Some(three) = three {
            filter = filter.topic3(three);
        }
        match rpc.get_logs(&filter).await {
            Ok(logs) => {
                for log in logs {
                    out.push((event(&log)?, Place::of(&log)?));
                }
                from = to.saturating_add(1);
            }
            // Too much at once, perhaps.
            Err(error) if error.as_error_response().is_some() && span > LEAST_SPAN => span /= 2,
            Err(error) => return Err(failure("eth_getLogs", host, &error)),
        }
    }
    out.sort_by_key(|(_, at)| (at.block, at.index));
    Ok(out)
}

pub(crate) fn event<E: EthEvent>(log: &Log) -> Result<E, ChainError> {
    let raw = (log.topics.clone(), log.data.to_vec()).into();
    <E as EthEvent>::decode_log(&raw).map_err(|e| ChainError::value("event", E::abi_signature(), e))
}

/// Where an event stands in the chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) block: u64,
    index: u64,
    pub(crate) tx: H256,
}

impl Place {
    pub(crate) fn of(log: &Log) -> Result<Self, ChainError> {
        match (log.block_number, log.log_index, log.transaction_hash) {
            (Some(block), Some(index), Some(tx)) if log.removed != Some(true) => {
                Ok(Self { block: block.as_u64(), index: index.as_u64(), tx })
            }
            _ => Err(ChainError::value("event", "one in a block", "one that is pending or was removed; ask again")),
        }
    }
}
