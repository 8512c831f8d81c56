//! The newest compressed proof on disk: after a crash between making and sending it, it is sent as it is, and not made again.

use anyhow::Result;
use probity_prover::Session;
use probity_verifier::{Envelope, Keys};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file of one run.
pub(crate) struct Kept(PathBuf);

impl Kept {
    /// In the folder of a run.
    pub(crate) fn of(dir: &Path) -> Self {
        Self(dir.join("newest.proof"))
    }

    /// Keeps a proof in the place of the one before.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<()> {
        crate::whole::write(&self.0, bytes)
    }

    /// The proof of exactly what a session holds, if it is there and verifies; damage costs a warning and making it again.
    pub(crate) fn proof_of(&self, session: &Session, keys: &Keys) -> Option<Vec<u8>> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(path = %self.0.display(), %error, "the kept proof cannot be read: it is made again");
                }
                return None;
            }
        };
        let envelope = Envelope::from_bytes(&bytes);
        if let Ok(envelope) = &envelope
            && (envelope.end.decisions, envelope.end.head) != (session.decisions(), session.head())
        {
            // Of an earlier decision: the usual case.
            return None;
        }
        let verified = envelope.and_then(|e| e.verify(keys, session.mandate(), &session.first_commitment()));
        match verified {
            Ok(proven) if proven.start.is_none() && session.from() == 0 => Some(bytes),
            Ok(_) => None,
            Err(finding) => {
                tracing::warn!(path = %self.0.display(), %finding, "the kept proof does not hold: it is made again");
                None
            }
        }
    }
}
