//! Bad days on paper, where they differ from those of a vault (`docs/operators/faults.md`).
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::listing::{Listing, Wanted};
use probity_tests::on_paper::{agent, inspect};
use probity_tests::own_clock::{OwnClock, USDC};
use probity_tests::trader::{Trader, WETH};
use serde_json::{Value, json as object};

/// The block that a decision's outcome names.
fn block_of(outcome: &Value) -> u64 {
    outcome["tx_hash"].as_str().and_then(|place| place.strip_prefix("paper, block ")).unwrap().parse().unwrap()
}

/// The agent, killed between its second decision, which buys, and the fill; that decision.
fn killed_with_an_order(chain: &OwnClock, dir: &std::path::Path) -> usize {
    let running = agent(dir, chain.rpc.url(), 1_000, &[], &[("PROBITY_CRASH_AT", "decide_sent:2")]);
    assert_eq!(running.ends().0, None, "the drill kills it");
    let seen = inspect(dir);
    let last = seen["last"].as_array().unwrap();
    assert!(!last.last().unwrap()["decision"]["order"].is_null() && seen["outcome_unknown"] == 1, "{seen}");
    last.len() - 1
}

#[test]
fn an_order_whose_block_the_node_may_have_forgotten_is_sent_again_and_late() {
    let chain = OwnClock::start();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let step = killed_with_an_order(&chain, &dir);
    let before = chain.newest();
    chain.rpc.call("anvil_mine", &object!(["0x50", "0x1"]));
    let mut second = agent(&dir, chain.rpc.url(), 1_000, &[], &[]);
    second.says("PAPER #");
    drop(second);
    let seen = inspect(&dir);
    let outcome = &seen["last_outcomes"][step];
    assert!(block_of(outcome) > before + 0x50, "in a block of after the restart: {outcome}");
    assert_eq!(outcome["executed"], false, "too late to trade: {outcome}");
    assert!(seen["decisions"].as_u64().unwrap() > u64::try_from(step + 1).unwrap(), "and it goes on: {seen}");
}

#[test]
fn a_fill_that_a_deep_reorganisation_took_away_stays_on_paper() {
    let chain = OwnClock::start();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let trader = Trader::on(&chain.rpc, 500, [USDC, WETH]);
    let mut running = agent(&dir, chain.rpc.url(), 1_000, &[], &[]);
    running.says("PAPER #");
    let snapshot = chain.rpc.call("evm_snapshot", &object!([]));
    trader.swap(USDC, WETH, 8_000_000_000_000);
    let mut line = running.says("PAPER #");
    while !(line.contains("buy ") || line.contains("sell")) || line.contains("NOT FILLED") {
        line = running.says("PAPER #");
    }
    let cut = inspect(&dir);
    let step = cut["last_outcomes"].as_array().unwrap().iter().position(|o| o["executed"] == true).unwrap();
    // The swap that moved the price never was, nor was the block of the fill.
    chain.stand_still();
    assert_eq!(chain.rpc.call("evm_revert", &object!([snapshot])), true);
    chain.rpc.call("anvil_setCoinbase", &object!(["0x00000000000000000000000000000000000000aa"]));
    chain.go_on();
    assert!(chain.newest() < block_of(&cut["last_outcomes"][step]), "the block of the fill is gone");
    running.says("PAPER #");
    drop(running);
    let seen = inspect(&dir);
    assert_eq!((&seen["last"][step], &seen["last_outcomes"][step]), (&cut["last"][step], &cut["last_outcomes"][step]));
    assert_eq!(seen["state"], "active", "it does not notice: {seen}");
}

#[test]
fn a_pool_whose_oracle_does_not_go_back_an_interval_ends_the_run_at_its_start() {
    let chain = OwnClock::start();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    // Made a moment ago, with the one observation that a new pool has.
    let wanted = Wanted { decimals: (6, 18), base_is_token1: false, tier: (3_000, 60), price: 2_000.0, depth: 10_000_000.0 };
    let listing = Listing::make(&chain.rpc, wanted);
    let pool = [("PROBITY__CHAIN__POOL", listing.pool.as_str()), ("PROBITY__CHAIN__QUOTE_TOKEN", listing.quote.as_str())];
    let hourly = [&pool[..], &[("PROBITY__MANDATE__INTERVAL_S", "3600")]].concat();
    let (code, said) = agent(&dir, chain.rpc.url(), 1_000, &[], &hourly).ends();
    assert_eq!(code, Some(2), "{said}");
    let words = "the pool's oracle keeps 1 observations and has to go back 3600 s (mandate.interval_s): a vault's first deposit would \
                 lengthen it, a run on paper cannot; name a pool that is used more, or a shorter interval: observe";
    assert!(said.contains(words) && said.contains("OLD"), "{said}");
    assert_eq!(inspect(&dir)["decisions"], 0);

    // With a shorter interval, as the words say, the same folder is good.
    chain.rpc.call("anvil_mine", &object!(["0x8", "0x1"]));
    let mut running = agent(&dir, chain.rpc.url(), 1_000, &[], &pool);
    running.says("PAPER #");
    drop(running);

    // And for this pool alone from now on.
    let (code, said) = agent(&dir, chain.rpc.url(), 1_000, &[], &[]).ends();
    assert!(code == Some(2) && said.contains(&format!("chain.pool: expected this run's own, {}", listing.pool)), "{code:?} {said}");
}
