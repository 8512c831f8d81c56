//! Records against the pool's own state, through the binary, over a real fragment of mainnet on a chain with a clock of its own: an honest
//! run, a record off by one, and nodes that lie about storage or prove nothing.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and says loudly that it skips")]

use probity_tests::own_clock::{OPERATOR, USDC};
use probity_tests::{Anvil, Rpc, codes, json, run, run_with};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

const POOL: &str = "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8";

/// What a node makes of an honest answer: method and parameters, and the answer.
type Lie = fn(&str, &Value, Value) -> Value;

/// A node in front of another one that changes its answers.
fn liar(upstream: &str, lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let upstream = upstream.clone();
            std::thread::spawn(move || answer(stream, &upstream, lie));
        }
    });
    url
}

fn answer(mut stream: TcpStream, upstream: &str, lie: Lie) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let method = asked["method"].as_str().unwrap();
    let honest = Rpc::at(upstream).call(method, &asked["params"]);
    let told = lie(method, &asked["params"], json!({ "jsonrpc": "2.0", "id": asked["id"], "result": honest })).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}", told.len());
    drop(stream.write_all(format!("{head}\r\n\r\n{told}").as_bytes()));
}

fn about_pool(params: &Value) -> bool {
    params[0].as_str().is_some_and(|a| a.eq_ignore_ascii_case(POOL))
}

fn audit(log: &Path, url: &str) -> (i32, Value) {
    let out = run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", url]);
    (out.status.code().unwrap(), json(&out)["result"].clone())
}

#[test]
fn mean_ticks_follow_from_the_pool_or_are_named() {
    let Some(state) = probity_tests::data().map(|d| d.join("chain/minifork_12522061/anvil_state.json")).filter(|p| p.is_file()) else {
        println!("SKIPPED: ../shared/data is absent, no record was held against the real pool's state");
        return;
    };
    let anvil = Anvil::start(&["--load-state", state.to_str().unwrap(), "--chain-id", "1", "--block-time", "1", "--hardfork", "osaka"]);
    anvil.call("anvil_setBalance", &json!([OPERATOR, "0xde0b6b3a7640000000"]));
    anvil.call("anvil_dealERC20", &json!([OPERATOR, USDC, format!("{:#x}", 200_000_000_000u64)]));
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let dir_arg = dir.to_str().unwrap();
    let args =
        ["--json", "run", "--dir", dir_arg, "--rpc", anvil.url(), "--pool", POOL, "--deploy", "--decisions", "3", "--posting", "every"];
    let key = "11".repeat(32);
    let env = [
        ("PROBITY__MANDATE__WARMUP_STEPS", "1"),
        ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1"),
        ("PROBITY_OPERATOR_KEY", key.as_str()),
        ("PROBITY__MANDATE__INTERVAL_S", "10"),
        ("PROBITY__CHAIN__POLL_INTERVAL_MS", "200"),
    ];
    let out = run_with("probity", &args, &env);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let log = dir.join("decisions.jsonl");

    // Honest: every record's mean tick follows from the pool's storage.
    let (code, report) = audit(&log, anvil.url());
    assert_eq!((code, codes(&report)), (0, vec![]), "{report}");
    assert_eq!((&report["chain"]["decisions"], &report["chain"]["pool_proven"]), (&3.into(), &3.into()), "{report}");
    assert!(report["chain"]["header"]["hash"].is_string(), "{report}");

    // One record off by one: named with its decision, expected and got.
    let text = std::fs::read_to_string(&log).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut record: Value = serde_json::from_str(&lines[2]).unwrap();
    let tick = record["record"]["observation"]["mean_tick"].as_i64().unwrap();
    record["record"]["observation"]["mean_tick"] = (tick + 1).into();
    lines[2] = record.to_string();
    let forged = temp.path().join("forged.jsonl");
    std::fs::write(&forged, lines.join("\n") + "\n").unwrap();
    let (code, report) = audit(&forged, anvil.url());
    assert_eq!((code, &report["chain"]["pool_proven"]), (1, &2.into()), "{report}");
    let found: Vec<&Value> = report["findings"].as_array().unwrap().iter().filter(|f| f["code"] == "pool_mismatch").collect();
    let expected = json!({
        "severity": "error", "code": "pool_mismatch", "line": 3, "step": 1, "field": "record.observation.mean_tick",
        "message": format!("expected {tick}, got {}", tick + 1),
    });
    assert_eq!(found, [&expected], "{report}");

    // A node that changes a proof, and one that sends the search astray: the proofs do not fit the block that the record names.
    let lies: [Lie; 2] = [
        |method, params, mut honest| {
            if method == "eth_getProof" && about_pool(params) {
                let node = honest.pointer_mut("/result/storageProof/0/proof/0").unwrap();
                let text = node.as_str().unwrap();
                let flip = if text.ends_with('0') { "1" } else { "0" };
                *node = format!("{}{flip}", &text[..text.len() - 1]).into();
            }
            honest
        },
        |method, params, mut honest| {
            // The wrong newest observation.
            if method == "eth_getStorageAt" && about_pool(params) {
                honest["result"] = format!("0x01{}", "00".repeat(31)).into();
            }
            honest
        },
    ];
    for (i, lie) in lies.into_iter().enumerate() {
        let (code, report) = audit(&log, &liar(anvil.url(), lie));
        let steps: Vec<Option<u64>> =
            codes(&report).into_iter().filter(|(c, _)| c == "state_proof_invalid").map(|(_, step)| step).collect();
        assert_eq!((code, steps, &report["chain"]["pool_proven"]), (1, vec![Some(0), Some(1), Some(2)], &0.into()), "lie {i}: {report}");
    }

    // A node that has no proofs for the pool: no verdict turns, and the report says what was not checked.
    let refuses: Lie = |method, params, honest| {
        if method == "eth_getProof" && about_pool(params) {
            return json!({ "jsonrpc": "2.0", "id": honest["id"], "error": { "code": -32000, "message": "distance to target block exceeds maximum proof window" } });
        }
        honest
    };
    let url = liar(anvil.url(), refuses);
    let (code, report) = audit(&log, &url);
    assert_eq!((code, codes(&report), &report["chain"]["pool_proven"]), (0, vec![], &0.into()), "{report}");
    assert!(report["findings"].as_array().unwrap().iter().any(|f| f["code"] == "state_unproven" && f["field"] == "pool"), "{report}");
    let page = temp.path().join("report.html");
    let out = run("probity", &["audit", "--log", log.to_str().unwrap(), "--rpc", &url, "--report", page.to_str().unwrap()]);
    assert!(
        String::from_utf8_lossy(&out.stdout).contains("not checked: mean ticks of 3 decisions"),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
    assert!(
        std::fs::read_to_string(&page)
            .unwrap()
            .contains("The pool's own state: the mean ticks of 3 of 3 decisions were not proven".replace('\'', "&#39;").as_str())
    );
}
