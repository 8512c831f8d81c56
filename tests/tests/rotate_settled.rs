//! An armed vault over a change of weights, through the binary: the agent settles up to the announcement, up to the take-over, and beyond.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests of settling")]
mod settling;

use settling::{Run, said};

#[test]
fn a_settlement_ends_at_an_announcement_and_at_a_take_over() {
    // So many may wait that everything is settled at the end.
    let mut run = Run::new("deferred", 100, 1);
    run.env.push(("PROBITY__SAFETY__FOLD", "later".to_owned()));
    let killed = run.with(&run.decide_args("16"), &[("PROBITY_CRASH_AT", "settled:1")]);
    assert_eq!(killed.status.code(), None, "{}", said(&killed));
    // Sells where the first weights buy.
    let mut lean: serde_json::Value = serde_json::from_slice(&std::fs::read(&run.model).unwrap()).unwrap();
    lean["model"]["biases"] = serde_json::json!([0, 400_000, 0, -400_000]);
    let place = run.dir.parent().unwrap();
    let (model, opening, trials) = (place.join("lean.json"), place.join("lean.opening.json"), place.join("trials.jsonl"));
    std::fs::write(&model, lean.to_string()).unwrap();
    let path = |p: &std::path::Path| p.to_str().unwrap().to_owned();
    let args = ["commit", "--no-layout", "--model", &path(&model), "--opening", &path(&opening)];
    let out = run.with(&args, &[("PROBITY__TRIALS__PATH", &path(&trials))]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let out = run.with(&["rotate", "--dir", run.dir(), "--opening", &path(&opening)], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));

    let told = said(&run.decide("16"));
    let settled: Vec<&str> = told.lines().filter(|l| l.starts_with("settled decisions")).collect();
    assert_eq!(settled.len(), 3, "{told}");
    for (line, range) in settled.iter().zip(["0 … 1", "1 … 13", "13 … 16"]) {
        assert!(line.contains(range), "{line}");
    }
    let status = run.status();
    let s = &status["settlement"];
    assert_eq!((&s["proven"], &s["unproven"], &s["proven_head"]), (&16.into(), &0.into(), &status["head"]), "{status}");
    assert_eq!((&status["promise_matches"], &status["rotation_ahead"]), (&true.into(), &serde_json::Value::Null), "{status}");
    assert_ne!(status["commitment_in_force"], status["commitment"]);
}
