//! The journal: what was decided, before anything is done about it. SQLite with a write-ahead log, synced on every commit.
//!
//! A decision that is not in the journal was not taken. A sent transaction is *unknown* until its receipt: its row has no
//! outcome, and a restart asks the chain.

use anyhow::{Context, Result, bail};
use probity_strategy::Record;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

/// What became of a decision on chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Transaction hash, hex.
    pub(crate) tx_hash: String,
    /// Gas used by it.
    pub(crate) gas_used: u64,
    /// Whether the order was filled.
    pub(crate) executed: bool,
    /// Raw amount received.
    pub(crate) amount_out: u128,
    /// Proof bytes that the transaction carried.
    pub(crate) proof_bytes: u64,
}

/// A proof that was posted in a transaction of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    /// Decisions it covers.
    pub(crate) steps: u32,
    /// Gas used.
    pub(crate) gas_used: u64,
    /// Bytes.
    pub(crate) proof_bytes: u64,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The record.
    pub(crate) record: Record,
    /// Log head after it, hex.
    pub(crate) head: String,
    /// The outcome, if known.
    pub(crate) outcome: Option<Outcome>,
}

/// The journal of one vault.
pub(crate) struct Journal {
    db: Connection,
}

impl Journal {
    /// Opens or makes the journal in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("agent.dir {}: expected a folder that can be written", dir.display()))?;
        let path = dir.join("journal.sqlite");
        let db = Connection::open(&path).with_context(|| format!("journal {}", path.display()))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute_batch(
            "create table if not exists meta (key text primary key, value text not null);
             create table if not exists decision (
               step integer primary key, record text not null, head text not null,
               tx_hash text, gas_used integer, executed integer, amount_out text, proof_bytes integer);
             create table if not exists post (steps integer primary key, gas_used integer not null, proof_bytes integer not null);",
        )
        .with_context(|| format!("journal {}: expected a probity journal", path.display()))?;
        Ok(Self { db })
    }

    /// Keeps a value, or checks that the one kept is the same.
    pub(crate) fn bind(&self, key: &str, value: &str) -> Result<()> {
        match self.meta(key)? {
            None => self.set_meta(key, value),
            Some(old) if old == value => Ok(()),
            Some(old) => bail!("journal: its {key} is {old}, expected {value}; another run needs another --dir"),
        }
    }

    /// A value kept beside the decisions.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>> {
        Ok(self.db.query_row("select value from meta where key = ?1", [key], |r| r.get(0)).optional()?)
    }

    /// Keeps a value beside the decisions.
    pub(crate) fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        self.db.execute("insert or replace into meta values (?1, ?2)", [key, value])?;
        Ok(())
    }

    /// Changes whenever another process has written.
    pub(crate) fn version(&self) -> Result<i64> {
        Ok(self.db.query_row("pragma data_version", [], |r| r.get(0))?)
    }

    /// Appends a decision; it is durable when this returns. A step is never overwritten.
    pub(crate) fn decide(&self, record: &Record, head: &str) -> Result<()> {
        self.db
            .execute(
                "insert into decision (step, record, head) values (?1, ?2, ?3)",
                params![record.observation.step, serde_json::to_string(record)?, head],
            )
            .with_context(|| format!("journal: step {} could not be written; nothing was sent", record.observation.step))?;
        Ok(())
    }

    /// Adds what became of a decision.
    pub(crate) fn settle(&self, step: u32, outcome: &Outcome) -> Result<()> {
        let rows = self.db.execute(
            "update decision set tx_hash = ?2, gas_used = ?3, executed = ?4, amount_out = ?5, proof_bytes = ?6 where step = ?1",
            params![
                step,
                outcome.tx_hash,
                i64::try_from(outcome.gas_used)?,
                outcome.executed,
                outcome.amount_out.to_string(),
                i64::try_from(outcome.proof_bytes)?
            ],
        )?;
        if rows != 1 {
            bail!("journal: step {step} has no decision to settle");
        }
        Ok(())
    }

    /// All decisions in order.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let mut query =
            self.db.prepare("select record, head, tx_hash, gas_used, executed, amount_out, proof_bytes from decision order by step")?;
        let rows = query.query_map([], |r| {
            Ok((
                r.get::<_, String>(0)?,
                r.get::<_, String>(1)?,
                r.get::<_, Option<String>>(2)?,
                r.get::<_, Option<i64>>(3)?,
                r.get::<_, Option<bool>>(4)?,
                r.get::<_, Option<String>>(5)?,
                r.get::<_, Option<i64>>(6)?,
            ))
        })?;
        let mut entries = Vec::new();
        for (step, row) in rows.enumerate() {
            let (record, head, tx_hash, gas_used, executed, amount_out, proof_bytes) = row?;
            let record: Record = serde_json::from_str(&record).with_context(|| format!("journal: record of step {step}"))?;
            let outcome = match (tx_hash, executed) {
                (Some(tx_hash), Some(executed)) => Some(Outcome {
                    tx_hash,
                    gas_used: gas_used.unwrap_or(0).unsigned_abs(),
                    executed,
                    amount_out: amount_out.unwrap_or_default().parse().with_context(|| format!("journal: amount_out of step {step}"))?,
                    proof_bytes: proof_bytes.unwrap_or(0).unsigned_abs(),
                }),
                _ => None,
            };
            entries.push(Entry { record, head, outcome });
        }
        Ok(entries)
    }

    /// Notes a posted proof.
    pub(crate) fn posted(&self, post: &Post) -> Result<()> {
        self.db.execute(
            "insert or replace into post values (?1, ?2, ?3)",
            params![post.steps, i64::try_from(post.gas_used)?, i64::try_from(post.proof_bytes)?],
        )?;
        Ok(())
    }

    /// Posted proofs, shortest first.
    pub(crate) fn posts(&self) -> Result<Vec<Post>> {
        let mut query = self.db.prepare("select steps, gas_used, proof_bytes from post order by steps")?;
        let count = |r: &rusqlite::Row<'_>, i| r.get::<_, i64>(i).map(i64::unsigned_abs);
        let rows = query.query_map([], |r| Ok(Post { steps: r.get(0)?, gas_used: count(r, 1)?, proof_bytes: count(r, 2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
