//! `probity model`: float networks from elsewhere become integer models, and what that costs is reported.

use crate::cli::ModelAction;
use crate::ledger::{Ledger, Trial, model_digest};
use crate::settings::Settings;
use crate::{output, strategy_file};
use anyhow::{Context, Result, ensure};
use probity_learn::{FloatNet, ImportReport, ModelFile, QuantisationReport, TrainConfig, import, quantisation};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What an import reports.
#[derive(Debug, Serialize)]
struct Imported {
    out: PathBuf,
    shape: probity_strategy::ModelShape,
    report: ImportReport,
    /// On the bars after validation; none if there are none.
    quantisation: Option<QuantisationReport>,
}

/// Runs the command.
pub(crate) fn run(action: &ModelAction, settings: &Settings, json: bool) -> Result<ExitCode> {
    match action {
        ModelAction::Import { weights, data, out, validation_from, validation_to, cost_bps } => {
            ensure!(!out.exists(), "--out {}: exists and is never overwritten; name another file", out.display());
            let config = TrainConfig {
                validation_from: *validation_from,
                validation_to: *validation_to,
                cost_bps: *cost_bps,
                ..TrainConfig::default()
            };
            let ledger = Ledger::open(settings)?;
            let mut trial = Trial::new("import", data, (0, *validation_to), None, serde_json::to_value(&config)?)?;
            let outcome = imported(weights, data, out, &config);
            trial.model_sha256 = outcome.as_ref().ok().map(|(file, _)| model_digest(file)).transpose()?;
            ledger.append(trial, &outcome, |(_, i)| Ok(serde_json::json!({ "policies_tried": i.report.policies_tried })))?;
            let (_, done) = outcome?;
            output::data(json, "import", &done, || {
                let rows = [
                    ("model (private)".to_owned(), done.out.display().to_string()),
                    ("widths".to_owned(), done.shape.to_string()),
                    (
                        "feature scales".to_owned(),
                        if done.report.own_scales { "the file's own" } else { "taken from the bars before validation" }.to_owned(),
                    ),
                    ("policies tried on validation".to_owned(), done.report.policies_tried.to_string()),
                ];
                let report = done
                    .quantisation
                    .as_ref()
                    .map_or_else(|| "No bars after validation: nothing is held out to report on.".to_owned(), text);
                format!("{}\n{report}", output::table(&rows))
            })?;
            Ok(ExitCode::SUCCESS)
        }
        ModelAction::Quantisation { weights, model, data, from, to, max_flips } => {
            let (net, file) = (FloatNet::load(weights).context("--weights")?, ModelFile::load(model).context("--model")?);
            let series = strategy_file::series(data)?;
            let report = quantisation(&net, &file, &series, *from, *to, TrainConfig::default().cost_bps)?;
            output::data(json, "quantisation", &report, || text(&report))?;
            let beyond = max_flips.is_some_and(|most| report.flips_per_10_000 > most);
            Ok(if beyond { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
    }
}

fn imported(weights: &Path, data: &Path, out: &Path, config: &TrainConfig) -> Result<(ModelFile, Imported)> {
    let net = FloatNet::load(weights).context("--weights")?;
    let series = strategy_file::series(data)?;
    let (file, report) = import(&net, &series, config)?;
    let after = series.times.last().is_some_and(|t| *t >= config.validation_to);
    let held = after.then(|| quantisation(&net, &file, &series, config.validation_to, u64::MAX, config.cost_bps)).transpose()?;
    file.save(out).context("--out")?;
    let done = Imported { out: out.to_owned(), shape: file.shape.clone(), report, quantisation: held };
    Ok((file, done))
}

fn text(r: &QuantisationReport) -> String {
    let rows = [
        ("held-out decisions", format!("{}, {} to {} UTC", r.decisions, probity_backtest::utc(r.span.0), probity_backtest::utc(r.span.1))),
        (
            "decisions that flip",
            format!("{} ({:.1} of 10,000), {} of them from buy to sell or back", r.flips, r.flips_per_10_000, r.reversals),
        ),
        ("largest distance of an output", format!("{:.5} (outputs are of size {:.5})", r.worst_logit, r.logit_size)),
        ("largest difference of the target weight", format!("{:.1} bps", r.worst_target_bps)),
        ("integer model there", format!("log return {:+.4}, {} buys, {} sells", r.integer.log_return, r.integer.buys, r.integer.sells)),
    ];
    output::table(&rows.map(|(k, v)| (k.to_owned(), v)))
}
