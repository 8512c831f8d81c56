//! The documented formats: golden files, schemas, the envelope's layout, the independent checker held against the audit, and what
//! parsers do with bytes from anywhere.
//!
//! `PROBITY_BLESS=1` writes the golden files.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use probity_strategy::{
    Amount, Engine, Fill, Limits, Mandate, Model, ModelShape, Observation, PolicyParams, ProofEngine, Record, Side, State, oriented,
    price_x64,
};
use probity_verifier::{
    CIRCUIT_VERSION, Code, Digest, Domain, ENVELOPE_VERSION, Entry, Envelope, Equivocation, Evidence, Header, Histories, Keys, LogWriter,
    Report, Reveal, Rotation, Salt, Scalar, Severity, VECTOR_LOG, VECTOR_PROOF, Verdict, Waypoint, audit, commit_model, disclose, hash,
    histories, next_head,
};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod checker;
mod parsers;
mod recurrent;
mod schema;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats")
}

pub(crate) fn mandate() -> Mandate {
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
        model: ModelShape { dims: vec![16, 2, 3], shifts: vec![7], recurrent: None },
        limits: Limits {
            max_weight_bps: 8_000,
            max_trade_bps: 1_500,
            min_trade_bps: 10,
            max_turnover_bps: 6_000,
            turnover_window_steps: 8,
            max_drawdown_bps: 1_500,
            max_slippage_bps: 100,
            max_trade_quote: Amount::new(6_000_000_000).unwrap(),
            warmup_steps: 1,
        },
    }
}

/// A model of the golden shape; the seed moves what it wants.
fn model(seed: i32) -> Model {
    let weights = (0..38).map(|i| i8::try_from((i * 37 + seed * 11) % 200 - 100).unwrap()).collect();
    let policy = PolicyParams { gain: 9_000, band_gain: 10, band_bps: 20, max_step_bps: 5_000, cooldown_steps: 1 };
    Model { scales: [4_096; 16], weights, biases: vec![3, -7, -9_000 + seed, 0, 30_000 - 10_000 * seed], policy }
}

pub(crate) fn reveal(seed: i32) -> Reveal {
    Reveal { model: model(seed), salt: Salt::new([7; 32]), then: None }
}

/// A market with fills, missed fills, a deposit, gaps and a crash.
pub(crate) fn run(seed: i32, count: u32) -> Vec<Record> {
    run_of(&mandate(), &model(seed), count)
}

pub(crate) fn run_of(mandate: &Mandate, model: &Model, count: u32) -> Vec<Record> {
    let engine = Engine::new(mandate.clone(), model.clone()).unwrap();
    let mut state = State::genesis(mandate);
    let (mut quote, mut base, mut n) = (50_000_000_000u128, 10_000_000_000_000_000_000u128, 0);
    let mut records = Vec::new();
    for k in 0..count {
        let mut fill = None;
        if let Some(order) = state.pending.filter(|_| k % 5 != 4) {
            let taken = order.min_out + order.min_out / 200;
            match order.side {
                Side::Buy => (quote, base) = (quote - order.amount_in.raw(), base + taken),
                Side::Sell => (quote, base) = (quote + taken, base - order.amount_in.raw()),
            }
            fill = Some(Fill { amount_out: Amount::new(taken).unwrap() });
        }
        quote += if k == 3 { 1_000_000 } else { 0 };
        n += if k % 7 == 6 { 3 } else { 1 };
        let mean_tick = 196_000 + (i32::try_from(k).unwrap() * 331) % 900 + if k + 3 > count { 3_500 } else { 0 };
        let obs = Observation {
            step: k,
            time_s: mandate.genesis_time_s + n * u64::from(mandate.interval_s),
            block_number: 18_000_000 + u64::from(k) * 300,
            block_hash: [u8::try_from(k % 251).unwrap(); 32],
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

pub(crate) fn header(seed: i32) -> Header {
    let reveal = reveal(seed);
    Header::new(mandate(), commit_model(&mandate().model, &reveal.model, &reveal.salt))
}

/// A log with heads computed afresh.
pub(crate) fn log_of(seed: i32, records: &[Record]) -> String {
    let header = header(seed);
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    let mut head = header.genesis_head;
    for record in records {
        head = next_head(&head, record);
        writeln!(text, "{}", serde_json::to_string(&Entry { record: record.clone(), head }).unwrap()).unwrap();
    }
    text
}

pub(crate) fn audited(log: &str, seed: i32) -> Report {
    audited_with(log, &reveal(seed))
}

pub(crate) fn audited_with(log: &str, reveal: &Reveal) -> Report {
    audit(log.as_bytes(), Evidence { proof: None, reveal: Some(reveal), ..Evidence::default() }, |m| Keys::for_mandate(m).map(Arc::new))
}

pub(crate) fn golden(name: &str, now: &str) {
    let path = folder().join("golden").join(name);
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap();
    assert_eq!(pinned, now, "{name}: the format changed; raise its version, then PROBITY_BLESS=1 writes the file");
}

pub(crate) fn golden_log() -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = LogWriter::create(&path, &header(0), false).unwrap();
    for record in run(0, 12) {
        if record.observation.step == 2 {
            log.announce(&announced()).unwrap();
        }
        log.append(&record).unwrap();
    }
    log.seal().unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// Decisions 2 … 8 of the golden log, the announcement before the first of them included.
pub(crate) fn disclosed() -> String {
    let mut out = Vec::new();
    disclose(golden_log().as_bytes(), 2, 9, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The golden log and another one of its agent: without the announcement, or with another balance from a later decision on.
pub(crate) fn parted(step: usize) -> Equivocation {
    let left = golden_log();
    let right = if step == 2 {
        log_of(0, &run(0, 12))
    } else {
        let mut records = run(0, 12);
        records[step].observation.quote = Amount::new(1).unwrap();
        // The same announcement at the same place, heads computed afresh.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogWriter::create(&path, &header(0), false).unwrap();
        for record in records {
            if record.observation.step == 2 {
                log.announce(&announced()).unwrap();
            }
            log.append(&record).unwrap();
        }
        std::fs::read_to_string(path).unwrap()
    };
    let (one, other) = (audited(&left, 0), audited(&right, 0));
    match histories((left.as_bytes(), &one), (right.as_bytes(), &other)).unwrap() {
        Histories::Two(found) => *found,
        other => panic!("{other:?}"),
    }
}

/// The golden log, and one of its agent that says after five decisions that nothing follows.
pub(crate) fn parted_by_a_seal() -> Equivocation {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = LogWriter::create(&path, &header(0), false).unwrap();
    for record in run(0, 12).into_iter().take(5) {
        if record.observation.step == 2 {
            log.announce(&announced()).unwrap();
        }
        log.append(&record).unwrap();
    }
    log.seal().unwrap();
    let (left, right) = (golden_log(), std::fs::read_to_string(path).unwrap());
    match histories((left.as_bytes(), &audited(&left, 0)), (right.as_bytes(), &audited(&right, 0))).unwrap() {
        Histories::Two(found) => *found,
        other => panic!("{other:?}"),
    }
}

/// What the golden log announces.
fn announced() -> Rotation {
    Rotation { commitment: commit_model(&mandate().model, &reveal(1).model, &reveal(1).salt), at_step: 14 }
}

/// Reports of the vectors' own audit, evidence and disclosure: what auditors pass on.
#[test]
fn golden_files_of_audits_are_what_the_program_writes() {
    let keys = |m: &Mandate| Keys::for_mandate(m).map(Arc::new);
    let evidence = Evidence { proof: Some(VECTOR_PROOF), ..Evidence::default() };
    let report = audit(VECTOR_LOG.as_bytes(), evidence, keys);
    assert_eq!((report.verdict, report.coverage.proven), (Verdict::Accepted, 12));
    golden("report.json", &(serde_json::to_string_pretty(&report).unwrap() + "\n"));
    golden("disclosure.jsonl", &disclosed());
    assert!(disclosed().lines().nth(1).unwrap().contains("\"rotation\""), "the example shows little");
    let found = parted(2);
    assert_eq!((found.step, found.left.announced.is_some(), found.right.announced.is_some()), (2, true, false));
    golden("evidence.json", &(serde_json::to_string_pretty(&found).unwrap() + "\n"));
    assert_eq!((parted(5).step, parted(5).left.announced), (5, None));
}

#[test]
fn golden_files_are_what_the_program_writes() {
    let log = golden_log();
    golden("log.jsonl", &log);
    golden("mandate.json", &(serde_json::to_string(&mandate()).unwrap() + "\n"));
    golden("opening.json", &(serde_json::to_string(&reveal(0)).unwrap() + "\n"));
    let file = format!(
        "{{\"version\":1,\"shape\":{},\"model\":{}}}\n",
        serde_json::to_string(&mandate().model).unwrap(),
        serde_json::to_string(&model(0)).unwrap()
    );
    golden("model.json", &file);
    let records = run(0, 12);
    let sides: Vec<Side> = records.iter().filter_map(|r| r.decision.order.map(|o| o.side)).collect();
    assert!(
        sides.contains(&Side::Buy) && sides.contains(&Side::Sell) && records.iter().any(|r| r.decision.halted),
        "the example shows little"
    );
    assert!(records.iter().any(|r| r.observation.fill.is_some() && !r.decision.halted));
    let report = audited(&log, 0);
    let errors: Vec<Code> = report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect();
    assert_eq!((errors, report.coverage.replayed), (vec![Code::ProofMissing], 12));
}

#[test]
fn envelope_layout_is_as_documented() {
    let commitment = header(0).model_commitment;
    for (byte, engine, start) in
        [(1, ProofEngine::Transparent, false), (2, ProofEngine::Pairing, false), (1, ProofEngine::Transparent, true)]
    {
        let mut bytes = b"PROBITYP".to_vec();
        bytes.extend(ENVELOPE_VERSION.to_be_bytes());
        bytes.extend(CIRCUIT_VERSION.to_be_bytes());
        bytes.push(byte);
        bytes.extend([0x0a; 32]);
        bytes.extend(3u32.to_be_bytes());
        bytes.extend([commitment.to_bytes(), [1; 32], [5; 32]].concat());
        bytes.extend([40u32.to_be_bytes(), 2u32.to_be_bytes()].concat());
        bytes.extend([[3; 32], [4; 32]].concat());
        assert_eq!(bytes.len(), 217);
        bytes.push(u8::from(start));
        if start {
            bytes.extend([[6; 32], [0; 32]].concat());
            bytes.extend([0u32.to_be_bytes(), 7u32.to_be_bytes()].concat());
            bytes.extend([[8; 32], [9; 32]].concat());
            assert_eq!(bytes.len(), 354);
        }
        bytes.extend(5u32.to_be_bytes());
        bytes.extend([9, 8, 7, 6, 5]);
        let envelope = Envelope::from_bytes(&bytes).unwrap();
        let digest = |b: u8| Digest::from_bytes([b; 32]).unwrap();
        assert_eq!((envelope.engine, envelope.parameters, envelope.folds), (engine, digest(0x0a), 3));
        let ahead = Some(Rotation { commitment: digest(5), at_step: 40 });
        let end = Waypoint { commitment, ahead, decisions: 2, head: digest(3), state: digest(4) };
        assert_eq!((envelope.mandate, envelope.end), (digest(1), end));
        let point = Waypoint { commitment: digest(6), ahead: None, decisions: 7, head: digest(8), state: digest(9) };
        assert_eq!(envelope.start, start.then_some(point));
        assert_eq!(envelope.to_bytes(), bytes);
        // A step without a rotation has no meaning.
        let mut wrong = bytes.clone();
        wrong[113..145].fill(0);
        let finding = Envelope::from_bytes(&wrong).unwrap_err();
        assert_eq!((finding.code, finding.field.as_deref()), (Code::ProofMalformed, Some("end.at_step")));
    }
}

/// Amount, bound, side, halt and fill share one element of a record: a bound of 126 bits or more would give one head two readings, a
/// sell of at least m being a buy of at least m + 2^126.
#[test]
fn a_bound_that_runs_into_the_side_is_no_order() {
    let order = |min_out: u128| {
        let text = format!("{{\"side\":\"buy\",\"amount_in\":\"5\",\"min_out\":\"{min_out}\"}}");
        serde_json::from_str::<probity_strategy::Order>(&text)
    };
    assert_eq!(order((1 << 126) - 1).unwrap().min_out, (1 << 126) - 1);
    for wide in [1 << 126, (1 << 126) + 7, 1 << 127, u128::MAX] {
        assert!(order(wide).unwrap_err().to_string().contains("min_out: expected below 2^126"));
    }
}

/// One list of elements has another hash in every domain, at every length, zeros at its end included.
#[test]
fn domains_and_lengths_are_apart() {
    let mut seen = std::collections::BTreeSet::new();
    for domain in [Domain::Model, Domain::Mandate, Domain::Genesis, Domain::Record, Domain::State, Domain::Rotation] {
        for length in 0..16 {
            assert!(seen.insert(Digest::from_scalar(hash(domain, &vec![Scalar::from(0); length]))), "{domain:?}, {length}");
            // The tag of a domain as the first element of another is not that domain.
            let inside = [vec![domain.tag()], vec![Scalar::from(0); length]].concat();
            assert!(seen.insert(Digest::from_scalar(hash(Domain::State, &inside))), "{domain:?} inside, {length}");
        }
    }
    let reveal = reveal(0);
    let with = |byte| commit_model(&mandate().model, &reveal.model, &Salt::new([byte; 32]));
    assert_ne!(with(7), with(8), "another salt, another commitment");
}

/// JSON pointers to everything that is not an object or a list.
pub(crate) fn leaves(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => fields.iter().flat_map(|(name, v)| leaves(v, &format!("{at}/{name}"))).collect(),
        Value::Array(items) => items.iter().enumerate().flat_map(|(i, v)| leaves(v, &format!("{at}/{i}"))).collect(),
        _ => vec![at.to_owned()],
    }
}
