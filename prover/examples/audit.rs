//! What an audit costs: the figures of the audit in `docs/performance.md`.
//!
//! `cargo run --release -p probity-prover --example audit -- --verifier target/release/probity-verify --out target/figures/audit.json`
//! (`make figures-audit`). Proves 1,000 decisions of a made-up market on the default network, writes that log and one of 100,000
//! decisions that begins with it, and runs the given `probity-verify` over both, as an auditor would. The proof covers the first
//! 1,000 decisions of both: what a proof costs to check does not depend on how many it covers, what a log costs does.
//! Logs and proof stay beside the figures, in `audit/`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod common;

use probity_prover::{Params, Session};
use probity_strategy::{Engine, ModelShape, State};
use probity_verifier::{Evidence, LogReader, audit};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Decisions a fold of the measured proof holds.
const PER_FOLD: u16 = 4;
const PROVEN: u32 = 1_000;
const LONG: u32 = 100_000;

/// One run of the verifier: milliseconds by the clock, and its peak of resident memory in MB (Linux; zero elsewhere).
fn verify(program: &str, log: &Path, proof: &Path) -> (u128, f64) {
    let start = Instant::now();
    let mut child =
        Command::new(program).arg("--log").arg(log).arg("--proof").arg(proof).arg("--json").stdout(Stdio::null()).spawn().unwrap();
    let mut peak = 0.0f64;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(line.unwrap_or(0.0) / 1_024.0);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{program}: {status}");
    (start.elapsed().as_millis(), peak)
}

/// Best and median of five rounds, in items a second.
fn rate(items: u32, mut work: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    f64::from(items) / seconds[2]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options: BTreeMap<&str, &str> = words.chunks(2).filter_map(|p| Some((p.first()?.as_str(), p.get(1)?.as_str()))).collect();
    let verifier = options.get("--verifier").copied().unwrap_or("target/release/probity-verify");
    let out = Path::new(options.get("--out").copied().unwrap_or("target/figures/audit.json"));
    let folder = out.with_extension("");
    std::fs::create_dir_all(&folder).unwrap();

    let mandate = common::mandate(ModelShape::default(), PER_FOLD);
    let model = common::model(&mandate.model, 3);
    let seen = common::observations(&mandate, &model, LONG);
    let params = Arc::new(Params::for_mandate(&mandate).unwrap());
    let mut session = Session::start(params.clone(), mandate.clone(), model.clone(), common::salt()).unwrap();
    let first = &seen[..usize::try_from(PROVEN).unwrap()];
    for some in first.chunks(usize::from(PER_FOLD)) {
        session.fold(some).unwrap();
    }
    let bytes = session.compress().unwrap();
    let (log, long, proof) = (folder.join("decisions.jsonl"), folder.join("long.jsonl"), folder.join("proof.bin"));
    std::fs::write(&proof, &bytes).unwrap();
    let engine = Engine::new(mandate.clone(), model).unwrap();
    let mut state = State::genesis(&mandate);
    let mut records = Vec::new();
    for observation in &seen {
        let step = engine.step(&state, observation);
        state = step.next_state;
        records.push(step.record);
    }
    for (path, count, seal) in [(&log, PROVEN, true), (&long, LONG, false)] {
        drop(std::fs::remove_file(path));
        common::write_log(path, &mandate, &session, &records[..usize::try_from(count).unwrap()], seal);
    }

    let open = |path: &Path| BufReader::with_capacity(1 << 16, File::open(path).unwrap());
    let reading = rate(LONG, || {
        let mut reader = LogReader::new(open(&long)).unwrap();
        let mut count = 0;
        while reader.next_line().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, LONG);
    });
    let checking = rate(LONG, || {
        let report = audit(open(&long), Evidence::default(), |_| unreachable!("no proof, no keys"));
        assert_eq!(report.coverage.decisions, LONG);
    });
    let start = Instant::now();
    let keys = probity_verifier::Keys::for_mandate(&mandate).unwrap();
    let keys_ms = start.elapsed().as_millis();
    let commitment = session.commitment();
    let start = Instant::now();
    probity_verifier::verify(&bytes, &keys, &mandate, &commitment).unwrap();
    let proof_ms = start.elapsed().as_millis();

    let mut short: Vec<(u128, f64)> = (0..3).map(|_| verify(verifier, &log, &proof)).collect();
    short.sort_by_key(|(ms, _)| *ms);
    let (long_ms, rss) = verify(verifier, &long, &proof);
    let tree = Command::new("cargo")
        .args(["tree", "-p", "probity-verifier", "-e", "normal", "--prefix", "none", "--format", "{p}"])
        .output()
        .unwrap();
    let mut names: Vec<String> = String::from_utf8_lossy(&tree.stdout)
        .lines()
        .filter_map(|l| {
            let mut words = l.split_whitespace();
            Some(format!("{} {}", words.next()?, words.next()?))
        })
        .collect();
    names.sort();
    names.dedup();
    let size = std::fs::metadata(verifier).unwrap().len();
    let figures = serde_json::json!({
        "verify_binary_mb": f64::from(u32::try_from(size).unwrap()) / 1e6,
        "verify_deps": names.len() - 1,
        "verify_ms_1000": short[1].0,
        "verify_ms_100000": long_ms,
        "verifier_rss_mb": rss.max(short[1].1),
        "verifier_rss_mb_1000": short[1].1,
        "read_records_per_s": reading,
        "check_records_per_s": checking,
        "derive_keys_ms": keys_ms,
        "verify_proof_ms": proof_ms,
        "proof_bytes": bytes.len(),
        "log_bytes_100000": std::fs::metadata(&long).unwrap().len(),
        "decisions_proven_in_both": PROVEN,
        "decisions_per_fold": PER_FOLD,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "deps": names,
    });
    let text = serde_json::to_string_pretty(&figures).unwrap();
    std::fs::write(out, format!("{text}\n")).unwrap();
    println!("{text}");
}
