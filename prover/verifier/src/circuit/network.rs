//! C7: the network. Twin of `strategy/src/network.rs`.
//!
//! The accumulators of up to [`per_group`](super::ranges::per_group) outputs are computed as one sum, each in a place of its own: one
//! product for an input and a group. No accumulator can leave its place, whatever the witness (see `ranges.rs`), so the sum has one
//! reading.

use super::model::{Group, OpenModel};
use super::ranges::accumulator;
use crate::Scalar;
use crate::gadgets::{Wire, bits, is_zero, mul, select, sum};
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
            for digits in accumulate(cs, group, &activations, width, shift)? {
                match shift {
                    Some(shift) => next.push(rescale(cs, &digits, shift)?),
                    None => outputs.push(read(&digits, width)),
                }
            }
        }
        activations = next;
    }
    Ok(outputs)
}

/// The bits of each accumulator of a group, rounding and offset 2^(width − 1) added.
fn accumulate<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    group: &Group,
    activations: &[Wire],
    width: u32,
    shift: Option<u32>,
) -> Result<Vec<Vec<Wire>>, SynthesisError> {
    let mut total = group.bias.clone();
    for (w, a) in group.weights.iter().zip(activations) {
        total = total.add(&mul(cs, w, a)?);
    }
    let offset = Wire::constant(1)
        .shl(width.saturating_sub(1))
        .add(&shift.map_or(Wire::constant(0), |s| Wire::constant(1).shl(s.saturating_sub(1))));
    for output in 0..group.outputs {
        total = total.add(&offset.shl(width.saturating_mul(output)));
    }
    let all = bits(cs, &total, width.saturating_mul(group.outputs))?;
    Ok(all.chunks(usize::try_from(width).unwrap_or(1)).map(<[Wire]>::to_vec).collect())
}

/// clamp(floor(v / 2^s), 0, 127) for the bits of v + 2^(width − 1).
fn rescale<CS: ConstraintSystem<Scalar>>(cs: &mut CS, bits: &[Wire], shift: u32) -> Result<Wire, SynthesisError> {
    let s = usize::try_from(shift).unwrap_or(0);
    let top = bits.len().saturating_sub(1);
    let positive = bits.last().cloned().unwrap_or_else(|| Wire::constant(0));
    let low = sum(bits.get(s..s.saturating_add(7).min(top)).unwrap_or(&[]));
    let high = sum(bits.get(s.saturating_add(7).min(top)..top).unwrap_or(&[]));
    let fits = is_zero(cs, &high)?;
    let capped = select(cs, &fits, &low, &Wire::constant(ACTIVATION_MAX.into()))?;
    mul(cs, &positive, &capped)
}

/// An output from the bits of v + 2^(width − 1).
fn read(bits: &[Wire], width: u32) -> Output {
    let value = sum(bits).sub(&Wire::constant(1).shl(width.saturating_sub(1)));
    Output { value, positive: bits.last().cloned().unwrap_or_else(|| Wire::constant(0)) }
}
