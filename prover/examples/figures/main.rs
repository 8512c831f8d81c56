//! What proving a decision costs on this machine: `target/figures/prover.json`, the figures of `docs/performance.md`.
//!
//! `make figures-prover`. Every time is given in seconds and in *units*: one unit is one commitment (BN254, 2^16 random field elements) made
//! in the same run, right before or after. Each case runs in a process of its own, so that its peak memory is its own. The pairing engine
//! runs on powers of a tau that everybody knows, written here.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a measuring program")]

#[path = "../../tests/common/mod.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod common;
#[path = "../../verifier/tests/ptau/mod.rs"]
mod writer;

mod case;
mod clock;

use case::Case;
use probity_strategy::{ModelShape, ProofEngine};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Runs one case in a process of its own.
fn alone(case: &Case, proof: &Path) -> Value {
    eprintln!("{case:?} …");
    let word = serde_json::to_string(case).unwrap();
    let run = |role: &str| {
        let out =
            Command::new(std::env::current_exe().unwrap()).args([role, &word]).arg(proof).stderr(std::process::Stdio::inherit()).output();
        let out = out.unwrap();
        assert!(out.status.success(), "{role} {word}: {}", out.status);
        serde_json::from_slice::<Value>(&out.stdout).unwrap()
    };
    let mut figures = run("prove");
    for role in ["verify", "load"] {
        figures.as_object_mut().unwrap().extend(run(role).as_object().unwrap().clone());
    }
    figures
}

/// The figures of one engine under the names that the tables use.
fn engine(engine: ProofEngine, folder: &Path) -> Value {
    let case = |shape: &[u16], per_fold: u16, decisions: u32| Case {
        pairing: engine == ProofEngine::Pairing,
        shape: ModelShape { dims: shape.to_vec(), shifts: vec![7; shape.len() - 2], recurrent: None },
        per_fold,
        decisions,
    };
    let small = [16, 32, 16, 3];
    let one = alone(&case(&small, 1, 12), &folder.join("one"));
    let four = alone(&case(&small, 4, 48), &folder.join("four"));
    let sixteen = alone(&case(&small, 16, 160), &folder.join("sixteen"));
    let ten = alone(&case(&small, 1, 10), &folder.join("ten"));
    let thousand = alone(&case(&small, 1, 1_000), &folder.join("thousand"));
    let each = |v: &Value, key: &str, n: f64| v[key].as_f64().unwrap() / n;
    let mut figures = json!({
        "constraints_b1": one["constraints"], "constraints_b16": sixteen["constraints"], "powers_b1": one["powers"],
        "fold_ms_b1": one["fold_ms"], "fold_units_b1": one["fold_units"], "fold_over_msm": one["fold_over_msm"],
        "fold_over_msm_b16": sixteen["fold_over_msm"], "msm_ms_b1": one["msm_ms"],
        "fold_ms_per_decision_b16": each(&sixteen, "fold_ms", 16.0), "fold_units_per_decision_b16": each(&sixteen, "fold_units", 16.0),
        "fold_ms_b4": four["fold_ms"], "fold_units_per_decision_b4": each(&four, "fold_units", 4.0), "compress_s_b4": four["compress_s"],
        "witness_ms_b1": one["witness_ms"], "witness_ms_b16": sixteen["witness_ms"],
        "compress_s": one["compress_s"], "compress_units": one["compress_units"], "compress_cpu_s": one["compress_cpu_s"],
        "compress_s_b16": sixteen["compress_s"],
        "verify_ms": one["verify_ms"], "verify_units": one["verify_units"],
        "proof_bytes_b1": one["proof_bytes"], "proof_bytes_n10": ten["proof_bytes"], "proof_bytes_n1000": thousand["proof_bytes"],
        "proof_bytes_b4": four["proof_bytes"], "proof_bytes_b16": sixteen["proof_bytes"],
        "prover_rss_mb": one["prover_rss_mb"], "prover_rss_mb_b16": sixteen["prover_rss_mb"], "verifier_rss_mb": one["verifier_rss_mb"],
        "params_load_s": one["params_load_s"], "params_load_s_b16": sixteen["params_load_s"],
        "params_make_s": one["params_make_s"], "params_make_s_b16": sixteen["params_make_s"],
        "unit_ms": one["unit_ms"],
    });
    // The large network takes minutes: for the engine that the targets are for.
    if engine == ProofEngine::Pairing {
        let large = alone(&case(&[16, 64, 128, 64, 3], 64, 256), &folder.join("large"));
        figures["fold_units_per_decision_large"] = json!(each(&large, "fold_units", 64.0));
        figures["large"] = json!({
            "dims": [16, 64, 128, 64, 3], "per_fold": 64, "constraints": large["constraints"], "fold_ms": large["fold_ms"],
            "compress_s": large["compress_s"], "prover_rss_mb": large["prover_rss_mb"], "proof_bytes": large["proof_bytes"],
        });
    }
    figures
}

/// Adds the peer's time, if its script has run, and our share of it.
fn beside_ezkl(figures: &mut Value, file: &Path) {
    let Ok(text) = std::fs::read_to_string(file) else {
        eprintln!("{}: not there; `make figures-ezkl` makes it", file.display());
        return;
    };
    let peer: Value = serde_json::from_str(&text).unwrap();
    let Some(seconds) = peer["ezkl_s"].as_f64() else { return };
    let ours = figures["fold_ms_per_decision_b16"].as_f64().unwrap() / 1_000.0 + figures["compress_s_b16"].as_f64().unwrap() / 1_000.0;
    figures["ezkl_s"] = json!(seconds);
    figures["ours_amortised_s"] = json!(ours);
    figures["ratio_vs_ezkl"] = json!(seconds / ours);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role, word, proof] = args.as_slice() {
        let case: Case = serde_json::from_str(word).unwrap();
        let value = match role.as_str() {
            "prove" => case.prove(Path::new(proof)),
            "verify" => case.verify(Path::new(proof)),
            "load" => case.load(),
            other => panic!("expected prove, verify or load, got {other}"),
        };
        println!("{value}");
        return;
    }
    let out = args.first().map_or("target/figures", String::as_str);
    std::fs::create_dir_all(out).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut figures = engine(ProofEngine::Pairing, folder.path());
    figures["transparent"] = engine(ProofEngine::Transparent, folder.path());
    beside_ezkl(&mut figures, &Path::new(out).join("ezkl.json"));
    let text = serde_json::to_string_pretty(&figures).unwrap();
    std::fs::write(Path::new(out).join("prover.json"), format!("{text}\n")).unwrap();
    println!("{text}");
}
