//! A look at a chain before anything is risked on it: who has what, whose pool it is, what code stands where.

use crate::ChainError;
use crate::contracts::{Erc20, Factory, Pool};
use crate::rpc::{Rpc, connect, failure, host_of};
use crate::view::VaultView;
use ethers::contract::ContractError;
use ethers::providers::Middleware;
use ethers::types::{Address, BlockNumber, U256};
use ethers::utils::keccak256;
use std::sync::Arc;

/// A node that is asked about what is there.
#[derive(Debug, Clone)]
pub struct Survey {
    rpc: Rpc,
    host: String,
}

/// The node's newest block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Its number.
    pub number: u64,
    /// Its time, unix seconds.
    pub time_s: u64,
    /// Wei a gas that it took.
    pub base_fee_wei: u128,
}

impl Survey {
    /// Of the node at a URL.
    pub fn at(url: &str) -> Result<Self, ChainError> {
        Ok(Self { rpc: connect(url)?, host: host_of(url) })
    }

    /// The newest block.
    pub async fn newest(&self) -> Result<Newest, ChainError> {
        let block = self.rpc.get_block(BlockNumber::Latest).await.map_err(|e| failure("eth_getBlockByNumber", &self.host, &e))?;
        let block = block.ok_or_else(|| ChainError::value("latest block", "a block", "none"))?;
        let fee = block.base_fee_per_gas.ok_or_else(|| ChainError::value("latest block", "a base fee (EIP-1559)", "none"))?;
        Ok(Newest {
            number: block.number.unwrap_or_default().as_u64(),
            time_s: block.timestamp.as_u64(),
            base_fee_wei: u128::try_from(fee).map_err(|_| ChainError::value("base fee", "128 bits", fee))?,
        })
    }

    /// An account's wei.
    pub async fn wei(&self, account: Address) -> Result<u128, ChainError> {
        let wei = self.rpc.get_balance(account, None).await.map_err(|e| failure("eth_getBalance", &self.host, &e))?;
        Ok(saturated(wei))
    }

    /// An account's raw units of a token.
    pub async fn raw(&self, token: Address, account: Address) -> Result<u128, ChainError> {
        let contract = Erc20::new(token, Arc::new(self.rpc.clone()));
        contract.balance_of(account).call().await.map(saturated).map_err(|e| self.fail("balanceOf", &e))
    }

    /// The factory that a pool names, and whether that factory names the pool for its tokens and fee.
    pub async fn factory(&self, pool: Address) -> Result<(Address, bool), ChainError> {
        let client = Arc::new(self.rpc.clone());
        let contract = Pool::new(pool, client.clone());
        let factory = contract.factory().call().await.map_err(|e| self.fail("factory", &e))?;
        let token0 = contract.token_0().call().await.map_err(|e| self.fail("token0", &e))?;
        let token1 = contract.token_1().call().await.map_err(|e| self.fail("token1", &e))?;
        let fee = contract.fee().call().await.map_err(|e| self.fail("fee", &e))?;
        let named = Factory::new(factory, client).get_pool(token0, token1, fee).call().await.map_err(|e| self.fail("getPool", &e))?;
        Ok((factory, named == pool))
    }

    fn fail(&self, call: &'static str, error: &ContractError<Rpc>) -> ChainError {
        ChainError::Rpc { call, rpc: self.host.clone(), reason: error.to_string() }
    }
}

impl VaultView {
    /// keccak-256 of the code at the vault's address, its immutables included.
    pub async fn code_hash(&self) -> Result<[u8; 32], ChainError> {
        Ok(keccak256(self.rpc.get_code(self.address(), None).await.map_err(|e| self.fail("eth_getCode", e))?))
    }
}

fn saturated(v: U256) -> u128 {
    u128::try_from(v).unwrap_or(u128::MAX)
}
