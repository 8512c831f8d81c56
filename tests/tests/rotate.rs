//! Weights are changed while a run goes on, through the binary: asked for, announced, taken over at their decision, whatever is killed when;
//! what cannot be announced is refused by the field that is wrong.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::bad_day::Running;
use probity_tests::own_clock::OwnClock;
use probity_tests::{codes, fork_url, json, run, run_with};
use probity_verifier::LogWriter;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Steps between an announcement and the first decision of the new weights.
const NOTICE: u64 = 12;

/// A small model that buys or sells a little at every step.
fn model(dir: &Path, name: &str, bias: i32, hidden: u16) -> PathBuf {
    let path = dir.join(name);
    let biases = [vec![0; usize::from(hidden)], vec![-bias, 0, bias]].concat();
    let file = serde_json::json!({
        "version": 1,
        "shape": { "dims": [16, hidden, 3], "shifts": [7] },
        "model": {
            "scales": vec![4_096; 16],
            "weights": vec![0; usize::from(hidden) * 19],
            "biases": biases,
            "policy": { "gain": 9_000, "band_gain": 10, "band_bps": 20, "max_step_bps": 300, "cooldown_steps": 0 },
        },
    });
    std::fs::write(&path, file.to_string()).unwrap();
    path
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A folder with weights that buy (the run begins with them), weights that sell, and a run.
struct Place {
    temp: TempDir,
    eager: PathBuf,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let eager = model(temp.path(), "eager.json", 400_000, 1);
        let place = Self { temp, eager };
        place.opening("lean", -400_000, 1);
        place
    }

    fn path(&self, name: &str) -> String {
        self.temp.path().join(name).to_str().unwrap().to_owned()
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("run")
    }

    /// Weights of a bias, salted: their opening.
    fn opening(&self, name: &str, bias: i32, hidden: u16) -> String {
        let file = model(self.temp.path(), &format!("{name}.model.json"), bias, hidden);
        let opening = self.path(&format!("{name}.json"));
        let args = ["commit", "--no-layout", "--model", file.to_str().unwrap(), "--opening", &opening];
        let out = run_with("probity", &args, &[("PROBITY__TRIALS__PATH", &self.path("trials.jsonl"))]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        opening
    }

    fn rotate(&self, more: &[&str]) -> Output {
        let dir = self.dir();
        run("probity", &[&["--json", "rotate", "--dir", dir.to_str().unwrap()], more].concat())
    }

    fn refused(&self, more: &[&str], why: &[&str]) {
        let out = self.rotate(more);
        let text = said(&out);
        assert!(out.status.code() == Some(2) && why.iter().all(|w| text.contains(w)), "{more:?}: expected {why:?}, got {text}");
    }

    fn inspect(&self) -> Value {
        json(&run("probity", &["--json", "inspect", "--last", "100", self.dir().to_str().unwrap()]))["result"].clone()
    }

    /// The agent on paper, deciding every two seconds.
    fn on_paper(&self, url: &str, decisions: u64, env: &[(&str, &str)]) -> Running {
        let mut command = Command::new(probity_tests::binary("probity").unwrap());
        command
            .args(["run", "--paper", "--posting", "every", "--decisions", &decisions.to_string(), "--rpc", url, "--dir"])
            .arg(self.dir());
        if !self.dir().join("opening.json").exists() {
            command.arg("--model").arg(&self.eager);
        }
        command.env_remove("PROBITY_OPERATOR_KEY").env("PROBITY__MANDATE__INTERVAL_S", "2").env("PROBITY__MANDATE__WARMUP_STEPS", "0");
        command.env("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1").env("PROBITY__CHAIN__POLL_INTERVAL_MS", "100");
        command.env("PROBITY__POSTING__EVERY_DECISIONS", "1000").env("PROBITY__SAFETY__CONFIRMATIONS", "0");
        command.env("PROBITY__MANDATE__MIN_TRADE_BPS", "2").env("PROBITY_LOG", "debug").envs(env.iter().copied());
        Running::start(&mut command)
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The sides of the orders in a log, one a decision, and where its announcements stand.
fn sides(log: &Path) -> (Vec<String>, Vec<(usize, Value)>) {
    let (mut sides, mut announced) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(log).unwrap().lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["rotation"].is_object() {
            announced.push((sides.len(), line["rotation"].clone()));
        } else if line["record"].is_object() {
            sides.push(line["record"]["decision"]["order"]["side"].as_str().unwrap_or("hold").to_owned());
        }
    }
    (sides, announced)
}

#[test]
fn on_paper_weights_are_announced_and_take_over_across_a_restart() {
    let chain = OwnClock::start();
    let place = Place::new();
    let (dir, lean) = (place.dir(), place.path("lean.json"));
    let mut first = place.on_paper(chain.rpc.url(), 100, &[("PROBITY__SAFETY__FOLD", "beside")]);
    first.says("PAPER #1 ");
    let asked = json(&place.rotate(&["--opening", &lean]))["result"].clone();
    let line = first.says("announced before decision ");
    let step: u64 = line.split("before decision ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    let at = step + NOTICE;
    assert!(line.contains(asked["commitment"].as_str().unwrap()) && line.contains(&format!("make decision {at} ")), "{line}");
    assert!(asked["at_step"].is_null() && asked["earliest_step"].as_u64().unwrap() <= at, "{asked}");
    place.refused(&["--opening", &lean], &["rotation: expected none ahead, got the weights behind", &format!("decision {at} first")]);
    first.says("PAPER #");
    first.signal("TERM");
    let (code, text) = first.ends();
    assert_eq!(code, Some(0), "{text}");
    // What is secret is where it was, for its owner, and in no line.
    let opening = read(&dir.join("opening.json"));
    let salts = [&opening["salt"], &opening["then"]["salt"]].map(|s| s.as_str().unwrap().to_owned());
    assert_eq!(opening["then"], read(Path::new(&lean)));
    assert!(salts.iter().all(|s| s.len() == 64 && !text.contains(s)), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join("opening.json")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!dir.join("rotation.json").exists() && !dir.join("rotation.taken.json").exists());
    let cut = place.inspect();
    assert_eq!((&cut["rotations"][0]["before_decision"], &cut["rotations"][0]["at_step"]), (&step.into(), &at.into()), "{cut}");

    // It goes on with weights ahead, and they take over.
    let decisions = at + 3;
    let second = place.on_paper(chain.rpc.url(), decisions, &[]);
    let (code, text) = second.ends();
    assert_eq!(code, Some(0), "{text}");
    let (log, proof) = (dir.join("decisions.jsonl"), dir.join("proof.bin"));
    let (made, announced) = sides(&log);
    let turn = usize::try_from(at).unwrap();
    assert_eq!(made.len(), usize::try_from(decisions).unwrap());
    assert!(made[..turn].iter().all(|s| s == "buy") && made[turn..].iter().all(|s| s == "sell"), "{made:?}");
    let rotation = serde_json::json!({ "commitment": asked["commitment"], "at_step": at });
    assert_eq!(announced, [(usize::try_from(step).unwrap(), rotation)]);

    // Log, proof and opening audit clean, and without the new weights they do not.
    let (log, proof, opening) = (log.to_str().unwrap(), proof.to_str().unwrap(), dir.join("opening.json"));
    let opening = opening.to_str().unwrap();
    let report = json(&run("probity-verify", &["--log", log, "--proof", proof, "--json"]));
    assert_eq!((&report["verdict"], &report["coverage"]["proven"]), (&"accepted".into(), &decisions.into()), "{report}");
    let report = json(&run("probity", &["--json", "audit", "--log", log, "--proof", proof, "--reveal", opening]))["result"].clone();
    assert_eq!((&report["verdict"], &report["coverage"]["replayed"]), (&"accepted".into(), &decisions.into()), "{report}");
    let alone = place.path("alone.json");
    let mut without = read(Path::new(opening));
    without.as_object_mut().unwrap().remove("then");
    std::fs::write(&alone, without.to_string()).unwrap();
    let report = json(&run("probity", &["--json", "audit", "--log", log, "--proof", proof, "--reveal", &alone]))["result"].clone();
    assert!(codes(&report).contains(&("reveal_mismatch".to_owned(), Some(at))), "{report}");

    // The run's own opening proves its log again, and compares it.
    let again = place.path("again.bin");
    let out = run("probity", &["--json", "prove", "--log", log, "--opening", opening, "--out", &again]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let report = json(&run("probity-verify", &["--log", log, "--proof", &again, "--json"]));
    assert_eq!(report["verdict"], "accepted", "{report}");
    let env = [("PROBITY__TRIALS__PATH", place.path("trials.jsonl")), ("PROBITY__BACKTEST__VENUE", "constant_liquidity".to_owned())];
    let env = env.each_ref().map(|(k, v)| (*k, v.as_str()));
    let compare = |opening: &str| run_with("probity", &["--json", "backtest", "compare", log, "--opening", opening], &env);
    let out = compare(opening);
    assert_eq!((out.status.code(), &json(&out)["result"]["not_decided"]), (Some(0), &0.into()), "{}", said(&out));
    assert!(said(&compare(&alone)).contains("expected `then`, the weights behind"));
    place.refused(&["--opening", &place.path("lean.json")], &["expected a run that goes on, got a sealed one"]);
}

impl Place {
    /// A run on paper that was killed after its first decision.
    fn begun(&self, url: &str) {
        let (code, text) = self.on_paper(url, 100, &[("PROBITY_CRASH_AT", "settled:1")]).ends();
        assert_eq!(code, None, "the drill kills it: {text}");
    }

    /// Goes on for a decision, and ends open.
    fn decides_once(&self, url: &str) -> String {
        let mut agent = self.on_paper(url, 100, &[]);
        agent.says("PAPER #");
        agent.signal("TERM");
        let (code, text) = agent.ends();
        assert_eq!(code, Some(0), "{text}");
        text
    }
}

#[test]
fn killed_anywhere_it_announces_once() {
    let chain = OwnClock::start();
    let url = chain.rpc.url();
    let mut heads = Vec::new();
    for at in ["announce_taken", "announce_opened", "announce_journaled", "announce_cleared"] {
        let place = Place::new();
        place.begun(url);
        assert_eq!(place.rotate(&["--opening", &place.path("lean.json"), "--at", "20"]).status.code(), Some(0));
        let (code, text) = place.on_paper(url, 100, &[("PROBITY_CRASH_AT", &format!("{at}:1"))]).ends();
        assert_eq!(code, None, "{at}: {text}");
        let cut = place.inspect();
        let journaled = usize::from(!matches!(at, "announce_taken" | "announce_opened"));
        assert_eq!(cut["rotations"].as_array().unwrap().len(), journaled, "{at}: {cut}");
        if at != "announce_cleared" {
            place.refused(&["--withdraw"], &["rotation.json: expected a request that waits, got one that the agent has taken"]);
        }
        let text = place.decides_once(url);
        let seen = place.inspect();
        assert_eq!((&seen["rotations"][0]["before_decision"], &seen["rotations"][0]["at_step"]), (&1.into(), &20.into()), "{at}: {seen}");
        assert_eq!((seen["rotations"].as_array().unwrap().len(), &seen["rotation_asked"]), (1, &false.into()), "{at}: {seen}");
        assert!(journaled == 0 || cut["rotations"] == seen["rotations"], "{at}: what was announced stays\n{cut}\n{seen}");
        let (made, announced) = sides(&place.dir().join("decisions.jsonl"));
        assert!(made.len() >= 2 && announced.len() == 1 && announced[0].0 == 1, "{at}: {announced:?}\n{text}");
        assert_eq!(read(&place.dir().join("opening.json"))["then"], read(Path::new(&place.path("lean.json"))), "{at}");
        // Every head of the log follows from the one before.
        LogWriter::resume(&place.dir().join("decisions.jsonl"), false).unwrap();
        heads.push(seen["rotations"][0]["head"].clone());
    }
    assert!(heads.iter().all(Value::is_string));
}

#[test]
fn what_cannot_be_announced_is_refused_by_the_field_that_is_wrong() {
    let chain = OwnClock::start();
    let place = Place::new();
    let (dir, lean) = (place.dir(), place.path("lean.json"));
    place.refused(&["--opening", &lean], &["expected the folder of a run (with journal.sqlite)"]);
    place.begun(chain.rpc.url());
    place.refused(&["--withdraw"], &["rotation.json: expected a request that waits, got none"]);
    place.refused(&["--opening", &place.opening("wide", 1, 2)], &["--opening", "weights: expected 19 (by the mandate's model), got 38"]);
    place.refused(&["--opening", &lean, "--at", "12"], &["rotation.at_step: expected at least 13, 12 steps of notice, got 12"]);
    let own = dir.join("opening.json");
    place.refused(&["--opening", own.to_str().unwrap()], &["commitment: expected weights other than those in force"]);
    let (mut both, nested) = (read(&own), place.path("nested.json"));
    both["then"] = read(Path::new(&lean));
    std::fs::write(&nested, both.to_string()).unwrap();
    place.refused(&["--opening", &nested], &["then: expected one set of weights, got more after it"]);
    let torn = place.path("torn.json");
    std::fs::write(&torn, "{\"model\": {\"scales\": [7, 31337").unwrap();
    place.refused(&["--opening", &torn], &["torn.json: expected model and salt, stopped at line 1"]);
    assert!(!said(&place.rotate(&["--opening", &torn])).contains("31337"), "nothing of it is told");
    place.refused(&["--opening", &place.path("none.json")], &["--opening", "none.json"]);
    assert!(!dir.join("rotation.json").exists());

    // One waits at a time, and can be taken back.
    let out = place.rotate(&["--opening", &lean, "--at", "13"]);
    assert_eq!((out.status.code(), &json(&out)["result"]["at_step"]), (Some(0), &13.into()), "{}", said(&out));
    place.refused(&["--opening", &lean], &["rotation.json: expected no request before this one", "--withdraw"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join("rotation.json")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let checks = json(&run("probity", &["--json", "doctor", "--dir", dir.to_str().unwrap()]))["result"].clone();
    let weights = checks["checks"].as_array().unwrap().iter().find(|c| c["name"] == "weights").unwrap();
    assert!(weights["seen"].as_str().unwrap().ends_with("in force; others are asked for and not yet announced"), "{weights}");
    let late = std::fs::read(dir.join("rotation.json")).unwrap();
    assert_eq!(place.rotate(&["--withdraw"]).status.code(), Some(0));
    place.decides_once(chain.rpc.url());
    assert_eq!(place.inspect()["rotations"], serde_json::json!([]));

    // One that comes too late for its step is dropped, and the run goes on with its weights.
    std::fs::write(dir.join("rotation.json"), late).unwrap();
    let text = place.decides_once(chain.rpc.url());
    assert!(text.contains("are not announced, their request is dropped: rotation.at_step: expected at least 1"), "{text}");
    let seen = place.inspect();
    assert_eq!((&seen["rotations"], &seen["rotation_asked"]), (&serde_json::json!([]), &false.into()), "{seen}");
    assert!(read(&own)["then"].is_null());
}

/// A run on development chains; they are ended with it.
struct Moved(Place);

impl Drop for Moved {
    fn drop(&mut self) {
        drop(run("probity", &["chain", "stop", "--dir", self.0.dir().to_str().unwrap()]));
    }
}

impl Moved {
    /// Decisions of the whole run.
    const DECISIONS: u64 = 16;

    /// The agent until it ends or the drill kills it; whether it was killed.
    fn goes_on(&self, crash_at: Option<&str>, more: &[(&str, &str)]) -> bool {
        let (dir, decisions) = (self.0.dir(), Self::DECISIONS.to_string());
        let mut args =
            vec!["--json", "run", "--dir", dir.to_str().unwrap(), "--decisions", &decisions, "--posting", "every", "--keep-chain"];
        if !dir.join("opening.json").exists() {
            args.extend(["--model", self.0.eager.to_str().unwrap()]);
        }
        let mut env = vec![
            ("PROBITY__MANDATE__WARMUP_STEPS", "0"),
            ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1"),
            ("PROBITY__POSTING__EVERY_DECISIONS", "1000"),
            ("PROBITY__SAFETY__FOLD", "later"),
        ];
        env.extend(more);
        env.extend(crash_at.map(|at| ("PROBITY_CRASH_AT", at)));
        let out = run_with("probity", &args, &env);
        assert!(matches!(out.status.code(), None | Some(0)), "{crash_at:?}: {}", said(&out));
        out.status.code().is_none()
    }

    fn status(&self) -> Value {
        let out = run("probity", &["--json", "vault", "status", "--dir", self.0.dir().to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        json(&out)["result"].clone()
    }

    /// Asks for the weights that sell after the first decision, and is killed at these boundaries, one start each.
    fn announces(&self, boundaries: &[&str], more: &[(&str, &str)]) -> Value {
        assert!(self.goes_on(Some("settled:1"), more));
        assert_eq!(self.0.rotate(&["--opening", &self.0.path("lean.json")]).status.code(), Some(0));
        for at in boundaries {
            assert!(self.goes_on(Some(&format!("{at}:1")), more), "{at} was not reached");
            let seen = self.0.inspect();
            assert_eq!((seen["rotations"].as_array().unwrap().len(), &seen["rotations"][0]["tx_hash"]), (1, &Value::Null), "{at}: {seen}");
        }
        // The next decision stands on it.
        assert!(self.goes_on(Some("observed:1"), more));
        let (seen, status) = (self.0.inspect(), self.status());
        let made = &seen["rotations"][0];
        assert_eq!(
            (seen["rotations"].as_array().unwrap().len(), &made["before_decision"], &made["at_step"]),
            (1, &1.into(), &13.into()),
            "{seen}"
        );
        assert!(made["tx_hash"].as_str().unwrap().starts_with("0x"), "{seen}");
        let hex = |v: &Value| v.as_str().unwrap().trim_start_matches("0x").to_owned();
        assert_eq!((hex(&status["head"]), &status["decisions"]), (hex(&made["head"]), &1.into()), "{status} {made}");
        assert_eq!(hex(&status["rotation_ahead"]["commitment"]), hex(&made["commitment"]), "{status}");
        assert_eq!(status["rotation_ahead"]["at_step"], 13, "{status}");
        made.clone()
    }
}

#[test]
fn a_vault_takes_the_announcement_once_and_chain_and_log_agree() {
    let run_of = || Moved(Place::new());
    // Cut off before and after it leaves.
    run_of().announces(&["announce_cleared", "announce_sent"], &[]);
    let moved = run_of();
    let made = moved.announces(&["announce_signed", "announce_mined"], &[]);
    assert!(!moved.goes_on(None, &[]), "it comes to its end");
    let dir = moved.0.dir();
    let (log, proof) = (dir.join("decisions.jsonl"), dir.join("proof.bin"));
    let (sides, announced) = sides(&log);
    assert!(sides.len() == 16 && sides[..13].iter().all(|s| s == "buy") && sides[13..].iter().all(|s| s == "sell"), "{sides:?}");
    assert!(announced.len() == 1 && announced[0].0 == 1);
    let (log, proof) = (log.to_str().unwrap(), proof.to_str().unwrap());
    let out = run("probity", &["--json", "audit", "--log", log, "--proof", proof, "--rpc", &fork_url(&dir)]);
    let report = json(&out)["result"].clone();
    assert_eq!((out.status.code(), &report["verdict"], codes(&report).len()), (Some(0), &"accepted".into(), 0), "{report}");
    assert_eq!((&report["chain"]["decisions"], &report["chain"]["decisions_posted"]), (&16.into(), &16.into()), "{report}");
    let status = moved.status();
    assert_eq!((&status["rotation_ahead"], &status["promise_matches"]), (&Value::Null, &true.into()), "{status}");
    assert!(
        status["commitment_in_force"].as_str().unwrap().ends_with(made["commitment"].as_str().unwrap().trim_start_matches("0x")),
        "{status}"
    );
    assert_ne!(status["commitment_in_force"], status["commitment"]);
}
