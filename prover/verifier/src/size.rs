//! How large the circuit of a shape is, Nova's own part included, without making any commitment key.
//!
//! Exact: the proof library synthesises the very circuit it would make parameters for, and is stopped before the keys.

use crate::keys::guarded;
use crate::{FoldCircuit, KeysError, Pairing, PublicParamsOf, System};
use nova_snark::r1cs::R1CSShape;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;
use probity_strategy::ModelShape;
use std::cell::Cell;
use std::rc::Rc;

/// Size of the primary circuit of one fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitSize {
    /// Constraints.
    pub constraints: usize,
    /// Variables.
    pub variables: usize,
    /// Points of the commitment key, a power of two: what a powers-of-tau file must have at least.
    pub powers: usize,
}

/// Points of the commitment key for a circuit of the pairing engine's first curve.
pub(crate) fn powers(shape: &R1CSShape<<Pairing as System>::E1>) -> usize {
    <Pairing as System>::S1::ck_floor()(shape).max(shape.num_cons()).max(shape.num_vars()).max(2).next_power_of_two()
}

impl CircuitSize {
    /// Counts the circuit that folds `decisions_per_fold` decisions of a model of this shape.
    pub fn of(shape: &ModelShape, decisions_per_fold: u16) -> Result<Self, KeysError> {
        let circuit = FoldCircuit { shape: shape.clone(), decisions_per_fold, witness: None };
        let seen: Rc<Cell<Option<Self>>> = Rc::default();
        let hint = {
            let seen = Rc::clone(&seen);
            move |shape: &R1CSShape<<Pairing as System>::E1>| {
                let powers = powers(shape);
                seen.set(Some(Self { constraints: shape.num_cons(), variables: shape.num_vars(), powers }));
                powers
            }
        };
        // The library looks for powers of tau next: an empty folder has none, and that is where it stops.
        let nowhere = tempfile::tempdir().map_err(|e| KeysError::Unsupported {
            field: "temporary folder",
            expected: "one that can be written",
            got: e.to_string(),
        })?;
        let stopped = guarded(|| PublicParamsOf::<Pairing>::setup_with_ptau_dir(&circuit, &hint, &|_| 0, nowhere.path()));
        match (seen.get(), stopped) {
            (Some(size), _) => Ok(size),
            (None, Err(e)) => Err(e),
            (None, Ok(_)) => Err(KeysError::Panicked),
        }
    }
}
