//! The accounts balance, nothing looks ahead, everything repeats, and the real series runs.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may panic and report")]

mod common;
#[path = "common/waves.rs"]
mod restless;

use probity_backtest::{Dataset, Execution, Feed, Frictions, Market, Scale, Terms, Venue, buy_and_hold, price_from_decimal, run, v3};
use probity_strategy::{Amount, Order, Side};
use restless::{engine, million, waves};
use std::path::PathBuf;

fn frictions(bps: u16) -> Frictions {
    Frictions { fee_bps: bps, slippage_bps: 2, gas_quote: Amount::new(50_000).unwrap() }
}

#[test]
fn accounts_are_conserved() {
    let result = run(&engine(300), &waves(400), &frictions(5).into(), million(), Amount::ZERO).unwrap();
    assert!(result.trades.len() > 10 && result.trades.iter().any(|t| t.side == Side::Sell));
    let (mut quote, mut base) = (million().raw(), 0u128);
    for t in &result.trades {
        match t.side {
            Side::Buy => (quote, base) = (quote - t.amount_in.raw() - 50_000, base + t.amount_out),
            Side::Sell => (quote, base) = (quote + t.amount_out - 50_000, base - t.amount_in.raw()),
        }
        // The next observation shows exactly these accounts and this fill.
        let after = &result.records.get(usize::try_from(t.step).unwrap() + 1);
        if let Some(record) = after {
            assert_eq!((record.observation.quote.raw(), record.observation.base.raw()), (quote, base));
            assert_eq!(record.observation.fill.unwrap().amount_out.raw(), t.amount_out);
        }
        assert!(t.cost_quote >= t.size_quote * 5 / 10_000);
    }
}

#[test]
fn nothing_looks_ahead_and_everything_repeats() {
    let data = waves(200);
    let first = run(&engine(300), &data, &frictions(5).into(), million(), Amount::ZERO).unwrap();
    let again = run(&engine(300), &data, &frictions(5).into(), million(), Amount::ZERO).unwrap();
    assert_eq!(serde_json::to_vec(&first).unwrap(), serde_json::to_vec(&again).unwrap());
    for k in [0usize, 1, 20, 77, 150, 198] {
        let mut changed = data.clone();
        for bar in changed.bars.iter_mut().skip(k + 1) {
            bar.close = price_from_decimal("900.5", Scale::default()).unwrap();
        }
        let other = run(&engine(300), &changed, &frictions(5).into(), million(), Amount::ZERO).unwrap();
        assert_eq!(first.records.get(..=k), other.records.get(..=k));
        assert_ne!(first.records.get(k + 1), other.records.get(k + 1));
    }
}

#[test]
fn an_order_below_its_minimum_fails_and_costs_nothing() {
    let mut venue = Venue::flat(frictions(30), million().raw(), 0);
    let before = venue.clone();
    let price = price_from_decimal("2000", Scale::default()).unwrap();
    let order = |min_out| Order { side: Side::Buy, amount_in: Amount::new(2_000_000_000).unwrap(), min_out };
    assert_eq!(venue.execute(&order(999_000_000_000_000_000), price), None);
    assert_eq!(venue, before);
    let done = venue.execute(&order(996_000_000_000_000_000), price).unwrap();
    assert_eq!(venue.quote, before.quote - 2_000_000_000 - 50_000);
    assert_eq!(venue.base, done.amount_out);
}

fn terms(market: Market) -> Terms {
    Terms {
        frictions: Frictions { fee_bps: 5, slippage_bps: 0, gas_quote: Amount::new(50_000).unwrap() },
        market,
        execution: Execution::default(),
    }
}

#[test]
fn a_pool_costs_its_fee_and_the_impact_of_the_order() {
    let feed = Feed::of(&waves(2), true);
    let quoted = feed.quotes.first().unwrap();
    let order = |side, amount| Order { side, amount_in: Amount::new(amount).unwrap(), min_out: 0 };
    let fill = |market, mirrored, order: &Order| {
        let mut venue = Venue::new(&terms(market), mirrored, million().raw(), 1 << 80).unwrap();
        venue.settle(Feed::of(&waves(2), mirrored).quotes.first().unwrap()).unwrap();
        venue.execute(order, quoted.price_x64).map(|o| (o.amount_out, o.cost_quote, venue))
    };
    for (side, amount) in [(Side::Buy, 300_000_000_000u128), (Side::Sell, 150_000_000_000_000_000_000)] {
        let o = order(side, amount);
        let (flat, _, _) = fill(Market::Flat, true, &o).unwrap();
        // So deep that nothing moves: the flat market to one part in 10^8, whichever token the base is.
        for mirrored in [true, false] {
            let (deep, _, _) = fill(Market::ConstantLiquidity { liquidity: 1 << 104 }, mirrored, &o).unwrap();
            assert!(deep.abs_diff(flat) <= flat / 100_000_000, "{side:?} {deep} {flat}");
        }
        // The real depth of a large pool: worse than flat, and the more the larger.
        let pool = || Market::ConstantLiquidity { liquidity: 12_453_647_101_533_358_277 };
        let (once, cost, after) = fill(pool(), true, &o).unwrap();
        assert!(once < flat && cost > o.amount_in.raw().min(300_000_000_000) * 5 / 10_000);
        let (half, _, _) = fill(pool(), true, &order(side, amount / 2)).unwrap();
        assert!(2 * half > once);
        // The same again into the moved pool is worse still; once others have moved it back, it is as before.
        let (mut moved, mut settled) = (after.clone(), after);
        assert!(moved.execute(&o, quoted.price_x64).unwrap().amount_out < once);
        settled.settle(quoted).unwrap();
        assert_eq!(settled.execute(&o, quoted.price_x64).unwrap().amount_out, once);
        // A least amount above what the pool pays: nothing happens.
        let mut venue = Venue::new(&terms(pool()), true, million().raw(), 1 << 80).unwrap();
        venue.settle(quoted).unwrap();
        let before = venue.clone();
        assert_eq!(venue.execute(&Order { min_out: once + 1, ..o }, quoted.price_x64), None);
        assert_eq!(venue, before);
        assert_eq!(venue.execute(&Order { min_out: once, ..o }, quoted.price_x64).unwrap().amount_out, once);
        assert_ne!(venue, before);
    }
}

#[test]
fn runs_through_a_pool_conserve_and_cost_more_than_flat() {
    let flat = run(&engine(300), &waves(400), &terms(Market::Flat), million(), Amount::ZERO).unwrap();
    let market = Market::ConstantLiquidity { liquidity: 4_000_000_000_000_000_000 };
    let pool = run(&engine(300), &waves(400), &terms(market.clone()), million(), Amount::ZERO).unwrap();
    assert!(pool.trades.len() > 10 && pool.metrics().costs > flat.metrics().costs);
    let (mut quote, mut base) = (million().raw(), 0u128);
    for t in &pool.trades {
        match t.side {
            Side::Buy => (quote, base) = (quote - t.amount_in.raw() - 50_000, base + t.amount_out),
            Side::Sell => (quote, base) = (quote + t.amount_out - 50_000, base - t.amount_in.raw()),
        }
        if let Some(record) = pool.records.get(usize::try_from(t.step).unwrap() + 1) {
            assert_eq!((record.observation.quote.raw(), record.observation.base.raw()), (quote, base));
        }
    }
    // A thin pool breaks the orders' bounds: they fail, and nothing is lost by it.
    let thin = Market::ConstantLiquidity { liquidity: 1_000_000_000_000_000 };
    let none = run(&engine(300), &waves(400), &terms(thin.clone()), million(), Amount::ZERO).unwrap();
    assert!(none.trades.is_empty() && none.failed > 10);
    assert_eq!(none.equity.last().unwrap().nav, million().raw());
    assert!(buy_and_hold(&waves(400), &terms(market), million()).unwrap().metrics.costs > 0.0005);
    let shallow = buy_and_hold(&waves(400), &terms(thin), million()).unwrap();
    assert!(shallow.metrics.total_return < -0.9, "everything at once into a puddle");
}

#[test]
fn a_recorded_pool_takes_orders_at_its_own_fee() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/chain/minifork_12522061/pool_snapshot.json"));
    if !path.exists() {
        println!("SKIPPED: {} is absent", path.display());
        return;
    }
    let snapshot = v3::Snapshot::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let market = Market::Snapshot(Box::new(snapshot.pool));
    let result = run(&engine(300), &waves(400), &terms(market), million(), Amount::ZERO).unwrap();
    assert!(result.trades.len() > 10);
    assert!(result.trades.iter().all(|t| t.cost_quote >= t.size_quote * 30 / 10_000), "the fee is 0.3 %");
}

#[test]
fn the_real_hourly_series_runs() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/ohlcv/ETHUSDT-1h-2017-08-17_2024-12-31.csv.gz"));
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    }
    let start = std::time::Instant::now();
    let data = Dataset::read(&path, Scale::default(), None, None).unwrap();
    assert_eq!((data.bars.len(), data.interval_s), (64_524, 3_600));
    assert_eq!((data.gaps.count, data.gaps.missing), (28, 128));
    let result = run(&engine(3_600), &data, &frictions(5).into(), million(), Amount::ZERO).unwrap();
    assert_eq!(result.records.len(), 64_524);
    println!("64,524 bars read and run in {:?}; {:?}; {:?}", start.elapsed(), data.gaps, result.metrics());
    let part = Dataset::read(&path, Scale::default(), Some(1_672_531_200), Some(1_704_067_200)).unwrap();
    assert!(part.bars.iter().all(|b| (1_672_531_200..1_704_067_200).contains(&b.open_s)));
}
