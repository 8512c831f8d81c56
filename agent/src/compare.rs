//! `probity backtest compare`: the period of a live log, live and backtested, and every unit of the difference explained.
//!
//! First the model decides again on what the log observed: it must decide the same, else it is not the log's model. Then the
//! same days are backtested from the log's first balances. What differs at the end is, by arithmetic, the sum over all
//! decisions of what the two accounts gained differently (at the last price), and what was deposited or withdrawn.

use crate::cli::CompareArgs;
use crate::ledger::{Ledger, Trial};
use crate::settings::Settings;
use crate::{output, secret};
use anyhow::{Context, Result, bail, ensure};
use probity_backtest::{Backtest, Bar, Dataset, Execution, Frictions, Scale, Terms, run_turning as run_engine, utc};
use probity_learn::ModelFile;
use probity_strategy::{Amount, Engine, Model, Order, Price, Record, Side, State};
use probity_verifier::{Line, LogReader, Rotation};
use serde::Serialize;
use std::process::ExitCode;

/// What the two did at one decision, where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Difference {
    step: u32,
    time_s: u64,
    /// Why.
    cause: &'static str,
    live: String,
    backtest: String,
    /// What the live account gained more by it, raw quote at the last price.
    live_gain_quote: i128,
}

/// The comparison.
#[derive(Debug, Serialize)]
struct Compared {
    log: String,
    decisions: usize,
    span: (u64, u64),
    /// Decisions that the model makes differently on the log's own observations: 0 for the log's model.
    not_decided: usize,
    /// Prices of the backtest.
    prices: String,
    assumption: String,
    live_trades: usize,
    live_failed: usize,
    backtest_trades: usize,
    backtest_failed: u32,
    /// Values at the last observation and its price, raw quote.
    live_quote: i128,
    backtest_quote: i128,
    /// Deposits less withdrawals, at the last price.
    flows_quote: i128,
    /// Sum of the differences.
    explained_quote: i128,
    /// What is left: rounding, and the price of the last bar where another series was used.
    rest_quote: i128,
    differences: Vec<Difference>,
}

/// Runs the command.
pub(crate) fn run(args: &CompareArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let ledger = Ledger::open(settings)?;
    let used = serde_json::json!({ "backtest": settings.backtest });
    let trial = Trial::new("compare", args.data.as_deref().unwrap_or(&args.log), (0, u64::MAX), None, used)?;
    let outcome = compared(args, settings);
    ledger.append(trial, &outcome, |c| {
        Ok(serde_json::json!({ "decisions": c.decisions, "not_decided": c.not_decided, "differences": c.differences.len() }))
    })?;
    let done = outcome?;
    output::data(json, "compare", &done, || text(&done))?;
    Ok(if done.not_decided == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn compared(args: &CompareArgs, settings: &Settings) -> Result<Compared> {
    let mut reader = LogReader::open(&args.log).with_context(|| args.log.display().to_string())?;
    let header = reader.header().clone();
    let (mut records, mut rotations): (Vec<Record>, Vec<Rotation>) = (Vec::new(), Vec::new());
    while let Some(line) = reader.next_line()? {
        match line {
            Line::Entry(entry) => records.push(entry.record),
            Line::Announcement(announcement) => rotations.push(announcement.rotation),
            Line::Seal(_) => {}
        }
    }
    ensure!(records.len() >= 2, "{}: expected at least 2 decisions, got {}", args.log.display(), records.len());
    // Weights that never made a decision of this log are not needed.
    rotations.retain(|r| usize::try_from(r.at_step).is_ok_and(|at| at < records.len()));
    let (model, later) = models(args, &rotations)?;
    let engine = Engine::new(header.mandate.clone(), model).context("the model against the log's mandate")?;
    let not_decided = not_decided(&engine, &later, &records)?;
    let data = match &args.data {
        Some(path) => {
            let scale = Scale { quote_decimals: args.quote_decimals, base_decimals: args.base_decimals };
            series(path, scale, &records, engine.mandate().interval_s)?
        }
        None => own_prices(&records, engine.mandate().interval_s),
    };
    let b = &settings.backtest;
    // Gas is paid by the operator, not out of the vault.
    let frictions = Frictions { fee_bps: b.fee_bps, slippage_bps: b.slippage_bps, gas_quote: Amount::ZERO };
    let execution = Execution { gas: None, ..crate::execution::execution(settings, &data)? };
    let terms = Terms { frictions, market: crate::backtest::market(settings, &data)?, execution };
    let first = records.first().context("a first record")?.observation.clone();
    let tested = run_engine(&engine, &later, &data, &terms, first.quote, first.base)?;
    let prices = args.data.as_ref().map_or_else(|| "the log's own".to_owned(), |p| p.display().to_string());
    weigh(args, &records, &tested, not_decided, prices, terms.assumption())
}

/// The model at genesis and those that took over, each with its first decision.
fn models(args: &CompareArgs, rotations: &[Rotation]) -> Result<(Model, Vec<(u32, Model)>)> {
    let opening = match (&args.model, &args.opening, rotations.first()) {
        (Some(_), _, Some(r)) => {
            bail!("--model: other weights make decision {} of this log and those after it; --opening has all of them", r.at_step)
        }
        (Some(path), ..) => return Ok((ModelFile::load(path).context("--model")?.model, Vec::new())),
        (None, Some(path), _) => secret::read_opening(path)?,
        (None, None, _) => bail!("--model or --opening: expected one of them"),
    };
    let (mut then, mut later) = (opening.then, Vec::new());
    for r in rotations {
        let next = then.with_context(|| format!("--opening: expected `then`, the weights behind {}", r.commitment))?;
        later.push((r.at_step, next.model));
        then = next.then;
    }
    Ok((opening.model, later))
}

/// How many decisions the weights make differently on what the log observed.
fn not_decided(engine: &Engine, later: &[(u32, Model)], records: &[Record]) -> Result<usize> {
    let (mut engine, mut state, mut count) = (engine.clone(), State::genesis(engine.mandate()), 0usize);
    for r in records {
        if let Some((_, model)) = later.iter().find(|(at, _)| *at == state.step) {
            engine = Engine::new(engine.mandate().clone(), model.clone()).context("--opening: then: against the log's mandate")?;
        }
        let step = engine.step(&state, &r.observation);
        state = step.next_state;
        count = count.saturating_add(usize::from(step.decision != r.decision));
    }
    Ok(count)
}

/// The log's prices as a series.
fn own_prices(records: &[Record], interval_s: u32) -> Dataset {
    let bars =
        records.iter().map(|r| Bar { open_s: r.observation.time_s.saturating_sub(u64::from(interval_s)), close: r.observation.price_x64 });
    let data = Dataset { sha256: "the log's own prices".into(), interval_s, bars: bars.collect(), gaps: probity_backtest::Gaps::default() };
    // Counts what is absent.
    data.part(0..data.bars.len())
}

/// The bars of another series at the log's decisions, each of which must be there.
fn series(path: &std::path::Path, scale: Scale, records: &[Record], interval_s: u32) -> Result<Dataset> {
    let time = |r: Option<&Record>| r.map_or(0, |r| r.observation.time_s);
    let (first, last) = (time(records.first()), time(records.last()));
    let interval = u64::from(interval_s);
    let data = Dataset::read(path, scale, Some(first.saturating_sub(interval)), Some(last))
        .with_context(|| format!("--data {}", path.display()))?;
    ensure!(data.interval_s == interval_s, "--data: expected bars of {interval_s} s, the log's interval, got {} s", data.interval_s);
    let missing = records.iter().find(|r| data.bars.binary_search_by_key(&(r.observation.time_s - interval), |b| b.open_s).is_err());
    if let Some(r) = missing {
        bail!(
            "--data: expected a bar that closes at {} UTC, the log's decision {}, got none",
            utc(r.observation.time_s),
            r.observation.step
        );
    }
    // No market is that far from itself: these are prices in other units.
    let apart = |r: &&Record| {
        let bar = data.bars.binary_search_by_key(&(r.observation.time_s - interval), |b| b.open_s).ok().and_then(|at| data.bars.get(at));
        bar.is_some_and(|b| {
            b.close.x64().max(r.observation.price_x64.x64()) / b.close.x64().min(r.observation.price_x64.x64()).max(1) >= 10
        })
    };
    if let Some(r) = records.iter().find(apart) {
        bail!(
            "--data: expected prices of the log's market, got one ten times apart at decision {}; --quote-decimals and --base-decimals are those of the \
             log's tokens, 6 and 18 if left out",
            r.observation.step
        );
    }
    let bars = data
        .bars
        .iter()
        .filter(|b| records.binary_search_by_key(&(b.open_s + interval), |r| r.observation.time_s).is_ok())
        .cloned()
        .collect();
    let kept = Dataset { bars, ..data };
    Ok(kept.part(0..kept.bars.len()))
}

/// Changes of quote and base by a fill.
fn gained(side: Side, given: u128, got: u128) -> Result<(i128, i128)> {
    let (given, got) = (i128::try_from(given)?, i128::try_from(got)?);
    Ok(match side {
        Side::Buy => (-given, got),
        Side::Sell => (got, -given),
    })
}

/// Base at a price in quote, towards zero.
fn at_price(base: i128, price: Price) -> Result<i128> {
    let size = probity_backtest::v3::U256::from(base.unsigned_abs()) * probity_backtest::v3::U256::from(price.x64());
    let quote = i128::try_from(u128::try_from(size >> 64usize)?)?;
    Ok(if base < 0 { -quote } else { quote })
}

fn word(order: Option<&Order>, got: Option<u128>) -> String {
    match (order, got) {
        (None, _) => "hold".into(),
        (Some(o), Some(got)) => format!("{:?} {} for {got}", o.side, o.amount_in.raw()).to_lowercase(),
        (Some(o), None) => format!("{:?} {}: not filled", o.side, o.amount_in.raw()).to_lowercase(),
    }
}

fn weigh(
    args: &CompareArgs,
    records: &[Record],
    tested: &Backtest,
    not_decided: usize,
    prices: String,
    assumption: String,
) -> Result<Compared> {
    ensure!(records.len() == tested.records.len(), "the backtest decided {} times, the log {}", tested.records.len(), records.len());
    let (last, tested_last) = (records.last().context("records")?, tested.records.last().context("records")?);
    let price = last.observation.price_x64;
    let worth =
        |quote: Amount, base: Amount| -> Result<i128> { Ok(i128::try_from(quote.raw())? + at_price(i128::try_from(base.raw())?, price)?) };
    let (mut flows, mut explained, mut differences) = ((0i128, 0i128), 0i128, Vec::new());
    let (mut live_trades, mut live_failed) = (0, 0);
    // Decision k shows in observation k+1; the last one's outcome is not in the log and counts for neither.
    for (k, (pair, other)) in records.windows(2).zip(tested.records.windows(2)).enumerate() {
        let ([now, next], [theirs, after]) = (pair, other) else { continue };
        let live = now.decision.order.as_ref();
        let live_got = next.observation.fill.map(|f| f.amount_out.raw()).filter(|_| live.is_some());
        let back = theirs.decision.order.as_ref();
        let back_got = after.observation.fill.map(|f| f.amount_out.raw());
        live_trades += usize::from(live_got.is_some());
        live_failed += usize::from(live.is_some() && live_got.is_none());
        let change = |order: Option<&Order>, got: Option<u128>| match (order, got) {
            (Some(o), Some(got)) => gained(o.side, o.amount_in.raw(), got),
            _ => Ok((0, 0)),
        };
        let (ours, others) = (change(live, live_got)?, change(back, back_got)?);
        let moved = |a: Amount, b: Amount| -> Result<i128> { Ok(i128::try_from(a.raw())? - i128::try_from(b.raw())?) };
        let flow =
            (moved(next.observation.quote, now.observation.quote)? - ours.0, moved(next.observation.base, now.observation.base)? - ours.1);
        flows = (flows.0 + flow.0, flows.1 + flow.1);
        if (live, live_got) == (back, back_got) {
            continue;
        }
        let cause = match (live, back) {
            (Some(a), Some(b)) if a == b && live_got.is_some() && back_got.is_some() => "same order, another fill",
            (Some(a), Some(b)) if a == b && live_got.is_none() => "same order, live it was not filled",
            (Some(a), Some(b)) if a == b => "same order, in the backtest it was not filled",
            (Some(a), Some(b)) if a.side == b.side => "same side, another size: balances or prices had come apart before",
            (Some(_), Some(_)) => "other side: balances or prices had come apart before",
            (Some(_), None) => "only live: balances or prices had come apart before",
            _ => "only in the backtest: balances or prices had come apart before",
        };
        let gain = ours.0 - others.0 + at_price(ours.1 - others.1, price)?;
        explained += gain;
        differences.push(Difference {
            step: u32::try_from(k)?,
            time_s: now.observation.time_s,
            cause,
            live: word(live, live_got),
            backtest: word(back, back_got),
            live_gain_quote: gain,
        });
    }
    let live_quote = worth(last.observation.quote, last.observation.base)?;
    let backtest_quote = worth(tested_last.observation.quote, tested_last.observation.base)?;
    let flows_quote = flows.0 + at_price(flows.1, price)?;
    Ok(Compared {
        log: args.log.display().to_string(),
        decisions: records.len(),
        span: (records.first().map_or(0, |r| r.observation.time_s), last.observation.time_s),
        not_decided,
        prices,
        assumption,
        live_trades,
        live_failed,
        backtest_trades: tested.trades.iter().filter(|t| usize::try_from(t.step).is_ok_and(|s| s + 1 < records.len())).count(),
        backtest_failed: tested.failed,
        live_quote,
        backtest_quote,
        flows_quote,
        explained_quote: explained,
        rest_quote: live_quote - backtest_quote - flows_quote - explained,
        differences,
    })
}

fn text(c: &Compared) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["decision", "UTC", "live", "backtest", "live gained, raw quote", "because"]);
    for d in c.differences.iter().take(60) {
        table.add_row([
            d.step.to_string(),
            utc(d.time_s),
            d.live.clone(),
            d.backtest.clone(),
            d.live_gain_quote.to_string(),
            d.cause.to_owned(),
        ]);
    }
    let more = c.differences.len().saturating_sub(60);
    let rows = [
        ("decisions", format!("{}, {} to {} UTC", c.decisions, utc(c.span.0), utc(c.span.1))),
        ("decided otherwise by this model on the log's observations", c.not_decided.to_string()),
        ("prices of the backtest", c.prices.clone()),
        ("trades, orders not filled: live", format!("{}, {}", c.live_trades, c.live_failed)),
        ("trades, orders not filled: backtest", format!("{}, {}", c.backtest_trades, c.backtest_failed)),
        ("value at the end, raw quote: live, backtest", format!("{}, {}", c.live_quote, c.backtest_quote)),
        ("of the difference: deposits less withdrawals", c.flows_quote.to_string()),
        ("of the difference: the trades below", c.explained_quote.to_string()),
        ("not explained (rounding)", c.rest_quote.to_string()),
    ];
    let tail = if more > 0 { format!("\n… and {more} more (--json has all)") } else { String::new() };
    let head = if c.not_decided > 0 { "THIS MODEL DID NOT MAKE THIS LOG.\n" } else { "" };
    format!("{head}{}\n{table}{tail}\n{}", output::table(&rows.map(|(k, v)| (k.to_owned(), v))), c.assumption)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use probity_backtest::{Feed, Market, Venue};
    use probity_strategy::Fill;
    use probity_verifier::{Header, LogWriter, Reveal, Salt, commit_model};
    use std::path::PathBuf;

    /// A live log, made as a vault would: through a pool, with an order that fails and a deposit.
    fn live(dir: &std::path::Path) -> (CompareArgs, Settings) {
        let settings = crate::settings::load(None, &[("trials.path", dir.join("t.jsonl").display().to_string())]).unwrap().settings;
        let file = crate::strategy_file::model(None).unwrap();
        let (mut state_word, mut cents) = (5u64, 200_000u64);
        let bars = (0..300u64).map(|i| {
            state_word = state_word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            cents = cents * (9_900 + (state_word >> 33) % 201) / 10_000;
            let close = probity_backtest::price_from_decimal(&format!("{}.{:02}", cents / 100, cents % 100), Scale::default()).unwrap();
            Bar { open_s: 1_700_000_100 + i * 300, close }
        });
        let data = Dataset { sha256: String::new(), interval_s: 300, bars: bars.collect(), gaps: probity_backtest::Gaps::default() };
        let mandate = crate::strategy_file::backtest_mandate(&settings, file.shape.clone(), 300, 1_700_000_100).unwrap();
        let salt = Salt::new([7; 32]);
        let header = Header::new(mandate.clone(), commit_model(&file.shape, &file.model, &salt));
        let log = dir.join("live.jsonl");
        let mut writer = LogWriter::create(&log, &header, false).unwrap();
        let engine = Engine::new(mandate, file.model.clone()).unwrap();
        let frictions = Frictions { fee_bps: 5, slippage_bps: 0, gas_quote: Amount::ZERO };
        let terms = Terms {
            frictions,
            market: Market::ConstantLiquidity { liquidity: 1_000_000_000_000_000_000 },
            execution: Execution::default(),
        };
        let mut venue = Venue::new(&terms, true, 100_000_000_000, 0).unwrap();
        let (mut state, mut fill, mut orders) = (State::genesis(engine.mandate()), None, 0);
        for (k, q) in Feed::of(&data, true).quotes.iter().enumerate() {
            venue.settle(q).unwrap();
            if k == 150 {
                venue.quote += 5_000_000_000;
            }
            let (quote, base) = (Amount::new(venue.quote).unwrap(), Amount::new(venue.base).unwrap());
            let step = engine.step(&state, &q.observe(state.step, quote, base, Amount::saturating(1_000), fill.take()));
            if let Some(order) = step.decision.order {
                orders += 1;
                // The third order never reaches the chain.
                if orders != 3 {
                    fill = venue.execute(&order, q.price_x64).map(|o| Fill { amount_out: Amount::new(o.amount_out).unwrap() });
                }
            }
            writer.append(&step.record).unwrap();
            state = step.next_state;
        }
        assert!(orders > 20, "{orders}");
        let opening: PathBuf = dir.join("opening.json");
        secret::write_opening(&opening, &Reveal { model: file.model, salt, then: None }).unwrap();
        (CompareArgs { log, model: None, opening: Some(opening), data: None, quote_decimals: 6, base_decimals: 18 }, settings)
    }

    #[test]
    fn every_unit_of_the_difference_is_explained() {
        let dir = tempfile::tempdir().unwrap();
        let (args, settings) = live(dir.path());
        let c = compared(&args, &settings).unwrap();
        assert_eq!((c.decisions, c.not_decided, c.live_failed), (300, 0, 1));
        assert!(c.flows_quote == 5_000_000_000 && c.live_quote != c.backtest_quote);
        assert_eq!(c.differences.first().unwrap().cause, "same order, another fill");
        assert!(c.differences.iter().any(|d| d.cause == "same order, live it was not filled" || d.live.contains("not filled")));
        // Rounding of a price times a balance, once a difference.
        assert!(
            c.rest_quote.unsigned_abs() <= u128::try_from(c.differences.len() + 3).unwrap(),
            "{} of {}",
            c.rest_quote,
            c.live_quote - c.backtest_quote
        );

        // Another model decides otherwise, and that is said.
        let mut file = crate::strategy_file::model(None).unwrap();
        file.model.policy.band_bps += 300;
        let path = dir.path().join("other.json");
        file.save(&path).unwrap();
        let other = CompareArgs { model: Some(path), opening: None, ..args };
        assert!(compared(&other, &settings).unwrap().not_decided > 0);
        // A series that does not cover the log is refused by the decision it lacks.
        let csv = dir.path().join("bars.csv");
        std::fs::write(
            &csv,
            "ts_ms,open,high,low,close,volume\n1700000100000,2000,2000,2000,2000,1\n1700000400000,2000,2000,2000,2000,1\n",
        )
        .unwrap();
        let error = compared(&CompareArgs { data: Some(csv.clone()), ..other.clone() }, &settings).unwrap_err().to_string();
        assert!(error.contains("decision 2"), "{error}");
        // So is one in other units than the log's.
        let rows = (0..300u64).map(|i| format!("{},2000,2000,2000,2000,1\n", (1_700_000_100 + i * 300) * 1_000));
        std::fs::write(&csv, format!("ts_ms,open,high,low,close,volume\n{}", rows.collect::<String>())).unwrap();
        let error = compared(&CompareArgs { data: Some(csv), base_decimals: 16, ..other }, &settings).unwrap_err().to_string();
        assert!(error.contains("--base-decimals") && error.contains("ten times apart"), "{error}");
    }
}
