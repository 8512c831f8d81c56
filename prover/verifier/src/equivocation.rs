//! Two logs of one agent: whether they are one history, and if not, where they part.
//!
//! A log alone accuses nobody: anybody can write lines. Two *proofs* of two histories under one genesis can only come from whoever knows
//! the committed model; [`Equivocation::proven`] says whether both sides have one that reaches the place where they part.

use crate::{Code, Digest, Entry, Finding, Line, LogError, LogReader, Report, Rotation, Verdict, next_head, rotation_head};
use serde::Serialize;
use std::io::BufRead;

/// Version of the evidence's JSON.
pub const EQUIVOCATION_VERSION: u16 = 3;

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Other weights that this log announces right before that decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced: Option<Rotation>,
    /// The decision where the logs part; none if this log has none there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// This log is sealed there: it says that nothing follows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// Decisions of this log that a proof covers.
    pub proven: u32,
    /// Head that its proof ends at.
    pub proven_head: Option<Digest>,
}

/// Two histories under one genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Equivocation {
    /// [`EQUIVOCATION_VERSION`].
    pub version: u16,
    /// The genesis that both begin at: one mandate, one commitment.
    pub genesis_head: Digest,
    /// Digest of the mandate.
    pub mandate_digest: Digest,
    /// Commitment to the model.
    pub model_commitment: Digest,
    /// Head before they part.
    pub common_head: Digest,
    /// Decision where they part.
    pub step: u32,
    /// One.
    pub left: Side,
    /// The other.
    pub right: Side,
    /// Whether both sides are proven that far: then only the agent's owner can have made both.
    pub proven: bool,
}

/// How two logs stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Histories {
    /// Another mandate or commitment: they have nothing to do with each other.
    Apart,
    /// One begins as the whole other one, but for its seal if both end there.
    One {
        /// Decisions that both have.
        shared: u32,
    },
    /// They part.
    Two(Box<Equivocation>),
}

/// Compares two logs, each with the report of its own audit.
pub fn histories<A: BufRead, B: BufRead>(left: (A, &Report), right: (B, &Report)) -> Result<Histories, LogError> {
    let (mut one, mut other) = (LogReader::new(left.0)?, LogReader::new(right.0)?);
    let header = one.header().clone();
    if header.genesis_head != other.header().genesis_head {
        return Ok(Histories::Apart);
    }
    let mut head = header.genesis_head;
    let mut shared = 0u32;
    loop {
        let (a, b) = (one.next_line()?, other.next_line()?);
        match (&a, &b) {
            (Some(Line::Entry(a)), Some(Line::Entry(b))) if a == b => {
                (head, shared) = (a.head, shared.saturating_add(1));
                continue;
            }
            (Some(Line::Announcement(a)), Some(Line::Announcement(b))) if a == b => {
                head = a.head;
                continue;
            }
            // Nothing is said against a log that ends here, sealed or not, by one that ends here too.
            (None | Some(Line::Seal(_)), None | Some(Line::Seal(_))) | (None, Some(_)) | (Some(_), None) => {
                return Ok(Histories::One { shared });
            }
            _ => {}
        }
        let (reports, left, right) = ((left.1, right.1), Side::of(a, &mut one, left.1)?, Side::of(b, &mut other, right.1)?);
        // A side counts as proven if its audit accepted it, from before this decision to after it, and its head is that of its record.
        let counts = |side: &Side, report: &Report| {
            let before = side.announced.as_ref().map_or(head, |r| rotation_head(&head, r));
            let reaches = report.statement.as_ref().is_some_and(|s| s.from_decision <= shared && s.decisions > shared);
            let own = side.entry.as_ref().filter(|e| next_head(&before, &e.record) == e.head);
            own.filter(|_| report.verdict == Verdict::Accepted && reaches).map(|e| e.head)
        };
        let heads = counts(&left, reports.0).zip(counts(&right, reports.1));
        let proven = heads.is_some_and(|(left, right)| left != right);
        return Ok(Histories::Two(Box::new(Equivocation {
            version: EQUIVOCATION_VERSION,
            genesis_head: header.genesis_head,
            mandate_digest: header.mandate_digest,
            model_commitment: header.model_commitment,
            common_head: head,
            step: shared,
            left,
            right,
            proven,
        })));
    }
}

impl Side {
    /// What a log says from this line on, up to its next decision.
    fn of<R: BufRead>(line: Option<Line>, log: &mut LogReader<R>, report: &Report) -> Result<Self, LogError> {
        let (announced, line) = match line {
            Some(Line::Announcement(announcement)) => (Some(announcement.rotation), log.next_line()?),
            other => (None, other),
        };
        let (entry, sealed) = match line {
            Some(Line::Entry(entry)) => (Some(*entry), false),
            Some(Line::Seal(_)) => (None, true),
            Some(Line::Announcement(_)) | None => (None, false),
        };
        let statement = report.statement.as_ref();
        Ok(Self { announced, entry, sealed, proven: statement.map_or(0, |s| s.decisions), proven_head: statement.map(|s| s.head) })
    }

    /// Where it goes, in words.
    fn words(&self) -> String {
        let end = match &self.entry {
            Some(entry) => format!("head {}", entry.head),
            None if self.sealed => "a seal".to_owned(),
            None => "no decision".to_owned(),
        };
        self.announced.map_or(end.clone(), |r| format!("{end} after an announcement of {} for decision {}", r.commitment, r.at_step))
    }
}

impl Equivocation {
    /// The finding for the report of either side.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let how = if self.proven { "both proven: whoever knows the model made both" } else { "not both proven that far" };
        let (left, right) = (self.left.words(), self.right.words());
        let message = format!("expected one history after head {}, got {left}, and {right} ({how})", self.common_head);
        let mut finding = Finding::error(Code::Equivocation, message);
        finding.step = Some(self.step);
        finding
    }
}
