//! Times, units and memory.

use ff::Field;
use nova_snark::provider::Bn256EngineIPA;
use nova_snark::traits::Engine;
use nova_snark::traits::commitment::CommitmentEngineTrait;
use probity_verifier::Scalar;
use rand_core::OsRng;
use std::hint::black_box;
use std::time::Instant;

type Commitments = <Bn256EngineIPA as Engine>::CE;

/// The unit: one commitment to 2^16 random elements as the proof library computes it, whatever the engines measured do.
pub(crate) struct Unit {
    key: <Commitments as CommitmentEngineTrait<Bn256EngineIPA>>::CommitmentKey,
    vector: Vec<Scalar>,
    seen: Vec<f64>,
}

impl Unit {
    pub(crate) fn new() -> Self {
        let key = Commitments::setup(b"unit", 1 << 16).unwrap();
        Self { key, vector: (0..1 << 16).map(|_| Scalar::random(OsRng)).collect(), seen: Vec::new() }
    }

    /// Seconds of one unit, now.
    pub(crate) fn now(&mut self) -> f64 {
        let (_, seconds) = timed(|| black_box(Commitments::commit(&self.key, &self.vector, &Scalar::ZERO)));
        self.seen.push(seconds);
        seconds
    }

    /// Runs the work between two units: its result, its seconds, its units.
    pub(crate) fn around<T>(&mut self, work: impl FnOnce() -> T) -> (T, f64, f64) {
        let before = self.now();
        let (out, seconds) = timed(work);
        let after = self.now();
        (out, seconds, seconds * 2.0 / (before + after))
    }

    pub(crate) fn median_s(&self) -> f64 {
        median(&self.seen)
    }
}

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let out = work();
    (out, started.elapsed().as_secs_f64())
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// User and system time of all threads, s; zero elsewhere than on Linux.
pub(crate) fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Peak resident memory of this process, MB; zero elsewhere than on Linux.
pub(crate) fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1_000.0
}
