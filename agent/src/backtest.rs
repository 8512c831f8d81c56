//! `probity backtest`: the engine over a recorded series, beside buy-and-hold and cash; `--prove` folds the run.

use crate::cli::BacktestArgs;
use crate::ledger::{Ledger, Trial};
use crate::prove::{Proved, prove};
use crate::settings::{Settings, VenueKind};
use crate::{checks, execution, output, report, secret, strategy_file};
use anyhow::{Context, Result, ensure};
use probity_backtest::v3::Snapshot;
use probity_backtest::{
    Backtest, Baseline, Dataset, Frictions, Market, Metrics, Scale, Terms, buy_and_hold, cash, inputs, run as run_engine,
};
use probity_learn::{Candle, ModelFile};
use probity_strategy::{Amount, Engine, tick_at_price};
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
    /// Orders that came too late for the vault.
    pub(crate) late_orders: u32,
    /// Orders that never got into a block.
    pub(crate) dropped_orders: u32,
    /// Orders that the vault's limits refuse.
    pub(crate) refused_orders: u32,
    /// First halted decision.
    pub(crate) halted_at: Option<u32>,
    /// What the fills assume.
    pub(crate) assumption: String,
    /// The strategy.
    pub(crate) strategy: Metrics,
    /// Buying once and holding.
    pub(crate) buy_and_hold: Metrics,
    /// Holding the quote token.
    pub(crate) cash: Metrics,
    /// Proof, if asked for.
    pub(crate) proved: Option<Proved>,
}

/// Everything a run needs.
pub(crate) struct Setup {
    /// The bars.
    pub(crate) dataset: Dataset,
    /// The model.
    pub(crate) file: ModelFile,
    /// The engine over it.
    pub(crate) engine: Engine,
    /// Market and costs.
    pub(crate) terms: Terms,
    /// Starting capital.
    pub(crate) quote: Amount,
}

/// Reads the series and makes engine and market of the settings.
pub(crate) fn setup(data: &Path, span: (u64, u64), file: ModelFile, settings: &Settings) -> Result<Setup> {
    let dataset =
        Dataset::read(data, Scale::default(), Some(span.0), Some(span.1)).with_context(|| format!("--data {}", data.display()))?;
    let genesis = dataset.bars.first().map_or(0, |b| b.open_s);
    let mandate = strategy_file::backtest_mandate(settings, file.shape.clone(), dataset.interval_s, genesis)?;
    let engine = Engine::new(mandate, file.model.clone())?;
    let b = &settings.backtest;
    let frictions = Frictions {
        fee_bps: b.fee_bps,
        slippage_bps: b.slippage_bps,
        gas_quote: Amount::new(u128::from(b.gas_quote_per_trade_cents) * 10_000)?,
    };
    ensure!(
        b.fee_bps < 10_000 && b.slippage_bps <= 10_000,
        "settings backtest.fee_bps, backtest.slippage_bps: expected below 10000, got {}, {}",
        b.fee_bps,
        b.slippage_bps
    );
    let terms = Terms { frictions, market: market(settings, &dataset)?, execution: execution::execution(settings, &dataset)? };
    let quote = Amount::new(u128::from(b.seed_quote_units) * 1_000_000).context("setting backtest.seed_quote_units")?;
    Ok(Setup { dataset, file, engine, terms, quote })
}

/// The market the settings name.
pub(crate) fn market(settings: &Settings, dataset: &Dataset) -> Result<Market> {
    let b = &settings.backtest;
    Ok(match b.venue {
        VenueKind::Flat => Market::Flat,
        VenueKind::ConstantLiquidity => {
            let liquidity = b.liquidity.parse().ok().filter(|l| *l > 0);
            let expected = "expected a whole number above 0 and below 2^128, in text";
            Market::ConstantLiquidity {
                liquidity: liquidity.with_context(|| format!("setting backtest.liquidity: {expected}, got {:?}", b.liquidity))?,
            }
        }
        VenueKind::Snapshot => {
            let place = || format!("setting backtest.snapshot {:?}", b.snapshot);
            let snapshot = Snapshot::parse(&std::fs::read_to_string(&b.snapshot).with_context(place)?).with_context(place)?;
            // Positions of another price range say nothing about this series; an inverted pair shows here as well.
            let closes = || dataset.bars.iter().map(|bar| tick_at_price(bar.close));
            let (low, high) = (closes().min().unwrap_or(0), closes().max().unwrap_or(0));
            let x = -snapshot.pool.tick();
            ensure!(
                (low - SNAPSHOT_REACH..=high + SNAPSHOT_REACH).contains(&x),
                "setting backtest.snapshot {:?}: expected a pool of quote as token0 and base as token1 whose price is near the series', got a price of 1.0001^{x} where the series has 1.0001^{low} … 1.0001^{high}",
                b.snapshot
            );
            Market::Snapshot(Box::new(snapshot.pool))
        }
    })
}

/// Ticks a recorded pool's price may lie outside the series: a factor of two.
const SNAPSHOT_REACH: i32 = 6_932;

/// Runs the command.
pub(crate) fn run(args: &BacktestArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    if let Some(check) = &args.check {
        return checks::run(check, settings, json);
    }
    let data = args.data.as_deref().context("--data: expected a file, got none")?;
    args.out.as_deref().map(report::check).transpose()?;
    let file = strategy_file::model(args.model.as_deref())?;
    let ran = logged(data, (args.from, args.to), file, settings, args.prove.as_deref())?;
    let page = args.out.as_deref().map(|dir| report::write(dir, data, &ran, settings)).transpose()?;
    output::data(json, "backtest", &ran.summary, || text(&ran.summary))?;
    if let Some(page) = page {
        output::talk(format!("report: {}", page.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A run and what it is held against.
pub(crate) struct Ran {
    /// What it was made of.
    pub(crate) setup: Setup,
    /// The run.
    pub(crate) result: Backtest,
    /// Buying once and holding.
    pub(crate) hold: Baseline,
    /// Holding the quote token.
    pub(crate) cash: Baseline,
    /// What is reported.
    pub(crate) summary: Summary,
}

/// The run, and its line in the trial ledger before anybody sees a figure.
fn logged(data: &Path, span: (u64, u64), file: ModelFile, settings: &Settings, into: Option<&Path>) -> Result<Ran> {
    let ledger = Ledger::open(settings)?;
    let used = serde_json::json!({ "backtest": settings.backtest, "mandate": settings.mandate });
    let trial = Trial::new("backtest", data, span, Some(&file), used)?;
    let outcome = ran(data, span, file, settings, into);
    ledger.append(trial, &outcome, |ran| Ok(figures(&ran.summary)))?;
    outcome
}

/// What the ledger keeps of a run.
fn figures(s: &Summary) -> serde_json::Value {
    let m = &s.strategy;
    serde_json::json!({
        "decisions": s.decisions, "total_return": m.total_return, "max_drawdown": m.max_drawdown, "costs": m.costs, "trades": m.trades,
        "sharpe_per_interval": m.sharpe.map(|v| v.per_interval), "halted_at": s.halted_at, "buy_and_hold": s.buy_and_hold.total_return,
    })
}

fn ran(data: &Path, span: (u64, u64), file: ModelFile, settings: &Settings, into: Option<&Path>) -> Result<Ran> {
    let s = setup(data, span, file, settings)?;
    let result = run_engine(&s.engine, &s.dataset, &s.terms, s.quote, Amount::ZERO)?;
    signals(&s.engine, &Candle::new(&s.file.shape, &s.file.model)?, &result)?;
    let mandate = s.engine.mandate();
    let proved = into.map(|dir| prove(dir, mandate, &s.file.model, &secret::salt(), &result.records, &settings.proof)).transpose()?;
    let (hold, cash) = (buy_and_hold(&s.dataset, &s.terms, s.quote)?, cash(&s.dataset, s.quote)?);
    let summary = Summary {
        data: data.display().to_string(),
        data_sha256: s.dataset.sha256.clone(),
        decisions: result.records.len(),
        missing_bars: s.dataset.gaps.missing,
        failed_orders: result.failed,
        late_orders: result.late,
        dropped_orders: result.dropped,
        refused_orders: result.refused,
        halted_at: result.halted_at,
        assumption: s.terms.assumption(),
        strategy: result.metrics(),
        buy_and_hold: hold.metrics.clone(),
        cash: cash.metrics.clone(),
        proved,
    };
    Ok(Ran { setup: s, result, hold, cash, summary })
}

/// Candle's signals over a run; each must equal the integer twin's.
pub(crate) fn signals(engine: &Engine, candle: &Candle, result: &Backtest) -> Result<Vec<[i32; 3]>> {
    let inputs = inputs(engine, result)?;
    let mut out = Vec::with_capacity(inputs.len());
    for chunk in inputs.chunks(4_096) {
        for (signal, input) in candle.signals(chunk)?.into_iter().zip(chunk) {
            ensure!(signal == engine.signal(input).0, "step {}: candle and the integer engine differ; this is a bug", out.len());
            out.push(signal);
        }
    }
    Ok(out)
}

/// Orders that did not reach the market, where there are any.
fn not_traded(s: &Summary) -> String {
    [(s.late_orders, "came too late"), (s.dropped_orders, "were lost"), (s.refused_orders, "WERE REFUSED BY THE VAULT'S LIMITS")]
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!(", {n} {what}"))
        .collect()
}

/// The summary for people.
pub(crate) fn text(s: &Summary) -> String {
    let percent = |v: f64| format!("{:+.2} %", v * 100.0 + 0.0);
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
        "{}\n{} decisions, {} bars absent, {} orders missed their bound{}{}\n{}\n{table}",
        s.data,
        s.decisions,
        s.missing_bars,
        s.failed_orders,
        not_traded(s),
        s.halted_at.map_or_else(String::new, |k| format!(", halted at decision {k}")),
        s.assumption,
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
