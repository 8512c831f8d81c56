//! `probity backtest lookahead` and `warmup`: checks of the backtest itself, with exit codes for scripts.

use crate::backtest::{Setup, setup, signals};
use crate::cli::{BacktestCheck, SeriesArgs};
use crate::ledger::{Ledger, Trial};
use crate::settings::Settings;
use crate::{compare, output, strategy_file, sweep};
use anyhow::Result;
use probity_backtest::{Dataset, Lookahead, LookaheadPlan, Warmup, lookahead, lookahead_from, run as run_engine, warmup};
use probity_learn::Candle;
use probity_prover::twin_heads;
use probity_strategy::{Amount, Engine};
use std::process::ExitCode;

/// Runs a check: 0 it holds, 1 it does not.
pub(crate) fn run(check: &BacktestCheck, settings: &Settings, json: bool) -> Result<ExitCode> {
    match check {
        BacktestCheck::Sweep(args) => sweep::run(args, settings, json),
        BacktestCheck::Compare(args) => compare::run(args, settings, json),
        BacktestCheck::Lookahead { series, window, cuts, circuit } => {
            let plan = LookaheadPlan { window: *window, cuts: *cuts };
            let found = logged("lookahead", series, settings, |s| {
                let candle = Candle::new(&s.file.shape, &s.file.model)?;
                let decisions = lookahead(&s.dataset, plan, |part| decided(s, &candle, part))?;
                Ok(Looked { decisions, circuit: in_circuit(s, *circuit)? })
            })?;
            output::data(json, "lookahead", &found, || lookahead_text(&found))?;
            Ok(if found.decisions.leaked + found.circuit.found.iter().map(|f| f.leaked).sum::<u64>() == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            })
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

/// What was found about looking ahead.
#[derive(Debug, serde::Serialize)]
struct Looked {
    /// Engine and candle, over the whole series.
    #[serde(flatten)]
    decisions: Lookahead,
    /// The circuit, over some stretches.
    circuit: InCircuit,
}

/// What the circuit decided, before other and other futures.
#[derive(Debug, serde::Serialize)]
struct InCircuit {
    /// Bars of the series that each stretch was decided at, from and up to but without.
    stretches: Vec<(usize, usize)>,
    /// Orders among the decisions of these bars.
    orders: usize,
    /// One for each.
    found: Vec<Lookahead>,
}

/// Bars before a stretch that engine and candle alone decide on, so that its features have settled and it may trade.
const SETTLING: usize = 64;

/// The circuit over stretches of two folds: all its constraints hold, it ends where the engine does, and the heads of its log up to a
/// bar stay what they were whatever comes after it.
fn in_circuit(s: &Setup, stretches: usize) -> Result<InCircuit> {
    let result = run_engine(&s.engine, &s.dataset, &s.terms, s.quote, Amount::ZERO)?;
    let (bars, length) = (s.dataset.bars.len(), 2 * usize::from(s.engine.mandate().decisions_per_fold));
    let mut out = InCircuit { stretches: Vec::new(), orders: 0, found: Vec::new() };
    for i in 0..stretches {
        // Evenly among the trades, or among the bars.
        let nth = |n: usize| (2 * i + 1) * n / (2 * stretches.max(1));
        let trade = result.trades.get(nth(result.trades.len())).and_then(|t| usize::try_from(t.step).ok());
        let first = trade.unwrap_or_else(|| nth(bars)).saturating_sub(length / 2).min(bars.saturating_sub(length));
        let start = first.saturating_sub(SETTLING);
        let part = s.dataset.part(start..(first + length).min(bars));
        let mut orders = None;
        out.found.push(lookahead_from(&part, first - start, |part| -> Result<Vec<_>> {
            let run = run_engine(&s.engine, part, &s.terms, s.quote, Amount::ZERO)?;
            let seen: Vec<_> = run.records.iter().map(|r| r.observation.clone()).collect();
            let mut mandate = s.engine.mandate().clone();
            mandate.genesis_time_s = part.bars.first().map_or(0, |b| b.open_s);
            let heads = twin_heads(&Engine::new(mandate, s.engine.model().clone())?, &seen, first - start)?;
            // The first run is the one with its own future.
            orders.get_or_insert_with(|| run.records.iter().skip(first - start).filter(|r| r.decision.order.is_some()).count());
            Ok(heads)
        })?);
        out.orders += orders.unwrap_or(0);
        out.stretches.push((first, (first + length).min(bars)));
    }
    Ok(out)
}

fn lookahead_text(all: &Looked) -> String {
    let circuit = circuit_text(&all.circuit);
    let found = &all.decisions;
    let head = format!(
        "{} decisions, engine and candle; {} runs with the future truncated, raised, lowered or thinned out, {} decisions compared",
        found.decisions, found.runs, found.compared
    );
    if found.leaked == 0 {
        return format!("{head}\nNo decision changed with its future.\n{circuit}");
    }
    let lines = found.leaks.iter().take(20).map(|l| {
        let future = format!("{:?}", l.future).to_lowercase();
        format!("decision {} changed when the bars after {} were {future}", l.decision, l.known_to)
    });
    format!("{head}\n{} changed:\n{}\n{circuit}", found.leaked, lines.collect::<Vec<_>>().join("\n"))
}

fn circuit_text(found: &InCircuit) -> String {
    if found.found.is_empty() {
        return "The circuit was not asked (--circuit).".to_owned();
    }
    let sum = |f: fn(&Lookahead) -> u64| found.found.iter().map(f).sum::<u64>();
    let runs: usize = found.found.iter().map(|f| f.runs).sum();
    let leaked = sum(|f| f.leaked);
    let end =
        if leaked == 0 { "No head of its log changed with its future.".to_owned() } else { format!("{leaked} HEADS OF ITS LOG CHANGED.") };
    format!(
        "The circuit over {} stretches of bars {:?}, {} orders in them: {runs} runs with the future changed, every constraint held, every fold ended where the engine does. {end}",
        found.stretches.len(),
        found.stretches,
        found.orders
    )
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
