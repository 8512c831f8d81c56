//! What can go wrong while proving.

use nova_snark::errors::NovaError;
use probity_strategy::DomainError;
use probity_verifier::{Finding, KeysError, Rejected};
use std::io;
use thiserror::Error;

/// Why a proof could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProverError {
    /// A value does not fit.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// No parameters.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The proof library refused.
    #[error("proof library: {0}")]
    Nova(#[from] NovaError),
    /// The circuit ended elsewhere than the native engine; the session is spoiled and has to be resumed or restarted.
    #[error("{field}: the circuit and the engine disagree")]
    Diverged {
        /// Element of the chain's end.
        field: &'static str,
    },
    /// A fresh settlement does not verify.
    #[error("self-check of the fresh settlement: {0}")]
    Settlement(#[from] Rejected),
    /// The session failed before and holds no sound state any more.
    #[error("session: an earlier fold failed; resume from the last checkpoint")]
    Spoiled,
    /// Nothing was folded yet.
    #[error("session: expected at least one fold before compressing, got none")]
    Empty,
    /// The fresh proof does not verify.
    #[error("self-check of the fresh proof: {0}")]
    SelfCheck(Box<Finding>),
    /// The file system refused.
    #[error("checkpoint: {0}")]
    Io(#[from] io::Error),
    /// A checkpoint is damaged or belongs to something else.
    #[error("checkpoint {field}: expected {expected}, got {got}")]
    Checkpoint {
        /// Field of the checkpoint.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was found.
        got: String,
    },
}

impl ProverError {
    pub(crate) fn checkpoint(field: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Checkpoint { field, expected: expected.to_string(), got: got.to_string() }
    }
}
