//! Reorganisations deeper than the confirmations, under a decision, under what it observed and under a post, and a transaction that is
//! mined and reverted. The chain goes back to a snapshot and takes another way from there. `docs/operators/faults.md` says what is to happen.
#![expect(clippy::panic, reason = "a test may panic")]

use probity_tests::bad_day::{BadDay, Running};
use probity_tests::own_clock::OPERATOR;
use serde_json::{Value, json as object};
use std::time::{Duration, Instant};

/// Waits for something, and not for ever.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is() {
        assert!(started.elapsed() < Duration::from_secs(180), "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn snapshot(day: &BadDay) -> Value {
    day.chain.rpc.call("evm_snapshot", &object!([]))
}

/// Back to the snapshot, and on from there with other blocks.
fn back_to(day: &BadDay, snapshot: &Value) {
    day.chain.stand_still();
    assert_eq!(day.chain.rpc.call("evm_revert", &object!([snapshot])), true);
    day.chain.rpc.call("anvil_setCoinbase", &object!(["0x00000000000000000000000000000000000000aa"]));
    day.chain.go_on();
}

/// Waits for a decision that trades and one after it; a snapshot from right before the first.
fn a_trade_and_one_more(day: &BadDay, agent: &mut Running) -> Value {
    for _ in 0..12 {
        let before = snapshot(day);
        let line = agent.says(" nav ");
        if line.contains("buy ") && !line.contains("NOT FILLED") {
            agent.decides(1);
            return before;
        }
    }
    panic!("no decision traded: {}", day.inspect());
}

#[test]
fn deeper_than_the_confirmations_it_halts_and_says_what_is_left_to_do() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__CONFIRMATIONS", "1")]);
    agent.decides(2);
    let before = a_trade_and_one_more(&day, &mut agent);
    back_to(&day, &before);
    // The block that the decision was anchored to is gone.
    let line = agent.says("HALTED: reorganised");
    assert!(line.contains("its anchor block was reorganised away"), "{line}");
    assert_eq!(day.state(), ("halted".to_owned(), "reorganised".to_owned()));
    drop(agent);

    // Too old to be looked up, it is taken as late and does not trade. So the one after it observed a fill that never was.
    day.chain.rpc.call("anvil_mine", &object!(["0x104"]));
    day.resume();
    let mut agent = day.agent(&[("PROBITY__SAFETY__CONFIRMATIONS", "1")]);
    let line = agent.says("HALTED: reorganised");
    assert!(line.contains("what it observed was reorganised away") && line.contains("a new vault is needed"), "{line}");
    drop(agent);
    assert_eq!(day.inspect()["outcome_unknown"], 1, "it is in the journal, and never on the chain");
}

#[test]
fn a_post_that_was_reorganised_away_is_posted_again() {
    let day = BadDay::start();
    let settings = [("PROBITY__POSTING__EVERY_DECISIONS", "2"), ("PROBITY__MANDATE__INTERVAL_S", "20")];
    let mut agent = day.agent(&[&settings[..], &[("PROBITY_CRASH_AT", "posted:1")]].concat());
    agent.decides(1);
    // The second decision is on chain, its proof is being made; the process ends when that is posted.
    let decided = day.chain.transactions() + 1;
    until("the second decision", || day.chain.transactions() == decided);
    let before = snapshot(&day);
    let (code, said) = agent.ends();
    assert_eq!(code, None, "{said}");
    assert_eq!((day.inspect()["posts"].clone(), day.chain.transactions()), (object!(1), decided + 1), "{said}");
    back_to(&day, &before);
    assert_eq!(day.chain.transactions(), decided, "the post is gone, the decision is not");
    let agent = day.agent(&settings);
    until("the post", || day.chain.transactions() > decided);
    drop(agent);
    assert_eq!(day.inspect()["decisions"], 2, "what was sent is the post, not another decision");
}

#[test]
fn what_is_mined_and_reverted_is_sent_again() {
    let day = BadDay::start();
    let mut agent = day.agent(&[("PROBITY__SAFETY__REPLACE_AFTER_S", "60")]);
    agent.decides(1);
    let vault = day.inspect()["vault"].clone();
    let code = day.chain.rpc.call("eth_getCode", &object!([vault, "latest"]));
    // Its transaction waits; in the block that takes it, the vault refuses everything.
    let nonce = day.chain.transactions();
    let pending = || day.chain.rpc.call("eth_getTransactionCount", &object!([OPERATOR, "pending"]));
    until("its transaction", || pending() != object!(format!("{nonce:#x}")));
    day.chain.stand_still();
    assert_eq!(day.chain.transactions(), nonce, "it is not in a block yet");
    day.chain.rpc.call("anvil_setCode", &object!([vault, "0x60006000fd"]));
    day.chain.rpc.call("evm_mine", &object!([]));
    day.chain.rpc.call("anvil_setCode", &object!([vault, code]));
    assert_eq!(day.chain.transactions(), nonce + 1);
    day.chain.go_on();
    agent.says("a journaled decision is not on the chain: sending it now");
    agent.decides(1);
    drop(agent);
    assert_eq!(day.inspect()["outcome_unknown"], 0);
}
