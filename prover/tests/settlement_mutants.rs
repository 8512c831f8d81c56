//! What each absorbed byte is for: verifiers that forget one accept a forgery that was made for them; the real one does not.
//!
//! The forger is a whole prover with the weaker challenges; what it proves is false (or is replayed elsewhere). This is what changing
//! a finished settlement cannot show.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[path = "../verifier/tests/ptau/mod.rs"]
mod writer;

use common::{mandate, model, observations, salt};
use ff::Field;
use nova_snark::frontend::ConstraintSystem as _;
use nova_snark::frontend::solver::SatisfyingAssignment;
use nova_snark::r1cs::{R1CSInstance, R1CSWitness, RelaxedR1CSInstance, RelaxedR1CSWitness};
use nova_snark::traits::commitment::CommitmentEngineTrait as _;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait as _;
use probity_strategy::{Engine, Mandate, Model, ModelShape, Observation, State};
use probity_verifier::{
    ARITY, Claim, Digest, FoldCircuit, FoldWitness, Pairing, ParamsSource, Proof, Scalar, SettleCircuit, SettlePoint, SettlementKey,
    SettlementSetup, SettlementSnark as Snark, SettlementWeights, System, TAG_BLOCK, TAG_START, Trail, check, commit_model, fold,
    genesis_head, genesis_z, next_head, state_digest, verify_settlement,
};
use rand_core::OsRng;
use sha3::{Digest as _, Keccak256};

type E1 = <Pairing as System>::E1;
type Commitments = <E1 as nova_snark::traits::Engine>::CE;

/// What the mutant forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgets {
    Nothing,
    /// The commitments to the cross terms.
    Cross,
    /// The mask's error.
    MaskError,
    /// What a block leaves as the state digest: one public value.
    State,
    /// Chain, vault, promise and range.
    Domain,
    /// One of the three words of the weights after: commitment, ahead, its step.
    After(usize),
}

/// Bytes of the claim before the weights after.
const WEIGHTS: usize = 32 * (4 + ARITY);
/// Elements of z that they are.
const PLACES: [usize; 3] = [0, 2, 3];

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Keccak256::new(), |h, part| h.chain_update(part)).finalize().into()
}

/// Challenges as the specification has them, less what is forgotten.
struct Challenges([u8; 32], Forgets);

impl Challenges {
    fn start(key: &SettlementKey, claim: &Claim, mask: &[u8], forgets: Forgets) -> Self {
        let claim = claim.to_bytes();
        let claim = match forgets {
            Forgets::Domain => claim[32..].to_vec(),
            Forgets::After(word) => [&claim[..WEIGHTS + 32 * word], &claim[WEIGHTS + 32 * (word + 1)..]].concat(),
            _ => claim,
        };
        let mask = if forgets == Forgets::MaskError { &mask[..64] } else { mask };
        Self(hash(&[&TAG_START, &key.config(), &claim, mask]), forgets)
    }

    fn block(&mut self, raw: &[u8]) -> Scalar {
        let raw = match self.1 {
            Forgets::Cross => [&raw[..64], &raw[128..]].concat(),
            Forgets::State => [&raw[..160], &raw[192..]].concat(),
            _ => raw.to_vec(),
        };
        self.0 = hash(&[&TAG_BLOCK, &self.0, &raw]);
        probity_verifier::Mark(self.0[16..].try_into().unwrap()).to_scalar()
    }
}

fn mutant(key: &SettlementKey, claim: &Claim, bytes: &[u8], forgets: Forgets) -> bool {
    let proof: Proof = key.parse(claim.decisions, bytes).unwrap();
    let mut challenges = Challenges::start(key, claim, &proof.mask_raw, forgets);
    let rhos: Vec<Scalar> = proof.blocks.iter().map(|b| challenges.block(&b.raw)).collect();
    let (folded, _) = fold(key, claim, &proof, &rhos).unwrap();
    check(key, &folded, &proof).is_ok()
}

fn be(scalar: &Scalar) -> [u8; 32] {
    Digest::from_scalar(*scalar).to_bytes()
}

fn point(point: &SettlePoint) -> Vec<u8> {
    bincode::serde::encode_to_vec(point, bincode::config::legacy()).unwrap()
}

struct Forger {
    setup: SettlementSetup,
    mandate: Mandate,
    model: Model,
    observations: Vec<Observation>,
}

impl Forger {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tests.ptau");
        std::fs::write(&path, writer::Ptau::of(5, 18).bytes()).unwrap();
        let shape = ModelShape { dims: vec![16, 1, 3], shifts: vec![7], recurrent: None };
        let setup = SettlementSetup::derive(&shape, 1, &ParamsSource::insecure(&path, "tau of the tests")).unwrap();
        let mandate = mandate(shape.clone(), 4);
        let model = model(&shape, 1);
        let observations = observations(&mandate, &model, 3);
        Self { setup, mandate, model, observations }
    }

    /// A random relaxed instance whose u and X are 0.
    fn mask(&self) -> (RelaxedR1CSInstance<E1>, RelaxedR1CSWitness<E1>) {
        let SettlementSetup { shape, commitment_key: ck, .. } = &self.setup;
        let hidden: Vec<Scalar> = (0..shape.num_vars()).map(|_| Scalar::random(OsRng)).collect();
        let (a, b, _) = shape.multiply_vec(&[hidden.clone(), vec![Scalar::ZERO; shape.num_io() + 1]].concat()).unwrap();
        let error = a.iter().zip(&b).map(|(a, b)| a * b).collect();
        let w = RelaxedR1CSWitness::new(shape, hidden, Scalar::random(OsRng), error, Scalar::random(OsRng)).unwrap();
        let (comm_w, comm_e) = w.commit(ck);
        (RelaxedR1CSInstance::new(shape, comm_w, comm_e, Scalar::ZERO, vec![Scalar::ZERO; shape.num_io()]).unwrap(), w)
    }

    /// Settles `blocks` decisions, one a block, for a verifier that forgets something, and makes the end false if it can.
    fn forge(&self, blocks: usize, forgets: Forgets) -> (Claim, Vec<u8>) {
        let SettlementSetup { shape, commitment_key: ck, key, prover_key, .. } = &self.setup;
        let commitment = commit_model(&self.mandate.model, &self.model, &salt());
        let engine = Engine::new(self.mandate.clone(), self.model.clone()).unwrap();
        let mut z = genesis_z(&self.mandate, &commitment).to_vec();
        let mut trail = Trail { value: [3; 32], fingerprint: Scalar::ZERO };
        let mut claim = Claim {
            domain: [4; 32],
            trail: trail.value,
            decisions: u32::try_from(blocks).unwrap(),
            fingerprint: Scalar::ZERO,
            z: z.clone(),
            after: SettlementWeights::of(&z).unwrap(),
        };
        let (mut state, mut head) =
            (State::genesis(&self.mandate), genesis_head(&probity_verifier::mandate_digest(&self.mandate), &commitment));
        let (mut blind, dk) = (Scalar::ZERO, Commitments::derand_key(ck));
        let (mut u, mut w) = self.mask();
        let mask = |u: &RelaxedR1CSInstance<E1>| [point(u.comm_W()), point(u.comm_E())].concat();
        let mut out = mask(&u);
        let mut challenges = Challenges::start(key, &claim, &out, forgets);
        let (mut raws, mut rhos) = (Vec::new(), Vec::new());
        for (i, observation) in self.observations[..blocks].iter().enumerate() {
            let step = engine.step(&state, observation);
            let after = next_head(&head, &step.record);
            let before = trail.fingerprint;
            let mark = trail.follow(&head, &after, &step.record);
            let next_blind = Scalar::random(OsRng);
            let witness = FoldWitness {
                mandate: self.mandate.clone(),
                model: self.model.clone(),
                salt: salt(),
                state: state.clone(),
                head,
                announce: None,
                observations: vec![observation.clone()],
                blind_in: blind,
                blind_out: next_blind,
            };
            let fold = FoldCircuit { shape: self.mandate.model.clone(), decisions_per_fold: 1, witness: Some(witness) };
            let circuit = SettleCircuit { fold, z: Some(z.clone()), fingerprint: Some(before), marks: Some(vec![mark.to_scalar()]) };
            let mut cs = SatisfyingAssignment::<E1>::new();
            circuit.synthesize(&mut cs).unwrap();
            let honest_public = &cs.input_assignment()[1..];
            let secret = R1CSWitness::new(shape, &self.setup.sums.extend(cs.aux_assignment(), honest_public), &mut OsRng).unwrap();
            let honest = R1CSInstance::new(shape, &secret.commit(ck), honest_public).unwrap();
            (state, head, blind) = (step.next_state, after, next_blind);
            z[4] += Scalar::ONE;
            (z[5], z[6]) = (head.to_scalar(), state_digest(&state, &blind));

            // The last block ends in another state digest than the true one, except where only a replay or a shift is forged.
            let lies = i + 1 == blocks && matches!(forgets, Forgets::Nothing | Forgets::Cross | Forgets::MaskError);
            let mut public = honest.X().to_vec();
            let at = public.len() - 2;
            if lies {
                public[at] += Scalar::ONE;
            }
            let mut told = R1CSInstance::new(shape, honest.comm_W(), &public).unwrap();
            if let Forgets::After(word) = forgets {
                // What one more in that word of z after leaves open.
                public[ARITY + 2 + PLACES[word]] += Scalar::ONE;
            }
            let full = [secret.W().to_vec(), vec![Scalar::ONE], public.clone()].concat();
            let (a, b, c) = shape.multiply_vec(&full).unwrap();
            let residual: Vec<Scalar> = a.iter().zip(&b).zip(&c).map(|((a, b), c)| a * b - c).collect();
            assert_eq!(residual.iter().any(|r| *r != Scalar::ZERO), lies || matches!(forgets, Forgets::After(_)));

            // commit_T holds the residual once too often for the forger's purpose: T = cross + R.
            let r_t = Scalar::random(OsRng);
            let (mut cross, _) = shape.commit_T(ck, &u, &w, &told, &secret, &r_t).unwrap();
            let raw = |t: &SettlePoint| {
                [
                    point(honest.comm_W()),
                    point(t),
                    be(&z[5]).to_vec(),
                    be(&public[at]).to_vec(),
                    be(&trail.fingerprint).to_vec(),
                    mark.0.to_vec(),
                ]
                .concat()
            };
            let shift = |cross: &mut Vec<Scalar>, by: Scalar| cross.iter_mut().zip(&residual).for_each(|(t, r)| *t += by * r);
            if forgets == Forgets::MaskError && lies {
                shift(&mut cross, -Scalar::ONE);
            }
            if let Forgets::After(_) = forgets {
                shift(&mut cross, Scalar::ONE);
            }
            let mut commitment = Commitments::commit(ck, &cross, &r_t);
            let rho = challenges.block(&raw(&commitment));
            match forgets {
                Forgets::Cross if lies => {
                    shift(&mut cross, rho - Scalar::ONE);
                    commitment = Commitments::commit(ck, &cross, &r_t);
                }
                Forgets::MaskError if lies => {
                    let error: Vec<Scalar> = w.E().iter().zip(&residual).map(|(e, r)| *e + rho * rho * r).collect();
                    let (_, r_w, r_e) = w.derandomize();
                    w = RelaxedR1CSWitness::new(shape, w.W().to_vec(), r_w, error, r_e).unwrap();
                    let comm_e = Commitments::commit(ck, w.E(), &r_e);
                    u = RelaxedR1CSInstance::new(shape, *u.comm_W(), comm_e, u.u(), u.X().to_vec()).unwrap();
                    out = mask(&u);
                }
                Forgets::After(word) => {
                    // The word is chosen once ρ is known: the cross term, which was fixed before, leaves room for 1/ρ in it.
                    let by = rho.invert().unwrap();
                    let mut public = honest.X().to_vec();
                    public[ARITY + 2 + PLACES[word]] += by;
                    told = R1CSInstance::new(shape, honest.comm_W(), &public).unwrap();
                    let after = &mut claim.after;
                    *[&mut after.commitment, &mut after.ahead, &mut after.ahead_step][word] += by;
                }
                _ => {}
            }
            raws.push(raw(&commitment));
            rhos.push(rho);
            u = u.fold(&told, &commitment, &rho);
            w = w.fold(&secret, &cross, &r_t, &rho).unwrap();
        }
        if let (Forgets::State, [r1, r2, r3]) = (forgets, rhos.as_slice()) {
            // Another state after every block, the same folded instance: Σ ρ_i δ_i = 0 after, ρ₂δ₁ + ρ₃δ₂ = 0 before.
            let d1 = Scalar::ONE;
            let d2 = -(*r2 * d1) * r3.invert().unwrap();
            let d3 = -(*r1 * d1 + *r2 * d2) * r3.invert().unwrap();
            for (raw, d) in raws.iter_mut().zip([d1, d2, d3]) {
                let old = Digest::from_bytes(raw[160..192].try_into().unwrap()).unwrap().to_scalar();
                raw[160..192].copy_from_slice(&be(&(old + d)));
            }
        }
        let (bare, r_w, r_e) = w.derandomize();
        let folded = u.derandomize(&dk, &r_w, &r_e);
        let snark = Snark::prove(ck, prover_key, shape, &folded, &bare).unwrap();
        out.extend(raws.concat());
        out.extend(be(&r_w));
        out.extend(be(&r_e));
        out.extend(key.flatten(&snark).unwrap());
        let claim = if forgets == Forgets::Domain { Claim { domain: [5; 32], ..claim } } else { claim };
        (claim, out)
    }
}

#[test]
fn a_verifier_that_forgets_a_field_can_be_forged_for() {
    let forger = Forger::new();
    let key = &forger.setup.key;
    let words = [0, 1, 2].map(|word| (Forgets::After(word), 1));
    let others = [(Forgets::Cross, 1), (Forgets::MaskError, 1), (Forgets::State, 3), (Forgets::Domain, 1)];
    for (forgets, blocks) in others.into_iter().chain(words) {
        let (claim, bytes) = forger.forge(blocks, forgets);
        assert!(mutant(key, &claim, &bytes, forgets), "the mutant that forgets {forgets:?} has to accept, or nothing is shown");
        assert!(verify_settlement(key, &claim, &bytes).is_err(), "{forgets:?}");
        println!("{forgets:?}: forged for the mutant, refused by the verifier");
    }
    // Against the real challenges the same forger has nothing: its lie is only a lie.
    let (claim, bytes) = forger.forge(1, Forgets::Nothing);
    assert!(!mutant(key, &claim, &bytes, Forgets::Nothing));
    assert!(verify_settlement(key, &claim, &bytes).is_err());
}
