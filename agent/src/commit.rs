//! `probity commit`: salts a model, writes the opening, shows the commitment and what proving the model would cost.

use crate::cli::CommitArgs;
use crate::layout::{Ask, Table};
use crate::settings::Settings;
use crate::{output, secret, strategy_file};
use anyhow::Result;
use probity_verifier::{Reveal, commit_model};
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(args: &CommitArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let file = strategy_file::model(args.model.as_deref())?;
    let salt = secret::salt();
    let commitment = commit_model(&file.shape, &file.model, &salt);
    secret::write_opening(&args.opening, &Reveal { model: file.model, salt })?;
    let layout = (!args.no_layout)
        .then(|| {
            Table::of(Ask {
                shape: file.shape.clone(),
                engine: settings.mandate.proof_engine,
                interval_s: settings.mandate.interval_s,
                max_latency_s: args.max_latency,
            })
        })
        .transpose()?;
    let value = serde_json::json!({ "commitment": commitment, "shape": file.shape, "opening": args.opening, "layout": layout });
    output::data(json, "commitment", &value, || {
        let made = output::table(&[
            ("commitment (public)".into(), commitment.to_string()),
            ("opening (secret, keep it)".into(), args.opening.display().to_string()),
        ]);
        layout.iter().fold(made, |text, table| format!("{text}\n{}", table.text()))
    })?;
    Ok(ExitCode::SUCCESS)
}
