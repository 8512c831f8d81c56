//! The market that a development chain is moved along: a recorded series, or a simulated path that says so.

use anyhow::{Context, Result, ensure};
use probity_backtest::{Dataset, Scale, price_from_decimal};
use probity_strategy::Price;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which market: enough to build the same path again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum MarketChoice {
    /// Bars of a file that open at `from_s ≤ time < to_s`.
    Recorded {
        /// The file.
        file: PathBuf,
        /// First bar, unix seconds.
        from_s: u64,
        /// Bars before this time, unix seconds.
        to_s: u64,
    },
    /// A seeded random walk.
    Simulated {
        /// Seed.
        seed: u64,
        /// First price, whole units of quote a base.
        #[serde(alias = "start_usdc")]
        start_quote_units: u64,
        /// Deviation of one step, bps.
        step_bps: u32,
        /// Seconds between bars.
        interval_s: u32,
        /// Bars.
        bars: u32,
    },
}

/// One interval of the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MarketBar {
    /// Unix time the interval opens at, seconds.
    pub(crate) open_s: u64,
    /// Price that the pool is moved to, quote raw a base raw × 2^64.
    pub(crate) price: Price,
}

/// A path.
#[derive(Debug, Clone)]
pub(crate) struct MarketPath {
    /// Seconds of one interval.
    pub(crate) interval_s: u32,
    /// The intervals, in time; absent ones stay absent.
    pub(crate) bars: Vec<MarketBar>,
    /// Where the prices come from, for people.
    pub(crate) source: String,
    /// Whether the prices are made up.
    pub(crate) simulated: bool,
}

/// Time of the first simulated bar, on every whole minute's grid.
const SIMULATED_FROM_S: u64 = 1_700_006_400;

impl MarketPath {
    /// Builds the path of a choice.
    pub(crate) fn of(choice: &MarketChoice, scale: Scale) -> Result<Self> {
        match choice {
            MarketChoice::Recorded { file, from_s, to_s } => {
                let data =
                    Dataset::read(file, scale, Some(*from_s), Some(*to_s)).with_context(|| format!("--market {}", file.display()))?;
                let bars = data.bars.iter().map(|b| MarketBar { open_s: b.open_s, price: b.close }).collect();
                let absent = if data.gaps.missing > 0 { format!(", {} bars absent", data.gaps.missing) } else { String::new() };
                let source = format!("recorded market {} (sha256 {}…{absent})", file.display(), data.sha256.get(..16).unwrap_or(""));
                Ok(Self { interval_s: data.interval_s, bars, source, simulated: false })
            }
            MarketChoice::Simulated { seed, start_quote_units, step_bps, interval_s, bars } => {
                ensure!(*interval_s > 0, "mandate.interval_s: expected 1 or more, got 0");
                let micro = walk(*seed, *start_quote_units, *step_bps, *bars);
                let opens = (SIMULATED_FROM_S - SIMULATED_FROM_S % u64::from(*interval_s)..).step_by(usize::try_from(*interval_s)?);
                let price = |p: &u128| {
                    price_from_decimal(&format!("{}.{:06}", p / 1_000_000, p % 1_000_000), scale).with_context(|| {
                        format!("market.start_quote_units: a price of {start_quote_units} does not fit tokens of these decimals")
                    })
                };
                let bars = micro.iter().zip(opens).map(|(p, open_s)| Ok(MarketBar { open_s, price: price(p)? })).collect::<Result<_>>()?;
                let source = format!("SIMULATED market (seeded random walk, seed {seed})");
                Ok(Self { interval_s: *interval_s, bars, source, simulated: true })
            }
        }
    }

    /// The path in a chain's future: a recorded one keeps its times unless the chain is past them, then it is moved forward by
    /// whole intervals; a simulated one starts at the chain's next interval. How far a recorded one was moved, seconds.
    pub(crate) fn after(mut self, now_s: u64) -> (Self, u64) {
        let interval = u64::from(self.interval_s.max(1));
        let first = self.bars.first().map_or(now_s, |b| b.open_s);
        if self.simulated {
            let start = (now_s / interval + 1) * interval;
            for bar in &mut self.bars {
                bar.open_s = bar.open_s - first + start;
            }
            return (self, 0);
        }
        let shift = if first > now_s { 0 } else { ((now_s - first) / interval + 1) * interval };
        for bar in &mut self.bars {
            bar.open_s += shift;
        }
        (self, shift)
    }
}

/// A seeded random walk whose drift changes sign now and then; quote units times 10^6.
fn walk(seed: u64, start_quote_units: u64, step_bps: u32, bars: u32) -> Vec<u128> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = move || f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0);
    let sigma = f64::from(step_bps) / 10_000.0;
    let (mut log_price, mut drift) = (0.0f64, 0.5f64);
    let start = u128::from(start_quote_units) * 1_000_000;
    (0..bars)
        .map(|_| {
            if uniform() < 0.1 {
                drift = 2.0 * uniform() - 1.0;
            }
            // Irwin–Hall: the sum of twelve uniforms is close to normal with variance one.
            let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            log_price = (log_price + sigma * (normal + drift)).clamp(-2.0, 2.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a simulated price needs no exactness"
            )]
            let price = (start as f64 * log_price.exp()) as u128;
            price
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_path() {
        assert_eq!(walk(1, 2_000, 60, 100), walk(1, 2_000, 60, 100));
        assert_ne!(walk(1, 2_000, 60, 100), walk(2, 2_000, 60, 100));
        assert!(walk(1, 2_000, 60, 100).iter().all(|p| (200_000_000..20_000_000_000).contains(p)));
    }

    #[test]
    fn a_path_moves_by_whole_intervals() {
        let choice = MarketChoice::Simulated { seed: 1, start_quote_units: 2_000, step_bps: 60, interval_s: 300, bars: 3 };
        let path = MarketPath::of(&choice, Scale::default()).unwrap();
        assert!(path.simulated && path.source.contains("SIMULATED"));
        assert_eq!(path.clone().after(1_000_000_001).0.bars[0].open_s, 1_000_000_200, "a simulated path starts when the chain does");
        let recorded = MarketPath { simulated: false, ..path };
        let first = recorded.bars[0].open_s;
        assert_eq!(recorded.clone().after(first - 1).1, 0);
        assert_eq!(recorded.clone().after(first).1, 300);
        let (moved, shift) = recorded.after(first + 301);
        assert_eq!((shift, moved.bars[0].open_s), (600, first + 600));
    }
}
