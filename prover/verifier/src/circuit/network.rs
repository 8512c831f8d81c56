//! C7: the network. Twin of `strategy/src/network.rs`.

use super::model::OpenModel;
use super::ranges::ACC;
use crate::Scalar;
use crate::gadgets::{Wire, is_zero, mul, offset_bits, pin, select, sum};
use nova_snark::frontend::{ConstraintSystem, SynthesisError};
use probity_strategy::{ACTIVATION_MAX, ModelShape};

/// |acc| ≤ 128·128·128 + 2^22 < 2^23 for a valid model; a model beyond that has no satisfying witness.
pub(super) fn forward<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    shape: &ModelShape,
    model: &OpenModel,
    input: Vec<Wire>,
) -> Result<Vec<Wire>, SynthesisError> {
    let (mut weights, mut biases) = (model.weights.iter(), model.biases.iter());
    let mut activations = input;
    for (layer, width) in shape.dims.iter().skip(1).enumerate() {
        let mut next = Vec::with_capacity(usize::from(*width));
        for _ in 0..*width {
            let mut acc = biases.next().cloned().ok_or(SynthesisError::AssignmentMissing)?;
            for a in &activations {
                let w = weights.next().ok_or(SynthesisError::AssignmentMissing)?;
                acc = acc.add(&mul(cs, w, a)?);
            }
            next.push(match shape.shifts.get(layer) {
                Some(shift) => rescale(cs, &acc, u32::from(*shift))?,
                None => pin(cs, &acc)?,
            });
        }
        activations = next;
    }
    Ok(activations)
}

/// clamp(floor((acc + 2^(s−1)) / 2^s), 0, 127).
fn rescale<CS: ConstraintSystem<Scalar>>(cs: &mut CS, acc: &Wire, shift: u32) -> Result<Wire, SynthesisError> {
    let bits = offset_bits(cs, &acc.add(&Wire::constant(1).shl(shift.saturating_sub(1))), ACC)?;
    let s = usize::try_from(shift).unwrap_or(0);
    let top = bits.len().saturating_sub(1);
    let positive = bits.last().cloned().unwrap_or_else(|| Wire::constant(0));
    let low = sum(bits.get(s..s.saturating_add(7).min(top)).unwrap_or(&[]));
    let high = sum(bits.get(s.saturating_add(7).min(top)..top).unwrap_or(&[]));
    let fits = is_zero(cs, &high)?;
    let capped = select(cs, &fits, &low, &Wire::constant(ACTIVATION_MAX.into()))?;
    mul(cs, &positive, &capped)
}
