//! How an order reaches the market: how many blocks later, whether at all, and what its gas costs.
//!
//! The default is the ideal: in the block of the observation, always, at the flat price of gas of the frictions.

use crate::v3::U256;
use crate::{BacktestError, Dataset, Feed, Quoted, vault};
use probity_strategy::Price;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// How orders are carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Execution {
    /// Blocks from the observation's to the order's.
    pub latency_blocks: u32,
    /// Seconds of a block.
    pub block_s: u32,
    /// Prices between the bars; without them a later order meets the next close.
    pub path: Option<Arc<Dataset>>,
    /// Orders out of 10,000 that never get into a block.
    pub failure_bps: u16,
    /// Which ones.
    pub failure_seed: u64,
    /// Gas at recorded prices, in place of the flat sum.
    pub gas: Option<Gas>,
}

/// Gas of one order, at recorded prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gas {
    /// Gas of an order's transaction, filled or not.
    pub units: u64,
    /// Paid above the base fee, wei for one gas.
    pub tip_wei: u64,
    /// Base fees.
    pub prices: Arc<GasPrices>,
}

/// A series of base fees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GasPrices {
    /// SHA-256 of the file.
    pub sha256: String,
    /// Unix time and wei for one gas, in time.
    rows: Vec<(u64, u64)>,
}

/// Seconds for which a base fee is taken to hold; longer silence is refused.
const HOLDS_S: u64 = 86_400;

impl GasPrices {
    /// Reads a CSV with the columns `time_s` and `base_fee_wei`, its times rising.
    pub fn read(path: &Path) -> Result<Self, BacktestError> {
        let bytes = std::fs::read(path).map_err(|source| BacktestError::Read { path: path.display().to_string(), source })?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes.as_slice());
        let bad = |line, field, expected: &str, got: &str| BacktestError::Line { line, field, expected: expected.into(), got: got.into() };
        let header = reader.headers().map_err(|e| bad(1, "header", "time_s,base_fee_wei", &e.to_string()))?.clone();
        if header.iter().ne(["time_s", "base_fee_wei"]) {
            return Err(bad(1, "header", "time_s,base_fee_wei", &header.iter().collect::<Vec<_>>().join(",")));
        }
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for (row, line) in reader.records().zip(2u64..) {
            let row = row.map_err(|e| bad(line, "row", "two columns", &e.to_string()))?;
            let number = |i: usize, field| {
                let text = row.get(i).unwrap_or("");
                text.parse::<u64>().map_err(|_| bad(line, field, "a whole number below 2^64", text))
            };
            let (time_s, fee) = (number(0, "time_s")?, number(1, "base_fee_wei")?);
            if let Some((before, _)) = rows.last().filter(|(t, _)| *t >= time_s) {
                return Err(bad(line, "time_s", &format!("later than {before}"), &time_s.to_string()));
            }
            rows.push((time_s, fee));
        }
        Ok(Self { sha256: hex::encode(Sha256::digest(&bytes)), rows })
    }

    /// The base fee at a time: that of the last row up to it, at most a day old.
    fn at(&self, time_s: u64) -> Result<u64, BacktestError> {
        let row = self.rows.partition_point(|(t, _)| *t <= time_s).checked_sub(1).and_then(|i| self.rows.get(i));
        row.filter(|(t, _)| time_s - t <= HOLDS_S).map(|(_, fee)| *fee).ok_or_else(|| BacktestError::Series {
            field: "gas prices",
            expected: format!("a base fee for every order, not older than a day, also at unix time {time_s}"),
            got: row.map_or_else(|| "none before it".to_owned(), |(t, _)| format!("the last one of {t}")),
        })
    }
}

impl Gas {
    /// What an order's gas costs at a time, raw quote, rounded up. The base token must be the chain's own coin.
    pub(crate) fn cost(&self, time_s: u64, price: Price) -> Result<u128, BacktestError> {
        let fee = u128::from(self.prices.at(time_s)?) + u128::from(self.tip_wei);
        let all: U256 = U256::from(fee) * U256::from(self.units) * U256::from(price.x64());
        let (quote, rest): (U256, bool) = (all >> 64usize, all.as_limbs().first().is_some_and(|l| *l != 0));
        u128::try_from(quote).ok().and_then(|q| q.checked_add(rest.into())).ok_or_else(|| BacktestError::Series {
            field: "gas prices",
            expected: "gas of an order below 2^128 raw quote".into(),
            got: format!("{quote}"),
        })
    }
}

/// What becomes of an order that is sent.
pub(crate) enum Sent {
    /// It is carried out at the close that was observed.
    AtOnce,
    /// It meets the first price known from this time on.
    From(u64),
    /// It comes too late: recorded, not traded.
    Late,
    /// It never gets into a block.
    Dropped,
}

impl Execution {
    /// Seconds from the observation to the order's block.
    #[must_use]
    pub fn latency_s(&self) -> u64 {
        u64::from(self.latency_blocks) * u64::from(self.block_s)
    }

    /// The fate of the order of a step, before the market is asked.
    pub(crate) fn send(&self, step: u32, time_s: u64, interval_s: u32) -> Sent {
        if self.failure_bps > 0 && mixed(self.failure_seed, step) % 10_000 < u64::from(self.failure_bps) {
            Sent::Dropped
        } else if !vault::traded_in_time(self.latency_blocks, self.latency_s(), interval_s) {
            Sent::Late
        } else if self.latency_s() == 0 {
            Sent::AtOnce
        } else {
            Sent::From(time_s + self.latency_s())
        }
    }

    /// The prices between the bars.
    pub(crate) fn between(&self, base_is_token1: bool) -> Vec<Quoted> {
        self.path.as_ref().map_or_else(Vec::new, |data| Feed::of(data, base_is_token1).quotes)
    }

    /// With gas at a multiple.
    pub(crate) fn at_gas(&self, over: u16, under: u16) -> Self {
        let gas = self.gas.as_ref().map(|g| Gas { units: g.units.saturating_mul(over.into()) / u64::from(under), ..g.clone() });
        Self { gas, ..self.clone() }
    }

    /// In words.
    #[must_use]
    pub fn assumption(&self) -> String {
        let gas = match &self.gas {
            None => "Gas is a flat sum for an executed trade; an order that misses its bound pays none.".to_owned(),
            Some(g) => format!(
                "Gas is {} units an order, filled or not, at recorded base fees and a tip of {} wei, paid in quote at the price of the base token, which is taken to be the chain's own coin.",
                g.units, g.tip_wei
            ),
        };
        let late = match (self.latency_blocks, &self.path) {
            (0, _) => "Orders are carried out in the very block of the observation, at its price.".to_owned(),
            (n, Some(path)) => format!(
                "Orders are carried out {n} blocks of {} s after the observation, at the first price known by then of a series of {} s.",
                self.block_s, path.interval_s
            ),
            (n, None) => format!(
                "Orders are carried out {n} blocks of {} s after the observation; no price between the bars is known, so they meet the next close.",
                self.block_s
            ),
        };
        let drops = match self.failure_bps {
            0 => String::new(),
            bps => format!(" {bps} of 10,000 orders, drawn by seed {}, never get into a block.", self.failure_seed),
        };
        format!("{late} {gas}{drops}")
    }
}

/// A number for a step (SplitMix64's finaliser over seed and step): whatever else a run does, the same orders are lost.
fn mixed(seed: u64, step: u32) -> u64 {
    let z = seed.wrapping_add(u64::from(step).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(text: &str) -> Result<GasPrices, BacktestError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        GasPrices::read(file.path())
    }

    #[test]
    fn gas_is_units_times_fee_at_the_price() {
        let prices = Arc::new(prices("time_s,base_fee_wei\n1000,20000000000\n2000,30000000000\n").unwrap());
        let gas = Gas { units: 200_000, tip_wei: 1_000_000_000, prices };
        // 2,000 USDC for one ETH: 2·10^-9 raw USDC for a wei. 200,000 · 21 gwei = 0.0042 ETH = 8.40 USDC.
        let price = Price::new((2u128 << 64) / 1_000_000_000).unwrap();
        assert_eq!(gas.cost(1_000, price).unwrap(), 8_400_000);
        assert_eq!(gas.cost(1_999, price).unwrap(), 8_400_000);
        assert_eq!(gas.cost(2_000, price).unwrap(), 12_400_000);
        for (time, got) in [(999, "none before it"), (2_000 + HOLDS_S + 1, "the last one of 2000")] {
            let error = gas.cost(time, price).unwrap_err();
            assert!(matches!(&error, BacktestError::Series { field: "gas prices", got: g, .. } if g == got), "{error}");
        }
    }

    #[test]
    fn bad_gas_prices_are_named() {
        for (text, line, field) in [
            ("time,fee\n", 1, "header"),
            ("time_s,base_fee_wei\n1,x\n", 2, "base_fee_wei"),
            ("time_s,base_fee_wei\n1,1\n1,2\n", 3, "time_s"),
            ("time_s,base_fee_wei\n1,1\n2\n", 3, "row"),
            ("time_s,base_fee_wei\n1,-1\n", 2, "base_fee_wei"),
        ] {
            let error = prices(text).unwrap_err();
            assert!(matches!(&error, BacktestError::Line { line: l, field: f, .. } if (*l, *f) == (line, field)), "{text}: {error}");
        }
    }

    #[test]
    fn losses_are_as_many_as_asked_for_and_repeat() {
        let execution = Execution { failure_bps: 500, failure_seed: 3, ..Execution::default() };
        let lost = |e: &Execution| (0..100_000).filter(|k| matches!(e.send(*k, 0, 300), Sent::Dropped)).count();
        assert!((4_700..5_300).contains(&lost(&execution)), "{}", lost(&execution));
        assert_eq!(lost(&execution), lost(&execution.clone()));
        assert_eq!(lost(&Execution::default()), 0);
    }
}
