//! From bars to what the engine sees.
//!
//! Assumptions, because recorded bars carry no oracle: the mean tick of an interval is the tick of the bar's close, the
//! observation is made at the bar's close (open time + interval), and there is no chain (block number and hash are 0).

use crate::Dataset;
use crate::metrics::float;
use crate::v3::{TICKS_OF_LOG2_X16, U256, log2_x16, sqrt_ratio_at_tick};
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

/// The engine's price at a tick, by the pool's root price: the same number, sooner.
fn price_at(x: i32) -> Price {
    let [a, b, c, _] = sqrt_ratio_at_tick(x).map_or([0; 4], |root| *root.as_limbs());
    if c != 0 {
        return price_x64(x);
    }
    // The square of the root price, less its lower 128 bits.
    let (low, high) = (u128::from(a), u128::from(b));
    let cross = low * high;
    let middle = ((low * low) >> 64) + 2 * (cross & u128::from(u64::MAX));
    Price::saturating(high * high + 2 * (cross >> 64) + (middle >> 64))
}

/// `tick_at_price` and the price there, from the logarithm: one price is tried in place of twenty, a few near the edge of a tick.
fn tick_at(price: Price) -> (i32, Price) {
    if let Some(x) = well_within(price) {
        return (x, price_at(x));
    }
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

/// The tick of a price that is well away from the tick's edges. The price at a tick is rounded down by less than one unit, a
/// hundred-thousandth of a tick from 2^30 on, and the logarithm is better than that.
fn well_within(price: Price) -> Option<i32> {
    /// 1 / ln(1.0001).
    const TICKS: f64 = 10_000.499_991_667_083;
    let p = price.x64();
    let near = (float(p) / 18_446_744_073_709_551_616.0).ln() * TICKS;
    let whole = near.floor();
    let sure = p >> 30 != 0 && (0.001..0.999).contains(&(near - whole));
    let inside = whole > f64::from(MIN_X) && whole < f64::from(MAX_X);
    (sure && inside).then(|| integer(whole))
}

#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "within the ticks of the engine")]
fn integer(v: f64) -> i32 {
    v as i32
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
    fn every_tick_has_the_engines_price() {
        for x in (MIN_X..=MAX_X).step_by(7) {
            assert_eq!(price_at(x), price_x64(x), "{x}");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for price in [Price::MIN, Price::MAX, price_x64(MIN_X), price_x64(MAX_X)] {
            assert_eq!(tick_at(price).0, tick_at_price(price));
        }
    }
}
