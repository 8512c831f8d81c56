//! From bars to what the engine sees.
//!
//! Assumptions, because recorded bars carry no oracle: the mean tick of an interval is the tick of the bar's close, the
//! observation is made at the bar's close (open time + interval), and there is no chain (block number and hash are 0).

use crate::Dataset;
use probity_strategy::{Amount, Fill, Observation, Price, price_x64, tick_at_price};

/// A bar as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// Unix time of the bar's close, seconds.
    pub time_s: u64,
    /// Tick of the close in the pool, i24 (mirrored where base is token1).
    pub tick: i32,
    /// Price at that tick.
    pub price_x64: Price,
}

/// The observations of a dataset, in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Seconds between observations.
    pub interval_s: u32,
    /// The bars.
    pub quotes: Vec<Quoted>,
}

impl Feed {
    /// Turns every bar into its closing quote; `base_is_token1` as in the mandate only mirrors the tick.
    #[must_use]
    pub fn of(data: &Dataset, base_is_token1: bool) -> Self {
        let quotes = data
            .bars
            .iter()
            .map(|bar| {
                let x = tick_at_price(bar.close);
                let tick = if base_is_token1 { -x } else { x };
                Quoted { time_s: bar.open_s + u64::from(data.interval_s), tick, price_x64: price_x64(x) }
            })
            .collect();
        Self { interval_s: data.interval_s, quotes }
    }
}

impl Quoted {
    /// The observation at this quote for the given accounts.
    #[must_use]
    pub fn observe(&self, step: u32, quote: Amount, base: Amount, shares: Amount, fill: Option<Fill>) -> Observation {
        Observation {
            step,
            time_s: self.time_s,
            block_number: 0,
            block_hash: [0; 32],
            mean_tick: self.tick,
            price_x64: self.price_x64,
            quote,
            base,
            shares,
            fill,
        }
    }
}
