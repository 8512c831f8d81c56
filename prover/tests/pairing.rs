//! The pairing engine from a powers-of-tau file to an audit, and every file and proof it refuses on the way.
//!
//! The files are written here, with a tau that stands in the source: insecure by construction, and treated so.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;
#[path = "../verifier/tests/ptau/mod.rs"]
mod writer;

use common::{fold, mandate, model, observations, salt, write_log};
use probity_prover::{Params, ProverError, Session};
use probity_strategy::{Mandate, ModelShape, ProofEngine, Record};
use probity_verifier::{
    ByEngine, Code, CompressedSnarkOf, Envelope, Evidence, FileDigest, Keys, KeysError, Origin, Pairing, ParamsSource, PtauError, Report,
    Severity, Verdict, audit, mandate_digest, verify,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use writer::Ptau;

const NAME: &str = "tau of the tests";

/// The smallest circuit: a fold of one decision of a network without much inside.
fn tiny(engine: ProofEngine) -> Mandate {
    let mut mandate = mandate(ModelShape { dims: vec![16, 1, 3], shifts: vec![7], recurrent: None }, 1);
    mandate.proof_engine = engine;
    mandate
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn errors(report: &Report) -> Vec<Code> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect()
}

fn file_error(mandate: &Mandate, source: &ParamsSource) -> PtauError {
    match Keys::for_mandate_with(mandate, source) {
        Err(KeysError::Ptau { source, .. }) => source,
        other => unreachable!("expected the file to be refused, got {other:?}"),
    }
}

/// Files that are refused before anything is derived from them. Returns the good file and one of another tau.
fn files_are_refused(files: &Files, mandate: &Mandate) -> (PathBuf, FileDigest, PathBuf) {
    let small = files.write("small.ptau", &Ptau::of(5, 4).bytes());
    let PtauError::TooSmall { needed, .. } = file_error(mandate, &ParamsSource::insecure(&small, NAME)) else {
        unreachable!("a file of 16 powers is too small")
    };
    println!("this circuit needs 2^{needed} powers");
    let ptau = Ptau::of(5, needed);
    let bytes = ptau.bytes();
    let good = files.write("good.ptau", &bytes);
    let other = files.write("other.ptau", &Ptau::of(6, needed).bytes());
    let PtauError::NotBelieved { got } = file_error(mandate, &ParamsSource::pinned(&good)) else { unreachable!("the file is not pinned") };
    let mut reversed = ptau;
    reversed.g1.reverse();
    let reversed = files.write("reversed.ptau", &reversed.bytes());
    assert!(matches!(file_error(mandate, &ParamsSource::insecure(&reversed, NAME)), PtauError::Malformed { field: "tau G1", .. }));
    let truncated = files.write("truncated.ptau", &bytes[..bytes.len() - 100]);
    assert!(matches!(file_error(mandate, &ParamsSource::insecure(&truncated, NAME)), PtauError::Truncated { .. }));
    let missing = files.path("missing.ptau");
    assert!(matches!(file_error(mandate, &ParamsSource::insecure(&missing, NAME)), PtauError::Io(_)));
    for name in ["", "two\nlines", &"x".repeat(65)] {
        let refused = Keys::for_mandate_with(mandate, &ParamsSource::insecure(&good, name));
        assert!(matches!(refused, Err(KeysError::Unsupported { field: "name of insecure parameters", .. })), "{name:?}");
    }
    (good, got, other)
}

/// Three folds with a restart in between.
fn prove(files: &Files, params: &Arc<Params>, mandate: &Mandate, log: &Path) -> (Session, Vec<Record>, Vec<u8>) {
    let model = model(&mandate.model, 1);
    let all = observations(mandate, &model, 3);
    let mut session = Session::start(params.clone(), mandate.clone(), model.clone(), salt()).unwrap();
    let started = Instant::now();
    let mut records = fold(&mut session, &all[..2], &[1, 1]);
    println!("{} constraints, 2 folds: {:?}", params.constraints(), started.elapsed());
    let checkpoint = files.path("checkpoint");
    session.checkpoint(&checkpoint).unwrap();
    drop(session);
    let mut session = Session::resume(&checkpoint, params.clone(), mandate.clone(), model, salt()).unwrap();
    records.extend(fold(&mut session, &all[2..], &[1]));
    write_log(log, mandate, &session, &records, true);
    let started = Instant::now();
    let proof = session.compress().unwrap();
    println!("compress and self-check: {:?}, {} bytes", started.elapsed(), proof.len());
    (session, records, proof)
}

/// The auditor is a process of its own, so that its standard output can be looked at.
fn audited_apart(files: &Files, ptau: &Path) -> Value {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "auditor", "--ignored", "--nocapture", "--test-threads", "1"])
        .env("PROBITY_TEST_FOLDER", files.folder.path())
        .env("PROBITY_TEST_PTAU", ptau)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (audit, control) = text.split_once("control\n").unwrap();
    let (_, report) = audit.split_once("report\n").unwrap();
    assert!(!audit.lines().any(|l| l == "true" || l == "false"), "something printed on standard output:\n{audit}");
    assert!(control.lines().any(|l| l == "true" || l == "false"), "the library prints no more: the silence can go");
    serde_json::from_str(report).unwrap()
}

#[test]
#[ignore = "run by the test below"]
fn auditor() {
    let (Some(folder), Some(ptau)) = (std::env::var_os("PROBITY_TEST_FOLDER"), std::env::var_os("PROBITY_TEST_PTAU")) else { return };
    let folder = PathBuf::from(folder);
    let (log, proof) = (std::fs::read(folder.join("log")).unwrap(), std::fs::read(folder.join("proof")).unwrap());
    let evidence = Evidence { proof: Some(&proof), reveal: None, ..Evidence::default() };
    let mandate = tiny(ProofEngine::Pairing);
    assert!(matches!(file_error(&mandate, &ParamsSource::pinned(&ptau)), PtauError::NotBelieved { .. }));
    let source = ParamsSource::insecure(&ptau, NAME);
    let report = audit(log.as_slice(), evidence, |m| Keys::for_mandate_with(m, &source).map(Arc::new));
    println!("report\n{}\ncontrol", serde_json::to_string(&report).unwrap());
    type Point = nova_snark::provider::bn256_grumpkin::bn256::Affine;
    let mut file = std::fs::File::open(&ptau).unwrap();
    nova_snark::provider::read_ptau::<Point, halo2curves::bn256::G2Affine>(&mut file, 2, 2).unwrap();
}

/// Truncated, flipped, with an empty round polynomial: findings, never a panic, never accepted.
fn tampered_proofs_are_findings(proof: &[u8], keys: &Keys, mandate: &Mandate, session: &Session) {
    let check = |bytes: &[u8]| verify(bytes, keys, mandate, &session.commitment()).unwrap_err();
    for length in (0..proof.len()).step_by(61) {
        assert_eq!(check(&proof[..length]).code, Code::ProofMalformed, "{length} bytes");
    }
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for position in (0..226).step_by(5).chain((226..proof.len()).step_by(proof.len() / 50)) {
        let mut bytes = proof.to_vec();
        bytes[position] ^= 1 << (position % 8);
        *seen.entry(format!("{:?}", check(&bytes).code)).or_default() += 1;
    }
    println!("bit flips: {seen:?}");
    let config = bincode::config::standard().with_big_endian().with_fixed_int_encoding();
    let (parsed, _): (CompressedSnarkOf<Pairing>, usize) = bincode::serde::decode_from_slice(&proof[222..], config).unwrap();
    let envelope = Envelope::from_bytes(proof).unwrap();
    for sumcheck in ["outer", "inner", "batch"] {
        let mut tree = serde_json::to_value(&parsed).unwrap();
        *tree.pointer_mut(&format!("/snark_primary/{sumcheck}/compressed_polys/0/coeffs_except_linear_term")).unwrap() = json!([]);
        let emptied = ByEngine::Pairing(serde_json::from_value(tree).unwrap());
        let end = envelope.end.z(&envelope.mandate);
        let finding = check(&Envelope::new(keys, envelope.folds, None, end, &emptied).unwrap().to_bytes());
        assert_eq!((finding.code, finding.field.as_deref()), (Code::ProofMalformed, Some("proof")), "{finding}");
    }
}

/// The pairing proof under an honest log of a transparent mandate: by its own word, and with a forged word and forged parameters.
/// (The other way round: `prover/tests/proof.rs`.)
fn engines_do_not_mix(files: &Files, proof: &[u8], session: &Session, records: &[Record]) {
    let mandate = tiny(ProofEngine::Transparent);
    let commitment = session.commitment();
    let keys = Keys::for_mandate_with(&mandate, &ParamsSource::pinned("no file is read")).unwrap();
    let log = files.path("transparent log");
    write_log(&log, &mandate, session, records, true);
    let log = std::fs::read(&log).unwrap();
    let evidence = Evidence { proof: Some(proof), reveal: None, ..Evidence::default() };
    let report = audit(log.as_slice(), evidence, |_| unreachable!("the engine is compared before keys are derived"));
    assert_eq!((errors(&report), report.verdict), (vec![Code::ProofOtherParameters], Verdict::Rejected));
    assert_eq!(report.findings[0].field.as_deref(), Some("engine"));
    assert_eq!(verify(proof, &keys, &mandate, &commitment).unwrap_err().code, Code::ProofOtherParameters);
    let mut forged = Envelope::from_bytes(proof).unwrap();
    forged.engine = ProofEngine::Transparent;
    forged.mandate = mandate_digest(&mandate);
    let finding = verify(&forged.to_bytes(), &keys, &mandate, &commitment).unwrap_err();
    assert_eq!((finding.code, finding.field.as_deref()), (Code::ProofOtherParameters, Some("parameters")));
    forged.parameters = keys.parameters();
    assert_eq!(verify(&forged.to_bytes(), &keys, &mandate, &commitment).unwrap_err().code, Code::ProofMalformed);
}

#[test]
fn from_a_ceremony_to_an_audit() {
    let files = Files { folder: tempfile::tempdir().unwrap() };
    let mandate = tiny(ProofEngine::Pairing);
    let step = |what: &str, started: Instant| println!("{what}: {:?}", started.elapsed());

    let started = Instant::now();
    let (ptau, digest, other_ptau) = files_are_refused(&files, &mandate);
    step("files", started);

    // The prover vouches for the file by its digest, the auditor takes it as insecure: the parameters are the same.
    let started = Instant::now();
    let got = digest;
    let params = Arc::new(Params::for_mandate_with(&mandate, &ParamsSource::with_digest(&ptau, got)).unwrap());
    assert_eq!(*params.origin(), Origin::NamedByDigest { blake2b: got });
    step("parameters", started);

    let started = Instant::now();
    let (session, records, proof) = prove(&files, &params, &mandate, &files.path("log"));
    files.write("proof", &proof);
    step("proof", started);
    let started = Instant::now();
    let proven = verify(&proof, params.keys(), &mandate, &session.commitment()).unwrap();
    step("verify", started);
    assert_eq!((proven.end.decisions, proven.folds, proven.end.head), (3, 3, session.head()));

    let started = Instant::now();
    let report = audited_apart(&files, &ptau);
    step("audit apart", started);
    assert_eq!(report["verdict"], "accepted", "{report}");
    assert_eq!(report["parameters"], json!({"kind": "insecure", "name": NAME, "blake2b": got.to_string()}));
    assert_eq!(report["statement"]["decisions"], 3);
    let open: Vec<&str> = report["statement"]["does_not_show"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(open.iter().any(|line| line.contains("insecure") && line.contains(NAME)), "{open:?}");
    let warned = report["findings"].as_array().unwrap().iter().any(|f| f["code"] == "insecure_parameters" && f["severity"] == "warn");
    assert!(warned, "{report}");

    // The same powers vouched for: no warning, but the report says on whose word.
    let log = std::fs::read(files.path("log")).unwrap();
    let evidence = Evidence { proof: Some(&proof), reveal: None, ..Evidence::default() };
    let keys = params.shared_keys();
    let report = audit(log.as_slice(), evidence, |_| Ok(keys.clone()));
    assert_eq!((report.verdict, errors(&report)), (Verdict::Accepted, vec![]));
    assert!(report.findings.iter().all(|f| f.code != Code::InsecureParameters));
    assert!(report.statement.unwrap().does_not_show.iter().any(|line| line.contains(&got.to_string())));

    // Another tau is another set of parameters.
    let started = Instant::now();
    let other = Arc::new(Params::for_mandate_with(&mandate, &ParamsSource::insecure(&other_ptau, NAME)).unwrap());
    let report = audit(log.as_slice(), evidence, |_| Ok(other.shared_keys()));
    assert_eq!((errors(&report), report.parameters.is_none()), (vec![Code::ProofOtherParameters], true));
    let resumed = Session::resume(&files.path("checkpoint"), other, mandate.clone(), model(&mandate.model, 1), salt());
    assert!(matches!(resumed, Err(ProverError::Checkpoint { field: "parameters", .. })));
    step("another tau", started);

    let started = Instant::now();
    tampered_proofs_are_findings(&proof, &keys, &mandate, &session);
    step("tampering", started);

    let started = Instant::now();
    engines_do_not_mix(&files, &proof, &session, &records);
    step("engines", started);
}
