//! Two logs of one agent: whether they are one history, and if not, where they part.
//!
//! A log alone accuses nobody: anybody can write lines. Two *proofs* of two histories under one genesis can only come from whoever knows
//! the committed model; [`Equivocation::proven`] says whether both sides have one that reaches the place where they part.

use crate::{Code, Digest, Entry, Finding, Line, LogError, LogReader, Report, Rotation, Verdict, next_head, rotation_head};
use serde::Serialize;
use std::io::BufRead;

/// Version of the evidence's JSON.
pub const EQUIVOCATION_VERSION: u16 = 2;

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Other weights that this log announces right before that decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced: Option<Rotation>,
    /// The decision where the logs part.
    pub entry: Entry,
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
    /// The same, as far as the shorter one reaches.
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
            _ => {}
        }
        let (Some(a), Some(b)) = (decision(a, &mut one)?, decision(b, &mut other)?) else {
            return Ok(Histories::One { shared });
        };
        let side = |(announced, entry): (Option<Rotation>, Entry), report: &Report| Side {
            proven: report.statement.as_ref().map_or(0, |s| s.decisions),
            proven_head: report.statement.as_ref().map(|s| s.head),
            announced,
            entry,
        };
        // A side counts as proven if its audit accepted it, from before this decision to after it, and its head is that of its record.
        let counts = |side: &Side, report: &Report| {
            let before = side.announced.as_ref().map_or(head, |r| rotation_head(&head, r));
            let reaches = report.statement.as_ref().is_some_and(|s| s.from_decision <= shared && s.decisions > shared);
            report.verdict == Verdict::Accepted && reaches && next_head(&before, &side.entry.record) == side.entry.head
        };
        let (reports, left, right) = ((left.1, right.1), side(a, left.1), side(b, right.1));
        let proven = counts(&left, reports.0) && counts(&right, reports.1) && left.entry.head != right.entry.head;
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

/// The next decision, and the announcement right before it if this line is one.
fn decision<R: BufRead>(line: Option<Line>, log: &mut LogReader<R>) -> Result<Option<(Option<Rotation>, Entry)>, LogError> {
    Ok(match line {
        Some(Line::Entry(entry)) => Some((None, *entry)),
        Some(Line::Announcement(announcement)) => match log.next_line()? {
            Some(Line::Entry(entry)) => Some((Some(announcement.rotation), *entry)),
            _ => None,
        },
        Some(Line::Seal(_)) | None => None,
    })
}

impl Equivocation {
    /// The finding for the report of either side.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let how = if self.proven { "both proven: whoever knows the model made both" } else { "not both proven that far" };
        let mut finding = Finding::error(
            Code::Equivocation,
            format!(
                "expected one history after head {}, got heads {} and {} ({how})",
                self.common_head, self.left.entry.head, self.right.entry.head
            ),
        );
        finding.step = Some(self.step);
        finding
    }
}
