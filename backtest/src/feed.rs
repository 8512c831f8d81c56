//! From bars to what the engine sees.
//!
//! Assumptions, because recorded bars carry no oracle: the mean tick of an interval is the tick of the bar's close, the
//! observation is made at the bar's close (open time + interval), and there is no chain (block number and hash are 0).

use crate::Dataset;
use crate::v3::{TICKS_OF_LOG2_X16, U256, log2_x16};
use probity_strategy::{Amount, Fill, MAX_X, MIN_X, Observation, Price, price_x64};

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
                let (x, price_x64) = tick_at(bar.close);
                let tick = if base_is_token1 { -x } else { x };
                Quoted { time_s: bar.open_s + u64::from(data.interval_s), tick, price_x64 }
            })
            .collect();
        Self { interval_s: data.interval_s, quotes }
    }
}

/// `tick_at_price` and the price there, from the logarithm: a few prices are tried in place of twenty.
fn tick_at(price: Price) -> (i32, Price) {
    // A price is the square of a root price: half as many ticks to a unit of its log2.
    let guess = ((log2_x16(U256::from(price.x64())) - 64 * 65_536) * TICKS_OF_LOG2_X16) >> 33;
    let mut x = i32::try_from(guess).unwrap_or(0).clamp(MIN_X, MAX_X);
    let mut at = price_x64(x);
    while at > price && x > MIN_X {
        x -= 1;
        at = price_x64(x);
    }
    while x < MAX_X {
        let next = price_x64(x + 1);
        if next > price {
            break;
        }
        (x, at) = (x + 1, next);
    }
    (x, at)
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

#[cfg(test)]
mod tests {
    use super::*;
    use probity_strategy::tick_at_price;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_tick_is_that_of_the_search(bits in 0u32..97, v in any::<u128>()) {
            let price = Price::saturating(v >> (128 - bits).min(127));
            let x = tick_at_price(price);
            prop_assert_eq!(tick_at(price), (x, price_x64(x)));
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for price in [Price::MIN, Price::MAX, price_x64(MIN_X), price_x64(MAX_X)] {
            assert_eq!(tick_at(price).0, tick_at_price(price));
        }
    }
}
