//! What goes wrong around a run, through the binary: a halt, a full disk, a torn journal, a damaged checkpoint.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::{json, run, run_with};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SETTINGS: &[(&str, &str)] = &[
    ("PROBITY__MANDATE__WARMUP_STEPS", "1"),
    ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1"),
    ("PROBITY__POSTING__EVERY_DECISIONS", "1000"),
];

fn args(dir: &Path) -> Vec<&str> {
    vec!["--json", "run", "--dir", dir.to_str().unwrap(), "--decisions", "6", "--posting", "every", "--keep-chain"]
}

fn kill_at(dir: &Path, at: &str, more: &[(&str, &str)]) {
    let env = [SETTINGS, more, &[("PROBITY_CRASH_AT", at)]].concat();
    let out = run_with("probity", &args(dir), &env);
    assert_eq!(out.status.signal(), Some(9), "{at}: {}", talk(&out));
}

fn talk(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn inspect(dir: &Path) -> Value {
    json(&run("probity", &["--json", "inspect", dir.to_str().unwrap()]))["result"].clone()
}

/// The run comes to its end with all its decisions, and its chains are ended.
fn finishes(dir: &Path) {
    let out = run_with("probity", &args(dir), SETTINGS);
    assert_eq!(out.status.code(), Some(0), "{}", talk(&out));
    assert_eq!(json(&out)["result"]["decisions"], 6);
    let seen = inspect(dir);
    assert_eq!((&seen["decisions"], &seen["outcome_unknown"]), (&6.into(), &0.into()), "{seen}");
    stop(dir);
}

fn stop(dir: &Path) {
    assert_eq!(run("probity", &["chain", "stop", "--dir", dir.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_halted_run_sends_nothing_until_it_is_resumed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let dir_arg = dir.to_str().unwrap();
    // A decision is in the journal and was never sent: even that one stays.
    kill_at(&dir, "journaled:2", &[]);
    let out = run("probity", &["halt", "--dir", dir_arg, "--reason", "for lunch"]);
    assert_eq!(out.status.code(), Some(0), "{}", talk(&out));
    let mut child = Command::new(probity_tests::binary("probity").unwrap())
        .args(args(&dir))
        .envs(SETTINGS.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("halted: nothing is decided and nothing is sent")));
    let seen = inspect(&dir);
    assert_eq!((&seen["decisions"], &seen["outcome_unknown"], &seen["state"]), (&2.into(), &1.into(), &"halted".into()), "{seen}");
    let out = run("probity", &["resume", "--dir", dir_arg, "--reason", "fed"]);
    assert_eq!(out.status.code(), Some(0), "{}", talk(&out));
    assert_eq!(lines.count() > 0, child.wait().unwrap().success());
    let seen = inspect(&dir);
    assert_eq!((&seen["decisions"], &seen["outcome_unknown"], &seen["sealed"]), (&6.into(), &0.into(), &true.into()), "{seen}");
    let changes = seen["changes"].as_array().unwrap().iter().map(|c| (c["state"].as_str(), c["reason"].as_str(), c["detail"].as_str()));
    let expected = [(Some("halted"), Some("kill_file"), Some("for lunch")), (Some("active"), Some("resume"), Some("fed"))];
    assert_eq!(changes.collect::<Vec<_>>(), expected);
    let out = run("probity", &["resume", "--dir", dir_arg, "--reason", "again"]);
    assert!(out.status.code() == Some(2) && talk(&out).contains("there is nothing to resume"), "{}", talk(&out));
    stop(&dir);
}

#[test]
fn a_full_disk_stops_before_anything_is_sent_and_a_torn_journal_loses_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    kill_at(&dir, "settled:2", &[]);
    // No file of the next start may grow beyond 64 KB, and the journal soon has to.
    let wal = dir.join("journal.sqlite-wal");
    let program = probity_tests::binary("probity").unwrap();
    let out = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"", program.to_str().unwrap()])
        .args(args(&dir))
        .envs(SETTINGS.iter().copied())
        .env("PROBITY__SAFETY__FOLD", "later")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2), "{}", talk(&out));
    assert!(talk(&out).contains("journal: ") && talk(&out).contains("could not be"), "{}", talk(&out));
    assert!(inspect(&dir)["decisions"].as_u64().unwrap() >= 2);

    // The last bytes of what was being written are missing: the chain knows the outcome.
    kill_at(&dir, "settled:1", &[("PROBITY__SAFETY__FOLD", "later")]);
    let file = std::fs::File::options().write(true).open(&wal).unwrap();
    file.set_len(file.metadata().unwrap().len() - 100).unwrap();
    let seen = inspect(&dir);
    assert!(seen["outcome_unknown"].as_u64().unwrap() <= 1, "{seen}");
    finishes(&dir);
}

#[test]
fn a_damaged_checkpoint_and_a_damaged_journal_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    kill_at(&dir, "checkpointed:1", &[]);
    let checkpoint = dir.join("session.ckpt");
    let mut bytes = std::fs::read(&checkpoint).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&checkpoint, bytes).unwrap();
    let out = run_with("probity", &args(&dir), SETTINGS);
    assert_eq!(out.status.code(), Some(2), "{}", talk(&out));
    assert!(talk(&out).contains("session.ckpt: cannot be resumed; remove it and the decisions are folded again"), "{}", talk(&out));
    std::fs::remove_file(&checkpoint).unwrap();

    // Looking at it closes it in good order: all of it is in the main file.
    inspect(&dir);
    let journal = dir.join("journal.sqlite");
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, [b"not a journal".as_slice(), &whole[13..]].concat()).unwrap();
    let out = run_with("probity", &args(&dir), SETTINGS);
    assert_eq!(out.status.code(), Some(2), "{}", talk(&out));
    assert!(talk(&out).contains("expected a whole probity journal"), "{}", talk(&out));
    std::fs::write(&journal, whole).unwrap();
    finishes(&dir);
}

#[test]
fn an_old_copy_of_the_journal_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    kill_at(&dir, "settled:2", &[]);
    // Looking at it puts all of it into the main file.
    inspect(&dir);
    let (journal, old) = (dir.join("journal.sqlite"), temp.path().join("old.sqlite"));
    std::fs::copy(&journal, &old).unwrap();
    kill_at(&dir, "settled:1", &[]);
    inspect(&dir);
    let newest = std::fs::read(&journal).unwrap();
    std::fs::copy(&old, &journal).unwrap();
    let out = run_with("probity", &args(&dir), SETTINGS);
    assert_eq!(out.status.code(), Some(2), "{}", talk(&out));
    assert!(talk(&out).contains("the vault has 3 decisions, the journal 2") && talk(&out).contains("an old copy"), "{}", talk(&out));
    std::fs::write(&journal, newest).unwrap();
    finishes(&dir);
}

#[test]
fn a_drill_that_is_none_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let out = run_with("probity", &args(&temp.path().join("run")), &[("PROBITY_CRASH_AT", "tea:1")]);
    assert_eq!(out.status.code(), Some(2));
    assert!(talk(&out).contains("expected BOUNDARY:COUNT") && talk(&out).contains("decide_sent"), "{}", talk(&out));
}
