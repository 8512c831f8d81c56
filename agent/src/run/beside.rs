//! What runs of one process have in common, and what each is given by whoever starts them.

use crate::run::stop::Stop;
use crate::run::workers::Workers;
use anyhow::Result;
use probity_chain::Signer;

/// The process around a run.
#[derive(Clone)]
pub(crate) struct Beside {
    /// How the process is asked to end.
    pub(crate) stop: Stop,
    /// Who may prove.
    pub(crate) workers: Workers,
    /// The operator's account, if it was unlocked already.
    pub(crate) signer: Option<Signer>,
}

impl Beside {
    /// A run that has the process to itself.
    pub(crate) fn alone() -> Result<Self> {
        Ok(Self { stop: Stop::listen()?, workers: Workers::default(), signer: None })
    }
}
