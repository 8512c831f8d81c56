//! A recorded pool: JSON with the pool's slots and its initialised ticks, checked before it is used.

use super::{Pool, PoolError, Tick, TickTable, U256};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A pool as it stood after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The block.
    pub block: u64,
    /// Address of token0, as written.
    pub token0: String,
    /// Address of token1, as written.
    pub token1: String,
    /// The pool.
    pub pool: Pool,
}

#[derive(Deserialize)]
struct File {
    token0: String,
    token1: String,
    fee: u32,
    tick_spacing: i32,
    state_after_block: u64,
    #[serde(rename = "sqrtPriceX96")]
    sqrt_price_x96: String,
    tick: i32,
    liquidity: String,
    balance0: String,
    balance1: String,
    ticks: BTreeMap<String, FileTick>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileTick {
    liquidity_gross: String,
    liquidity_net: String,
}

fn number<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, PoolError> {
    text.parse().map_err(|_| PoolError::value(field, "a decimal integer in a string", text))
}

impl Snapshot {
    /// Reads a snapshot: `token0`, `token1`, `fee`, `tick_spacing`, `state_after_block`, `sqrtPriceX96`, `tick`,
    /// `liquidity`, `balance0`, `balance1` and `ticks` (`liquidityGross`, `liquidityNet`); further keys are ignored.
    pub fn parse(text: &str) -> Result<Self, PoolError> {
        let file: File = serde_json::from_str(text).map_err(|e| PoolError::value("snapshot", "JSON of a pool with its ticks", e))?;
        let sqrt_price = U256::from_str_radix(&file.sqrt_price_x96, 10)
            .map_err(|_| PoolError::value("sqrtPriceX96", "a decimal integer in a string", &file.sqrt_price_x96))?;
        let mut pool = Pool::new(file.fee, file.tick_spacing, sqrt_price)?;
        let mut ticks = TickTable::new(file.tick_spacing)?;
        for (index, tick) in &file.ticks {
            let gross: u128 = number("liquidityGross", &tick.liquidity_gross)?;
            if gross == 0 {
                return Err(PoolError::value("liquidityGross", "above 0 for a listed tick", 0));
            }
            ticks.set(Tick { index: number("ticks", index)?, gross, net: number("liquidityNet", &tick.liquidity_net)? })?;
        }
        pool.check_tick(file.tick)?;
        let over = || PoolError::Overflow { field: "liquidity" };
        let (mut below, mut all) = (0i128, 0i128);
        for t in ticks.ticks() {
            all = all.checked_add(t.net).ok_or_else(over)?;
            if t.index <= file.tick {
                below = all;
            }
        }
        let liquidity: u128 = number("liquidity", &file.liquidity)?;
        if u128::try_from(below).ok() != Some(liquidity) {
            return Err(PoolError::value("liquidity", format!("{below}, the sum of liquidityNet up to the tick"), liquidity));
        }
        if all != 0 {
            return Err(PoolError::value("ticks", "a sum of liquidityNet of 0", all));
        }
        (pool.tick, pool.liquidity, pool.ticks) = (file.tick, liquidity, ticks);
        pool.balances = [number("balance0", &file.balance0)?, number("balance1", &file.balance1)?];
        Ok(Self { block: file.state_after_block, token0: file.token0, token1: file.token1, pool })
    }
}
