//! What a run left in its folder: journal, promise, weights.

use crate::journal::Journal;
use crate::run::weights::Weights;
use anyhow::{Context, Result};
use probity_strategy::Mandate;
use probity_verifier::Header;
use std::path::Path;

/// A run as its folder has it.
pub(crate) struct Book {
    pub(crate) journal: Journal,
    pub(crate) header: Header,
    pub(crate) weights: Weights,
}

impl Book {
    /// Opens the folder of a run that has a vault.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let journal = Journal::open(dir)?;
        let kept = journal.meta("mandate")?;
        let kept =
            kept.with_context(|| format!("{}: this run has no mandate yet; `probity run` makes it with its vault", dir.display()))?;
        let mandate: Mandate = serde_json::from_str(&kept).context("journal: mandate")?;
        let weights = Weights::of(dir, &mandate, &journal)?;
        let header = Header::new(mandate, weights.first().commitment);
        Ok(Self { journal, header, weights })
    }
}
