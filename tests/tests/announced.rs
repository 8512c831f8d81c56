//! Other weights announced on the vault of a run that is not armed: `probity audit --rpc` holds log and vault against each other both ways.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_chain::{Announce, Sender, Vault};
use probity_tests::{codes, fork_url, json, run, run_with};
use probity_verifier::{Digest, Line, LogReader, Rotation, rotation_head};
use serde_json::{Value, json as j};
use std::path::Path;

/// Exit code, errors, report.
type Verdict = (Option<i32>, Vec<(String, Option<u64>)>, Value);

/// A log and its run's vault, after two decisions and an announcement.
#[test]
fn an_announcement_is_held_against_the_vault_both_ways() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let short = [("PROBITY__MANDATE__WARMUP_STEPS", "1"), ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1")];
    let args = ["--json", "run", "--dir", dir.to_str().unwrap(), "--decisions", "2", "--posting", "every", "--keep-chain"];
    let out = run_with("probity", &args, &short);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let url = fork_url(&dir);

    // The log without its seal: more may follow.
    let text = std::fs::read_to_string(dir.join("decisions.jsonl")).unwrap();
    let open: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"seal\"")).collect();
    let whole = open.join("\n") + "\n";
    let mut reader = LogReader::new(whole.as_bytes()).unwrap();
    let mut head = reader.header().genesis_head;
    while let Some(line) = reader.next_line().unwrap() {
        let Line::Entry(entry) = line else { unreachable!("decisions only") };
        head = entry.head;
    }
    let rotation = |n: u8| Rotation { commitment: Digest::from_bytes([n; 32]).unwrap(), at_step: 14 };
    let announcement = |n: u8| j!({"rotation": rotation(n), "head": rotation_head(&head, &rotation(n))}).to_string();
    let audit = |more: &[String]| -> Verdict {
        let log = temp.path().join("log.jsonl");
        let lines: Vec<&str> = open.iter().copied().chain(more.iter().map(String::as_str)).collect();
        std::fs::write(&log, lines.join("\n") + "\n").unwrap();
        let out = audit_of(&log, &url);
        let report = json(&out)["result"].clone();
        (out.status.code(), codes(&report), report)
    };
    let found = |code: &str| vec![(code.to_owned(), Some(2))];

    // The log announces, the vault does not.
    let (code, codes, report) = audit(&[announcement(5)]);
    assert!(code == Some(1) && codes.contains(&found("announcement_not_on_chain")[0]), "{report}");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = std::fs::read_to_string(dir.join("operator.key")).unwrap();
        let operator = Sender::new(&url, &key, reader.header().mandate.chain_id, 20).await.unwrap();
        let vault = Vault::at(operator, reader.header().mandate.vault.parse().unwrap());
        let (commitment, after) = (rotation(5).commitment, rotation_head(&head, &rotation(5)));
        let announce =
            Announce { commitment: commitment.to_bytes(), at_step: 14, head_before: head.to_bytes(), head_after: after.to_bytes() };
        vault.announce(&announce).await.unwrap();
    });
    // Both do.
    let (code, codes, report) = audit(&[announcement(5)]);
    assert_eq!((code, codes), (Some(0), vec![]), "{report}");
    assert_eq!(report["chain"]["decisions"], 2);
    // The vault does, the log does not; the log announces others.
    let (code, codes, report) = audit(&[]);
    assert!(code == Some(1) && codes.contains(&found("announcement_not_in_log")[0]), "{report}");
    let (code, codes, report) = audit(&[announcement(6)]);
    assert!(code == Some(1) && codes.contains(&found("announcement_mismatch")[0]), "{report}");
    assert_eq!(run("probity", &["chain", "stop", "--dir", dir.to_str().unwrap()]).status.code(), Some(0));
}

fn audit_of(log: &Path, url: &str) -> std::process::Output {
    run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", url])
}
