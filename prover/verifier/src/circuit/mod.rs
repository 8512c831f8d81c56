//! The step circuit: up to `decisions_per_fold` decisions, twin of `Engine::step` (blocks C1…C13, see `docs/design/circuit.md`).
//!
//! z = (model commitment, mandate digest, commitment and step of the rotation ahead, step, log head, blinded state digest). Each fold opens commitment, mandate and
//! state once (C1–C3), lets announced weights take over (C12), runs its slots (C4–C10) and closes the state under a new blind (C11). Unused slots are a suffix and
//! leave everything alone. Every block is a namespace of the constraint system, so that tests can count and break it.
//! Ranges of the state hold by induction: the genesis state is computed by the verifier, and each step's outputs are
//! bounded where they are made.

mod features;
mod memory;
mod model;
mod network;
mod order;
mod portfolio;
mod promise;
mod ranges;
mod risk;
mod rotation;
mod slot;
mod state;

use crate::gadgets::{boolean, enforce, equal, poseidon, select};
use crate::hash::Domain;
use crate::wire::{Wire, integer, to_scalar};
use crate::{ARITY, Digest, Rotation, Salt, Scalar};
use model::OpenModel;
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use nova_snark::traits::circuit::StepCircuit;
use probity_strategy::{Mandate, Model, ModelShape, Observation, State};
use promise::OpenMandate;
use rotation::OpenRotation;
pub(crate) use slot::Facts;
use state::OpenState;

/// Version of the circuit; any change of its constraints is a new one.
pub const CIRCUIT_VERSION: u16 = 4;

/// What one fold knows.
#[derive(Clone)]
pub struct FoldWitness {
    /// Mandate (public).
    pub mandate: Mandate,
    /// Model (private). If the step of the rotation ahead (which is in z) has come, the one that takes over.
    pub model: Model,
    /// Salt of its commitment (private).
    pub salt: Salt,
    /// State before the fold.
    pub state: State,
    /// Log head before the fold.
    pub head: Digest,
    /// A rotation announced right before the first decision of the fold.
    pub announce: Option<Rotation>,
    /// Observations of the live slots, 1 … `decisions_per_fold`.
    pub observations: Vec<Observation>,
    /// Blind of the state digest before.
    pub blind_in: Scalar,
    /// Blind of the state digest after.
    pub blind_out: Scalar,
}

impl std::fmt::Debug for FoldWitness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FoldWitness({} observations, private)", self.observations.len())
    }
}

/// The circuit of one fold; without a witness it has the same shape.
#[derive(Clone, Debug)]
pub struct FoldCircuit {
    /// Shape of the model.
    pub shape: ModelShape,
    /// Slots.
    pub decisions_per_fold: u16,
    /// The witness, if there is one.
    pub witness: Option<FoldWitness>,
}

impl StepCircuit<Scalar> for FoldCircuit {
    fn arity(&self) -> usize {
        ARITY
    }

    fn synthesize<CS: ConstraintSystem<Scalar>>(
        &self,
        cs: &mut CS,
        z: &[AllocatedNum<Scalar>],
    ) -> Result<Vec<AllocatedNum<Scalar>>, SynthesisError> {
        Ok(self.run(cs, z)?.0)
    }
}

impl FoldCircuit {
    /// The step itself: z after it, and what a vault saw of each slot (no constraint is added for the latter).
    pub(crate) fn run<CS: ConstraintSystem<Scalar>>(
        &self,
        cs: &mut CS,
        z: &[AllocatedNum<Scalar>],
    ) -> Result<(Vec<AllocatedNum<Scalar>>, Vec<Facts>), SynthesisError> {
        let [z_model, z_mandate, z_ahead, z_at, z_step, z_head, z_state] = z else {
            return Err(SynthesisError::Unsatisfiable(format!("expected {ARITY} elements of z, got {}", z.len())));
        };
        let w = self.witness.as_ref();
        let [z_model, mandate_before, z_ahead, z_at, z_step, z_head, z_state] =
            [z_model, z_mandate, z_ahead, z_at, z_step, z_head, z_state].map(|num| Wire::of(cs, num));

        let mandate = open_mandate(&mut cs.namespace(|| "C2 mandate"), w, &mandate_before)?;
        let mut state = open_state(&mut cs.namespace(|| "C3 state"), self.shape.units(), w, z_step, &z_state)?;
        let rotated = {
            let cs = &mut cs.namespace(|| "C12 rotation");
            let ahead = OpenRotation { commitment: z_ahead, at_step: z_at };
            rotation::rotate(cs, w, &z_model, &state.step, &z_head, &ahead)?
        };
        let model = open_model(&mut cs.namespace(|| "C1 model"), &self.shape, w, &rotated.commitment)?;

        let mut head = rotated.head;
        let mut live_before = Wire::constant(1);
        let mut seen_by_vault = Vec::with_capacity(usize::from(self.decisions_per_fold));
        for index in 0..usize::from(self.decisions_per_fold) {
            // C10: the first slot is live; the live slots are a prefix: live · (1 − live before) = 0.
            let live = if index == 0 {
                Wire::constant(1)
            } else {
                let cs = &mut cs.namespace(|| "C10 no-op");
                let live = boolean(cs, w.map(|w| index < w.observations.len()))?;
                enforce(cs, &live, &live_before.not(), &Wire::constant(0));
                live
            };
            // An unused slot runs on the last observation again and its result is dropped.
            let seen = w.and_then(|w| w.observations.get(index).or(w.observations.last()));
            let (next, next_head, facts) = slot::slot(cs, &self.shape, &model, &mandate, &state, &head, seen)?;
            seen_by_vault.push(facts);
            if index == 0 {
                (state, head) = (next, next_head);
            } else {
                let cs = &mut cs.namespace(|| "C10 no-op");
                head = select(cs, &live, &next_head, &head)?;
                state = state.choose(cs, &live, &next)?;
            }
            live_before = live;
        }

        // C11: the state closes under a new blind.
        rotation::retire(&mut cs.namespace(|| "C12 rotation"), &rotated.ahead, &state.step)?;
        let cs = &mut cs.namespace(|| "C11 close");
        let blind = Wire::witness(cs, w.map(|w| integer(&w.blind_out)))?;
        let closed = state.digest(cs, &blind)?;
        let after = vec![
            number(cs, &rotated.commitment)?,
            z_mandate.clone(),
            number(cs, &rotated.ahead.commitment)?,
            number(cs, &rotated.ahead.at_step)?,
            number(cs, &state.step)?,
            number(cs, &head)?,
            closed,
        ];
        Ok((after, seen_by_vault))
    }
}

/// C1: the model opens the commitment in force.
fn open_model<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    shape: &ModelShape,
    w: Option<&FoldWitness>,
    commitment: &Wire,
) -> Result<OpenModel, SynthesisError> {
    let model = OpenModel::open(cs, shape, w)?;
    let opened = Wire::of(cs, &model.commitment);
    equal(cs, &opened, commitment);
    Ok(model)
}

/// C2: the mandate opens its digest.
fn open_mandate<CS: ConstraintSystem<Scalar>>(cs: &mut CS, w: Option<&FoldWitness>, digest: &Wire) -> Result<OpenMandate, SynthesisError> {
    let mandate = OpenMandate::open(cs, w)?;
    let opened = Wire::of(cs, &mandate.digest);
    equal(cs, &opened, digest);
    Ok(mandate)
}

/// C3: the state opens its blinded digest.
fn open_state<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    units: usize,
    w: Option<&FoldWitness>,
    step: Wire,
    digest: &Wire,
) -> Result<OpenState, SynthesisError> {
    let state = OpenState::open(cs, units, w.map(|w| &w.state), step)?;
    let blind = Wire::witness(cs, w.map(|w| integer(&w.blind_in)))?;
    let opened = state.digest(cs, &blind)?;
    let opened = Wire::of(cs, &opened);
    equal(cs, &opened, digest);
    Ok(state)
}

/// A wire as an allocated number.
fn number<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire) -> Result<AllocatedNum<Scalar>, SynthesisError> {
    let value = wire.value().map(to_scalar);
    let num = AllocatedNum::alloc(cs.namespace(|| "z"), || value.ok_or(SynthesisError::AssignmentMissing))?;
    let allocated = Wire::of(cs, &num);
    equal(cs, wire, &allocated);
    Ok(num)
}

/// The hash of wires as a wire.
fn digest_wire<CS: ConstraintSystem<Scalar>>(cs: &mut CS, domain: Domain, wires: &[Wire]) -> Result<Wire, SynthesisError> {
    let num = poseidon(cs, domain, wires)?;
    Ok(Wire::of(cs, &num))
}
