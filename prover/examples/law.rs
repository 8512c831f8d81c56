//! Fits the cost law of `prover/src/layout.rs` on this machine: folds, compressing and proof bytes at several decisions a fold, in
//! units that are measured between the folds.
//!
//! `cargo run --release -p probity-prover --example law -- [transparent | pairing] [decisions a fold …]`. The pairing engine runs on a
//! powers-of-tau file with a tau that everybody knows, written here.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod common;
#[path = "../verifier/tests/ptau/mod.rs"]
mod writer;

use probity_prover::{Params, Session, Unit};
use probity_strategy::{ModelShape, ProofEngine};
use probity_verifier::{CircuitSize, ParamsSource};
use std::sync::Arc;
use std::time::Instant;

/// Folds measured at each size.
const FOLDS: usize = 9;

struct Sample {
    constraints: f64,
    rows: f64,
    fold: f64,
    compress: f64,
    bytes: f64,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let pairing = args.next().is_some_and(|a| a == "pairing");
    let mut sizes: Vec<u16> = args.map(|a| a.parse().unwrap()).collect();
    if sizes.is_empty() {
        sizes = vec![1, 2, 4, 8, 16];
    }
    let samples: Vec<Sample> = sizes.iter().map(|b| sample(*b, pairing)).collect();
    let fit = |what: &str, x: fn(&Sample) -> f64, y: fn(&Sample) -> f64| {
        let (a, b) = line(&samples.iter().map(|s| (x(s), y(s))).collect::<Vec<_>>());
        let worst = samples.iter().map(|s| (a * x(s) + b) / y(s) - 1.0).fold(0.0, |w: f64, e| if e.abs() > w.abs() { e } else { w });
        println!("{what}: {a:.6} · x + {b:.4}, worst {:+.0} %", worst * 100.0);
    };
    fit("fold, units, x = 1,000 constraints", |s| s.constraints / 1_000.0, |s| s.fold);
    fit("compress, units, x = 1,000 rows", |s| s.rows / 1_000.0, |s| s.compress);
    fit("proof, bytes, x = doublings of the rows above 2^16", |s| s.rows.log2() - 16.0, |s| s.bytes);
}

fn sample(per_fold: u16, pairing: bool) -> Sample {
    let mut mandate = common::mandate(ModelShape::default(), per_fold);
    let size = CircuitSize::of(&mandate.model, per_fold).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known.ptau");
    let source = if pairing {
        mandate.proof_engine = ProofEngine::Pairing;
        std::fs::write(&path, writer::Ptau::of(5, size.powers.ilog2()).bytes()).unwrap();
        ParamsSource::insecure(&path, "measuring")
    } else {
        ParamsSource::Transparent
    };
    let timed = |what: &str| {
        let started = Instant::now();
        let params = Params::cached_for_mandate(folder.path(), &mandate, &source).unwrap();
        println!("parameters {what} (from the file: {}): {:.2} s", params.loaded(), started.elapsed().as_secs_f64());
        params
    };
    drop(timed("made"));
    let params = Arc::new(timed("again"));
    let model = common::model(&mandate.model, 3);
    let mut session = Session::start(params, mandate.clone(), model.clone(), common::salt()).unwrap();
    let seen = common::observations(&mandate, &model, u32::from(per_fold) * u32::try_from(FOLDS + 1).unwrap());
    let mut folds = Vec::new();
    for (index, some) in seen.chunks(usize::from(per_fold)).enumerate() {
        let unit = Unit::measure().ms;
        let started = Instant::now();
        session.fold(some).unwrap();
        // The first fold folds into nothing.
        if index > 0 {
            folds.push(started.elapsed().as_secs_f64() * 1_000.0 / unit);
        }
    }
    folds.sort_by(f64::total_cmp);
    let unit = Unit::measure().ms;
    let started = Instant::now();
    let proof = session.compress().unwrap();
    let compress = started.elapsed().as_secs_f64() * 1_000.0 / ((unit + Unit::measure().ms) / 2.0);
    let number = |n: usize| f64::from(u32::try_from(n).unwrap());
    let rows = size.constraints.max(size.variables).next_power_of_two();
    println!(
        "B = {per_fold}: {} constraints, 2^{} rows, fold {:.3} units, compress {compress:.2} units, {} bytes; unit {unit:.0} ms",
        size.constraints,
        rows.ilog2(),
        folds[folds.len() / 2],
        proof.len()
    );
    Sample { constraints: number(size.constraints), rows: number(rows), fold: folds[folds.len() / 2], compress, bytes: number(proof.len()) }
}

/// Least squares.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = f64::from(u32::try_from(points.len()).unwrap());
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (sxy, sxx) = points.iter().fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + (x - mx) * (y - my), xx + (x - mx) * (x - mx)));
    let a = if sxx > 0.0 { sxy / sxx } else { 0.0 };
    (a, my - a * mx)
}
