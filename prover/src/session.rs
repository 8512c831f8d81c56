//! The folding session: takes observations, decides with the engine and folds the decisions into the running proof.

use crate::chain::Chain;
use crate::{Params, ProverError};
use ff::Field;
use probity_strategy::{DomainError, Engine, Mandate, Model, Observation, State, Step, oriented, price_x64};
use probity_verifier::{
    ARITY, Digest, Envelope, FoldCircuit, FoldWitness, Rotation, Salt, Scalar, Z, commit_model, genesis_head, genesis_z, mandate_digest,
    next_head, rotation_head, state_digest, z_at,
};
use rand_core::OsRng;
use std::sync::Arc;

/// Names of the chain's elements, in order.
pub(crate) const CHAIN: [&str; ARITY] =
    ["end.commitment", "end.mandate", "end.ahead", "end.at_step", "end.decisions", "end.head", "end.state"];

/// A running proof. Private: the proof so far contains the witness, thus the weights; `Debug` shows counts only.
pub struct Session {
    pub(crate) params: Arc<Params>,
    pub(crate) engine: Engine,
    pub(crate) salt: Salt,
    /// Commitment to the weights in force.
    pub(crate) commitment: Digest,
    /// Commitment to the weights at genesis.
    pub(crate) first_commitment: Digest,
    pub(crate) mandate: Digest,
    /// Where the running proof starts.
    pub(crate) z0: Z,
    /// Decisions before that; 0 at genesis.
    pub(crate) from: u32,
    /// Announced, folded in, not yet due.
    pub(crate) ahead: Option<Rotation>,
    /// To be announced with the next fold.
    pub(crate) announce: Option<Rotation>,
    /// The weights that take over, once they were handed in.
    next: Option<(Engine, Salt)>,
    /// None before the first fold.
    pub(crate) chain: Option<Chain>,
    pub(crate) folds: u32,
    pub(crate) state: State,
    pub(crate) head: Digest,
    /// Blinds the digest of the current state.
    pub(crate) blind: Scalar,
    pub(crate) spoiled: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({} decisions in {} folds, private)", self.state.step, self.folds)
    }
}

impl Session {
    /// A session at genesis. The parameters must be those of the mandate.
    pub fn start(params: Arc<Params>, mandate: Mandate, model: Model, salt: Salt) -> Result<Self, ProverError> {
        if !params.keys().fit(&mandate) {
            return Err(
                DomainError::new("parameters", "those of the mandate's model, decisions_per_fold and proof_engine", "others").into()
            );
        }
        let commitment = commit_model(&mandate.model, &model, &salt);
        let digest = mandate_digest(&mandate);
        let z0 = genesis_z(&mandate, &commitment);
        let state = State::genesis(&mandate);
        let engine = Engine::new(mandate, model)?;
        let head = genesis_head(&digest, &commitment);
        // The state of genesis is public, so its digest is blinded by nothing.
        let blind = Scalar::ZERO;
        Ok(Self {
            params,
            engine,
            salt,
            commitment,
            first_commitment: commitment,
            mandate: digest,
            z0,
            from: 0,
            ahead: None,
            announce: None,
            next: None,
            chain: None,
            folds: 0,
            state,
            head,
            blind,
            spoiled: false,
        })
    }

    /// Announces other weights: right before the next decision, in the log and in the proof. Returns what to write into the log.
    pub fn announce(&mut self, at_step: u32, model: Model, salt: Salt) -> Result<Rotation, ProverError> {
        let commitment = commit_model(&self.engine.mandate().model, &model, &salt);
        let rotation = Rotation { commitment, at_step };
        rotation.check(self.state.step)?;
        if let Some(other) = self.ahead() {
            return Err(DomainError::new(
                "rotation",
                "one at a time",
                format!("another one, of step {}, not over before its first decision is folded", other.at_step),
            )
            .into());
        }
        self.next = Some((Engine::new(self.engine.mandate().clone(), model)?, salt));
        self.announce = Some(rotation);
        Ok(rotation)
    }

    /// Hands in the weights that were announced, after a [`Session::resume`]: a checkpoint holds only those in force.
    pub fn provide(&mut self, model: Model, salt: Salt) -> Result<(), ProverError> {
        let got = commit_model(&self.engine.mandate().model, &model, &salt);
        match self.ahead {
            Some(rotation) if rotation.commitment == got => {
                self.next = Some((Engine::new(self.engine.mandate().clone(), model)?, salt));
                Ok(())
            }
            Some(rotation) => Err(DomainError::new("model", format!("the weights behind {}", rotation.commitment), got).into()),
            None => Err(DomainError::new("model", "none: no rotation is ahead", got).into()),
        }
    }

    /// The rotation that is ahead, if any.
    #[must_use]
    pub fn ahead(&self) -> Option<Rotation> {
        self.announce.or(self.ahead)
    }

    /// Most decisions of the next fold: the mandate's, or fewer before other weights take over.
    #[must_use]
    pub fn room(&self) -> usize {
        let most = usize::from(self.engine.mandate().decisions_per_fold);
        let until = self.ahead().filter(|r| r.at_step > self.state.step).map(|r| r.at_step - self.state.step);
        until.and_then(|n| usize::try_from(n).ok()).map_or(most, |n| n.min(most))
    }

    /// Announced weights take over if this is their step.
    fn take_over(&mut self) -> Result<(), ProverError> {
        let Some(rotation) = self.ahead.filter(|r| r.at_step == self.state.step) else { return Ok(()) };
        let expected = format!("the weights behind {}, which take over at step {}", rotation.commitment, rotation.at_step);
        let (engine, salt) = self.next.take().ok_or_else(|| DomainError::new("model", expected, "none"))?;
        (self.engine, self.salt) = (engine, salt);
        Ok(())
    }

    /// Ends the running proof here and starts another: what was folded so far can no longer be compressed, so compress first. The next
    /// proof is a segment that starts where this one ended; both together prove what one proof would have.
    pub fn cut(&mut self) -> Result<(), ProverError> {
        if self.spoiled {
            return Err(ProverError::Spoiled);
        }
        if self.chain.take().is_none() {
            return Err(ProverError::Empty);
        }
        (self.z0, self.from, self.folds) = (self.end(), self.state.step, 0);
        Ok(())
    }

    /// Decides on 1 … `decisions_per_fold` observations and folds them in. Missing slots are filled with no-ops.
    ///
    /// Refused observations leave the session as it was; after a failure of the proof library it is spoiled.
    pub fn fold(&mut self, observations: &[Observation]) -> Result<Vec<Step>, ProverError> {
        if self.spoiled {
            return Err(ProverError::Spoiled);
        }
        let most = self.room();
        if observations.is_empty() || observations.len() > most {
            let expected = format!("1 … {most} (the mandate's decisions_per_fold, less before other weights take over)");
            return Err(DomainError::new("observations", expected, observations.len()).into());
        }
        let mut seen = self.state.clone();
        for obs in observations {
            check(self.engine.mandate(), &seen, obs)?;
            (seen.step, seen.last_time_s) = (seen.step.saturating_add(1), obs.time_s);
        }
        let due = self.ahead.filter(|r| r.at_step == self.state.step);
        self.take_over()?;
        let (mut state, mut head, mut steps) = (self.state.clone(), self.head, Vec::with_capacity(observations.len()));
        if let Some(rotation) = &self.announce {
            head = rotation_head(&head, rotation);
        }
        for obs in observations {
            let step = self.engine.step(&state, obs);
            head = next_head(&head, &step.record);
            state = step.next_state.clone();
            steps.push(step);
        }
        let blind = Scalar::random(OsRng);
        let circuit = FoldCircuit {
            shape: self.params.shape().clone(),
            decisions_per_fold: self.engine.mandate().decisions_per_fold,
            witness: Some(FoldWitness {
                mandate: self.engine.mandate().clone(),
                model: self.engine.model().clone(),
                salt: self.salt.clone(),
                state: self.state.clone(),
                head: self.head,
                announce: self.announce,
                observations: observations.to_vec(),
                blind_in: self.blind,
                blind_out: blind,
            }),
        };
        self.spoiled = true;
        self.chain = Some(Chain::step(self.chain.take(), self.params.public(), &circuit, &self.z0)?);
        (self.state, self.head, self.blind) = (state, head, blind);
        if let Some(rotation) = due {
            (self.commitment, self.ahead) = (rotation.commitment, None);
        }
        self.ahead = self.announce.take().or(self.ahead);
        self.folds = self.folds.saturating_add(1);
        self.check_end()?;
        self.spoiled = false;
        Ok(steps)
    }

    /// The end of the chain as the engine sees it.
    pub(crate) fn end(&self) -> Z {
        let state = state_digest(&self.state, &self.blind);
        z_at(&self.commitment, &self.mandate, self.ahead.as_ref(), self.state.step, &self.head, state)
    }

    /// Compares the end of the chain with the engine.
    pub(crate) fn check_end(&self) -> Result<(), ProverError> {
        let end = self.end();
        let outputs: &[Scalar] = self.chain.as_ref().map_or(&self.z0, Chain::outputs);
        let wrong = CHAIN.iter().zip(&end).enumerate().find(|(i, (_, want))| outputs.get(*i) != Some(*want));
        match wrong {
            None => Ok(()),
            Some((_, (field, _))) => Err(ProverError::Diverged { field }),
        }
    }

    /// The mandate.
    #[must_use]
    pub const fn mandate(&self) -> &Mandate {
        self.engine.mandate()
    }

    /// Decisions so far.
    #[must_use]
    pub const fn decisions(&self) -> u32 {
        self.state.step
    }

    /// Folds so far.
    #[must_use]
    pub const fn folds(&self) -> u32 {
        self.folds
    }

    /// Head after the last decision.
    #[must_use]
    pub const fn head(&self) -> Digest {
        self.head
    }

    /// State after the last decision.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Commitment to the weights in force.
    #[must_use]
    pub const fn commitment(&self) -> Digest {
        self.commitment
    }

    /// Commitment to the weights at genesis.
    #[must_use]
    pub const fn first_commitment(&self) -> Digest {
        self.first_commitment
    }

    /// Decisions before the running proof starts; 0 unless it was cut.
    #[must_use]
    pub const fn from(&self) -> u32 {
        self.from
    }

    /// Makes the proof to publish: zero knowledge, verified once before it is returned.
    pub fn compress(&self) -> Result<Vec<u8>, ProverError> {
        if self.spoiled {
            return Err(ProverError::Spoiled);
        }
        let chain = self.chain.as_ref().ok_or(ProverError::Empty)?;
        let proof = chain.compress(self.params.public(), self.params.prover_key())?;
        let start = (self.from > 0).then_some(self.z0);
        let envelope =
            Envelope::new(self.params.keys(), self.folds, start, self.end(), &proof).map_err(|f| ProverError::SelfCheck(Box::new(f)))?;
        envelope
            .verify(self.params.keys(), self.engine.mandate(), &self.first_commitment)
            .map_err(|f| ProverError::SelfCheck(Box::new(f)))?;
        Ok(envelope.to_bytes())
    }
}

/// What the circuit demands of an observation; the engine alone would step on anything.
pub(crate) fn check(mandate: &Mandate, state: &State, obs: &Observation) -> Result<(), DomainError> {
    if obs.step != state.step {
        return Err(DomainError::new("observation.step", state.step, obs.step));
    }
    let interval = u64::from(mandate.interval_s).max(1);
    let on_grid = obs.time_s > state.last_time_s && obs.time_s.saturating_sub(mandate.genesis_time_s).is_multiple_of(interval);
    if !on_grid {
        let expected = format!("after {}, at {} plus a multiple of {interval}", state.last_time_s, mandate.genesis_time_s);
        return Err(DomainError::new("observation.time_s", expected, obs.time_s));
    }
    let price = price_x64(oriented(obs.mean_tick, mandate.base_is_token1));
    if obs.price_x64 != price {
        return Err(DomainError::new("observation.price_x64", format!("{} (the price of mean_tick)", price.x64()), obs.price_x64.x64()));
    }
    if obs.mean_tick.unsigned_abs() > 887_272 {
        return Err(DomainError::new("observation.mean_tick", "within ±887272", obs.mean_tick));
    }
    if obs.shares.raw() == 0 {
        // The circuit would take it, and no audit the log: a loss a share cannot be told.
        return Err(DomainError::new("observation.shares", "1 or more", 0));
    }
    Ok(())
}
