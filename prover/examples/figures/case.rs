//! One case: an engine, a shape, a number of decisions a fold.

use crate::clock::{Unit, cpu_s, median, peak_mb, timed};
use crate::common;
use crate::writer::Ptau;
use ff::{Field, PrimeField};
use nova_snark::traits::Engine;
use nova_snark::traits::commitment::CommitmentEngineTrait;
use probity_curve::{Bn256EngineIPA, GrumpkinEngine};
use probity_prover::Params;
use probity_strategy::{Engine as Strategy, Mandate, ModelShape, Observation, ProofEngine, State};
use probity_verifier::{
    ByEngine, CompressedSnarkOf, Digest, Envelope, FoldCircuit, FoldWitness, Keys, KeysError, Pairing, ParamsSource, PtauError,
    RecursiveSnarkOf, Scalar, Setup, System, Transparent, Z, commit_model, genesis_z, next_head, state_digest, verify,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Folds of which the bare multiplications are repeated.
const SAMPLED: usize = 5;
/// Folds of which every one is measured.
const MEASURED: usize = 64;
/// Times the parameters are loaded.
const LOADS: usize = 9;
/// Constraints below which a case is looked at closely; above, that would take minutes and gigabytes.
const CLOSE: usize = 300_000;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) pairing: bool,
    pub(crate) shape: ModelShape,
    pub(crate) per_fold: u16,
    pub(crate) decisions: u32,
}

/// A running proof and what it takes to go on.
struct Run<S: System> {
    chain: Option<RecursiveSnarkOf<S>>,
    state: State,
    z: Z,
    blind: Scalar,
}

impl Case {
    fn mandate(&self) -> Mandate {
        let mut mandate = common::mandate(self.shape.clone(), self.per_fold);
        if self.pairing {
            mandate.proof_engine = ProofEngine::Pairing;
        }
        mandate
    }

    /// The parameters' source, and how many powers of tau it holds (log 2).
    fn source(&self, folder: &Path) -> (ParamsSource, u32) {
        if !self.pairing {
            return (ParamsSource::Transparent, 0);
        }
        let path = folder.join("known.ptau");
        std::fs::write(&path, Ptau::of(5, 4).bytes()).unwrap();
        let source = ParamsSource::insecure(&path, "measuring");
        let Err(KeysError::Ptau { source: PtauError::TooSmall { needed, .. }, .. }) = Keys::for_mandate_with(&self.mandate(), &source)
        else {
            unreachable!("16 powers are too few")
        };
        std::fs::write(&path, Ptau::of(5, needed).bytes()).unwrap();
        (source, needed)
    }

    pub(crate) fn prove(&self, out: &Path) -> Value {
        if self.pairing {
            self.prove_by::<Pairing>(
                out,
                |p| match p {
                    ByEngine::Pairing(p) => p,
                    ByEngine::Transparent(_) => unreachable!("made for the pairing engine"),
                },
                |k| match k {
                    ByEngine::Pairing(k) => k,
                    ByEngine::Transparent(_) => unreachable!("made for the pairing engine"),
                },
                ByEngine::Pairing,
            )
        } else {
            self.prove_by::<Transparent>(
                out,
                |p| match p {
                    ByEngine::Transparent(p) => p,
                    ByEngine::Pairing(_) => unreachable!("made for the transparent engine"),
                },
                |k| match k {
                    ByEngine::Transparent(k) => k,
                    ByEngine::Pairing(_) => unreachable!("made for the transparent engine"),
                },
                ByEngine::Transparent,
            )
        }
    }

    fn prove_by<S: System>(
        &self,
        out: &Path,
        public: impl for<'a> Fn(&'a probity_verifier::PublicParams) -> &'a probity_verifier::PublicParamsOf<S>,
        key: impl for<'a> Fn(&'a probity_verifier::ProverKey) -> &'a probity_verifier::ProverKeyOf<S>,
        wrap: impl Fn(CompressedSnarkOf<S>) -> probity_verifier::CompressedSnark,
    ) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let mandate = self.mandate();
        let model = common::model(&mandate.model, 3);
        let (source, powers) = self.source(folder.path());
        let ((setup, keys), params_make_s) = timed(|| {
            let setup = Setup::derive(&mandate.model, self.per_fold, mandate.proof_engine, &source).unwrap();
            let keys = setup.keys().unwrap();
            (setup, keys)
        });
        let (prover_key, keys) = keys;
        let (public, prover_key) = (public(setup.public()), key(&prover_key));
        // The peak of deriving and folding alone is read before the measuring apparatus is there.
        let commitment = commit_model(&mandate.model, &model, &common::salt());
        let seen = common::observations(&mandate, &model, self.decisions);
        let engine = Strategy::new(mandate.clone(), model).unwrap();
        let mut run = Run::<S> { chain: None, state: State::genesis(&mandate), z: genesis_z(&mandate, &commitment), blind: Scalar::ZERO };
        let z0 = run.z;
        let mut unit = Unit::new();
        let constraints = setup.public().constraints();
        let close = constraints.0 < CLOSE;
        let bare = close.then(|| Bare::new(constraints));
        let (mut folds, mut units, mut ratios, mut msms, mut witness) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let chunks: Vec<&[Observation]> = seen.chunks(usize::from(self.per_fold)).collect();
        for (n, chunk) in chunks.iter().enumerate() {
            let circuit = self.circuit(&engine, &mut run, chunk);
            // A few of the last folds are looked at closely: by then running instances are dense.
            let sampled = close && n + 1 + SAMPLED > chunks.len() && n > 2;
            let before = sampled.then(|| serde_json::to_value(&run.chain).unwrap());
            let chain = match run.chain.take() {
                Some(chain) => chain,
                None => RecursiveSnarkOf::<S>::new(public, &circuit, &z0).unwrap(),
            };
            let mut chain = chain;
            let mut step = || chain.prove_step(public, &circuit).unwrap();
            // Two units around a fold take several times its own time: of very many folds some are measured.
            let measured = sampled || chunks.len() <= MEASURED || n % 16 == 0;
            let (seconds, in_units) = if measured {
                let ((), seconds, in_units) = unit.around(step);
                (seconds, in_units)
            } else {
                step();
                (0.0, 0.0)
            };
            run.chain = Some(chain);
            // The first fold is made when the chain is created, the second meets trivial running instances.
            if measured && (n > 2 || chunks.len() < 4) {
                folds.push(seconds * 1_000.0);
                units.push(in_units);
            }
            if let Some((before, bare)) = before.zip(bare.as_ref()) {
                let bare = bare.seconds(&before, &serde_json::to_value(&run.chain).unwrap());
                msms.push(bare * 1_000.0);
                ratios.push(seconds / bare);
                witness.push(timed(|| synthesise(&circuit, &run.z)).1 * 1_000.0);
            }
        }
        let chain = run.chain.as_ref().unwrap();
        let (mut compress, mut compress_units, mut cpu, mut proof) = (Vec::new(), Vec::new(), Vec::new(), None);
        let compressions = if close { 3 } else { 1 };
        for _ in 0..compressions {
            let started = cpu_s();
            let (made, seconds, in_units) = unit.around(|| CompressedSnarkOf::<S>::prove(public, prover_key, chain).unwrap());
            cpu.push(cpu_s() - started - 2.0 * unit.median_s());
            compress.push(seconds);
            compress_units.push(in_units);
            proof = Some(made);
        }
        let folded = u32::try_from(chunks.len()).unwrap();
        let envelope = Envelope::new(&keys, folded, None, run.z, &wrap(proof.unwrap())).unwrap().to_bytes();
        std::fs::write(out, serde_json::to_vec(&(hex::encode(&envelope), commitment)).unwrap()).unwrap();
        json!({
            "constraints": setup.public().constraints().0, "powers": powers, "params_make_s": params_make_s,
            "fold_ms": median(&folds), "fold_units": median(&units), "fold_over_msm": median(&ratios), "msm_ms": median(&msms),
            "witness_ms": median(&witness), "compress_s": median(&compress), "compress_units": median(&compress_units),
            "compress_cpu_s": median(&cpu), "proof_bytes": envelope.len(), "unit_ms": unit.median_s() * 1_000.0,
            "prover_rss_mb": peak_mb(),
        })
    }

    /// What an auditor does: keys of his own, then the proof.
    pub(crate) fn verify(&self, proof: &Path) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let mandate = self.mandate();
        let (source, _) = self.source(folder.path());
        let (proof, commitment): (String, Digest) = serde_json::from_slice(&std::fs::read(proof).unwrap()).unwrap();
        let proof = hex::decode(proof).unwrap();
        let (keys, derive_s) = timed(|| Keys::for_mandate_with(&mandate, &source).unwrap());
        verify(&proof, &keys, &mandate, &commitment).unwrap();
        let rss = peak_mb();
        let mut unit = Unit::new();
        let (mut times, mut units) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            let (_, seconds, in_units) = unit.around(|| verify(&proof, &keys, &mandate, &commitment).unwrap());
            times.push(seconds * 1_000.0);
            units.push(in_units);
        }
        json!({ "verify_ms": median(&times), "verify_units": median(&units), "verifier_rss_mb": rss, "keys_derive_s": derive_s })
    }

    /// What a prover does that starts again: parameters and keys from its own file.
    pub(crate) fn load(&self) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let mandate = self.mandate();
        let (source, _) = self.source(folder.path());
        let kept = folder.path().join("state");
        let cached = || Params::cached_for_mandate(&kept, &mandate, &source).unwrap();
        assert!(!cached().loaded());
        let times: Vec<f64> = (0..LOADS)
            .map(|_| {
                let (params, seconds) = timed(cached);
                assert!(params.loaded());
                seconds
            })
            .collect();
        json!({ "params_load_s": median(&times) })
    }

    /// The circuit of the next fold; the run moves on.
    fn circuit<S: System>(&self, engine: &Strategy, run: &mut Run<S>, seen: &[Observation]) -> FoldCircuit {
        let (mut state, mut head) = (run.state.clone(), Digest::from_scalar(run.z[5]));
        for obs in seen {
            let step = engine.step(&state, obs);
            head = next_head(&head, &step.record);
            state = step.next_state;
        }
        let blind = run.blind + Scalar::ONE;
        let circuit = FoldCircuit {
            shape: self.shape.clone(),
            decisions_per_fold: self.per_fold,
            witness: Some(FoldWitness {
                mandate: engine.mandate().clone(),
                model: engine.model().clone(),
                salt: common::salt(),
                state: run.state.clone(),
                head: Digest::from_scalar(run.z[5]),
                announce: None,
                observations: seen.to_vec(),
                blind_in: run.blind,
                blind_out: blind,
            }),
        };
        let digest = state_digest(&state, &blind);
        run.z = [run.z[0], run.z[1], run.z[2], run.z[3], Scalar::from(u64::from(state.step)), head.to_scalar(), digest];
        (run.state, run.blind) = (state, blind);
        circuit
    }
}

/// The witness of the step circuit alone.
fn synthesise(circuit: &FoldCircuit, z: &Z) -> usize {
    use nova_snark::frontend::solver::SatisfyingAssignment;
    use nova_snark::frontend::{ConstraintSystem, num::AllocatedNum};
    use nova_snark::traits::circuit::StepCircuit;
    let mut cs = SatisfyingAssignment::<Bn256EngineIPA>::new();
    let z: Vec<_> = z.iter().enumerate().map(|(i, v)| AllocatedNum::alloc(cs.namespace(|| format!("z{i}")), || Ok(*v)).unwrap()).collect();
    circuit.synthesize(&mut cs, &z).unwrap().len()
}

/// The keys for the commitments of a fold.
struct Bare {
    primary: KeyOf<Bn256EngineIPA>,
    secondary: KeyOf<GrumpkinEngine>,
}

type KeyOf<E> = <<E as Engine>::CE as CommitmentEngineTrait<E>>::CommitmentKey;

impl Bare {
    fn new((primary, secondary): (usize, usize)) -> Self {
        Self { primary: key::<Bn256EngineIPA>(primary), secondary: key::<GrumpkinEngine>(secondary) }
    }

    /// Seconds of the four commitments of a fold, to the very vectors of that fold: both witnesses and both cross terms.
    ///
    /// They come from the running instances before and after: with r = u' − u, the folded witness is (W' − W) / r, the cross term
    /// (E' − E) / r. The secondary witness that a fold *makes* is the one that it leaves to be folded next.
    fn seconds(&self, before: &Value, after: &Value) -> f64 {
        let (witness, cross) = parts::<Scalar>(before, after, "primary");
        let (_, cross_2) = parts::<<GrumpkinEngine as Engine>::Scalar>(before, after, "secondary");
        let made = vector(&after["l_w_secondary"]["W"]);
        commit_s::<Bn256EngineIPA>(&self.primary, &[&witness, &cross]) + commit_s::<GrumpkinEngine>(&self.secondary, &[&made, &cross_2])
    }
}

fn key<E: Engine>(length: usize) -> KeyOf<E> {
    E::CE::setup(b"bare", length.next_power_of_two()).unwrap()
}

/// A field element as the proof library writes it: 32 bytes, big-endian, or as the field's own library does.
fn element<F: PrimeField + DeserializeOwned>(value: &Value) -> F {
    if value.is_string() {
        return serde_json::from_value(value.clone()).unwrap();
    }
    let mut repr = F::Repr::default();
    let bytes = value.as_array().unwrap().iter().rev().map(|b| u8::try_from(b.as_u64().unwrap()).unwrap());
    repr.as_mut().iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    F::from_repr(repr).unwrap()
}

fn vector<F: PrimeField + DeserializeOwned>(value: &Value) -> Vec<F> {
    value.as_array().unwrap().iter().map(element).collect()
}

fn parts<F: PrimeField + DeserializeOwned>(before: &Value, after: &Value, half: &str) -> (Vec<F>, Vec<F>) {
    let [witness, instance] = ["r_W", "r_U"].map(|name| format!("{name}_{half}"));
    let u = |v: &Value| element::<F>(&v[&instance]["u"]);
    let inverse = (u(after) - u(before)).invert().unwrap();
    let part = |name: &str| {
        let (old, new): (Vec<F>, Vec<F>) = (vector(&before[&witness][name]), vector(&after[&witness][name]));
        new.iter().zip(&old).map(|(new, old)| (*new - old) * inverse).collect::<Vec<F>>()
    };
    (part("W"), part("E"))
}

fn commit_s<E: Engine>(key: &KeyOf<E>, vectors: &[&Vec<E::Scalar>]) -> f64 {
    let zero = E::Scalar::ZERO;
    let commit = |v: &Vec<E::Scalar>| timed(|| std::hint::black_box(E::CE::commit(key, v, &zero))).1;
    // The better of two: the first touches cold memory.
    vectors.iter().map(|v| commit(v).min(commit(v))).sum()
}
