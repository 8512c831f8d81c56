//! `probity backtest`: the engine over a recorded series, beside buy-and-hold and cash; `--prove` folds the run.

use crate::cli::BacktestArgs;
use crate::prove::{Proved, prove};
use crate::settings::Settings;
use crate::{output, secret, strategy_file};
use anyhow::{Context, Result, ensure};
use probity_backtest::{Backtest, Dataset, Frictions, Metrics, Scale, buy_and_hold, cash, run as run_engine};
use probity_learn::Candle;
use probity_strategy::{Amount, Engine, State};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

/// What a backtest reports.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Name of the data.
    pub(crate) data: String,
    /// Its digest.
    pub(crate) data_sha256: String,
    /// Decisions.
    pub(crate) decisions: usize,
    /// Bars absent from the data; never filled.
    pub(crate) missing_bars: u64,
    /// Orders that missed their bound.
    pub(crate) failed_orders: u32,
    /// First halted decision.
    pub(crate) halted_at: Option<u32>,
    /// The strategy.
    pub(crate) strategy: Metrics,
    /// Buying once and holding.
    pub(crate) buy_and_hold: Metrics,
    /// Holding the quote token.
    pub(crate) cash: Metrics,
    /// Proof, if asked for.
    pub(crate) proved: Option<Proved>,
}

/// Runs the command.
pub(crate) fn run(args: &BacktestArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let file = strategy_file::model(args.model.as_deref())?;
    let (_, summary) = over(&args.data, (args.from, args.to), file, settings, args.prove.as_deref())?;
    output::data(json, "backtest", &summary, || text(&summary))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the engine over a file, checks candle against it at every step, and proves the run into a folder if one is given.
pub(crate) fn over(
    data: &Path,
    span: (u64, u64),
    file: probity_learn::ModelFile,
    settings: &Settings,
    into: Option<&Path>,
) -> Result<(Backtest, Summary)> {
    let dataset = Dataset::read(data, Scale::default(), Some(span.0), Some(span.1))?;
    ensure!(!dataset.bars.is_empty(), "--data {}: no bar opens between --from and --to", data.display());
    let genesis = dataset.bars.first().map_or(0, |b| b.open_s);
    let mandate = strategy_file::backtest_mandate(settings, file.shape.clone(), dataset.interval_s, genesis)?;
    let engine = Engine::new(mandate.clone(), file.model.clone())?;
    let b = &settings.backtest;
    let frictions = Frictions {
        fee_bps: b.fee_bps,
        slippage_bps: b.slippage_bps,
        gas_quote: Amount::new(u128::from(b.gas_usdc_per_trade_cents) * 10_000)?,
    };
    let quote = Amount::new(u128::from(b.seed_quote_usdc) * 1_000_000).context("setting backtest.seed_quote_usdc")?;
    let result = run_engine(&engine, &dataset, &frictions, quote, Amount::ZERO)?;
    check_candle(&engine, &file, &result)?;
    let proved = into.map(|dir| prove(dir, &mandate, &file.model, &secret::salt(), &result.records)).transpose()?;
    let summary = Summary {
        data: data.display().to_string(),
        data_sha256: dataset.sha256.clone(),
        decisions: result.records.len(),
        missing_bars: dataset.gaps.missing,
        failed_orders: result.failed,
        halted_at: result.halted_at,
        strategy: result.metrics(),
        buy_and_hold: buy_and_hold(&dataset, &frictions, quote)?,
        cash: cash(&dataset, quote)?,
        proved,
    };
    Ok((result, summary))
}

/// Candle's signal must equal the integer twin's at every step of the run.
fn check_candle(engine: &Engine, file: &probity_learn::ModelFile, result: &Backtest) -> Result<()> {
    let candle = Candle::new(&file.shape, &file.model)?;
    let mut state = State::genesis(engine.mandate());
    let mut inputs = Vec::with_capacity(result.records.len());
    for record in &result.records {
        inputs.push(engine.inputs(&state, &record.observation));
        state = engine.step(&state, &record.observation).next_state;
    }
    for (chunk, from) in inputs.chunks(4_096).zip((0usize..).step_by(4_096)) {
        for ((signal, input), step) in candle.signals(chunk)?.iter().zip(chunk).zip(from..) {
            ensure!(*signal == engine.signal(input).0, "step {step}: candle and the integer engine differ; this is a bug");
        }
    }
    Ok(())
}

/// The summary for people.
pub(crate) fn text(s: &Summary) -> String {
    let percent = |v: f64| format!("{:+.2} %", v * 100.0);
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["", "return", "max drawdown", "Sharpe, annualised", "turnover", "trades (buys)", "costs"]);
    for (name, m) in [("strategy", &s.strategy), ("buy and hold", &s.buy_and_hold), ("cash", &s.cash)] {
        table.add_row([
            name.to_owned(),
            percent(m.total_return),
            percent(-m.max_drawdown),
            m.sharpe.map_or_else(|| "–".to_owned(), |v| format!("{:.2} (of {} s returns)", v.annualised, v.interval_s)),
            format!("{:.1} ×", m.turnover),
            format!("{} ({})", m.trades, m.buys),
            percent(-m.costs),
        ]);
    }
    let mut text = format!(
        "{}\n{} decisions, {} bars absent, {} orders missed their bound{}\nFills are simulated: at the observed price less fee and slippage, at any size.\n{table}",
        s.data,
        s.decisions,
        s.missing_bars,
        s.failed_orders,
        s.halted_at.map_or_else(String::new, |k| format!(", halted at decision {k}")),
    );
    if let Some(p) = &s.proved {
        let rows = [
            ("decisions proven".to_owned(), p.decisions.to_string()),
            ("parameters derived in".to_owned(), format!("{:.1} s", p.params_s)),
            (format!("fold of up to {} decisions, median", p.decisions_per_fold), format!("{:.0} ms", p.fold_ms)),
            ("compressing".to_owned(), format!("{:.1} s", p.compress_s)),
            ("proof".to_owned(), format!("{} bytes, {}", p.proof_bytes, p.proof.display())),
            ("log".to_owned(), p.log.display().to_string()),
        ];
        text = format!("{text}\n{}", output::table(&rows));
    }
    text
}
