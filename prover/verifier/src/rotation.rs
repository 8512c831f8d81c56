//! Weight rotation: other weights take over at a step that was announced before it.
//!
//! An announcement is a line of the log of its own and moves the head. From its step on only the new weights have a proof, see block C12
//! of `docs/design/circuit.md`.

use crate::Digest;
use probity_strategy::DomainError;
use serde::{Deserialize, Serialize};

/// Fewest steps between an announcement and the first decision of the new weights.
pub const ROTATION_NOTICE: u32 = 12;

/// The announcement of other weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Commitment to the weights that take over.
    pub commitment: Digest,
    /// The first decision that they make.
    pub at_step: u32,
}

impl Rotation {
    /// Whether it may be announced before decision `step`: [`ROTATION_NOTICE`] steps ahead, and to a commitment that is not 0.
    pub fn check(&self, step: u32) -> Result<(), DomainError> {
        let least = u64::from(step).saturating_add(ROTATION_NOTICE.into());
        if u64::from(self.at_step) < least {
            return Err(DomainError::new("rotation.at_step", format!("at least {least}, {ROTATION_NOTICE} steps of notice"), self.at_step));
        }
        if self.commitment.to_bytes() == [0; 32] {
            return Err(DomainError::new("rotation.commitment", "a commitment", self.commitment));
        }
        Ok(())
    }
}
