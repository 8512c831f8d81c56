//! Makes settlements: blocks of decisions folded into a fresh random instance, and one proof of the result.
//!
//! A mask hides one settlement only: two settlements with one mask would give away a commitment to the witness without its
//! blinding, for ever. So it is drawn inside [`Settler::settle`], moved into the fold, and there is no way to keep, copy or store
//! it. What is kept is the finished bytes: a settlement that was interrupted is sent again as it is, or made anew.

use crate::ProverError;
use ff::{Field, FromUniformBytes as _};
use nova_snark::frontend::ConstraintSystem as _;
use nova_snark::frontend::solver::SatisfyingAssignment;
use nova_snark::r1cs::{R1CSInstance, R1CSWitness, RelaxedR1CSInstance, RelaxedR1CSWitness};
use nova_snark::traits::commitment::CommitmentEngineTrait as _;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;
use probity_strategy::{DomainError, Engine, Mandate, Model, Observation, Record, State};
use probity_verifier::{
    Challenges, Claim, Digest, End, FoldCircuit, FoldWitness, Mark, Pairing, Rotation, Salt, Scalar, SettleCircuit, SettlePoint,
    SettlementSetup, SettlementSnark as Snark, SettlementWeights, System, Trail, commit_model, genesis_head, genesis_z, mandate_digest,
    next_head, rotation_head, state_digest, verify_settlement, z_at,
};
use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

type E1 = <Pairing as System>::E1;
type Commitments = <E1 as nova_snark::traits::Engine>::CE;

/// Weights with what opens their commitment.
struct Weights {
    engine: Engine,
    salt: Salt,
    commitment: Digest,
}

/// Where a chain of decisions stands, as its operator knows it: the state is private.
#[derive(Clone)]
pub struct Position {
    state: State,
    /// Head after the last decision.
    decided: Digest,
    /// The same, or that after an announcement.
    head: Digest,
    /// In force at the last decision.
    weights: Arc<Weights>,
    ahead: Option<Rotation>,
    /// Announced here: in the head, and in z once the next decision is.
    announced: Option<Rotation>,
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

    /// Log head that the next decision is made on.
    #[must_use]
    pub const fn head(&self) -> Digest {
        self.head
    }

    /// Log head after the last decision: the same, unless an announcement followed.
    #[must_use]
    pub const fn decided(&self) -> Digest {
        self.decided
    }

    /// The rotation that is ahead, the one announced here included; its weights may be those of the next decision.
    #[must_use]
    pub fn ahead(&self) -> Option<Rotation> {
        self.announced.or(self.ahead)
    }

    /// The rotation whose weights make the next decision.
    fn due(&self) -> Option<Rotation> {
        self.ahead.filter(|r| r.at_step == self.state.step)
    }

    /// What z says of the weights after the next decision.
    fn weights_after(&self) -> SettlementWeights {
        let (commitment, ahead) = match self.due() {
            Some(due) => (due.commitment, self.announced),
            None => (self.weights.commitment, self.ahead()),
        };
        SettlementWeights {
            commitment: commitment.to_scalar(),
            ahead: ahead.map_or(Scalar::ZERO, |r| r.commitment.to_scalar()),
            ahead_step: ahead.map_or(Scalar::ZERO, |r| Scalar::from(u64::from(r.at_step))),
        }
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

/// Makes settlements of one mandate, of its model and of those that were announced to take over.
pub struct Settler {
    setup: Arc<SettlementSetup>,
    mandate: Mandate,
    digest: Digest,
    first: Arc<Weights>,
    later: Vec<Arc<Weights>>,
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
        let shape = &setup.shape;
        let mut z: Vec<Scalar> = (0..shape.num_vars()).map(|_| Scalar::random(OsRng)).collect();
        let hidden = z.clone();
        // u and X are 0: what they would hide is public.
        z.resize(shape.num_vars().saturating_add(shape.num_io()).saturating_add(1), Scalar::ZERO);
        let (a, b, _) = shape.multiply_vec(&z)?;
        let error = a.iter().zip(&b).map(|(a, b)| *a * b).collect();
        let (blind_w, blind_e) = (Scalar::random(OsRng), Scalar::random(OsRng));
        let witness = RelaxedR1CSWitness::new(shape, hidden, blind_w, error, blind_e)?;
        let (w, e) = witness.commit(&setup.commitment_key);
        let public = vec![Scalar::ZERO; shape.num_io()];
        let instance = RelaxedR1CSInstance::new(shape, w, e, Scalar::ZERO, public)?;
        let nothing = SettlePoint::default();
        if *instance.comm_W() == nothing || *instance.comm_E() == nothing {
            return Err(DomainError::new("mask", "a random instance", "one that hides nothing").into());
        }
        Ok(Self { instance, witness })
    }
}

impl Weights {
    fn new(mandate: &Mandate, model: Model, salt: Salt) -> Result<Self, ProverError> {
        let commitment = commit_model(&mandate.model, &model, &salt);
        Ok(Self { engine: Engine::new(mandate.clone(), model)?, salt, commitment })
    }
}

impl Settler {
    /// The parameters must be those of the mandate's model; their block may hold another number of decisions than the mandate's fold.
    pub fn new(setup: Arc<SettlementSetup>, mandate: Mandate, model: Model, salt: Salt) -> Result<Self, ProverError> {
        if setup.model != mandate.model {
            return Err(DomainError::new("settlement parameters", "those of the mandate's model shape", "others").into());
        }
        let digest = mandate_digest(&mandate);
        let first = Arc::new(Weights::new(&mandate, model, salt)?);
        Ok(Self { setup, mandate, digest, first, later: Vec::new() })
    }

    /// Hands in other weights, for when they take over; returns their commitment.
    pub fn provide(&mut self, model: Model, salt: Salt) -> Result<Digest, ProverError> {
        let weights = Weights::new(&self.mandate, model, salt)?;
        let commitment = weights.commitment;
        self.later.push(Arc::new(weights));
        Ok(commitment)
    }

    /// The parameters.
    #[must_use]
    pub fn setup(&self) -> &SettlementSetup {
        &self.setup
    }

    /// Commitment to the model that decides first.
    #[must_use]
    pub fn commitment(&self) -> Digest {
        self.first.commitment
    }

    /// Before the first decision.
    #[must_use]
    pub fn genesis(&self) -> Position {
        let head = genesis_head(&self.digest, &self.first.commitment);
        let weights = self.first.clone();
        Position { state: State::genesis(&self.mandate), decided: head, head, weights, ahead: None, announced: None }
    }

    /// Announces other weights before the next decision; returns where that leads.
    pub fn announce(&self, at: &Position, rotation: &Rotation) -> Result<Position, ProverError> {
        rotation.check(at.state.step)?;
        if let Some(other) = at.ahead() {
            return Err(DomainError::new("rotation", "one at a time", format!("another one, of step {}", other.at_step)).into());
        }
        Ok(Position { head: rotation_head(&at.head, rotation), announced: Some(*rotation), ..at.clone() })
    }

    /// The weights that make the next decision.
    fn deciding(&self, at: &Position) -> Result<Arc<Weights>, ProverError> {
        let Some(due) = at.due() else { return Ok(at.weights.clone()) };
        let found = [&self.first].into_iter().chain(&self.later).find(|w| w.commitment == due.commitment);
        let expected = || format!("the weights behind {}, which take over at step {}", due.commitment, due.at_step);
        Ok(found.ok_or_else(|| DomainError::new("model", expected(), "none"))?.clone())
    }

    /// Decides on observations; returns where that leads and the records.
    pub fn advance(&self, from: &Position, observations: &[Observation]) -> Result<(Position, Vec<Record>), ProverError> {
        let (mut position, mut records) = (from.clone(), Vec::with_capacity(observations.len()));
        for observation in observations {
            crate::session::check(&self.mandate, &position.state, observation)?;
            let weights = self.deciding(&position)?;
            let still = position.ahead.filter(|_| position.due().is_none());
            let step = weights.engine.step(&position.state, observation);
            let head = next_head(&position.head, &step.record);
            let ahead = position.announced.or(still);
            position = Position { state: step.next_state, decided: head, head, weights, ahead, announced: None };
            records.push(step.record);
        }
        Ok((position, records))
    }

    /// z at a position, as a settlement that ends or starts there shows it: what was announced there is not in it yet.
    #[must_use]
    pub fn z(&self, at: &Position) -> Vec<Scalar> {
        if at.state.step == 0 {
            return genesis_z(&self.mandate, &self.first.commitment).to_vec();
        }
        let state = state_digest(&at.state, &self.blind(at));
        z_at(&at.weights.commitment, &self.digest, at.ahead.as_ref(), at.state.step, &at.decided, state).to_vec()
    }

    /// What a settlement of so many decisions from a position on is held against, for a vault whose trail and domain are given.
    #[must_use]
    pub fn claim(&self, from: &Position, trail: Trail, domain: [u8; 32], decisions: u32) -> Claim {
        let (fingerprint, trail) = (trail.fingerprint, trail.value);
        Claim { domain, trail, decisions, fingerprint, z: self.z(from), after: from.weights_after() }
    }

    /// Blinds the digest of the state at a position: a function of the salt of the weights in force, so that a settlement can go on from any
    /// earlier one without anything else having been kept, and whoever gets to know one salt sees through no other's.
    fn blind(&self, at: &Position) -> Scalar {
        if at.state.step == 0 {
            return Scalar::ZERO;
        }
        let mut wide = [0u8; 64];
        for (half, number) in wide.chunks_exact_mut(32).zip([1u8, 2]) {
            let hash = Sha256::new()
                .chain_update(b"probity settlement blind")
                .chain_update([number])
                .chain_update(at.weights.salt.expose())
                .chain_update(self.digest.to_bytes())
                .chain_update(at.weights.commitment.to_bytes())
                .chain_update(at.decided.to_bytes());
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
        if let Some(r) =
            from.ahead().filter(|r| (from.state.step.saturating_add(1)..from.state.step.saturating_add(decisions)).contains(&r.at_step))
        {
            let most = r.at_step.saturating_sub(from.state.step);
            let expected = format!("at most {most}: other weights take over at step {}", r.at_step);
            return Err(DomainError::new("settlement.decisions", expected, decisions).into());
        }
        let claim = self.claim(from, trail, domain, decisions);
        let bytes = self.prove(from, trail, &claim, observations)?;
        let end = verify_settlement(&self.setup.key, &claim, &bytes)?;
        Ok(Settlement { claim, bytes, end })
    }

    fn prove(&self, from: &Position, mut trail: Trail, claim: &Claim, observations: &[Observation]) -> Result<Vec<u8>, ProverError> {
        let setup = &*self.setup;
        let Mask { mut instance, mut witness } = Mask::draw(setup)?;
        let mut out = point(instance.comm_W())?;
        out.extend(point(instance.comm_E())?);
        let mut challenges = Challenges::start(&setup.key, claim, &out);
        let mut position = from.clone();
        for chunk in observations.chunks(setup.key.per_block().max(1)) {
            let (next, records) = self.advance(&position, chunk)?;
            let before = trail.fingerprint;
            let marks = self.follow(&mut trail, &position, &records);
            let circuit = self.circuit(&position, &next, chunk, before, &marks)?;
            let mut cs = SatisfyingAssignment::<E1>::new();
            circuit.synthesize(&mut cs).map_err(nova_snark::errors::NovaError::from)?;
            let public = cs.input_assignment().get(1..).unwrap_or_default();
            let secret = R1CSWitness::new(&setup.shape, &setup.sums.extend(cs.aux_assignment(), public), &mut OsRng)?;
            let block = R1CSInstance::new(&setup.shape, &secret.commit(&setup.commitment_key), public)?;
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
        let weights = self.deciding(from)?;
        let witness = FoldWitness {
            mandate: self.mandate.clone(),
            model: weights.engine.model().clone(),
            salt: weights.salt.clone(),
            state: from.state.clone(),
            head: from.decided,
            announce: from.announced,
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
