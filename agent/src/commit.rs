//! `probity commit`: salts a model, writes the opening, shows the commitment.

use crate::cli::CommitArgs;
use crate::{output, secret, strategy_file};
use anyhow::Result;
use probity_verifier::{Reveal, commit_model};
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(args: &CommitArgs, json: bool) -> Result<ExitCode> {
    let file = strategy_file::model(args.model.as_deref())?;
    let salt = secret::salt();
    let commitment = commit_model(&file.shape, &file.model, &salt);
    secret::write_opening(&args.opening, &Reveal { model: file.model, salt, then: None })?;
    let value = serde_json::json!({ "commitment": commitment, "shape": file.shape, "opening": args.opening });
    output::data(json, "commitment", &value, || {
        output::table(&[
            ("commitment (public)".into(), commitment.to_string()),
            ("opening (secret, keep it)".into(), args.opening.display().to_string()),
        ])
    })?;
    Ok(ExitCode::SUCCESS)
}
