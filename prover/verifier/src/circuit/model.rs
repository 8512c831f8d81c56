//! C1: the model, range-checked, opens the commitment. Twin of `commitment.rs`.

use super::FoldWitness;
use crate::Scalar;
use crate::commitment::{BIASES_PER_ELEMENT, WEIGHTS_PER_ELEMENT};
use crate::gadgets::{Wire, bits, pin, poseidon};
use crate::hash::Domain;
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use num_bigint::BigInt;
use probity_strategy::{FEATURES, ModelShape};

/// The opened model.
pub(super) struct OpenModel {
    pub(super) scales: Vec<Wire>,
    pub(super) weights: Vec<Wire>,
    pub(super) biases: Vec<Wire>,
    pub(super) gain: Wire,
    pub(super) band_gain: Wire,
    pub(super) band_bps: Wire,
    pub(super) max_step_bps: Wire,
    pub(super) cooldown_steps: Wire,
    pub(super) commitment: AllocatedNum<Scalar>,
}

/// An unsigned number of n bits, allocated once.
fn unsigned<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<i64>, n: u32) -> Result<Wire, SynthesisError> {
    let wire = Wire::witness(cs, value.map(BigInt::from))?;
    bits(cs, &wire, n)?;
    Ok(wire)
}

/// Σ 2^(width·i) · wire_i.
fn pack(wires: &[Wire], width: u32) -> Wire {
    wires.iter().rev().fold(Wire::constant(0), |acc, w| acc.shl(width).add(w))
}

impl OpenModel {
    pub(super) fn open<CS: ConstraintSystem<Scalar>>(
        cs: &mut CS,
        shape: &ModelShape,
        w: Option<&FoldWitness>,
    ) -> Result<Self, SynthesisError> {
        let model = w.map(|w| &w.model);
        let mut scales = Vec::with_capacity(FEATURES);
        for i in 0..FEATURES {
            scales.push(unsigned(cs, model.map(|m| m.scales.get(i).copied().unwrap_or(0).into()), 16)?);
        }
        let policy = model.map(|m| &m.policy);
        let gain = unsigned(cs, policy.map(|p| p.gain.into()), 16)?;
        let band_gain = unsigned(cs, policy.map(|p| p.band_gain.into()), 16)?;
        let band_bps = unsigned(cs, policy.map(|p| p.band_bps.into()), 14)?;
        let max_step_bps = unsigned(cs, policy.map(|p| p.max_step_bps.into()), 14)?;
        let cooldown_steps = unsigned(cs, policy.map(|p| p.cooldown_steps.into()), 16)?;
        let mut weights = Vec::with_capacity(shape.weights());
        for i in 0..shape.weights() {
            weights.push(unsigned(cs, model.map(|m| i64::from(m.weights.get(i).copied().unwrap_or(0)).saturating_add(128)), 8)?);
        }
        let mut biases = Vec::with_capacity(shape.biases());
        for i in 0..shape.biases() {
            biases.push(unsigned(cs, model.map(|m| i64::from(m.biases.get(i).copied().unwrap_or(0)).saturating_add(1 << 23)), 24)?);
        }
        let salt = w.map(|w| w.salt.elements());
        let mut groups = vec![
            Wire::witness(cs, salt.as_ref().map(|[high, _]| super::integer(high)))?,
            Wire::witness(cs, salt.as_ref().map(|[_, low]| super::integer(low)))?,
        ];
        groups.extend(scales.chunks(8).map(|c| pack(c, 16)));
        groups.push(pack(&[gain.clone(), band_gain.clone(), band_bps.clone(), max_step_bps.clone(), cooldown_steps.clone()], 16));
        groups.extend(weights.chunks(WEIGHTS_PER_ELEMENT).map(|c| pack(c, 8)));
        groups.extend(biases.chunks(BIASES_PER_ELEMENT).map(|c| pack(c, 24)));
        let commitment = poseidon(cs, Domain::Model, &groups)?;
        // One variable a weight: a product then costs one non-zero for it.
        let weights = weights.iter().map(|w| pin(cs, &w.plus(-128))).collect::<Result<_, _>>()?;
        let biases = biases.iter().map(|b| b.plus(-(1 << 23))).collect();
        Ok(Self { scales, weights, biases, gain, band_gain, band_bps, max_step_bps, cooldown_steps, commitment })
    }
}
