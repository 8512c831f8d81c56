//! Makes settlements: blocks of decisions folded into a fresh random instance, and one proof of the result.
//!
//! A mask hides one settlement only: two settlements with one mask would give away a commitment to the witness without its
//! blinding, for ever. So it is drawn inside [`Settler::settle`], moved into the fold, and there is no way to keep, copy or store
//! it. What is kept is the finished bytes: a settlement that was interrupted is sent again as it is, or made anew.

use crate::ProverError;
use ff::{Field, FromUniformBytes as _};
use nova_snark::frontend::ConstraintSystem as _;
use nova_snark::frontend::r1cs::NovaWitness;
use nova_snark::frontend::solver::SatisfyingAssignment;
use nova_snark::r1cs::{RelaxedR1CSInstance, RelaxedR1CSWitness};
use nova_snark::traits::commitment::CommitmentEngineTrait as _;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;
use probity_strategy::{DomainError, Engine, Mandate, Model, Observation, Record, State};
use probity_verifier::{
    Challenges, Claim, Digest, End, FoldCircuit, FoldWitness, Mark, Pairing, Salt, Scalar, SettleCircuit, SettlePoint, SettlementSetup,
    SettlementSnark as Snark, System, Trail, commit_model, genesis_head, genesis_z, mandate_digest, next_head, state_digest,
    verify_settlement, z_at,
};
use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

type E1 = <Pairing as System>::E1;
type Commitments = <E1 as nova_snark::traits::Engine>::CE;

/// Where a chain of decisions stands, as its operator knows it: the state is private.
#[derive(Clone)]
pub struct Position {
    state: State,
    head: Digest,
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Position({} decisions, private)", self.state.step)
    }
}

impl Position {
    /// Decisions before it.
    #[must_use]
    pub const fn decisions(&self) -> u32 {
        self.state.step
    }

    /// Log head.
    #[must_use]
    pub const fn head(&self) -> Digest {
        self.head
    }
}

/// A finished settlement. The bytes are public; they are written down before they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// What it is held against.
    pub claim: Claim,
    /// The bytes for the contract.
    pub bytes: Vec<u8>,
    /// Where it ends.
    pub end: End,
}

/// Makes settlements of one mandate and model.
pub struct Settler {
    setup: Arc<SettlementSetup>,
    engine: Engine,
    salt: Salt,
    commitment: Digest,
    mandate: Digest,
}

impl std::fmt::Debug for Settler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settler(private)")
    }
}

/// A random relaxed instance with its witness. Not `Clone`, not `Serialize`, never outside of this file; folding consumes it.
struct Mask {
    instance: RelaxedR1CSInstance<E1>,
    witness: RelaxedR1CSWitness<E1>,
}

impl Mask {
    fn draw(setup: &SettlementSetup) -> Result<Self, ProverError> {
        let (instance, witness) = setup.shape.sample_random_instance_witness(&setup.commitment_key)?;
        let nothing = SettlePoint::default();
        if *instance.comm_W() == nothing || *instance.comm_E() == nothing {
            return Err(DomainError::new("mask", "a random instance", "one that hides nothing").into());
        }
        Ok(Self { instance, witness })
    }
}

impl Settler {
    /// The parameters must be those of the mandate's model; their block may hold another number of decisions than the mandate's fold.
    pub fn new(setup: Arc<SettlementSetup>, mandate: Mandate, model: Model, salt: Salt) -> Result<Self, ProverError> {
        if setup.model != mandate.model {
            return Err(DomainError::new("settlement parameters", "those of the mandate's model shape", "others").into());
        }
        let commitment = commit_model(&mandate.model, &model, &salt);
        let digest = mandate_digest(&mandate);
        Ok(Self { setup, engine: Engine::new(mandate, model)?, salt, commitment, mandate: digest })
    }

    /// The parameters.
    #[must_use]
    pub fn setup(&self) -> &SettlementSetup {
        &self.setup
    }

    /// Commitment to the model.
    #[must_use]
    pub const fn commitment(&self) -> Digest {
        self.commitment
    }

    /// Before the first decision.
    #[must_use]
    pub fn genesis(&self) -> Position {
        Position { state: State::genesis(self.engine.mandate()), head: genesis_head(&self.mandate, &self.commitment) }
    }

    /// Decides on observations; returns where that leads and the records.
    pub fn advance(&self, from: &Position, observations: &[Observation]) -> Result<(Position, Vec<Record>), ProverError> {
        let (mut position, mut records) = (from.clone(), Vec::with_capacity(observations.len()));
        for observation in observations {
            crate::session::check(self.engine.mandate(), &position.state, observation)?;
            let step = self.engine.step(&position.state, observation);
            position.head = next_head(&position.head, &step.record);
            position.state = step.next_state;
            records.push(step.record);
        }
        Ok((position, records))
    }

    /// z at a position, as a settlement that ends or starts there shows it.
    #[must_use]
    pub fn z(&self, at: &Position) -> Vec<Scalar> {
        if at.state.step == 0 {
            return genesis_z(self.engine.mandate(), &self.commitment).to_vec();
        }
        let state = state_digest(&at.state, &self.blind(at));
        z_at(&self.commitment, &self.mandate, None, at.state.step, &at.head, state).to_vec()
    }

    /// Blinds the digest of the state at a position: a function of the salt, so that a settlement can go on from any earlier one
    /// without anything else having been kept.
    fn blind(&self, at: &Position) -> Scalar {
        if at.state.step == 0 {
            return Scalar::ZERO;
        }
        let mut wide = [0u8; 64];
        for (half, number) in wide.chunks_exact_mut(32).zip([1u8, 2]) {
            let hash = Sha256::new()
                .chain_update(b"probity settlement blind")
                .chain_update([number])
                .chain_update(self.salt.expose())
                .chain_update(self.mandate.to_bytes())
                .chain_update(self.commitment.to_bytes())
                .chain_update(at.head.to_bytes());
            half.copy_from_slice(&hash.finalize());
        }
        Scalar::from_uniform_bytes(&wide)
    }

    /// Settles the decisions on these observations from a position on, for a vault whose trail and domain are given. Checked once
    /// before it is returned.
    pub fn settle(&self, from: &Position, trail: Trail, domain: [u8; 32], observations: &[Observation]) -> Result<Settlement, ProverError> {
        let decisions = u32::try_from(observations.len()).unwrap_or(u32::MAX);
        if !(1..=probity_verifier::MAX_DECISIONS).contains(&decisions) {
            let expected = format!("1 … {}", probity_verifier::MAX_DECISIONS);
            return Err(DomainError::new("settlement.decisions", expected, decisions).into());
        }
        let claim = Claim { domain, trail: trail.value, decisions, fingerprint: trail.fingerprint, z: self.z(from) };
        let bytes = self.prove(from, trail, &claim, observations)?;
        let end = verify_settlement(&self.setup.key, &claim, &bytes)?;
        Ok(Settlement { claim, bytes, end })
    }

    fn prove(&self, from: &Position, mut trail: Trail, claim: &Claim, observations: &[Observation]) -> Result<Vec<u8>, ProverError> {
        let setup = &*self.setup;
        let Mask { mut instance, mut witness } = Mask::draw(setup)?;
        let mut out = point(instance.comm_W())?;
        out.extend(point(instance.comm_E())?);
        out.extend(scalar(&instance.u()));
        out.extend(instance.X().iter().flat_map(scalar));
        let mut challenges = Challenges::start(&setup.key, claim, &out);
        let mut position = from.clone();
        for chunk in observations.chunks(setup.key.per_block().max(1)) {
            let (next, records) = self.advance(&position, chunk)?;
            let before = trail.fingerprint;
            let marks = self.follow(&mut trail, &position, &records);
            let circuit = self.circuit(&position, &next, chunk, before, &marks)?;
            let mut cs = SatisfyingAssignment::<E1>::new();
            circuit.synthesize(&mut cs).map_err(nova_snark::errors::NovaError::from)?;
            let (block, secret) = cs.r1cs_instance_and_witness(&setup.shape, &setup.commitment_key, &mut OsRng)?;
            let blind = Scalar::random(OsRng);
            let (cross, commitment) = setup.shape.commit_T(&setup.commitment_key, &instance, &witness, &block, &secret, &blind)?;
            let mut raw = point(block.comm_W())?;
            raw.extend(point(&commitment)?);
            raw.extend(self.z(&next).iter().skip(probity_verifier::FIXED + 1).flat_map(scalar));
            raw.extend(scalar(&trail.fingerprint));
            raw.extend(marks.iter().flat_map(|m| m.0));
            let challenge = challenges.block(&raw);
            out.extend(raw);
            instance = instance.fold(&block, &commitment, &challenge);
            witness = witness.fold(&secret, &cross, &blind, &challenge)?;
            position = next;
        }
        let (bare, blind_w, blind_e) = witness.derandomize();
        drop(witness);
        let unblind = Commitments::derand_key(&setup.commitment_key);
        let folded = instance.derandomize(&unblind, &blind_w, &blind_e);
        let snark = Snark::prove(&setup.commitment_key, &setup.prover_key, &setup.shape, &folded, &bare)?;
        out.extend(scalar(&blind_w));
        out.extend(scalar(&blind_e));
        out.extend(setup.key.flatten(&snark)?);
        Ok(out)
    }

    /// Takes records into a trail and returns their marks.
    pub fn follow(&self, trail: &mut Trail, from: &Position, records: &[Record]) -> Vec<Mark> {
        let mut head = from.head;
        let mut marks = Vec::with_capacity(records.len());
        for record in records {
            let after = next_head(&head, record);
            marks.push(trail.follow(&head, &after, record));
            head = after;
        }
        marks
    }

    fn circuit(
        &self,
        from: &Position,
        to: &Position,
        observations: &[Observation],
        fingerprint: Scalar,
        marks: &[Mark],
    ) -> Result<SettleCircuit, ProverError> {
        let per_block = self.setup.key.per_block();
        let slots = u16::try_from(per_block).map_err(|_| DomainError::new("settlement block", "at most 65535 decisions", per_block))?;
        let witness = FoldWitness {
            mandate: self.engine.mandate().clone(),
            model: self.engine.model().clone(),
            salt: self.salt.clone(),
            state: from.state.clone(),
            head: from.head,
            announce: None,
            observations: observations.to_vec(),
            blind_in: self.blind(from),
            blind_out: self.blind(to),
        };
        let mut all: Vec<Scalar> = marks.iter().map(|m| m.to_scalar()).collect();
        all.resize(per_block, Scalar::ZERO);
        Ok(SettleCircuit {
            fold: FoldCircuit { shape: self.setup.model.clone(), decisions_per_fold: slots, witness: Some(witness) },
            z: Some(self.z(from)),
            fingerprint: Some(fingerprint),
            marks: Some(all),
        })
    }
}

fn point(point: &SettlePoint) -> Result<Vec<u8>, ProverError> {
    let bytes = bincode::serde::encode_to_vec(point, bincode::config::legacy());
    bytes.map_err(|e| DomainError::new("commitment", "an encodable point", e).into())
}

fn scalar(scalar: &Scalar) -> [u8; 32] {
    Digest::from_scalar(*scalar).to_bytes()
}
