//! Replay with a revealed model: the commitment opens and the engine decides the same again.

use crate::finding::{Code, Finding};
use crate::{Digest, Header, Rotation, Salt, commit_model};
use probity_strategy::{Engine, Mandate, Model, Record, State};
use serde::{Deserialize, Serialize};

/// A revealed model: everything the commitment covers.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    /// The model.
    pub model: Model,
    /// The salt of its commitment.
    pub salt: Salt,
    /// The model that took over from it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<Reveal>>,
}

impl std::fmt::Debug for Reveal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reveal(private)")
    }
}

/// Replays a log decision by decision.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    state: State,
    then: Option<Box<Reveal>>,
    ahead: Option<Rotation>,
}

impl Replay {
    /// Opens the commitment of `header` with the revealed model.
    pub fn open(header: &Header, reveal: &Reveal) -> Result<Self, Finding> {
        let engine = engine(&header.mandate, reveal, &header.model_commitment)?;
        Ok(Self { state: State::genesis(&header.mandate), engine, then: reveal.then.clone(), ahead: None })
    }

    /// Takes note of other weights ahead.
    pub fn announce(&mut self, rotation: &Rotation) {
        // One that is due now is not overtaken; if it does not open, the decision says so.
        if self.ahead.is_none_or(|r| r.at_step != self.state.step) || self.take_over().is_ok() {
            self.ahead = Some(*rotation);
        }
    }

    /// Announced weights take over if this is their step.
    fn take_over(&mut self) -> Result<(), Finding> {
        let Some(rotation) = self.ahead.filter(|r| r.at_step == self.state.step) else { return Ok(()) };
        let Some(next) = &self.then else {
            let expected = format!("an opening of {} as well", rotation.commitment);
            return Err(Finding::mismatch(Code::RevealMismatch, expected, "none").field("reveal.then"));
        };
        self.engine = engine(self.engine.mandate(), next, &rotation.commitment)?;
        self.then = self.then.take().and_then(|next| next.then);
        self.ahead = None;
        Ok(())
    }

    /// Decides again on a record's observation and compares.
    pub fn step(&mut self, record: &Record) -> Option<Finding> {
        if let Err(finding) = self.take_over() {
            return Some(finding);
        }
        let step = self.engine.step(&self.state, &record.observation);
        self.state = step.next_state;
        if step.decision == record.decision {
            return None;
        }
        let got = record.decision;
        Some(Finding::error(Code::ReplayMismatch, format!("expected {:?}, got {got:?}", step.decision)).field("decision"))
    }
}

fn engine(mandate: &Mandate, reveal: &Reveal, commitment: &Digest) -> Result<Engine, Finding> {
    let engine = Engine::new(mandate.clone(), reveal.model.clone())
        .map_err(|e| Finding::error(Code::RevealMismatch, e.to_string()).field("reveal.model"))?;
    let got = commit_model(&mandate.model, &reveal.model, &reveal.salt);
    if got == *commitment { Ok(engine) } else { Err(Finding::mismatch(Code::RevealMismatch, commitment, got).field("model_commitment")) }
}
