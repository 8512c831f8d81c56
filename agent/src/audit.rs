//! `probity audit`: the verifier's audit, for people and programs.

use crate::cli::AuditArgs;
use crate::output;
use anyhow::{Context, Result};
use probity_verifier::{Evidence, Keys, MAX_ENVELOPE, Report, Reveal, Verdict, audit};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the command.
pub(crate) fn run(args: &AuditArgs, json: bool) -> Result<ExitCode> {
    let reveal = match &args.reveal {
        None => None,
        // serde's message could quote a weight: only the place is told.
        Some(path) => {
            let text = std::fs::read(path).with_context(|| format!("--reveal {}", path.display()))?;
            let opening: Reveal = serde_json::from_slice(&text).map_err(|e| {
                anyhow::anyhow!(
                    "--reveal {}: expected an opening (model and salt), stopped at line {}, column {}",
                    path.display(),
                    e.line(),
                    e.column()
                )
            })?;
            Some(opening)
        }
    };
    let report = of(&args.log, &args.proof, reveal.as_ref())?;
    output::data(json, "audit", &report, || text(&report))?;
    Ok(code(&report))
}

/// Audits a log file against a proof file; the keys are derived from the log's mandate.
pub(crate) fn of(log: &Path, proof: &Path, reveal: Option<&Reveal>) -> Result<Report> {
    let limit = u64::try_from(MAX_ENVELOPE)?.saturating_add(1);
    let mut bytes = Vec::new();
    File::open(proof).with_context(|| format!("--proof {}", proof.display()))?.take(limit).read_to_end(&mut bytes)?;
    let file = File::open(log).with_context(|| format!("--log {}", log.display()))?;
    let evidence = Evidence { proof: Some(&bytes), reveal };
    Ok(audit(BufReader::new(file), evidence, |mandate| Keys::for_mandate(mandate).map(Arc::new)))
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
    lines.extend(report.findings.iter().map(|f| format!("  {f}")));
    if let Some(statement) = &report.statement {
        lines.push("This shows:".into());
        lines.extend(statement.shows.iter().map(|s| format!("  - {s}")));
        lines.push("This does not show:".into());
        lines.extend(statement.does_not_show.iter().map(|s| format!("  - {s}")));
    }
    lines.join("\n")
}
