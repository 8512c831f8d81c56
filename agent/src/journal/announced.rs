//! Announcements of other weights in the journal: written before anything is done about them, like decisions.
//!
//! One that is not there was not announced. On paper none is sent, so none has a transaction.

use super::Journal;
use anyhow::{Context, Result, ensure};
use probity_verifier::{Digest, Rotation};
use rusqlite::params;

/// Other weights, announced between two decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    /// The decision that it stands before: so many were made.
    pub(crate) step: u32,
    /// Which weights, and from when.
    pub(crate) rotation: Rotation,
    /// Head before it.
    pub(crate) before: Digest,
    /// Head after it.
    pub(crate) head: Digest,
    /// Its transaction, if it is known to be mined.
    pub(crate) mined: Option<Mined>,
}

/// The transaction of an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mined {
    /// Hash, hex.
    pub(crate) tx_hash: String,
    /// Gas used by it; none if only its event was seen.
    pub(crate) gas_used: Option<u64>,
}

impl Announced {
    /// Whether its weights are still to make their first decision, of so many that were made.
    pub(crate) const fn is_ahead(&self, decisions: u32) -> bool {
        self.rotation.at_step >= decisions
    }
}

impl Journal {
    /// Appends an announcement; it is durable when this returns. There is one before a step at most.
    pub(crate) fn announce(&self, a: &Announced) -> Result<()> {
        let row = params![a.step, a.rotation.commitment.to_string(), a.rotation.at_step, a.before.to_string(), a.head.to_string()];
        let written =
            self.db.execute("insert into announcement (step, commitment, at_step, head_before, head) values (?1, ?2, ?3, ?4, ?5)", row);
        written
            .map(drop)
            .with_context(|| format!("journal: the announcement before step {} could not be written; nothing was sent", a.step))
    }

    /// Notes the transaction of an announcement, or that the chain has it no more.
    pub(crate) fn announcement_mined(&self, step: u32, mined: Option<&Mined>) -> Result<()> {
        let gas_used = mined.and_then(|m| m.gas_used).map(i64::try_from).transpose()?;
        let row = params![step, mined.map(|m| m.tx_hash.as_str()), gas_used];
        let rows = self.db.execute("update announcement set tx_hash = ?2, gas_used = ?3 where step = ?1", row);
        let rows = rows.with_context(|| format!("journal: the transaction of the announcement before step {step} could not be written"))?;
        ensure!(rows == 1, "journal: expected an announcement before step {step}, got none");
        Ok(())
    }

    /// Every announcement, oldest first.
    pub(crate) fn announcements(&self) -> Result<Vec<Announced>> {
        let mut query = self
            .db
            .prepare_cached("select step, commitment, at_step, head_before, head, tx_hash, gas_used from announcement order by step")?;
        let text = |r: &rusqlite::Row<'_>, i| r.get::<_, String>(i);
        let rows = query.query_map([], |r| {
            let mined = (r.get::<_, Option<String>>(5)?, r.get::<_, Option<i64>>(6)?);
            Ok((r.get::<_, u32>(0)?, text(r, 1)?, r.get::<_, u32>(2)?, [text(r, 3)?, text(r, 4)?], mined))
        })?;
        rows.map(|row| {
            let (step, commitment, at_step, [before, head], (tx_hash, gas_used)) = row?;
            let digest = |text: String| text.parse::<Digest>().with_context(|| format!("journal: announcement before step {step}"));
            Ok(Announced {
                step,
                rotation: Rotation { commitment: digest(commitment)?, at_step },
                before: digest(before)?,
                head: digest(head)?,
                mined: tx_hash.map(|tx_hash| Mined { tx_hash, gas_used: gas_used.map(i64::unsigned_abs) }),
            })
        })
        .collect()
    }

    /// The announcement that stands before a decision, if there is one.
    pub(crate) fn announced_before(&self, step: u32) -> Result<Option<Announced>> {
        Ok(self.announcements()?.into_iter().find(|a| a.step == step))
    }
}
