//! The audit: reads a log once, checks everything public in it and ties it to the proof.

use crate::envelope::check_engine;
use crate::finding::{Code, Finding, Severity};
use crate::keys::{Keys, KeysError};
use crate::replay::{Replay, Reveal};
use crate::since::{AUDIT_STATE_FORMAT, AUDIT_STATE_VERSION, AuditState, AuditStateError, ProvenMark, Since, Told};
use crate::walk::Walk;
use crate::{
    ChainCoverage, Digest, Envelope, Header, Line, LogError, LogReader, Origin, Proven, Statement, genesis_head, mandate_digest, next_head,
    rotation_head,
};
use probity_strategy::Mandate;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::sync::Arc;

/// Version of the report format.
pub const REPORT_VERSION: u16 = 1;
/// Most findings one report holds.
pub const MAX_FINDINGS: usize = 1_000;

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No error was found.
    Accepted,
    /// Log, mandate and proof contradict each other.
    Rejected,
    /// The audit could not be carried out (file unreadable, keys not derivable).
    Undecided,
}

/// How much of the log the audit covered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Decisions in the log.
    pub decisions: u32,
    /// Of them, proven.
    pub proven: u32,
    /// Of them, replayed with the revealed model.
    pub replayed: u32,
    /// Decisions with an order.
    pub orders: u32,
    /// Intervals without a decision.
    pub gaps: u64,
    /// Whether the log is sealed.
    pub sealed: bool,
}

/// What an audit says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u16,
    /// Outcome.
    pub verdict: Verdict,
    /// The claim; only when accepted and proven.
    pub statement: Option<Statement>,
    /// Where the parameters came from that the proof was verified under; only when it was.
    pub parameters: Option<Origin>,
    /// How far it reached.
    pub coverage: Coverage,
    /// The earlier audit that this one went on from, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// How far the comparison with the chain reached, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainCoverage>,
    /// What was found, in the order of the log, the proof first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The report with the mandate that the auditor was promised held against the log's.
    #[must_use]
    pub fn promised(mut self, promised: &Mandate, log: &Mandate) -> Self {
        let (expected, got) = (mandate_digest(promised), mandate_digest(log));
        if expected != got {
            self = self.and(Finding::mismatch(Code::MandateOther, expected, got).on_line(1).field("mandate"));
        }
        self
    }

    /// The report with the commitment that the auditor was promised held against the log's.
    #[must_use]
    pub fn committed(self, promised: Digest, log: Digest) -> Self {
        if promised == log {
            return self;
        }
        self.and(Finding::mismatch(Code::CommitmentOther, promised, log).on_line(1).field("model_commitment"))
    }

    /// The report with one more error.
    #[must_use]
    pub fn and(mut self, finding: Finding) -> Self {
        self.findings.insert(0, finding);
        self.verdict = judge(&self.findings);
        self.statement = self.statement.filter(|_| self.verdict == Verdict::Accepted);
        self
    }

    pub(crate) fn new(statement: Option<Statement>, parameters: Option<Origin>, coverage: Coverage, findings: Vec<Finding>) -> Self {
        let verdict = judge(&findings);
        let statement = statement.filter(|_| verdict == Verdict::Accepted);
        Self { version: REPORT_VERSION, verdict, statement, parameters, coverage, since: None, chain: None, findings }
    }

    /// The report with what a comparison with the chain found.
    #[must_use]
    pub fn with_chain(mut self, coverage: ChainCoverage, findings: Vec<Finding>) -> Self {
        // Errors first, so that a full report never hides one behind a warning.
        let (errors, rest): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(|f| f.severity == Severity::Error);
        self.findings.extend(errors.into_iter().chain(rest).take(MAX_FINDINGS));
        self.verdict = judge(&self.findings);
        self.statement = self.statement.filter(|_| self.verdict == Verdict::Accepted).map(|s| s.on_chain(&coverage));
        self.chain = Some(coverage);
        self
    }
}

/// Errors reject; if all of them only say that something could not be read, nothing can be told.
fn judge(findings: &[Finding]) -> Verdict {
    let unable = |f: &Finding| matches!(f.code, Code::KeysUnavailable | Code::LogUnreadable | Code::ChainUnreadable);
    let errors: Vec<&Finding> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
    match errors.as_slice() {
        [] => Verdict::Accepted,
        some if some.iter().all(|f| unable(f)) => Verdict::Undecided,
        _ => Verdict::Rejected,
    }
}

/// What an audit works on besides the log.
#[derive(Debug, Default, Clone, Copy)]
pub struct Evidence<'a> {
    /// Envelope bytes.
    pub proof: Option<&'a [u8]>,
    /// The revealed model.
    pub reveal: Option<&'a Reveal>,
    /// Envelope bytes of the stretches before `proof`, in order, each starting where the one before ends.
    pub before: &'a [Vec<u8>],
    /// A proof of part of the log is what is wanted: what it leaves out is no error.
    pub segment: bool,
}

/// Audits a log. `keys` is asked for the keys of the log's own mandate, usually [`Keys::for_mandate_with`].
pub fn audit<R: BufRead>(log: R, evidence: Evidence<'_>, keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>) -> Report {
    audit_with(log, evidence, Vec::new(), |header| prove(header, evidence, keys))
}

/// What the proof's part of an audit came to.
pub(crate) type Checked = Result<(Proven, Origin), Finding>;

/// The audit, with the proof's part of it from the caller, and with the heads that the log's lines should have as far as they are known.
pub(crate) fn audit_with<R: BufRead>(log: R, evidence: Evidence<'_>, heads: Vec<Digest>, proof: impl FnOnce(&Header) -> Checked) -> Report {
    match LogReader::new(log) {
        Ok(reader) => pass(reader, evidence, None, heads, proof).0,
        Err(e) => Report::new(None, None, Coverage::default(), vec![log_finding(&e)]),
    }
}

/// The audit, going on from where an earlier one ended, and where it ended itself; that only if it accepts a log proven from genesis.
/// The earlier lines are not parsed again: their bytes are those of then, or that is what is found.
pub fn audit_since<R: BufRead>(
    log: R,
    evidence: Evidence<'_>,
    since: Option<&AuditState>,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
) -> Result<(Report, Option<AuditState>), AuditStateError> {
    if since.is_some() && evidence.reveal.is_some() {
        let got = "--reveal as well: a replay needs the private state that every earlier decision left".to_owned();
        return Err(AuditStateError { field: "evidence", expected: "a proof alone".to_owned(), got });
    }
    let reader = match LogReader::digesting(log) {
        Ok(reader) => reader,
        Err(e) => return Ok((Report::new(None, None, Coverage::default(), vec![log_finding(&e)]), None)),
    };
    let header = reader.header().clone();
    let mut proven = None;
    let (mut report, walk, reader) = pass(reader, evidence, since, Vec::new(), |header| {
        let (mut stretch, origin) = prove(header, evidence, keys)?;
        if let Some(mark) = since.map(|s| &s.proven).filter(|mark| stretch.start == Some(mark.waypoint())) {
            stretch = Proven { start: None, folds: stretch.folds.saturating_add(mark.folds), ..stretch };
        }
        proven = Some(stretch);
        Ok((stretch, origin))
    });
    report.since = since.map(AuditState::told);
    let parameters = evidence.proof.and_then(|bytes| Envelope::from_bytes(bytes).ok()).map(|envelope| envelope.parameters);
    if let Some((since, got)) = since.zip(parameters).filter(|(since, got)| since.parameters != *got) {
        report = report.and(Finding::mismatch(Code::AuditStateOther, since.parameters, got).field("audit_state.parameters"));
    }
    let whole = report.verdict == Verdict::Accepted && report.statement.is_some();
    let (Some(walk), Some(proven), Some(parameters)) = (walk.filter(|_| whole), proven.filter(|p| p.start.is_none()), parameters) else {
        return Ok((report, None));
    };
    let told = since.map_or_else(Told::default, |s| s.findings);
    let count =
        |severity| u64::try_from(report.findings.iter().filter(|f| f.severity == severity && f.line.is_some()).count()).unwrap_or(u64::MAX);
    let end = proven.end;
    let Some(time_s) = report.statement.as_ref().and_then(|s| s.to_time_s) else { return Ok((report, None)) };
    let state = AuditState {
        format: AUDIT_STATE_FORMAT.to_owned(),
        version: AUDIT_STATE_VERSION,
        mandate_digest: header.mandate_digest,
        model_commitment: header.model_commitment,
        genesis_head: header.genesis_head,
        chain_id: header.mandate.chain_id,
        vault: header.mandate.vault.clone(),
        parameters,
        log: reader.mark(),
        walk: walk.mark(),
        coverage: report.coverage.clone(),
        findings: Told { info: told.info.saturating_add(count(Severity::Info)), warn: told.warn.saturating_add(count(Severity::Warn)) },
        proven: ProvenMark {
            commitment: end.commitment,
            ahead: end.ahead,
            decisions: end.decisions,
            head: end.head,
            state: end.state,
            folds: proven.folds,
            time_s,
        },
        chain: None,
        digest: String::new(),
    }
    .sealed()?;
    Ok((report, Some(state)))
}

/// Whether a mandate is of no vault: its vault is the zero address, where no contract can be.
#[must_use]
pub fn is_nowhere(mandate: &Mandate) -> bool {
    mandate.vault.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b == b'0'))
}

/// One pass over a log behind its header. The walk comes back with the report unless nothing was read.
fn pass<R: BufRead>(
    mut reader: LogReader<R>,
    evidence: Evidence<'_>,
    since: Option<&AuditState>,
    heads: Vec<Digest>,
    proof: impl FnOnce(&Header) -> Checked,
) -> (Report, Option<Walk>, LogReader<R>) {
    let header = reader.header().clone();
    let mut findings = check_header(&header);
    if let Err(finding) = check_mandate(&header.mandate) {
        findings.push(finding);
        return (Report::new(None, None, Coverage::default(), findings), None, reader);
    }
    if is_nowhere(&header.mandate) {
        let what = "the zero address is no vault: a run on paper or a backtest, whose balances and fills no chain recorded";
        findings.push(Finding::new(Severity::Warn, Code::NoVault, what).field("mandate.vault"));
    }
    if let Some(finding) = since.and_then(|since| unchanged(&mut reader, &header, since).err()) {
        findings.push(finding);
        return (Report::new(None, None, Coverage::default(), findings), None, reader);
    }
    let (proven, origin) = proof(&header).map_err(|f| findings.push(f)).ok().unzip();
    findings.extend(origin.as_ref().and_then(Origin::warning));
    let mut replay = evidence.reveal.and_then(|reveal| Replay::open(&header, reveal).map_err(|f| findings.push(f)).ok());
    let mut walk = Walk::new(&header, proven);
    let mut notes = Notes::default();
    let mut last = header.genesis_head;
    let mut heads = heads.into_iter();
    if let Some(since) = since {
        walk.resume(since, &mut findings);
        last = since.walk.head;
    }
    'log: loop {
        let lines = batch(&mut reader, &mut last, &mut heads);
        for (at, line, head) in lines {
            let before = findings.len();
            match line {
                Ok(Some(Line::Entry(entry))) => {
                    walk.entry(at, &entry, head, &mut findings);
                    if let Some(replay) = &mut replay {
                        let step = entry.record.observation.step;
                        findings.extend(replay.step(&entry.record).map(|f| f.at(at, step)));
                        walk.coverage.replayed = walk.coverage.replayed.saturating_add(1);
                    }
                }
                Ok(Some(Line::Announcement(announcement))) => {
                    walk.announcement(at, &announcement, head, &mut findings);
                    if let Some(replay) = &mut replay {
                        replay.announce(&announcement.rotation);
                    }
                }
                Ok(Some(Line::Seal(seal))) => walk.seal(at, &seal, &mut findings),
                Ok(None) => break 'log,
                Err(e) => {
                    findings.push(log_finding(&e));
                    break 'log;
                }
            }
            if notes.bound(&mut findings, before) >= MAX_FINDINGS {
                findings.push(Finding::error(Code::TooMany, format!("{MAX_FINDINGS} errors: stopped reading")).on_line(at));
                break 'log;
            }
        }
    }
    findings.extend(notes.left_out());
    let statement = walk.finish(&header, evidence.segment, &mut findings);
    let statement = statement.map(|s| match &origin {
        Some(origin) => s.under(origin),
        None => s,
    });
    let statement = statement.map(|s| match since {
        Some(since) => s.since(since.coverage.decisions),
        None => s,
    });
    (Report::new(statement, origin, walk.coverage.clone(), findings), Some(walk), reader)
}

/// Keeps a report small: errors stop the reading, what is worth knowing does not. Deposits and gaps are part of a long life, and
/// whoever causes them must not be able to make an honest log unreadable.
#[derive(Debug, Default)]
struct Notes {
    errors: usize,
    kept: usize,
    left_out: u64,
    worst: Option<Severity>,
}

impl Notes {
    /// Takes in the findings from `before` on: errors stay, others as far as there is room. The number of errors so far.
    fn bound(&mut self, findings: &mut Vec<Finding>, before: usize) -> usize {
        for finding in findings.split_off(before) {
            if finding.severity == Severity::Error {
                self.errors = self.errors.saturating_add(1);
                findings.push(finding);
            } else if self.kept < MAX_FINDINGS {
                self.kept = self.kept.saturating_add(1);
                findings.push(finding);
            } else {
                self.left_out = self.left_out.saturating_add(1);
                self.worst = self.worst.max(Some(finding.severity));
            }
        }
        self.errors
    }

    /// Says how many there was no room for.
    fn left_out(&self) -> Option<Finding> {
        let message =
            format!("{} more findings that are no errors, not listed; they were looked at and are counted in the coverage", self.left_out);
        self.worst.map(|severity| Finding::new(severity, Code::TooMany, message))
    }
}

/// Passes over what an earlier audit read, if it still is what it read.
fn unchanged<R: BufRead>(reader: &mut LogReader<R>, header: &Header, since: &AuditState) -> Result<(), Finding> {
    since
        .is_of(header)
        .map_err(|e| Finding::mismatch(Code::AuditStateOther, e.expected, e.got).on_line(1).field(format!("audit_state.{}", e.field)))?;
    let whole = reader.pass(since.log.lines).map_err(|e| log_finding(&e))?;
    let got = reader.mark();
    if !whole || got != since.log {
        let words = |m: &crate::LogMark| format!("{} lines, {} bytes, SHA-256 {}", m.lines, m.bytes, m.sha256);
        return Err(Finding::mismatch(Code::LogRewritten, format!("{}, as audited before", words(&since.log)), words(&got)));
    }
    Ok(())
}

/// Lines read at once: enough to share their hashes among the processors, few enough to stay small.
const BATCH: usize = 1_024;

/// A line with its number and, for a decision, the head that its record should have.
pub(crate) type Hashed = (u64, Result<Option<Line>, LogError>, Digest);

/// The next lines, at most [`BATCH`]; the end or an error comes last. Each head is hashed from the log's own word for the one before,
/// so that one break is reported once, and so that heads do not wait for each other. Heads that are known are not hashed again.
pub(crate) fn batch<R: BufRead>(reader: &mut LogReader<R>, last: &mut Digest, known: &mut std::vec::IntoIter<Digest>) -> Vec<Hashed> {
    let mut lines = Vec::with_capacity(BATCH);
    while lines.len() < BATCH {
        let line = reader.next_line();
        let before = *last;
        match &line {
            Ok(Some(Line::Entry(entry))) => *last = entry.head,
            Ok(Some(Line::Announcement(announcement))) => *last = announcement.head,
            _ => {}
        }
        let end = !matches!(line, Ok(Some(_)));
        lines.push((reader.line(), line, before));
        if end {
            break;
        }
    }
    let mut open: Vec<&mut Hashed> = lines.iter_mut().filter(|(_, line, _)| hashed(line)).collect();
    let count = known.len().min(open.len());
    for ((.., head), known) in open.drain(..count).zip(known) {
        *head = known;
    }
    open.into_par_iter().for_each(|(_, line, head)| match line {
        Ok(Some(Line::Entry(entry))) => *head = next_head(head, &entry.record),
        Ok(Some(Line::Announcement(announcement))) => *head = rotation_head(head, &announcement.rotation),
        _ => {}
    });
    lines
}

/// Whether a line has a head of its own.
pub(crate) const fn hashed(line: &Result<Option<Line>, LogError>) -> bool {
    matches!(line, Ok(Some(Line::Entry(_) | Line::Announcement(_))))
}

/// Folds of proofs that continue each other.
pub(crate) fn folds(stretches: &[Proven]) -> u32 {
    stretches.iter().fold(0, |sum, s| sum.saturating_add(s.folds))
}

/// What an error of a log is to an audit.
pub(crate) fn log_finding(error: &LogError) -> Finding {
    match error {
        LogError::Io(e) => Finding::error(Code::LogUnreadable, e.to_string()),
        LogError::Malformed { line, problem } => Finding::error(Code::LogMalformed, problem.clone()).on_line(*line),
    }
}

/// Nothing may be laid out, allocated or derived for a mandate before this.
pub(crate) fn check_mandate(mandate: &Mandate) -> Result<(), Finding> {
    let invalid = |e: probity_strategy::DomainError| {
        Finding::mismatch(Code::MandateInvalid, e.expected, e.got).on_line(1).field(format!("mandate.{}", e.field))
    };
    mandate.validate().map_err(invalid)
}

fn check_header(header: &Header) -> Vec<Finding> {
    let mandate = mandate_digest(&header.mandate);
    let genesis = genesis_head(&header.mandate_digest, &header.model_commitment);
    let mut findings = Vec::new();
    if header.mandate_digest != mandate {
        findings.push(Finding::mismatch(Code::HeaderMismatch, mandate, header.mandate_digest).on_line(1).field("mandate_digest"));
    }
    if header.genesis_head != genesis {
        findings.push(Finding::mismatch(Code::HeaderMismatch, genesis, header.genesis_head).on_line(1).field("genesis_head"));
    }
    findings
}

pub(crate) fn prove(header: &Header, evidence: Evidence<'_>, keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>) -> Checked {
    let (stretches, origin) = verify_all(header, evidence, keys)?;
    let ends = stretches.first().zip(stretches.last());
    let (first, last) = ends.ok_or_else(|| Finding::error(Code::ProofMissing, "expected a proof, got none"))?;
    let folds = folds(&stretches);
    Ok((Proven { start: first.start, end: last.end, folds }, origin))
}

/// Verifies every proof; each starts exactly where the one before ends. None comes out of it without that.
pub(crate) fn verify_all(
    header: &Header,
    evidence: Evidence<'_>,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
) -> Result<(Vec<Proven>, Origin), Finding> {
    let last = evidence.proof.ok_or_else(|| Finding::error(Code::ProofMissing, "expected a proof, got none"))?;
    let mut envelopes = Vec::new();
    for bytes in evidence.before.iter().map(Vec::as_slice).chain([last]) {
        let envelope = Envelope::from_bytes(bytes)?;
        check_engine(header.mandate.proof_engine, envelope.engine)?;
        envelopes.push(envelope);
    }
    let keys = keys(&header.mandate).map_err(|e| Finding::error(Code::KeysUnavailable, e.to_string()).field("keys"))?;
    let mut stretches: Vec<Proven> = Vec::new();
    for envelope in &envelopes {
        let proven = envelope.verify(&keys, &header.mandate, &header.model_commitment)?;
        if let Some(before) = stretches.last() {
            before.meets(&proven)?;
        }
        stretches.push(proven);
    }
    Ok((stretches, keys.origin().clone()))
}
