//! The agent killed at every boundary between two effects, restarted, and held against an undisturbed run of the same market on
//! the same chain: same decisions on the same observations, nothing twice, nothing missing.
//!
//! Hashes of blocks differ, because anvil draws them anew, and with them the heads; everything else must be equal.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use probity_tests::{Rpc, codes, fork_url, json, run, run_with};
use serde_json::{Value, json as object};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

const DECISIONS: &str = "12";
const SETTINGS: &[(&str, &str)] = &[
    ("PROBITY__MANDATE__WARMUP_STEPS", "1"),
    ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1"),
    ("PROBITY__POSTING__EVERY_DECISIONS", "1000"),
];

/// Boundaries in the order of a run, and the counts they are killed at. Folds and proofs come last: by then all is decided.
const KILLS: &[(&str, &[u32])] = &[
    ("ready", &[1]),
    ("observed", &[1, 2]),
    ("journaled", &[1, 2]),
    ("decide_signed", &[1, 1]),
    ("decide_sent", &[1, 2]),
    ("decide_mined", &[1, 2]),
    ("settled", &[1]),
    ("folded", &[1]),
    ("checkpointed", &[1]),
    ("compressed", &[1]),
];

/// Of the only post: the chain and the folder are set back after each but the last.
const POST_KILLS: &[&str] = &["post_signed", "post_mined", "posted", "post_sent"];

fn args(dir: &Path) -> Vec<&str> {
    vec!["--json", "run", "--dir", dir.to_str().unwrap(), "--decisions", DECISIONS, "--posting", "every", "--keep-chain"]
}

/// Runs until the drill kills it; true if it did, false if the run came to its end before.
fn killed_at(dir: &Path, boundary: &str, count: u32) -> bool {
    let at = format!("{boundary}:{count}");
    let mut env = SETTINGS.to_vec();
    env.push(("PROBITY_CRASH_AT", &at));
    let out = run_with("probity", &args(dir), &env);
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    match (out.status.signal(), out.status.code()) {
        (Some(9), _) => true,
        (None, Some(0)) => false,
        other => panic!("{at}: {other:?}\n{talk}"),
    }
}

fn finish(dir: &Path) -> Value {
    let out = run_with("probity", &args(dir), SETTINGS);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    json(&out)["result"].clone()
}

/// The log's records without the hashes that anvil draws.
fn records(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("decisions.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| line.get("record").cloned()).map(without_hashes).collect()
}

fn without_hashes(mut record: Value) -> Value {
    let hash = record["observation"].as_object_mut().unwrap().remove("block_hash");
    assert!(hash.is_some());
    record
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn killed_at_every_boundary_it_decides_what_an_undisturbed_run_does() {
    let temp = tempfile::tempdir().unwrap();
    let (calm, wild) = (temp.path().join("calm"), temp.path().join("wild"));
    // One vault, mandate and chain for both: set up once, then the chain is set back to there.
    assert!(killed_at(&calm, "ready", 1));
    copy(&calm, &wild);
    let chain = Rpc::at(&fork_url(&calm));
    let snapshot = chain.call("evm_snapshot", &object!([]));
    assert_eq!(finish(&calm)["decisions"], 12);
    let undisturbed = records(&calm);
    assert_eq!(chain.call("evm_revert", &object!([snapshot])), true);

    let mut survived = 0;
    for (boundary, counts) in KILLS {
        for count in *counts {
            assert!(killed_at(&wild, boundary, *count), "{boundary}:{count} was not reached");
            survived += 1;
        }
    }
    assert_eq!(survived, 15);
    let kept = temp.path().join("kept");
    copy(&wild, &kept);
    for boundary in POST_KILLS {
        std::fs::remove_dir_all(&wild).unwrap();
        copy(&kept, &wild);
        let snapshot = chain.call("evm_snapshot", &object!([]));
        assert!(killed_at(&wild, boundary, 1), "{boundary} was not reached");
        if *boundary != "post_sent" {
            assert_eq!(chain.call("evm_revert", &object!([snapshot])), true);
        }
    }
    let summary = finish(&wild);
    assert_eq!((&summary["decisions"], &summary["sealed"]), (&12.into(), &true.into()), "{summary}");
    assert!(summary["buys"].as_u64().unwrap() + summary["sells"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(undisturbed.len(), 12);
    assert_eq!(records(&wild), undisturbed);

    // Nothing doubled, nothing missing, portfolio and proof as the chain has them.
    let log = wild.join("decisions.jsonl");
    let out = run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", chain.url()]);
    let report = json(&out)["result"].clone();
    assert_eq!((out.status.code(), codes(&report)), (Some(0), vec![]), "{report}");
    assert_eq!(report["chain"]["decisions"], 12);
    assert_eq!(report["chain"]["decisions_posted"], 12);
    assert_eq!(report["coverage"]["proven"], 12);
    let seen = json(&run("probity", &["--json", "inspect", wild.to_str().unwrap()]));
    assert_eq!(seen["result"]["outcome_unknown"], 0, "{seen}");
    assert_eq!(run("probity", &["chain", "stop", "--dir", wild.to_str().unwrap()]).status.code(), Some(0));
}
