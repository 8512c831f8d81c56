//! The ticks a model learns from.

use crate::LearnError;
use flate2::read::GzDecoder;
use probity_strategy::{FEATURES, Features, Price, State, tick_at_price};
use sha2::{Digest, Sha256};
use std::{io::Read, path::Path};

/// Closing ticks of recorded bars, in time. Absent bars stay absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// SHA-256 of the file, hex (empty for a series from memory).
    pub sha256: String,
    /// Seconds between bars.
    pub interval_s: u32,
    /// Unix times of the closes, seconds, strictly increasing.
    pub times: Vec<u64>,
    /// Oriented ticks at the closes.
    pub ticks: Vec<i32>,
}

impl Series {
    /// A series from memory.
    pub fn new(sha256: String, interval_s: u32, times: Vec<u64>, ticks: Vec<i32>) -> Result<Self, LearnError> {
        if times.len() != ticks.len() || times.len() < 2 {
            return Err(LearnError::value("series", "as many ticks as times, at least 2", format!("{} and {}", ticks.len(), times.len())));
        }
        if let Some((_, late)) = times.iter().zip(times.iter().skip(1)).find(|(a, b)| a >= b) {
            return Err(LearnError::value("time", "strictly increasing", late));
        }
        if interval_s == 0 {
            return Err(LearnError::value("interval_s", "at least 1", 0));
        }
        Ok(Self { sha256, interval_s, times, ticks })
    }

    /// Reads the columns `ts_ms` (bar open) and `close` of a `.csv` or `.csv.gz` file; quote has 6 decimals, base 18.
    pub fn read(path: &Path) -> Result<Self, LearnError> {
        let bytes = std::fs::read(path).map_err(|e| LearnError::file(path, e))?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let mut text = Vec::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).map_err(|e| LearnError::file(path, e))?;
        } else {
            text = bytes;
        }
        let mut rows = csv::Reader::from_reader(text.as_slice());
        let header = rows.headers().map_err(|e| LearnError::value("header", "UTF-8 CSV", e))?.clone();
        let column = |name: &str| {
            header
                .iter()
                .position(|h| h == name)
                .ok_or_else(|| LearnError::value("header", format!("a column {name}"), header.iter().collect::<Vec<_>>().join(",")))
        };
        let (at, close_at) = (column("ts_ms")?, column("close")?);
        let (mut opens, mut ticks): (Vec<u64>, Vec<i32>) = (Vec::new(), Vec::new());
        for row in rows.records() {
            let row = row.map_err(|e| LearnError::value("row", "a row as wide as the header", e))?;
            let line = row.position().map_or(0, csv::Position::line);
            let (open, close) = (row.get(at).unwrap_or(""), row.get(close_at).unwrap_or(""));
            let ms: u64 = open.parse().map_err(|_| LearnError::value(format!("line {line}, ts_ms"), "whole milliseconds", open))?;
            let price = price(close).ok_or_else(|| LearnError::value(format!("line {line}, close"), "a positive decimal", close))?;
            opens.push(ms / 1_000);
            ticks.push(tick_at_price(price));
        }
        let step = opens.iter().zip(opens.iter().skip(1)).map(|(a, b)| b.saturating_sub(*a)).min().unwrap_or(0);
        let interval_s = u32::try_from(step).unwrap_or(0);
        Self::new(sha256, interval_s, opens.iter().map(|o| o + step).collect(), ticks)
    }

    /// Raw features of every step (the weight feature is left at that of a weight of 5000 bps: 0).
    pub(crate) fn features(&self) -> Vec<[i64; FEATURES]> {
        let mut state = empty();
        self.ticks
            .iter()
            .map(|x| {
                let f = Features::of(&state, *x, 5_000);
                advance(&mut state, *x, &f);
                f.raw
            })
            .collect()
    }
}

/// The state before the first step, as far as the features see it.
pub(crate) fn empty() -> State {
    State {
        step: 0,
        last_time_s: 0,
        x: 0,
        r1: 0,
        r2: 0,
        ema: [0; 6],
        vol: [0; 2],
        quote: probity_strategy::Amount::ZERO,
        base: probity_strategy::Amount::ZERO,
        pending: None,
        high_water: probity_strategy::HighWater { nav: 0, shares: probity_strategy::Amount::ZERO },
        halted: false,
        cooldown_left: 0,
        window_left: 0,
        turnover_used_bps: 0,
        memory: Vec::new(),
    }
}

/// What a step leaves for the features of the next, as in `Engine::step_with`.
pub(crate) fn advance(state: &mut State, x: i32, f: &Features) {
    state.step = state.step.saturating_add(1);
    state.r2 = state.r1;
    state.r1 = f.r0;
    state.x = x;
    state.ema = f.ema;
    state.vol = f.vol;
}

/// floor(decimal · 10^−12 · 2^64): quote with 6 decimals for base with 18, no float on the way.
fn price(text: &str) -> Option<Price> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| (1..=12).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(12 - fraction.len()).ok()?)?;
    let e12 = whole.parse::<u128>().ok()? * 1_000_000_000_000 + fraction.parse::<u128>().ok()? * scale;
    // e12 < 2^80; the divisor 10^24 < 2^80: a long division bit by bit stays below 2^128 for prices in range.
    let d = 10u128.pow(24);
    let (mut q, mut rest) = (e12 / d, e12 % d);
    for _ in 0..64 {
        rest <<= 1;
        q = (q << 1) | u128::from(rest >= d);
        if rest >= d {
            rest -= d;
        }
    }
    Price::new(q).ok()
}
