//! `probity audit`: the verifier's audit, for people and programs; with `--rpc` also against the chain.

use crate::cli::AuditArgs;
use crate::onchain::Seen;
use crate::report::create;
use crate::settings::Settings;
use crate::{output, secret};
use anyhow::{Context, Result};
use probity_strategy::Mandate;
use probity_verifier::{
    AuditState, Code, Evidence, Finding, Histories, Keys, KeysError, LogReader, MAX_AUDIT_STATE, MAX_ENVELOPE, ParamsSource, Report,
    Severity, Story, Verdict, audit, audit_chain_since, audit_pool, audit_since, audit_state, histories,
};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the command.
pub(crate) fn run(args: &AuditArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let source = settings.proof.source()?;
    // Seconds of work, nothing taken from anybody: the pairing engine alone needs a file, from the settings.
    let derive = |mandate: &Mandate| Keys::for_mandate_with(mandate, &source).map(Arc::new);
    let reveal = args.reveal.as_deref().map(secret::read_opening).transpose()?;
    let proof = args.proof.as_deref().map(read_proof).transpose()?;
    let before = args.before.iter().map(|path| read_proof(path)).collect::<Result<Vec<_>>>()?;
    let evidence = Evidence { proof: proof.as_deref(), reveal: reveal.as_ref(), before: &before, segment: args.segment };
    let since = args.since.as_deref().map(read_state).transpose()?;
    let (report, state) = match &args.rpc {
        None => audit_since(open(&args.log)?, evidence, since.as_ref(), derive)?,
        Some(url) => crate::run::on_runtime(with_chain(&args.log, evidence, url, since.as_ref(), derive))?,
    };
    let report = further(args, report, &source)?;
    match (&args.state, state.filter(|_| report.verdict == Verdict::Accepted)) {
        (Some(path), Some(state)) => create(path, &state.to_text()?).context("--state")?,
        (Some(path), None) => {
            output::talk(format!("{} not written: only an accepted audit from genesis can be gone on from", path.display()))
        }
        (None, _) => {}
    }
    output::data(json, "audit", &report, || text(&report))?;
    Ok(code(&report))
}

/// The promised mandate, another log of the same agent, and the page for people.
fn further(args: &AuditArgs, mut report: Report, source: &ParamsSource) -> Result<Report> {
    if let Some(path) = &args.mandate {
        let bytes = std::fs::read(path).with_context(|| format!("--mandate {}", path.display()))?;
        let promised: Mandate = serde_json::from_slice(&bytes).with_context(|| format!("--mandate {}", path.display()))?;
        // A header that does not parse is a finding already.
        if let Ok(reader) = LogReader::new(open(&args.log)?) {
            report = report.promised(&promised, &reader.header().mandate);
        }
    }
    if let (Some(promised), Ok(reader)) = (args.commitment, LogReader::new(open(&args.log)?)) {
        report = report.committed(promised, reader.header().model_commitment);
    }
    if let (Some(log), Some(proof)) = (&args.other_log, &args.other_proof) {
        let derive = |mandate: &Mandate| Keys::for_mandate_with(mandate, source).map(Arc::new);
        let other = of(log, Evidence { proof: Some(&read_proof(proof)?), ..Evidence::default() }, derive)?;
        match histories((open(&args.log)?, &report), (open(log)?, &other)).context("comparing the two logs")? {
            Histories::Apart => output::talk("the other log is of another agent or another mandate: nothing to compare"),
            Histories::One { shared } => output::talk(format!("the two logs tell one history, {shared} decisions long")),
            Histories::Two(found) => {
                if let Some(path) = &args.evidence {
                    create(path, &(serde_json::to_string_pretty(&found)? + "\n")).context("--evidence")?;
                }
                report = report.and(found.finding());
            }
        }
    }
    if let Some(path) = &args.report {
        let story = Story::read(open(&args.log)?, report.clone(), args.units.clone());
        let data = path.extension().is_some_and(|e| e == "json");
        create(path, &if data { serde_json::to_string_pretty(&story)? + "\n" } else { story.page() }).context("--report")?;
    }
    Ok(report)
}

/// Audits a log file against its evidence; `keys` is asked for the keys of the log's own mandate.
pub(crate) fn of(log: &Path, evidence: Evidence<'_>, keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>) -> Result<Report> {
    Ok(audit(open(log)?, evidence, keys))
}

/// The state that an earlier audit left. One byte above the limit is read: the parser then names the limit itself.
fn read_state(path: &Path) -> Result<AuditState> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_AUDIT_STATE)?.saturating_add(1);
    File::open(path).with_context(|| format!("--since {}", path.display()))?.take(limit).read_to_end(&mut bytes)?;
    AuditState::from_bytes(&bytes).with_context(|| format!("--since {}", path.display()))
}

/// The same, and the log against what the vault recorded. Without a proof, the newest posted one is taken.
pub(crate) async fn with_chain(
    log: &Path,
    evidence: Evidence<'_>,
    url: &str,
    since: Option<&AuditState>,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
) -> Result<(Report, Option<AuditState>)> {
    let header = match LogReader::new(open(log)?) {
        Ok(reader) => reader.header().clone(),
        // The audit itself says what is wrong with the log.
        Err(_) => return Ok(audit_since(open(log)?, evidence, since, keys)?),
    };
    let mark = since.and_then(|s| s.chain.as_ref());
    let seen = Seen::of(url, &header, mark).await?;
    let posted = if evidence.proof.is_none() { Some(seen.proof().await?) } else { None };
    let evidence = Evidence { proof: evidence.proof.or(posted.as_deref()), ..evidence };
    let (report, state) = audit_since(open(log)?, evidence, since, keys)?;
    let (mut coverage, mut findings) = audit_chain_since(open(log)?, &seen.facts, mark.map(|m| (m, seen.mark_hash)));
    match seen.state().await? {
        Some((slots, state)) => {
            let (header, more) = audit_state(open(log)?, &slots, &state);
            findings.extend(more);
            coverage.header = header;
        }
        None => {
            let what = "expected eth_getProof to answer, got a refusal: the vault's state is the node's word";
            findings.push(Finding::new(Severity::Info, Code::StateUnproven, what));
        }
    }
    let (proven, more) = audit_pool(open(log)?, &seen.pool(header.mandate.interval_s).await?);
    findings.extend(more);
    coverage.pool_proven = proven;
    if proven == 0 && !seen.facts.decisions.is_empty() {
        let what = "expected storage proofs of the pool at the blocks that the records name, got none: mean ticks are the vault's events, as the node tells them";
        findings.push(Finding::new(Severity::Info, Code::StateUnproven, what).field("pool"));
    }
    let report = report.with_chain(coverage, findings);
    let state = match state.filter(|_| report.verdict == Verdict::Accepted) {
        Some(state) => Some(state.with_chain(seen.mark(mark).await?)?),
        None => None,
    };
    Ok((report, state))
}

fn open(log: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::new(File::open(log).with_context(|| format!("--log {}", log.display()))?))
}

/// One byte above the limit is read: the envelope parser then names the limit itself.
pub(crate) fn read_proof(path: &Path) -> Result<Vec<u8>> {
    let limit = u64::try_from(MAX_ENVELOPE)?.saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path).with_context(|| format!("--proof {}", path.display()))?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The exit code of a verdict.
pub(crate) fn code(report: &Report) -> ExitCode {
    match report.verdict {
        Verdict::Accepted => ExitCode::SUCCESS,
        Verdict::Rejected => ExitCode::from(1),
        Verdict::Undecided => ExitCode::from(2),
    }
}

/// The report for people.
pub(crate) fn text(report: &Report) -> String {
    let c = &report.coverage;
    let mut lines = vec![format!(
        "{:?}: {} decisions, {} proven, {} replayed, {} orders, {} intervals without a decision",
        report.verdict, c.decisions, c.proven, c.replayed, c.orders, c.gaps
    )];
    if let Some(since) = &report.since {
        lines.push(format!("gone on from an audit of {} decisions (state {}); checked again:", since.decisions, since.state));
        lines.extend(since.again.iter().map(|s| format!("  - {s}")));
        lines.push("taken from it:".into());
        lines.extend(since.relies_on.iter().map(|s| format!("  - {s}")));
        lines.push(format!("  - {} notes and {} warnings about that part, not repeated here", since.findings.info, since.findings.warn));
    }
    if let Some(chain) = &report.chain {
        lines.push(format!(
            "chain ({}, block {}): {} decisions found in both, {} orders filled, {} not, {} proofs posted that cover {} decisions",
            chain.node, chain.block_number, chain.decisions, chain.filled, chain.unfilled, chain.proofs_posted, chain.decisions_posted
        ));
    }
    if let Some(chain) = &report.chain {
        lines.push(format!(
            "pool: mean ticks of {} of {} decisions follow from its storage, under the block that each record names",
            chain.pool_proven, chain.decisions
        ));
        if chain.pool_proven < chain.decisions {
            let left = chain.decisions.saturating_sub(chain.pool_proven);
            lines.push(format!("not checked: mean ticks of {left} decisions against the pool's own state (the node proves nothing for their blocks, or an earlier audit had them)"));
        }
    }
    if let Some(header) = report.chain.as_ref().and_then(|c| c.header.as_ref()) {
        lines.push(format!("trusted block header: {} (block {}), state root {}", header.hash, header.number, header.state_root));
    }
    lines.extend(report.findings.iter().map(|f| format!("  {f}")));
    if let Some(statement) = &report.statement {
        lines.push("This shows:".into());
        lines.extend(statement.shows.iter().map(|s| format!("  - {s}")));
        lines.push("This does not show:".into());
        lines.extend(statement.does_not_show.iter().map(|s| format!("  - {s}")));
    }
    lines.join("\n")
}
