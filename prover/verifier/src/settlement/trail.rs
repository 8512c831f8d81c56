//! The vault's trail: what it keeps of its decisions so that a settlement can be held against them. Twin of `_follow` in
//! `ProbityVault.sol` and of the fingerprint in `circuit.rs`.
//!
//! Decision i draws a challenge from the vault's own record of it and the head that commits to the prover's. The record's elements
//! are evaluated at the challenge and added to a running fingerprint; the challenges are chained. A settlement shows the
//! challenges again and proves the same fingerprint over the records inside the proof.

use super::{abi_word, keccak};
use crate::encode::{element, halves, order_element, power, signed};
use crate::{Digest, Scalar};
use ff::{Field, FromUniformBytes as _};
use probity_strategy::{Record, Side};

/// A decision's challenge: 128 bits, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub [u8; 16]);

impl Mark {
    /// The last 16 bytes of a hash.
    pub(crate) fn of(hash: &[u8; 32]) -> Self {
        Self(hash.last_chunk().copied().unwrap_or_default())
    }

    /// The challenge as a field element.
    #[must_use]
    pub fn to_scalar(self) -> Scalar {
        let mut bytes = [0u8; 64];
        for (to, from) in bytes.iter_mut().zip(self.0.iter().rev()) {
            *to = *from;
        }
        Scalar::from_uniform_bytes(&bytes)
    }
}

/// The trail so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trail {
    /// Chain of the challenges.
    pub value: [u8; 32],
    /// Running fingerprint of the records.
    pub fingerprint: Scalar,
}

impl Trail {
    /// Takes a decision into the trail and returns its challenge.
    pub fn follow(&mut self, before: &Digest, after: &Digest, record: &Record) -> Mark {
        let (side, amount_in, min_out) =
            record.decision.order.as_ref().map_or((0, 0, 0), |o| (if o.side == Side::Buy { 1 } else { 2 }, o.amount_in.raw(), o.min_out));
        let hash = keccak(&[
            &self.value,
            &observation_digest(record),
            &before.to_bytes(),
            &after.to_bytes(),
            &abi_word(side),
            &abi_word(amount_in),
            &abi_word(min_out),
        ]);
        let mark = Mark::of(&hash);
        self.value = chained(&self.value, &mark);
        let at = mark.to_scalar();
        self.fingerprint += facts(before, record).iter().fold(Scalar::ZERO, |sum, fact| (sum + fact) * at);
        mark
    }
}

/// The trail's value after a challenge.
pub(crate) fn chained(trail: &[u8; 32], mark: &Mark) -> [u8; 32] {
    keccak(&[trail, &mark.0])
}

/// What the vault records of a decision: the record's elements without the step (z counts) and without the halt (it cannot know).
fn facts(before: &Digest, record: &Record) -> [Scalar; 11] {
    let o = &record.observation;
    let [high, low] = halves(&o.block_hash);
    let filled = if o.fill.is_some() { power(225) } else { Scalar::ZERO };
    [
        before.to_scalar(),
        Scalar::from(o.time_s),
        signed(o.mean_tick.into()),
        element(o.price_x64.x64()),
        element(o.quote.raw()),
        element(o.base.raw()),
        element(o.shares.raw()),
        element(o.fill.map_or(0, |f| f.amount_out.raw())),
        Scalar::from(o.block_number) * power(128) + high,
        low,
        order_element(record.decision.order.as_ref()) + filled,
    ]
}

/// keccak-256 of the observation's ABI encoding.
fn observation_digest(record: &Record) -> [u8; 32] {
    let o = &record.observation;
    let mut tick = if o.mean_tick < 0 { [0xff; 32] } else { [0; 32] };
    if let Some(low) = tick.last_chunk_mut::<4>() {
        *low = o.mean_tick.to_be_bytes();
    }
    keccak(&[
        &abi_word(o.step.into()),
        &abi_word(o.time_s.into()),
        &abi_word(o.block_number.into()),
        &o.block_hash,
        &tick,
        &abi_word(o.price_x64.x64()),
        &abi_word(o.quote.raw()),
        &abi_word(o.base.raw()),
        &abi_word(o.shares.raw()),
        &abi_word(o.fill.is_some().into()),
        &abi_word(o.fill.map_or(0, |f| f.amount_out.raw())),
    ])
}
