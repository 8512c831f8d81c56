//! A Uniswap v3 pool in exact integers: what a swap gives and takes, to the last unit.
//!
//! Written from the Uniswap v3 core white paper (2021) and the documented rounding of each operation; every rounding is
//! against the trader. Kept: price, tick, liquidity, the tick table with its words of 256 ticks (a swap pauses at the end
//! of a word, and each pause rounds), exact-input and exact-output swaps with a price limit, adding and removing
//! liquidity, the pool's balances. Not kept: fee growth and what a position has earned, the oracle, the protocol's share
//! of the fee (it is taken out of the fee and changes no swap), flash loans, the cap on liquidity in one tick.

mod delta;
mod error;
mod pool;
mod root;
mod snapshot;
mod step;
mod tick;
mod ticks;
mod wide;

use root::Root;

pub(crate) use tick::{TICKS_OF_LOG2_X16, log2_x16};

pub use error::PoolError;
pub use pool::{Direction, Exact, Pool, Swap};
pub use snapshot::Snapshot;
pub use tick::{MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, sqrt_ratio_at_tick, tick_at_sqrt_ratio};
pub use ticks::{Tick, TickTable};
pub use wide::U256;
