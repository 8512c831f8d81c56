//! Units to field elements: the one doorway. Every function here has a twin in the circuit.

use crate::hash::{Domain, hash};
use crate::{Digest, Rotation, Scalar};
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

/// A record under the head before it: head, price + quote·2^96 + step·2^192, base + shares·2^96, fill, time, tick, block number·2^128 +
/// high half of its hash, low half, decision (the order's element + halted·2^224 + filled·2^225).
///
/// What shares an element is range-checked by the circuit; the rest is absorbed alone: whoever checks a head parses it at its width.
#[must_use]
pub fn record_elements(head: &Digest, record: &Record) -> [Scalar; 9] {
    let (obs, decision) = (&record.observation, &record.decision);
    let [high, low] = halves(&obs.block_hash);
    let bit = |b: bool, n: u64| if b { power(n) } else { Scalar::ZERO };
    [
        head.to_scalar(),
        element(obs.price_x64.x64()) + element(obs.quote.raw()) * power(96) + Scalar::from(u64::from(obs.step)) * power(192),
        element(obs.base.raw()) + element(obs.shares.raw()) * power(96),
        element(obs.fill.map_or(0, |f| f.amount_out.raw())),
        Scalar::from(obs.time_s),
        signed(obs.mean_tick.into()),
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

/// The log head after the announcement of other weights.
#[must_use]
pub fn rotation_head(head: &Digest, rotation: &Rotation) -> Digest {
    let at = Scalar::from(u64::from(rotation.at_step));
    Digest::from_scalar(hash(Domain::Rotation, &[head.to_scalar(), rotation.commitment.to_scalar(), at]))
}

/// Σ of (value, width) in disjoint places, from the lowest up.
fn pack(parts: &[(i64, u64)]) -> Scalar {
    parts.iter().rev().fold(Scalar::ZERO, |acc, (value, width)| acc * power(*width) + signed(*value))
}

/// The state as elements, in the order of the circuit: the clock; the small numbers; the averages; the least amount out of the pending
/// order, plus 1 (0 without an order); the high-water mark.
///
/// The memory of a recurrent model last, 31 cells an element. The step is in z itself. Balances and the rest of the pending order are
/// not here: no later decision depends on them.
#[must_use]
pub(crate) fn state_elements(s: &State) -> Vec<Scalar> {
    let small = [
        (i64::from(s.x) + (1 << 19), 20),
        (i64::from(s.r1) + (1 << 15), 16),
        (i64::from(s.r2) + (1 << 15), 16),
        (i64::from(s.turnover_used_bps), 25),
        (i64::from(s.window_left), 16),
        (i64::from(s.cooldown_left), 16),
        (i64::from(s.halted), 1),
    ];
    let averages: Vec<(i64, u64)> =
        s.ema.iter().map(|e| (i64::from(*e) + (1 << 27), 28)).chain(s.vol.iter().map(|v| (i64::from(*v), 23))).collect();
    let mut elements = vec![
        Scalar::from(s.last_time_s),
        pack(&small),
        pack(&averages),
        s.pending.map_or(Scalar::ZERO, |o| element(o.min_out) + Scalar::ONE),
        element(s.high_water.nav),
        element(s.high_water.shares.raw()),
    ];
    let cells: Vec<(i64, u64)> = s.memory.iter().map(|cell| (i64::from(*cell) + 128, 8)).collect();
    elements.extend(cells.chunks(31).map(pack));
    elements
}

/// The blinded digest of a state.
#[must_use]
pub fn state_digest(state: &State, blind: &Scalar) -> Scalar {
    let mut elements = state_elements(state);
    elements.push(*blind);
    hash(Domain::State, &elements)
}

/// Elements of z.
pub const ARITY: usize = 7;

/// What a chain of folds hands on: commitment in force, mandate digest, commitment and step of the rotation ahead (0, 0 without one),
/// decisions, log head, blinded state digest.
pub type Z = [Scalar; ARITY];

/// z at a place of a chain.
#[must_use]
pub fn z_at(commitment: &Digest, mandate: &Digest, ahead: Option<&Rotation>, decisions: u32, head: &Digest, state: Scalar) -> Z {
    [
        commitment.to_scalar(),
        mandate.to_scalar(),
        ahead.map_or(Scalar::ZERO, |r| r.commitment.to_scalar()),
        ahead.map_or(Scalar::ZERO, |r| Scalar::from(u64::from(r.at_step))),
        Scalar::from(u64::from(decisions)),
        head.to_scalar(),
        state,
    ]
}

/// z before the first decision (the public genesis state needs no blind).
#[must_use]
pub fn genesis_z(mandate: &Mandate, commitment: &Digest) -> Z {
    let digest = mandate_digest(mandate);
    let state = state_digest(&State::genesis(mandate), &Scalar::ZERO);
    z_at(commitment, &digest, None, 0, &genesis_head(&digest, commitment), state)
}
