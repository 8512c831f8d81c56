//! How fast: decisions a second on one thread, and swaps a second through the exact pool.
//!
//! `speed [--data FILE] [--model FILE] [--out FILE]`; without data a simulated series that says so. Medians of seven
//! rounds, wall clock: on a busy machine they are lower bounds.
#![expect(clippy::print_stdout, reason = "a command-line example")]

use probity_backtest::v3::{Direction, Exact, Pool, U256, sqrt_ratio_at_tick};
use probity_backtest::{
    Bar, Dataset, Feed, Frictions, Gaps, Grid, Market, Ruled, Scale, Terms, moving_average, moving_average_of, price_from_decimal, run,
    sweep,
};
use probity_strategy::{Amount, Engine, Limits, Mandate, Model, ModelShape, Price, ProofEngine, State};
use std::{collections::BTreeMap, hint::black_box, path::Path, time::Instant};

type Failure = Box<dyn std::error::Error>;

#[derive(serde::Deserialize)]
struct File {
    shape: ModelShape,
    model: Model,
}

#[derive(serde::Serialize)]
struct Figure {
    what: &'static str,
    unit: &'static str,
    median: f64,
    best: f64,
    /// The same by the time that the threads at work were on a processor: what other programs take away is left out. None
    /// where the system does not tell.
    on_cpu: Option<f64>,
}

/// Nanoseconds this thread has been on a processor, as Linux counts them.
fn on_cpu() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// The same of all threads of this process that are alive.
fn on_cpu_all() -> Option<f64> {
    let of = |task: std::fs::DirEntry| -> Option<f64> {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Some(std::fs::read_dir("/proc/self/task").ok()?.filter_map(|t| of(t.ok()?)).sum())
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options: BTreeMap<&str, &str> = words.chunks(2).filter_map(|p| Some((p.first()?.as_str(), p.get(1)?.as_str()))).collect();
    let model = options.get("--model").copied().unwrap_or("strategy/learn/models/default.json");
    let file: File = serde_json::from_slice(&std::fs::read(model)?)?;
    let (data, source) = match options.get("--data") {
        Some(path) => (Dataset::read(Path::new(path), Scale::default(), None, None)?, (*path).to_owned()),
        None => (simulated()?, "SIMULATED series".to_owned()),
    };
    let engine = Engine::new(mandate(file.shape, data.interval_s, &data), file.model)?;
    let flat: Terms = Frictions { fee_bps: 5, slippage_bps: 0, gas_quote: Amount::ZERO }.into();
    let pool = Terms { market: Market::ConstantLiquidity { liquidity: 12_453_647_101_533_358_277 }, ..flat.clone() };
    let quote = Amount::new(100_000_000_000)?;
    let records = run(&engine, &data, &flat, quote, Amount::ZERO)?.records;
    let n = u32::try_from(records.len())?;
    let feed = Feed::of(&data, true);

    let mut figures = vec![
        rate("engine steps over recorded observations", n, || {
            let mut state = State::genesis(engine.mandate());
            for record in &records {
                state = engine.step(&state, &record.observation).next_state;
            }
            black_box(state);
            Ok(())
        })?,
        rate("backtest decisions, flat market", n, || {
            black_box(run(&engine, &data, &flat, quote, Amount::ZERO)?);
            Ok(())
        })?,
        rate("backtest decisions, through a pool", n, || {
            black_box(run(&engine, &data, &pool, quote, Amount::ZERO)?);
            Ok(())
        })?,
        swaps("v3 swaps within a range", 0)?,
        swaps("v3 swaps across ten ticks", 10)?,
        multiply_adds()?,
        // Processor time is counted in ticks of milliseconds: often enough that they do not matter.
        // Peers get the pool's price at each close ready made, so this does too.
        rate("bars, rule above the mean of 720", n * REPEATS, || {
            for _ in 0..REPEATS {
                black_box(moving_average_of(&feed, &data, &flat, quote, MEAN)?);
            }
            Ok(())
        })?,
        rate("bars, their price in the pool and the rule", n * REPEATS, || {
            for _ in 0..REPEATS {
                black_box(moving_average(&data, &flat, quote, MEAN)?);
            }
            Ok(())
        })?,
    ];
    let rule = moving_average(&data, &flat, quote, MEAN)?;
    if let Some(out) = options.get("--bars-out") {
        let mut text = String::from("time_s,signal,price\n");
        for (q, bar) in feed.quotes.iter().zip(&data.bars) {
            text += &format!("{},{:.8},{:.12}\n", q.time_s, price(bar.close), price(q.price_x64));
        }
        std::fs::write(out, text)?;
    }
    let sweeps = sweeps(&engine, &data, &flat, quote)?;
    figures.extend(sweeps);
    let median = |what: &str| figures.iter().find(|f| f.what.starts_with(what)).map_or(0.0, |f| f.median);
    let own = |what: &str| figures.iter().find(|f| f.what.starts_with(what)).and_then(|f| f.on_cpu);
    let macs = f64::from(u32::try_from(engine.mandate().model.weights())?);
    let keys = serde_json::json!({
        "decisions_per_s": median("engine steps"), "share_of_limit": median("engine steps") * macs / median("multiply-adds"),
        "backtest_decisions_per_s": median("backtest decisions, flat"), "swaps_per_s": median("v3 swaps within"),
        "swaps10_per_s": median("v3 swaps across"), "rule_s": f64::from(n) / median("bars, rule"), "rule_cpu_s": own("bars, rule").map(|r| f64::from(n) / r),
        "rule_and_prices_cpu_s": own("bars, their price").map(|r| f64::from(n) / r),
        "sweep_1000_s": 1_000.0 / median("strategies swept, one thread"),
        "sweep_scaling_1_to_2": median("strategies swept, two threads") / median("strategies swept, one thread"),
        "sweep_1000_cpu_s": own("strategies swept, one thread").map(|r| 1_000.0 / r),
        "sweep_cpu_s_2_over_1": own("strategies swept, one thread").zip(own("strategies swept, two threads")).map(|(a, b)| a / b),
        "decisions_per_cpu_s": own("engine steps"), "swaps_per_cpu_s": own("v3 swaps within"), "swaps10_per_cpu_s": own("v3 swaps across"),
        "share_of_limit_on_cpu": own("engine steps").zip(own("multiply-adds")).map(|(a, b)| a * macs / b),
    });
    let report = serde_json::json!({
        "version": 1, "keys": keys,
        "rule": { "bars": MEAN, "fee_bps": 5, "trades": rule.trades.len(), "last_value": last(&rule) }, "data": source, "data_sha256": data.sha256, "bars": data.bars.len(), "threads": 1,
        "machine": machine(), "figures": figures,
    });
    let text = serde_json::to_string_pretty(&report)?;
    if let Some(out) = options.get("--out") {
        if let Some(folder) = Path::new(out).parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(out, format!("{text}\n"))?;
    }
    println!("{text}");
    Ok(())
}

/// Bars of the mean of the rule that peers run too.
const MEAN: usize = 720;
/// Runs of the rule in one round.
const REPEATS: u32 = 10;

/// USDC for one WETH.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for other programs, which count in doubles")]
fn price(price: Price) -> f64 {
    price.x64() as f64 / 18_446_744_073_709_551_616.0 * 1e12
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for other programs, which count in doubles")]
fn last(rule: &Ruled) -> f64 {
    rule.baseline.equity.last().map_or(0.0, |p| p.nav as f64) / 1e6
}

/// The machine's limit: sums of products of 16-bit numbers that lie in the first cache, as fast as the compiler makes them.
fn multiply_adds() -> Result<Figure, Failure> {
    const WIDTH: usize = 2_048;
    let a: Vec<i16> = (0..WIDTH).map(|i| i16::try_from(i % 127).unwrap_or(0)).collect();
    let b: Vec<i16> = (0..WIDTH).map(|i| i16::try_from(i * 7 % 127).unwrap_or(0)).collect();
    let rounds = 20_000u32;
    rate("multiply-adds, the machine's limit", rounds * u32::try_from(WIDTH)?, || {
        for _ in 0..rounds {
            let (a, b) = (black_box(&a), black_box(&b));
            black_box(a.iter().zip(b.iter()).fold(0i32, |s, (x, y)| s.wrapping_add(i32::from(*x).wrapping_mul(i32::from(*y)))));
        }
        Ok(())
    })
}

/// A thousand strategies over the series would take minutes here: 64 are timed, on one thread and on two.
fn sweeps(engine: &Engine, data: &Dataset, terms: &Terms, quote: Amount) -> Result<Vec<Figure>, Failure> {
    let grid =
        Grid { gain: (1..=8).map(|i| f64::from(i) / 4.0).collect(), band_bps: (1..=8).map(|i| i * 100).collect(), ..Grid::default() };
    let jobs = grid.jobs(engine.model(), terms, data.bars.len())?;
    let count = u32::try_from(jobs.len())?;
    let mut out = Vec::new();
    for (what, threads) in [("strategies swept, one thread", 1), ("strategies swept, two threads", 2)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        out.push(rate_of(3, on_cpu_all, what, count, || {
            black_box(pool.install(|| sweep(engine.mandate(), engine.model(), data, terms, quote, &jobs, &|| ()))?);
            Ok(())
        })?);
    }
    Ok(out)
}

/// Rounds of `count` pieces of work each, in pieces a second.
fn rate(what: &'static str, count: u32, work: impl FnMut() -> Result<(), Failure>) -> Result<Figure, Failure> {
    rate_of(7, on_cpu, what, count, work)
}

fn rate_of(
    rounds: usize,
    on_cpu: impl Fn() -> Option<f64>,
    what: &'static str,
    count: u32,
    mut work: impl FnMut() -> Result<(), Failure>,
) -> Result<Figure, Failure> {
    work()?;
    let (mut rates, mut own) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (start, before) = (Instant::now(), on_cpu());
        work()?;
        rates.push(f64::from(count) / start.elapsed().as_secs_f64());
        own.extend(before.zip(on_cpu()).map(|(a, b)| f64::from(count) / ((b - a) / 1e9)));
    }
    rates.sort_by(f64::total_cmp);
    own.sort_by(f64::total_cmp);
    let on_cpu = own.get(own.len() / 2).copied();
    let at = |i: usize| rates.get(i).copied().unwrap_or(0.0);
    Ok(Figure { what, unit: "1/s", median: at(rounds / 2), best: at(rounds - 1), on_cpu })
}

/// Swaps there and back in a pool with a position between every two usable ticks.
fn swaps(what: &'static str, ticks: i32) -> Result<Figure, Failure> {
    let centre = 199_980;
    // Halfway between two ticks, as a price mostly is.
    let halfway = |tick| -> Result<U256, Failure> { Ok((sqrt_ratio_at_tick(tick)? + sqrt_ratio_at_tick(tick + 1)?) >> 1usize) };
    let mut pool = Pool::new(500, 10, halfway(centre)?)?;
    for i in -100..100 {
        pool.provide(centre + i * 10, centre + i * 10 + 10, 10_000_000_000_000_000_000 + i128::from(i))?;
    }
    let span = ticks * 10;
    let up = if span == 0 { 5 } else { span };
    let there = pool.quote(Direction::OneForZero, Exact::In(u128::MAX), Some(halfway(pool.tick() + up)?))?;
    if there.crossed != u32::try_from(ticks)? {
        return Err(format!("the swap crosses {} ticks, not {ticks}", there.crossed).into());
    }
    let back = {
        let mut moved = pool.clone();
        moved.swap(Direction::OneForZero, Exact::In(there.amount_in), None)?;
        moved.quote(Direction::ZeroForOne, Exact::In(u128::MAX), Some(pool.sqrt_price()))?.amount_in
    };
    rate(what, 400_000, || {
        for _ in 0..200_000 {
            black_box(pool.swap(Direction::OneForZero, Exact::In(black_box(there.amount_in)), None)?);
            black_box(pool.swap(Direction::ZeroForOne, Exact::In(black_box(back)), None)?);
        }
        Ok(())
    })
}

fn simulated() -> Result<Dataset, Failure> {
    let mut state = 7u64;
    let mut cents = 200_000u64;
    let mut bars = Vec::new();
    for i in 0..64_524u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cents = (cents * (9_950 + (state >> 33) % 101) / 10_000).clamp(20_000, 900_000);
        let close = price_from_decimal(&format!("{}.{:02}", cents / 100, cents % 100), Scale::default()).ok_or("a price")?;
        bars.push(Bar { open_s: 1_500_000_000 / 3_600 * 3_600 + i * 3_600, close });
    }
    Ok(Dataset { sha256: "none".into(), interval_s: 3_600, bars, gaps: Gaps::default() })
}

fn mandate(shape: ModelShape, interval_s: u32, data: &Dataset) -> Mandate {
    let limits = Limits {
        max_weight_bps: 9_500,
        max_trade_bps: 2_500,
        min_trade_bps: 50,
        max_turnover_bps: 20_000,
        turnover_window_steps: 48,
        max_drawdown_bps: 10_000,
        max_slippage_bps: 100,
        max_trade_quote: Amount::saturating(50_000_000_000),
        warmup_steps: 12,
    };
    Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "00".repeat(20)),
        pool: format!("0x{}", "00".repeat(20)),
        base_is_token1: true,
        interval_s,
        genesis_time_s: data.bars.first().map_or(0, |b| b.open_s),
        decisions_per_fold: 4,
        proof_engine: ProofEngine::Transparent,
        model: shape,
        limits,
    }
}

/// Name of the processor and how busy the machine is.
fn machine() -> serde_json::Value {
    let field = |file: &str, name: &str| -> Option<String> {
        let text = std::fs::read_to_string(file).ok()?;
        Some(text.lines().find(|l| l.starts_with(name))?.split(':').next_back()?.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    serde_json::json!({ "processor": field("/proc/cpuinfo", "model name"), "cores": cores, "load": field("/proc/loadavg", "") })
}
