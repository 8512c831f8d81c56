//! Bad days of a chain, one by one, through the binary: reorganisations, stuck, dropped and overtaken transactions, dear gas, a
//! node that is away, and what halts the agent. `docs/operators/faults.md` says what is to happen.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::bad_day::BadDay;
use probity_tests::own_clock::{OPERATOR, USDC};
use serde_json::json as object;
use std::time::{Duration, Instant};

fn sleep(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn a_reorganisation_of_one_to_eight_blocks_within_the_confirmations_changes_no_decision() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__CONFIRMATIONS", "9")]);
    let mut before = Vec::new();
    for depth in 1..=8 {
        let mut tries = 0..6;
        // The newest decision's transaction has to be in one of the blocks that go.
        let taken = tries.any(|_| {
            agent.decides(1);
            let mined = day.chain.transactions();
            day.chain.rpc.call("anvil_reorg", &object!([depth, []]));
            day.chain.transactions() < mined
        });
        assert!(taken, "no reorganisation of {depth} blocks took a decision away");
        before.extend(day.inspect()["last"].as_array().unwrap().last().cloned());
        agent.says("a journaled decision is not on the chain: sending it now");
    }
    agent.decides(1);
    drop(agent);
    let seen = probity_tests::on_paper::inspect(&day.dir());
    for record in before {
        assert!(seen["last"].as_array().unwrap().contains(&record), "the decision was altered: {record}");
    }
    assert_eq!(seen["outcome_unknown"], 0, "{seen}");
}

/// Takes every transaction of the operator out of the pool for a while.
fn drop_all(day: &BadDay, time: Duration) -> bool {
    let (started, mut dropped) = (Instant::now(), false);
    while started.elapsed() < time {
        dropped |= waiting(day).is_some();
        day.chain.rpc.call("anvil_removePoolTransactions", &object!([OPERATOR]));
        sleep(20);
    }
    dropped
}

/// Waits for the operator's next transaction in the pool; its nonce.
fn next_waiting(day: &BadDay) -> u64 {
    loop {
        if let Some(nonce) = waiting(day) {
            return nonce;
        }
        sleep(5);
    }
}

/// Nonce of the operator's transaction that waits in the pool.
fn waiting(day: &BadDay) -> Option<u64> {
    let pool = day.chain.rpc.call("txpool_content", &object!([]));
    let of = pool["pending"].as_object()?.iter().find(|(who, _)| who.eq_ignore_ascii_case(OPERATOR))?.1;
    of.as_object()?.keys().next()?.parse().ok()
}

#[test]
fn what_is_stuck_or_dropped_is_sent_again_and_a_stolen_nonce_is_named() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__REPLACE_AFTER_S", "2")]);
    agent.decides(1);
    assert!(drop_all(&day, Duration::from_secs(9)), "a transaction was dropped");
    agent.says("stuck: it is replaced by itself at a higher fee");
    agent.decides(2);

    // The pool keeps it, and no block takes it: one of both is mined in the end, once.
    let nonce = next_waiting(&day);
    day.chain.stand_still();
    agent.says("stuck: it is replaced by itself at a higher fee");
    assert_eq!(waiting(&day), Some(nonce));
    day.chain.go_on();
    agent.decides(1);
    assert!(day.chain.transactions() > nonce);

    // Somebody else has the key and is first.
    day.chain.rpc.call("anvil_impersonateAccount", &object!([OPERATOR]));
    let nonce = next_waiting(&day);
    let theirs = object!([{ "from": OPERATOR, "to": OPERATOR, "nonce": format!("{nonce:#x}"), "gas": "0x5208",
        "maxFeePerGas": "0x174876e8000", "maxPriorityFeePerGas": "0x174876e800" }]);
    day.chain.rpc.call("eth_sendTransaction", &theirs);
    agent.says("was used by another transaction");
    agent.decides(2);
    drop(agent);
    assert_eq!(day.inspect()["outcome_unknown"], 0);
}

#[test]
fn dear_gas_is_waited_out_and_nothing_is_sent_meanwhile() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__MAX_GAS_PRICE_GWEI", "20")]);
    agent.decides(1);
    let dear = object!([format!("{:#x}", 500_000_000_000u64)]);
    day.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", &dear);
    let line = agent.says("gas costs");
    assert!(line.contains("it will be tried again") && line.contains("the cap is 20000000000"), "{line}");
    let (nonce, started) = (day.chain.transactions(), Instant::now());
    while started.elapsed() < Duration::from_secs(6) {
        day.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", &dear);
        sleep(400);
    }
    assert_eq!(day.chain.transactions(), nonce, "nothing was sent");
    day.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", &object!([format!("{:#x}", 1_000_000_000u64)]));
    agent.decides(2);
    drop(agent);
    assert_eq!(day.inspect()["outcome_unknown"], 0);
}

#[test]
fn a_node_that_is_away_is_waited_for_and_not_for_ever() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__GIVE_UP_AFTER_S", "60")]);
    agent.decides(1);
    day.shut(true);
    agent.says("it will be tried again");
    sleep(3_000);
    day.shut(false);
    agent.decides(2);
    drop(agent);

    let mut agent = day.agent(&[("PROBITY__SAFETY__GIVE_UP_AFTER_S", "4")]);
    agent.decides(1);
    day.shut(true);
    agent.says("it will be tried again");
    let (code, said) = agent.ends();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no turn came to its end for") && said.contains("check that the node runs"), "{said}");
    day.shut(false);
    let mut agent = day.agent(&[]);
    agent.decides(1);
    drop(agent);
    assert_eq!(day.inspect()["outcome_unknown"], 0);
}

#[test]
fn old_data_missing_tokens_and_a_slow_prover_halt() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__MAX_BLOCK_AGE_S", "8")]);
    agent.decides(1);
    day.chain.stand_still();
    agent.says("HALTED: stale_data");
    assert_eq!(day.state(), ("halted".to_owned(), "stale_data".to_owned()));
    day.chain.go_on();
    day.resume();
    agent.decides(1);

    // Tokens leave the vault by a way that its accounts do not know.
    let vault = day.inspect()["vault"].as_str().unwrap().to_owned();
    day.chain.rpc.call("anvil_impersonateAccount", &object!([vault]));
    day.chain.rpc.call("anvil_setBalance", &object!([vault, "0xde0b6b3a7640000"]));
    let transfer = format!("0xa9059cbb{:0>64}{:064x}", OPERATOR.trim_start_matches("0x"), 1_000_000u64);
    day.chain.rpc.call("eth_sendTransaction", &object!([{ "from": vault, "to": USDC, "data": transfer, "gas": "0x30d40" }]));
    agent.says("HALTED: balance_mismatch");
    drop(agent);
    assert_eq!(day.state(), ("halted".to_owned(), "balance_mismatch".to_owned()));
    day.chain.rpc.call("anvil_dealERC20", &object!([vault, USDC, format!("{:#x}", 100_000_000_000_000u64)]));
    day.resume();

    let slow =
        [("PROBITY__SAFETY__FOLD", "beside"), ("PROBITY__SAFETY__MAX_BACKLOG_DECISIONS", "0"), ("PROBITY__SAFETY__BACKLOG_WAIT_S", "0")];
    let mut agent = day.agent(&slow);
    agent.says("HALTED: proof_backlog");
    drop(agent);
    assert_eq!(day.state(), ("halted".to_owned(), "proof_backlog".to_owned()));
    let changes = day.inspect()["changes"].as_array().unwrap().len();
    assert_eq!(changes, 5, "three halts and two resumes, each with its reason");
}

#[test]
fn a_chain_that_is_ahead_of_this_machines_clock_halts() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__MAX_CLOCK_DRIFT_S", "60")]);
    agent.decides(1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    day.chain.rpc.call("evm_setNextBlockTimestamp", &object!([now + 600]));
    day.chain.rpc.call("evm_mine", &object!([]));
    let line = agent.says("HALTED: stale_data");
    assert!(line.contains("ahead of this machine's clock"), "{line}");
    drop(agent);
    assert_eq!(day.state(), ("halted".to_owned(), "stale_data".to_owned()));
}
