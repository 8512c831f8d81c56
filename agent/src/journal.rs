//! The journal: what was decided, before anything is done about it. SQLite with a write-ahead log, synced on every commit.
//!
//! A decision that is not in the journal was not taken. A sent transaction is *unknown* until its receipt: its row has no
//! outcome, and a restart asks the chain.

use anyhow::{Context, Result, bail};
use probity_strategy::{Mandate, Record};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

/// What became of a decision on chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Transaction hash, hex.
    pub tx_hash: String,
    /// Gas used by it.
    pub gas_used: u64,
    /// Whether the order was filled.
    pub executed: bool,
    /// Raw amount received.
    pub amount_out: u128,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// Log head after it, hex.
    pub head: String,
    /// The outcome, if known.
    pub outcome: Option<Outcome>,
}

/// The journal of one vault.
pub struct Journal {
    db: Connection,
}

impl Journal {
    /// Opens or makes the journal in `dir`.
    pub fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("agent.dir {}: expected a folder that can be written", dir.display()))?;
        let path = dir.join("journal.sqlite");
        let db = Connection::open(&path).with_context(|| format!("journal {}", path.display()))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute_batch(
            "create table if not exists meta (key text primary key, value text not null);
             create table if not exists decision (
               step integer primary key, record text not null, head text not null,
               tx_hash text, gas_used integer, executed integer, amount_out text);",
        )
        .with_context(|| format!("journal {}: expected a probity journal", path.display()))?;
        Ok(Self { db })
    }

    /// Binds the journal to a mandate and commitment, or checks that it already is.
    pub fn bind(&self, mandate: &Mandate, commitment: &str) -> Result<()> {
        for (key, value) in [("mandate", serde_json::to_string(mandate)?), ("commitment", commitment.to_owned())] {
            match self.meta(key)? {
                None => self.set_meta(key, &value)?,
                Some(old) if old == value => {}
                Some(_) => bail!("journal: its {key} is another one; expected the same vault and model. Use another agent.dir for another mandate"),
            }
        }
        Ok(())
    }

    /// A value kept beside the decisions.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        Ok(self.db.query_row("select value from meta where key = ?1", [key], |r| r.get(0)).optional()?)
    }

    /// Keeps a value beside the decisions.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        self.db.execute("insert or replace into meta values (?1, ?2)", [key, value])?;
        Ok(())
    }

    /// Appends a decision; it is durable when this returns. A step is never overwritten.
    pub fn decide(&self, record: &Record, head: &str) -> Result<()> {
        self.db
            .execute(
                "insert into decision (step, record, head) values (?1, ?2, ?3)",
                params![record.observation.step, serde_json::to_string(record)?, head],
            )
            .with_context(|| format!("journal: step {} could not be written; nothing was sent", record.observation.step))?;
        Ok(())
    }

    /// Adds what became of a decision.
    pub fn settle(&self, step: u32, outcome: &Outcome) -> Result<()> {
        let rows = self.db.execute(
            "update decision set tx_hash = ?2, gas_used = ?3, executed = ?4, amount_out = ?5 where step = ?1",
            params![step, outcome.tx_hash, outcome.gas_used, outcome.executed, outcome.amount_out.to_string()],
        )?;
        if rows != 1 {
            bail!("journal: step {step} has no decision to settle");
        }
        Ok(())
    }

    /// All decisions in order.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut query = self.db.prepare("select record, head, tx_hash, gas_used, executed, amount_out from decision order by step")?;
        let rows = query.query_map([], |r| {
            Ok((
                r.get::<_, String>(0)?,
                r.get::<_, String>(1)?,
                r.get::<_, Option<String>>(2)?,
                r.get::<_, Option<u64>>(3)?,
                r.get::<_, Option<bool>>(4)?,
                r.get::<_, Option<String>>(5)?,
            ))
        })?;
        let mut entries = Vec::new();
        for (step, row) in rows.enumerate() {
            let (record, head, tx_hash, gas_used, executed, amount_out) = row?;
            let record: Record = serde_json::from_str(&record).with_context(|| format!("journal: record of step {step}"))?;
            let outcome = match (tx_hash, executed) {
                (Some(tx_hash), Some(executed)) => Some(Outcome {
                    tx_hash,
                    gas_used: gas_used.unwrap_or(0),
                    executed,
                    amount_out: amount_out.unwrap_or_default().parse().with_context(|| format!("journal: amount_out of step {step}"))?,
                }),
                _ => None,
            };
            entries.push(Entry { record, head, outcome });
        }
        Ok(entries)
    }
}
