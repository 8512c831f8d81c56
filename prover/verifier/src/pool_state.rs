//! The pool's own state against the records: mean ticks by storage proofs under the block that each record names.
//!
//! A record names a block by its hash; the header that hashes to it has a state root, and under that stand the pool's `slot0` and its
//! oracle's observations, from which the two cumulative ticks of the record's interval follow. Nothing here is the node's word. Not shown:
//! that the block is of the canonical chain (the vault compares a record's hash with its own chain's when it decides), and that the pool's
//! code is Uniswap's. The layout is the protocol's, written down here.

use crate::ethstate::{HeaderField, TrustedHeader, account, slot, word};
use crate::finding::{Code, Finding};
use crate::{Line, LogReader};
use probity_strategy::Observation;
use std::collections::BTreeMap;
use std::io::BufRead;

/// Slot of the first of the oracle's observations; the others follow it.
const OBSERVATIONS: u64 = 8;
/// Place of a block's time in its header.
const TIMESTAMP: usize = 11;

/// What `slot0` says about the pool's oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolHead {
    /// Tick now.
    pub tick: i32,
    /// Place of the newest observation.
    pub index: u16,
    /// Places in use: a ring.
    pub cardinality: u16,
}

impl PoolHead {
    /// The slot it stands in.
    #[must_use]
    pub fn place() -> [u8; 32] {
        word(0)
    }

    /// Reads the word: from the right 20 bytes of price, 3 of tick, 2 each of index and cardinality.
    #[must_use]
    pub fn of(slot0: &[u8; 32]) -> Self {
        let number = |from: usize| u16::try_from(bits(slot0, from, 2)).unwrap_or(u16::MAX);
        Self { tick: i32::try_from(signed(bits(slot0, 20, 3), 24)).unwrap_or(i32::MAX), index: number(23), cardinality: number(25) }
    }
}

/// One observation of the pool's oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolObservation {
    /// Unix seconds.
    pub time_s: u64,
    /// Sum of ticks over seconds up to it.
    pub cumulative: i64,
    /// Whether the place was ever written.
    pub initialized: bool,
}

impl PoolObservation {
    /// The slot of a place in the ring.
    #[must_use]
    pub fn place(index: u16) -> [u8; 32] {
        word(OBSERVATIONS.saturating_add(index.into()))
    }

    /// Reads the word: from the right 4 bytes of time, 7 of cumulative tick, 20 that are not needed here, and the mark.
    #[must_use]
    pub fn of(stored: &[u8; 32]) -> Self {
        Self { time_s: bits(stored, 0, 4), cumulative: signed(bits(stored, 4, 7), 56), initialized: bits(stored, 31, 1) != 0 }
    }
}

/// Bytes `from` … `from + count` of a word, counted from its right end, as a number.
fn bits(stored: &[u8; 32], from: usize, count: usize) -> u64 {
    stored.iter().rev().skip(from).take(count).rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// Two's complement of so many bits.
fn signed(raw: u64, width: u32) -> i64 {
    let shift = 64u32.saturating_sub(width);
    raw.checked_shl(shift).unwrap_or(0).cast_signed().checked_shr(shift).unwrap_or(0)
}

/// What a node handed over for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSeen {
    /// The decision.
    pub step: u32,
    /// Fields of the header of the block that it observed, in consensus order.
    pub header: Vec<HeaderField>,
    /// Nodes down to the pool's account.
    pub account: Vec<Vec<u8>>,
    /// Slots with the nodes down to each: `slot0`, its newest observation, and those around both ends of the interval.
    pub slots: Vec<([u8; 32], Vec<Vec<u8>>)>,
}

/// Checks the mean tick of every record that something was handed over for; the number of those that follow from their block.
pub fn audit_pool<R: BufRead>(log: R, seen: &[PoolSeen]) -> (u32, Vec<Finding>) {
    let (mut proven, mut findings) = (0u32, Vec::new());
    let Ok(mut reader) = LogReader::new(log) else { return (proven, findings) };
    let mandate = reader.header().mandate.clone();
    let Some(pool) = address(&mandate.pool) else { return (proven, findings) };
    let by_step: BTreeMap<u32, &PoolSeen> = seen.iter().map(|s| (s.step, s)).collect();
    while let Ok(Some(line)) = reader.next_line() {
        let Line::Entry(entry) = line else { continue };
        let obs = &entry.record.observation;
        let Some(seen) = by_step.get(&obs.step) else { continue };
        match check(obs, u64::from(mandate.interval_s), &pool, seen) {
            Ok(()) => proven = proven.saturating_add(1),
            Err(finding) => findings.push(finding.at(reader.line(), obs.step)),
        }
    }
    (proven, findings)
}

fn address(text: &str) -> Option<[u8; 20]> {
    hex::decode(text.strip_prefix("0x")?).ok()?.try_into().ok()
}

/// From the block's hash to the mean.
fn check(obs: &Observation, interval_s: u64, pool: &[u8; 20], seen: &PoolSeen) -> Result<(), Finding> {
    let refused = |e: crate::StateError| {
        Finding::error(Code::StateProofInvalid, format!("expected {}, got {}", e.expected, e.got)).field(format!("pool.{}", e.field))
    };
    let header = TrustedHeader::of(&obs.block_hash, &seen.header).map_err(refused)?;
    if header.number != obs.block_number {
        return Err(Finding::mismatch(Code::PoolMismatch, header.number, obs.block_number).field("record.observation.block_number"));
    }
    let time = match seen.header.get(TIMESTAMP) {
        Some(HeaderField::Number(digits)) => digits.iter().try_fold(0u64, |n, d| n.checked_mul(256)?.checked_add(u64::from(*d))),
        _ => None,
    };
    // A mean over seconds that this block did not see yet could still change.
    let closed = time.filter(|t| *t >= obs.time_s);
    if closed.is_none() {
        let got = time.map_or_else(|| "none".to_owned(), |t| t.to_string());
        return Err(
            Finding::mismatch(Code::PoolMismatch, format!("a block of {} or later", obs.time_s), got).field("record.observation.time_s")
        );
    }
    let found = account(header.root(), pool, &seen.account).map_err(refused)?;
    let found = found.ok_or_else(|| Finding::mismatch(Code::PoolMismatch, "the pool's account", "none").field("mandate.pool"))?;
    let mut words = BTreeMap::new();
    for (name, nodes) in &seen.slots {
        words.insert(*name, slot(&found.storage_root, name, nodes).map_err(refused)?);
    }
    let tick = mean(&words, obs.time_s, interval_s)?;
    if tick != i64::from(obs.mean_tick) {
        return Err(Finding::mismatch(Code::PoolMismatch, tick, obs.mean_tick).field("record.observation.mean_tick"));
    }
    Ok(())
}

/// The mean tick over the seconds before a time, rounded down, from proven words.
fn mean(words: &BTreeMap<[u8; 32], [u8; 32]>, time_s: u64, interval_s: u64) -> Result<i64, Finding> {
    let missing = |what: String| Finding::mismatch(Code::StateProofInvalid, what, "none").field("pool.storageProof");
    let stored = |name: &[u8; 32]| words.get(name);
    let head = PoolHead::of(stored(&PoolHead::place()).ok_or_else(|| missing("slot0".to_owned()))?);
    let at = |index: u16| stored(&PoolObservation::place(index)).map(PoolObservation::of).filter(|o| o.initialized);
    let newest = at(head.index).ok_or_else(|| missing(format!("observation {}", head.index)))?;
    let cumulative = |second: u64| -> Option<i64> {
        if newest.time_s <= second {
            let more = i64::from(head.tick).checked_mul(i64::try_from(second.checked_sub(newest.time_s)?).ok()?)?;
            return newest.cumulative.checked_add(more);
        }
        // Neighbours in the ring around the second; over its seam, from the newest to the oldest, time goes backwards and fits nothing.
        (0..head.cardinality).find_map(|index| {
            let next = if index.checked_add(1)? == head.cardinality { 0 } else { index.checked_add(1)? };
            let (before, after) = (at(index)?, at(next)?);
            if before.time_s > second || second >= after.time_s {
                return None;
            }
            let span = i64::try_from(after.time_s.checked_sub(before.time_s)?).ok()?;
            let part = i64::try_from(second.checked_sub(before.time_s)?).ok()?;
            // The protocol divides first, toward zero.
            let a_second = after.cumulative.checked_sub(before.cumulative)?.checked_div(span)?;
            before.cumulative.checked_add(a_second.checked_mul(part)?)
        })
    };
    let bound = |second: u64| cumulative(second).ok_or_else(|| missing(format!("the observations around {second}")));
    let start = time_s.checked_sub(interval_s).ok_or_else(|| missing("a time after 1970".to_owned()))?;
    let delta = bound(time_s)?.saturating_sub(bound(start)?);
    let interval = i64::try_from(interval_s).unwrap_or(i64::MAX).max(1);
    Ok(delta.div_euclid(interval))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn stored(time_s: u32, cumulative: i64) -> [u8; 32] {
        let mut out = [0xab; 32];
        out[0] = 1;
        out[21..28].copy_from_slice(&cumulative.to_be_bytes()[1..]);
        out[28..].copy_from_slice(&time_s.to_be_bytes());
        out
    }

    fn slot0(tick: i32, index: u16, cardinality: u16) -> [u8; 32] {
        let mut out = [0xcd; 32];
        out[9..12].copy_from_slice(&tick.to_be_bytes()[1..]);
        out[7..9].copy_from_slice(&index.to_be_bytes());
        out[5..7].copy_from_slice(&cardinality.to_be_bytes());
        out
    }

    /// A ring of three: seconds 100, 110, 130 with ticks −7 and 4 between them and −2 since.
    fn ring() -> BTreeMap<[u8; 32], [u8; 32]> {
        BTreeMap::from([
            (PoolHead::place(), slot0(-2, 0, 3)),
            (PoolObservation::place(1), stored(100, -1_000)),
            (PoolObservation::place(2), stored(110, -1_070)),
            (PoolObservation::place(0), stored(130, -990)),
        ])
    }

    #[test]
    fn words_are_read_as_the_protocol_packs_them() {
        assert_eq!(PoolHead::of(&slot0(-195_000, 65_534, 65_535)), PoolHead { tick: -195_000, index: 65_534, cardinality: 65_535 });
        let seen = PoolObservation::of(&stored(u32::MAX, -(1 << 54)));
        assert_eq!(seen, PoolObservation { time_s: u32::MAX.into(), cumulative: -(1 << 54), initialized: true });
        assert!(!PoolObservation::of(&[0; 32]).initialized);
    }

    #[test]
    fn means_are_those_of_the_ticks_second_by_second() {
        let tick = |second: u64| {
            if second < 110 {
                -7
            } else if second < 130 {
                4
            } else {
                -2i64
            }
        };
        for start in 100..140u64 {
            for end in start + 1..145 {
                let sum: i64 = (start..end).map(tick).sum();
                let mean = mean(&ring(), end, end - start).unwrap();
                assert_eq!(mean, sum.div_euclid(i64::try_from(end - start).unwrap()), "{start} … {end}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_no_mean() {
        for lost in [PoolHead::place(), PoolObservation::place(0), PoolObservation::place(1), PoolObservation::place(2)] {
            let mut words = ring();
            words.remove(&lost);
            assert_eq!(mean(&words, 112, 5).unwrap_err().code, Code::StateProofInvalid);
        }
        // Before the oldest, and a place that was never written.
        assert_eq!(mean(&ring(), 105, 10).unwrap_err().code, Code::StateProofInvalid);
        let mut words = ring();
        words.insert(PoolObservation::place(1), [0; 32]);
        assert_eq!(mean(&words, 108, 5).unwrap_err().code, Code::StateProofInvalid);
    }
}
