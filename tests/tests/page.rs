//! The page in a headless browser, offline, by keyboard: the verdicts of the program, nothing sent, nothing unnamed.
//!
//! Skips loudly where Chromium, Node.js or the built page is missing (`make page`).
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and says loudly that it skips")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn found(names: &[&str]) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).flat_map(|dir| names.iter().map(move |n| dir.join(n))).find(|p| p.is_file())
}

/// What the page said, case by case.
fn driven(page: &Path, cases: &[Value]) -> Option<Vec<Value>> {
    let Some(chromium) = found(&["chromium", "chromium-browser", "google-chrome"]) else {
        eprintln!("SKIPPED: no Chromium on PATH, the page was not tried");
        return None;
    };
    let Some(node) = found(&["node"]) else {
        eprintln!("SKIPPED: no Node.js on PATH, the page was not tried");
        return None;
    };
    if !page.is_file() {
        eprintln!("SKIPPED: {} is not built (make page), the page was not tried", page.display());
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("cases.json");
    std::fs::write(&list, serde_json::to_vec(cases).unwrap()).unwrap();
    let out =
        Command::new(node).arg(probity_tests::root().join("tests/page/drive.mjs")).arg(chromium).arg(page).arg(&list).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

#[test]
fn the_page_says_what_the_program_says() {
    let root = probity_tests::root();
    let vectors = root.join("prover/verifier/vectors");
    let dir = tempfile::tempdir().unwrap();
    let good = std::fs::read_to_string(vectors.join("good.jsonl")).unwrap();
    // An edited amount, and a header that tries to be markup.
    let edited = dir.path().join("edited.jsonl");
    std::fs::write(&edited, good.replacen("\"quote\":\"5", "\"quote\":\"6", 1)).unwrap();
    let markup = dir.path().join("markup.jsonl");
    let text = "\"program_version\":\"<img src=x onerror=alert(1)><script>alert(1)</script>\"";
    let version = good.split("\"program_version\":").nth(1).unwrap().split(',').next().unwrap();
    std::fs::write(&markup, good.replacen(&format!("\"program_version\":{version}"), text, 1)).unwrap();
    let promised = dir.path().join("promised.json");
    let mandate = std::fs::read_to_string(vectors.join("mandate.json")).unwrap();
    std::fs::write(&promised, mandate.replacen("3600", "60", 1)).unwrap();
    let case = |name: &str, log: &Path, proof: Option<&str>, mandate: Option<&Path>| json!({ "name": name, "log": log, "proof": proof.map(|p| vectors.join(p)), "mandate": mandate, "units": "USDC:6/WETH:18" });
    let log = vectors.join("good.jsonl");
    let cases = [
        case("honest", &log, Some("good.proof"), Some(&vectors.join("mandate.json"))),
        case("edited", &edited, Some("good.proof"), None),
        case("other proof", &log, Some("other.proof"), None),
        case("markup", &markup, Some("good.proof"), Some(&promised)),
        case("no log at all", &vectors.join("good.proof"), None, None),
    ];
    let Some(said) = driven(&root.join("target/page/probity.html"), &cases) else { return };
    let expected: [(&str, &[&str]); 5] = [
        ("accepted", &[]),
        ("rejected", &["head_mismatch"]),
        ("rejected", &["proof_other_commitment"]),
        ("rejected", &["mandate_other"]),
        ("rejected", &["log_malformed"]),
    ];
    for (one, (verdict, codes)) in said.iter().zip(expected) {
        assert_eq!(one["verdict"], verdict, "{one:#}");
        for code in codes {
            assert!(one["codes"].as_array().unwrap().iter().any(|c| c[0] == *code), "{code}: {one:#}");
        }
        assert_eq!(codes.is_empty(), one["codes"] == json!([]), "{one:#}");
        assert_eq!((&one["focused"], &one["focus"]), (&"go".into(), &"result".into()), "the keyboard reaches the button, then the result");
        for quiet in ["unnamed", "asked", "problems"] {
            assert_eq!(one[quiet], json!([]), "{quiet}: {one:#}");
        }
        assert_eq!((&one["scripts"], &one["wide"]), (&0.into(), &false.into()), "{one:#}");
    }
    assert_eq!(said[0]["drawings"], 2, "equity and decisions");
    let shown = said[0]["text"].as_str().unwrap();
    for words in ["Shown", "Not shown", "What this audit did not check", "Return without flows", "USDC"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert!(said[3]["text"].as_str().unwrap().contains("<img src=x"), "markup of a log is shown as text");
}
