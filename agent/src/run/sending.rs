//! What is done at every stage of a transaction: noted before it leaves, stopped if the run is halted.

use crate::journal::Journal;
use crate::run::fault::{Boundary, reached};
use crate::run::halt::{Gate, Mode};
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
}

/// Where the journal keeps what was signed to deploy: no decision has this step.
pub(crate) const DEPLOYING: u32 = u32::MAX;

/// Follows one transaction.
pub(crate) struct Following<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) gate: &'a Gate,
    pub(crate) what: What,
}

impl Following<'_> {
    const fn pick(&self, decision: Boundary, post: Boundary, deploy: Boundary, settle: Boundary) -> Boundary {
        match self.what {
            What::Decision(_) => decision,
            What::Post => post,
            What::Deploy => deploy,
            What::Settlement => settle,
        }
    }
}

impl Notes for Following<'_> {
    fn signed(&mut self, attempt: &Attempt) -> Result<(), ChainError> {
        let stopped = |reason: String| ChainError::Stopped { reason };
        // The last look before it leaves: whatever else is wrong, a halted run sends nothing.
        if self.gate.mode(self.journal).map_err(|e| stopped(format!("{e:#}")))? == Mode::Halted {
            return Err(stopped("the run is halted".into()));
        }
        let (step, of) = match self.what {
            What::Decision(step) => (Some(step), format!("of step {step}")),
            What::Deploy => (Some(DEPLOYING), "that deploys".to_owned()),
            What::Post | What::Settlement => (None, String::new()),
        };
        if let Some(step) = step {
            let noted = self.journal.attempt(step, attempt);
            noted.map_err(|e| stopped(format!("journal: the transaction {of} could not be noted, nothing was sent: {e:#}")))?;
        }
        reached(self.pick(Boundary::DecideSigned, Boundary::PostSigned, Boundary::DeploySigned, Boundary::SettleSigned));
        Ok(())
    }

    fn sent(&mut self) -> Result<(), ChainError> {
        reached(self.pick(Boundary::DecideSent, Boundary::PostSent, Boundary::DeploySent, Boundary::SettleSent));
        Ok(())
    }

    fn mined(&mut self) -> Result<(), ChainError> {
        reached(self.pick(Boundary::DecideMined, Boundary::PostMined, Boundary::DeployMined, Boundary::SettleMined));
        Ok(())
    }
}
