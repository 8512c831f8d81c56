//! A disclosure: a range of records with their place in the log, without the rest of it.
//!
//! JSON Lines: a header with the mandate, the commitment at genesis, the first decision shown and the head before it; then lines as in the
//! log. Proofs of consecutive stretches, one of which ends where the range starts and one where it ends, tie it to genesis and to the last
//! head: what lies before and after is proven and not shown.

use crate::audit::{Coverage, Evidence, Report, check_mandate, folds, log_finding};
use crate::finding::{Code, Finding};
use crate::keys::{Keys, KeysError};
use crate::log::{Line, LogError, Reader};
use crate::walk::without_shares;
use crate::{Digest, Header, Proven, Statement, genesis_head, next_head, rotation_head};
use probity_strategy::{Mandate, Observation, oriented, price_x64};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::sync::Arc;

/// The word in the header's `format` field.
pub const DISCLOSURE_FORMAT: &str = "probity-disclosure";
/// Version of the format.
pub const DISCLOSURE_VERSION: u16 = 1;

/// First line of a disclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureHeader {
    /// [`DISCLOSURE_FORMAT`].
    pub format: String,
    /// [`DISCLOSURE_VERSION`].
    pub version: u16,
    /// Version of the program that wrote it.
    pub program_version: String,
    /// Commitment to the model at genesis.
    pub model_commitment: Digest,
    /// The first decision shown.
    pub from_decision: u32,
    /// Head before it.
    pub head: Digest,
    /// The mandate.
    pub mandate: Mandate,
}

/// Writes the lines of a log from decision `from` up to and without `to`, announcements between them included.
pub fn disclose<R: BufRead, W: Write>(log: R, from: u32, to: u32, mut out: W) -> Result<(), LogError> {
    let mut reader = crate::LogReader::new(log)?;
    let wrong = |problem: String| LogError::Malformed { line: 0, problem };
    if from >= to {
        return Err(wrong(format!("decisions: expected a range, got {from} … {to}")));
    }
    let header = reader.header().clone();
    let (mut head, mut next, mut started) = (header.genesis_head, 0u32, false);
    let mut write = |value: &serde_json::Value| writeln!(out, "{value}");
    loop {
        if next == from && !started {
            started = true;
            let first = DisclosureHeader {
                format: DISCLOSURE_FORMAT.to_owned(),
                version: DISCLOSURE_VERSION,
                program_version: env!("CARGO_PKG_VERSION").to_owned(),
                model_commitment: header.model_commitment,
                from_decision: from,
                head,
                mandate: header.mandate.clone(),
            };
            write(&serde_json::to_value(first).map_err(std::io::Error::from)?)?;
        }
        if next == to {
            return Ok(());
        }
        let value = match reader.next_line()? {
            Some(Line::Entry(entry)) => {
                (head, next) = (entry.head, next.saturating_add(1));
                serde_json::to_value(&*entry)
            }
            Some(Line::Announcement(announcement)) => {
                head = announcement.head;
                serde_json::to_value(&announcement)
            }
            Some(Line::Seal(_)) | None => return Err(wrong(format!("decisions: expected {to} of them, got {next}"))),
        };
        // The line that brought the log to `from` itself is not shown: it came before the header was written.
        if started {
            write(&value.map_err(std::io::Error::from)?)?;
        }
    }
}

/// The mandate and the commitment at genesis of a disclosure's header, if it parses.
pub fn disclosed_promise<R: BufRead>(file: R) -> Option<(Mandate, Digest)> {
    Reader::new(file).header::<DisclosureHeader>().ok().map(|h| (h.mandate, h.model_commitment))
}

/// Audits a disclosure against proofs of consecutive stretches from genesis on.
pub fn audit_disclosure<R: BufRead>(
    file: R,
    evidence: Evidence<'_>,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
) -> Report {
    let mut findings = Vec::new();
    let shown = read(file).map_err(|f| findings.push(f)).ok();
    let outcome = shown.and_then(|shown| check(&shown, evidence, keys, &mut findings));
    let (statement, coverage, origin) = outcome.map_or((None, Coverage::default(), None), |(s, c, o)| (Some(s), c, Some(o)));
    Report::new(statement, origin, coverage, findings)
}

struct Shown {
    header: DisclosureHeader,
    decisions: u32,
    orders: u32,
    gaps: u64,
    end: Digest,
    times: (u64, u64),
}

/// Reads the file and checks its own chain of heads.
fn read<R: BufRead>(file: R) -> Result<Shown, Finding> {
    let mut reader = Reader::new(file);
    let header: DisclosureHeader = reader.header().map_err(|e| log_finding(&e))?;
    if header.format != DISCLOSURE_FORMAT || header.version != DISCLOSURE_VERSION {
        let got = format!("{:?}, version {}", header.format, header.version);
        return Err(Finding::mismatch(Code::LogMalformed, format!("{DISCLOSURE_FORMAT:?}, version {DISCLOSURE_VERSION}"), got).on_line(1));
    }
    check_mandate(&header.mandate)?;
    let mut shown = Shown { decisions: 0, orders: 0, gaps: 0, end: header.head, times: (0, 0), header };
    while let Some(line) = reader.next_line().map_err(|e| log_finding(&e))? {
        let at = reader.line();
        let (expected, got) = match line {
            Line::Entry(entry) => {
                let step = shown.header.from_decision.saturating_add(shown.decisions);
                let obs = &entry.record.observation;
                if obs.step != step {
                    return Err(Finding::mismatch(Code::StepIndex, step, obs.step).at(at, obs.step).field("record.observation.step"));
                }
                public(&shown, obs).map_err(|f| f.at(at, step))?;
                let interval = u64::from(shown.header.mandate.interval_s).max(1);
                if shown.decisions > 0 {
                    let missing = (obs.time_s.saturating_sub(shown.times.1) / interval).saturating_sub(1);
                    shown.gaps = shown.gaps.saturating_add(missing);
                }
                shown.orders = shown.orders.saturating_add(u32::from(entry.record.decision.order.is_some()));
                let first = if shown.decisions == 0 { obs.time_s } else { shown.times.0 };
                shown.times = (first, obs.time_s);
                shown.decisions = shown.decisions.saturating_add(1);
                (next_head(&shown.end, &entry.record), entry.head)
            }
            Line::Announcement(a) => {
                let step = shown.header.from_decision.saturating_add(shown.decisions);
                a.rotation
                    .check(step)
                    .map_err(|e| Finding::mismatch(Code::RotationRefused, e.expected, e.got).on_line(at).field(e.field))?;
                (rotation_head(&shown.end, &a.rotation), a.head)
            }
            Line::Seal(_) => return Err(Finding::error(Code::LogMalformed, "expected decisions, got a seal").on_line(at)),
        };
        if expected != got {
            return Err(Finding::mismatch(Code::HeadMismatch, expected, got).on_line(at).field("head"));
        }
        shown.end = got;
    }
    if shown.decisions == 0 {
        return Err(Finding::error(Code::LogMalformed, "expected at least one decision, got none").on_line(1));
    }
    Ok(shown)
}

/// What the circuit leaves to whoever reads a record: clock, tick, price, shares.
fn public(shown: &Shown, obs: &Observation) -> Result<(), Finding> {
    let mandate = &shown.header.mandate;
    let interval = u64::from(mandate.interval_s).max(1);
    let last = if shown.decisions == 0 { mandate.genesis_time_s } else { shown.times.1 };
    let field = |f: Finding, name: &str| Err(f.field(format!("record.observation.{name}")));
    if obs.time_s <= last {
        return field(Finding::mismatch(Code::TimeNotForward, format!("after {last}"), obs.time_s), "time_s");
    }
    if !obs.time_s.saturating_sub(mandate.genesis_time_s).is_multiple_of(interval) {
        let expected = format!("{} plus a multiple of {interval}", mandate.genesis_time_s);
        return field(Finding::mismatch(Code::TimeOffGrid, expected, obs.time_s), "time_s");
    }
    if obs.mean_tick.unsigned_abs() > 887_272 {
        return field(Finding::mismatch(Code::TickRange, "within ±887272", obs.mean_tick), "mean_tick");
    }
    let price = price_x64(oriented(obs.mean_tick, mandate.base_is_token1));
    if price != obs.price_x64 {
        return field(Finding::mismatch(Code::PriceMismatch, price.x64(), obs.price_x64.x64()), "price_x64");
    }
    without_shares(obs).map_or(Ok(()), Err)
}

/// Verifies the proofs and finds the range between two of their ends.
fn check(
    shown: &Shown,
    evidence: Evidence<'_>,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
    findings: &mut Vec<Finding>,
) -> Option<(Statement, Coverage, crate::Origin)> {
    let header = Header::new(shown.header.mandate.clone(), shown.header.model_commitment);
    let (stretches, origin) = crate::audit::verify_all(&header, evidence, keys).map_err(|f| findings.push(f)).ok()?;
    findings.extend(origin.warning());
    let (first, last) = (stretches.first()?, stretches.last()?);
    if first.from() > 0 {
        let message = format!("expected a proof from genesis, got one that starts after {} decisions", first.from());
        findings.push(Finding::error(Code::UnprovenStart, message).field("proof.start"));
    }
    let genesis = genesis_head(&header.mandate_digest, &header.model_commitment);
    let to = shown.header.from_decision.saturating_add(shown.decisions);
    for (field, decisions, head) in [("head", shown.header.from_decision, shown.header.head), ("record", to, shown.end)] {
        let ends = stretches.iter().map(|s| (s.end.decisions, s.end.head));
        match std::iter::once((0, genesis)).chain(ends).find(|(d, _)| *d == decisions) {
            Some((_, proven)) if proven == head => {}
            Some((_, proven)) => findings.push(Finding::mismatch(Code::ProofOtherHead, proven, head).field(field)),
            None => findings.push(
                Finding::error(Code::ProofsDoNotMeet, format!("expected a proof that ends after {decisions} decisions, got none"))
                    .field(field),
            ),
        }
    }
    let whole = Proven { start: first.start, end: last.end, folds: folds(&stretches) };
    let statement = Statement::new(&header, &whole, None, None).under(&origin).showing(shown.header.from_decision, to, shown.times);
    let (decisions, orders, gaps) = (shown.decisions, shown.orders, shown.gaps);
    let coverage = Coverage { decisions, proven: decisions, orders, gaps, ..Coverage::default() };
    Some((statement, coverage, origin))
}
