//! C7: the network. Twin of `strategy/src/network.rs`.
//!
//! The accumulators of up to [`per_group`](super::ranges::per_group) outputs are computed as one sum, each in a place of its own: one
//! product for an input and a group. No accumulator can leave its place, whatever the witness (see `ranges.rs`), so the sum has one
//! reading.

use super::model::{Group, OpenModel};
use super::ranges::accumulator;
use crate::Scalar;
use crate::gadgets::{bits, cap, mul};
use crate::wire::{Wire, sum};
use nova_snark::frontend::{ConstraintSystem, SynthesisError};
use probity_strategy::{ACTIVATION_MAX, ModelShape};

/// An accumulator and whether it is not negative.
pub(super) struct Output {
    pub(super) value: Wire,
    pub(super) positive: Wire,
}

/// The raw outputs of the network.
pub(super) fn forward<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    shape: &ModelShape,
    model: &OpenModel,
    input: Vec<Wire>,
) -> Result<Vec<Output>, SynthesisError> {
    let (mut activations, mut outputs) = (input, Vec::new());
    for (layer, groups) in model.layers.iter().enumerate() {
        let width = accumulator(activations.len());
        let shift = shape.shifts.get(layer).map(|s| u32::from(*s));
        let mut next = Vec::new();
        for group in groups {
            let half = shift.map_or(0, |s| 1 << s.saturating_sub(1));
            for digits in accumulate(cs, group, &activations, width, |_| half)? {
                match shift {
                    Some(shift) => next.push(cap(cs, &digits, shift, 7, ACTIVATION_MAX.into())?),
                    None => outputs.push(read(&digits, width)),
                }
            }
        }
        activations = next;
    }
    Ok(outputs)
}

/// The bits of each accumulator of a group, 2^(width − 1) and what is to be added to the output of that number in it.
pub(super) fn accumulate<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    group: &Group,
    activations: &[Wire],
    width: u32,
    added: impl Fn(u32) -> i64,
) -> Result<Vec<Vec<Wire>>, SynthesisError> {
    let mut total = group.bias.clone();
    for (w, a) in group.weights.iter().zip(activations) {
        total = total.add(&mul(cs, w, a)?);
    }
    for output in 0..group.outputs {
        let offset = Wire::constant(1).shl(width.saturating_sub(1)).plus(added(output));
        total = total.add(&offset.shl(width.saturating_mul(output)));
    }
    let all = bits(cs, &total, width.saturating_mul(group.outputs))?;
    Ok(all.chunks(usize::try_from(width).unwrap_or(1)).map(<[Wire]>::to_vec).collect())
}

/// An output from the bits of v + 2^(width − 1).
fn read(bits: &[Wire], width: u32) -> Output {
    let value = sum(bits).sub(&Wire::constant(1).shl(width.saturating_sub(1)));
    Output { value, positive: bits.last().cloned().unwrap_or_else(|| Wire::constant(0)) }
}
