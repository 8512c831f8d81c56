//! A pool at one block, as a node tells of it: what its oracle says of past seconds, and what a swap would meet there.
//!
//! Everything is asked under the block's hash, so that a reorganisation cannot mix two states. Ticks are read outward from the price,
//! as many as are asked for: whoever swaps there says when it is enough.

use crate::ChainError;
use crate::contracts::{Erc20, Pool};
use crate::rpc::{Rpc, connect, failure, host_of};
use ethers::abi::Detokenize;
use ethers::contract::{ContractCall, ContractError};
use ethers::providers::Middleware;
use ethers::types::{Address, BlockId, BlockNumber, H256, U256};
use std::sync::Arc;

/// Largest tick of a pool, and smallest with the other sign.
const MAX_TICK: i32 = 887_272;

/// A block that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSeen {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its time, unix seconds.
    pub time_s: u64,
    /// Wei a gas that it took.
    pub base_fee_wei: u128,
}

/// The pool's slots at a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotsSeen {
    /// Root price × 2^96, decimal.
    pub sqrt_price_x96: String,
    /// Tick.
    pub tick: i32,
    /// Liquidity in range.
    pub liquidity: u128,
    /// Raw token0 and token1 that the pool holds.
    pub balances: [u128; 2],
}

/// Initialised ticks on one side of the price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Tick, and liquidity added when the price rises through it; the nearest first.
    pub ticks: Vec<(i32, i128)>,
    /// Between the price and this tick, itself included, none is missing; none: there are no others on this side.
    pub known_to: Option<i32>,
}

/// A pool as anyone can read it.
#[derive(Debug, Clone)]
pub struct PoolView {
    rpc: Rpc,
    host: String,
    contract: Pool<Rpc>,
    tokens: [Address; 2],
    /// Ticks between two usable ones.
    spacing: i32,
    fee_pips: u32,
}

impl PoolView {
    /// The pool at an address on the node at a URL.
    pub async fn at(url: &str, pool: Address) -> Result<Self, ChainError> {
        let (rpc, host) = (connect(url)?, host_of(url));
        let contract = Pool::new(pool, Arc::new(rpc.clone()));
        let mut view = Self { rpc, host, contract, tokens: [Address::zero(); 2], spacing: 0, fee_pips: 0 };
        let token0 = view.answer("token0", view.contract.token_0()).await?;
        let token1 = view.answer("token1", view.contract.token_1()).await?;
        view.tokens = [token0, token1];
        view.fee_pips = view.answer("fee", view.contract.fee()).await?;
        view.spacing = view.answer("tickSpacing", view.contract.tick_spacing()).await?;
        if view.spacing < 1 {
            return Err(ChainError::value("tickSpacing", "1 or more", view.spacing));
        }
        Ok(view)
    }

    /// Scheme and host of the node.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Fee, millionths.
    #[must_use]
    pub const fn fee_pips(&self) -> u32 {
        self.fee_pips
    }

    /// Ticks between two usable ones.
    #[must_use]
    pub const fn spacing(&self) -> i32 {
        self.spacing
    }

    /// The block that has so many blocks on top of it.
    pub async fn block_under(&self, confirmations: u64) -> Result<BlockSeen, ChainError> {
        let newest = self.rpc.get_block_number().await.map_err(|e| failure("eth_blockNumber", &self.host, &e))?.as_u64();
        let number = newest.saturating_sub(confirmations);
        self.block(number).await?.ok_or_else(|| ChainError::value("block", "one that the node has", format!("none of number {number}")))
    }

    /// A block of the node's chain; none if there is no such block yet.
    pub async fn block(&self, number: u64) -> Result<Option<BlockSeen>, ChainError> {
        let found = self.rpc.get_block(BlockNumber::Number(number.into())).await;
        let Some(block) = found.map_err(|e| failure("eth_getBlockByNumber", &self.host, &e))? else { return Ok(None) };
        let hash = block.hash.ok_or_else(|| ChainError::value("block", "a hash", "a pending block"))?;
        let fee = block.base_fee_per_gas.ok_or_else(|| ChainError::value("block", "a base fee (EIP-1559)", "none"))?;
        Ok(Some(BlockSeen {
            number,
            hash: hash.0,
            time_s: block.timestamp.as_u64(),
            base_fee_wei: u128::try_from(fee).map_err(|_| ChainError::value("base fee", "128 bits", fee))?,
        }))
    }

    /// Mean tick over `interval_s` seconds up to `time_s`, floor, as a vault would compute it in that block.
    pub async fn mean_tick(&self, block: &BlockSeen, time_s: u64, interval_s: u32) -> Result<i32, ChainError> {
        let late = block.time_s.checked_sub(time_s);
        let late = late.ok_or_else(|| ChainError::value("block's time", format!("{time_s} or later"), block.time_s))?;
        let ago = |s: u64| u32::try_from(s).map_err(|_| ChainError::value("mean tick", "seconds ago below 2^32", s));
        let ages = vec![ago(late.saturating_add(interval_s.into()))?, ago(late)?];
        let (ticks, _) = self.answer_at("observe", self.contract.observe(ages), block).await?;
        let [start, end] = ticks.as_slice() else {
            return Err(ChainError::value("observe", "two cumulative ticks", ticks.len()));
        };
        let mean = end.wrapping_sub(*start).div_euclid(i64::from(interval_s.max(1)));
        i32::try_from(mean).map_err(|_| ChainError::value("mean tick", "a tick of a pool", mean))
    }

    /// The pool's slots and what it holds.
    pub async fn slots(&self, block: &BlockSeen) -> Result<SlotsSeen, ChainError> {
        let (sqrt_price, tick, ..) = self.answer_at("slot0", self.contract.slot_0(), block).await?;
        let liquidity = self.answer_at("liquidity", self.contract.liquidity(), block).await?;
        let mut balances = [0; 2];
        for (token, balance) in self.tokens.iter().zip(&mut balances) {
            let token = Erc20::new(*token, Arc::new(self.rpc.clone()));
            let raw = self.answer_at("balanceOf", token.balance_of(self.contract.address()), block).await?;
            // More than that no swap of ours can ask for.
            *balance = u128::try_from(raw).unwrap_or(u128::MAX >> 1);
        }
        Ok(SlotsSeen { sqrt_price_x96: sqrt_price.to_string(), tick, liquidity, balances })
    }

    /// Initialised ticks at or below (`down`), or above, a tick: at most so many, out of at most so many words of 256 usable ticks.
    pub async fn reach(&self, block: &BlockSeen, from: i32, down: bool, most: usize, words: u32) -> Result<Reach, ChainError> {
        let last = (if down { -MAX_TICK } else { MAX_TICK }).div_euclid(self.spacing) >> 8;
        let slot = from.div_euclid(self.spacing) + i32::from(!down);
        let (first, mut ticks) = (slot >> 8, Vec::new());
        let count = i32::try_from(words).unwrap_or(i32::MAX).min((last - first).abs().saturating_add(1));
        for n in 0..count {
            let word = if down { first - n } else { first + n };
            let name = i16::try_from(word).map_err(|_| ChainError::value("tickBitmap", "a word of a pool", word))?;
            let bits: U256 = self.answer_at("tickBitmap", self.contract.tick_bitmap(name), block).await?;
            for k in 0..256 {
                let bit = if down { 255 - k } else { k };
                let at = (word << 8) | bit;
                let beyond = n == 0 && if down { at > slot } else { at < slot };
                if beyond || !bits.bit(usize::try_from(bit).unwrap_or(0)) {
                    continue;
                }
                let tick = at * self.spacing;
                if ticks.len() >= most {
                    return Ok(Reach { ticks, known_to: Some(if down { tick + 1 } else { tick - 1 }) });
                }
                let (_, net, ..) = self.answer_at("ticks", self.contract.ticks(tick), block).await?;
                ticks.push((tick, net));
            }
        }
        let end = if down { first - count + 1 } else { first + count };
        let known_to = (end << 8) * self.spacing - i32::from(!down);
        let all = count > (last - first).abs();
        Ok(Reach { ticks, known_to: (!all).then_some(known_to) })
    }

    async fn answer<T: Detokenize>(&self, name: &'static str, call: ContractCall<Rpc, T>) -> Result<T, ChainError> {
        call.call().await.map_err(|e| self.refused(name, &e))
    }

    async fn answer_at<T: Detokenize>(&self, name: &'static str, call: ContractCall<Rpc, T>, block: &BlockSeen) -> Result<T, ChainError> {
        self.answer(name, call.block(BlockId::Hash(H256(block.hash)))).await
    }

    fn refused(&self, call: &'static str, error: &ContractError<Rpc>) -> ChainError {
        match error {
            ContractError::Revert(data) => ChainError::Revert { call, reason: crate::revert::words(data) },
            ContractError::ProviderError { e } => failure(call, &self.host, e),
            other => ChainError::Rpc {
                call,
                rpc: self.host.clone(),
                reason: format!("{other}; is {:?} a Uniswap v3 pool there?", self.contract.address()),
            },
        }
    }
}
