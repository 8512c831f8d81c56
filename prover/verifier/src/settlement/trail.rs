//! The vault's trail: what it keeps of its decisions so that a settlement can be held against them. Twin of `_follow` in
//! `ProbityVault.sol` and of the fingerprint in `circuit.rs`.
//!
//! Decision i draws a challenge from the vault's own record of it and the head that commits to the prover's. The record's elements
//! are evaluated at the challenge and added to a running fingerprint; the challenges are chained. A settlement shows the
//! challenges again and proves the same fingerprint over the records inside the proof.

use super::{keccak, word};
use crate::encode::{order_element, power, record_elements};
use crate::{Digest, Scalar};
use ff::{Field, FromUniformBytes as _};
use probity_strategy::{Record, Side};

/// A decision's challenge: 128 bits, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub [u8; 16]);

impl Mark {
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
            &word(side),
            &word(amount_in),
            &word(min_out),
        ]);
        let mut mark = Mark([0; 16]);
        if let Some(low) = hash.last_chunk::<16>() {
            mark.0 = *low;
        }
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
    let [_, head, time, tick, price, quote, base, shares, fill, block, low, _] = record_elements(before, record);
    let filled = if record.observation.fill.is_some() { power(225) } else { Scalar::ZERO };
    [head, time, tick, price, quote, base, shares, fill, block, low, order_element(record.decision.order.as_ref()) + filled]
}

/// keccak-256 of the observation's ABI encoding.
fn observation_digest(record: &Record) -> [u8; 32] {
    let o = &record.observation;
    let mut tick = if o.mean_tick < 0 { [0xff; 32] } else { [0; 32] };
    if let Some(low) = tick.last_chunk_mut::<4>() {
        *low = o.mean_tick.to_be_bytes();
    }
    keccak(&[
        &word(o.step.into()),
        &word(o.time_s.into()),
        &word(o.block_number.into()),
        &o.block_hash,
        &tick,
        &word(o.price_x64.x64()),
        &word(o.quote.raw()),
        &word(o.base.raw()),
        &word(o.shares.raw()),
        &word(o.fill.is_some().into()),
        &word(o.fill.map_or(0, |f| f.amount_out.raw())),
    ])
}
