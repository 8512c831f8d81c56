//! Units to field elements: the one doorway. Every function here has a twin in the circuit.

use crate::hash::{Domain, hash};
use crate::{Digest, Scalar};
use ff::Field;
use probity_strategy::{Mandate, Order, Record, Side, State};
use sha2::{Digest as _, Sha256};

/// A u128 as a field element.
#[must_use]
pub(crate) fn element(value: u128) -> Scalar {
    let (high, low) = (value >> 64, value & u128::from(u64::MAX));
    let half = |v: u128| Scalar::from(u64::try_from(v).unwrap_or(u64::MAX));
    half(high) * power(64) + half(low)
}

/// A signed integer as a field element; negatives are p − |v|.
#[must_use]
pub(crate) fn signed(value: i64) -> Scalar {
    let magnitude = Scalar::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// 2^n.
#[must_use]
pub(crate) fn power(n: u64) -> Scalar {
    Scalar::from(2).pow_vartime([n])
}

/// At most 31 bytes, little-endian, as a field element.
#[must_use]
pub(crate) fn bytes_to_element(bytes: &[u8]) -> Scalar {
    bytes.iter().rev().fold(Scalar::ZERO, |acc, b| acc * Scalar::from(256) + Scalar::from(u64::from(*b)))
}

/// 32 bytes, big-endian, as two 128-bit elements: high, low.
#[must_use]
pub(crate) fn halves(bytes: &[u8; 32]) -> [Scalar; 2] {
    let (high, low) = bytes.split_at(16);
    let half = |part: &[u8]| part.iter().fold(Scalar::ZERO, |acc, b| acc * Scalar::from(256) + Scalar::from(u64::from(*b)));
    [half(high), half(low)]
}

/// The mandate's numbers that the circuit computes with, in the order of [`mandate_digest`].
#[must_use]
pub(crate) fn mandate_numbers(m: &Mandate) -> [Scalar; 11] {
    let l = &m.limits;
    let n = |v: u64| Scalar::from(v);
    [
        n(u64::from(m.base_is_token1)),
        n(m.interval_s.into()),
        n(l.max_weight_bps.into()),
        n(l.max_trade_bps.into()),
        n(l.min_trade_bps.into()),
        n(l.max_turnover_bps.into()),
        n(l.turnover_window_steps.into()),
        n(l.max_drawdown_bps.into()),
        n(l.max_slippage_bps.into()),
        element(l.max_trade_quote.raw()),
        n(l.warmup_steps.into()),
    ]
}

/// SHA-256 of the mandate's canonical JSON (the field order of the format, no spaces), as two elements.
#[must_use]
pub(crate) fn mandate_text(m: &Mandate) -> [Scalar; 2] {
    // Serialising plain integers and strings to memory cannot fail.
    let text = serde_json::to_vec(m).unwrap_or_default();
    halves(&Sha256::digest(text).into())
}

/// The digest of a mandate: its text's hash, then the numbers the circuit uses.
#[must_use]
pub fn mandate_digest(m: &Mandate) -> Digest {
    let mut elements = mandate_text(m).to_vec();
    elements.extend(mandate_numbers(m));
    Digest::from_scalar(hash(Domain::Mandate, &elements))
}

/// The log head before the first record.
#[must_use]
pub fn genesis_head(mandate: &Digest, commitment: &Digest) -> Digest {
    Digest::from_scalar(hash(Domain::Genesis, &[mandate.to_scalar(), commitment.to_scalar()]))
}

/// An order as one element: amount_in + min_out·2^96 + buy·2^222 + sell·2^223. None is 0.
#[must_use]
pub(crate) fn order_element(order: Option<&Order>) -> Scalar {
    order.map_or(Scalar::ZERO, |o| {
        let side = match o.side {
            Side::Buy => power(222),
            Side::Sell => power(223),
        };
        element(o.amount_in.raw()) + element(o.min_out) * power(96) + side
    })
}

/// A record under the head before it: step, head, time, tick, price, quote, base, shares, fill, block number and high half of its
/// hash, low half, decision (the order's element + halted·2^224 + filled·2^225).
///
/// The fields of the observation are absorbed unpacked: whoever checks a head parses them at their widths.
#[must_use]
pub fn record_elements(head: &Digest, record: &Record) -> [Scalar; 12] {
    let (obs, decision) = (&record.observation, &record.decision);
    let [high, low] = halves(&obs.block_hash);
    let bit = |b: bool, n: u64| if b { power(n) } else { Scalar::ZERO };
    [
        Scalar::from(u64::from(obs.step)),
        head.to_scalar(),
        Scalar::from(obs.time_s),
        signed(obs.mean_tick.into()),
        element(obs.price_x64.x64()),
        element(obs.quote.raw()),
        element(obs.base.raw()),
        element(obs.shares.raw()),
        element(obs.fill.map_or(0, |f| f.amount_out.raw())),
        Scalar::from(obs.block_number) * power(128) + high,
        low,
        order_element(decision.order.as_ref()) + bit(decision.halted, 224) + bit(obs.fill.is_some(), 225),
    ]
}

/// The log head after a record.
#[must_use]
pub fn next_head(head: &Digest, record: &Record) -> Digest {
    Digest::from_scalar(hash(Domain::Record, &record_elements(head, record)))
}

/// The state as elements, in the order of the circuit (the step is in z itself).
#[must_use]
pub(crate) fn state_elements(s: &State) -> Vec<Scalar> {
    let mut out = vec![Scalar::from(s.last_time_s), signed(s.x.into()), signed(s.r1.into()), signed(s.r2.into())];
    out.extend(s.ema.iter().chain(&s.vol).map(|v| signed((*v).into())));
    out.extend([
        element(s.quote.raw()),
        element(s.base.raw()),
        order_element(s.pending.as_ref()),
        element(s.high_water.nav),
        element(s.high_water.shares.raw()),
        Scalar::from(u64::from(s.halted)),
        Scalar::from(u64::from(s.cooldown_left)),
        Scalar::from(u64::from(s.window_left)),
        Scalar::from(u64::from(s.turnover_used_bps)),
    ]);
    out
}

/// The blinded digest of a state.
#[must_use]
pub fn state_digest(state: &State, blind: &Scalar) -> Scalar {
    let mut elements = state_elements(state);
    elements.push(*blind);
    hash(Domain::State, &elements)
}

/// z before the first decision: commitment, mandate digest, step, log head, state digest (the public genesis state needs no blind).
#[must_use]
pub fn genesis_z(mandate: &Mandate, commitment: &Digest) -> [Scalar; 5] {
    let digest = mandate_digest(mandate);
    [
        commitment.to_scalar(),
        digest.to_scalar(),
        Scalar::ZERO,
        genesis_head(&digest, commitment).to_scalar(),
        state_digest(&State::genesis(mandate), &Scalar::ZERO),
    ]
}
