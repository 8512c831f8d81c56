//! From observations to an accepted audit, and every way to tamper on the way there.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "tests")]

#[path = "common/audits.rs"]
mod audits;
mod common;

use audits::Audits;
use common::{fold, mandate, model, observations, salt, write_log};
use probity_prover::{Params, ProverError, Session};
use probity_strategy::{Mandate, ModelShape, Record};
use probity_verifier::{
    ByEngine, Code, CompressedSnarkOf, Envelope, Evidence, Finding, Header, Keys, KeysError, Origin, Report, Reveal, Rotation, Severity,
    Transparent, Verdict, audit, next_head, verify,
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

static SMALL: LazyLock<Arc<Params>> = LazyLock::new(|| Arc::new(Params::for_mandate(&mandate(small(), 3)).unwrap()));

fn small() -> ModelShape {
    ModelShape { dims: vec![16, 4, 3], shifts: vec![7], recurrent: None }
}

/// One agent run, shared by the tests: seven decisions in three folds, the last partly empty.
struct Run {
    mandate: Mandate,
    session: Session,
    records: Vec<Record>,
    log: String,
    proof: Vec<u8>,
    keys: Arc<Keys>,
    audits: Audits,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    let mandate = mandate(small(), 3);
    let model = model(&small(), 1);
    let mut session = Session::start(SMALL.clone(), mandate.clone(), model.clone(), salt()).unwrap();
    let started = Instant::now();
    let records = fold(&mut session, &observations(&mandate, &model, 7), &[3, 3, 1]);
    println!("small: {} constraints, 3 folds of up to 3: {:?}", SMALL.constraints(), started.elapsed());
    let started = Instant::now();
    let proof = session.compress().unwrap();
    println!("small: compress and self-check {:?}, {} bytes", started.elapsed(), proof.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write_log(&path, &mandate, &session, &records, true);
    let log = std::fs::read_to_string(&path).unwrap();
    let keys = Arc::new(Keys::for_mandate(&mandate).unwrap());
    Run { mandate, session, records, log, proof, keys, audits: Audits::default() }
});

impl Run {
    fn audit(&self, log: &str) -> Report {
        self.audit_with(log, Evidence { proof: Some(&self.proof), reveal: None, ..Evidence::default() })
    }

    fn audit_with(&self, log: &str, evidence: Evidence<'_>) -> Report {
        self.audits.audit(log, evidence, &self.keys)
    }

    fn lines(&self) -> Vec<Value> {
        self.log.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|l| format!("{l}\n")).collect()
}

fn errors(report: &Report) -> Vec<Code> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect()
}

fn an_honest_run_is_accepted() {
    let run = &*RUN;
    let report = run.audit(&run.log);
    assert_eq!(errors(&report), [], "{:?}", report.findings);
    assert_eq!(report.verdict, Verdict::Accepted);
    let statement = report.statement.unwrap();
    assert_eq!((statement.decisions, statement.folds, statement.head), (7, 3, run.session.head()));
    assert_eq!((report.coverage.proven, report.coverage.gaps), (7, 1));
    assert!(report.coverage.orders > 0, "the fixture has to trade");
    assert!(report.findings.iter().any(|f| f.code == Code::Gap && f.step == Some(5)));
    assert!(report.findings.iter().any(|f| f.code == Code::Flow && f.step == Some(3) && f.message.contains("1000000 ")));
    assert!(!statement.does_not_show.is_empty());
    assert_eq!(report.parameters, Some(Origin::Transparent));
}

fn prover_and_auditor_derive_the_same_parameters() {
    assert_eq!(RUN.keys.parameters(), SMALL.digest());
}

fn revealed_model_replays_and_another_does_not() {
    let run = &*RUN;
    let reveal = Reveal { model: model(&small(), 1), salt: salt(), then: None };
    let report = run.audit_with(&run.log, Evidence { proof: Some(&run.proof), reveal: Some(&reveal), ..Evidence::default() });
    assert_eq!((report.verdict, report.coverage.replayed), (Verdict::Accepted, 7));
    let mut other = reveal;
    other.model.weights[0] = other.model.weights[0].wrapping_add(1);
    let report = run.audit_with(&run.log, Evidence { proof: Some(&run.proof), reveal: Some(&other), ..Evidence::default() });
    assert_eq!(errors(&report), [Code::RevealMismatch]);
}

/// Every field of a record: the head no longer fits, at exactly this decision.
fn every_changed_record_field_is_found() {
    let run = &*RUN;
    let observation = "/record/observation";
    for (field, value) in [
        ("step", json!(9)),
        ("time_s", json!(run.mandate.genesis_time_s + 3 * 3_600 + 1)),
        ("block_number", json!(18_000_601)),
        ("block_hash", json!(format!("0x{}", "ab".repeat(32)))),
        ("mean_tick", json!(196_001)),
        ("price_x64", json!("1000000")),
        ("quote", json!("1")),
        ("base", json!("1")),
        ("shares", json!("1")),
        ("fill", json!({"amount_out": "1"})),
    ] {
        let mut lines = run.lines();
        *lines[3].pointer_mut(&format!("{observation}/{field}")).unwrap() = value;
        let report = run.audit(&text(&lines));
        let found = report.findings.iter().find(|f| f.code == Code::HeadMismatch && f.line == Some(4)).is_some();
        assert!(found, "{field}: {:?}", report.findings);
        assert_eq!(report.verdict, Verdict::Rejected, "{field}");
        let own = match field {
            "step" => Code::StepIndex,
            "time_s" => Code::TimeOffGrid,
            "mean_tick" | "price_x64" => Code::PriceMismatch,
            _ => continue,
        };
        assert!(errors(&report).contains(&own), "{field}: {:?}", report.findings);
    }
    for (pointer, value) in [
        ("/record/decision/halted", json!(true)),
        ("/record/decision/order", json!({"side": "buy", "amount_in": "1", "min_out": "1"})),
        ("/record/decision/order", Value::Null),
        ("/head", json!(run.lines()[2]["head"])),
    ] {
        let index =
            run.records.iter().position(|r| pointer != "/record/decision/order" || !value.is_null() || r.decision.order.is_some()).unwrap();
        let mut lines = run.lines();
        let index = index.max(2);
        *lines[index + 1].pointer_mut(pointer).unwrap() = value.clone();
        if lines == run.lines() {
            continue;
        }
        let report = run.audit(&text(&lines));
        assert!(errors(&report).contains(&Code::HeadMismatch), "{pointer}: {:?}", report.findings);
    }
}

/// The same changes with all heads computed anew: a rebuilt log is caught by the proof.
fn a_rebuilt_log_does_not_end_at_the_proven_head() {
    let run = &*RUN;
    let mut lines = run.lines();
    lines[3]["record"]["observation"]["block_number"] = json!(18_000_601);
    let mut head = Header::new(run.mandate.clone(), run.session.commitment()).genesis_head;
    for line in lines.iter_mut().skip(1).take(run.records.len()) {
        let record: Record = serde_json::from_value(line["record"].clone()).unwrap();
        head = next_head(&head, &record);
        line["head"] = json!(head);
    }
    lines.last_mut().unwrap()["seal"]["head"] = json!(head);
    assert_eq!(errors(&run.audit(&text(&lines))), [Code::ProofOtherHead]);
}

fn changed_headers_are_found() {
    let run = &*RUN;
    let other = run.lines()[1]["head"].clone();
    let case = |pointer: &str, value: Value| {
        let mut lines = run.lines();
        *lines[0].pointer_mut(pointer).unwrap() = value;
        errors(&run.audit(&text(&lines)))
    };
    assert_eq!(case("/format", json!("x")), [Code::LogMalformed]);
    assert_eq!(case("/version", json!(1)), [Code::LogMalformed]);
    assert!(case("/model_commitment", other.clone()).starts_with(&[Code::HeaderMismatch, Code::ProofOtherCommitment]));
    assert!(case("/mandate_digest", other.clone()).starts_with(&[Code::HeaderMismatch]));
    assert!(case("/genesis_head", other).starts_with(&[Code::HeaderMismatch]));
    for (field, value) in [
        ("chain_id", json!(10)),
        ("vault", json!(format!("0x{}", "33".repeat(20)))),
        ("pool", json!(format!("0x{}", "33".repeat(20)))),
        ("interval_s", json!(1_800)),
    ] {
        let found = case(&format!("/mandate/{field}"), value);
        assert!(found.starts_with(&[Code::HeaderMismatch, Code::ProofOtherMandate]), "{field}: {found:?}");
    }
    assert!(case("/mandate/proof_engine", json!("pairing")).contains(&Code::ProofOtherParameters));
    assert!(case("/mandate/decisions_per_fold", json!(0)).contains(&Code::MandateInvalid));
}

/// The transparent proof under an honest log of the same mandate with the other engine.
fn a_proof_does_not_serve_the_other_engine() {
    let run = &*RUN;
    let mut other = run.mandate.clone();
    other.proof_engine = probity_strategy::ProofEngine::Pairing;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write_log(&path, &other, &run.session, &run.records, true);
    let log = std::fs::read_to_string(&path).unwrap();
    let evidence = Evidence { proof: Some(&run.proof), reveal: None, ..Evidence::default() };
    let report = audit(log.as_bytes(), evidence, |_| panic!("the engine is compared before keys are derived"));
    assert_eq!(errors(&report), [Code::ProofOtherParameters]);
    assert_eq!(report.findings[0].field.as_deref(), Some("engine"));
    // Called a pairing proof it still is none.
    let mut forged = Envelope::from_bytes(&run.proof).unwrap();
    forged.engine = other.proof_engine;
    let finding = verify(&forged.to_bytes(), &run.keys, &run.mandate, &run.session.commitment()).unwrap_err();
    assert_eq!((finding.code, finding.field.as_deref()), (Code::ProofOtherParameters, Some("engine")));
}

/// An honest log of another mandate (same model, same parameters) with this proof: replay across vaults and chains.
fn a_proof_does_not_serve_another_mandate() {
    let run = &*RUN;
    for change in [|m: &mut Mandate| m.chain_id = 10, |m: &mut Mandate| m.vault = format!("0x{}", "33".repeat(20))] {
        let mut other = run.mandate.clone();
        change(&mut other);
        let finding = verify(&run.proof, &run.keys, &other, &run.session.commitment()).unwrap_err();
        assert_eq!(finding.code, Code::ProofOtherMandate);
    }
    let other = run.records.first().map(|_| SMALL.digest()).unwrap();
    assert_eq!(verify(&run.proof, &run.keys, &run.mandate, &other).unwrap_err().code, Code::ProofOtherCommitment);
}

fn dropped_swapped_and_cut_logs_are_found() {
    let run = &*RUN;
    let lines = run.lines();
    let mut dropped = lines.clone();
    dropped.remove(3);
    let report = run.audit(&text(&dropped));
    assert!(errors(&report).starts_with(&[Code::StepIndex, Code::HeadMismatch]), "{:?}", report.findings);
    assert!(errors(&report).ends_with(&[Code::SealMismatch, Code::LogShorterThanProof]), "{:?}", report.findings);
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    assert!(errors(&run.audit(&text(&swapped))).starts_with(&[Code::StepIndex, Code::HeadMismatch]));
    let mut doubled = lines.clone();
    doubled.insert(3, lines[2].clone());
    assert!(errors(&run.audit(&text(&doubled))).contains(&Code::StepIndex));
    assert_eq!(errors(&run.audit(&text(&lines[..6]))), [Code::LogShorterThanProof]);
    let mut after = lines.clone();
    after.push(lines[8].clone());
    assert_eq!(errors(&run.audit(&text(&after))), [Code::AfterSeal]);
    assert_eq!(errors(&run.audit(&run.log[..run.log.len() - 5])), [Code::LogMalformed]);
    assert_eq!(
        errors(&run.audit(&run.log.replacen("{\"record\"", "{\"extra\":1,\"record\"", 1))),
        [Code::LogMalformed, Code::LogShorterThanProof]
    );
    assert_eq!(errors(&run.audit("")), [Code::LogMalformed]);
    assert_eq!(errors(&run.audit(&"x".repeat(100_000))), [Code::LogMalformed]);
    let seal = lines.last().unwrap();
    for (field, value) in [("decisions", json!(6)), ("head", lines[3]["head"].clone())] {
        let mut changed = lines.clone();
        *changed.last_mut().unwrap() = seal.clone();
        changed.last_mut().unwrap()["seal"][field] = value;
        assert_eq!(errors(&run.audit(&text(&changed))), [Code::SealMismatch]);
    }
}

fn decisions_after_the_proof_are_named() {
    let run = &*RUN;
    let model = model(&small(), 1);
    let mut session = Session::start(SMALL.clone(), run.mandate.clone(), model.clone(), salt()).unwrap();
    fold(&mut session, &observations(&run.mandate, &model, 4), &[3, 1]);
    let proof = session.compress().unwrap();
    let report = run.audit_with(&run.log, Evidence { proof: Some(&proof), reveal: None, ..Evidence::default() });
    assert_eq!((errors(&report), report.coverage.proven), (vec![Code::UnprovenTail], 4));
    let open = text(&run.lines()[..8]);
    let report = run.audit_with(&open, Evidence { proof: Some(&proof), reveal: None, ..Evidence::default() });
    assert_eq!((report.verdict, report.statement.unwrap().decisions), (Verdict::Accepted, 4));
    assert!(report.findings.iter().any(|f| f.code == Code::UnprovenTail && f.severity == Severity::Warn));
    let report = run.audit_with(&run.log, Evidence::default());
    assert_eq!((errors(&report), report.statement), (vec![Code::ProofMissing], None));
}

/// Cut anywhere or with flipped bits: a finding, never a panic, never accepted.
fn malformed_proofs_are_findings() {
    let run = &*RUN;
    let check = |bytes: &[u8]| -> Finding { verify(bytes, &run.keys, &run.mandate, &run.session.commitment()).unwrap_err() };
    for length in (0..run.proof.len()).step_by(37).chain(0..230) {
        assert_eq!(check(&run.proof[..length]).code, Code::ProofMalformed, "{length} bytes");
    }
    let mut longer = run.proof.clone();
    longer.push(0);
    assert_eq!(check(&longer).code, Code::ProofMalformed);
    assert_eq!(check(&vec![0; 1 << 20]).code, Code::ProofMalformed);
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    // A bit of every field, then one in many places of the proof itself.
    let bodies = (226..run.proof.len()).step_by(run.proof.len() / 20);
    for position in (0..226).step_by(9).chain(bodies) {
        let mut bytes = run.proof.clone();
        bytes[position] ^= 1 << (position % 8);
        *seen.entry(format!("{:?}", check(&bytes).code)).or_default() += 1;
    }
    println!("bit flips: {seen:?}");
    let mut huge = run.proof.clone();
    huge[222..230].copy_from_slice(&[0xff; 8]);
    check(&huge);
}

/// The proof library panics on an empty round polynomial: it must not get to see one.
fn an_empty_round_polynomial_is_malformed() {
    let run = &*RUN;
    let config = bincode::config::standard().with_big_endian().with_fixed_int_encoding();
    let (proof, _): (CompressedSnarkOf<Transparent>, usize) = bincode::serde::decode_from_slice(&run.proof[222..], config).unwrap();
    let mut tree = serde_json::to_value(&proof).unwrap();
    *tree.pointer_mut("/snark_primary/outer/compressed_polys/0/coeffs_except_linear_term").unwrap() = json!([]);
    let proof: CompressedSnarkOf<Transparent> = serde_json::from_value(tree).unwrap();
    let envelope = Envelope::from_bytes(&run.proof).unwrap();
    let end = envelope.end.z(&envelope.mandate);
    let bytes = Envelope::new(&run.keys, envelope.folds, None, end, &ByEngine::Transparent(proof)).unwrap().to_bytes();
    let finding = verify(&bytes, &run.keys, &run.mandate, &run.session.commitment()).unwrap_err();
    assert_eq!((finding.code, finding.field.as_deref()), (Code::ProofMalformed, Some("proof")), "{finding}");
}

/// Fewer or more folds, another end of the chain: the same proof no longer verifies.
fn every_claim_of_the_envelope_is_bound() {
    let run = &*RUN;
    let check = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = Envelope::from_bytes(&run.proof).unwrap();
        change(&mut envelope);
        verify(&envelope.to_bytes(), &run.keys, &run.mandate, &run.session.commitment()).unwrap_err().code
    };
    assert_eq!(check(&|e| e.folds = 0), Code::ProofMalformed);
    assert_eq!(check(&|e| e.folds = 1), Code::ProofMalformed);
    assert_eq!(check(&|e| e.folds = 2), Code::ProofMalformed);
    assert_eq!(check(&|e| e.folds = 4), Code::ProofInvalid);
    assert_eq!(check(&|e| e.folds = 7), Code::ProofInvalid);
    assert_eq!(check(&|e| e.parameters = e.end.head), Code::ProofOtherParameters);
    assert_eq!(check(&|e| e.end.commitment = e.end.head), Code::ProofInvalid);
    assert_eq!(check(&|e| e.mandate = e.end.head), Code::ProofOtherMandate);
    assert_eq!(check(&|e| e.end.ahead = Some(Rotation { commitment: e.end.head, at_step: 90 })), Code::ProofInvalid);
    assert_eq!(check(&|e| e.end.decisions = 6), Code::ProofInvalid);
    assert_eq!(check(&|e| e.end.decisions = u32::MAX), Code::ProofMalformed);
    assert_eq!(check(&|e| e.end.head = e.mandate), Code::ProofInvalid);
    assert_eq!(check(&|e| e.end.state = e.mandate), Code::ProofInvalid);
}

/// The second proof is of the same statement.
fn two_proofs_differ_and_hold_no_weights(again: &[u8]) {
    let run = &*RUN;
    assert_ne!(again, run.proof);
    let model = model(&small(), 1);
    let weights: Vec<u8> = model.weights.iter().map(|w| w.to_ne_bytes()[0]).collect();
    for proof in [again, &run.proof] {
        for window in weights.chunks_exact(8) {
            assert!(!proof.windows(8).any(|w| w == window));
            let reversed: Vec<u8> = window.iter().rev().copied().collect();
            assert!(!proof.windows(8).any(|w| w == reversed));
        }
    }
    let shown = format!("{:?} {:?}", run.session, Reveal { model, salt: salt(), then: None });
    assert!(!shown.contains('['), "{shown}");
}

fn a_killed_session_resumes_and_damage_is_refused() {
    let run = &*RUN;
    let model = model(&small(), 1);
    let all = observations(&run.mandate, &model, 7);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let resume = |m: &Mandate, model| Session::resume(&path, SMALL.clone(), m.clone(), model, salt());
    let session = Session::start(SMALL.clone(), run.mandate.clone(), model.clone(), salt()).unwrap();
    session.checkpoint(&path).unwrap();
    drop(session);
    let mut session = resume(&run.mandate, model.clone()).unwrap();
    fold(&mut session, &all[..3], &[3]);
    session.checkpoint(&path).unwrap();
    drop(session);
    let mut session = resume(&run.mandate, model.clone()).unwrap();
    fold(&mut session, &all[3..], &[3, 1]);
    assert_eq!((session.head(), session.decisions(), session.folds()), (run.session.head(), 7, 3));
    let proof = session.compress().unwrap();
    assert_eq!(run.audit_with(&run.log, Evidence { proof: Some(&proof), reveal: None, ..Evidence::default() }).verdict, Verdict::Accepted);
    two_proofs_differ_and_hold_no_weights(&proof);

    let field = |r: Result<Session, ProverError>| match r {
        Err(ProverError::Checkpoint { field, .. }) => field,
        other => panic!("expected a refused checkpoint, got {other:?}"),
    };
    let mut other = run.mandate.clone();
    other.chain_id = 10;
    assert_eq!(field(resume(&other, model.clone())), "mandate");
    assert_eq!(field(resume(&run.mandate, common::model(&small(), 2))), "commitment");
    let bytes = std::fs::read(&path).unwrap();
    for position in [0, 9, 100, 180, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(field(resume(&run.mandate, model.clone())), "sha256", "{position}");
    }
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(field(resume(&run.mandate, model.clone())), "sha256");
    std::fs::write(&path, &bytes[..10]).unwrap();
    assert_eq!(field(resume(&run.mandate, model)), "length");
}

fn refused_observations_leave_the_session_as_it_was() {
    let run = &*RUN;
    let model = model(&small(), 1);
    let good = observations(&run.mandate, &model, 1);
    let mut session = Session::start(SMALL.clone(), run.mandate.clone(), model, salt()).unwrap();
    for change in [
        |o: &mut probity_strategy::Observation| o.step = 1,
        |o: &mut probity_strategy::Observation| o.time_s += 1,
        |o: &mut probity_strategy::Observation| o.mean_tick += 1,
    ] {
        let mut bad = good.clone();
        change(&mut bad[0]);
        assert!(matches!(session.fold(&bad), Err(ProverError::Domain(_))));
    }
    assert!(matches!(session.fold(&[]), Err(ProverError::Domain(_))));
    assert!(matches!(session.compress(), Err(ProverError::Empty)));
    assert_eq!((session.decisions(), session.folds()), (0, 0));
}

#[test]
fn the_pairing_engine_needs_a_file() {
    let mut m = mandate(small(), 3);
    m.proof_engine = probity_strategy::ProofEngine::Pairing;
    assert!(matches!(Params::for_mandate(&m), Err(KeysError::Unsupported { field: "proof_engine", .. })));
}

/// All cases on the one shared run: a runner with a process for each test would prove it anew every time.
#[test]
fn the_whole_way_and_every_tampering() {
    let cases: [(&str, fn()); 15] = [
        ("an_honest_run_is_accepted", an_honest_run_is_accepted),
        ("prover_and_auditor_derive_the_same_parameters", prover_and_auditor_derive_the_same_parameters),
        ("revealed_model_replays_and_another_does_not", revealed_model_replays_and_another_does_not),
        ("every_changed_record_field_is_found", every_changed_record_field_is_found),
        ("a_rebuilt_log_does_not_end_at_the_proven_head", a_rebuilt_log_does_not_end_at_the_proven_head),
        ("changed_headers_are_found", changed_headers_are_found),
        ("a_proof_does_not_serve_another_mandate", a_proof_does_not_serve_another_mandate),
        ("a_proof_does_not_serve_the_other_engine", a_proof_does_not_serve_the_other_engine),
        ("dropped_swapped_and_cut_logs_are_found", dropped_swapped_and_cut_logs_are_found),
        ("decisions_after_the_proof_are_named", decisions_after_the_proof_are_named),
        ("malformed_proofs_are_findings", malformed_proofs_are_findings),
        ("an_empty_round_polynomial_is_malformed", an_empty_round_polynomial_is_malformed),
        ("every_claim_of_the_envelope_is_bound", every_claim_of_the_envelope_is_bound),
        ("a_killed_session_resumes_and_damage_is_refused", a_killed_session_resumes_and_damage_is_refused),
        ("refused_observations_leave_the_session_as_it_was", refused_observations_leave_the_session_as_it_was),
    ];
    for (name, case) in cases {
        let started = Instant::now();
        println!("{name} …");
        case();
        println!("{name}: {:?}", started.elapsed());
    }
}
