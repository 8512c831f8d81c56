//! Replay with a revealed model: the commitment opens and the engine decides the same again.

use crate::finding::{Code, Finding};
use crate::{Digest, Header, Salt, commit_model};
use probity_strategy::{Engine, Model, Record, State};
use serde::{Deserialize, Serialize};

/// A revealed model: everything the commitment covers.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    /// The model.
    pub model: Model,
    /// The salt of its commitment.
    pub salt: Salt,
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
}

impl Replay {
    /// Opens the commitment of `header` with the revealed model.
    pub fn open(header: &Header, reveal: &Reveal) -> Result<Self, Finding> {
        let engine = Engine::new(header.mandate.clone(), reveal.model.clone())
            .map_err(|e| Finding::error(Code::RevealMismatch, e.to_string()).field("reveal.model"))?;
        let got: Digest = commit_model(&header.mandate.model, &reveal.model, &reveal.salt);
        if got != header.model_commitment {
            return Err(Finding::mismatch(Code::RevealMismatch, header.model_commitment, got).field("model_commitment"));
        }
        Ok(Self { state: State::genesis(&header.mandate), engine })
    }

    /// Decides again on a record's observation and compares.
    pub fn step(&mut self, record: &Record) -> Option<Finding> {
        let step = self.engine.step(&self.state, &record.observation);
        self.state = step.next_state;
        if step.decision == record.decision {
            return None;
        }
        let got = record.decision;
        Some(Finding::error(Code::ReplayMismatch, format!("expected {:?}, got {got:?}", step.decision)).field("decision"))
    }
}
