//! C12: weight rotation. Twin of `rotation.rs` beside the circuit.

use super::ranges::STEPS;
use super::{FoldWitness, digest_wire};
use crate::gadgets::{bits, boolean, enforce, is_zero, mul, select};
use crate::hash::Domain;
use crate::wire::{Integer, Wire, integer};
use crate::{ROTATION_NOTICE, Rotation, Scalar};
use nova_snark::frontend::{ConstraintSystem, SynthesisError};

/// A rotation: the one ahead is in z, 0, 0 without one.
#[derive(Clone)]
pub(super) struct OpenRotation {
    pub(super) commitment: Wire,
    pub(super) at_step: Wire,
}

impl OpenRotation {
    /// Witnesses the one that is announced now. Bound by the head (below).
    pub(super) fn open<CS: ConstraintSystem<Scalar>>(cs: &mut CS, known: bool, r: Option<&Rotation>) -> Result<Self, SynthesisError> {
        let value = |v: Option<Integer>| known.then(|| v.unwrap_or(Integer::ZERO));
        Ok(Self {
            commitment: Wire::witness(cs, value(r.map(|r| integer(&r.commitment.to_scalar()))))?,
            at_step: Wire::witness(cs, value(r.map(|r| r.at_step.into())))?,
        })
    }
}

/// What holds during a fold.
pub(super) struct Rotated {
    /// Commitment to the weights in force.
    pub(super) commitment: Wire,
    /// The rotation still ahead.
    pub(super) ahead: OpenRotation,
    /// Log head after an announcement, if there was one.
    pub(super) head: Wire,
}

/// First the announced weights take over if this is their step, then another rotation may be announced.
pub(super) fn rotate<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    w: Option<&FoldWitness>,
    commitment: &Wire,
    step: &Wire,
    head: &Wire,
    announced_before: &OpenRotation,
) -> Result<Rotated, SynthesisError> {
    // Is it the step, with a rotation announced? Then it happens: nobody chooses.
    let none = is_zero(cs, &announced_before.commitment)?;
    let due = is_zero(cs, &announced_before.at_step.sub(step))?;
    let now = mul(cs, &none.not(), &due)?;
    let commitment = select(cs, &now, &announced_before.commitment, commitment)?;
    let still = none.not().sub(&now);
    let kept =
        OpenRotation { commitment: mul(cs, &still, &announced_before.commitment)?, at_step: mul(cs, &still, &announced_before.at_step)? };

    let announces = boolean(cs, w.map(|w| w.announce.is_some()))?;
    let fresh = OpenRotation::open(cs, w.is_some(), w.and_then(|w| w.announce.as_ref()))?;
    // One at a time, and with notice: announces · (at − step − notice) is not negative.
    enforce(cs, &announces, &still, &Wire::constant(0));
    // 0 stands for no rotation in z, so it is no commitment.
    let nothing = is_zero(cs, &fresh.commitment)?;
    enforce(cs, &announces, &nothing, &Wire::constant(0));
    let notice = mul(cs, &announces, &fresh.at_step.sub(step).plus(-i64::from(ROTATION_NOTICE)))?;
    bits(cs, &notice, STEPS)?;
    let announced = digest_wire(cs, Domain::Rotation, &[head.clone(), fresh.commitment.clone(), fresh.at_step.clone()])?;
    Ok(Rotated {
        commitment,
        ahead: OpenRotation {
            commitment: select(cs, &announces, &fresh.commitment, &kept.commitment)?,
            at_step: select(cs, &announces, &fresh.at_step, &kept.at_step)?,
        },
        head: select(cs, &announces, &announced, head)?,
    })
}

/// No decision of the retired weights: after the fold the step is at most that of the rotation ahead, if there is one.
pub(super) fn retire<CS: ConstraintSystem<Scalar>>(cs: &mut CS, ahead: &OpenRotation, step: &Wire) -> Result<(), SynthesisError> {
    let none = is_zero(cs, &ahead.commitment)?;
    let left = mul(cs, &none.not(), &ahead.at_step.sub(step))?;
    bits(cs, &left, STEPS)?;
    Ok(())
}
