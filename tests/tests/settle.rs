//! Settlement through the binary on development chains: an agent that settles by its policy, the commands beside it, a proof that waits,
//! a proof of other decisions, strict trades, and what is refused. Parameters of a tau that stands in the source.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod settling;

use probity_tests::json;
use settling::{Run, said};
use std::path::{Path, PathBuf};

fn waiting(run: &Run) -> PathBuf {
    run.dir.join("settlement.json")
}

fn read(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn an_agent_settles_by_its_policy_and_anybody_can_compare_the_verifier() {
    let run = Run::new("deferred", 4, 1);
    let out = run.decide("7");
    // Three may wait before the margin is reached: twice three, and the last one when the run is sealed.
    let told = said(&out);
    let settled: Vec<&str> = told.lines().filter(|l| l.starts_with("settled decisions")).collect();
    assert_eq!(settled.len(), 3, "{told}");
    for (line, range) in settled.iter().zip(["0 … 3", "3 … 6", "6 … 7"]) {
        assert!(line.contains(range), "{line}");
    }
    assert!(json(&out)["result"]["buys"].as_u64().unwrap() >= 5, "trading never stopped: {}", json(&out));
    assert!(told.contains("INSECURE settlement parameters"), "{told}");

    let status = run.status();
    let s = &status["settlement"];
    assert_eq!(
        (&s["mode"], &s["proven"], &s["unproven"], &s["seconds_left"]),
        (&"deferred".into(), &7.into(), &0.into(), &serde_json::Value::Null)
    );
    assert_eq!(
        (&status["decisions"], &status["promise_matches"], &status["code_matches"]),
        (&7.into(), &true.into(), &true.into()),
        "{status}"
    );
    assert_eq!(s["proven_head"], status["head"]);
    let shares = &status["share_contract"];
    assert_eq!((&shares["management_fee_bps"], &shares["fee_recipient"]), (&0.into(), &serde_json::Value::Null), "{shares}");
    assert!(shares["total_assets_raw"].as_str().unwrap().len() > 9, "{shares}");
    assert_eq!(status["verifier_code"]["matches"], true);
    let nothing = run.settle(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(said(&nothing).contains("every one of the vault's 7 decisions is settled"), "{}", said(&nothing));

    let verify = |more: &[(&'static str, &str)]| run.with(&["--json", "settlement", "verify-code", "--dir", run.dir()], more);
    let same = verify(&[]);
    assert_eq!((same.status.code(), &json(&same)["result"]["matches"]), (Some(0), &true.into()));
    let other = verify(&[("PROBITY__SETTLEMENT__DECISIONS_PER_BLOCK", "1")]);
    assert_eq!((other.status.code(), &json(&other)["result"]["matches"]), (Some(1), &false.into()));
    let people = String::from_utf8(run.with(&["vault", "status", "--dir", run.dir()], &[]).stdout).unwrap();
    assert!(people.contains("7 of 7 decisions") && people.contains("INSECURE"), "{people}");
}

#[test]
fn a_proof_waits_for_its_transaction_and_one_of_other_decisions_is_made_anew() {
    let run = Run::new("deferred", 100, 1);
    run.decide_and_leave(2);
    let before = run.status();
    let decided = before["decisions"].as_u64().unwrap();
    assert_eq!((before["settlement"]["proven"].as_u64(), before["settlement"]["unproven"].as_u64()), (Some(0), Some(decided)));
    assert!(before["settlement"]["seconds_left"].as_u64().unwrap() > 0);

    // Nobody to sign: the proof is made and waits.
    let (key, away) = (run.dir.join("operator.key"), run.dir.join("away.key"));
    std::fs::rename(&key, &away).unwrap();
    let unsigned = run.settle(&[]);
    assert_eq!(unsigned.status.code(), Some(2));
    assert!(said(&unsigned).contains("PROBITY_OPERATOR_KEY"), "{}", said(&unsigned));
    let kept = read(&waiting(&run));
    assert_eq!(kept["to"].as_u64(), Some(decided));
    std::fs::rename(&away, &key).unwrap();

    // The very same bytes are sent, and then nothing waits.
    let out = run.settle(&[]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let settled = &json(&out)["result"];
    assert_eq!((settled["to"].as_u64(), settled["insecure_params"].as_bool()), (Some(decided), Some(true)));
    assert_eq!(settled["settlement_bytes"].as_u64().unwrap() * 2, u64::try_from(kept["settlement"].as_str().unwrap().len()).unwrap());
    assert!(!waiting(&run).exists());
    assert_eq!(run.status()["settlement"]["proven"].as_u64(), Some(decided));

    // The old proof lies there again, and more has been decided since: another one is made, under another mask.
    run.decide_and_leave(1);
    std::fs::write(waiting(&run), kept.to_string()).unwrap();
    let out = run.settle(&[]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert!(said(&out).contains("of other decisions"), "{}", said(&out));
    assert_eq!(json(&out)["result"]["from"].as_u64(), Some(decided));

    // A file that is no settlement is said to be none; other terms than the vault's are refused; so is a vault without them.
    run.decide_and_leave(1);
    std::fs::write(waiting(&run), "{}").unwrap();
    let broken = run.settle(&[]);
    assert!(said(&broken).contains("expected a settlement that waits"), "{}", said(&broken));
    std::fs::remove_file(waiting(&run)).unwrap();
    let args = run.decide_args("40");
    let other = run.with(&args, &[("PROBITY__SETTLEMENT__MAX_UNPROVEN_DECISIONS", "99")]);
    assert!(said(&other).contains("the vault was armed with 100 decisions"), "{}", said(&other));
    let off = run.with(&args, &[("PROBITY__SETTLEMENT__MODE", "off")]);
    assert!(said(&off).contains("settlement.mode: the vault is armed"), "{}", said(&off));
}

#[test]
fn strict_trades_carry_their_proof() {
    let run = Run::new("strict", 4, 1);
    let out = run.decide("3");
    let summary = json(&out);
    assert_eq!((summary["result"]["buys"].as_u64(), summary["result"]["unfilled"].as_u64()), (Some(3), Some(0)), "{summary}");
    let status = run.status();
    assert_eq!((&status["settlement"]["mode"], &status["settlement"]["proven"]), (&"strict".into(), &3.into()), "{status}");
}
