//! Recorded bars: read strictly, never filled, never repaired.

use crate::{BacktestError, parquet_file};
use flate2::read::GzDecoder;
use probity_strategy::Price;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{io::Read, path::Path};

pub(crate) const COLUMNS: [&str; 6] = ["ts_ms", "open", "high", "low", "close", "volume"];

/// Decimals of the two tokens: a market price is quote units for one base unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scale {
    /// Decimals of the quote token (USDC: 6).
    pub quote_decimals: u8,
    /// Decimals of the base token (WETH: 18).
    pub base_decimals: u8,
}

impl Default for Scale {
    fn default() -> Self {
        Self { quote_decimals: 6, base_decimals: 18 }
    }
}

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Unix time the bar opens at, seconds.
    pub open_s: u64,
    /// Price at its close, quote raw per base raw × 2^64.
    pub close: Price,
}

/// Absent bars. They stay absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Gaps {
    /// Number of places where bars are absent.
    pub count: u64,
    /// Bars absent altogether.
    pub missing: u64,
    /// Bars absent in the longest gap.
    pub longest: u64,
}

/// A recorded series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// SHA-256 of the file as it lies on disk, hex.
    pub sha256: String,
    /// Seconds between bars: the smallest distance of two neighbours.
    pub interval_s: u32,
    /// The bars, in time.
    pub bars: Vec<Bar>,
    /// What is absent between the first bar and the last.
    pub gaps: Gaps,
}

impl Dataset {
    /// Reads `ts_ms,open,high,low,close,volume` from a `.csv`, `.csv.gz` or `.parquet` file.
    ///
    /// `from` and `to` keep the bars that open at `from ≤ time < to` (unix seconds); the hash is of the whole file.
    pub fn read(path: &Path, scale: Scale, from: Option<u64>, to: Option<u64>) -> Result<Self, BacktestError> {
        let (sha256, text) = text_of(path)?;
        let bars = parse(&text, scale)?;
        let interval_s = step_of(&bars)?;
        let kept: Vec<Bar> = bars.into_iter().filter(|b| from.is_none_or(|f| b.open_s >= f) && to.is_none_or(|t| b.open_s < t)).collect();
        if kept.len() < 2 {
            return Err(BacktestError::Series { field: "from, to", expected: "at least 2 bars".into(), got: kept.len().to_string() });
        }
        let gaps = gaps_of(&kept, interval_s);
        Ok(Self { sha256, interval_s, bars: kept, gaps })
    }

    /// Some of the bars, by position; the hash stays that of the file.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let bars = self.bars.get(range).unwrap_or(&[]).to_vec();
        let mut part = Self { sha256: self.sha256.clone(), interval_s: self.interval_s, bars, gaps: Gaps::default() };
        part.count_gaps();
        part
    }

    /// Counts the absent bars again.
    pub(crate) fn count_gaps(&mut self) {
        self.gaps = gaps_of(&self.bars, self.interval_s);
    }
}

/// SHA-256 of a file as it lies on disk, and its text: plain, out of gzip, or written out of Parquet.
pub(crate) fn text_of(path: &Path) -> Result<(String, Vec<u8>), BacktestError> {
    let fail = |source| BacktestError::Read { path: path.display().to_string(), source };
    let bytes = std::fs::read(path).map_err(fail)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).map_err(fail)?;
    } else if bytes.starts_with(parquet_file::MAGIC) {
        text = parquet_file::csv_of(bytes)?;
    } else {
        text = bytes;
    }
    Ok((sha256, text))
}

fn parse(text: &[u8], scale: Scale) -> Result<Vec<Bar>, BacktestError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut bars: Vec<Bar> = Vec::new();
    let mut header = true;
    for row in reader.records() {
        let row = row.map_err(|e| BacktestError::Line {
            line: e.position().map_or(0, csv::Position::line),
            field: "row",
            expected: "UTF-8 CSV".into(),
            got: e.to_string(),
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        let bad = |field: &'static str, expected: &str, got: &str| BacktestError::Line {
            line,
            field,
            expected: expected.into(),
            got: got.into(),
        };
        if header {
            if row.iter().ne(COLUMNS) {
                return Err(bad("header", &COLUMNS.join(","), &row.iter().collect::<Vec<_>>().join(",")));
            }
            header = false;
            continue;
        }
        if row.len() != COLUMNS.len() {
            return Err(bad("row", "6 columns", &row.len().to_string()));
        }
        let cell = |i: usize| row.get(i).unwrap_or("");
        let open_ms: u64 = cell(0).parse().map_err(|_| bad("ts_ms", "a whole number of milliseconds", cell(0)))?;
        if !open_ms.is_multiple_of(1_000) {
            return Err(bad("ts_ms", "whole seconds", cell(0)));
        }
        let mut prices = [0u128; 4];
        for (i, p) in prices.iter_mut().enumerate() {
            let field = COLUMNS.get(i + 1).copied().unwrap_or("price");
            *p = fixed(cell(i + 1)).filter(|v| *v > 0).ok_or_else(|| bad(field, "a positive decimal number", cell(i + 1)))?;
        }
        fixed(cell(5)).ok_or_else(|| bad("volume", "a decimal number, 0 or more", cell(5)))?;
        let [open, high, low, close] = prices;
        if high < low || high < open.max(close) {
            return Err(bad("high", "at least open, low and close", cell(2)));
        }
        if low > open.min(close) {
            return Err(bad("low", "at most open and close", cell(3)));
        }
        let open_s = open_ms / 1_000;
        if let Some(last) = bars.last() {
            if open_s == last.open_s {
                return Err(bad("ts_ms", "a later time than the line before (duplicate)", cell(0)));
            }
            if open_s < last.open_s {
                return Err(bad("ts_ms", "a later time than the line before (backward)", cell(0)));
            }
        }
        let close = price_of(close, scale).ok_or_else(|| bad("close", "a price ratio within 2^-45 … 2^32", cell(4)))?;
        bars.push(Bar { open_s, close });
    }
    Ok(bars)
}

/// A decimal of at most 13 + 12 digits as an integer times 10^12; no sign, no exponent, no float on the way.
pub(crate) fn fixed(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str, most: usize| !s.is_empty() && s.len() <= most && s.bytes().all(|b| b.is_ascii_digit());
    // Recorded volumes carry binary rounding dust; digits past the twelfth are below every price step, cut them off.
    let fraction = fraction.get(..12).unwrap_or(fraction);
    if !digits(whole, 13) || !digits(fraction, 12) || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(12 - fraction.len()).ok()?)?;
    Some(whole.parse::<u128>().ok()? * 1_000_000_000_000 + fraction.parse::<u128>().ok()? * scale)
}

/// The price of a decimal string: quote units for one base unit, floor, in quote raw per base raw × 2^64.
#[must_use]
pub fn price_from_decimal(text: &str, scale: Scale) -> Option<Price> {
    price_of(fixed(text)?, scale)
}

/// floor(e12 · 10^quote · 2^64 / (10^12 · 10^base)), by long division, so that nothing overflows.
fn price_of(e12: u128, scale: Scale) -> Option<Price> {
    let (up, down) = (u32::from(scale.quote_decimals), u32::from(scale.base_decimals) + 12);
    let common = up.min(down);
    let value = e12.checked_mul(10u128.checked_pow(up - common)?)?;
    let d = 10u128.checked_pow(down - common)?;
    if d >= 1 << 126 {
        return None;
    }
    let (mut q, mut rest) = (value / d, value % d);
    for _ in 0..64 {
        rest <<= 1;
        q = q.checked_mul(2)?;
        if rest >= d {
            rest -= d;
            q |= 1;
        }
    }
    Price::new(q).ok()
}

fn step_of(bars: &[Bar]) -> Result<u32, BacktestError> {
    let none = |got: &str| BacktestError::Series { field: "rows", expected: "at least 2 bars on one grid".into(), got: got.into() };
    let steps = || bars.iter().zip(bars.iter().skip(1)).map(|(a, b)| b.open_s - a.open_s);
    let step = steps().min().ok_or_else(|| none("fewer"))?;
    if steps().any(|s| s % step != 0) {
        return Err(none("bars off the grid"));
    }
    u32::try_from(step).map_err(|_| none("a step above 2^32 seconds"))
}

fn gaps_of(bars: &[Bar], interval_s: u32) -> Gaps {
    bars.iter().zip(bars.iter().skip(1)).fold(Gaps::default(), |mut g, (a, b)| {
        let absent = ((b.open_s - a.open_s) / u64::from(interval_s)).saturating_sub(1);
        g.count += u64::from(absent > 0);
        g.missing += absent;
        g.longest = g.longest.max(absent);
        g
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Dataset, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("ts_ms,open,high,low,close,volume\n{body}")).unwrap();
        Dataset::read(file.path(), Scale::default(), None, None).map_err(|e| e.to_string())
    }

    #[test]
    fn bad_lines_are_named() {
        let good = "0,1,2,0.5,1.5,10\n60000,1,2,0.5,1.5,0\n";
        assert_eq!(read(good).unwrap().interval_s, 60);
        for (line, field) in [
            ("60000,1,2,0.5,1.5,0", "line 4, ts_ms"),
            ("0,1,2,0.5,1.5,0", "line 4, ts_ms"),
            ("120000,1,2,0.5,x,0", "line 4, close"),
            ("120000,1,2,0.5,NaN,0", "line 4, close"),
            ("120000,-1,2,0.5,1,0", "line 4, open"),
            ("120000,1,0.4,0.5,1,0", "line 4, high"),
            ("120000,1,2,1.2,1,0", "line 4, low"),
            ("120000,1,2,0.5,0,0", "line 4, close"),
            ("120000,1,2,0.5,1", "line 4, row"),
            ("120000,1,2,0.5,1,-3", "line 4, volume"),
            ("120000.5,1,2,0.5,1,3", "line 4, ts_ms"),
        ] {
            let error = read(&format!("{good}{line}\n")).unwrap_err();
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn prices_are_exact() {
        // 3000 USDC for 1 WETH: 3e9 / 1e18 · 2^64, floor.
        assert_eq!(price_from_decimal("3000", Scale::default()).unwrap().x64(), 55_340_232_221);
        assert_eq!(price_from_decimal("3000.00", Scale::default()), price_from_decimal("3000", Scale::default()));
        assert_eq!(price_from_decimal("1", Scale { quote_decimals: 18, base_decimals: 18 }).unwrap().x64(), 1 << 64);
        for bad in ["", ".", "1.", ".5", "1e3", "+1", "1_000", "1.2.3", "٣"] {
            assert_eq!(fixed(bad), None, "{bad}");
        }
    }
}
