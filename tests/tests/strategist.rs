//! The strategist's further commands through the binary: data from a node to bars, sweeps, walks, imports, what a commitment
//! is bound to, and the report opened in a browser.
#![expect(clippy::panic, clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and report")]

use probity_tests::Anvil;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder of its own, so that its ledger is there too.
fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(probity_tests::binary("probity").unwrap()).current_dir(dir).args(args).output().unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Runs with --json, expects this exit code, gives the result.
fn ask(dir: &Path, code: i32, args: &[&str]) -> Value {
    let out = run(dir, &[&["--json"], args].concat());
    assert_eq!(out.status.code(), Some(code), "{args:?}: {}", stderr(&out));
    let whole: Value = serde_json::from_slice(&out.stdout).unwrap();
    whole["result"].clone()
}

const START: u64 = 1_600_000_000 / 3_600 * 3_600;

/// An hourly series that wanders, made here; it is no market.
fn series(dir: &Path, bars: u64) {
    let mut text = String::from("ts_ms,open,high,low,close,volume\n");
    let (mut state, mut cents) = (1u64, 200_000u64);
    for i in 0..bars {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cents = (cents * (9_900 + (state >> 33) % 201) / 10_000).clamp(50_000, 900_000);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        writeln!(text, "{},{price},{price},{price},{price},1", (START + i * 3_600) * 1_000).unwrap();
    }
    std::fs::write(dir.join("series.csv"), text).unwrap();
}

#[test]
fn the_report_opens_in_a_browser_and_the_same_inputs_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 3_000);
    for out in ["one", "two"] {
        ask(dir, 0, &["backtest", "--data", "series.csv", "--out", out]);
    }
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    for file in ["manifest.json", "equity.csv", "trades.csv", "critic.json"] {
        assert_eq!(read(&format!("one/{file}")), read(&format!("two/{file}")), "{file}");
    }
    let report: Value = serde_json::from_slice(&read("two/report.json")).unwrap();
    // Latency, losses and recorded gas: other bytes, the files named in the manifest, the breakdown on the page.
    std::fs::write(dir.join("gas.csv"), format!("time_s,base_fee_wei\n{START},20000000000\n")).unwrap();
    let execution = "latency_blocks = 2\nfailure_bps = 500\ngas_prices = \"gas.csv\"\n";
    std::fs::write(dir.join("hard.toml"), format!("[backtest.execution]\n{execution}")).unwrap();
    let hard = ["--config", "hard.toml", "backtest", "--data", "series.csv", "--out", "three"];
    let stale = run(dir, &hard);
    assert!(stale.status.code() == Some(2) && stderr(&stale).contains("not older than a day"), "{}", stderr(&stale));
    let fees: String = (0..126).map(|day| format!("{},{}\n", START + day * 86_400, 20_000_000_000u64 + day)).collect();
    std::fs::write(dir.join("gas.csv"), format!("time_s,base_fee_wei\n{fees}")).unwrap();
    let summary = ask(dir, 0, &hard);
    assert!(summary["dropped_orders"].as_u64().unwrap() > 0 && summary["failed_orders"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!((&summary["late_orders"], &summary["refused_orders"]), (&json!(0), &json!(0)));
    let manifest: Value = serde_json::from_slice(&read("three/manifest.json")).unwrap();
    assert_eq!(manifest["inputs"]["gas_prices_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(manifest["settings"]["backtest"]["execution"]["latency_blocks"], 2);
    assert_ne!(read("three/equity.csv"), read("one/equity.csv"));
    let page = String::from_utf8(read("three/report.html")).unwrap();
    for part in
        ["Gas of trades", "Gas of orders that missed their bound", "prices moving before execution", "never got into a block", "were lost"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(report["critic"]["capacity"].as_array().unwrap().len(), 5);
    assert_eq!(String::from_utf8(read("one/equity.csv")).unwrap().lines().next().unwrap().split(',').count(), 6);

    let browser =
        ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let Some(browser) = browser else {
        eprintln!("SKIPPED: no Chromium was found, the page was not opened in a browser");
        return;
    };
    let page = format!("file://{}/one/report.html", dir.display());
    let profile = format!("--user-data-dir={}/profile", dir.display());
    let shot = format!("--screenshot={}/page.png", dir.display());
    let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", &profile];
    let dom = Command::new(browser).args(flags).args(["--dump-dom", &page]).output().unwrap();
    let dom = String::from_utf8_lossy(&dom.stdout).into_owned();
    for part in [
        "What to hold against it",
        "Value in quote",
        "Loss from the last high",
        "Trades on the price",
        "Weight of the base token",
        "Sharpe ratio over the last",
        "Deepest falls",
        "Month by month",
        "In crises",
        "At other costs",
        "At other sizes",
        "Costs",
        "What was run",
        "Probability of backtest overfitting",
        "parameters",
        "bar late",
        "above the mean of 720 bars",
    ] {
        assert!(dom.contains(part), "the browser shows {part:?}");
    }
    // Five charts, wide and narrow; a browser that stumbles over the markup drops what follows.
    assert_eq!(dom.matches("<svg").count(), 10, "five charts, twice each");
    assert!(dom.trim_end().ends_with("</html>"));
    let drawn = Command::new(browser).args(flags).args(["--window-size=1100,2400", &shot, &page]).output().unwrap();
    let picture = std::fs::read(dir.join("page.png")).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&drawn.stderr)));
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 60_000, "a picture of {} bytes is an empty page", picture.len());
}

#[test]
fn a_commitment_is_bound_to_the_ledger_it_was_made_over() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 600);
    for from in ["0", "1600300000"] {
        ask(dir, 0, &["backtest", "--data", "series.csv", "--from", from]);
    }
    let made = ask(dir, 0, &["commit", "--opening", "opening.json", "--public", "public.json"]);
    assert_eq!(made["ledger"]["trials"], 2);
    let text = std::fs::read_to_string(dir.join("public.json")).unwrap();
    assert!(!text.contains("nonce") && !text.contains("salt") && !text.contains("weights"), "the public part holds nothing private");
    #[cfg(unix)]
    for secret in ["opening.json", "opening.binding.json"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join(secret)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    // The ledger may grow; what the commitment was made over stays in it.
    ask(dir, 0, &["backtest", "--data", "series.csv", "--from", "1600400000"]);
    let check = ["trials", "--commitment", "public.json", "--opening", "opening.json"];
    assert_eq!(ask(dir, 0, &check)["wrong"], json!([]));
    let ledger = dir.join(".probity/trials.jsonl");
    let whole = std::fs::read_to_string(&ledger).unwrap();
    // A ledger begun anew after a thousand tries, and one that was cut.
    let last = whole.lines().last().unwrap();
    for forged in [last.to_owned() + "\n", whole.lines().next().unwrap().to_owned() + "\n"] {
        std::fs::write(&ledger, forged).unwrap();
        assert!(!ask(dir, 1, &check)["wrong"].as_array().unwrap().is_empty());
    }
    std::fs::write(&ledger, &whole).unwrap();
    // Another head in the public part: the opening says otherwise.
    let first: Value = serde_json::from_str(whole.lines().next().unwrap()).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["ledger"] = json!({ "head": first["hash"], "trials": 1 });
    std::fs::write(dir.join("public.json"), other.to_string()).unwrap();
    assert_eq!(ask(dir, 0, &check[..3])["wrong"], json!([]), "without the opening nobody can tell");
    assert!(ask(dir, 1, &check)["wrong"][0].as_str().unwrap().contains("not made over"));
    // Over a broken ledger nothing is committed.
    std::fs::write(&ledger, whole.replacen("\"trades\":", "\"trades\":1", 1)).unwrap();
    assert_eq!(run(dir, &["commit", "--opening", "other.json"]).status.code(), Some(2));
}

#[test]
fn sweeps_go_on_and_walks_use_what_was_known() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 3_000);
    let plan =
        ["backtest", "sweep", "--data", "series.csv", "--gain", "0.5,1,2", "--band-bps", "100,300", "--fee-bps", "5,20", "--windows", "2"];
    let sweep = |out: &str, code| ask(dir, code, &[&plan[..], &["--out", out]].concat());
    let whole = sweep("a.jsonl", 0);
    assert_eq!((&whole["jobs"], &whole["resumed"], &whole["overfitting"]["strategies"]), (&json!(24), &json!(0), &json!(6)));
    let text = std::fs::read_to_string(dir.join("a.jsonl")).unwrap();
    let cut: Vec<&str> = text.lines().take(11).collect();
    std::fs::write(dir.join("b.jsonl"), cut.join("\n") + "\n{\"index\":10,\"win").unwrap();
    assert_eq!(sweep("b.jsonl", 0)["resumed"], 10);
    assert_eq!(std::fs::read_to_string(dir.join("b.jsonl")).unwrap(), text, "an interrupted sweep ends with the same bytes");
    let other = run(dir, &["backtest", "sweep", "--data", "series.csv", "--gain", "3", "--out", "a.jsonl"]);
    assert!(other.status.code() == Some(2) && stderr(&other).contains("another plan"), "{}", stderr(&other));

    let first = (START + 1_800 * 3_600).to_string();
    let walk = [
        "walk-forward",
        "--data",
        "series.csv",
        "--first",
        &first,
        "--test-days",
        "25",
        "--validation-days",
        "25",
        "--cost-bps",
        "5",
        "--random",
        "20",
    ];
    let small = ["--hidden", "8", "--max-steps", "20"];
    let done = ask(dir, 0, &[&walk[..], &small, &["--out", "walk"]].concat());
    let cost = &done["costs"][0];
    assert_eq!((&done["decisions"], cost["folds"].as_array().unwrap().len()), (&json!(1_200), 2));
    assert!(cost["rows"][0]["metrics"]["trades"].as_u64().unwrap() > 0);
    assert_eq!(std::fs::read_to_string(dir.join("walk/equity-5.csv")).unwrap().lines().count(), 1_201);
    // The last bars do not change the first part: raise the end of the series tenfold in its last quarter.
    let bars = std::fs::read_to_string(dir.join("series.csv")).unwrap();
    let raised: Vec<String> = bars
        .lines()
        .enumerate()
        .map(|(i, l)| {
            if i <= 2_450 {
                return l.to_owned();
            }
            let t = l.split(',').next().unwrap();
            format!("{t},9000,9000,9000,9000,1")
        })
        .collect();
    std::fs::write(dir.join("series.csv"), raised.join("\n") + "\n").unwrap();
    let again = ask(dir, 0, &[&walk[..], &small].concat());
    assert_eq!(again["costs"][0]["folds"][0], cost["folds"][0]);
    assert_ne!(again["costs"][0]["folds"][1], cost["folds"][1]);
    let trials = ask(dir, 0, &["trials"]);
    let tried = trials["trials"].as_array().unwrap().iter().find(|t| t["command"] == "walk-forward").unwrap();
    assert_eq!(tried["result"]["policies_tried"], 144);
}

#[test]
fn a_trained_network_leaves_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 3_000);
    let (from, to) = ((START + 1_900 * 3_600).to_string(), (START + 2_500 * 3_600).to_string());
    let span = ["--validation-from", &from, "--validation-to", &to];
    let small = [
        "--max-steps",
        "20",
        "--batch",
        "16",
        "--window",
        "8",
        "--embargo",
        "64",
        "--hidden",
        "8",
        "--checkpoint",
        "c",
        "--weights-out",
        "net.safetensors",
    ];
    ask(dir, 0, &[&["train", "--data", "series.csv", "--out", "model.json"][..], &span, &small].concat());
    let report = ask(
        dir,
        0,
        &["model", "quantisation", "--weights", "net.safetensors", "--model", "model.json", "--data", "series.csv", "--from", &to],
    );
    assert_eq!(report["decisions"], 501);
    assert!(report["flips_per_10_000"].as_f64().unwrap() < 1_000.0, "{report}");
    let strict = [
        "model",
        "quantisation",
        "--weights",
        "net.safetensors",
        "--model",
        "model.json",
        "--data",
        "series.csv",
        "--from",
        &to,
        "--max-flips",
        "0",
    ];
    assert_eq!(run(dir, &strict).status.code(), Some(i32::from(report["flips"] != 0)));
    let back = ask(
        dir,
        0,
        &[&["model", "import", "--weights", "net.safetensors", "--data", "series.csv", "--out", "back.json"][..], &span].concat(),
    );
    assert_eq!((&back["report"]["own_scales"], &back["shape"]["dims"]), (&json!(true), &json!([16, 8, 3])));
    assert!(back["quantisation"]["decisions"].as_u64().unwrap() > 0);
    ask(dir, 0, &["backtest", "--data", "series.csv", "--model", "back.json"]);
    let linear = [&["train", "--data", "series.csv", "--out", "linear.json", "--linear"][..], &span, &small[..8]].concat();
    assert_eq!(ask(dir, 0, &linear)["shape"]["dims"], json!([16, 3]));
}

#[test]
fn a_model_with_a_memory_goes_from_training_to_an_audited_proof() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    series(dir, 2_000);
    let at = |bar: u64| (START + bar * 3_600).to_string();
    let (from, to) = (at(1_200), at(1_800));
    let span = ["--validation-from", &from, "--validation-to", &to];
    let small = ["--max-steps", "20", "--batch", "16", "--window", "8", "--embargo", "64", "--hidden", "2", "--recurrent", "2"];
    let files = ["--out", "model.json", "--weights-out", "net.safetensors"];
    let trained = ask(dir, 0, &[&["train", "--data", "series.csv"][..], &files, &span, &small].concat());
    let shape = json!({ "dims": [18, 2, 3], "shifts": [7], "recurrent": { "units": 2, "gate_shift": 7, "candidate_shift": 6 } });
    assert_eq!(trained["shape"], shape);
    let import = ["model", "import", "--weights", "net.safetensors", "--data", "series.csv", "--out", "back.json"];
    let back = ask(dir, 0, &[&import[..], &span].concat());
    assert_eq!(back["shape"], shape);
    assert_eq!(back["quantisation"]["decisions"], 201);

    let commit = ["commit", "--model", "model.json", "--opening", "opening.json", "--public", "commitment.json", "--no-layout"];
    assert!(ask(dir, 0, &commit)["commitment"].as_str().unwrap().starts_with("0x"));
    let public: Value = serde_json::from_slice(&std::fs::read(dir.join("commitment.json")).unwrap()).unwrap();
    assert_eq!(public["shape"], shape);

    // Engine, candle and circuit decide alike, whatever comes later; then the proof, and what an auditor says of it.
    std::fs::write(dir.join("small.toml"), "[mandate]\ndecisions_per_fold = 1\nwarmup_steps = 1\n").unwrap();
    let (first, last, end) = (at(1_500), at(1_600), at(1_503));
    let test = ["--config", "small.toml", "backtest"];
    let looked = ["lookahead", "--data", "series.csv", "--model", "model.json", "--from", &first, "--to", &last, "--circuit", "1"];
    let found = ask(dir, 0, &[&test[..], &looked].concat());
    assert_eq!((&found["leaked"], &found["circuit"]["found"][0]["leaked"]), (&json!(0), &json!(0)));
    let proof = ["--data", "series.csv", "--model", "model.json", "--from", &first, "--to", &end, "--prove", "proven"];
    let proven = ask(dir, 0, &[&test[..], &proof].concat());
    assert_eq!(proven["proved"]["statement"]["decisions"], 3);
    let audit = ["audit", "--log", "proven/decisions.jsonl", "--proof", "proven/proof.bin"];
    let report = ask(dir, 0, &[&test[..2], &audit].concat());
    assert_eq!((&report["verdict"], &report["coverage"]["proven"]), (&json!("accepted"), &json!(3)));
    let log = std::fs::read_to_string(dir.join("proven/decisions.jsonl")).unwrap();
    let header: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(header["mandate"]["model"], shape);

    let refused = run(dir, &["train", "--data", "series.csv", "--out", "x.json", "--recurrent", "33"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("--recurrent"), "{}", stderr(&refused));
}

#[test]
fn from_a_node_to_bars_also_after_an_interruption() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let node = Anvil::start(&["--timestamp", "1700000000", "--no-mining"]);
    let pool = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640";
    // A contract that logs what it is called with as the Swap of a pool.
    let topic = "c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67";
    node.call("anvil_setCode", &json!([pool, format!("0x366000600037{}366000a100", format!("7f{topic}"))]));
    let from = node.call("eth_accounts", &json!([]))[0].clone();
    for i in 0..9u64 {
        // About 2,270 USDC an ether, a little less every time.
        let root = 0x51fd_f2fd_9b25_2687_2a9b_7234_50f2_u128 + (u128::from(i) << 96);
        let data = format!("0x{:064x}{:064x}{root:064x}{:064x}{:064x}", 5_000_000 + i, 2_000_000_000_000_000u64, 1, 199_045);
        node.call("eth_sendTransaction", &json!([{ "from": from, "to": pool, "data": data }]));
        node.call("evm_setNextBlockTimestamp", &json!([1_700_000_100 + i * 50]));
        node.call("evm_mine", &json!([]));
    }
    let last = u64::from_str_radix(node.call("eth_blockNumber", &json!([])).as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let to = last.to_string();
    let pull = |out: &str| {
        ["data", "pull", "--rpc", node.url(), "--pool", pool, "--from", "1", "--to", &to, "--chunk", "2", "--out", out].map(str::to_owned)
    };
    let ask_pull = |out: &str| {
        let words = pull(out);
        ask(dir, 0, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(ask_pull("logs.csv")["logs"], 9);
    let text = std::fs::read_to_string(dir.join("logs.csv")).unwrap();
    assert_eq!(text.lines().count(), 10);
    assert!(text.lines().nth(1).unwrap().contains(",2023-11-14 22:15:00,0x"), "{text}");
    // As an interruption leaves it: four logs marked, a fifth torn.
    let kept: String = text.lines().take(5).map(|l| l.to_owned() + "\n").collect();
    std::fs::write(dir.join("again.partial"), format!("{kept}5,2023-11-")).unwrap();
    let mark = json!({ "version": 1, "chain_id": 31_337, "pool": pool, "from": 1, "to": last, "next": 5, "bytes": kept.len(), "logs": 4 });
    std::fs::write(dir.join("again.resume.json"), mark.to_string()).unwrap();
    assert_eq!(ask_pull("again.csv")["logs"], 9);
    assert_eq!(std::fs::read_to_string(dir.join("again.csv")).unwrap(), text);
    assert!(!dir.join("again.resume.json").exists() && !dir.join("again.partial").exists());
    for (words, says) in [
        (pull("logs.csv"), "never overwritten"),
        (pull("x.csv").map(|w| if w == to { (last + 9).to_string() } else { w }), "blocks up to the node's"),
        (pull("x.csv").map(|w| if w == pool { "0x12".to_owned() } else { w }), "40 hex digits"),
    ] {
        let out = run(dir, &words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(out.status.code() == Some(2) && stderr(&out).contains(says), "{}", stderr(&out));
    }
    let made = ask(dir, 0, &["data", "bars", "--logs", "logs.csv", "--interval-s", "60", "--out", "bars.csv"]);
    assert_eq!((made["swaps"].as_u64(), made["bars"].as_u64().unwrap() + made["empty"].as_u64().unwrap()), (Some(9), 7));
    let checked = ask(dir, 0, &["data", "check", "bars.csv"]);
    assert_eq!(checked["interval_s"], 60);
    let doubled = std::fs::read_to_string(dir.join("bars.csv")).unwrap();
    let twice = doubled.lines().chain(doubled.lines().last()).map(|l| l.to_owned() + "\n").collect::<String>();
    std::fs::write(dir.join("twice.csv"), twice).unwrap();
    assert_eq!(ask(dir, 1, &["data", "check", "twice.csv"])["duplicates"]["count"], 1);
}
