//! `probity train`: a model from a recorded series. The model file is private; what is printed is not.

use crate::cli::TrainArgs;
use crate::ledger::{Ledger, Trial, model_digest};
use crate::settings::Settings;
use crate::{output, strategy_file};
use anyhow::{Context, Result, ensure};
use probity_learn::{ModelFile, TrainConfig, TrainReport, train_in};
use probity_strategy::ModelShape;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a training reports.
#[derive(Debug, Serialize)]
struct Trained {
    /// The model file.
    out: PathBuf,
    /// Public shape of the model.
    shape: ModelShape,
    /// What training did.
    report: TrainReport,
}

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    // Said before the work, not after it; the file itself is only ever created anew.
    ensure!(!args.out.exists(), "--out {}: exists and is never overwritten; name another file", args.out.display());
    let folder = args.out.parent().filter(|p| !p.as_os_str().is_empty());
    ensure!(folder.is_none_or(std::path::Path::is_dir), "--out {}: expected a folder that exists", args.out.display());
    if let Some(path) = args.weights_out.as_deref().filter(|p| p.exists()) {
        anyhow::bail!("--weights-out {}: exists and is never overwritten; name another file", path.display());
    }
    let config = TrainConfig {
        seed: args.seed,
        validation_from: args.validation_from,
        validation_to: args.validation_to,
        embargo: args.embargo,
        max_steps: args.max_steps,
        batch: args.batch,
        window: args.window,
        cost_bps: args.cost_bps,
        patience: args.patience,
        min_activity: args.min_activity,
        quantised_forward: !args.float_forward,
        progress: true,
        ..TrainConfig::default()
    };
    let shape = strategy_file::shape(&args.hidden, args.linear, args.recurrent)?;
    let ledger = Ledger::open(settings)?;
    let mut trial = Trial::new("train", &args.data, (0, config.validation_to), None, serde_json::to_value(&config)?)?;
    trial.seed = Some(config.seed);
    let outcome = make(args, &shape, &config);
    trial.model_sha256 = outcome.as_ref().ok().map(|(file, _)| model_digest(file)).transpose()?;
    ledger.append(trial, &outcome, |(_, report)| Ok(serde_json::to_value(report)?))?;
    let (_, report) = outcome?;
    let trained = Trained { out: args.out.clone(), shape, report };
    output::data(json, "train", &trained, || text(&trained))?;
    Ok(ExitCode::SUCCESS)
}

fn make(args: &TrainArgs, shape: &ModelShape, config: &TrainConfig) -> Result<(ModelFile, TrainReport)> {
    let series = strategy_file::series(&args.data)?;
    let made = train_in(shape, &series, config, args.checkpoint.as_deref())?;
    made.file.save(&args.out).context("--out")?;
    if let Some(path) = &args.weights_out {
        made.net.save(path).context("--weights-out")?;
    }
    Ok((made.file, made.report))
}

fn text(t: &Trained) -> String {
    let r = &t.report;
    let v = &r.validation;
    let rows = [
        ("model (private)", t.out.display().to_string()),
        ("data, sha256", r.data_sha256.clone()),
        ("seed", r.seed.to_string()),
        ("bars trained on, validated on", format!("{}, {}", r.train_bars, r.validation_bars)),
        ("optimiser steps, step kept", format!("{}, {}", r.steps, r.best_step)),
        ("objective on validation", format!("{:+.4} → {:+.4} bps a step", r.validation_before, r.validation_after)),
        ("Sharpe on validation, beyond half-and-half", format!("{:+.2}", r.validation_sharpe)),
        ("decisions changed by quantising", format!("{:.2} %", r.decision_flips * 100.0)),
        ("largest change of the target by it", format!("{:.0} bps", r.largest_target_error_bps)),
        ("policies tried on validation", r.policies_tried.to_string()),
        ("log return on validation", format!("{:+.4}, at a mean weight of {:.0} %", v.log_return, v.mean_weight * 100.0)),
        ("buys, sells on validation", format!("{}, {} in {} decisions", v.buys, v.sells, v.steps)),
    ];
    let table = output::table(&rows.map(|(k, v)| (k.to_owned(), v)));
    let none = if r.best_step == 0 {
        "\nNo step improved on the random start: this model has learnt nothing. Train longer or on other windows."
    } else {
        ""
    };
    format!(
        "{table}{none}\nThe validation bars chose step and policy: these figures are not out of sample. Backtest on bars that training never saw."
    )
}
