//! The live agent through the binary, on development chains: killed and restarted, audited against the chain, over a real
//! mainnet fragment; and what it refuses.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says loudly that it skips")]

use probity_tests::own_clock::{OPERATOR, USDC};
use probity_tests::{Anvil, codes, fork_url, json, run, run_with};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Few decisions have to show trades: the first may be one.
const SHORT: &[(&str, &str)] = &[("PROBITY__MANDATE__WARMUP_STEPS", "1"), ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1")];

#[test]
fn a_killed_run_goes_on_and_chain_and_log_agree() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let dir_arg = dir.to_str().unwrap();
    let args = ["--json", "run", "--dir", dir_arg, "--decisions", "12", "--posting", "every", "--keep-chain"];

    // Kill it without mercy while it decides.
    let mut child = Command::new(probity_tests::binary("probity").unwrap())
        .args(args)
        .envs(SHORT.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let decided = lines.map_while(Result::ok).filter(|line| line.starts_with('#')).take(5).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(decided, 5, "the agent decided before it was killed");

    // What it leaves can be looked at, and another agent in the same folder goes on to the end.
    let seen = json(&run("probity", &["--json", "inspect", dir_arg]));
    assert!(seen["result"]["decisions"].as_u64().unwrap() >= 5, "{seen}");
    let out = run_with("probity", &args, SHORT);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let summary = &json(&out)["result"];
    assert_eq!(summary["decisions"], 12);
    assert_eq!(summary["simulated"], true);
    assert!(summary["buys"].as_u64().unwrap() + summary["sells"].as_u64().unwrap() > 0, "{summary}");

    // Nothing doubled, nothing lost: the chain says so itself.
    let (url, log) = (fork_url(&dir), dir.join("decisions.jsonl"));
    let audit = |log: &Path| {
        let out = run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", &url]);
        (out.status.code(), json(&out)["result"].clone())
    };
    let (code, report) = audit(&log);
    assert_eq!((code, codes(&report)), (Some(0), vec![]), "{report}");
    assert_eq!(report["chain"]["decisions"], 12);
    assert_eq!(report["chain"]["decisions_posted"], 12);
    assert_eq!(report["coverage"]["proven"], 12);

    // The revealed model decides the same; another one does not open the commitment.
    let opening = dir.join("opening.json");
    let verify = |opening: &Path| {
        let args = ["--log", log.to_str().unwrap(), "--proof", dir_arg, "--reveal", opening.to_str().unwrap(), "--json"];
        let proof = dir.join("proof.bin");
        let args = args.map(|a| if a == dir_arg { proof.to_str().unwrap() } else { a });
        let out = run("probity-verify", &args);
        (out.status.code(), json(&out))
    };
    let (code, report) = verify(&opening);
    assert_eq!((code, report["coverage"]["replayed"].as_u64()), (Some(0), Some(12)), "{report}");
    let mut other: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&opening).unwrap()).unwrap();
    let weight = other["model"]["weights"][100].as_i64().unwrap();
    other["model"]["weights"][100] = serde_json::json!(if weight < 127 { weight + 1 } else { weight - 1 });
    let altered = temp.path().join("altered.json");
    std::fs::write(&altered, other.to_string()).unwrap();
    let (code, report) = verify(&altered);
    assert_eq!(code, Some(1));
    assert_eq!(codes(&report), vec![("reveal_mismatch".to_owned(), None)]);

    // The last decision left out, and the log closed again as if it had never been.
    let text = std::fs::read_to_string(&log).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.truncate(lines.len() - 2);
    let short = temp.path().join("short.jsonl");
    std::fs::write(&short, lines.join("\n") + "\n").unwrap();
    let (code, report) = audit(&short);
    assert_eq!(code, Some(1));
    let found = codes(&report);
    assert!(found.contains(&("decision_not_in_log".to_owned(), Some(11))), "{report}");
    assert!(found.contains(&("log_shorter_than_proof".to_owned(), None)), "{report}");

    // A sealed run does not go on, and its chains end when they are told to.
    assert_eq!(run_with("probity", &args, SHORT).status.code(), Some(2));
    assert_eq!(run("probity", &["chain", "stop", "--dir", dir_arg]).status.code(), Some(0));
    let gone = run("probity", &["audit", "--log", log.to_str().unwrap(), "--rpc", &url]);
    assert_eq!(gone.status.code(), Some(2), "a dead node is no verdict");
    assert!(String::from_utf8_lossy(&gone.stderr).contains("check that the node runs"), "{}", String::from_utf8_lossy(&gone.stderr));
}

#[test]
fn a_run_over_a_real_fragment_of_mainnet() {
    let Some(state) = probity_tests::data().map(|d| d.join("chain/minifork_12522061/anvil_state.json")).filter(|p| p.is_file()) else {
        println!("SKIPPED: ../shared/data is absent, the agent was not run over the real pool");
        return;
    };
    let anvil = Anvil::start(&["--load-state", state.to_str().unwrap(), "--chain-id", "1"]);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let args = [
        "--json",
        "run",
        "--dir",
        dir.to_str().unwrap(),
        "--fork-url",
        anvil.url(),
        "--pool",
        "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8",
        "--decisions",
        "5",
        "--posting",
        "every",
    ];
    let out = run_with("probity", &args, SHORT);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let summary = &json(&out)["result"];
    assert_eq!(summary["decisions"], 5);
    assert!(!dir.join("chains.json").exists(), "the fork ends with the run");
    let (log, proof) = (dir.join("decisions.jsonl"), dir.join("proof.bin"));
    let out = run("probity-verify", &["--log", log.to_str().unwrap(), "--proof", proof.to_str().unwrap(), "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", json(&out));
}

#[test]
fn a_chain_that_others_move() {
    let Some(state) = probity_tests::data().map(|d| d.join("chain/minifork_12522061/anvil_state.json")).filter(|p| p.is_file()) else {
        println!("SKIPPED: ../shared/data is absent, the agent was not run on a chain with its own clock");
        return;
    };
    // Nobody but the agent's own transactions is helped here: blocks come every second, as on a real chain.
    let anvil = Anvil::start(&["--load-state", state.to_str().unwrap(), "--chain-id", "1", "--block-time", "1", "--hardfork", "osaka"]);
    anvil.call("anvil_setBalance", &serde_json::json!([OPERATOR, "0xde0b6b3a7640000000"]));
    anvil.call("anvil_dealERC20", &serde_json::json!([OPERATOR, USDC, format!("{:#x}", 200_000_000_000u64)]));
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let pool = "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8";
    let dir_arg = dir.to_str().unwrap();
    let args =
        ["--json", "run", "--dir", dir_arg, "--rpc", anvil.url(), "--pool", pool, "--deploy", "--decisions", "3", "--posting", "every"];
    let key = "11".repeat(32);
    let mut env = SHORT.to_vec();
    env.extend([
        ("PROBITY_OPERATOR_KEY", key.as_str()),
        ("PROBITY__MANDATE__INTERVAL_S", "10"),
        ("PROBITY__CHAIN__POLL_INTERVAL_MS", "200"),
    ]);
    let out = run_with("probity", &args, &env);
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{talk}");
    assert!(!talk.contains(&key), "no key is shown");
    let summary = &json(&out)["result"];
    assert_eq!((&summary["decisions"], &summary["simulated"]), (&3.into(), &false.into()));
    let log = dir.join("decisions.jsonl");
    let out = run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", anvil.url()]);
    assert_eq!(out.status.code(), Some(0), "{}", json(&out));
    assert_eq!(json(&out)["result"]["chain"]["decisions"], 3);
}

#[test]
fn what_a_real_chain_needs_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let args = ["run", "--dir", dir.to_str().unwrap(), "--rpc", "http://127.0.0.1:9/a-secret-path", "--deploy"];
    let out = run("probity", &args);
    assert_eq!(out.status.code(), Some(2));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(text.contains("PROBITY_OPERATOR_KEY"), "{text}");
    let out = run_with("probity", &args, &[("PROBITY_OPERATOR_KEY", &"11".repeat(32))]);
    assert_eq!(out.status.code(), Some(2));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(text.contains("http://127.0.0.1:9") && text.contains("check that the node runs"), "{text}");
    assert!(!text.contains("a-secret-path") && !text.contains(&"11".repeat(32)), "no secret is shown: {text}");
}
