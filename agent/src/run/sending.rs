//! What is done at every stage of a transaction: noted before it leaves, stopped if the run is halted.

use crate::journal::Journal;
use crate::run::fault::{Boundary, reached};
use crate::run::halt::{Gate, Mode};
use anyhow::Result;
use probity_chain::{Attempt, ChainError, Notes};

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// The decision of a step.
    Decision(u32),
    /// A proof.
    Post,
    /// A settlement, alone or with a decision.
    Settlement,
    /// The vault itself.
    Deploy,
    /// The announcement of other weights before a step.
    Announcement(u32),
}

impl What {
    /// The number under which the journal keeps what was signed: a decision's is its step, and no other has that. None: nothing is kept.
    pub(crate) fn key(self) -> Option<i64> {
        match self {
            Self::Decision(step) => Some(step.into()),
            Self::Deploy => Some(u32::MAX.into()),
            Self::Announcement(step) => Some(-1 - i64::from(step)),
            Self::Post | Self::Settlement => None,
        }
    }

    /// Every transaction that was signed for it and noted, oldest first.
    pub(crate) fn attempts(self, journal: &Journal) -> Result<Vec<Attempt>> {
        self.key().map_or(Ok(Vec::new()), |key| journal.attempts(key))
    }

    /// The boundaries of its transaction: signed, sent, mined.
    const fn boundaries(self) -> [Boundary; 3] {
        match self {
            Self::Decision(_) => [Boundary::DecideSigned, Boundary::DecideSent, Boundary::DecideMined],
            Self::Post => [Boundary::PostSigned, Boundary::PostSent, Boundary::PostMined],
            Self::Settlement => [Boundary::SettleSigned, Boundary::SettleSent, Boundary::SettleMined],
            Self::Deploy => [Boundary::DeploySigned, Boundary::DeploySent, Boundary::DeployMined],
            Self::Announcement(_) => [Boundary::AnnounceSigned, Boundary::AnnounceSent, Boundary::AnnounceMined],
        }
    }

    /// In words, behind "the transaction".
    fn words(self) -> String {
        match self {
            Self::Decision(step) => format!("of step {step}"),
            Self::Post => "of a proof".to_owned(),
            Self::Settlement => "of a settlement".to_owned(),
            Self::Deploy => "that deploys".to_owned(),
            Self::Announcement(step) => format!("of the announcement before step {step}"),
        }
    }
}

/// Follows one transaction.
pub(crate) struct Following<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) gate: &'a Gate,
    pub(crate) what: What,
}

impl Notes for Following<'_> {
    fn signed(&mut self, attempt: &Attempt) -> Result<(), ChainError> {
        let stopped = |reason: String| ChainError::Stopped { reason };
        // The last look before it leaves: whatever else is wrong, a halted run sends nothing.
        if self.gate.mode(self.journal).map_err(|e| stopped(format!("{e:#}")))? == Mode::Halted {
            return Err(stopped("the run is halted".into()));
        }
        if let Some(key) = self.what.key() {
            let (noted, of) = (self.journal.attempt(key, attempt), self.what.words());
            noted.map_err(|e| stopped(format!("journal: the transaction {of} could not be noted, nothing was sent: {e:#}")))?;
        }
        let [signed, ..] = self.what.boundaries();
        reached(signed);
        Ok(())
    }

    fn sent(&mut self) -> Result<(), ChainError> {
        let [_, sent, _] = self.what.boundaries();
        reached(sent);
        Ok(())
    }

    fn mined(&mut self) -> Result<(), ChainError> {
        let [.., mined] = self.what.boundaries();
        reached(mined);
        Ok(())
    }
}
