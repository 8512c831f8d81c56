//! Reorganisations deeper than the confirmations, under a decision, under what it observed, under a post and under an announcement of other
//! weights, and a transaction that is mined and reverted. The chain goes back to a snapshot and takes another way from there. `docs/operators/faults.md` says what is to happen.
#![expect(clippy::panic, reason = "a test may panic")]

use probity_tests::bad_day::{BadDay, Running};
use probity_tests::own_clock::OPERATOR;
use probity_tests::run_with;
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

/// Whether the operator has so many transactions, with those that no block has taken yet.
fn has(day: &BadDay, transactions: u64) -> bool {
    day.chain.rpc.call("eth_getTransactionCount", &object!([OPERATOR, "pending"])) == object!(format!("{transactions:#x}"))
}

fn waits(day: &BadDay, transactions: u64) {
    until("its transaction", || has(day, transactions));
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
    waits(&day, nonce + 1);
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

/// Asks the run for weights that are others to the vault: the same ones under another salt.
fn asks_for_others(day: &BadDay) {
    let (dir, place) = (day.dir(), day.dir().with_file_name("other"));
    let [dir, model, opening, trials] =
        [dir.clone(), dir.join("model.json"), place.with_extension("json"), place.with_extension("jsonl")].map(|p| p.display().to_string());
    let commit = ["commit", "--no-layout", "--model", &model, "--opening", &opening];
    for args in [&commit[..], &["rotate", "--dir", &dir, "--opening", &opening]] {
        let out = run_with("probity", args, &[("PROBITY__TRIALS__PATH", &trials)]);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

/// The receipt of the only announcement that the journal has.
fn receipt(day: &BadDay, rotations: &Value) -> Value {
    assert_eq!(rotations.as_array().map(Vec::len), Some(1), "{rotations}");
    assert!(rotations[0]["tx_hash"].is_string(), "{rotations}");
    day.chain.rpc.call("eth_getTransactionReceipt", &object!([rotations[0]["tx_hash"]]))
}

/// Back to the snapshot, where the announcement is in no block; another snapshot from there.
fn without(day: &BadDay, rotations: &Value, before: &Value) -> Value {
    assert_eq!(receipt(day, rotations)["status"], "0x1", "it is there");
    assert_eq!(day.chain.rpc.call("evm_revert", &object!([before])), true);
    assert_eq!(receipt(day, rotations), Value::Null, "it is gone");
    assert!(has(day, day.chain.transactions()), "and does not wait in the pool");
    snapshot(day)
}

#[test]
fn an_announcement_that_was_reorganised_away_is_sent_again_as_it_was() {
    let day = BadDay::start();
    let rpc = &day.chain.rpc;
    let settings = [("PROBITY__MANDATE__INTERVAL_S", "10")];
    let mut agent = day.agent(&settings);
    agent.decides(1);
    // From here on a block comes when it is asked for, a second after the one before: the next interval begins when the test wants it.
    day.chain.stand_still();
    rpc.call("anvil_setBlockTimestampInterval", &object!([1]));
    let nonce = day.chain.transactions();
    let takes = |transactions: u64| {
        waits(&day, transactions);
        rpc.call("evm_mine", &object!([]));
        assert_eq!(day.chain.transactions(), transactions);
    };
    let before = snapshot(&day);
    asks_for_others(&day);
    takes(nonce + 1);
    agent.says("announced before decision 1");
    let made = day.inspect()["rotations"].clone();

    // Gone while no agent runs: missed at the start.
    drop(agent);
    let before = without(&day, &made, &before);
    let mut agent = day.agent(&settings);
    takes(nonce + 1);
    agent.says("the announcement is on the chain");
    assert_eq!(day.inspect()["rotations"], made);

    // Gone beside a running agent: missed when the vault refuses the decision that was made on it.
    without(&day, &made, &before);
    rpc.call("anvil_mine", &object!(["0xa"]));
    let line = agent.says("it will be tried again");
    assert!(line.contains("decision 1 is journaled") && line.contains("WrongHead"), "{line}");
    waits(&day, nonce + 1);
    let before = snapshot(&day);
    takes(nonce + 1);
    agent.says("the announcement is on the chain");
    takes(nonce + 2);
    until("the outcome of decision 1", || day.inspect()["outcome_unknown"] == 0);
    let decided = day.inspect();
    assert_eq!((&decided["rotations"], &decided["decisions"]), (&made, &object!(2)), "{decided}");

    // Gone with the decision after it: both are sent again, in their order, and the run goes on.
    without(&day, &made, &before);
    assert_eq!(day.chain.transactions(), nonce, "the decision is gone, too");
    rpc.call("anvil_mine", &object!(["0xa"]));
    takes(nonce + 1);
    agent.says("the announcement is on the chain");
    agent.says("a journaled decision is not on the chain: sending it now");
    takes(nonce + 2);
    rpc.call("evm_setIntervalMining", &object!([1]));
    agent.decides(1);
    drop(agent);
    let seen = probity_tests::on_paper::inspect(&day.dir());
    assert_eq!((&seen["rotations"], &seen["last"][1]), (&made, &decided["last"][1]), "neither was altered");
    assert_eq!((&receipt(&day, &made)["status"], &seen["outcome_unknown"]), (&object!("0x1"), &object!(0)), "{seen}");
}
