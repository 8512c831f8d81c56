//! `probity backtest sweep`: a plan of strategies, in parallel, in a stable order, going on where it was interrupted.

use crate::backtest::{Setup, setup};
use crate::cli::SweepArgs;
use crate::ledger::{Ledger, Trial, model_digest};
use crate::settings::Settings;
use crate::{output, strategy_file};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use probity_backtest::{Grid, Line, Overfitting, chosen, sweep};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::process::ExitCode;

/// Jobs between two marks on disk.
const CHUNK: usize = 128;

/// What a sweep reports.
#[derive(Debug, Serialize)]
struct Swept {
    /// The lines.
    out: std::path::PathBuf,
    /// Points of the plan.
    jobs: usize,
    /// Of these, found in the file already.
    resumed: usize,
    /// Strategies in each window.
    strategies: usize,
    /// The best by Sharpe ratio; it was picked for its past.
    best: Option<Line>,
    /// Whether such a pick holds, in the first window at the first fee.
    overfitting: Option<Overfitting>,
}

/// Runs the command.
pub(crate) fn run(args: &SweepArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let ledger = Ledger::open(settings)?;
    let file = strategy_file::model(args.series.model.as_deref())?;
    let grid = Grid {
        gain: args.gain.clone(),
        band_bps: args.band_bps.clone(),
        max_step_bps: args.max_step_bps.clone(),
        cooldown_steps: args.cooldown_steps.clone(),
        fee_bps: args.fee_bps.clone(),
        windows: args.windows,
    };
    let span = (args.series.from, args.series.to);
    let used = serde_json::json!({ "backtest": settings.backtest, "mandate": settings.mandate, "grid": grid });
    let trial = Trial::new("sweep", &args.series.data, span, Some(&file), used)?;
    let digest = model_digest(&file)?;
    let outcome = setup(&args.series.data, span, file, settings).and_then(|s| swept(args, &grid, &s, &digest, settings));
    ledger.append(trial, &outcome, |s| {
        Ok(serde_json::json!({ "policies_tried": s.strategies, "jobs": s.jobs, "best_sharpe_per_interval": s.best.as_ref().and_then(|b| b.sharpe_per_interval) }))
    })?;
    let done = outcome?;
    output::data(json, "sweep", &done, || text(&done))?;
    Ok(ExitCode::SUCCESS)
}

fn swept(args: &SweepArgs, grid: &Grid, s: &Setup, model: &str, settings: &Settings) -> Result<Swept> {
    let jobs = grid.jobs(s.engine.model(), &s.terms, s.dataset.bars.len())?;
    let plan = serde_json::json!({
        "version": 1, "program": env!("CARGO_PKG_VERSION"), "data_sha256": s.dataset.sha256, "model_sha256": model,
        "span": (args.series.from, args.series.to), "grid": grid, "jobs": jobs.len(),
        "settings": { "backtest": settings.backtest, "mandate": settings.mandate },
    });
    let head = serde_json::to_string(&plan)? + "\n";
    let place = || format!("--out {}", args.out.display());
    let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&args.out).with_context(place)?;
    let text = std::fs::read_to_string(&args.out).with_context(place)?;
    let mut lines: Vec<Line> = Vec::new();
    if text.is_empty() {
        file.write_all(head.as_bytes())?;
    } else {
        ensure!(
            text.starts_with(&head),
            "--out {}: holds another plan (data, model, grid, settings); name another file",
            args.out.display()
        );
        // A line that was torn is made again.
        let whole = text.rfind('\n').map_or(0, |i| i + 1);
        for (i, line) in text.get(..whole).unwrap_or("").lines().skip(1).enumerate() {
            let line: Line = serde_json::from_str(line).with_context(|| format!("--out {}, line {}", args.out.display(), i + 2))?;
            ensure!(line.index == i, "--out {}, line {}: expected point {i} of the plan, got {}", args.out.display(), i + 2, line.index);
            lines.push(line);
        }
        file.set_len(u64::try_from(whole)?)?;
        file.seek(SeekFrom::End(0))?;
    }
    let resumed = lines.len();
    let bar = ProgressBar::new(u64::try_from(jobs.len())?);
    if let Ok(style) = ProgressStyle::with_template("sweep {bar:30} {pos}/{len} {elapsed}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_position(u64::try_from(resumed)?);
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.threads.unwrap_or(0)).build().context("--threads")?;
    for chunk in jobs.get(resumed..).unwrap_or(&[]).chunks(CHUNK) {
        let made = threads.install(|| sweep(s.engine.mandate(), s.engine.model(), &s.dataset, &s.terms, s.quote, chunk, &|| bar.inc(1)))?;
        let mut text = String::new();
        for line in &made {
            text += &(serde_json::to_string(line)? + "\n");
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        lines.extend(made);
    }
    bar.finish_and_clear();
    let sharpe = |l: &&Line| l.sharpe_per_interval.unwrap_or(f64::MIN);
    let best = lines.iter().max_by(|a, b| sharpe(a).total_cmp(&sharpe(b))).cloned();
    let strategies = jobs.len() / grid.windows.max(1);
    Ok(Swept { out: args.out.clone(), jobs: jobs.len(), resumed, strategies, best, overfitting: chosen(&lines) })
}

fn text(s: &Swept) -> String {
    let mut rows = vec![
        ("lines".to_owned(), s.out.display().to_string()),
        ("points of the plan".to_owned(), format!("{} ({} found in the file), {} strategies a window", s.jobs, s.resumed, s.strategies)),
    ];
    if let Some(b) = &s.best {
        let sharpe = b.sharpe_per_interval.map_or_else(|| "–".to_owned(), |v| format!("{v:+.4}"));
        rows.push((
            "best by Sharpe of one interval".to_owned(),
            format!("point {}: {sharpe}, return {:+.2} %, {} trades", b.index, b.total_return * 100.0, b.trades),
        ));
    }
    rows.push((
        "probability of overfitting".to_owned(),
        s.overfitting.as_ref().map_or_else(
            || "cannot be given: fewer than two different strategies".to_owned(),
            |o| format!("{:.1} % ({} strategies, {} splits)", o.probability * 100.0, o.strategies, o.splits),
        ),
    ));
    format!("{}\nThe best of many is picked for its past. Every strategy counts as a trial in the ledger.", output::table(&rows))
}
