//! A long campaign of damaged bytes against every parser that an auditor feeds: `make fuzz MINUTES=10 SEED=1`.
//!
//! Starts from the public vectors and damages them ([`damage`]). Whatever comes, there must be a value or an error, and nothing damaged may be
//! accepted. It stops at the first panic, or at an input that takes longer than two seconds of processor time where no proof is verified,
//! and prints that input as hex with the seed. Memory is bounded from outside (`ulimit -v` in the Makefile): an allocation that an input only
//! claims aborts the program. It does not look at the paths that an input takes: it is a search without coverage.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a measuring program")]

mod damage;
mod targets;
#[path = "../../tests/ptau/mod.rs"]
mod writer;

use damage::damaged;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Longest an input may take where no proof is verified.
const SLOW_S: f64 = 2.0;

fn main() {
    let mut args = std::env::args().skip(1);
    let minutes: u64 = args.next().map_or(1, |a| a.parse().unwrap());
    let seed: u64 = args.next().map_or(1, |a| a.parse().unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let targets = targets::all();
    let whole: u64 = targets.iter().map(|t| t.weight).sum();
    let mut done = vec![(0u64, 0.0f64); targets.len()];
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(minutes * 60) {
        let mut pick = rng.next_u64() % whole;
        let index = targets
            .iter()
            .position(|t| {
                let hit = pick < t.weight;
                pick = pick.saturating_sub(t.weight);
                hit
            })
            .unwrap();
        let target = &targets[index];
        let bytes = damaged(&mut rng, &target.seeds);
        let before = cpu_s();
        let panicked = catch_unwind(AssertUnwindSafe(|| (target.feed)(&bytes))).is_err();
        let took = cpu_s() - before;
        done[index] = (done[index].0 + 1, done[index].1.max(took));
        if panicked || (!target.proves && took > SLOW_S) {
            let what = if panicked { "panic" } else { "slow" };
            println!("{what}: {} after {took:.2} CPU-s, seed {seed}: {}", target.name, hex::encode(&bytes));
            std::process::exit(1);
        }
    }
    println!("seed {seed}, {minutes} min: no panic, nothing slow, nothing damaged accepted");
    println!("{:<12} {:>10}  slowest, CPU-s", "parser", "inputs");
    for (target, (count, slowest)) in targets.iter().zip(&done) {
        println!("{:<12} {count:>10}  {slowest:.2}", target.name);
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("most memory: {}", status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default().trim());
    }
}

/// Processor seconds of this process, to a hundredth.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}
