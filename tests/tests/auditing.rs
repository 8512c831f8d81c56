//! Audits that go on, and parts of a log, through the binaries: the golden log with proofs made here, honest and changed. Every program derives its
//! keys anew, so what is no matter of flags, files and exit codes stands in `since.rs` of the verifier and `segments.rs` of the prover.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::{codes, json, root, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Decisions that the first two proofs end after.
const CUTS: [usize; 2] = [3, 8];

/// The golden log, and proofs of it from 0 to 3, to 8 and to the end.
struct Proven {
    _temp: tempfile::TempDir,
    dir: PathBuf,
    lines: Vec<String>,
}

fn golden(name: &str) -> String {
    root().join("docs/formats/golden").join(name).to_str().unwrap().to_owned()
}

fn vector(name: &str) -> String {
    root().join("prover/verifier/vectors").join(name).to_str().unwrap().to_owned()
}

impl Proven {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let this = Self {
            dir: temp.path().to_owned(),
            lines: std::fs::read_to_string(golden("log.jsonl")).unwrap().lines().map(str::to_owned).collect(),
            _temp: temp,
        };
        let [a, b] = CUTS.map(|n| n.to_string());
        let (log, opening, out) = (golden("log.jsonl"), this.path("opening.json"), this.path("proof"));
        std::fs::write(&opening, this.opening().to_string()).unwrap();
        let made = run("probity", &["prove", "--log", &log, "--opening", &opening, "--out", &out, "--cut", &a, "--cut", &b]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
        this
    }

    /// The golden opening, and behind it the weights that the golden log announces.
    fn opening(&self) -> Value {
        let mut opening: Value = serde_json::from_str(&std::fs::read_to_string(golden("opening.json")).unwrap()).unwrap();
        let mut then = opening.clone();
        let weights: Vec<i32> = (0..38).map(|i| (i * 37 + 11) % 200 - 100).collect();
        then["model"]["weights"] = weights.into();
        then["model"]["biases"] = vec![3, -7, -8_999, 0, 20_000].into();
        opening["then"] = then;
        opening
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, lines: &[String]) -> String {
        std::fs::write(self.dir.join(name), lines.join("\n") + "\n").unwrap();
        self.path(name)
    }

    /// The lines up to so many decisions.
    fn first(&self, decisions: usize) -> Vec<String> {
        let last = self.lines.iter().enumerate().filter(|(_, l)| l.starts_with("{\"record\"")).nth(decisions - 1).unwrap().0;
        self.lines[..=last].to_vec()
    }
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Runs `probity --json audit` and gives its exit code and report.
fn audit(args: &[&str]) -> (i32, Value) {
    let out = run("probity", &[&["--json", "audit"], args].concat());
    (out.status.code().unwrap(), if out.stdout.is_empty() { Value::from(said(&out)) } else { json(&out)["result"].clone() })
}

fn found(report: &Value) -> Vec<String> {
    codes(report).into_iter().map(|(code, _)| code).collect()
}

/// The line with one field of its record set to something else.
fn changed(line: &str, pointer: &str, to: Value) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    *value.pointer_mut(pointer).unwrap() = to;
    value.to_string()
}

#[test]
fn a_later_audit_starts_where_the_last_one_ended() {
    let p = Proven::new();
    let early = p.write("early.jsonl", &p.first(8));
    let (log, proof, one, two) = (golden("log.jsonl"), p.path("proof"), p.path("proof.1"), p.path("proof.2"));
    let (state, later) = (p.path("state.json"), p.path("later.json"));
    let (code, report) = audit(&["--log", &early, "--before", &one, "--proof", &two, "--state", &state]);
    assert_eq!((code, &report["verdict"], &report["since"]), (0, &"accepted".into(), &Value::Null), "{report}");
    let digest = serde_json::from_str::<Value>(&std::fs::read_to_string(&state).unwrap()).unwrap()["digest"].clone();

    // Longer: the proof of the later stretch alone is enough, because the state says where it has to start.
    let (code, report) = audit(&["--log", &log, "--proof", &proof, "--since", &state, "--state", &later]);
    assert_eq!((code, &report["verdict"]), (0, &"accepted".into()), "{report}");
    assert_eq!((&report["coverage"]["decisions"], &report["coverage"]["proven"]), (&12.into(), &12.into()));
    assert_eq!((&report["since"]["decisions"], &report["since"]["lines"], &report["since"]["state"]), (&8.into(), &10.into(), &digest));
    let (code, report) = audit(&["--log", &log, "--proof", &proof]);
    assert_eq!((code, found(&report)), (1, vec!["unproven_start".to_owned()]), "without the state it proves a part: {report}");
    // A state of a state, and the state that a whole audit leaves, are one.
    let whole = p.path("whole.json");
    assert_eq!(audit(&["--log", &log, "--before", &one, "--before", &two, "--proof", &proof, "--state", &whole]).0, 0);
    assert_eq!(std::fs::read(&later).unwrap(), std::fs::read(&whole).unwrap());
    // Nothing is written over.
    let (code, why) = audit(&["--log", &log, "--proof", &proof, "--since", &state, "--state", &later]);
    assert!(code == 2 && why.as_str().unwrap_or_default().contains("--state"), "{why}");
    changed_pasts(&p, &proof, &state);
    other_states(&p, &log, &proof, &state);
}

/// A log whose earlier part is not the one that was audited.
fn changed_pasts(p: &Proven, proof: &str, state: &str) {
    // One balance of decision 1, which was audited.
    let mut edited = p.lines.clone();
    edited[2] = changed(&edited[2], "/record/observation/quote", "1".into());
    let next = p.path("next.json");
    let (code, report) = audit(&["--log", &p.write("edited", &edited), "--proof", proof, "--since", state, "--state", &next]);
    assert_eq!((code, found(&report)), (1, vec!["log_rewritten".to_owned()]), "{report}");
    assert!(!Path::new(&next).exists(), "a refused audit leaves no state");
    // Behind the earlier end the checks are those of any audit.
    let mut behind = p.lines.clone();
    behind[11] = changed(&behind[11], "/record/observation/quote", "1".into());
    let (code, report) = audit(&["--log", &p.write("behind", &behind), "--proof", proof, "--since", state]);
    assert_eq!(code, 1);
    assert!(codes(&report).contains(&("head_mismatch".to_owned(), Some(9))), "{report}");
}

/// A state of another run, and damaged ones.
fn other_states(p: &Proven, log: &str, proof: &str, state: &str) {
    let (other, other_proof, other_state) = (vector("good.jsonl"), vector("good.proof"), p.path("other.json"));
    assert_eq!(audit(&["--log", &other, "--proof", &other_proof, "--state", &other_state]).0, 0);
    // Of another mandate, and of other keys, because a fold of it holds another number of decisions.
    let twice = vec!["audit_state_other".to_owned(); 2];
    let (code, report) = audit(&["--log", log, "--proof", proof, "--since", &other_state]);
    assert_eq!((code, found(&report)), (1, twice), "{report}");

    // Damage is no verdict about the log.
    let text = std::fs::read_to_string(state).unwrap();
    let damaged = [
        (text.replacen("\"decisions\":8", "\"decisions\":7", 1), "digest"),
        (text[..text.len() / 2].to_owned(), "file"),
        (text.replacen("\"version\":1", "\"version\":2", 1), "format"),
        (text.clone() + " ", "file"),
        (String::new(), "file"),
    ];
    for (i, (text, field)) in damaged.iter().enumerate() {
        let path = p.path(&format!("damaged-{i}"));
        std::fs::write(&path, text).unwrap();
        let (code, why) = audit(&["--log", log, "--proof", proof, "--since", &path]);
        let why = why.as_str().unwrap_or_default();
        assert!(code == 2 && why.contains("--since") && why.contains(&format!("audit state, {field}")), "{i}: {code} {why}");
    }
    assert_eq!(audit(&["--log", log, "--proof", proof, "--since", "/nowhere"]).0, 2);
}

#[test]
fn a_disclosed_range_is_held_to_its_proofs_and_to_the_promised_mandate() {
    let p = Proven::new();
    let (one, two, three) = (p.path("proof.1"), p.path("proof.2"), p.path("proof"));
    let disclose = |from: &str, to: &str, name: &str| {
        let out = run("probity", &["disclose", "--log", &golden("log.jsonl"), "--from", from, "--to", to, "--out", &p.path(name)]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        std::fs::read_to_string(p.path(name)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let verify = |file: &str, mandate: &str| {
        let args = ["--disclosure", file, "--before", &one, "--before", &two, "--proof", &three, "--mandate", mandate, "--json"];
        let out = run("probity-verify", &args);
        (out.status.code().unwrap(), if out.stdout.is_empty() { Value::from(said(&out)) } else { json(&out) })
    };
    let promised = golden("mandate.json");
    let shown = disclose("3", "8", "shown.jsonl");
    let (code, report) = verify(&p.path("shown.jsonl"), &promised);
    assert_eq!((code, &report["verdict"], codes(&report)), (0, &"accepted".into(), vec![]), "{report}");
    assert_eq!((&report["coverage"]["decisions"], &report["coverage"]["proven"]), (&5.into(), &5.into()));
    // Nobody here knows when the first and the last proven decision were made.
    let statement = &report["statement"];
    assert!(statement["from_time_s"].is_null() && statement["to_time_s"].is_null() && statement["decisions"].is_u64(), "{statement}");
    // Nothing of the other decisions is in it.
    let values = |lines: &[String]| lines.iter().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<Value>>();
    assert_eq!(values(&shown[1..]), values(&p.first(8)[5..]), "decisions 3 … 7 as they stand in the log");
    let times: Vec<Value> = p.first(3).iter().map(|l| serde_json::from_str::<Value>(l).unwrap()["record"]["observation"].clone()).collect();
    for hidden in times.iter().filter(|o| !o.is_null()) {
        assert!(!shown.join("\n").contains(&format!("\"quote\":{}", hidden["quote"])), "{hidden}");
    }

    // Another mandate than the auditor was promised.
    let (code, report) = verify(&p.path("shown.jsonl"), &vector("mandate.json"));
    assert_eq!(code, 1);
    assert!(!found(&report).is_empty() && found(&report).iter().all(|c| c == "mandate_other"), "{report}");
    // Another commitment than is registered, of the part and of the log.
    let commitment = |line: &str| serde_json::from_str::<Value>(line).unwrap()["model_commitment"].as_str().unwrap().to_owned();
    let (own, other) = (commitment(&shown[0]), commitment(std::fs::read_to_string(vector("other.jsonl")).unwrap().lines().next().unwrap()));
    let (log, shown_at) = (golden("log.jsonl"), p.path("shown.jsonl"));
    for what in [["--disclosure", &shown_at], ["--log", &log]] {
        for (promised, expected) in [(&own, None), (&other, Some("commitment_other"))] {
            let args = [what[0], what[1], "--before", &one, "--before", &two, "--proof", &three, "--commitment", promised, "--json"];
            let out = run("probity-verify", &args);
            assert_eq!(out.status.code(), Some(i32::from(expected.is_some())), "{}", said(&out));
            assert!(found(&json(&out)).iter().all(|c| Some(c.as_str()) == expected), "{}", json(&out));
        }
    }
    let out = run("probity-verify", &["--log", &log, "--proof", &three, "--commitment", "0x12"]);
    assert!(out.status.code() == Some(2) && said(&out).contains("--commitment"), "{}", said(&out));
    let mut lines = shown.clone();
    lines[2] = changed(&lines[2], "/record/observation/quote", "7".into());
    let (code, report) = verify(&p.write("altered.jsonl", &lines), &promised);
    assert_eq!((code, codes(&report)), (1, vec![("head_mismatch".to_owned(), None)]), "{report}");

    // The range moved: in its header, at its start, at its end.
    let mut header = shown.clone();
    header[0] = changed(&header[0], "/from_decision", 4.into());
    assert_eq!(found(&verify(&p.write("moved.jsonl", &header), &promised).1), ["step_index"]);
    let mut head = shown.clone();
    head[0] = changed(&head[0], "/head", serde_json::from_str::<Value>(&shown[1]).unwrap()["head"].clone());
    assert_eq!(found(&verify(&p.write("head.jsonl", &head), &promised).1), ["head_mismatch"]);
    disclose("2", "9", "wider.jsonl");
    let (code, report) = verify(&p.path("wider.jsonl"), &promised);
    assert!(code == 1 && found(&report).iter().all(|c| c == "proofs_do_not_meet") && !found(&report).is_empty(), "{report}");
    // Without the proof before it the range hangs in the air; an unreadable file is no verdict; a range that the log has not is refused.
    let out = run("probity-verify", &["--disclosure", &p.path("shown.jsonl"), "--before", &two, "--proof", &three, "--json"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(found(&json(&out)).contains(&"unproven_start".to_owned()), "{}", json(&out));
    assert_eq!(verify("/nowhere", &promised).0, 2);
    for (from, to) in [("5", "5"), ("5", "13")] {
        let out = run("probity", &["disclose", "--log", &golden("log.jsonl"), "--from", from, "--to", to, "--out", &p.path("none")]);
        assert!(out.status.code() == Some(2) && !Path::new(&p.path("none")).exists(), "{}", said(&out));
    }
}
