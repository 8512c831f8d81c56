//! Whether the agent may act: `Active`, `Reducing` or `Halted`, with every change in the journal.
//!
//! The agent cannot alter a decision: the committed model makes it. So a halted agent makes none, and a reducing one withholds
//! decisions that would buy; both show in the log as a missing interval. The kill file works even if the journal does not.

use crate::journal::{Change, Journal};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// File in the run's folder whose presence halts the agent.
pub(crate) const KILL_FILE: &str = "halt";

/// What the agent may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Everything.
    Active,
    /// Only decisions that hold or sell.
    Reducing,
    /// Nothing: no decision, no transaction.
    Halted,
}

/// Why it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The kill file or `probity halt`.
    KillFile,
    /// `probity resume`.
    Resume,
    /// The mandate's drawdown limit was reached: the engine itself halts from here on.
    Drawdown,
    /// The newest block is too old or too far ahead of this machine's clock.
    StaleData,
    /// The prover does not keep up.
    ProofBacklog,
    /// The vault holds less than its accounts say.
    BalanceMismatch,
    /// A reorganisation took away what a journaled decision stands on.
    Reorganised,
    /// SIGTERM: the run ends and goes on at the next start without a resume.
    Terminated,
    /// The start after it.
    Started,
}

impl Mode {
    /// Its name in the journal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
        }
    }

    /// Of its name in the journal.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "active" => Self::Active,
            "reducing" => Self::Reducing,
            "halted" => Self::Halted,
            other => bail!("journal: state: expected active, reducing or halted, got {other}"),
        })
    }
}

impl Reason {
    /// Its name in the journal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KillFile => "kill_file",
            Self::Resume => "resume",
            Self::Drawdown => "drawdown",
            Self::StaleData => "stale_data",
            Self::ProofBacklog => "proof_backlog",
            Self::BalanceMismatch => "balance_mismatch",
            Self::Reorganised => "reorganised",
            Self::Terminated => "terminated",
            Self::Started => "started",
        }
    }
}

/// The gate in front of every decision and every transaction of a run.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    kill_file: PathBuf,
}

impl Gate {
    /// The gate of a run's folder.
    pub(crate) fn of(dir: &Path) -> Self {
        Self { kill_file: dir.join(KILL_FILE) }
    }

    /// What the agent may do now. The kill file is looked at first, so that it holds whatever state the journal is in.
    pub(crate) fn mode(&self, journal: &Journal) -> Result<Mode> {
        if self.kill_file.exists() {
            let last = journal.last_change();
            if last.is_ok_and(|c| c.is_none_or(|c| c.state != Mode::Halted.name())) {
                let text = std::fs::read_to_string(&self.kill_file).unwrap_or_default();
                self.change(journal, Mode::Halted, Reason::KillFile, text.trim())?;
            }
            return Ok(Mode::Halted);
        }
        journal.last_change()?.map_or(Ok(Mode::Active), |c| Mode::parse(&c.state))
    }

    /// Journals a change, and says so; the same again is not written twice. A weaker state never replaces a stronger one.
    pub(crate) fn change(&self, journal: &Journal, mode: Mode, reason: Reason, detail: &str) -> Result<()> {
        let last = journal.last_change()?;
        let now = last.as_ref().map_or(Ok(Mode::Active), |c| Mode::parse(&c.state))?;
        let eases = matches!(reason, Reason::Resume | Reason::Started);
        if !eases && (now == mode || (now == Mode::Halted && mode == Mode::Reducing)) {
            return Ok(());
        }
        let time_s = SystemTime::now().duration_since(UNIX_EPOCH).context("this machine's clock")?.as_secs();
        journal.change(&Change { time_s, state: mode.name().into(), reason: reason.name().into(), detail: detail.into() })?;
        let how = if mode == Mode::Active { "" } else { "; `probity resume --dir DIR --reason TEXT` ends it" };
        crate::output::talk(format!(
            "{}: {} ({}){how}",
            mode.name().to_uppercase(),
            reason.name(),
            if detail.is_empty() { "–" } else { detail }
        ));
        Ok(())
    }

    /// The start of a run: ends what SIGTERM began, and nothing else.
    pub(crate) fn started(&self, journal: &Journal) -> Result<()> {
        match journal.last_change()? {
            Some(last) if last.reason == Reason::Terminated.name() => self.change(journal, Mode::parse(&last.detail)?, Reason::Started, ""),
            _ => Ok(()),
        }
    }

    /// SIGTERM: the state before is kept as the detail, and comes back at the next start.
    pub(crate) fn terminated(&self, journal: &Journal) -> Result<()> {
        match self.mode(journal)? {
            Mode::Halted => Ok(()),
            before => self.change(journal, Mode::Halted, Reason::Terminated, before.name()),
        }
    }

    /// `probity halt`: the file first, because it alone is enough.
    pub(crate) fn halt(&self, dir: &Path, why: &str) -> Result<()> {
        let file =
            std::fs::File::create(&self.kill_file).with_context(|| format!("{}: the halt is NOT in force", self.kill_file.display()))?;
        std::fs::write(&self.kill_file, why)?;
        file.sync_all()?;
        self.mode(&Journal::existing(dir)?).context("the halt is in force by its file; the journal does not know of it").map(drop)
    }

    /// `probity resume`.
    pub(crate) fn resume(&self, dir: &Path, why: &str) -> Result<()> {
        let journal = Journal::existing(dir)?;
        if self.mode(&journal)? == Mode::Active {
            bail!("{}: it is active, there is nothing to resume", dir.display());
        }
        if self.kill_file.exists() {
            std::fs::remove_file(&self.kill_file).with_context(|| format!("{}", self.kill_file.display()))?;
        }
        self.change(&journal, Mode::Active, Reason::Resume, why)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_halt_holds_until_it_is_resumed_and_each_change_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let gate = Gate::of(dir.path());
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Active);
        assert!(gate.resume(dir.path(), "nothing").unwrap_err().to_string().contains("nothing to resume"));
        gate.change(&journal, Mode::Reducing, Reason::Drawdown, "a").unwrap();
        gate.change(&journal, Mode::Reducing, Reason::Drawdown, "b").unwrap();
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Reducing);
        gate.halt(dir.path(), "for lunch").unwrap();
        gate.halt(dir.path(), "for lunch again").unwrap();
        gate.change(&journal, Mode::Reducing, Reason::Drawdown, "no way back").unwrap();
        gate.started(&journal).unwrap();
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Halted);
        gate.resume(dir.path(), "fed").unwrap();
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Active);
        let seen: Vec<_> = journal.changes().unwrap().into_iter().map(|c| (c.state, c.reason, c.detail)).collect();
        let expected = [("reducing", "drawdown", "a"), ("halted", "kill_file", "for lunch"), ("active", "resume", "fed")];
        assert_eq!(seen, expected.map(|(s, r, d)| (s.to_owned(), r.to_owned(), d.to_owned())));
    }

    #[test]
    fn a_terminated_run_comes_back_as_it_was_and_the_file_alone_halts() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let gate = Gate::of(dir.path());
        gate.change(&journal, Mode::Reducing, Reason::Drawdown, "").unwrap();
        gate.terminated(&journal).unwrap();
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Halted);
        gate.started(&journal).unwrap();
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Reducing);
        std::fs::write(dir.path().join(KILL_FILE), "").unwrap();
        gate.terminated(&journal).unwrap();
        gate.started(&journal).unwrap();
        assert_eq!(gate.mode(&journal).unwrap(), Mode::Halted, "a start does not end an operator's halt");
    }
}
