//! A Uniswap v3 pool and its two tokens, as a node tells of them now, and prices in the pool's terms.

use crate::ChainError;
use crate::contracts::{Erc20, Pool};
use crate::rpc::{Rpc, connect, host_of};
use ethers::abi::{ParamType, Token};
use ethers::providers::Middleware;
use ethers::types::{Address, TransactionRequest, U256, U512};
use std::sync::Arc;

/// One token of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its contract.
    pub address: Address,
    /// What it calls itself; not to be trusted.
    pub symbol: String,
    /// Decimals of its unit.
    pub decimals: u8,
}

/// A pool, seen from a quote token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolInfo {
    /// Its contract.
    pub address: Address,
    /// Lower token.
    pub token0: Address,
    /// Higher token.
    pub token1: Address,
    /// Fee, millionths.
    pub fee_pips: u32,
    /// What prices are counted in.
    pub quote: TokenInfo,
    /// What is priced.
    pub base: TokenInfo,
    /// Whether the base token is token1.
    pub base_is_token1: bool,
    /// Current tick.
    pub tick: i32,
    /// Current price, quote raw per base raw × 2^64, floor.
    pub price_x64: u128,
    /// Liquidity in range.
    pub liquidity: u128,
    /// Observations the pool's oracle keeps.
    pub cardinality: u16,
}

impl PoolInfo {
    /// Asks the node at a URL about a pool, with `quote` as the token that prices are counted in.
    pub async fn read(url: &str, pool: Address, quote: Address) -> Result<Self, ChainError> {
        let rpc = connect(url)?;
        let host = host_of(url);
        let fail = |call| {
            let host = host.clone();
            move |reason: ethers::contract::ContractError<Rpc>| ChainError::Rpc {
                call,
                rpc: host,
                reason: format!("{reason}; is {pool:?} a Uniswap v3 pool there?"),
            }
        };
        let contract = Pool::new(pool, Arc::new(rpc.clone()));
        let token0 = contract.token_0().call().await.map_err(fail("token0"))?;
        let token1 = contract.token_1().call().await.map_err(fail("token1"))?;
        let fee_pips = contract.fee().call().await.map_err(fail("fee"))?;
        let (sqrt, tick, _, cardinality, ..) = contract.slot_0().call().await.map_err(fail("slot0"))?;
        let liquidity = contract.liquidity().call().await.map_err(fail("liquidity"))?;
        let base = match quote {
            q if q == token0 => token1,
            q if q == token1 => token0,
            _ => return Err(ChainError::value("quote token", format!("{token0:?} or {token1:?}, the pool's"), format!("{quote:?}"))),
        };
        let base_is_token1 = base == token1;
        Ok(Self {
            address: pool,
            token0,
            token1,
            fee_pips,
            quote: TokenInfo::read(&rpc, &host, quote).await?,
            base: TokenInfo::read(&rpc, &host, base).await?,
            base_is_token1,
            tick,
            price_x64: price_of(sqrt, base_is_token1)?,
            liquidity,
            cardinality,
        })
    }
}

impl TokenInfo {
    async fn read(rpc: &Rpc, host: &str, address: Address) -> Result<Self, ChainError> {
        let fail = |call, reason: String| ChainError::Rpc { call, rpc: host.to_owned(), reason };
        let token = Erc20::new(address, Arc::new(rpc.clone()));
        let decimals = token.decimals().call().await.map_err(|e| fail("decimals", e.to_string()))?;
        let ask = TransactionRequest::new().to(address).data(token.symbol().calldata().unwrap_or_default());
        let answer = rpc.call(&ask.into(), None).await.map_err(|e| fail("symbol", e.to_string()))?;
        // Some old tokens answer with 32 bytes in place of a string.
        let symbol = match ethers::abi::decode(&[ParamType::String], &answer).as_deref() {
            Ok([Token::String(text)]) => text.clone(),
            _ => String::from_utf8_lossy(&answer).trim_end_matches('\0').to_owned(),
        };
        let symbol: String = symbol.chars().filter(|c| c.is_ascii_graphic()).take(16).collect();
        Ok(Self { address, symbol, decimals })
    }
}

/// The pool's square-root price × 2^96 at a price of quote raw per base raw × 2^64.
pub(crate) fn sqrt_price_of(price_x64: u128, base_is_token1: bool) -> Result<U256, ChainError> {
    let price = U512::from(price_x64);
    if price.is_zero() {
        return Err(ChainError::value("price", "1 or more (quote raw per base raw x 2^64)", 0));
    }
    // Quote is token0 where base is token1: the pool's price is then the inverse.
    let square = if base_is_token1 { (U512::one() << 256) / price } else { price << 128 };
    let root = square.integer_sqrt();
    U256::try_from(root).map_err(|_| ChainError::value("price", "one a pool can stand at", price_x64))
}

/// Quote raw per base raw × 2^64 at a square-root price × 2^96, floor.
pub(crate) fn price_of(sqrt_price_x96: U256, base_is_token1: bool) -> Result<u128, ChainError> {
    let square = U512::from(sqrt_price_x96) * U512::from(sqrt_price_x96);
    if square.is_zero() {
        return Err(ChainError::value("pool", "an initialised one", "price 0"));
    }
    let price = if base_is_token1 { (U512::one() << 256) / square } else { square >> 128 };
    u128::try_from(price).map_err(|_| ChainError::value("pool's price", "below 2^128 (quote raw per base raw x 2^64)", price))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{price_of, sqrt_price_of};

    #[test]
    fn prices_come_back_from_their_square_roots() {
        for price in [1u128 << 19, 55_340_232_221, u128::from(u64::MAX), 1 << 95] {
            for base_is_token1 in [true, false] {
                let back = price_of(sqrt_price_of(price, base_is_token1).unwrap(), base_is_token1).unwrap();
                assert!(back.abs_diff(price) <= 1 + (price >> 50), "{price} came back as {back}");
            }
        }
        assert!(sqrt_price_of(0, true).is_err());
    }
}
