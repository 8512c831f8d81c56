//! `docs/formats/check.py` held against the audit, on honest, tampered and forged logs.

use crate::{audited, folder, golden_log, leaves, log_of, run};
use probity_strategy::{Amount, Fill, Record, Side};
use probity_verifier::{Code, Severity};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

type Errors = BTreeSet<(u64, String)>;

/// Runs `check.py` once over several logs: its exit status and the errors it names for each. None where there is no Python.
fn checked(logs: &[String], opening: bool) -> Option<(i32, Vec<Errors>)> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg("-B").arg(folder().join("check.py"));
    for (i, log) in logs.iter().enumerate() {
        let path = dir.path().join(i.to_string());
        std::fs::write(&path, log).unwrap();
        command.arg(path);
    }
    if opening {
        command.arg("--opening").arg(folder().join("golden/opening.json"));
    }
    let out = match command.current_dir(dir.path()).output() {
        Ok(out) => out,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: no python3 on this machine, so docs/formats/check.py was NOT run");
            return None;
        }
        Err(e) => panic!("python3: {e}"),
    };
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut errors = vec![Errors::new(); logs.len()];
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let Some((place, rest)) = line.split_once(": error: ") else { continue };
        let (path, place) = place.rsplit_once("line ").unwrap();
        let log = path.trim_end_matches(": ").rsplit('/').next().unwrap().parse().unwrap_or(0);
        let errors: &mut Errors = &mut errors[log];
        errors.insert((place.parse().unwrap(), rest.split(':').next().unwrap().to_owned()));
    }
    Some((out.status.code().unwrap(), errors))
}

/// The audit's errors, as (line, code), the missing proof and the replay aside.
fn found(log: &str, seed: i32) -> Errors {
    let report = audited(log, seed);
    let errors = report.findings.iter().filter(|f| f.severity == Severity::Error);
    let errors = errors.filter(|f| !matches!(f.code, Code::ProofMissing | Code::ReplayMismatch));
    errors.map(|f| (f.line.unwrap_or(0), serde_json::to_value(f.code).unwrap().as_str().unwrap().to_owned())).collect()
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::Bool(b) => Value::from(!b),
        Value::Number(n) => n.as_u64().map_or_else(|| Value::from(n.as_i64().unwrap() + 1), |n| Value::from(n ^ 1)),
        Value::Null => serde_json::json!({"amount_out": "1"}),
        Value::String(s) if s == "buy" => Value::from("sell"),
        Value::String(s) if s == "sell" => Value::from("buy"),
        Value::String(s) if s == "transparent" => Value::from("pairing"),
        Value::String(s) => {
            let last = if s.ends_with('1') { "2" } else { "1" };
            Value::from(format!("{}{last}", &s[..s.len() - 1]))
        }
        Value::Array(_) | Value::Object(_) => unreachable!("a leaf"),
    }
}

#[test]
fn the_independent_checker_agrees_on_a_golden_log_and_tampered_copies() {
    let log = golden_log();
    let Some(clean) = checked(std::slice::from_ref(&log), true) else { return };
    assert_eq!(clean, (0, vec![Errors::new()]));
    let lines: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let text = |lines: &[Value]| lines.iter().map(|l| l.to_string() + "\n").collect::<String>();
    let mut cases: Vec<(String, String)> = Vec::new();
    // Every leaf of the header, of a decision with order and fill, and of the seal.
    let full = lines.iter().position(|l| !l["record"]["decision"]["order"].is_null() && !l["record"]["observation"]["fill"].is_null());
    let announced = lines.iter().position(|l| l["rotation"].is_object());
    for line in [0, full.unwrap(), announced.unwrap(), lines.len() - 1] {
        for pointer in leaves(&lines[line], "").into_iter().filter(|p| p != "/program_version") {
            let mut changed = lines.clone();
            let leaf = changed[line].pointer_mut(&pointer).unwrap();
            *leaf = other(leaf);
            cases.push((format!("another {pointer} on line {}", line + 1), text(&changed)));
        }
    }
    assert!(cases.len() > 40, "{}", cases.len());
    // Whole lines, and text that a lenient parser would take.
    let swapped = [&lines[..3], &[lines[4].clone(), lines[3].clone()], &lines[5..]].concat();
    let others = [
        ("dropped", text(&[&lines[..4], &lines[5..]].concat())),
        ("doubled", text(&[&lines[..5], &lines[4..]].concat())),
        ("swapped", text(&swapped)),
        ("after the seal", text(&[&lines[..], &lines[12..13]].concat())),
        ("torn", log.trim_end().to_owned()),
        ("empty", String::new()),
        ("cut header", text(&lines[1..])),
        ("twice the same field", log.replacen("{\"step\":1,", "{\"step\":1,\"step\":1,", 1)),
        ("a fraction", log.replacen("\"step\":1,", "\"step\":1.0,", 1)),
        ("minus zero", log.replacen("\"step\":0,", "\"step\":-0,", 1)),
        ("a leading zero", log.replacen("\"quote\":\"5", "\"quote\":\"05", 1)),
        ("upper case", log.replacen("\"head\":\"0x", "\"head\":\"0X", 1)),
        ("not JSON", log.replacen("\"record\"", "record", 1)),
    ];
    cases.extend(others.map(|(name, log)| (name.to_owned(), log)));
    let logs: Vec<String> = cases.iter().map(|(_, log)| log.clone()).collect();
    let (status, python) = checked(&logs, false).unwrap();
    assert_eq!(status, 1);
    for ((name, changed), errors) in cases.iter().zip(&python) {
        assert_ne!(*changed, log, "{name}");
        assert!(!errors.is_empty(), "check.py: {name}");
        assert!(!found(changed, 0).is_empty(), "audit: {name}");
    }
    // A whole log without `fill` and `order` where they are null is the same log.
    let mut short = lines;
    for line in short.iter_mut().filter(|line| line["record"].is_object()) {
        for (object, name) in [("observation", "fill"), ("decision", "order")] {
            let object = line["record"][object].as_object_mut().unwrap();
            if object[name].is_null() {
                object.remove(name);
            }
        }
    }
    let short = text(&short);
    assert_eq!((found(&short, 0).len(), checked(&[short], true).unwrap()), (0, clean));
}

/// Orders, fills, halts and times forged under recomputed heads: both readers name the same errors on the same lines.
#[test]
fn both_readers_name_the_same_errors() {
    type Forgery = (&'static str, fn(&mut Record));
    let forgeries: [Forgery; 13] = [
        ("nothing", |_| ()),
        ("less out", |r| r.decision.order.iter_mut().for_each(|o| o.min_out -= 1)),
        ("more in", |r| r.decision.order.iter_mut().for_each(|o| o.amount_in = Amount::new(o.amount_in.raw() * 3).unwrap())),
        ("far more in", |r| r.decision.order.iter_mut().for_each(|o| o.amount_in = Amount::MAX)),
        ("a crumb", |r| r.decision.order.iter_mut().for_each(|o| o.amount_in = Amount::new(1).unwrap())),
        ("nothing in", |r| r.decision.order.iter_mut().for_each(|o| o.amount_in = Amount::ZERO)),
        ("other side", |r| {
            r.decision.order.iter_mut().for_each(|o| o.side = if o.side == Side::Buy { Side::Sell } else { Side::Buy });
        }),
        ("not halted", |r| r.decision.halted = false),
        ("halted", |r| r.decision.halted = true),
        ("off the grid", |r| r.observation.time_s += 1),
        ("poor", |r| (r.observation.quote, r.observation.base) = (Amount::ZERO, Amount::new(1).unwrap())),
        ("a fill", |r| r.observation.fill = Some(Fill { amount_out: Amount::MAX })),
        ("low fill", |r| r.observation.fill.iter_mut().for_each(|f| f.amount_out = Amount::new(f.amount_out.raw() / 2).unwrap())),
    ];
    let mut seen = BTreeSet::new();
    for seed in 0..3 {
        let records = run(seed, 40);
        let forged = |forge: &fn(&mut Record)| {
            let mut forged = records.clone();
            forged.iter_mut().skip(2).step_by(3).for_each(forge);
            log_of(seed, &forged)
        };
        let logs: Vec<String> = forgeries.iter().map(|(_, forge)| forged(forge)).collect();
        let Some((_, python)) = checked(&logs, false) else { return };
        for (((name, _), log), python) in forgeries.iter().zip(&logs).zip(python) {
            let rust = found(log, seed);
            assert_eq!(python, rust, "seed {seed}, {name}");
            assert_eq!(rust.is_empty(), *name == "nothing", "seed {seed}, {name}");
            seen.extend(rust.into_iter().map(|(_, code)| code));
        }
    }
    let expected = ["fill_below_limit", "fill_without_order", "halt_mismatch", "order_limit", "time_off_grid"];
    assert!(expected.iter().all(|code| seen.contains(*code)), "{seen:?}");
}
