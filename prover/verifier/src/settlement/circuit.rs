//! One block as a plain R1CS instance: the step circuit of the running proof, with its ends and the vault's marks public.
//!
//! Public, in this order: z before, fingerprint before, one mark a slot, z after, fingerprint after. A slot without a decision has
//! the mark 0, under which nothing is added. Beyond the step circuit there are 11 rows a slot and one a public value.

use crate::circuit::Facts;
use crate::wire::to_scalar;
use crate::{FoldCircuit, Scalar};
use ff::Field;
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use nova_snark::traits::circuit::StepCircuit;

/// A block; without values it has the same shape.
#[derive(Clone, Debug)]
pub struct SettleCircuit {
    /// The step circuit with its witness.
    pub fold: FoldCircuit,
    /// z before the block.
    pub z: Option<Vec<Scalar>>,
    /// The fingerprint before the block.
    pub fingerprint: Option<Scalar>,
    /// A mark for each slot, 0 for those without a decision.
    pub marks: Option<Vec<Scalar>>,
}

impl SettleCircuit {
    /// Public values of a block of this step circuit.
    #[must_use]
    pub fn public_values(fold: &FoldCircuit) -> usize {
        let slots = usize::from(fold.decisions_per_fold);
        fold.arity().saturating_add(1).saturating_mul(2).saturating_add(slots)
    }

    /// Writes the block's rows.
    pub fn synthesize<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS) -> Result<(), SynthesisError> {
        let value = |all: &Option<Vec<Scalar>>, i: usize| all.as_ref().and_then(|v| v.get(i)).copied();
        let mut allocate = |name: &'static str, value: Option<Scalar>| {
            AllocatedNum::alloc(cs.namespace(|| name), || value.ok_or(SynthesisError::AssignmentMissing))
        };
        let z = (0..self.fold.arity()).map(|i| allocate("z", value(&self.z, i))).collect::<Result<Vec<_>, _>>()?;
        let before = allocate("fingerprint", self.fingerprint)?;
        let slots = usize::from(self.fold.decisions_per_fold);
        let marks = (0..slots).map(|i| allocate("mark", value(&self.marks, i))).collect::<Result<Vec<_>, _>>()?;

        let (after, facts) = self.fold.run(&mut cs.namespace(|| "F"), &z)?;
        let fingerprint = fingerprint(&mut cs.namespace(|| "fingerprint"), &before, &marks, &facts)?;

        let inputs = z.iter().chain([&before]).chain(&marks).chain(&after).chain([&fingerprint]);
        for (i, number) in inputs.enumerate() {
            number.inputize(cs.namespace(|| format!("public {i}")))?;
        }
        Ok(())
    }
}

/// before + Σ over the slots of ((…(f₁·m + f₂)·m + …) + f₁₁)·m.
fn fingerprint<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    before: &AllocatedNum<Scalar>,
    marks: &[AllocatedNum<Scalar>],
    facts: &[Facts],
) -> Result<AllocatedNum<Scalar>, SynthesisError> {
    let mut ends = Vec::with_capacity(marks.len());
    for (mark, facts) in marks.iter().zip(facts) {
        let mut sum: Option<AllocatedNum<Scalar>> = None;
        for fact in facts {
            let so_far = sum.as_ref().map_or(Some(Scalar::ZERO), AllocatedNum::get_value);
            let product = so_far.zip(fact.value()).zip(mark.get_value()).map(|((s, f), m)| (s + to_scalar(f)) * m);
            let next = AllocatedNum::alloc(cs.namespace(|| "sum"), || product.ok_or(SynthesisError::AssignmentMissing))?;
            cs.enforce(
                || "(sum + fact) · mark = next",
                |lc| match &sum {
                    Some(sum) => lc + sum.get_variable() + &fact.lc(),
                    None => lc + &fact.lc(),
                },
                |lc| lc + mark.get_variable(),
                |lc| lc + next.get_variable(),
            );
            sum = Some(next);
        }
        ends.extend(sum);
    }
    let total = ends.iter().try_fold(before.get_value(), |sum, end| Some(sum.zip(end.get_value()).map(|(a, b)| a + b)));
    let total = total.flatten();
    let after = AllocatedNum::alloc(cs.namespace(|| "after"), || total.ok_or(SynthesisError::AssignmentMissing))?;
    cs.enforce(
        || "before + Σ sums = after",
        |lc| ends.iter().fold(lc + before.get_variable(), |lc, end| lc + end.get_variable()),
        |lc| lc + CS::one(),
        |lc| lc + after.get_variable(),
    );
    Ok(after)
}
