//! The first hour on a real chain, through the binary: `init`, `doctor`, `deploy`, `run`, on a chain with a clock of its own; and what is
//! refused, missing or broken on the way.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may panic and says loudly that it skips")]

mod desk;

use desk::{Desk, PASSWORD, POOL, block, changed, check, created, probity, said, without};
use probity_tests::own_clock::{KEY, OPERATOR, OwnClock, USDC};
use probity_tests::{binary, json, run_with};
use serde_json::json as j;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

#[test]
fn init_writes_what_was_asked_for_and_nothing_over_it() {
    let desk = Desk::new();
    // Nobody answers there: the file is made all the same, and the doctor says so.
    let flags = changed(&desk.flags("http://127.0.0.1:9/a-secret-path"), "--pool", &format!("0x{}", POOL[2..].to_uppercase()));
    let out = desk.init(&flags);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let made = &json(&out)["result"];
    assert_eq!((made["address"].as_str(), made["doctor"]["failures"].as_u64()), (Some(OPERATOR), Some(1)), "{made}");
    let next: Vec<&str> = made["next"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    for (n, expected) in ["keep a copy", " doctor --dir ", " deploy --dir ", " run --dir "].iter().enumerate() {
        assert!(next[n].contains(expected), "{next:?}");
    }
    assert!(!format!("{made}{}", said(&out)).contains("a-secret-path"), "what follows a host is not shown");
    for file in ["probity.toml", "op.json"] {
        assert_eq!(std::fs::metadata(desk.path(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }

    // The settings are the asked ones, and every key has its words.
    let out = desk.with_file(&["config", "show"], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let s = &json(&out)["result"];
    assert_eq!(
        j!([s["chain"]["chain_id"], s["chain"]["pool"], s["chain"]["quote_token"], s["chain"]["rpc_url"]]),
        j!([1, POOL, USDC, "http://127.0.0.1:9"])
    );
    assert_eq!(
        j!([s["mandate"]["max_trade_quote_units"], s["mandate"]["interval_s"], s["mandate"]["max_slippage_bps"]]),
        j!([5_000, 10, 100])
    );
    assert_eq!(
        j!([s["agent"]["seed_quote_units"], s["keys"]["keystore"], s["keys"]["password_file"], s["mandate"]["proof_engine"]]),
        j!([20_000, desk.text("op.json"), desk.text("password"), "transparent"])
    );
    let text = std::fs::read_to_string(desk.path("probity.toml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let keys = lines.windows(2).filter(|w| w[1].contains(" = ") && !w[1].starts_with('#'));
    assert!(keys.clone().count() > 25 && keys.clone().all(|w| w[0].starts_with("# ")), "{text}");
    assert!(!text.contains(KEY) && !text.contains(PASSWORD));
    let (code, report) = desk.doctor(&[]);
    assert_eq!((code, check(&report, "node").0), (Some(1), "fail"), "{report}");

    // Not over a file that is there; with --force over the settings, never over a key.
    let again = desk.init(&flags);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("--out") && said(&again).contains("--force"), "{}", said(&again));
    let (key_before, forced) = (std::fs::read(desk.path("op.json")).unwrap(), [&flags[..], &["--force".to_owned()]].concat());
    let out = desk.init(&forced);
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("--keystore") && said(&out).contains("--key file"), "{}", said(&out));
    assert_eq!(std::fs::read_to_string(desk.path("probity.toml")).unwrap(), text);
    let forced = changed(&changed(&without(&forced, "--key-file"), "--key", "file"), "--max-trade", "6000");
    let out = desk.init(&forced);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let after = std::fs::read_to_string(desk.path("probity.toml")).unwrap();
    assert_eq!(after, text.replace("max_trade_quote_units = 5000", "max_trade_quote_units = 6000"));
    assert_eq!(std::fs::read(desk.path("op.json")).unwrap(), key_before);
}

#[test]
fn what_init_cannot_take_is_named_and_nothing_is_written() {
    let desk = Desk::new();
    let flags = desk.flags("http://127.0.0.1:9");
    let refused = |flags: &[String], expected: &str| {
        let out = desk.init(flags);
        assert_eq!(out.status.code(), Some(2), "{expected}");
        assert!(said(&out).contains(expected), "{expected}: {}", said(&out));
        assert!(!desk.path("probity.toml").exists() && !desk.path("op.json").exists(), "{expected}");
    };
    // Every needed flag that is missing is named, all of them at once.
    for flag in ["--rpc", "--chain-id", "--pool", "--quote-token", "--max-trade", "--first-deposit", "--password-file"] {
        refused(&without(&flags, flag), &format!("there is no terminal to ask on; expected also {flag}"));
    }
    refused(&without(&without(&without(&flags, "--pool"), "--rpc"), "--max-trade"), "(or PROBITY__CHAIN__RPC_URL), --pool, --max-trade");
    let pairing = [&flags[..], &["--engine".to_owned(), "pairing".to_owned()]].concat();
    refused(&pairing, "expected also --ptau-file");
    for (flag, bad, expected) in [
        ("--pool", "0x1234", "--pool"),
        ("--quote-token", "usdc", "--quote-token"),
        ("--rpc", "localhost:8545", "--rpc: rpc url"),
        ("--chain-id", "0", "--chain-id"),
        ("--interval", "0", "--interval"),
        ("--max-trade", "0", "--max-trade"),
        ("--max-trade", "9000000000000000000", "--max-trade"),
        ("--first-deposit", "1.5", "--first-deposit"),
        ("--key", "mine", "--key"),
        ("--key", "new", "--key-file: expected with `--key import` only"),
        ("--key-file", "/nowhere", "--key-file /nowhere"),
        ("--keystore", "/nowhere/op.json", "--keystore /nowhere/op.json"),
        ("--out", "/nowhere/probity.toml", "--out /nowhere/probity.toml"),
    ] {
        refused(&changed(&flags, flag, bad), expected);
    }
    let file = changed(&without(&flags, "--key-file"), "--key", "file");
    refused(&file, "--keystore");
    let out = probity(&[&["--config".to_owned(), desk.text("key"), "init".to_owned()], &flags[..]].concat(), &[]);
    assert_eq!(out.status.code(), Some(2));
    std::fs::set_permissions(desk.path("password"), std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&flags, "expected mode 0600, got 0644");
}

#[test]
fn the_environment_decides_over_the_file_and_what_it_holds_is_not_written() {
    let desk = Desk::new();
    let flags = without(&desk.flags("http://127.0.0.1:9"), "--rpc");
    let env = [("PROBITY__CHAIN__RPC_URL", "http://127.0.0.1:9/a-secret-path"), ("PROBITY__MANDATE__INTERVAL_S", "20")];
    let out = probity(&[&["--json".to_owned(), "init".to_owned()], &flags[..]].concat(), &env);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert_eq!(json(&out)["result"]["from_environment"], j!(["chain.rpc_url", "mandate.interval_s"]), "{}", json(&out));
    let text = std::fs::read_to_string(desk.path("probity.toml")).unwrap();
    assert!(text.contains("\nrpc_url = \"\"\n") && text.contains("\ninterval_s = 10\n") && !text.contains("a-secret-path"), "{text}");
}

#[test]
fn on_a_terminal_it_asks() {
    // Another `script` than util-linux's takes other flags.
    if !Command::new("script").arg("--version").output().is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("util-linux")) {
        println!("SKIPPED: util-linux's `script` is absent, the questions were not asked on a terminal");
        return;
    }
    let desk = Desk::new();
    let program = binary("probity").unwrap();
    let command = format!("{} init --out {} --key-file {}", program.display(), desk.text("probity.toml"), desk.text("key"));
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("PROBITY_KEYSTORE_PASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Node, a chain id that is none and one, pool, quote token, trade, deposit, interval, slippage, engine, key, key file.
    let answers = ["http://127.0.0.1:9", "none", "5", "", USDC, "700", "800", "", "55", "transparent", "import", &desk.text("op.json")];
    let mut typed = child.stdin.take().unwrap();
    typed.write_all((answers.join("\n") + "\n").as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    drop(typed);
    let talk = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{talk}");
    assert!(talk.contains("expected a whole number") && talk.contains("Next:"), "{talk}");
    let s = &json(&desk.with_file(&["config", "show"], &[]))["result"];
    assert_eq!(
        j!([s["chain"]["chain_id"], s["chain"]["pool"], s["mandate"]["max_trade_quote_units"], s["agent"]["seed_quote_units"]]),
        j!([5, POOL, 700, 800])
    );
    assert_eq!(j!([s["mandate"]["interval_s"], s["mandate"]["max_slippage_bps"]]), j!([300, 55]));
    assert_eq!(s["keys"]["keystore"], desk.text("op.json"));
}

#[test]
fn the_doctor_passes_a_good_chain_and_names_what_is_broken() {
    let (chain, desk) = (OwnClock::start(), Desk::new());
    // An operator without anything yet.
    let out = desk.init(&desk.flags(chain.rpc.url()));
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let poor = &json(&out)["result"]["doctor"];
    for name in ["gas money", "first deposit"] {
        let (verdict, _, fix) = check(poor, name);
        assert!(verdict == "fail" && fix.contains("send ") && fix.contains(OPERATOR), "{name}: {poor}");
    }
    assert_eq!(poor["failures"], 2, "{poor}");
    let (code, again) = desk.doctor(&[]);
    assert_eq!((code, again["failures"].as_u64()), (Some(1), Some(2)), "{again}");

    // With money everything is well but for the vault that is to come, and what was found is what was asked about.
    chain.fund(50_000_000_000);
    let (code, good) = desk.doctor(&[]);
    assert_eq!((code, good["failures"].as_u64()), (Some(0), Some(0)), "{good}");
    for name in ["parameters", "file permissions", "node", "chain id", "operator", "clock", "gas money", "pool", "depth", "oracle"] {
        assert_eq!(check(&good, name).0, "ok", "{name}: {good}");
    }
    assert!(check(&good, "operator").1.contains(OPERATOR) && check(&good, "pool").1.contains("/"), "{good}");
    assert_eq!(check(&good, "vault").0, "warn");

    // One thing broken each time: exit code 1, that check fails, and it says what to do.
    let no_ptau = desk.text("no.ptau");
    let deep = "40000000000";
    for (name, fix, env) in [
        ("node", "start the node", vec![("PROBITY__CHAIN__RPC_URL", "http://127.0.0.1:9")]),
        ("chain id", "chain.chain_id", vec![("PROBITY__CHAIN__CHAIN_ID", "5")]),
        ("pool", "chain.pool", vec![("PROBITY__CHAIN__POOL", USDC)]),
        ("pool", "chain.pool", vec![("PROBITY__CHAIN__POOL", OPERATOR)]),
        ("pool", "chain.quote_token", vec![("PROBITY__CHAIN__QUOTE_TOKEN", POOL)]),
        ("depth", "max_trade_quote_units", vec![("PROBITY__MANDATE__MAX_TRADE_QUOTE_UNITS", deep)]),
        ("depth", "max_slippage_bps", vec![("PROBITY__MANDATE__MAX_SLIPPAGE_BPS", "1")]),
        ("first deposit", "agent.seed_quote_units", vec![("PROBITY__AGENT__SEED_QUOTE_UNITS", "50001")]),
        ("operator", "keys.keystore", vec![("PROBITY__KEYS__KEYSTORE", "/nowhere")]),
        ("parameters", "proof.ptau_file", vec![("PROBITY__MANDATE__PROOF_ENGINE", "pairing"), ("PROBITY__PROOF__PTAU_FILE", &no_ptau)]),
        ("parameters", "params fetch", vec![("PROBITY__MANDATE__PROOF_ENGINE", "pairing")]),
    ] {
        let (code, report) = desk.doctor(&env);
        let (verdict, seen, todo) = check(&report, name);
        assert_eq!((code, verdict, report["failures"].as_u64()), (Some(1), "fail", Some(1)), "{env:?}: {report}");
        assert!(!seen.is_empty() && todo.contains(fix), "{env:?}: {todo}");
    }
    // Fewer observations than the intervals need are warned of: deploying makes them.
    let (code, report) = desk.doctor(&[("PROBITY__MANDATE__INTERVAL_S", "86400")]);
    assert_eq!((code, check(&report, "oracle").0), (Some(0), "warn"), "{report}");
    // A chain that is meant is not left by accident either.
    let dir = desk.text("run");
    let out = desk.with_file(&["deploy", "--dir", &dir], &[("PROBITY__CHAIN__CHAIN_ID", "5")]);
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("chain.chain_id: expected 5, got 1"), "{}", said(&out));

    // Others can read the key file, then the password too.
    for (file, fails) in [("op.json", vec!["file permissions"]), ("password", vec!["file permissions", "operator"])] {
        std::fs::set_permissions(desk.path(file), std::fs::Permissions::from_mode(0o644)).unwrap();
        let (code, report) = desk.doctor(&[]);
        assert_eq!(code, Some(1));
        for name in fails {
            assert_eq!(check(&report, name).0, "fail", "{file}: {report}");
        }
        let (_, seen, fix) = check(&report, "file permissions");
        assert!(seen.contains(file) && fix.contains("chmod 600") && fix.contains(file), "{report}");
    }
}

#[test]
fn deploying_goes_on_where_it_was_and_the_run_decides() {
    let (chain, desk) = (OwnClock::start(), Desk::new());
    chain.fund(50_000_000_000);
    let out = desk.init(&desk.flags(chain.rpc.url()));
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let dir = desk.text("run");
    // A small circuit: what is proven is not what this is about.
    let small = ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1");
    let deploy = |env: &[(&str, &str)]| desk.with_file(&["deploy", "--dir", &dir], &[&[small], env].concat());
    let start = block(&chain);

    // Killed when the transaction is signed, when it is out, and when the vault stands and nothing knows: it is made once.
    for (at, sent) in [("deploy_signed:1", 0), ("deploy_sent:1", 1), ("deploy_mined:1", 1)] {
        let out = deploy(&[("PROBITY_CRASH_AT", at)]);
        assert_eq!(out.status.signal(), Some(9), "{at}: {}", said(&out));
        while chain.transactions() < sent {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert_eq!(chain.transactions(), sent, "{at}");
    }
    let out = deploy(&[]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let first = json(&out)["result"].clone();
    assert_eq!(
        j!([first["chain_id"], first["operator"], first["pool"], first["quote_token"], first["interval_s"]]),
        j!([1, OPERATOR, POOL, USDC, 10])
    );
    assert_eq!(first["vault_code_known"], true);
    assert_eq!(first["limits"]["max_slippage_bps"], 100);
    for name in ["vault", "vault_code_hash", "mandate_digest", "model_commitment", "genesis_head"] {
        assert!(first[name].as_str().unwrap().len() >= 42, "{name}: {first}");
    }
    assert!(first["registered_block"].as_u64().unwrap() > 0);
    assert_eq!(created(&chain, start), 1, "one vault");

    // Again: the same vault, and not one transaction more.
    let sent = chain.transactions();
    let again = deploy(&[]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert_eq!((&json(&again)["result"], chain.transactions()), (&first, sent));
    let code = |address: &str| chain.rpc.call("eth_getCode", &j!([address, "latest"])).as_str().unwrap().len();
    assert!(code(first["vault"].as_str().unwrap()) > 1_000);
    // Told to people, it says what a depositor checks.
    let file = desk.text("probity.toml");
    let people = probity(&["--config", &file, "deploy", "--dir", &dir].map(str::to_owned), &[small]);
    let text = String::from_utf8_lossy(&people.stdout).into_owned();
    for words in ["code hash", "this version's vault", "operator (decides, cannot withdraw)", "mandate digest", "model commitment"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (code, report) = desk.doctor(&[]);
    assert_eq!((code, check(&report, "vault").0), (Some(0), "ok"), "{report}");

    // The run goes on in that folder, on that vault.
    let out = desk.with_file(&["run", "--dir", &dir, "--decisions", "1", "--posting", "every"], &[small]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let summary = &json(&out)["result"];
    assert_eq!(j!([summary["decisions"], summary["simulated"], summary["vault"]]), j!([1, false, first["vault"]]));
    let log = desk.path("run").join("decisions.jsonl");
    let out = run_with("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", chain.rpc.url()], &[]);
    assert_eq!((out.status.code(), json(&out)["result"]["chain"]["decisions"].as_u64()), (Some(0), Some(1)), "{}", json(&out));
}
