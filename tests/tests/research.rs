//! The strategist's commands through the binary: train, backtest with a report, checks, and the ledger that counts them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder of its own, so that its ledger is there too.
fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(probity_tests::binary("probity").unwrap()).current_dir(dir).args(args).output().unwrap()
}

fn json(out: &Output) -> serde_json::Value {
    assert!(!out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// An hourly series that wanders, made here; it is no market.
fn series(dir: &Path, bars: u64) {
    let mut text = String::from("ts_ms,open,high,low,close,volume\n");
    let mut state = 1u64;
    let mut cents = 200_000u64;
    for i in 0..bars {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cents = cents * (9_900 + (state >> 33) % 201) / 10_000;
        let c = cents.clamp(50_000, 900_000);
        let price = format!("{}.{:02}", c / 100, c % 100);
        writeln!(text, "{},{price},{price},{price},{price},1", (1_600_000_000 / 3_600 * 3_600 + i * 3_600) * 1_000).unwrap();
    }
    std::fs::write(dir.join("series.csv"), text).unwrap();
}

#[test]
fn a_model_is_trained_privately_and_every_trial_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 3_000);
    let split = 1_600_000_000 / 3_600 * 3_600 + 2_000 * 3_600;
    let (from, to) = (split.to_string(), (split + 800 * 3_600).to_string());
    let train = |out: &str| {
        let numbers =
            ["--max-steps", "20", "--batch", "16", "--window", "8", "--embargo", "64", "--validation-from", &from, "--validation-to", &to];
        run(dir, &[&["--json", "train", "--data", "series.csv", "--out", out], numbers.as_slice()].concat())
    };
    let out = train("model.json");
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert_eq!(json(&out)["result"]["report"]["policies_tried"], 72);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join("model.json")).unwrap().permissions()) & 0o777, 0o600);
    let again = train("model.json");
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("never overwritten"), "{}", stderr(&again));
    assert_eq!(train("same.json").status.code(), Some(0));
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    assert_eq!(read("model.json"), read("same.json"), "the same seed gives the same model");

    // A backtest with a report, and one that fails: both leave their line.
    let test = ["--json", "backtest", "--data", "series.csv", "--model", "model.json"];
    let out = run(dir, &[test.as_slice(), &["--out", "report"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert_eq!(run(dir, &[test.as_slice(), &["--out", "report"]].concat()).status.code(), Some(2), "a report is never overwritten");
    assert_eq!(run(dir, &["backtest", "--data", "nowhere.csv"]).status.code(), Some(2));
    let manifest: serde_json::Value = serde_json::from_slice(&read("report/manifest.json")).unwrap();
    // Two equal trainings of 72 policies each, one backtest.
    let report: serde_json::Value = serde_json::from_slice(&read("report/report.json")).unwrap();
    assert_eq!(report["evidence"]["trials"], 145);
    assert_eq!(manifest["data"]["decisions"], 3_000);
    let page = String::from_utf8(read("report/report.html")).unwrap();
    assert!(page.contains("NOT OUT OF SAMPLE") && page.contains("Deflated Sharpe"), "the page says what speaks against it");
    for outside in ["http:", "https:", "//", "src=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "the page stands alone, found {outside}");
    }
    assert_eq!(String::from_utf8(read("report/equity.csv")).unwrap().lines().count(), 3_001);

    let out = run(dir, &["--json", "trials"]);
    assert_eq!(out.status.code(), Some(0));
    let listing = &json(&out)["result"];
    let commands: Vec<&str> = listing["trials"].as_array().unwrap().iter().map(|t| t["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["train", "train", "backtest", "backtest"]);
    assert!(listing["trials"][3]["error"].as_str().unwrap().contains("nowhere.csv"));
    assert_eq!(listing["trials"][0]["model_sha256"], listing["trials"][2]["model_sha256"]);
    assert_eq!(report["trial"], listing["trials"][3]["previous"]);

    // Take out the failure, make the result look better: the chain says so.
    let ledger = dir.join(".probity/trials.jsonl");
    let text = std::fs::read_to_string(&ledger).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without = [lines[0], lines[2], lines[3]].join("\n") + "\n";
    let better = text.replacen("\"max_drawdown\":0.", "\"max_drawdown\":0.0", 1);
    for forged in [without, better] {
        assert_ne!(forged, text);
        std::fs::write(&ledger, forged).unwrap();
        let out = run(dir, &["--json", "trials"]);
        assert_eq!(out.status.code(), Some(1));
        assert!(!json(&out)["result"]["broken"].as_array().unwrap().is_empty());
    }
}

#[test]
fn checks_of_the_backtest_run_through_a_pool_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 400);
    std::fs::write(dir.join("pool.toml"), "[backtest]\nvenue = \"constant_liquidity\"\n").unwrap();
    for (config, stretches) in [(&[][..], 1usize), (&["--config", "pool.toml"][..], 0)] {
        let number = stretches.to_string();
        let out = run(dir, &[config, &["--json", "backtest", "lookahead", "--data", "series.csv", "--circuit", &number]].concat());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        assert_eq!((&json(&out)["result"]["leaked"], &json(&out)["result"]["decisions"]), (&0.into(), &400.into()));
        // The circuit too: over a stretch of eight bars, at seven of them in four ways, and once as it was.
        let circuit = &json(&out)["result"]["circuit"];
        assert_eq!(circuit["found"].as_array().unwrap().len(), stretches);
        for found in circuit["found"].as_array().unwrap() {
            assert_eq!((&found["runs"], &found["leaked"]), (&29.into(), &0.into()));
            assert!(circuit["orders"].as_u64().unwrap() > 0, "{circuit}");
        }
        let out = run(dir, &[config, &["--json", "backtest", "warmup", "--data", "series.csv"]].concat());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        let spread = json(&out)["result"]["spread"].as_f64().unwrap();
        let strict = run(dir, &[config, &["backtest", "warmup", "--data", "series.csv", "--max-spread-bps", "0"]].concat());
        assert_eq!(strict.status.code(), Some(i32::from(spread > 0.0)));
    }
    // A check of a file that is not there leaves its line as well.
    assert_eq!(run(dir, &["backtest", "warmup", "--data", "nowhere.csv"]).status.code(), Some(2));
    let trials = json(&run(dir, &["--json", "trials"]))["result"]["trials"].clone();
    assert!(trials.as_array().unwrap().last().unwrap()["error"].as_str().unwrap().contains("nowhere.csv"));
    for (config, word) in [
        ("venue = \"nowhere\"", "venue"),
        ("venue = \"constant_liquidity\"\nliquidity = \"-1\"", "backtest.liquidity"),
        ("venue = \"snapshot\"\nsnapshot = \"none.json\"", "none.json"),
    ] {
        std::fs::write(dir.join("bad.toml"), format!("[backtest]\n{config}\n")).unwrap();
        let out = run(dir, &["--config", "bad.toml", "backtest", "--data", "series.csv"]);
        assert_eq!(out.status.code(), Some(2));
        assert!(stderr(&out).contains(word), "{}", stderr(&out));
    }
}
