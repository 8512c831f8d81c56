//! The vault as anyone can read it: what was promised, where it stands, and the observation as it computes it.
//!
//! What it recorded in the past is in `events.rs`.

use crate::ChainError;
use crate::contracts::{Erc20, PROBITYVAULT_DEPLOYED_BYTECODE, ProbityVault};
use crate::record::{Balances, Observed, Promise};
use crate::rpc::{Rpc, connect, host_of};
use ethers::contract::ContractError;
use ethers::providers::Middleware;
use ethers::types::{Address, Block, BlockNumber, H256};
use serde::Deserialize;
use std::sync::Arc;

/// The committed artifact of the vault.
const ARTIFACT: &str = include_str!("../contracts/out/ProbityVault.json");

/// A vault as anyone can read it.
#[derive(Debug, Clone)]
pub struct VaultView {
    pub(crate) contract: ProbityVault<Rpc>,
    pub(crate) rpc: Rpc,
    pub(crate) host: String,
}

#[derive(Deserialize)]
struct Artifact {
    immutables: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    start: usize,
    length: usize,
}

/// The chain id of the node at a URL.
pub async fn chain_id(url: &str) -> Result<u64, ChainError> {
    let id = connect(url)?.get_chainid().await;
    Ok(id.map_err(|e| crate::rpc::failure("eth_chainId", &host_of(url), &e))?.as_u64())
}

impl VaultView {
    /// The vault at an address on the node at a URL.
    pub fn at(url: &str, address: Address) -> Result<Self, ChainError> {
        Ok(Self::on(connect(url)?, host_of(url), address))
    }

    pub(crate) fn on(rpc: Rpc, host: String, address: Address) -> Self {
        Self { contract: ProbityVault::new(address, Arc::new(rpc.clone())), rpc, host }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.contract.address()
    }

    /// Whether there is a contract at the address at all.
    pub async fn exists(&self) -> Result<bool, ChainError> {
        let code = self.rpc.get_code(self.address(), None).await.map_err(|e| self.fail("eth_getCode", e))?;
        Ok(!code.is_empty())
    }

    /// The node's newest block.
    pub async fn block_number(&self) -> Result<u64, ChainError> {
        Ok(self.rpc.get_block_number().await.map_err(|e| self.fail("eth_blockNumber", e))?.as_u64())
    }

    /// The newest block's time, unix seconds.
    pub async fn time_s(&self) -> Result<u64, ChainError> {
        let block = self.rpc.get_block(BlockNumber::Latest).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        Ok(block.ok_or_else(|| ChainError::value("latest block", "a block", "none"))?.timestamp.as_u64())
    }

    /// The node's chain id.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        Ok(self.rpc.get_chainid().await.map_err(|e| self.fail("eth_chainId", e))?.as_u64())
    }

    pub(crate) fn fail(&self, call: &'static str, reason: impl ToString) -> ChainError {
        ChainError::Rpc { call, rpc: self.host.clone(), reason: reason.to_string() }
    }

    /// A call of the vault that failed: its own refusal, decoded, or the node's failure.
    pub(crate) fn refused(&self, call: &'static str, error: &ContractError<Rpc>) -> ChainError {
        match error {
            ContractError::Revert(data) => ChainError::Revert { call, reason: crate::revert::words(data) },
            ContractError::ProviderError { e } => crate::rpc::failure(call, &self.host, e),
            other => self.fail(call, format!("{other}; is {:?} a vault on this chain?", self.address())),
        }
    }

    /// What was registered, and in which block (0: nothing yet).
    pub async fn registration(&self) -> Result<(Promise, u64), ChainError> {
        let block = self.contract.registered_block().call().await.map_err(|e| self.refused("registeredBlock", &e))?;
        let registered = self.contract.registration().call().await.map_err(|e| self.refused("registration", &e))?;
        Ok((Promise::of(&registered), block))
    }

    /// The next step and the head it will be made on.
    pub async fn position(&self) -> Result<(u32, [u8; 32]), ChainError> {
        let step = self.contract.next_step().call().await.map_err(|e| self.refused("nextStep", &e))?;
        let head = self.contract.head().call().await.map_err(|e| self.refused("head", &e))?;
        Ok((step, head))
    }

    /// The vault's own accounts now, flows since the last decision included.
    pub async fn balances(&self) -> Result<Balances, ChainError> {
        Ok(Balances {
            quote: self.contract.quote_balance().call().await.map_err(|e| self.refused("quoteBalance", &e))?,
            base: self.contract.base_balance().call().await.map_err(|e| self.refused("baseBalance", &e))?,
            shares: self.contract.total_shares().call().await.map_err(|e| self.refused("totalShares", &e))?,
        })
    }

    /// The tokens that the vault holds and what its own accounts say, of one block. Shares are the same in both.
    pub async fn holdings(&self) -> Result<(Balances, Balances), ChainError> {
        let block = self.block_number().await?;
        let (quote_token, base_token) = self.tokens().await?;
        let held = async |token: Address| {
            let of = Erc20::new(token, Arc::new(self.rpc.clone())).balance_of(self.address()).block(block);
            let raw = of.call().await.map_err(|e| self.refused("balanceOf", &e))?;
            u128::try_from(raw).map_err(|_| ChainError::value("token balance", "128 bits", raw))
        };
        let quote = self.contract.quote_balance().block(block).call().await.map_err(|e| self.refused("quoteBalance", &e))?;
        let base = self.contract.base_balance().block(block).call().await.map_err(|e| self.refused("baseBalance", &e))?;
        let shares = self.contract.total_shares().block(block).call().await.map_err(|e| self.refused("totalShares", &e))?;
        let holds = Balances { quote: held(quote_token).await?, base: held(base_token).await?, shares };
        Ok((holds, Balances { quote, base, shares }))
    }

    /// The only account that can decide.
    pub async fn operator(&self) -> Result<Address, ChainError> {
        self.contract.operator().call().await.map_err(|e| self.refused("operator", &e))
    }

    /// The only pool it trades in.
    pub async fn pool(&self) -> Result<Address, ChainError> {
        self.contract.pool().call().await.map_err(|e| self.refused("pool", &e))
    }

    /// Its quote and base tokens.
    pub async fn tokens(&self) -> Result<(Address, Address), ChainError> {
        let quote = self.contract.quote().call().await.map_err(|e| self.refused("quote", &e))?;
        let base = self.contract.base().call().await.map_err(|e| self.refused("base", &e))?;
        Ok((quote, base))
    }

    /// The observation at `time_s`, from the latest block; refused while that block is older than `time_s`, because the
    /// mean could still change.
    pub async fn observe(&self, time_s: u64) -> Result<Observed, ChainError> {
        self.observe_at(time_s, 0).await
    }

    /// The block that has `confirmations` blocks on top of it.
    async fn block_under(&self, confirmations: u64) -> Result<Block<H256>, ChainError> {
        let at = match confirmations {
            0 => BlockNumber::Latest,
            n => BlockNumber::Number(self.block_number().await?.saturating_sub(n).into()),
        };
        let block = self.rpc.get_block(at).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        block.ok_or_else(|| ChainError::value("block", "one that the node has", format!("none ({confirmations} below the newest)")))
    }

    /// Time of the block that has `confirmations` blocks on top of it, unix seconds.
    pub async fn time_under_s(&self, confirmations: u64) -> Result<u64, ChainError> {
        Ok(self.block_under(confirmations).await?.timestamp.as_u64())
    }

    /// The observation at `time_s`, from the block that has `confirmations` blocks on top of it: a reorganisation of at most so
    /// many blocks changes nothing in it.
    pub async fn observe_at(&self, time_s: u64, confirmations: u64) -> Result<Observed, ChainError> {
        let block = self.block_under(confirmations).await?;
        let (Some(number), Some(hash)) = (block.number, block.hash) else {
            return Err(ChainError::value("latest block", "a number and a hash", "a pending block"));
        };
        if block.timestamp.as_u64() < time_s {
            return Err(ChainError::value("latest block's time", format!("{time_s} or later"), block.timestamp));
        }
        let seen = self.contract.observation(time_s, number.as_u64(), hash.0).block(number.as_u64());
        let seen = seen.call().await.map_err(|e| self.refused("observation", &e))?;
        Ok(Observed::of(&seen))
    }

    /// Hash of a block of the node's chain; none if there is no such block.
    pub async fn block_hash(&self, number: u64) -> Result<Option<[u8; 32]>, ChainError> {
        let block = self.rpc.get_block(number).await.map_err(|e| self.fail("eth_getBlockByNumber", e))?;
        Ok(block.and_then(|b| b.hash).map(|hash| hash.0))
    }

    /// Whether this code is this version's vault, the places of its immutables aside.
    pub(crate) fn is_vault(code: Vec<u8>) -> Result<bool, ChainError> {
        same_code(code, ARTIFACT, &PROBITYVAULT_DEPLOYED_BYTECODE)
    }
}

/// Whether a code is an artifact's, the places of its immutables aside.
pub(crate) fn same_code(mut code: Vec<u8>, artifact: &str, deployed: &[u8]) -> Result<bool, ChainError> {
    let artifact: Artifact = serde_json::from_str(artifact).map_err(|e| ChainError::value("contract artifact", "immutables", e))?;
    if code.len() != deployed.len() {
        return Ok(false);
    }
    for place in artifact.immutables {
        let end = place.start.saturating_add(place.length);
        let here =
            code.get_mut(place.start..end).ok_or_else(|| ChainError::value("contract artifact", "immutables inside the code", end))?;
        here.fill(0);
    }
    Ok(code == deployed)
}
