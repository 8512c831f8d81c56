//! What a pool did, log by log, out of any node: Swap, Mint and Burn, in chunks, with patience.
//!
//! A node that refuses a chunk is asked for half of it, one that does not answer is asked again. Logs come as the node tells
//! them: whether it tells the truth, and whether a block near its head stays, is for the caller to know.

use crate::ChainError;
use crate::rpc::{Rpc, connect, host_of};
use ethers::providers::{Middleware, ProviderError, RpcError};
use ethers::types::{Address, Filter, H256, Log};
use ethers::utils::keccak256;
use std::collections::BTreeMap;
use std::time::Duration;

/// Signatures of the events that are read.
const EVENTS: [&str; 3] = [
    "Swap(address,address,int256,int256,uint160,uint128,int24)",
    "Mint(address,address,int24,int24,uint128,uint256,uint256)",
    "Burn(address,int24,int24,uint128,uint256,uint256)",
];
/// Times a request is made before it is given up.
const TRIES: u32 = 5;
/// Wait before the second try; doubled for each further one.
const WAIT: Duration = Duration::from_millis(250);

/// One log of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLog {
    /// Its block.
    pub block_number: u64,
    /// Time of the block, unix seconds.
    pub time_s: u64,
    /// Its transaction.
    pub tx_hash: [u8; 32],
    /// Place of the transaction in the block.
    pub tx_index: u64,
    /// Place of the log in the block.
    pub log_index: u64,
    /// Signature and indexed values.
    pub topics: Vec<[u8; 32]>,
    /// The other values.
    pub data: Vec<u8>,
}

/// A pool's logs between two blocks, from one node.
#[derive(Debug)]
pub struct Pull {
    rpc: Rpc,
    host: String,
    pool: Address,
    chain_id: u64,
    latest: u64,
    span: u64,
    most: u64,
}

impl Pull {
    /// Asks the node at a URL for its chain and newest block, and for code at the pool's address. A chunk has at most
    /// `most` blocks.
    pub async fn new(url: &str, pool: Address, most: u64) -> Result<Self, ChainError> {
        let rpc = connect(url)?;
        let host = host_of(url);
        let most = most.max(1);
        let mut pull = Self { rpc, host, pool, chain_id: 0, latest: 0, span: most, most };
        let rpc = &pull.rpc;
        let chain_id = again(|| rpc.get_chainid()).await.map_err(|e| pull.fail("eth_chainId", &e))?;
        let latest = again(|| rpc.get_block_number()).await.map_err(|e| pull.fail("eth_blockNumber", &e))?;
        let code = again(|| rpc.get_code(pool, None)).await.map_err(|e| pull.fail("eth_getCode", &e))?;
        if code.is_empty() {
            return Err(ChainError::value("pool", format!("a contract at {pool:?} on chain {chain_id}"), "an address without code"));
        }
        (pull.chain_id, pull.latest) = (chain_id.as_u64(), latest.as_u64());
        Ok(pull)
    }

    /// The node's chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Its newest block when it was first asked.
    #[must_use]
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// Logs of the next chunk of `from ..= to`, in order, and the first block after the chunk.
    pub async fn chunk(&mut self, from: u64, to: u64) -> Result<(Vec<PoolLog>, u64), ChainError> {
        if from > to {
            return Err(ChainError::value("blocks", "a first block up to the last", format!("{from} … {to}")));
        }
        loop {
            let end = to.min(from.saturating_add(self.span - 1));
            let topics: Vec<H256> = EVENTS.iter().map(|e| H256(keccak256(e))).collect();
            let filter = Filter::new().address(self.pool).topic0(topics).from_block(from).to_block(end);
            let rpc = &self.rpc;
            match again(|| rpc.get_logs(&filter)).await {
                Ok(logs) => {
                    let logs = self.told(logs, from, end).await?;
                    // What went well may be tried a little larger.
                    self.span = self.span.saturating_mul(2).min(self.most);
                    return Ok((logs, end.saturating_add(1)));
                }
                // Refused: too many blocks or too many logs at once, perhaps.
                Err(_) if self.span > 1 && end > from => self.span = (end - from).div_ceil(2),
                Err(error) => return Err(self.fail("eth_getLogs", &error)),
            }
        }
    }

    async fn told(&self, logs: Vec<Log>, from: u64, to: u64) -> Result<Vec<PoolLog>, ChainError> {
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        let mut out = Vec::with_capacity(logs.len());
        for log in logs {
            let (Some(block), Some(tx), Some(tx_index), Some(index)) =
                (log.block_number, log.transaction_hash, log.transaction_index, log.log_index)
            else {
                return Err(ChainError::value("log", "one in a block", "one that is pending"));
            };
            let block_number = block.as_u64();
            if log.address != self.pool || !(from..=to).contains(&block_number) || log.removed == Some(true) {
                let got = format!("one of {:?} in block {block_number}", log.address);
                return Err(ChainError::value("log", format!("one of {:?} in blocks {from} … {to}", self.pool), got));
            }
            let time_s = match times.get(&block_number) {
                Some(time) => *time,
                None => {
                    let rpc = &self.rpc;
                    let found = again(|| rpc.get_block(block_number)).await.map_err(|e| self.fail("eth_getBlockByNumber", &e))?;
                    let found = found.ok_or_else(|| ChainError::value("block", block_number, "none"))?;
                    if log.block_hash.is_some() && found.hash != log.block_hash {
                        return Err(ChainError::value(
                            "block",
                            "one that stays",
                            format!("{block_number} changed while it was read; stay further behind the head"),
                        ));
                    }
                    times.insert(block_number, found.timestamp.as_u64());
                    found.timestamp.as_u64()
                }
            };
            out.push(PoolLog {
                block_number,
                time_s,
                tx_hash: tx.0,
                tx_index: tx_index.as_u64(),
                log_index: index.as_u64(),
                topics: log.topics.iter().map(|t| t.0).collect(),
                data: log.data.to_vec(),
            });
        }
        out.sort_by_key(|l| (l.block_number, l.log_index));
        if let Some(pair) = out.windows(2).find(|w| matches!(w, [a, b] if (a.block_number, a.log_index) == (b.block_number, b.log_index))) {
            let at = pair.first().map_or((0, 0), |l| (l.block_number, l.log_index));
            return Err(ChainError::value("log", "each one once", format!("block {}, log {} twice", at.0, at.1)));
        }
        Ok(out)
    }

    fn fail(&self, call: &'static str, error: &ProviderError) -> ChainError {
        ChainError::Rpc { call, rpc: self.host.clone(), reason: error.to_string() }
    }
}

/// Makes a request until it is answered, with longer and longer waits; a refusal is an answer.
async fn again<T, F: Future<Output = Result<T, ProviderError>>>(ask: impl Fn() -> F) -> Result<T, ProviderError> {
    let mut wait = WAIT;
    let mut tries = 1;
    loop {
        match ask().await {
            Err(error) if error.as_error_response().is_none() && tries < TRIES => {
                tracing::debug!(%error, tries, "asking again");
                tokio::time::sleep(wait).await;
                (wait, tries) = (wait * 2, tries + 1);
            }
            other => return other,
        }
    }
}
