//! `probity audit`: the verifier's audit, for people and programs; with `--rpc` also against the chain.

use crate::cli::AuditArgs;
use crate::onchain::Seen;
use crate::settings::Settings;
use crate::{output, secret};
use anyhow::{Context, Result};
use probity_strategy::Mandate;
use probity_verifier::{Evidence, Keys, KeysError, LogReader, MAX_ENVELOPE, Report, Verdict, audit, audit_chain};
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
    let report = match &args.rpc {
        None => of(&args.log, evidence, derive)?,
        Some(url) => crate::run::on_runtime(with_chain(&args.log, evidence, url, derive))?,
    };
    output::data(json, "audit", &report, || text(&report))?;
    Ok(code(&report))
}

/// Audits a log file against its evidence; `keys` is asked for the keys of the log's own mandate.
pub(crate) fn of(log: &Path, evidence: Evidence<'_>, keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>) -> Result<Report> {
    Ok(audit(open(log)?, evidence, keys))
}

/// The same, and the log against what the vault recorded. Without a proof, the newest posted one is taken.
pub(crate) async fn with_chain(
    log: &Path,
    evidence: Evidence<'_>,
    url: &str,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
) -> Result<Report> {
    let header = match LogReader::new(open(log)?) {
        Ok(reader) => reader.header().clone(),
        // The audit itself says what is wrong with the log.
        Err(_) => return of(log, evidence, keys),
    };
    let seen = Seen::of(url, &header).await?;
    let posted = if evidence.proof.is_none() { Some(seen.proof().await?) } else { None };
    let report = of(log, Evidence { proof: evidence.proof.or(posted.as_deref()), ..evidence }, keys)?;
    let (coverage, findings) = audit_chain(open(log)?, &seen.facts);
    Ok(report.with_chain(coverage, findings))
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
    if let Some(chain) = &report.chain {
        lines.push(format!(
            "chain ({}, block {}): {} decisions found in both, {} orders filled, {} not, {} proofs posted that cover {} decisions",
            chain.node, chain.block_number, chain.decisions, chain.filled, chain.unfilled, chain.proofs_posted, chain.decisions_posted
        ));
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
