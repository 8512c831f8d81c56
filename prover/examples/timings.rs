//! What deriving, folding, compressing and verifying cost on this machine: the figures of `docs/performance.md`.
//!
//! `cargo run --release -p probity-prover --example timings -- [transparent | pairing] [decisions per fold]`. The pairing engine
//! runs on a powers-of-tau file with a tau that everybody knows, written here.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod common;
#[path = "../verifier/tests/ptau/mod.rs"]
mod writer;

use probity_prover::{Params, Session};
use probity_strategy::{ModelShape, ProofEngine};
use probity_verifier::{Keys, KeysError, ParamsSource, PtauError, Setup, verify};
use std::sync::Arc;
use std::time::Instant;

/// Runs the work and prints its time by the clock and, on Linux, by the processors.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (clock, cpu) = (Instant::now(), cpu_s());
    let out = work();
    println!("{what}: {:.2} s, {:.2} CPU-s", clock.elapsed().as_secs_f64(), cpu_s() - cpu);
    out
}

/// User and system time of all threads, in ticks of 10 ms; zero elsewhere than on Linux.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let mut args = std::env::args().skip(1);
    let pairing = args.next().is_some_and(|a| a == "pairing");
    let per_fold: u16 = args.next().map_or(4, |a| a.parse().unwrap());
    let mut mandate = common::mandate(ModelShape::default(), per_fold);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known.ptau");
    let source = if pairing {
        mandate.proof_engine = ProofEngine::Pairing;
        std::fs::write(&path, writer::Ptau::of(5, 4).bytes()).unwrap();
        let source = ParamsSource::insecure(&path, "measuring");
        let Err(KeysError::Ptau { source: PtauError::TooSmall { needed, .. }, .. }) = Keys::for_mandate_with(&mandate, &source) else {
            unreachable!("16 powers are too few")
        };
        println!("powers of tau: 2^{needed}");
        std::fs::write(&path, writer::Ptau::of(5, needed).bytes()).unwrap();
        source
    } else {
        ParamsSource::Transparent
    };
    let model = common::model(&mandate.model, 3);
    let setup = timed("parameters", || Setup::derive(&mandate.model, per_fold, mandate.proof_engine, &source).unwrap());
    println!("constraints: {:?}", setup.public().constraints());
    timed("both keys from them", || drop(setup.keys().unwrap()));
    drop(setup);
    let params = Arc::new(Params::for_mandate_with(&mandate, &source).unwrap());
    let mut session = Session::start(params.clone(), mandate.clone(), model.clone(), common::salt()).unwrap();
    let seen = common::observations(&mandate, &model, 4 * u32::from(per_fold));
    for some in seen.chunks(usize::from(per_fold)) {
        timed("fold", || session.fold(some).unwrap());
    }
    let proof = timed("compress with self-check", || session.compress().unwrap());
    println!("proof: {} bytes", proof.len());
    timed("verify", || verify(&proof, params.keys(), &mandate, &session.commitment()).unwrap());
}
