//! The weights of a run: those at genesis, then those that were announced, each with the first decision that it makes.

use crate::journal::{Announced, Journal};
use crate::secret;
use anyhow::{Context, Result, ensure};
use probity_strategy::{Mandate, Model};
use probity_verifier::{Digest, Reveal, Salt, commit_model};
use std::path::Path;

/// Name of the file with all of them in a run's folder.
pub(crate) const OPENING: &str = "opening.json";

/// One of them. Private: no `Debug`.
pub(crate) struct Own {
    /// First decision.
    pub(crate) from: u32,
    /// What they are committed to as.
    pub(crate) commitment: Digest,
    /// The model.
    pub(crate) model: Model,
    /// Salt of the commitment.
    pub(crate) salt: Salt,
}

/// All of them, in the order of their decisions.
pub(crate) struct Weights {
    first: Own,
    later: Vec<Own>,
}

impl Weights {
    /// Those of a run's folder, under its mandate.
    pub(crate) fn of(dir: &Path, mandate: &Mandate, journal: &Journal) -> Result<Self> {
        Self::opened(secret::read_opening(&dir.join(OPENING))?, mandate, &journal.announcements()?)
    }

    /// The weights that an opening holds and that were announced. What is in it beyond them was never announced and counts for nothing.
    pub(crate) fn opened(opening: Reveal, mandate: &Mandate, announced: &[Announced]) -> Result<Self> {
        let own = |from, model, salt| Own { from, commitment: commit_model(&mandate.model, &model, &salt), model, salt };
        let Reveal { model, salt, mut then } = opening;
        let (first, mut later) = (own(0, model, salt), Vec::new());
        for a in announced {
            let expected = a.rotation.commitment;
            let next = then.with_context(|| format!("{OPENING}: then: expected the weights behind {expected}, announced before decision {}; got none: put back the newest copy", a.step))?;
            let next = {
                let Reveal { model, salt, then: after } = *next;
                then = after;
                own(a.rotation.at_step, model, salt)
            };
            ensure!(
                next.commitment == expected,
                "{OPENING}: then: expected the weights behind {expected}, announced before decision {}; got those behind {}",
                a.step,
                next.commitment
            );
            later.push(next);
        }
        Ok(Self { first, later })
    }

    /// The weights at genesis.
    pub(crate) const fn first(&self) -> &Own {
        &self.first
    }

    /// The weights that make a decision.
    pub(crate) fn at(&self, step: u32) -> &Own {
        self.later.iter().rev().find(|own| own.from <= step).unwrap_or(&self.first)
    }

    /// The weights behind a commitment.
    pub(crate) fn behind(&self, commitment: &Digest) -> Option<&Own> {
        std::iter::once(&self.first).chain(&self.later).find(|own| own.commitment == *commitment)
    }

    /// The opening of all of them and of others that come next.
    pub(crate) fn opening_with(&self, next: Reveal) -> Reveal {
        let then = |own: &Own, then| Reveal { model: own.model.clone(), salt: own.salt.clone(), then: Some(Box::new(then)) };
        then(&self.first, self.later.iter().rev().fold(next, |after, own| then(own, after)))
    }
}
