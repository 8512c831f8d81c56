//! A development chain: anvil as a fork, of a real chain or of a stand-in mainnet that a second anvil serves.
//!
//! Everything the agent meets is on a fork, so that what works here is what works on a fork of the real mainnet. The chains
//! outlive the agent (an interrupt or a kill leaves them); `chains.json` in their folder finds them again.

use crate::ChainError;
use crate::node::{Node, Place};
use crate::tools::Tools;
use ethers::providers::Middleware;
use ethers::types::{Address, BlockNumber, U256};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What a development chain forks.
#[derive(Clone)]
pub enum Origin {
    /// A stand-in mainnet (chain id 1): the real Uniswap v3 bytecode at its mainnet addresses, with the pool USDC/WETH 0.05 %.
    StandIn {
        /// Time of its latest block, s; the pool's oracle goes back 30 days from there.
        time_s: u64,
        /// First price, quote raw per base raw × 2^64.
        start_price_x64: u128,
    },
    /// A real chain, or another node.
    Fork {
        /// Its RPC.
        url: String,
    },
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::StandIn { time_s, start_price_x64 } => write!(f, "StandIn {{ time_s: {time_s}, start_price_x64: {start_price_x64} }}"),
            Self::Fork { url } => write!(f, "Fork {{ url: {:?} }}", crate::rpc::host_of(url)),
        }
    }
}

/// A development chain that runs.
#[derive(Debug)]
pub struct DevChain {
    /// The fork last; what it forks, if that is ours, before it.
    nodes: Vec<Node>,
    chain_id: u64,
    file: PathBuf,
}

/// What `chains.json` holds.
#[derive(Serialize, Deserialize)]
struct Chains {
    /// Whether the start came to its end.
    complete: bool,
    chain_id: u64,
    nodes: Vec<Place>,
}

impl DevChain {
    /// Starts the chain; its output, ids and addresses go to `dir`.
    pub async fn start(tools: &Tools, dir: &Path, origin: &Origin) -> Result<Self, ChainError> {
        std::fs::create_dir_all(dir).map_err(|e| ChainError::Start { reason: format!("{}: {e}", dir.display()) })?;
        let file = dir.join("chains.json");
        if file.exists() {
            let reason = format!("{} tells of chains of an earlier start: attach to them, or stop them first", file.display());
            return Err(ChainError::Start { reason });
        }
        let mut chain = Self { nodes: Vec::new(), chain_id: 0, file };
        let built = chain.build(tools, dir, origin).await;
        match built.and_then(|()| chain.save(true)) {
            Ok(()) => Ok(chain),
            Err(error) => chain.stop().await.and(Err(error)),
        }
    }

    async fn build(&mut self, tools: &Tools, dir: &Path, origin: &Origin) -> Result<(), ChainError> {
        let anvil = tools.anvil()?;
        let url = match origin {
            Origin::StandIn { time_s, start_price_x64 } => {
                let node = Node::start(&anvil, dir, "mainnet", &crate::standin::arguments(*time_s)?, None).await?;
                let url = node.place.url.clone();
                self.nodes.push(node);
                self.save(false)?;
                crate::standin::build(self.node()?, tools, *time_s, *start_price_x64).await?;
                url
            }
            Origin::Fork { url } => {
                crate::rpc::connect(url)?;
                url.clone()
            }
        };
        let node = Node::start(&anvil, dir, "fork", &[], Some(&url)).await?;
        let asked = node.rpc.get_chainid().await.map_err(|e| crate::rpc::failure("eth_chainId", "the development chain", &e));
        self.nodes.push(node);
        self.chain_id = asked?.as_u64();
        Ok(())
    }

    /// The chain of an earlier start in `dir`, if it still runs; none if there is no trace of one. What a start left that was
    /// cut off is ended and forgotten.
    pub async fn attach(dir: &Path) -> Result<Option<Self>, ChainError> {
        let file = dir.join("chains.json");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(ChainError::value("chains.json", "a readable file", format!("{}: {e}", file.display()))),
        };
        let bad = |got: String| ChainError::value("chains.json", "chain_id and nodes, as written at the start", got);
        let chains: Chains = serde_json::from_str(&text).map_err(|e| bad(format!("{}: {e}", file.display())))?;
        if chains.nodes.is_empty() {
            return Err(bad(format!("{}: no nodes", file.display())));
        }
        let mut nodes = Vec::new();
        for place in chains.nodes {
            if !chains.complete {
                if let Ok(node) = Node::attach(place).await {
                    node.stop().await?;
                }
                continue;
            }
            let url = place.url.clone();
            let gone = |reason: String| ChainError::Gone { file: file.display().to_string(), url, reason };
            nodes.push(Node::attach(place).await.map_err(gone)?);
        }
        let chain = Self { nodes, chain_id: chains.chain_id, file };
        if !chains.complete {
            return chain.stop().await.map(|()| None);
        }
        Ok(Some(chain))
    }

    fn save(&self, complete: bool) -> Result<(), ChainError> {
        let chains = Chains { complete, chain_id: self.chain_id, nodes: self.nodes.iter().map(|node| node.place.clone()).collect() };
        let text = serde_json::to_string_pretty(&chains).map_err(|e| ChainError::Start { reason: e.to_string() })?;
        std::fs::write(&self.file, text).map_err(|e| ChainError::Start { reason: format!("{}: {e}", self.file.display()) })
    }

    /// The fork.
    pub(crate) fn node(&self) -> Result<&Node, ChainError> {
        self.nodes.last().ok_or_else(|| ChainError::value("development chain", "a node", "none"))
    }

    /// Its RPC.
    #[must_use]
    pub fn url(&self) -> &str {
        self.nodes.last().map_or("", |node| &node.place.url)
    }

    /// Its chain id, that of the forked chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Ends the processes and forgets them. The chain's state is lost.
    pub async fn stop(self) -> Result<(), ChainError> {
        for node in self.nodes.into_iter().rev() {
            node.stop().await?;
        }
        match std::fs::remove_file(&self.file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(ChainError::value("chains.json", "a file that can be removed", format!("{}: {e}", self.file.display())))
            }
            _ => Ok(()),
        }
    }

    /// Time of the latest block, s.
    pub async fn time_s(&self) -> Result<u64, ChainError> {
        let latest = self.node()?.rpc.get_block(BlockNumber::Latest).await;
        let block = latest.map_err(|e| crate::rpc::failure("eth_getBlockByNumber", "the development chain", &e))?;
        Ok(block.ok_or_else(|| ChainError::value("latest block", "a block", "none"))?.timestamp.as_u64())
    }

    /// Mines one empty block with exactly this time, which must be later than the latest block's.
    pub async fn advance_to(&self, time_s: u64) -> Result<(), ChainError> {
        let now = self.time_s().await?;
        if time_s <= now {
            return Err(ChainError::value("time of the next block", format!("later than {now}"), time_s));
        }
        self.mine_at(time_s).await
    }

    async fn mine_at(&self, time_s: u64) -> Result<(), ChainError> {
        mine_at(self.node()?, time_s).await
    }

    /// Sets an account's ether.
    pub async fn fund_gas(&self, account: Address, wei: u128) -> Result<(), ChainError> {
        self.node()?.ask::<_, serde_json::Value>("anvil_setBalance", json!([account, U256::from(wei)])).await.map(drop)
    }
}

/// Mines one empty block at a time, and checks that it is there.
pub(crate) async fn mine_at(node: &Node, time_s: u64) -> Result<(), ChainError> {
    node.ask::<_, serde_json::Value>("evm_setNextBlockTimestamp", json!([time_s])).await?;
    node.ask::<_, serde_json::Value>("evm_mine", json!([])).await?;
    let latest = node.rpc.get_block(BlockNumber::Latest).await;
    let block = latest.map_err(|e| crate::rpc::failure("eth_getBlockByNumber", "the development chain", &e))?;
    match block.map(|b| b.timestamp.as_u64()) {
        Some(got) if got == time_s => Ok(()),
        got => Err(ChainError::value("time of the mined block", time_s, got.unwrap_or_default())),
    }
}
