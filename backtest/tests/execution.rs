//! Orders that come late, get lost or pay recorded gas; and that the ideal is what it was without any of it.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod common;
#[path = "common/waves.rs"]
mod restless;

use common::series;
use probity_backtest::{Backtest, BacktestError, Dataset, Execution, Frictions, Gas, GasPrices, Market, Terms, run};
use probity_strategy::{Amount, Side};
use proptest::prelude::*;
use restless::{engine, million, waves};
use std::sync::Arc;

const FIRST_S: u64 = 1_700_000_000;
const BARS: u64 = 400;

fn terms(execution: Execution) -> Terms {
    let market = Market::ConstantLiquidity { liquidity: 5_000_000_000_000_000_000 };
    Terms { frictions: Frictions { fee_bps: 5, slippage_bps: 0, gas_quote: Amount::saturating(50_000) }, market, execution }
}

fn ran(execution: Execution) -> Backtest {
    run(&engine(300), &waves(BARS), &terms(execution), million(), Amount::ZERO).unwrap()
}

/// Minutes that stay at the close of the bar before, but for its last one, where the next close is known.
fn minutes(moved: impl Fn(u64) -> String) -> Dataset {
    series(FIRST_S, 60, (0..BARS * 5).map(moved))
}

fn gas_prices(fee_wei: impl Fn(u64) -> u64) -> Arc<GasPrices> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rows = (0..BARS).map(|i| format!("{},{}\n", FIRST_S + i * 300, fee_wei(i))).collect::<String>();
    std::fs::write(file.path(), format!("time_s,base_fee_wei\n{rows}")).unwrap();
    Arc::new(GasPrices::read(file.path()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Blocks of any length, a path and a seed change nothing while no block passes and no order is lost; nor does gas of nothing
    /// change what a run without gas does.
    #[test]
    fn without_latency_losses_and_gas_it_is_the_plain_run(block_s in 0u32..1_000, failure_seed in any::<u64>(), fee in any::<u64>()) {
        let path = Some(Arc::new(minutes(|i| format!("{}", 1_000 + i % 700))));
        prop_assert_eq!(ran(Execution { block_s, failure_seed, path, ..Execution::default() }), ran(Execution::default()));
        let free = |gas| {
            let terms = Terms { frictions: Frictions { fee_bps: 5, slippage_bps: 0, gas_quote: Amount::ZERO }, ..terms(Execution { gas, ..Execution::default() }) };
            run(&engine(300), &waves(BARS), &terms, million(), Amount::ZERO).unwrap()
        };
        prop_assert_eq!(free(Some(Gas { units: 0, tip_wei: 1, prices: gas_prices(|_| fee) })), free(None));
    }
}

#[test]
fn a_late_order_meets_the_first_price_from_its_block_on() {
    let closes: Vec<u128> = waves(BARS).bars.iter().map(|b| b.close.x64()).collect();
    // A bar's minutes lie one, two, three, four thousandths above its own start; the fifth is its close.
    let at = |i: u64| 1_500 + (i * i * 7_919 + i * 104_729) % 211;
    let path = Some(Arc::new(minutes(move |m| format!("{}", at((m / 5).max(1) - 1) as f64 * (1.0 + 0.001 * (m % 5 + 1) as f64)))));
    let late = |latency_blocks, path: &Option<Arc<Dataset>>| {
        ran(Execution { latency_blocks, block_s: 12, path: path.clone(), ..Execution::default() })
    };
    // One block, five blocks: the first minute. Six: the second.
    let (one, five, six) = (late(1, &path), late(5, &path), late(6, &path));
    assert_eq!((&one.trades, &one.equity), (&five.trades, &five.equity));
    assert!(!one.trades.is_empty() && one.trades != six.trades);
    // The price rose by a thousandth of it: a buy lost about that, a sale won it.
    for t in one.trades.iter().filter(|t| t.step > 1) {
        let size = i128::try_from(t.size_quote).unwrap();
        assert!((t.delay_quote.abs() - size / 1_000).abs() < size / 1_500, "{t:?}");
        assert_eq!(t.delay_quote > 0, t.side == Side::Buy, "{t:?}");
    }
    // Nothing known between the bars: the next close, whatever the block.
    let none = late(1, &None);
    assert_eq!((&none.trades, none.failed), (&late(24, &None).trades, late(24, &None).failed));
    assert!(none.failed > 0, "the series jumps past the bound of 1 % most of the time");
    for t in &none.trades {
        let (decided, met) = (closes[t.step as usize], closes[t.step as usize + 1]);
        assert_eq!(t.delay_quote.signum(), if (met > decided) == (t.side == Side::Buy) { 1 } else { -1 }, "{t:?}");
    }
    // A fill shows in the observation after it, and never before the order.
    for t in &one.trades {
        let record = &one.records[t.step as usize];
        assert_eq!(record.decision.order.unwrap().amount_in, t.amount_in);
        assert_eq!(one.records[t.step as usize + 1].observation.fill.unwrap().amount_out.raw(), t.amount_out);
        assert_eq!(record.observation.quote, one.records[t.step as usize].observation.quote);
    }
}

#[test]
fn what_the_vault_would_not_trade_is_recorded_and_not_traded() {
    // 25 blocks of 12 s are the interval: not fresh any more. 257 blocks of 1 s are, but their anchor is forgotten.
    for (latency_blocks, block_s) in [(25, 12), (257, 1)] {
        let late = ran(Execution { latency_blocks, block_s, ..Execution::default() });
        assert!(late.late > 10 && late.trades.is_empty() && late.failed == 0, "{latency_blocks}");
        assert_eq!(late.records.len(), usize::try_from(BARS).unwrap());
        assert_eq!(late.balances, (million(), Amount::ZERO));
    }
    let last = ran(Execution { latency_blocks: 256, block_s: 1, ..Execution::default() });
    assert!(last.late == 0 && last.failed + u32::try_from(last.trades.len()).unwrap() > 10);
    assert_eq!(ran(Execution::default()).refused, 0, "the engine's own orders keep the vault's limits");
}

#[test]
fn lost_orders_are_counted_and_cost_nothing() {
    let all = ran(Execution { failure_bps: 10_000, ..Execution::default() });
    assert!(all.dropped > 10 && all.trades.is_empty() && all.balances == (million(), Amount::ZERO));
    let some = |failure_seed| ran(Execution { failure_bps: 2_000, failure_seed, ..Execution::default() });
    let (a, b) = (some(1), some(2));
    assert!(a.dropped > 0 && !a.trades.is_empty() && a.trades != b.trades);
    assert_eq!(a, some(1));
    let orders = a.records.iter().filter(|r| r.decision.order.is_some()).count();
    assert_eq!(orders, a.trades.len() + usize::try_from(a.failed + a.dropped).unwrap());
}

#[test]
fn gas_is_paid_at_the_price_of_its_time_also_by_orders_that_fail() {
    let gas = |fee: fn(u64) -> u64| Some(Gas { units: 195_000, tip_wei: 0, prices: gas_prices(fee) });
    let dear = ran(Execution { gas: gas(|i| if i < 200 { 10_000_000_000 } else { 40_000_000_000 }), ..Execution::default() });
    assert!(dear.trades.len() > 10 && dear.failed_gas_quote == 0);
    for t in &dear.trades {
        // The base fee in force is that of the bar that opens at its close.
        let fee = if t.step < 199 { 10u128 } else { 40 };
        let price = dear.records[t.step as usize].observation.price_x64.x64();
        let exact = (195_000 * fee * 1_000_000_000 * price) >> 64;
        assert_eq!(t.gas_quote, exact + 1, "{t:?}");
        assert!(t.cost_quote > t.gas_quote);
    }
    let failing = ran(Execution { latency_blocks: 1, block_s: 12, gas: gas(|_| 10_000_000_000), ..Execution::default() });
    assert!(failing.failed > 0 && failing.failed_gas_quote > u128::from(failing.failed) * 2_000_000);
    // A fee that is older than a day is none.
    let short = Arc::new({
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "time_s,base_fee_wei\n1600000000,1\n").unwrap();
        GasPrices::read(file.path()).unwrap()
    });
    let gas = Some(Gas { units: 1, tip_wei: 0, prices: short });
    let error = run(&engine(300), &waves(BARS), &terms(Execution { gas, ..Execution::default() }), million(), Amount::ZERO).unwrap_err();
    assert!(matches!(error, BacktestError::Series { field: "gas prices", .. }), "{error}");
}
