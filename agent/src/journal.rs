//! The journal: what was decided, before anything is done about it. SQLite with a write-ahead log, synced on every commit.
//!
//! A decision that is not in the journal was not taken. A sent transaction is *unknown* until its receipt: its row has no
//! outcome, and a restart asks the chain. Transactions are noted before they leave, changes of the agent's state when they happen.
//!
//! A journal that cannot be written stops the run before the next effect; one that is damaged is not opened.

mod announced;

pub(crate) use announced::{Announced, Mined};

use anyhow::{Context, Result, bail, ensure};
use probity_chain::Attempt;
use probity_strategy::Record;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What became of a decision on chain, or on paper.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Outcome {
    /// Transaction hash, hex; on paper, the block.
    pub(crate) tx_hash: String,
    /// Gas used by it.
    pub(crate) gas_used: u64,
    /// Whether the order was filled.
    pub(crate) executed: bool,
    /// Raw amount received.
    #[serde(serialize_with = "in_text")]
    pub(crate) amount_out: u128,
    /// Proof bytes that the transaction carried.
    pub(crate) proof_bytes: u64,
}

/// Big integers travel as decimal strings: JSON numbers lose digits past 2^53.
fn in_text<S: serde::Serializer>(v: &u128, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(v)
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

/// Where a decision on paper stands in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnPaper {
    /// Newest block when it would have left.
    pub(crate) sent_block: u64,
    /// What a unit of gas cost in the block that it would have been in, wei; none until that block is looked at.
    pub(crate) gas_price_wei: Option<u128>,
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

/// A change of what the agent may do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Change {
    /// Unix time of this machine's clock, s.
    pub(crate) time_s: u64,
    /// State from now on.
    pub(crate) state: String,
    /// Why.
    pub(crate) reason: String,
    /// In words.
    pub(crate) detail: String,
}

impl Change {
    /// Reason and detail.
    pub(crate) fn words(&self) -> String {
        if self.detail.is_empty() { self.reason.clone() } else { format!("{}: {}", self.reason, self.detail) }
    }
}

/// The journal of one vault.
pub(crate) struct Journal {
    db: Connection,
}

/// How the chain of a run on paper begins in the journal.
pub(crate) const PAPER: &str = "paper";

/// How long another process may hold the journal (`probity halt`, `inspect`).
const BUSY: Duration = Duration::from_secs(5);

impl Journal {
    /// Opens or makes the journal in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("agent.dir {}: expected a folder that can be written", dir.display()))?;
        Self::at(&dir.join("journal.sqlite"))
    }

    /// The journal of a run that there is.
    pub(crate) fn existing(dir: &Path) -> Result<Self> {
        let path = dir.join("journal.sqlite");
        ensure!(path.is_file(), "{}: expected the folder of a run (with journal.sqlite)", dir.display());
        Self::at(&path)
    }

    fn at(path: &PathBuf) -> Result<Self> {
        let named = || {
            format!("journal {}: expected a whole probity journal; restore it, or audit what the chain has of this vault", path.display())
        };
        let db = Connection::open(path).with_context(named)?;
        db.busy_timeout(BUSY)?;
        db.pragma_update(None, "journal_mode", "WAL").with_context(named)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute_batch(
            "create table if not exists meta (key text primary key, value text not null);
             create table if not exists decision (
               step integer primary key, record text not null, head text not null,
               tx_hash text, gas_used integer, executed integer, amount_out text, proof_bytes integer);
             create table if not exists post (steps integer primary key, gas_used integer not null, proof_bytes integer not null);
             create table if not exists attempt (
               tx_hash text primary key, step integer not null, nonce integer not null, gas integer not null,
               max_fee_wei text not null, tip_wei text not null);
             create table if not exists announcement (
               step integer primary key, commitment text not null, at_step integer not null, head_before text not null, head text not null,
               tx_hash text, gas_used integer);
             create table if not exists paper (step integer primary key, sent_block integer not null, gas_price_wei text);
             create index if not exists decision_unknown on decision (step) where tx_hash is null;
             create index if not exists attempt_of on attempt (step);
             create table if not exists change (
               id integer primary key, time_s integer not null, state text not null, reason text not null, detail text not null);",
        )
        .with_context(named)?;
        let journal = Self { db };
        let whole: String = journal.db.query_row("pragma quick_check(1)", [], |r| r.get(0)).with_context(named)?;
        ensure!(whole == "ok", "{}: {whole}", named());
        journal.check_order().with_context(named)?;
        Ok(journal)
    }

    /// Steps are 0, 1, 2 …: none is missing.
    fn check_order(&self) -> Result<()> {
        let (count, most): (u32, Option<u32>) =
            self.db.query_row("select count(*), max(step) from decision", [], |r| Ok((r.get(0)?, r.get(1)?)))?;
        ensure!(most.map_or(0, |m| m.saturating_add(1)) == count, "journal: {count} decisions, the last one is {most:?}: some are missing");
        Ok(())
    }

    /// Whether the run is on paper: nothing of it is on a chain.
    pub(crate) fn is_paper(&self) -> Result<bool> {
        Ok(self.meta("chain")?.is_some_and(|chain| chain.starts_with(PAPER)))
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
        self.db
            .execute("insert or replace into meta values (?1, ?2)", [key, value])
            .with_context(|| format!("journal: {key} could not be written"))?;
        // Vault and mandate get into the main file, so that a lost write-ahead log cannot make this folder look new.
        Ok(self.db.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()))?)
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
        );
        let rows = rows.with_context(|| format!("journal: the outcome of step {step} could not be written; the chain has it"))?;
        if rows != 1 {
            bail!("journal: step {step} has no decision to settle");
        }
        Ok(())
    }

    /// Notes a signed transaction before it leaves; `step` is a decision's, or a number that no decision has.
    pub(crate) fn attempt(&self, step: i64, a: &Attempt) -> Result<()> {
        self.db.execute(
            "insert or replace into attempt values (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                hex::encode(a.tx_hash),
                step,
                i64::try_from(a.nonce)?,
                i64::try_from(a.gas)?,
                a.max_fee_wei.to_string(),
                a.tip_wei.to_string()
            ],
        )?;
        Ok(())
    }

    /// Every transaction signed for a decision, or under another such number, oldest first.
    pub(crate) fn attempts(&self, step: i64) -> Result<Vec<Attempt>> {
        let mut query =
            self.db.prepare_cached("select tx_hash, nonce, gas, max_fee_wei, tip_wei from attempt where step = ?1 order by rowid")?;
        let rows = query.query_map([step], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?, r.get::<_, String>(3)?, r.get::<_, String>(4)?))
        })?;
        rows.map(|row| {
            let (hash, nonce, gas, max_fee, tip) = row?;
            let mut tx_hash = [0; 32];
            hex::decode_to_slice(&hash, &mut tx_hash).with_context(|| format!("journal: transaction {hash} of step {step}"))?;
            let (nonce, gas) = (nonce.unsigned_abs(), gas.unsigned_abs());
            Ok(Attempt { tx_hash, nonce, gas, max_fee_wei: max_fee.parse()?, tip_wei: tip.parse()? })
        })
        .collect()
    }

    /// Notes when a decision on paper would have left, and later what its gas cost.
    pub(crate) fn note_on_paper(&self, step: u32, paper: &OnPaper) -> Result<()> {
        let row = params![step, i64::try_from(paper.sent_block)?, paper.gas_price_wei.map(|p| p.to_string())];
        let noted = self.db.execute("insert or replace into paper values (?1, ?2, ?3)", row);
        noted.map(drop).with_context(|| format!("journal: step {step} could not be noted on paper"))
    }

    /// Where a decision on paper stands.
    pub(crate) fn on_paper(&self, step: u32) -> Result<Option<OnPaper>> {
        let mut query = self.db.prepare_cached("select sent_block, gas_price_wei from paper where step = ?1")?;
        let row = query.query_row([step], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<String>>(1)?))).optional()?;
        row.map(|(block, price)| {
            let gas_price_wei = price.map(|p| p.parse()).transpose().with_context(|| format!("journal: gas price of step {step}"))?;
            Ok(OnPaper { sent_block: block.unsigned_abs(), gas_price_wei })
        })
        .transpose()
    }

    /// What the gas of all decisions on paper would have cost, wei.
    pub(crate) fn paper_gas_wei(&self) -> Result<u128> {
        let mut query = self.db.prepare(
            "select gas_used, gas_price_wei from decision join paper using (step) where tx_hash is not null and gas_price_wei is not null",
        )?;
        let mut rows = query.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))?;
        rows.try_fold(0, |all: u128, row| {
            let (gas, price) = row?;
            let price: u128 = price.parse().context("journal: gas price on paper")?;
            Ok(all.saturating_add(price.saturating_mul(gas.unsigned_abs().into())))
        })
    }

    /// Notes a change of state.
    pub(crate) fn change(&self, change: &Change) -> Result<()> {
        self.db
            .execute(
                "insert into change (time_s, state, reason, detail) values (?1, ?2, ?3, ?4)",
                params![i64::try_from(change.time_s)?, change.state, change.reason, change.detail],
            )
            .context("journal: a change of state could not be written")?;
        Ok(())
    }

    /// The last change of state, if there was one.
    pub(crate) fn last_change(&self) -> Result<Option<Change>> {
        let mut query = self.db.prepare_cached("select time_s, state, reason, detail from change order by id desc limit 1")?;
        Ok(query.query_row([], Self::read_change).optional()?)
    }

    /// Every change of state, oldest first.
    pub(crate) fn changes(&self) -> Result<Vec<Change>> {
        let mut query = self.db.prepare("select time_s, state, reason, detail from change order by id")?;
        let rows = query.query_map([], Self::read_change)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn read_change(r: &rusqlite::Row<'_>) -> rusqlite::Result<Change> {
        Ok(Change { time_s: r.get::<_, i64>(0)?.unsigned_abs(), state: r.get(1)?, reason: r.get(2)?, detail: r.get(3)? })
    }

    /// The chain does not have a decision any more: its outcome is unknown again.
    pub(crate) fn unsettle(&self, step: u32) -> Result<()> {
        let rows = self.db.execute(
            "update decision set tx_hash = null, gas_used = null, executed = null, amount_out = null, proof_bytes = null where step = ?1",
            params![step],
        );
        rows.with_context(|| format!("journal: step {step} could not be written; nothing was sent"))?;
        Ok(())
    }

    /// The first decision without an outcome, if there is one.
    pub(crate) fn first_unknown(&self) -> Result<Option<u32>> {
        Ok(self.db.query_row("select min(step) from decision where tx_hash is null", [], |r| r.get(0))?)
    }

    /// How many decisions there are.
    pub(crate) fn len(&self) -> Result<u32> {
        Ok(self.db.query_row("select count(*) from decision", [], |r| r.get(0))?)
    }

    /// All decisions in order.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        self.entries_from(0, u32::MAX)
    }

    /// At most so many decisions from a step on, in order.
    pub(crate) fn entries_from(&self, from: u32, most: u32) -> Result<Vec<Entry>> {
        let mut query = self.db.prepare_cached(
            "select step, record, head, tx_hash, gas_used, executed, amount_out, proof_bytes from decision where step >= ?1 order by step limit ?2",
        )?;
        let rows = query.query_map([from, most], |r| {
            Ok((
                r.get::<_, u32>(0)?,
                r.get::<_, String>(1)?,
                r.get::<_, String>(2)?,
                r.get::<_, Option<String>>(3)?,
                r.get::<_, Option<i64>>(4)?,
                r.get::<_, Option<bool>>(5)?,
                r.get::<_, Option<String>>(6)?,
                r.get::<_, Option<i64>>(7)?,
            ))
        })?;
        let mut entries = Vec::new();
        for row in rows {
            let (step, record, head, tx_hash, gas_used, executed, amount_out, proof_bytes) = row?;
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
