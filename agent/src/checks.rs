//! `probity backtest lookahead` and `warmup`: checks of the backtest itself, with exit codes for scripts.

use crate::backtest::{Setup, setup, signals};
use crate::cli::{BacktestCheck, SeriesArgs};
use crate::ledger::{Ledger, Trial};
use crate::settings::Settings;
use crate::{compare, output, strategy_file, sweep};
use anyhow::Result;
use probity_backtest::{Dataset, Lookahead, LookaheadPlan, Warmup, lookahead, run as run_engine, warmup};
use probity_learn::Candle;
use probity_strategy::Amount;
use std::process::ExitCode;

/// Runs a check: 0 it holds, 1 it does not.
pub(crate) fn run(check: &BacktestCheck, settings: &Settings, json: bool) -> Result<ExitCode> {
    match check {
        BacktestCheck::Sweep(args) => sweep::run(args, settings, json),
        BacktestCheck::Compare(args) => compare::run(args, settings, json),
        BacktestCheck::Lookahead { series, window, cuts } => {
            let plan = LookaheadPlan { window: *window, cuts: *cuts };
            let found = logged("lookahead", series, settings, |s| {
                let candle = Candle::new(&s.file.shape, &s.file.model)?;
                lookahead(&s.dataset, plan, |part| decided(s, &candle, part))
            })?;
            output::data(json, "lookahead", &found, || lookahead_text(&found))?;
            Ok(if found.leaked == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        BacktestCheck::Warmup { series, max_spread_bps } => {
            let found = logged("warmup", series, settings, |s| Ok(warmup(&s.engine, &s.dataset, &s.terms, s.quote)?))?;
            output::data(json, "warmup", &found, || warmup_text(&found))?;
            let beyond = max_spread_bps.is_some_and(|most| found.spread * 10_000.0 > f64::from(most));
            Ok(if beyond { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
    }
}

/// A check looks at the data too: it leaves its line in the trial ledger, whether it goes through or not.
fn logged<T: serde::Serialize>(
    command: &str,
    series: &SeriesArgs,
    settings: &Settings,
    check: impl FnOnce(&Setup) -> Result<T>,
) -> Result<T> {
    let ledger = Ledger::open(settings)?;
    let file = strategy_file::model(series.model.as_deref())?;
    let used = serde_json::json!({ "backtest": settings.backtest, "mandate": settings.mandate });
    let trial = Trial::new(command, &series.data, (series.from, series.to), Some(&file), used)?;
    let outcome = setup(&series.data, (series.from, series.to), file, settings).and_then(|s| check(&s));
    ledger.append(trial, &outcome, |found| Ok(serde_json::to_value(found)?))?;
    outcome
}

/// Everything that is decided at every bar: the record, and what candle made of it.
fn decided(s: &Setup, candle: &Candle, part: &Dataset) -> Result<Vec<(probity_strategy::Record, [i32; 3])>> {
    let result = run_engine(&s.engine, part, &s.terms, s.quote, Amount::ZERO)?;
    let signals = signals(&s.engine, candle, &result)?;
    Ok(result.records.into_iter().zip(signals).collect())
}

fn lookahead_text(found: &Lookahead) -> String {
    let head = format!(
        "{} decisions, engine and candle; {} runs with the future truncated, raised, lowered or thinned out, {} decisions compared",
        found.decisions, found.runs, found.compared
    );
    if found.leaked == 0 {
        return format!("{head}\nNo decision changed with its future.");
    }
    let lines = found.leaks.iter().take(20).map(|l| {
        let future = format!("{:?}", l.future).to_lowercase();
        format!("decision {} changed when the bars after {} were {future}", l.decision, l.known_to)
    });
    format!("{head}\n{} changed:\n{}", found.leaked, lines.collect::<Vec<_>>().join("\n"))
}

fn warmup_text(found: &Warmup) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "bars of history",
        "features that differ at first",
        "until bar",
        "other decisions",
        "halted at",
        "return",
        "max drawdown",
    ]);
    for s in &found.starts {
        table.add_row([
            s.history.to_string(),
            s.differing_features.to_string(),
            s.settled_after.map_or_else(|| "the end".to_owned(), |n| n.to_string()),
            format!("{:.2} %", s.other_decisions * 100.0),
            s.halted_at.map_or_else(|| "–".to_owned(), |k| if k == 0 { "before".to_owned() } else { k.to_string() }),
            format!("{:+.2} %", s.metrics.total_return * 100.0),
            format!("{:.2} %", s.metrics.max_drawdown * 100.0),
        ]);
    }
    format!(
        "The last {} decisions, from unix time {}, after histories of different length; the last row is the reference.\n{table}\nLargest return less smallest: {:.2} percentage points.",
        found.decisions,
        found.from_s,
        found.spread * 100.0
    )
}
