//! The whole path through the binaries: a proven run, an audit by both programs, forgeries with their exact finding.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says loudly that it skips")]

use probity_tests::{codes, json, run};
use std::path::Path;

/// The vault's address in the header of a log.
fn mandate_vault(log: &str) -> &str {
    let start = log.find("\"vault\":\"").unwrap() + 9;
    &log[start..start + 42]
}

fn verify(log: &Path, proof: &Path) -> (Option<i32>, serde_json::Value) {
    let out = run("probity-verify", &["--log", log.to_str().unwrap(), "--proof", proof.to_str().unwrap(), "--json"]);
    (out.status.code(), json(&out))
}

#[test]
fn demo_is_accepted_and_forgeries_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let demo = dir.path().join("demo");
    let out = run("probity", &["--json", "demo", "--decisions", "15", "--dir", demo.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let result = &json(&out)["result"];
    let summary = &result["run"];
    assert_eq!((&summary["simulated"], &summary["decisions"]), (&true.into(), &15.into()));
    assert!(summary["gas_trade_with_proof"].as_u64().unwrap() > 500_000, "a trade carries the bytes of its proof: {summary}");
    assert_eq!(result["audit"]["verdict"], "accepted");
    assert_eq!(result["audit_on_chain"]["verdict"], "accepted");
    assert_eq!(result["audit_on_chain"]["chain"]["decisions_posted"], 15);
    let forged: Vec<_> = codes(&result["forged"]);
    assert!(forged.iter().any(|(code, _)| code == "head_mismatch"), "{forged:?}");
    let (log, proof) = (demo.join("decisions.jsonl"), demo.join("proof.bin"));

    let (code, report) = verify(&log, &proof);
    assert_eq!((code, codes(&report)), (Some(0), vec![]));
    assert_eq!(report["coverage"]["proven"], 15);

    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let forged = dir.path().join("forged.jsonl");
    let write = |lines: &[&str]| std::fs::write(&forged, lines.join("\n") + "\n").unwrap();

    // A record dropped, and two swapped.
    let mut dropped = lines.clone();
    dropped.remove(10);
    write(&dropped);
    let (code, report) = verify(&forged, &proof);
    assert_eq!(code, Some(1));
    assert!(codes(&report).iter().any(|(c, _)| c.contains("step")), "{report}");
    let mut swapped = lines.clone();
    swapped.swap(8, 9);
    write(&swapped);
    assert_eq!(verify(&forged, &proof).0, Some(1));

    // A proof cut short.
    let bytes = std::fs::read(&proof).unwrap();
    let cut = dir.path().join("cut.bin");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let (code, report) = verify(&log, &cut);
    assert_eq!(code, Some(1), "{report}");

    // The same decisions as another vault's: the proof is not about them.
    let other = text.replacen(mandate_vault(&text), &format!("0x{}", "ab".repeat(20)), 1);
    std::fs::write(&forged, other).unwrap();
    let (code, report) = verify(&forged, &proof);
    assert_eq!(code, Some(1));
    assert!(codes(&report).iter().any(|(c, _)| c == "proof_other_mandate"), "{report}");

    // Files that are not there: could not tell.
    let missing = run("probity-verify", &["--log", "/nowhere", "--proof", "/nowhere"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn settings_and_arguments_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("typo.toml");
    std::fs::write(&config, "[backtest]\nfee_bpss = 5\n").unwrap();
    let out = run("probity", &["--config", config.to_str().unwrap(), "config", "show"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("fee_bpss"));
    let out = run("probity", &["--json", "config", "show"]);
    assert_eq!(json(&out)["kind"], "settings");
}

#[test]
fn an_opening_is_secret_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let opening = dir.path().join("opening.json");
    let commit = || run("probity", &["--json", "commit", "--no-layout", "--opening", opening.to_str().unwrap()]);
    let out = commit();
    assert_eq!(out.status.code(), Some(0));
    assert!(json(&out)["result"]["commitment"].as_str().unwrap().starts_with("0x"));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&opening).unwrap().permissions()) & 0o777, 0o600);
    assert_eq!(commit().status.code(), Some(2), "an opening is never overwritten");
}

#[test]
fn real_hourly_series_runs() {
    let Some(data) = probity_tests::data() else {
        println!("SKIPPED: ../shared/data is absent, the real series was not run");
        return;
    };
    let file = data.join("ohlcv/ETHUSDT-1h-2017-08-17_2024-12-31.csv.gz");
    let out = run("probity", &["--json", "backtest", "--data", file.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let result = &json(&out)["result"];
    assert_eq!(result["decisions"], 64_524);
    assert_eq!(result["missing_bars"], 128);
}
