//! A run on paper, through the binary: nothing is sent, fills are what Uniswap's own router would give at that block, a kill loses
//! nothing, and the log can be proven, compared with a backtest, and taken for a vault's by nobody.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says loudly that it skips")]

use probity_tests::door::Door;
use probity_tests::on_paper::{agent, inspect};
use probity_tests::own_clock::{OwnClock, USDC};
use probity_tests::trader::{Trader, WETH};
use probity_tests::{Anvil, Rpc, json, run, run_with};
use serde_json::Value;

/// Decisions of a run.
const DECISIONS: usize = 5;

/// Holds every fill that the node still knows the block of against the router; how many there were.
fn held_against_the_router(seen: &Value, trader: &Trader<'_>, newest: u64) -> usize {
    let mut checked = 0;
    for (record, outcome) in seen["last"].as_array().unwrap().iter().zip(seen["last_outcomes"].as_array().unwrap()) {
        let order = &record["decision"]["order"];
        // A decision that was just made waits for the block that it is to be in.
        let Some(place) = outcome["tx_hash"].as_str() else { continue };
        let block: u64 = place.strip_prefix("paper, block ").unwrap().parse().unwrap();
        if order.is_null() || outcome["executed"] != true || block + 28 < newest {
            continue;
        }
        let (given, taken) = if order["side"] == "buy" { (USDC, WETH) } else { (WETH, USDC) };
        let amount: u128 = order["amount_in"].as_str().unwrap().parse().unwrap();
        let got: u128 = outcome["amount_out"].as_str().unwrap().parse().unwrap();
        assert_eq!(got, trader.would_get(given, taken, amount, block), "{record} {outcome}");
        checked += 1;
    }
    checked
}

fn newest(rpc: &Rpc) -> u64 {
    let hex = rpc.call("eth_blockNumber", &serde_json::json!([]));
    u64::from_str_radix(hex.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn nothing_is_sent_a_kill_loses_nothing_and_the_log_says_what_it_is() {
    let chain = OwnClock::start();
    let trader = Trader::on(&chain.rpc, 500, [USDC, WETH]);
    let door = Door::before(chain.rpc.url().trim_start_matches("http://"));
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let dir_arg = dir.to_str().unwrap();

    // The price moves; the agent is killed between the decision and its fill.
    let mut first = agent(&dir, &door.url(), DECISIONS, &[], &[("PROBITY_CRASH_AT", "decide_sent:3")]);
    for n in 0..2u128 {
        first.says("PAPER #");
        trader.swap(USDC, WETH, 8_000_000_000_000 * (n + 1));
    }
    assert_eq!(first.ends().0, None, "the drill kills it");
    let cut = inspect(&dir);
    assert_eq!((&cut["decisions"], &cut["outcome_unknown"]), (&3.into(), &1.into()), "{cut}");

    // It goes on only as what it is.
    let out = run_with("probity", &["run", "--dir", dir_arg, "--rpc", &door.url()], &[("PROBITY_OPERATOR_KEY", &"11".repeat(32))]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && said.contains("this run is on paper; --paper goes on with it"), "{said}");
    let out = run("probity", &["run", "--dir", dir_arg, "--paper"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("expected the node of a real chain"), "{out:?}");

    let mut second = agent(&dir, &door.url(), DECISIONS, &["--serve", "127.0.0.1:0"], &[]);
    let line = second.says("dashboard at http://");
    let page = Rpc::at(line.split_whitespace().find(|w| w.starts_with("http://")).unwrap().trim_end_matches([',', '/']));
    for n in 3..DECISIONS {
        let line = second.says("PAPER #");
        assert!(line.contains("which would cost 0."), "{line}");
        if n + 1 < DECISIONS {
            trader.swap(WETH, USDC, 3_000_000_000_000_000_000_000);
        }
    }
    let metrics = page.get("/metrics");
    assert!(metrics.contains("paper=\"true\"") && metrics.contains("probity_decisions_on_chain_total 0"), "{metrics}");
    assert!(page.get("/api/view").contains("\"execution\":\"paper"));
    // No more blocks, so that the node still knows those of the orders.
    chain.stand_still();
    let seen = inspect(&dir);
    assert!(held_against_the_router(&seen, &trader, newest(&chain.rpc)) > 0, "{seen}");
    let (code, said) = second.ends();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("on paper, nothing is posted"), "{said}");
    let seen = inspect(&dir);
    assert_eq!((&seen["decisions"], &seen["outcome_unknown"], &seen["paper"]), (&DECISIONS.into(), &0.into(), &true.into()), "{seen}");
    assert!(seen["last"].as_array().unwrap().starts_with(cut["last"].as_array().unwrap()), "no decision was altered");

    // Nothing left: not a transaction, not a signature.
    let heard = door.heard();
    assert!(heard.iter().any(|m| m == "eth_call"), "{heard:?}");
    let asking = ["eth_call", "eth_blockNumber", "eth_chainId", "eth_getBlockByNumber"];
    assert!(heard.iter().all(|m| asking.contains(&m.as_str())), "{heard:?}");

    // The proof is one of the decisions; that there is no vault is said, and no chain can be made to say otherwise.
    let (log, proof) = (dir.join("decisions.jsonl"), dir.join("proof.bin"));
    let (log, proof) = (log.to_str().unwrap(), proof.to_str().unwrap());
    let out = run("probity-verify", &["--log", log, "--proof", proof, "--json"]);
    let report = json(&out);
    assert_eq!((out.status.code(), &report["coverage"]["proven"]), (Some(0), &DECISIONS.into()), "{report}");
    assert!(report["findings"].as_array().unwrap().iter().any(|f| f["code"] == "no_vault" && f["severity"] == "warn"), "{report}");
    let out = run("probity", &["audit", "--log", log, "--rpc", chain.rpc.url()]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && said.contains("the log's vault is the zero address"), "{said}");
    let out = run("probity", &["inspect", dir_arg]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("none: ON PAPER, nothing was sent"));

    // And a backtest of the same days differs by what it names.
    let opening = dir.join("opening.json");
    let ledger = temp.path().join("trials.jsonl");
    let env = [
        ("PROBITY__TRIALS__PATH", ledger.to_str().unwrap()),
        ("PROBITY__BACKTEST__VENUE", "constant_liquidity"),
        ("PROBITY__BACKTEST__LIQUIDITY", "10000000000000000000"),
    ];
    let out = run_with("probity", &["--json", "backtest", "compare", log, "--opening", opening.to_str().unwrap()], &env);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let c = &json(&out)["result"];
    assert_eq!((&c["decisions"], &c["not_decided"], &c["flows_quote"]), (&DECISIONS.into(), &0.into(), &0.into()), "{c}");
    assert!(c["live_trades"].as_u64().unwrap() > 0, "{c}");
    let rest = c["rest_quote"].as_i64().unwrap().unsigned_abs();
    assert!(rest <= u64::try_from(c["differences"].as_array().unwrap().len() + 3).unwrap(), "{c}");
}

#[test]
fn fills_across_the_ticks_of_a_real_pool_are_the_routers() {
    let Some(state) = probity_tests::data().map(|d| d.join("chain/minifork_12522061/anvil_state.json")).filter(|p| p.is_file()) else {
        println!("SKIPPED: ../shared/data is absent, nothing was filled through the real pool");
        return;
    };
    let anvil = Anvil::start(&["--load-state", state.to_str().unwrap(), "--chain-id", "1", "--block-time", "1", "--hardfork", "osaka"]);
    let rpc = Rpc::at(anvil.url());
    let trader = Trader::on(&rpc, 3_000, [USDC, WETH]);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    // Orders large enough to cross ticks.
    let pool = ["--pool", "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8"];
    let env = [
        ("PROBITY__SAFETY__CONFIRMATIONS", "0"),
        ("PROBITY__AGENT__SEED_QUOTE_UNITS", "400000000"),
        ("PROBITY__MANDATE__MAX_TRADE_QUOTE_UNITS", "100000000"),
        ("PROBITY__MANDATE__MAX_SLIPPAGE_BPS", "3000"),
    ];
    let mut agent = agent(&dir, anvil.url(), DECISIONS, &pool, &env);
    let mut checked = 0;
    for _ in 0..DECISIONS {
        agent.says("PAPER #");
        trader.swap(WETH, USDC, 1_000_000_000_000_000_000_000);
        checked = checked.max(held_against_the_router(&inspect(&dir), &trader, newest(&rpc)));
    }
    assert!(checked > 0);
}
