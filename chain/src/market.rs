//! The market on a development chain: accounts get tokens, and an arbitrageur moves the pool's price.
//!
//! The arbitrageur trades like anybody: through the real swap router, up to a limit of the price. Only its money is made up.

use crate::ChainError;
use crate::contracts::{Erc20, ExactInputSingle, Pool, SwapFilter, SwapRouter};
use crate::devchain::DevChain;
use crate::impersonate::{act, assume};
use crate::mainnet::SWAP_ROUTER;
use crate::pool::{PoolInfo, sqrt_price_of};
use ethers::contract::EthEvent;
use ethers::providers::Middleware;
use ethers::types::{Address, H160, U256};
use serde_json::{Value, json};
use std::sync::Arc;

/// The arbitrageur: an account nobody has the key of.
const ARBITRAGEUR: Address = H160(*b"probity arbitrageur.");
/// Raw tokens it has: as many as any pool can take, and far from any overflow.
const WEALTH: u128 = 1 << 120;
/// Raw tokens it offers for one move.
const OFFER: u128 = 1 << 112;

/// What it took to move a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Tick afterwards.
    pub tick: i32,
    /// Raw tokens paid in; 0 if the pool stood there already.
    pub amount_in: u128,
    /// Block of the swap, or the latest one.
    pub block_number: u64,
}

impl DevChain {
    /// Sets an account's balance of a token by writing the token's storage. The supply does not change: these are tokens out
    /// of nothing. Works with tokens that keep balances in a mapping, which USDC, WETH and the stand-ins do.
    pub async fn fund_token(&self, token: Address, account: Address, raw: u128) -> Result<(), ChainError> {
        let node = self.node()?;
        node.ask::<_, Value>("anvil_dealERC20", json!([account, token, U256::from(raw)])).await?;
        let got = self.balance(token, account).await?;
        if got != U256::from(raw) {
            return Err(ChainError::value("token balance", raw, got));
        }
        Ok(())
    }

    async fn balance(&self, token: Address, account: Address) -> Result<U256, ChainError> {
        let contract = Erc20::new(token, Arc::new(self.node()?.rpc.clone()));
        let fail = |e: ethers::contract::ContractError<crate::Rpc>| rpc_error("balanceOf", &e);
        contract.balance_of(account).call().await.map_err(fail)
    }

    /// Swaps through the router until the pool stands at a price (quote raw per base raw × 2^64).
    pub async fn move_price(&self, pool: &PoolInfo, price_x64: u128) -> Result<Moved, ChainError> {
        let node = self.node()?;
        let client = Arc::new(node.rpc.clone());
        let target = sqrt_price_of(price_x64, pool.base_is_token1)?;
        let contract = Pool::new(pool.address, client.clone());
        let (now, tick, ..) = contract.slot_0().call().await.map_err(|e| rpc_error("slot0", &e))?;
        if now == target {
            let latest = node.rpc.get_block_number().await;
            let block = latest.map_err(|e| crate::rpc::failure("eth_blockNumber", "the development chain", &e))?;
            return Ok(Moved { tick, amount_in: 0, block_number: block.as_u64() });
        }
        // A falling price of token0 means that token0 goes in.
        let (token_in, token_out) = if target < now { (pool.token0, pool.token1) } else { (pool.token1, pool.token0) };
        assume(node, ARBITRAGEUR).await?;
        if self.balance(token_in, ARBITRAGEUR).await? < U256::from(OFFER) {
            self.fund_token(token_in, ARBITRAGEUR, WEALTH).await?;
        }
        let token = Erc20::new(token_in, client.clone());
        let allowed = token.allowance(ARBITRAGEUR, SWAP_ROUTER).call().await.map_err(|e| rpc_error("allowance", &e))?;
        if allowed < U256::from(OFFER) {
            act(node, "approve", ARBITRAGEUR, Some(token_in), token.approve(SWAP_ROUTER, U256::MAX).calldata(), 0).await?;
        }
        let order = ExactInputSingle {
            token_in,
            token_out,
            fee: pool.fee_pips,
            recipient: ARBITRAGEUR,
            deadline: U256::MAX,
            amount_in: U256::from(OFFER),
            amount_out_minimum: U256::zero(),
            sqrt_price_limit_x96: target,
        };
        let data = SwapRouter::new(SWAP_ROUTER, client).exact_input_single(order).calldata();
        let receipt = act(node, "exactInputSingle", ARBITRAGEUR, Some(SWAP_ROUTER), data, 0).await?;
        let mut swaps =
            receipt.logs.iter().filter(|log| log.address == pool.address && log.topics.first() == Some(&SwapFilter::signature()));
        let log = swaps.next().ok_or_else(|| ChainError::value("Swap event", "one of the pool", "none"))?;
        let swap = <SwapFilter as EthEvent>::decode_log(&(log.topics.clone(), log.data.to_vec()).into());
        let swap = swap.map_err(|e| ChainError::value("Swap event", "the pool's", e))?;
        if swap.sqrt_price_x96 != target {
            return Err(ChainError::value("pool's square-root price", target, format!("{}: the pool ran dry", swap.sqrt_price_x96)));
        }
        let paid = if target < now { swap.amount_0 } else { swap.amount_1 };
        Ok(Moved {
            tick: swap.tick,
            amount_in: u128::try_from(paid).map_err(|_| ChainError::value("amount paid", "128 bits", paid))?,
            block_number: receipt.block_number.ok_or_else(|| ChainError::value("receipt", "a block", "none"))?.as_u64(),
        })
    }
}

fn rpc_error(call: &'static str, error: &ethers::contract::ContractError<crate::Rpc>) -> ChainError {
    ChainError::Rpc { call, rpc: "the development chain".into(), reason: error.to_string() }
}
