//! Baselines, critic, sweeps and other file formats over one made-up series; no market.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use common::{engine_of, open_limits, series};
use probity_backtest::{
    Dataset, Frictions, Grid, Market, Scale, Terms, Timing, buy_and_hold, chosen, critic, moving_average, run, run_in, shifted, sweep,
};
use probity_strategy::{Amount, Engine, Limits, Model, ModelShape, PolicyParams};

fn data(bars: u64) -> Dataset {
    let (mut state, mut cents) = (3u64, 200_000u64);
    let closes = (0..bars).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cents = (cents * (9_900 + (state >> 33) % 201) / 10_000).clamp(50_000, 900_000);
        format!("{}.{:02}", cents / 100, cents % 100)
    });
    series(1_600_000_000 / 3_600 * 3_600, 3_600, closes)
}

/// A network of one layer that buys what has risen.
fn engine() -> Engine {
    let shape = ModelShape { dims: vec![16, 3], shifts: vec![], recurrent: None };
    let mut weights = vec![0i8; 48];
    (weights[3], weights[35], weights[47]) = (-90, 90, 5);
    let policy = PolicyParams { gain: 20_000, band_gain: 0, band_bps: 200, max_step_bps: 2_500, cooldown_steps: 1 };
    let model = Model { scales: [3_000; 16], weights, biases: vec![0; 3], policy };
    let limits =
        Limits { max_weight_bps: 9_500, max_slippage_bps: 60, max_trade_quote: Amount::saturating(50_000_000_000), ..open_limits() };
    engine_of(shape, model, limits, 3_600)
}

fn terms(fee_bps: u16) -> Terms {
    Frictions { fee_bps, slippage_bps: 0, gas_quote: Amount::ZERO }.into()
}

const QUOTE: u64 = 100_000_000_000;
const LIQUIDITY: u128 = 12_453_647_101_533_358_277;

#[test]
fn rules_trade_in_the_same_market_and_see_no_future() {
    let (data, quote) = (data(3_000), Amount::saturating(QUOTE.into()));
    let rule = moving_average(&data, &terms(5), quote, 200).unwrap();
    assert_eq!(rule.baseline.equity.len(), 3_000);
    assert!(rule.trades.len() > 10 && rule.baseline.metrics.costs > 0.0);
    assert!(rule.trades.iter().all(|t| t.step >= 199));
    // The last thousand bars do not change what was done before them.
    let part = moving_average(&data.part(0..2_000), &terms(5), quote, 200).unwrap();
    assert_eq!(part.baseline.equity[..], rule.baseline.equity[..2_000]);
    // Without costs, holding from the first bar is what the rule "above the mean of one close, never below it" cannot do, so
    // compare sums instead: cash plus trades add up to the last value.
    let free = moving_average(&data, &terms(0), quote, 200).unwrap();
    assert!(free.baseline.equity.last().unwrap().nav > rule.baseline.equity.last().unwrap().nav);

    let own = run(&engine(), &data, &terms(5), quote, Amount::ZERO).unwrap();
    assert!(own.trades.len() > 100);
    let same = shifted(&own, &data, &terms(5), quote, 0).unwrap();
    let other = shifted(&own, &data, &terms(5), quote, 700).unwrap();
    let close = |a: f64, b: f64, by: f64| (a / b - 1.0).abs() < by;
    assert!(close(same.baseline.metrics.turnover, own.metrics().turnover, 0.02), "not shifted, it is the run itself but for rounding");
    assert!((same.baseline.metrics.total_return - own.metrics().total_return).abs() < 0.02);
    assert!(close(other.baseline.metrics.turnover, own.metrics().turnover, 0.35));
    assert_ne!(other.baseline.equity, same.baseline.equity);
}

#[test]
fn late_orders_fill_at_the_next_close_or_fail_by_their_bound() {
    let (data, quote) = (data(1_500), Amount::saturating(QUOTE.into()));
    let on_time = run(&engine(), &data, &terms(5), quote, Amount::ZERO).unwrap();
    let late = run_in(&engine(), &data, &terms(5), quote, Amount::ZERO, Timing::NextClose).unwrap();
    assert_eq!(on_time.failed, 0);
    // 60 bps against moves of up to 100 and the fee: some miss, most do not.
    assert!(late.failed > 0 && usize::try_from(late.failed).unwrap() < late.trades.len(), "{} {}", late.failed, late.trades.len());
    let first = late.trades.first().unwrap();
    let at = usize::try_from(first.step).unwrap();
    assert_eq!(late.records[at + 1].observation.fill.unwrap().amount_out.raw(), first.amount_out);
    assert_eq!(late.records[at].observation.fill, None);
    // Nothing is lost on the way: the balances at the end are what the trades left.
    let sum = |side, f: fn(&probity_backtest::Trade) -> u128| late.trades.iter().filter(|t| t.side == side).map(f).sum::<u128>();
    use probity_strategy::Side::{Buy, Sell};
    let got = u128::from(QUOTE) + sum(Sell, |t| t.amount_out) - sum(Buy, |t| t.amount_in.raw());
    assert_eq!((late.balances.0.raw(), late.balances.1.raw()), (got, sum(Buy, |t| t.amount_out) - sum(Sell, |t| t.amount_in.raw())));
}

#[test]
fn the_critic_sees_costs_sizes_and_neighbours() {
    let (data, quote) = (data(3_000), Amount::saturating(QUOTE.into()));
    let (engine, terms) = (engine(), terms(10));
    let result = run(&engine, &data, &terms, quote, Amount::ZERO).unwrap();
    let hold = buy_and_hold(&data, &terms, quote).unwrap();
    let c = critic(&engine, &data, &terms, quote, &result, &hold, LIQUIDITY).unwrap();
    assert_eq!((c.parameters, c.observations), (48 + 3 + 16 + 5, 3_000));
    assert_eq!(c.costs.iter().map(|k| k.times).collect::<Vec<_>>(), [0.0, 0.5, 1.0, 2.0, 4.0]);
    assert!(c.costs.windows(2).all(|w| w[0].total_return > w[1].total_return), "dearer is worse: {:?}", c.costs);
    assert!((c.costs[2].total_return - result.metrics().total_return).abs() < 1e-12);
    assert_eq!(c.capacity.len(), 5);
    assert!(c.capacity.windows(2).all(|w| w[0].quote * 10 == w[1].quote));
    assert!(c.capacity[1].total_return > c.capacity[2].total_return && c.capacity[1].cost_bps < c.capacity[2].cost_bps);
    assert!(c.capacity[4].failed > 0, "a pool of this depth cannot fill a billion: {:?}", c.capacity);
    let o = c.overfitting.unwrap();
    assert_eq!((o.strategies, o.splits), (18, 924));
    assert!(c.fills.late_failed > 0 && c.fills.after_gap == 0);
    assert!(c.crises.len() == 3 && c.crises[0].hold < 0.0, "only the market's own worst months lie in this series: {:?}", c.crises);
    // In a pool of a given depth the costs are scaled, the pool stays.
    let pool = Terms { market: Market::ConstantLiquidity { liquidity: LIQUIDITY }, ..terms };
    let result = run(&engine, &data, &pool, quote, Amount::ZERO).unwrap();
    let c = critic(&engine, &data, &pool, quote, &result, &hold, 1).unwrap();
    assert!((c.capacity[0].total_return - result.metrics().total_return).abs() < 1e-12);
}

#[test]
fn a_sweep_is_the_same_whatever_the_threads_and_the_cut() {
    let (data, quote, engine) = (data(1_200), Amount::saturating(QUOTE.into()), engine());
    let grid = Grid {
        gain: vec![0.5, 1.0],
        band_bps: vec![100, 400],
        cooldown_steps: vec![0, 3],
        fee_bps: vec![5, 30],
        windows: 3,
        ..Grid::default()
    };
    let terms = terms(5);
    let jobs = grid.jobs(engine.model(), &terms, data.bars.len()).unwrap();
    assert_eq!((jobs.len(), jobs[47].window), (48, 2));
    let go = |jobs: &[probity_backtest::Job]| sweep(engine.mandate(), engine.model(), &data, &terms, quote, jobs, &|| ()).unwrap();
    let all = go(&jobs);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| go(&jobs)), all);
    assert_eq!([go(&jobs[..20]), go(&jobs[20..])].concat(), all);
    assert!(all.iter().enumerate().all(|(i, l)| l.index == i));
    // A line is what a run of its own gives.
    let own = jobs.iter().find(|j| j.window == 1 && j.fee_bps == 5 && (j.gain - 1.0).abs() < 1e-12).unwrap().index + 2;
    let mut model = engine.model().clone();
    (model.policy.band_bps, model.policy.cooldown_steps) = (all[own].band_bps, all[own].cooldown_steps);
    let alone = run(&Engine::new(engine.mandate().clone(), model).unwrap(), &data.part(400..800), &terms, quote, Amount::ZERO).unwrap();
    assert_eq!((all[own].total_return, all[own].trades), (alone.metrics().total_return, alone.trades.len()));
    assert_eq!(chosen(&all).unwrap().strategies, 8);
    assert!(Grid { windows: 100, ..grid.clone() }.jobs(engine.model(), &terms, 1_200).is_err());
    assert!(Grid { gain: vec![f64::NAN], ..grid }.jobs(engine.model(), &terms, 1_200).is_err());
}

/// The same bars as CSV and as Parquet: plain doubles and milliseconds, and a timestamp.
#[test]
fn parquet_is_read_as_the_same_bars() {
    use parquet::data_type::{DoubleType, Int64Type};
    use parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    use parquet::schema::parser::parse_message_type;
    let dir = tempfile::tempdir().unwrap();
    let times = [0i64, 3_600_000, 10_800_000];
    let rows = [
        [1_999.5, 2_010.25, 1_990.0, 2_000.1, 12.5],
        [2_000.1, 2_000.1, 1_900.0, 1_950.0, 0.0],
        [1_950.0, 2_100.0, 1_940.0, 2_050.75, 3.0],
    ];
    let mut text = String::from("ts_ms,open,high,low,close,volume\n");
    for (t, r) in times.iter().zip(&rows) {
        text += &format!("{t},{},{},{},{},{}\n", r[0], r[1], r[2], r[3], r[4]);
    }
    let csv = dir.path().join("bars.csv");
    std::fs::write(&csv, text).unwrap();
    let expected = Dataset::read(&csv, Scale::default(), None, None).unwrap();
    assert_eq!((expected.gaps.missing, expected.interval_s), (1, 3_600));
    for (kind, compression) in [
        ("INT64 ts_ms", parquet::basic::Compression::SNAPPY),
        ("INT64 ts_ms (TIMESTAMP_MILLIS)", parquet::basic::Compression::UNCOMPRESSED),
    ] {
        let schema = format!(
            "message bars {{ required {kind}; required DOUBLE volume; required DOUBLE open; required DOUBLE high; required DOUBLE low; required DOUBLE close; }}"
        );
        let path = dir.path().join("bars.parquet");
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = SerializedFileWriter::new(
            std::fs::File::create(&path).unwrap(),
            parse_message_type(&schema).unwrap().into(),
            properties.into(),
        )
        .unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&times, None, None).unwrap();
        column.close().unwrap();
        for i in [4, 0, 1, 2, 3] {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<DoubleType>().write_batch(&rows.map(|r| r[i]), None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        let read = Dataset::read(&path, Scale::default(), None, None).unwrap();
        assert_eq!((read.bars, read.gaps, read.interval_s), (expected.bars.clone(), expected.gaps, expected.interval_s));
        assert!(probity_backtest::examine(&path).unwrap().sound());
    }
    let torn = dir.path().join("torn.parquet");
    std::fs::write(&torn, b"PAR1 and nothing else").unwrap();
    let error = Dataset::read(&torn, Scale::default(), None, None).unwrap_err().to_string();
    assert!(error.starts_with("Parquet file"), "{error}");
}
