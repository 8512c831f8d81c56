//! `probity rotate`: asks a run, going on or not, to announce other weights. The agent does it between two decisions.

use crate::cli::RotateArgs;
use crate::run::{Book, Request, Requests, rotation};
use crate::{output, secret};
use anyhow::{Context, Result, ensure};
use probity_verifier::{Digest, ROTATION_NOTICE, commit_model};
use serde::Serialize;
use std::process::ExitCode;

/// What will happen.
#[derive(Debug, Serialize)]
struct Asked {
    /// Of the weights that are to take over.
    commitment: Digest,
    /// Of those that make the next decision.
    in_force: Digest,
    /// Decisions in the journal when it was asked for.
    decisions: u32,
    /// First decision of the new weights; none: as soon as the notice allows.
    at_step: Option<u32>,
    /// The earliest that the notice allows, if it is announced before the next decision.
    earliest_step: u32,
}

/// Runs the command.
pub(crate) fn run(args: &RotateArgs, json: bool) -> Result<ExitCode> {
    let requests = Requests::of(&args.dir);
    let Some(path) = args.opening.as_ref().filter(|_| !args.withdraw) else {
        requests.withdraw()?;
        output::data(json, "rotation_withdrawn", &serde_json::json!({}), || {
            format!("{}: nothing is asked for any more; the weights in force go on", args.dir.display())
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    ensure!(args.dir.join("journal.sqlite").is_file(), "--dir {}: expected the folder of a run (with journal.sqlite)", args.dir.display());
    let Book { journal, header, weights } = Book::open(&args.dir)?;
    ensure!(
        journal.meta("sealed")?.is_none(),
        "--dir {}: expected a run that goes on, got a sealed one: it decides nothing more",
        args.dir.display()
    );
    let (decisions, announced) = (journal.len()?, journal.announcements()?);
    let request = Request::new(secret::read_opening(path).context("--opening")?, args.at);
    let named = || format!("--opening {}{}", path.display(), args.at.map_or_else(String::new, |at| format!(" --at {at}")));
    let rotation = rotation(&request, &header.mandate, decisions, &weights, &announced).with_context(named)?;
    let asked = Asked {
        commitment: commit_model(&header.mandate.model, &request.opening.model, &request.opening.salt),
        in_force: weights.at(decisions).commitment,
        decisions,
        at_step: args.at,
        earliest_step: decisions.saturating_add(ROTATION_NOTICE),
    };
    requests.leave(&request)?;
    output::data(json, "rotation_asked", &asked, || {
        output::table(&[
            ("weights in force".into(), asked.in_force.to_string()),
            ("weights asked for".into(), asked.commitment.to_string()),
            (
                "announced".into(),
                format!("before the next decision ({decisions} are made); if no agent runs in {}, at its next start", args.dir.display()),
            ),
            (
                "they make their first decision".into(),
                match asked.at_step {
                    Some(at) => at.to_string(),
                    None => format!("{}, or {ROTATION_NOTICE} after the one that comes next then", rotation.at_step),
                },
            ),
            ("until it is announced".into(), format!("`probity rotate --dir {} --withdraw` takes it back", args.dir.display())),
        ])
    })?;
    Ok(ExitCode::SUCCESS)
}
