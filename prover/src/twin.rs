//! The step circuit over decisions without a proof: every constraint is evaluated, and every fold must end where the engine
//! does. For checks of the circuit over many made-up histories, where folding would take hours.

use crate::ProverError;
use crate::session::CHAIN;
use ff::Field;
use nova_snark::frontend::{ConstraintSystem, Index, LinearCombination, SynthesisError, Variable, num::AllocatedNum};
use nova_snark::traits::circuit::StepCircuit;
use probity_strategy::{DomainError, Engine, Observation, State};
use probity_verifier::{
    Digest, FoldCircuit, FoldWitness, Salt, Scalar, Z, commit_model, genesis_head, mandate_digest, next_head, state_digest, z_at,
};

/// Runs the engine over observations from its genesis on, and from decision `from` on the circuit as well, in full folds and a last
/// one that may be shorter. Gives the log's head after each decision; an error where a constraint does not hold or circuit and
/// engine end apart.
pub fn twin_heads(engine: &Engine, observations: &[Observation], from: usize) -> Result<Vec<Digest>, ProverError> {
    let (mandate, model) = (engine.mandate(), engine.model());
    if from >= observations.len() {
        return Err(
            DomainError::new("from", format!("a decision of {}, or nothing runs through the circuit", observations.len()), from).into()
        );
    }
    // Nothing of this is published: the blinds hide nothing from anybody.
    let (salt, blind) = (Salt::new([0; 32]), Scalar::ZERO);
    let (commitment, digest) = (commit_model(&mandate.model, model, &salt), mandate_digest(mandate));
    let (mut state, mut head) = (State::genesis(mandate), genesis_head(&digest, &commitment));
    let mut heads = Vec::with_capacity(observations.len());
    let most = usize::from(mandate.decisions_per_fold).max(1);
    let ends = |state: &State, head: &Digest| z_at(&commitment, &digest, None, state.step, head, state_digest(state, &blind));
    let (before, after) = observations.split_at_checked(from).unwrap_or((observations, &[]));
    for (chunk, in_circuit) in before.chunks(most).map(|c| (c, false)).chain(after.chunks(most).map(|c| (c, true))) {
        let start = (state.clone(), head);
        for obs in chunk {
            let step = engine.step(&state, obs);
            head = next_head(&head, &step.record);
            state = step.next_state;
            heads.push(head);
        }
        if !in_circuit {
            continue;
        }
        let z = ends(&start.0, &start.1);
        let witness = FoldWitness {
            mandate: mandate.clone(),
            model: model.clone(),
            salt: salt.clone(),
            state: start.0,
            head: start.1,
            announce: None,
            observations: chunk.to_vec(),
            blind_in: blind,
            blind_out: blind,
        };
        let circuit = FoldCircuit { shape: mandate.model.clone(), decisions_per_fold: mandate.decisions_per_fold, witness: Some(witness) };
        let got = evaluated(&circuit, z)?;
        let wrong = CHAIN.iter().zip(ends(&state, &head)).zip(got).find(|((_, want), got)| want != got);
        if let Some(((field, _), _)) = wrong {
            return Err(ProverError::Diverged { field });
        }
    }
    Ok(heads)
}

/// z after a fold whose every constraint holds.
fn evaluated(circuit: &FoldCircuit, z: Z) -> Result<Vec<Scalar>, ProverError> {
    let mut cs = Evaluated { values: Vec::new(), broken: None };
    let refused = |e: SynthesisError| DomainError::new("circuit", "a step that can be synthesised", e);
    let mut input = Vec::with_capacity(z.len());
    for value in z {
        input.push(AllocatedNum::alloc(&mut cs, || Ok(value)).map_err(refused)?);
    }
    let out = circuit.synthesize(&mut cs, &input).map_err(refused)?;
    if let Some(label) = cs.broken {
        return Err(DomainError::new("circuit", "constraints that all hold", format!("a broken one: {label}")).into());
    }
    out.iter().map(|n| n.get_value().ok_or_else(|| DomainError::new("circuit", "a value for every output", "none").into())).collect()
}

/// Evaluates constraints as they are made and keeps nothing but the witness.
struct Evaluated {
    values: Vec<Scalar>,
    /// The first constraint that does not hold.
    broken: Option<String>,
}

impl Evaluated {
    fn value(&self, lc: &LinearCombination<Scalar>) -> Scalar {
        lc.iter()
            .map(|(variable, by)| match variable.get_unchecked() {
                Index::Aux(i) => self.values.get(i).map_or(Scalar::ZERO, |v| *v * by),
                // The step circuit has no inputs of its own: the only one is the constant 1.
                Index::Input(_) => *by,
            })
            .sum()
    }
}

impl ConstraintSystem<Scalar> for Evaluated {
    type Root = Self;

    fn alloc<F, A, AR>(&mut self, _: A, f: F) -> Result<Variable, SynthesisError>
    where
        F: FnOnce() -> Result<Scalar, SynthesisError>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.values.push(f()?);
        Ok(Variable::new_unchecked(Index::Aux(self.values.len().saturating_sub(1))))
    }

    fn alloc_input<F, A, AR>(&mut self, _: A, _: F) -> Result<Variable, SynthesisError>
    where
        F: FnOnce() -> Result<Scalar, SynthesisError>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        Err(SynthesisError::Unsatisfiable("the step circuit has no inputs of its own".into()))
    }

    fn enforce<A, AR, LA, LB, LC>(&mut self, label: A, a: LA, b: LB, c: LC)
    where
        A: FnOnce() -> AR,
        AR: Into<String>,
        LA: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
        LB: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
        LC: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
    {
        let zero = LinearCombination::zero;
        let (a, b, c) = (self.value(&a(zero())), self.value(&b(zero())), self.value(&c(zero())));
        if a * b != c && self.broken.is_none() {
            self.broken = Some(label().into());
        }
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self) {}

    fn get_root(&mut self) -> &mut Self::Root {
        self
    }
}
