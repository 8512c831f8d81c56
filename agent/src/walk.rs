//! `probity walk-forward`: retrain on what was known, trade what comes after, and again; then hold it against what needs no model.
//!
//! Every part is traded by the integer engine with a model that has seen nothing of it, and goes on with the balances that
//! the part before left. The flat market, the mandate of the settings but for three limits: no drawdown halt (it would start
//! anew with every model), slippage room above the cost, trades of any size.

use crate::cli::WalkForwardArgs;
use crate::ledger::{Ledger, Trial};
use crate::settings::Settings;
use crate::{output, report, strategy_file};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use probity_backtest::{
    Backtest, Baseline, Dataset, EquityPoint, Frictions, Metrics, Ruled, Scale, Terms, Trade, buy_and_hold, cash, moving_average,
    run as run_engine, shifted, utc,
};
use probity_learn::{Series, TrainConfig, quantisation, train_in};
use probity_strategy::{Amount, Engine};
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Bars before each part that warm the features and are not traded.
const HISTORY: usize = 512;
const DAY: u64 = 86_400;

/// One part.
#[derive(Debug, Serialize)]
struct Fold {
    /// First and last decision, unix seconds.
    span: (u64, u64),
    train_bars: usize,
    policies_tried: usize,
    validation_sharpe: f64,
    /// Decisions that quantising changed on this part.
    flips_per_10_000: f64,
    strategy: Metrics,
}

/// A strategy and its figures over the whole.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    metrics: Metrics,
}

/// What random strategies of the same turnover did.
#[derive(Debug, Serialize)]
struct Chance {
    number: usize,
    median_return: f64,
    low_return: f64,
    high_return: f64,
    median_sharpe: f64,
    /// Share of them that returned less than the model, 0 … 1.
    below: f64,
    /// Share of them with a lower Sharpe ratio.
    below_sharpe: f64,
}

/// One cost.
#[derive(Debug, Serialize)]
struct AtCost {
    cost_bps: u16,
    folds: Vec<Fold>,
    rows: Vec<Row>,
    random: Chance,
    #[serde(skip)]
    curves: String,
}

/// The outcome.
#[derive(Debug, Serialize)]
struct Walked {
    version: u16,
    program: &'static str,
    data_sha256: String,
    seed: u64,
    shape: probity_strategy::ModelShape,
    /// First and last decision, unix seconds.
    span: (u64, u64),
    decisions: usize,
    missing_bars: u64,
    average_bars: usize,
    min_activity: f64,
    costs: Vec<AtCost>,
}

/// Runs the command.
pub(crate) fn run(args: &WalkForwardArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    ensure!(
        args.test_days > 0 && args.validation_days > 0 && args.random > 0,
        "--test-days, --validation-days, --random: expected at least 1"
    );
    ensure!(!args.cost_bps.is_empty() && args.cost_bps.iter().all(|c| *c <= 500), "--cost-bps: expected 0 … 500, got {:?}", args.cost_bps);
    if let Some(dir) = &args.out {
        ensure!(!dir.join("walk-forward.json").exists(), "--out {}: holds a walk already; name another folder", dir.display());
        std::fs::create_dir_all(dir).with_context(|| format!("--out {}", dir.display()))?;
    }
    let ledger = Ledger::open(settings)?;
    let used = serde_json::json!({
        "mandate": settings.mandate, "first": args.first, "test_days": args.test_days, "validation_days": args.validation_days,
        "cost_bps": args.cost_bps, "hidden": args.hidden, "linear": args.linear, "max_steps": args.max_steps, "min_activity": args.min_activity,
    });
    let mut trial = Trial::new("walk-forward", &args.data, (0, u64::MAX), None, used)?;
    trial.seed = Some(args.seed);
    let outcome = walked(args, settings);
    ledger.append(trial, &outcome, |w| {
        let tried: usize = w.costs.iter().flat_map(|c| &c.folds).map(|f| f.policies_tried).sum();
        let costs = w.costs.iter().map(|c| serde_json::json!({ "cost_bps": c.cost_bps, "rows": c.rows })).collect::<Vec<_>>();
        Ok(serde_json::json!({ "policies_tried": tried, "costs": costs }))
    })?;
    let done = outcome?;
    if let Some(dir) = &args.out {
        for c in &done.costs {
            report::create(&dir.join(format!("equity-{}.csv", c.cost_bps)), &c.curves)?;
        }
        report::create(&dir.join("walk-forward.json"), &(serde_json::to_string_pretty(&done)? + "\n"))?;
    }
    output::data(json, "walk-forward", &done, || text(&done))?;
    Ok(ExitCode::SUCCESS)
}

fn walked(args: &WalkForwardArgs, settings: &Settings) -> Result<Walked> {
    let data = Dataset::read(&args.data, Scale::default(), None, None).with_context(|| format!("--data {}", args.data.display()))?;
    let series = strategy_file::series_of(&data)?;
    let shape = strategy_file::shape(&args.hidden, args.linear)?;
    let at = |t: u64| data.bars.partition_point(|b| b.open_s < t);
    let first = at(args.first);
    let ends: Vec<u64> = (1..)
        .map(|i| args.first + i * args.test_days * DAY)
        .take_while(|end| {
            // The last part takes what is left of the series.
            data.bars.last().is_some_and(|b| *end <= b.open_s + args.test_days * DAY)
        })
        .collect();
    ensure!(
        first >= HISTORY && first < data.bars.len() && !ends.is_empty(),
        "--first: expected a time within the series, at least {HISTORY} bars after its start"
    );
    let bar = ProgressBar::new(u64::try_from(ends.len() * args.cost_bps.len())?);
    if let Ok(style) = ProgressStyle::with_template("walking {bar:30} {pos}/{len} {elapsed}, {eta} left, {msg}") {
        bar.set_style(style);
    }
    let mut costs = Vec::new();
    for cost_bps in &args.cost_bps {
        let one = One { args, settings, data: &data, series: &series, shape: &shape, first, ends: &ends, cost_bps: *cost_bps };
        costs.push(one.walk(&bar)?);
    }
    bar.finish_and_clear();
    let part = data.part(first..data.bars.len());
    let times = || part.bars.iter().map(|b| b.open_s + u64::from(data.interval_s));
    Ok(Walked {
        version: 1,
        program: env!("CARGO_PKG_VERSION"),
        data_sha256: data.sha256.clone(),
        seed: args.seed,
        shape,
        span: (times().next().unwrap_or(0), times().next_back().unwrap_or(0)),
        decisions: part.bars.len(),
        missing_bars: part.gaps.missing,
        average_bars: args.average,
        min_activity: args.min_activity,
        costs,
    })
}

/// A walk at one cost.
struct One<'a> {
    args: &'a WalkForwardArgs,
    settings: &'a Settings,
    data: &'a Dataset,
    series: &'a Series,
    shape: &'a probity_strategy::ModelShape,
    first: usize,
    ends: &'a [u64],
    cost_bps: u16,
}

impl One<'_> {
    fn walk(&self, bar: &ProgressBar) -> Result<AtCost> {
        let data = self.data;
        let terms: Terms = Frictions { fee_bps: self.cost_bps, slippage_bps: 0, gas_quote: Amount::ZERO }.into();
        let start =
            Amount::new(u128::from(self.settings.backtest.seed_quote_units) * 1_000_000).context("setting backtest.seed_quote_units")?;
        let (mut quote, mut base) = (start, Amount::ZERO);
        let (mut equity, mut trades, mut folds): (Vec<EquityPoint>, Vec<Trade>, Vec<Fold>) = (Vec::new(), Vec::new(), Vec::new());
        let (mut from_s, mut from) = (self.args.first, self.first);
        let mut last: Option<Backtest> = None;
        for end_s in self.ends {
            let to = data.bars.partition_point(|b| b.open_s < *end_s);
            if to <= from {
                from_s = *end_s;
                continue;
            }
            bar.set_message(format!("{} bps, part from {}", self.cost_bps, utc(from_s)));
            let config = TrainConfig {
                seed: self.args.seed,
                validation_from: from_s.saturating_sub(self.args.validation_days * DAY),
                validation_to: from_s,
                cost_bps: self.cost_bps.into(),
                max_steps: self.args.max_steps,
                min_activity: self.args.min_activity,
                ..TrainConfig::default()
            };
            let trained = train_in(self.shape, self.series, &config, None).with_context(|| format!("training before {}", utc(from_s)))?;
            let cost = quantisation(&trained.net, &trained.file, self.series, from_s, *end_s, self.cost_bps.into())?;
            // The bars before the part warm the features. Nothing is traded on them, so the balances are those of the part's start.
            let ran = run_engine(&self.engine(trained.file.model)?, &data.part(from - HISTORY..to), &terms, quote, base)?;
            ensure!(
                ran.trades.iter().all(|t| usize::try_from(t.step).is_ok_and(|s| s >= HISTORY)),
                "a trade in the history: this is a bug"
            );
            (quote, base) = ran.balances;
            let offset = equity.len();
            equity.extend(ran.equity.iter().skip(HISTORY));
            let mut own = Vec::new();
            for t in &ran.trades {
                let step = usize::try_from(t.step)? - HISTORY;
                own.push(Trade { step: u32::try_from(step)?, ..*t });
                trades.push(Trade { step: u32::try_from(step + offset)?, ..*t });
            }
            let part =
                Backtest { equity: ran.equity.get(HISTORY..).unwrap_or(&[]).to_vec(), trades: own, records: Vec::new(), ..ran.clone() };
            folds.push(Fold {
                span: (part.equity.first().map_or(0, |p| p.time_s), part.equity.last().map_or(0, |p| p.time_s)),
                train_bars: trained.report.train_bars,
                policies_tried: trained.report.policies_tried,
                validation_sharpe: trained.report.validation_sharpe,
                flips_per_10_000: cost.flips_per_10_000,
                strategy: part.metrics(),
            });
            last = Some(part);
            (from_s, from) = (*end_s, to);
            bar.inc(1);
        }
        let last = last.context("--first: no bar after it")?;
        let whole = data.part(self.first..data.bars.len());
        let own = Backtest { equity, trades, gaps: whole.gaps, balances: (quote, base), ..last };
        ensure!(
            own.equity.len() == whole.bars.len(),
            "parts of {} decisions do not add up to {}: this is a bug",
            own.equity.len(),
            whole.bars.len()
        );
        self.beside(&own, &whole, &terms, start, folds)
    }

    fn engine(&self, model: probity_strategy::Model) -> Result<Engine> {
        let mut mandate = strategy_file::backtest_mandate(self.settings, self.shape.clone(), self.data.interval_s, 0)?;
        let limits = &mut mandate.limits;
        limits.warmup_steps = u16::try_from(HISTORY)?;
        limits.max_drawdown_bps = 10_000;
        limits.max_slippage_bps = limits.max_slippage_bps.max(self.cost_bps.saturating_add(50));
        limits.max_trade_quote = Amount::new((1 << 80) - 1)?;
        Ok(Engine::new(mandate, model)?)
    }

    fn beside(&self, own: &Backtest, whole: &Dataset, terms: &Terms, start: Amount, folds: Vec<Fold>) -> Result<AtCost> {
        let (hold, cash) = (buy_and_hold(whole, terms, start)?, cash(whole, start)?);
        let average = moving_average(whole, terms, start, self.args.average)?;
        let n = whole.bars.len();
        let mut chance: Vec<Metrics> = Vec::new();
        for i in 0..self.args.random {
            // Evenly spread shifts, none of them near 0.
            let shift = (i + 1) * n / (self.args.random + 1);
            let Ruled { baseline, .. } = shifted(own, whole, terms, start, shift)?;
            chance.push(baseline.metrics);
        }
        let metrics = own.metrics();
        let sharpe = |m: &Metrics| m.sharpe.map_or(0.0, |s| s.annualised);
        let sorted = |f: &dyn Fn(&Metrics) -> f64| {
            let mut v: Vec<f64> = chance.iter().map(f).collect();
            v.sort_by(f64::total_cmp);
            v
        };
        let (returns, sharpes) = (sorted(&|m| m.total_return), sorted(&sharpe));
        let quantile = |v: &[f64], of_40: usize| v.get((v.len() * of_40 / 40).min(v.len().saturating_sub(1))).copied().unwrap_or(0.0);
        let share = |v: &[f64], own: f64| {
            f64::from(u32::try_from(v.iter().filter(|x| **x < own).count()).unwrap_or(0))
                / f64::from(u32::try_from(v.len()).unwrap_or(1).max(1))
        };
        let random = Chance {
            number: chance.len(),
            median_return: quantile(&returns, 20),
            low_return: quantile(&returns, 2),
            high_return: quantile(&returns, 38),
            median_sharpe: quantile(&sharpes, 20),
            below: share(&returns, metrics.total_return),
            below_sharpe: share(&sharpes, sharpe(&metrics)),
        };
        let curves = curves(own, &hold, &cash, &average.baseline)?;
        let rows = [
            ("model, walk-forward".to_owned(), metrics),
            ("buy and hold".to_owned(), hold.metrics),
            ("cash".to_owned(), cash.metrics),
            (format!("above its {}-bar mean", self.args.average), average.baseline.metrics),
        ];
        let rows = rows.into_iter().map(|(name, metrics)| Row { name, metrics }).collect();
        Ok(AtCost { cost_bps: self.cost_bps, folds, rows, random, curves })
    }
}

fn curves(own: &Backtest, hold: &Baseline, cash: &Baseline, average: &Baseline) -> Result<String> {
    let mut text = String::from("time_s,model_quote_raw,weight_bps,buy_and_hold_quote_raw,cash_quote_raw,average_quote_raw\n");
    let beside = hold.equity.iter().skip(1).zip(cash.equity.iter().skip(1)).zip(&average.equity);
    for (p, ((h, c), a)) in own.equity.iter().zip(beside) {
        writeln!(text, "{},{},{},{},{},{}", p.time_s, p.nav, p.weight_bps, h.nav, c.nav, a.nav)?;
    }
    Ok(text)
}

fn text(w: &Walked) -> String {
    let percent = |v: f64| format!("{:+.1} %", v * 100.0 + 0.0);
    let mut out =
        format!("{} to {} UTC, {} decisions, {} bars absent, seed {}\n", utc(w.span.0), utc(w.span.1), w.decisions, w.missing_bars, w.seed);
    for c in &w.costs {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header(["", "return", "max drawdown", "Sharpe, annualised", "mean weight", "turnover", "trades", "costs of start"]);
        for r in &c.rows {
            let m = &r.metrics;
            table.add_row([
                r.name.clone(),
                percent(m.total_return),
                percent(-m.max_drawdown),
                m.sharpe.map_or_else(|| "–".to_owned(), |s| format!("{:.2}", s.annualised)),
                format!("{:.0} %", m.mean_weight * 100.0),
                format!("{:.0} ×", m.turnover),
                m.trades.to_string(),
                percent(-m.costs),
            ]);
        }
        let r = &c.random;
        let flips: f64 =
            c.folds.iter().map(|f| f.flips_per_10_000).sum::<f64>() / f64::from(u32::try_from(c.folds.len()).unwrap_or(1).max(1));
        let _ = write!(
            out,
            "\nCost {} bps, {} trainings:\n{table}\nThe same moves at {} other times: median {}, 90 % of them {} to {}, median Sharpe {:.2}; \
             {:.0} % returned less than the model, {:.0} % had a lower Sharpe ratio.\nQuantising flipped {flips:.1} decisions of 10,000 out of sample.\n",
            c.cost_bps,
            c.folds.len(),
            r.number,
            percent(r.median_return),
            percent(r.low_return),
            percent(r.high_return),
            r.median_sharpe,
            r.below * 100.0,
            r.below_sharpe * 100.0
        );
    }
    out
}
