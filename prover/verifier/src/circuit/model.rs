//! C1: the model, range-checked, opens the commitment. Twin of `commitment.rs`.

use super::FoldWitness;
use super::ranges::{BIAS, accumulator, per_group};
use crate::Scalar;
use crate::commitment::{BIASES_PER_ELEMENT, WEIGHTS_PER_ELEMENT};
use crate::gadgets::{pin, poseidon, unsigned};
use crate::hash::Domain;
use crate::wire::{Integer, Wire, integer, pack};
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use probity_strategy::{FEATURES, ModelShape};

/// The opened model.
pub(super) struct OpenModel {
    pub(super) scales: Vec<Wire>,
    /// Gates and candidates of a recurrent model; empty without.
    pub(super) memory: Vec<Group>,
    pub(super) layers: Vec<Vec<Group>>,
    pub(super) gain: Wire,
    pub(super) band_gain: Wire,
    pub(super) band_bps: Wire,
    pub(super) max_step_bps: Wire,
    pub(super) cooldown_steps: Wire,
    pub(super) commitment: AllocatedNum<Scalar>,
}

/// Outputs of a layer whose accumulators share one sum, each in a place of its own (C7).
pub(super) struct Group {
    /// For each input: Σ 2^(place·j)·weight_j.
    pub(super) weights: Vec<Wire>,
    /// Σ 2^(place·j)·bias_j.
    pub(super) bias: Wire,
    /// How many outputs.
    pub(super) outputs: u32,
}

impl OpenModel {
    pub(super) fn open<CS: ConstraintSystem<Scalar>>(
        cs: &mut CS,
        shape: &ModelShape,
        w: Option<&FoldWitness>,
    ) -> Result<Self, SynthesisError> {
        let model = w.map(|w| &w.model);
        let mut number = |value: Option<i64>, n: u32| unsigned(cs, value.map(Integer::from), n);
        let mut scales = Vec::with_capacity(FEATURES);
        for i in 0..FEATURES {
            scales.push(number(model.map(|m| m.scales.get(i).copied().unwrap_or(0).into()), 16)?);
        }
        let policy = model.map(|m| &m.policy);
        let gain = number(policy.map(|p| p.gain.into()), 16)?;
        let band_gain = number(policy.map(|p| p.band_gain.into()), 16)?;
        let band_bps = number(policy.map(|p| p.band_bps.into()), 14)?;
        let max_step_bps = number(policy.map(|p| p.max_step_bps.into()), 14)?;
        let cooldown_steps = number(policy.map(|p| p.cooldown_steps.into()), 16)?;
        let mut weights = Vec::with_capacity(shape.weights());
        for i in 0..shape.weights() {
            weights.push(number(model.map(|m| i64::from(m.weights.get(i).copied().unwrap_or(0)).saturating_add(128)), 8)?);
        }
        let mut biases = Vec::with_capacity(shape.biases());
        for i in 0..shape.biases() {
            biases.push(number(model.map(|m| i64::from(m.biases.get(i).copied().unwrap_or(0)).saturating_add(1 << (BIAS - 1))), BIAS)?);
        }
        let salt = w.map(|w| w.salt.elements());
        let mut elements = vec![
            Wire::witness(cs, salt.as_ref().map(|[high, _]| integer(high)))?,
            Wire::witness(cs, salt.as_ref().map(|[_, low]| integer(low)))?,
        ];
        elements.extend(scales.chunks(8).map(|c| place(c, 16)));
        elements.push(place(&[gain.clone(), band_gain.clone(), band_bps.clone(), max_step_bps.clone(), cooldown_steps.clone()], 16));
        elements.extend(weights.chunks(WEIGHTS_PER_ELEMENT).map(|c| place(c, 8)));
        // The commitment's own offset is 2^23.
        let lifted: Vec<Wire> = biases.iter().map(|b| b.plus((1 << 23) - (1 << (BIAS - 1)))).collect();
        elements.extend(lifted.chunks(BIASES_PER_ELEMENT).map(|c| place(c, 24)));
        let commitment = poseidon(cs, Domain::Model, &elements)?;

        let weights: Vec<Wire> = weights.iter().map(|w| w.plus(-128)).collect();
        let biases: Vec<Wire> = biases.iter().map(|b| b.plus(-(1 << (BIAS - 1)))).collect();
        let mut layers = group(cs, shape, &weights, &biases)?;
        let memory = if shape.units() > 0 { layers.remove(0) } else { Vec::new() };
        // Used in every slot: one variable each.
        let scales = scales.iter().map(|s| pin(cs, s)).collect::<Result<_, _>>()?;
        let [gain, band_gain, band_bps, max_step_bps, cooldown_steps] =
            [pin(cs, &gain)?, pin(cs, &band_gain)?, pin(cs, &band_bps)?, pin(cs, &max_step_bps)?, pin(cs, &cooldown_steps)?];
        Ok(Self { scales, memory, layers, gain, band_gain, band_bps, max_step_bps, cooldown_steps, commitment })
    }
}

/// Σ 2^(width·i) · wire_i.
fn place(wires: &[Wire], width: u32) -> Wire {
    pack(&wires.iter().map(|w| (w.clone(), width)).collect::<Vec<_>>())
}

/// The weights and biases of each matrix as sums over as many outputs as fit, one variable each.
fn group<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    shape: &ModelShape,
    weights: &[Wire],
    biases: &[Wire],
) -> Result<Vec<Vec<Group>>, SynthesisError> {
    let (mut weights, mut biases) = (weights, biases);
    let mut layers = Vec::with_capacity(shape.dims.len());
    for (inputs, outputs) in shape.matrices() {
        let (rows, rest) = weights.split_at_checked(inputs.saturating_mul(outputs)).ok_or(SynthesisError::AssignmentMissing)?;
        weights = rest;
        let (offsets, rest) = biases.split_at_checked(outputs).ok_or(SynthesisError::AssignmentMissing)?;
        biases = rest;
        let width = accumulator(inputs);
        let rows: Vec<&[Wire]> = rows.chunks(inputs).collect();
        let mut groups = Vec::new();
        for (rows, offsets) in rows.chunks(per_group(width)).zip(offsets.chunks(per_group(width))) {
            let mut sums = Vec::with_capacity(inputs);
            for i in 0..inputs {
                let column: Vec<Wire> = rows.iter().filter_map(|row| row.get(i).cloned()).collect();
                sums.push(pin(cs, &place(&column, width))?);
            }
            let outputs = u32::try_from(rows.len()).map_err(|_| SynthesisError::AssignmentMissing)?;
            groups.push(Group { weights: sums, bias: pin(cs, &place(offsets, width))?, outputs });
        }
        layers.push(groups);
    }
    Ok(layers)
}
