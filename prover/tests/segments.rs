//! Rows 36 and 41 of the bad cases: weights that rotate under one proof, proofs of stretches of a log, and a range of records shown alone.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "common/audits.rs"]
mod audits;
#[expect(dead_code, reason = "shared with other tests")]
mod common;

use audits::Audits;
use common::{mandate, model, observations, salt};
use probity_prover::{Params, ProverError, Session};
use probity_strategy::{Mandate, Model, ModelShape, Observation, Record, Recurrent};
use probity_verifier::{
    Code, Digest, Envelope, Evidence, Header, Keys, LogWriter, Report, Reveal, Rotation, Salt, Severity, Verdict, audit, audit_disclosure,
    disclose,
};
use std::path::Path;
use std::sync::Arc;

/// The new weights decide from here on, in the middle of the second stretch.
const AT: u32 = 13;
/// The first stretch ends right where the announcement stands: it is made by the first fold of the second.
const CUTS: [usize; 3] = [1, 16, 18];

/// With a memory: it goes on over cuts, checkpoints and the rotation.
fn shape() -> ModelShape {
    ModelShape { dims: vec![18, 2, 3], shifts: vec![7], recurrent: Some(Recurrent { units: 2, gate_shift: 7, candidate_shift: 6 }) }
}

struct Weights {
    old: Model,
    new: Model,
    new_salt: Salt,
}

/// A run of 18 decisions: the rotation is announced before decision 1, the proof is cut after 1 and after 16.
struct Run {
    mandate: Mandate,
    rotation: Rotation,
    log: String,
    proofs: Vec<Vec<u8>>,
    keys: Arc<Keys>,
    audits: Audits,
}

fn weights() -> Weights {
    Weights { old: model(&shape(), 1), new: model(&shape(), 5), new_salt: Salt::new([3; 32]) }
}

/// Folds up to `to`, in the largest folds there may be.
fn go_on(session: &mut Session, seen: &[Observation], to: usize, records: &mut Vec<Record>) {
    while records.len() < to {
        let from = records.len();
        let most = session.room().min(to - from);
        records.extend(session.fold(&seen[from..from + most]).unwrap().into_iter().map(|s| s.record));
    }
}

/// A fresh session from a checkpoint of this one.
fn resumed(session: &Session, file: &Path, params: &Arc<Params>) -> Session {
    session.checkpoint(file).unwrap();
    let Weights { old, new, new_salt } = weights();
    let (model, salt) = if session.decisions() > AT { (new.clone(), new_salt.clone()) } else { (old.clone(), salt()) };
    let mut fresh = Session::resume(file, params.clone(), session.mandate().clone(), model, salt).unwrap();
    assert_eq!((fresh.head(), fresh.ahead(), fresh.from()), (session.head(), session.ahead(), session.from()));
    if session.ahead().is_some() {
        assert!(matches!(fresh.provide(old, salt_of(9)), Err(ProverError::Domain(_))), "not the weights announced");
        fresh.provide(new, new_salt).unwrap();
    }
    fresh
}

fn salt_of(byte: u8) -> Salt {
    Salt::new([byte; 32])
}

fn run(folder: &Path) -> Run {
    let mandate = mandate(shape(), 4);
    let params = Arc::new(Params::for_mandate(&mandate).unwrap());
    let Weights { old, new, new_salt } = weights();
    // What each set of weights sees is the same market; fills are whatever the first set would have got.
    let seen = observations(&mandate, &old, 18);
    let mut session = Session::start(params.clone(), mandate.clone(), old, salt()).unwrap();
    let mut records = Vec::new();
    let file = folder.join("session");
    let (mut proofs, mut rotation) = (Vec::new(), None);
    for to in CUTS {
        if to == 16 {
            let early = session.announce(AT - 1, new.clone(), new_salt.clone());
            assert!(matches!(early, Err(ProverError::Domain(e)) if e.field == "rotation.at_step"));
            rotation = Some(session.announce(AT, new.clone(), new_salt.clone()).unwrap());
            let second = session.announce(AT + 5, new.clone(), new_salt.clone());
            assert!(matches!(second, Err(ProverError::Domain(e)) if e.field == "rotation"));
            // A checkpoint would lose what no fold has taken in.
            assert!(matches!(session.checkpoint(&file), Err(ProverError::Checkpoint { field: "rotation", .. })));
        }
        go_on(&mut session, &seen, to, &mut records);
        proofs.push(session.compress().unwrap());
        session.cut().unwrap();
        assert!(matches!(session.compress(), Err(ProverError::Empty)));
        session = resumed(&session, &file, &params);
    }
    let rotation = rotation.unwrap();
    assert_eq!((session.commitment(), session.ahead()), (rotation.commitment, None));
    let path = folder.join("log");
    let commitment = first_commitment(&mandate);
    let mut log = LogWriter::create(&path, &Header::new(mandate.clone(), commitment), false).unwrap();
    for record in &records {
        if record.observation.step == 1 {
            assert!(log.announce(&Rotation { at_step: AT - 1, ..rotation }).is_err());
            log.announce(&rotation).unwrap();
            assert!(log.announce(&Rotation { at_step: AT + 5, ..rotation }).is_err(), "one at a time");
        }
        log.append(record).unwrap();
    }
    log.seal().unwrap();
    assert_eq!(log.head(), session.head());
    let keys = params.shared_keys();
    Run { mandate, rotation, log: std::fs::read_to_string(path).unwrap(), proofs, keys, audits: Audits::default() }
}

fn first_commitment(mandate: &Mandate) -> Digest {
    probity_verifier::commit_model(&mandate.model, &weights().old, &salt())
}

impl Run {
    fn audit(&self, log: &str, proofs: &[usize], segment: bool, reveal: Option<&Reveal>) -> Report {
        let (last, before) = proofs.split_last().unwrap();
        let before: Vec<Vec<u8>> = before.iter().map(|n| self.proofs[*n].clone()).collect();
        let evidence = Evidence { proof: Some(&self.proofs[*last]), reveal, before: &before, segment };
        self.audits.audit(log, evidence, &self.keys)
    }

    fn disclosed(&self, text: &[u8], proofs: &[usize]) -> Report {
        let (last, before) = proofs.split_last().unwrap();
        let before: Vec<Vec<u8>> = before.iter().map(|n| self.proofs[*n].clone()).collect();
        let evidence = Evidence { proof: Some(&self.proofs[*last]), before: &before, ..Evidence::default() };
        audit_disclosure(text, evidence, |_| Ok(self.keys.clone()))
    }
}

fn errors(report: &Report) -> Vec<Code> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect()
}

fn stretches_together_prove_the_whole(run: &Run) {
    let report = run.audit(&run.log, &[0, 1, 2], false, None);
    assert_eq!((errors(&report), report.verdict), (vec![], Verdict::Accepted));
    let statement = report.statement.unwrap();
    assert_eq!((statement.from_decision, statement.decisions, report.coverage.proven), (0, 18, 18));
    assert_eq!(statement.rotations, [run.rotation]);
    assert!(statement.shows[0].contains(&format!("{} from decision {AT}", run.rotation.commitment)), "{:?}", statement.shows);
    // Out of order, or with one missing, they do not meet.
    for proofs in [&[1, 0][..], &[0, 2], &[0, 0]] {
        assert_eq!(errors(&run.audit(&run.log, proofs, true, None)), [Code::ProofsDoNotMeet], "{proofs:?}");
    }
}

fn a_stretch_alone_shows_its_part_to_who_asks_for_it(run: &Run) {
    assert_eq!(errors(&run.audit(&run.log, &[1], false, None)), [Code::UnprovenStart, Code::UnprovenTail]);
    assert_eq!(errors(&run.audit(&run.log, &[0], false, None)), [Code::UnprovenTail]);
    let report = run.audit(&run.log, &[1], true, None);
    assert_eq!((errors(&report), report.verdict, report.coverage.proven), (vec![], Verdict::Accepted, 15));
    let statement = report.statement.unwrap();
    assert_eq!((statement.from_decision, statement.decisions), (1, 16));
    assert!(statement.does_not_show.iter().any(|s| s.contains("before 1")), "{:?}", statement.does_not_show);
    // The weights rotated within it, and z at its start says that nothing had been announced before: the log's rotation is the only one.
    assert_eq!((statement.ahead_at_start, statement.ahead_at_end, &statement.rotations[..]), (None, None, &[run.rotation][..]));
    assert!(
        statement.shows.iter().any(|s| s.contains("by the state that the proof starts from, no other weights")),
        "{:?}",
        statement.shows
    );
    assert!(statement.does_not_show.iter().any(|s| s.contains("announced when the log says")));
    let adopted = |r: &Report| {
        r.findings
            .iter()
            .any(|f| (f.code, f.severity, f.field.as_deref()) == (Code::UnprovenStart, Severity::Warn, Some("proof.start.commitment")))
    };
    assert!(!adopted(&run.audit(&run.log, &[1], true, None)), "its first weights are those of genesis, and it opens them");
    // The last stretch starts with other weights: whoever wrote the lines before it may have made them up.
    let report = run.audit(&run.log, &[2], true, None);
    assert_eq!((errors(&report), report.verdict, adopted(&report)), (vec![], Verdict::Accepted, true));
    let statement = report.statement.unwrap();
    assert!(statement.shows.iter().all(|s| !s.contains(&first_commitment(&run.mandate).to_string())), "{:?}", statement.shows);
    assert!(
        statement.does_not_show.iter().any(|s| s.contains("may never have known the committed model")),
        "{:?}",
        statement.does_not_show
    );
    // Its start and its end are bound: another start is another statement, for which there is no proof.
    let envelope = Envelope::from_bytes(&run.proofs[1]).unwrap();
    let mut genesis = envelope.clone();
    genesis.start = None;
    let first = first_commitment(&run.mandate);
    assert_eq!(genesis.folds, 4);
    assert_eq!(genesis.verify(&run.keys, &run.mandate, &first).unwrap_err().code, Code::ProofOtherCommitment);
    let other = Digest::from_scalar(probity_verifier::Scalar::from(5));
    let start = envelope.start.unwrap();
    for changed in [
        probity_verifier::Waypoint { commitment: other, ..start },
        probity_verifier::Waypoint { ahead: Some(run.rotation), ..start },
        probity_verifier::Waypoint { decisions: 2, ..start },
        probity_verifier::Waypoint { head: other, ..start },
        probity_verifier::Waypoint { state: other, ..start },
    ] {
        let mut forged = envelope.clone();
        forged.start = Some(changed);
        assert_eq!(forged.verify(&run.keys, &run.mandate, &first).unwrap_err().code, Code::ProofInvalid);
    }
    // A start at decision 0 that is not genesis would smuggle in a state: it does not parse.
    let mut smuggled = envelope;
    smuggled.start = Some(probity_verifier::Waypoint { decisions: 0, ..start });
    let finding = Envelope::from_bytes(&smuggled.to_bytes()).unwrap_err();
    assert_eq!((finding.code, finding.field.as_deref()), (Code::ProofMalformed, Some("start.decisions")));
}

fn the_audit_follows_the_weights(run: &Run) {
    let Weights { old, new, new_salt } = weights();
    let then = Reveal { model: new, salt: new_salt, then: None };
    let reveal = Reveal { model: old, salt: salt(), then: Some(Box::new(then)) };
    let report = run.audit(&run.log, &[0, 1, 2], false, Some(&reveal));
    assert_eq!((errors(&report), report.coverage.replayed), (vec![], 18));
    // Without the second opening the replay stops being one.
    let alone = Reveal { then: None, ..reveal };
    assert!(errors(&run.audit(&run.log, &[0, 1, 2], false, Some(&alone))).contains(&Code::RevealMismatch));
    // An announcement that is changed, dropped or put elsewhere no longer leads to the heads.
    let lines: Vec<&str> = run.log.lines().collect();
    assert!(lines[2].contains("rotation"));
    let join = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    let changed = lines[2].replace(&format!("\"at_step\":{AT}"), "\"at_step\":14");
    let cases = [
        join(&[&lines[..2], &[&changed], &lines[3..]].concat()),
        join(&[&lines[..2], &lines[3..]].concat()),
        join(&[&lines[..1], &[lines[2], lines[1]], &lines[3..]].concat()),
        join(&[&lines[..3], &lines[2..]].concat()),
    ];
    for (n, log) in cases.iter().enumerate() {
        // The heads alone tell, without a look at the proofs.
        let found = errors(&audit(log.as_bytes(), Evidence::default(), |_| Ok(run.keys.clone())));
        assert!(found.contains(&Code::HeadMismatch), "case {n}: {found:?}");
    }
}

fn a_range_is_shown_without_the_rest(run: &Run) {
    let show = |from, to| {
        let mut text = Vec::new();
        disclose(run.log.as_bytes(), from, to, &mut text).map(|()| text)
    };
    let text = show(1, 16).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines().count();
    assert_eq!(lines, 17, "a header, the announcement and fifteen decisions");
    let report = run.disclosed(&text, &[0, 1, 2]);
    assert_eq!((errors(&report), report.verdict), (vec![], Verdict::Accepted));
    let statement = report.statement.unwrap();
    assert_eq!((statement.from_decision, statement.decisions), (0, 18));
    assert!(statement.shows.iter().any(|s| s.contains("decisions 1 … 15 are shown")), "{:?}", statement.shows);
    // What else was announced in what is not shown is unknown: nothing is said of the same weights for all.
    assert!(statement.shows[0].contains(&run.rotation.commitment.to_string()));
    assert!(statement.shows.iter().all(|s| !s.contains("for all of them")), "{:?}", statement.shows);
    assert!(report.coverage.orders > 0);
    // From genesis, and with the announcement in the range.
    assert_eq!(run.disclosed(&show(0, 1).unwrap(), &[0, 1, 2]).verdict, Verdict::Accepted);
    // A range that no proof ends at, a record changed, one left out, proofs that stop short of genesis.
    assert_eq!(errors(&run.disclosed(&show(1, 15).unwrap(), &[0, 1, 2])), [Code::ProofsDoNotMeet]);
    assert_eq!(errors(&run.disclosed(&show(2, 16).unwrap(), &[0, 1, 2])), [Code::ProofsDoNotMeet]);
    let with = |from: &str, to: &str| {
        let changed = String::from_utf8(text.clone()).unwrap().replacen(from, to, 1);
        assert_ne!(changed.as_bytes(), text);
        errors(&run.disclosed(changed.as_bytes(), &[0, 1, 2]))
    };
    assert_eq!(with("\"block_number\":18", "\"block_number\":19"), [Code::HeadMismatch]);
    assert_eq!(with("\"mean_tick\":19", "\"mean_tick\":18"), [Code::PriceMismatch]);
    assert_eq!(with("\"at_step\":13", "\"at_step\":12"), [Code::RotationRefused]);
    let cut: String =
        String::from_utf8(text.clone()).unwrap().lines().enumerate().filter(|(n, _)| *n != 4).map(|(_, l)| format!("{l}\n")).collect();
    assert_eq!(errors(&run.disclosed(cut.as_bytes(), &[0, 1, 2])), [Code::StepIndex]);
    assert_eq!(errors(&run.disclosed(&text, &[1, 2])), [Code::UnprovenStart, Code::ProofsDoNotMeet]);
    assert!(show(16, 16).is_err() && show(3, 40).is_err());
}

#[test]
fn rotation_stretches_and_disclosure() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path());
    stretches_together_prove_the_whole(&run);
    a_stretch_alone_shows_its_part_to_who_asks_for_it(&run);
    the_audit_follows_the_weights(&run);
    a_range_is_shown_without_the_rest(&run);
}
