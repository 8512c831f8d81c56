//! The public checks of the audit on logs without a proof: honest ones pass, orders outside the mandate do not.
#![expect(clippy::unwrap_used, reason = "tests")]

use probity_strategy::{
    Amount, Engine, Fill, Limits, Mandate, Model, ModelShape, Observation, Order, PolicyParams, ProofEngine, Record, Side, State, oriented,
    price_x64,
};
use probity_verifier::{Code, Entry, Evidence, Header, Report, Salt, Severity, audit, commit_model, next_head};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

fn mandate() -> Mandate {
    Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "11".repeat(20)),
        pool: format!("0x{}", "22".repeat(20)),
        base_is_token1: true,
        interval_s: 3_600,
        genesis_time_s: 1_700_000_000,
        decisions_per_fold: 4,
        proof_engine: ProofEngine::Transparent,
        model: ModelShape { dims: vec![16, 4, 3], shifts: vec![7] },
        limits: Limits {
            max_weight_bps: 8_000,
            max_trade_bps: 2_000,
            min_trade_bps: 10,
            max_turnover_bps: 6_000,
            turnover_window_steps: 24,
            max_drawdown_bps: 1_500,
            max_slippage_bps: 100,
            max_trade_quote: Amount::new(6_000_000_000).unwrap(),
            warmup_steps: 2,
        },
    }
}

fn model(shape: &ModelShape, seed: usize) -> Model {
    let scatter = |i: usize| i64::try_from(i * 7_919 + seed * 104_729).unwrap();
    Model {
        scales: [4_096; 16],
        weights: (0..shape.weights()).map(|i| i8::try_from(scatter(i) % 255 - 127).unwrap()).collect(),
        biases: (0..shape.biases()).map(|i| i32::try_from(scatter(i) % 2_001 - 1_000).unwrap()).collect(),
        policy: PolicyParams { gain: 9_000, band_gain: 10, band_bps: 20, max_step_bps: 5_000, cooldown_steps: 0 },
    }
}

/// A market with a crash in its second half, so that drawdown halts happen too.
fn run(mandate: &Mandate, model: &Model, count: u32) -> Vec<Record> {
    let engine = Engine::new(mandate.clone(), model.clone()).unwrap();
    let mut state = State::genesis(mandate);
    let (mut quote, mut base) = (50_000_000_000u128, 10_000_000_000_000_000_000u128);
    let mut records = Vec::new();
    let mut n = 0;
    for k in 0..count {
        let mut fill = None;
        if let Some(order) = state.pending.filter(|_| k % 5 != 0) {
            let taken = order.min_out + order.min_out / 200;
            match order.side {
                Side::Buy => (quote, base) = (quote - order.amount_in.raw(), base + taken),
                Side::Sell => (quote, base) = (quote + taken, base - order.amount_in.raw()),
            }
            fill = Some(Fill { amount_out: Amount::new(taken).unwrap() });
        }
        n += if k % 17 == 16 { 3 } else { 1 };
        let wave = (i32::try_from(k).unwrap() * 331) % 900;
        let mean_tick = 196_000 + wave + if k > count / 2 { 2_500 } else { 0 };
        let obs = Observation {
            step: k,
            time_s: mandate.genesis_time_s + n * u64::from(mandate.interval_s),
            block_number: 18_000_000 + u64::from(k) * 300,
            block_hash: [7; 32],
            mean_tick,
            price_x64: price_x64(oriented(mean_tick, mandate.base_is_token1)),
            quote: Amount::new(quote).unwrap(),
            base: Amount::new(base).unwrap(),
            shares: Amount::new(1_000_000_000).unwrap(),
            fill,
        };
        let step = engine.step(&state, &obs);
        state = step.next_state;
        records.push(step.record);
    }
    records
}

/// The log of records, with heads computed afresh, audited without a proof.
fn check(mandate: &Mandate, records: &[Record]) -> Report {
    let commitment = commit_model(&mandate.model, &model(&mandate.model, 0), &Salt::new([7; 32]));
    let header = Header::new(mandate.clone(), commitment);
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    let mut head = header.genesis_head;
    for record in records {
        head = next_head(&head, record);
        writeln!(text, "{}", serde_json::to_string(&Entry { record: record.clone(), head }).unwrap()).unwrap();
    }
    audit(text.as_bytes(), Evidence::default(), |m| probity_verifier::Keys::for_mandate(m).map(Arc::new))
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
