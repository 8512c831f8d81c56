//! S8: the order that a move becomes; every rounding is against the agent.

use crate::{Amount, Approved, Limits, Observation, Valuation};
use serde::{Deserialize, Deserializer, Serialize};

/// What a decision does with the base asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Quote in, base out.
    Buy,
    /// Base in, quote out.
    Sell,
}

/// An exact-input order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Direction.
    pub side: Side,
    /// Exact amount given, raw.
    pub amount_in: Amount,
    /// Least amount accepted, raw, below 2^126: wider ones would share an element's place with the side.
    #[serde(serialize_with = "crate::units::decimal::serialize", deserialize_with = "least_amount")]
    pub min_out: u128,
}

/// One element holds amount, bound and side: a bound that runs into the side's place has another reading.
fn least_amount<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
    let v = crate::units::decimal::deserialize(d)?;
    if v >> 126 == 0 { Ok(v) } else { Err(serde::de::Error::custom(format!("min_out: expected below 2^126, got {v}"))) }
}

impl Order {
    /// The order of an approved move, or none if it is too small to be one.
    pub(crate) fn of(approved: Approved, limits: &Limits, obs: &Observation, val: &Valuation) -> Option<Self> {
        let size = u128::from(approved.bps().unsigned_abs());
        let v = (size * val.nav / 10_000).min(limits.max_trade_quote.raw());
        // v < 2^80, so the shift stays below 2^144: divide in two halves.
        let qb = shifted_div(v, obs.price_x64.x64());
        let (side, amount_in, expect) = if approved.bps() > 0 {
            (Side::Buy, v, qb + 1)
        } else if qb > obs.base.raw() {
            (Side::Sell, obs.base.raw(), val.base_value)
        } else {
            (Side::Sell, qb, v)
        };
        if approved.bps() == 0 || amount_in == 0 {
            return None;
        }
        Some(Self { side, amount_in: Amount::saturating(amount_in), min_out: keep_after(expect, limits.max_slippage_bps) })
    }
}

/// ceil(expect · (10000 − slippage) / 10000) for expect below 2^126.
fn keep_after(expect: u128, slippage_bps: u16) -> u128 {
    let keep = u128::from(10_000u16.saturating_sub(slippage_bps));
    let (whole, rest) = (expect / 10_000, expect % 10_000);
    whole * keep + (rest * keep).div_ceil(10_000)
}

/// floor(v · 2^64 / d) for v below 2^80 and d at least 2^19, by long division; below 2^125.
fn shifted_div(v: u128, d: u128) -> u128 {
    let (mut q, mut rest) = (v / d, v % d);
    for _ in 0..64 {
        rest <<= 1;
        q <<= 1;
        if rest >= d {
            rest -= d;
            q |= 1;
        }
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_and_rounding() {
        assert_eq!(shifted_div(3, 1 << 64), 3);
        assert_eq!(shifted_div((1 << 80) - 1, 1 << 19), ((1u128 << 80) - 1) << 45);
        assert_eq!(shifted_div(7, (1 << 96) - 1), 0);
        assert_eq!(keep_after(10_000, 30), 9_970);
        assert_eq!(keep_after(1, 30), 1);
        assert_eq!(keep_after(0, 30), 0);
        assert_eq!(keep_after(u128::MAX >> 2, 0), u128::MAX >> 2);
    }
}
