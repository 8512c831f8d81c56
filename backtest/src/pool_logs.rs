//! A pool's recorded logs as bars: what `data pull` writes, or the same columns from elsewhere.
//!
//! Columns `block_number,block_timestamp,transaction_hash,transaction_index,log_index,topics,data`; the time is
//! `YYYY-MM-DD HH:MM:SS` (UTC) or unix seconds, topics are 0x-words in any list, data is hex. Only swaps make bars: the
//! price after each. An interval without a swap has no bar.

use crate::BacktestError;
use crate::dataset::{Scale, text_of};
use crate::v3::U256;
use std::fmt::Write as _;
use std::path::Path;

/// keccak256 of `Swap(address,address,int256,int256,uint160,uint128,int24)`.
const SWAP: &str = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67";
const COLUMNS: [&str; 7] = ["block_number", "block_timestamp", "transaction_hash", "transaction_index", "log_index", "topics", "data"];

/// Bars of a file of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolBars {
    /// CSV of `ts_ms,open,high,low,close,volume`; volume in base.
    pub csv: String,
    /// Swaps read.
    pub swaps: u64,
    /// Logs of other kinds.
    pub others: u64,
    /// Bars written.
    pub bars: u64,
    /// Intervals between the first and the last bar without a swap.
    pub empty: u64,
}

struct Open {
    start: u64,
    open: u128,
    high: u128,
    low: u128,
    close: u128,
    volume: u128,
}

/// Reads logs and makes bars of `interval_s`. `base_is_token1` as in the mandate.
pub fn bars_of_logs(path: &Path, interval_s: u32, base_is_token1: bool, scale: Scale) -> Result<PoolBars, BacktestError> {
    if interval_s == 0 {
        return Err(BacktestError::Series { field: "interval_s", expected: "at least 1".into(), got: "0".into() });
    }
    let (_, text) = text_of(path)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
    let header = reader.headers().map_err(|e| line(1, "header", "UTF-8 CSV", e))?.clone();
    if header.iter().ne(COLUMNS) {
        return Err(line(1, "header", COLUMNS.join(","), header.iter().collect::<Vec<_>>().join(",")));
    }
    let mut out = PoolBars { csv: "ts_ms,open,high,low,close,volume\n".into(), swaps: 0, others: 0, bars: 0, empty: 0 };
    let (mut now, mut last): (Option<Open>, (u64, u64, u64)) = (None, (0, 0, 0));
    let step = u64::from(interval_s);
    for row in reader.records() {
        let row = row.map_err(|e| line(e.position().map_or(0, csv::Position::line), "row", "UTF-8 CSV", e))?;
        let at = row.position().map_or(0, csv::Position::line);
        let cell = |i: usize| row.get(i).unwrap_or("");
        let number = |i: usize| {
            let field = COLUMNS.get(i).copied().unwrap_or("");
            cell(i).parse::<u64>().map_err(|_| line(at, field, "a whole number", cell(i)))
        };
        let time = seconds(cell(1)).ok_or_else(|| line(at, "block_timestamp", "YYYY-MM-DD HH:MM:SS or unix seconds", cell(1)))?;
        let place = (number(0)?, number(4)?, time);
        if out.swaps + out.others > 0 && ((place.0, place.1) <= (last.0, last.1) || time < last.2) {
            return Err(line(at, "block_number, log_index, block_timestamp", "later than the line before", format!("{place:?}")));
        }
        last = place;
        if cell(5).split(['\'', '"', '[', ']', ' ', ',']).find(|t| t.starts_with("0x")) != Some(SWAP) {
            out.others += 1;
            continue;
        }
        out.swaps += 1;
        let words =
            words(cell(6)).filter(|w| w.len() == 5).ok_or_else(|| line(at, "data", "0x and five words of 64 hex digits", cell(6)))?;
        let [amount0, amount1, root, ..] = words.as_slice() else { continue };
        let price = price_e12(*root, base_is_token1, scale).ok_or_else(|| line(at, "data", "a root price of a pool", root))?;
        let size = magnitude(if base_is_token1 { *amount1 } else { *amount0 });
        let start = time / step * step;
        match &mut now {
            Some(bar) if bar.start == start => {
                (bar.high, bar.low, bar.close) = (bar.high.max(price), bar.low.min(price), price);
                bar.volume = bar.volume.saturating_add(size);
            }
            _ => {
                if let Some(done) = now.take() {
                    out.empty += ((start - done.start) / step).saturating_sub(1);
                    out.write(&done, scale);
                }
                now = Some(Open { start, open: price, high: price, low: price, close: price, volume: size });
            }
        }
    }
    if let Some(done) = now {
        out.write(&done, scale);
    }
    Ok(out)
}

impl PoolBars {
    fn write(&mut self, bar: &Open, scale: Scale) {
        let price = |v: u128| format!("{}.{:012}", v / 1_000_000_000_000, v % 1_000_000_000_000);
        let unit = 10u128.pow(u32::from(scale.base_decimals).min(38));
        let width = usize::from(scale.base_decimals).max(1);
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.csv,
            "{},{},{},{},{},{}.{:0width$}",
            bar.start * 1_000,
            price(bar.open),
            price(bar.high),
            price(bar.low),
            price(bar.close),
            bar.volume / unit,
            bar.volume % unit
        );
        self.bars += 1;
    }
}

fn line(line: u64, field: &'static str, expected: impl ToString, got: impl ToString) -> BacktestError {
    BacktestError::Line { line, field, expected: expected.to_string(), got: got.to_string() }
}

/// `2024-01-05 00:00:23` or `1704412823`.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(v) = text.parse::<u64>() {
        return Some(v);
    }
    let (day, time) = text.trim_end_matches('Z').split_once([' ', 'T'])?;
    let part = |t: &str, sep: char| -> Option<[u64; 3]> {
        let v: Vec<u64> = t.splitn(3, sep).map(|p| p.parse().ok()).collect::<Option<_>>()?;
        v.try_into().ok()
    };
    let ([y, m, d], [h, min, s]) = (part(day, '-')?, part(time.split('.').next()?, ':')?);
    if !(1970..10_000).contains(&y) || !(1..=12).contains(&m) || !(1..=31).contains(&d) || h > 23 || min > 59 || s > 59 {
        return None;
    }
    // Days since 1970 by counting from March, as in the calendar's inverse.
    let (yy, mm) = if m > 2 { (y, m - 3) } else { (y - 1, m + 9) };
    let days = yy * 365 + yy / 4 - yy / 100 + yy / 400 + (153 * mm + 2) / 5 + d - 1;
    days.checked_sub(719_468).map(|days| days * 86_400 + h * 3_600 + min * 60 + s)
}

fn words(data: &str) -> Option<Vec<U256>> {
    let hex = data.strip_prefix("0x")?;
    if !hex.is_ascii() || hex.len() % 64 != 0 {
        return None;
    }
    (0..hex.len() / 64).map(|i| U256::from_str_radix(hex.get(i * 64..(i + 1) * 64)?, 16).ok()).collect()
}

fn magnitude(word: U256) -> u128 {
    let v = if word.bit(255) { U256::ZERO.wrapping_sub(word) } else { word };
    u128::try_from(v).unwrap_or(u128::MAX)
}

/// Quote units for one base unit times 10^12, floor.
fn price_e12(root: U256, base_is_token1: bool, scale: Scale) -> Option<u128> {
    type Wide = ruint::Uint<512, 8>;
    if root.is_zero() || root.bit_len() > 160 {
        return None;
    }
    let square: Wide = root.widening_mul(root);
    let unit = |d: u8| Wide::from(10u128.checked_pow(d.into()).unwrap_or(1));
    let (up, down) = (Wide::from(1_000_000_000_000u128) * unit(scale.base_decimals), unit(scale.quote_decimals));
    // square / 2^192 is token1 for one token0.
    let ratio: Wide = if base_is_token1 { (up << 192) / (square * down) } else { (square * up / down) >> 192 };
    u128::try_from(ratio).ok().filter(|v| *v > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_prices() {
        assert_eq!(seconds("2024-01-05 00:00:23"), Some(1_704_412_823));
        assert_eq!(seconds("2000-02-29T23:59:59Z"), Some(951_868_799));
        assert_eq!(
            (seconds("17"), seconds("1970-01-01 00:00:00"), seconds("2024-13-01 00:00:00"), seconds("x")),
            (Some(17), Some(0), None, None)
        );
        // The day's first swap left USDC/WETH at about 2,269.7 USDC.
        let root = U256::from_str_radix("51fdf2fd9b2526872a9b723450f2", 16).unwrap();
        let price = price_e12(root, true, Scale::default()).unwrap();
        assert!((2_269_000_000_000_000..2_270_000_000_000_000).contains(&price), "{price}");
        // And the other way around, the inverse.
        let inverse = price_e12(root, false, Scale { quote_decimals: 18, base_decimals: 6 }).unwrap();
        assert!((f64::from(u32::try_from(inverse / 1_000).unwrap()) * 1e-9 * 2_269.7 - 1.0).abs() < 0.01, "{inverse}");
    }
}
