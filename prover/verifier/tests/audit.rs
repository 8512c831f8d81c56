//! The public checks of the audit on logs without a proof: honest ones pass, orders outside the mandate do not.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{mandate, model, run};
use probity_strategy::{Amount, Fill, Mandate, Order, Record, Side};
use probity_verifier::{Code, Entry, Evidence, Header, Report, Salt, Severity, audit, audit_disclosure, commit_model, disclose, next_head};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

/// The log of records, with heads computed afresh.
fn log(mandate: &Mandate, records: &[Record]) -> String {
    let commitment = commit_model(&mandate.model, &model(&mandate.model, 0), &Salt::new([7; 32]));
    let header = Header::new(mandate.clone(), commitment);
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    let mut head = header.genesis_head;
    for record in records {
        head = next_head(&head, record);
        writeln!(text, "{}", serde_json::to_string(&Entry { record: record.clone(), head }).unwrap()).unwrap();
    }
    text
}

/// The same, audited without a proof.
fn check(mandate: &Mandate, records: &[Record]) -> Report {
    audit(log(mandate, records).as_bytes(), Evidence::default(), |m| probity_verifier::Keys::for_mandate(m).map(Arc::new))
}

fn errors(report: &Report) -> Vec<(Code, Option<u32>, Option<&str>)> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| (f.code, f.step, f.field.as_deref())).collect()
}

const MISSING: (Code, Option<u32>, Option<&str>) = (Code::ProofMissing, None, None);

#[test]
fn honest_runs_break_no_bound() {
    let mandate = mandate();
    let (mut orders, mut halts) = (0, 0);
    for seed in 0..40 {
        let records = run(&mandate, &model(&mandate.model, seed), 200);
        halts += usize::from(records.iter().any(|r| r.decision.halted));
        orders += records.iter().filter(|r| r.decision.order.is_some()).count();
        let report = check(&mandate, &records);
        assert_eq!(errors(&report), [MISSING], "seed {seed}");
    }
    assert!(orders > 500 && halts > 0, "the fixture has to trade ({orders}) and to halt ({halts})");
}

/// Each change leaves the chain of heads intact and is found by its own check at its own decision.
#[test]
fn orders_outside_the_mandate_are_named() {
    let mandate = mandate();
    let (seed, records, buy) = (0..40)
        .find_map(|seed| {
            let records = run(&mandate, &model(&mandate.model, seed), 60);
            let buy = records.iter().position(|r| matches!(r.decision.order, Some(Order { side: Side::Buy, .. })));
            buy.map(|at| (seed, records, at))
        })
        .unwrap();
    let step = u32::try_from(buy).unwrap();
    let with = |change: &dyn Fn(&mut Order)| {
        let mut changed = records[..=buy].to_vec();
        changed[buy].decision.order.as_mut().map(change).unwrap();
        errors(&check(&mandate, &changed)).into_iter().map(|(c, s, f)| (c, s, f.unwrap_or_default().to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(with(&|_| ()), [(Code::ProofMissing, None, String::new())], "seed {seed}");
    let limit = |field: &str| (Code::OrderLimit, Some(step), field.to_owned());
    assert!(with(&|o| o.min_out -= 1).contains(&limit("order.min_out")));
    assert!(with(&|o| o.amount_in = Amount::new(7_000_000_000).unwrap()).contains(&limit("limits.max_trade_quote")));
    assert!(with(&|o| o.amount_in = Amount::new(90_000_000_000).unwrap()).contains(&limit("limits.max_trade_bps")));
    assert!(with(&|o| o.amount_in = Amount::ZERO).contains(&limit("order.amount_in")));
    assert!(with(&|o| (o.side, o.amount_in) = (Side::Sell, Amount::MAX)).contains(&limit("order.amount_in")));
}

#[test]
fn fills_and_halts_are_held_against_the_log() {
    let mandate = mandate();
    let records = run(&mandate, &model(&mandate.model, 1), 10);
    let mut changed = records.clone();
    changed[0].observation.fill = Some(Fill { amount_out: Amount::new(1).unwrap() });
    let report = check(&mandate, &changed[..1]);
    assert_eq!(
        errors(&report)[1..],
        [(Code::FillWithoutOrder, Some(0), Some("record.observation.fill")), (Code::HaltMismatch, Some(0), Some("decision.halted"))]
    );
    let mut halted = records;
    halted[4].decision.halted = true;
    let report = check(&mandate, &halted[..7]);
    let found = errors(&report);
    assert!(found.contains(&(Code::HaltMismatch, Some(4), Some("decision.halted"))), "{found:?}");
    assert!(found.contains(&(Code::HaltMismatch, Some(5), Some("decision.halted"))), "un-latched: {found:?}");
}

#[test]
fn time_has_to_move_on_the_grid() {
    let mandate = mandate();
    let records = run(&mandate, &model(&mandate.model, 1), 4);
    let mut back = records.clone();
    back[3].observation.time_s = back[2].observation.time_s;
    assert!(errors(&check(&mandate, &back)).iter().any(|e| (e.0, e.1) == (Code::TimeNotForward, Some(3))));
    let mut off = records;
    off[3].observation.time_s += 1;
    assert!(errors(&check(&mandate, &off)).iter().any(|e| (e.0, e.1) == (Code::TimeOffGrid, Some(3))));
}

/// A vault that starts above the largest weight sells down in the warm-up, and its audit says nothing.
#[test]
fn a_sale_that_a_limit_forces_in_warm_up_is_no_finding() {
    let mut mandate = mandate();
    (mandate.limits.max_weight_bps, mandate.limits.warmup_steps) = (1, 16);
    let mut records = Vec::new();
    for seed in 0..40 {
        records = run(&mandate, &model(&mandate.model, seed), 16);
        if records.iter().any(|r| r.decision.order.is_some() && !r.decision.halted) {
            break;
        }
    }
    let sale = records.iter().position(|r| r.decision.order.is_some_and(|o| o.side == Side::Sell) && !r.decision.halted);
    let sale = sale.expect("the fixture's vault starts with some of the base asset");
    assert_eq!(errors(&check(&mandate, &records)), [MISSING]);
    // Any other order in it is one.
    mandate.limits.max_weight_bps = 10_000;
    let report = check(&mandate, &records);
    let (found, step) = (errors(&report), u32::try_from(sale).unwrap());
    assert!(found.contains(&(Code::OrderLimit, Some(step), Some("limits.warmup_steps"))), "{found:?}");
    // The first order does not end the warm-up: each one in it is one.
    let orders = records.iter().filter(|r| r.decision.order.is_some() && !r.decision.halted).count();
    assert!(orders > 1, "the limit forces several sales");
    assert_eq!(found.iter().filter(|f| f.2 == Some("limits.warmup_steps")).count(), orders);
}

/// Holds, each with a deposit before it.
fn deposits(mandate: &Mandate, count: usize) -> Vec<Record> {
    let mut records = run(mandate, &model(&mandate.model, 1), 1);
    let first = Record { decision: probity_strategy::Decision { order: None, halted: false }, ..records.remove(0) };
    let mut records = vec![first];
    for n in 1..count {
        let mut next = records[n - 1].clone();
        let obs = &mut next.observation;
        (obs.step, obs.time_s, obs.block_number) = (obs.step + 1, obs.time_s + u64::from(mandate.interval_s), obs.block_number + 1);
        obs.quote = Amount::new(obs.quote.raw() + 1).unwrap();
        obs.base = Amount::new(obs.base.raw() + 1).unwrap();
        records.push(next);
    }
    records
}

#[test]
fn a_thousand_deposits_do_not_reject_a_log() {
    let mandate = mandate();
    let report = check(&mandate, &deposits(&mandate, 1_200));
    assert_eq!(errors(&report), [MISSING]);
    assert_eq!(report.coverage.decisions, 1_200);
    let of = |code| report.findings.iter().filter(|f| f.code == code).collect::<Vec<_>>();
    assert!(of(Code::Flow).len() >= 990 && of(Code::Flow).len() <= 1_000, "bounded: {}", of(Code::Flow).len());
    let [left] = of(Code::TooMany)[..] else { panic!("what is left out is said: {:?}", of(Code::TooMany)) };
    assert!(left.severity == Severity::Info && left.message.contains("more findings that are no errors"), "{left:?}");
    // Errors behind them are still found.
    let mut records = deposits(&mandate, 1_200);
    records[1_150].observation.time_s += 1;
    assert!(errors(&check(&mandate, &records)).iter().any(|e| (e.0, e.1) == (Code::TimeOffGrid, Some(1_150))));
}

#[test]
fn a_log_without_shares_is_refused() {
    let mandate = mandate();
    let mut records = deposits(&mandate, 3);
    for record in &mut records {
        record.observation.shares = Amount::ZERO;
    }
    let report = check(&mandate, &records);
    let found = errors(&report);
    for step in 0..3 {
        assert!(found.contains(&(Code::NoShares, Some(step), Some("record.observation.shares"))), "{found:?}");
    }
    // Nor is a part of one that shows only some of them.
    let mut shown = Vec::new();
    disclose(log(&mandate, &records).as_bytes(), 1, 3, &mut shown).unwrap();
    let report = audit_disclosure(shown.as_slice(), Evidence::default(), |_| unreachable!("nothing is proven"));
    assert_eq!(errors(&report), [(Code::NoShares, Some(1), Some("record.observation.shares"))]);
}

#[test]
fn the_program_says_when_it_cannot_tell() {
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_probity-verify")).args(args).output().unwrap();
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["--log"]).status.code(), Some(2));
    assert_eq!(run(&["--log", "/nonexistent", "--proof", "/nonexistent"]).status.code(), Some(2));
    assert_eq!(run(&["--other"]).status.code(), Some(2));
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Exit status"));
    let folder = tempfile::tempdir().unwrap();
    let (log, proof) = (folder.path().join("log"), folder.path().join("proof"));
    std::fs::write(&log, "{}\n").unwrap();
    std::fs::write(&proof, "x").unwrap();
    let out = run(&["--log", log.to_str().unwrap(), "--proof", proof.to_str().unwrap(), "--json"]);
    assert_eq!(out.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&report["version"], &report["verdict"], &report["findings"][0]["code"]),
        (&1.into(), &"rejected".into(), &"log_malformed".into())
    );
}
