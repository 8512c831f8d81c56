//! The layout planner: what each number of decisions a fold costs in proving time, latency, bytes and gas, and which one to take.
//!
//! Constraints are exact: the circuit itself is counted. Times are estimates by a law: in units, where one unit is one commitment
//! to 2^16 random field elements by `probity-curve` on this machine, a fold costs `a·constraints + b` and compressing `c·rows + d`
//! with `rows` the power of two above the circuit. The coefficients were fitted with `prover/examples/law.rs` on a busy machine: for
//! the pairing engine at 1, 4 and 16 decisions a fold (31,915, 49,177 and 118,225 constraints; folds of 1.05, 1.48 and 2.76 units,
//! compressing 13.1, 14.1 and 24.5, 12,294, 12,542 and 12,790 bytes; the worst residuals are 4 and 13 %), for the transparent one at
//! 1 and 4 (1.09 and 1.41, 29.4 and 48.7 units, 13,558 and 13,934 bytes).
//! Gas is what a post of the proof's bytes costs by the protocol's rules; executing is not in it.

use ff::Field;
use nova_snark::provider::traits::{DlogGroup, DlogGroupExt};
use probity_curve::{Bn256Affine, Bn256Point};
use probity_strategy::{ModelShape, ProofEngine};
use probity_verifier::{CircuitSize, KeysError, Scalar};
use rand_core::OsRng;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Elements of one unit.
const UNIT: usize = 1 << 16;
/// Times a unit is measured; the median counts.
const UNIT_RUNS: usize = 5;
/// Gas of a transaction before its data.
const GAS_BASE: u64 = 21_000;
/// Gas of one byte of data that is not zero; bytes of a proof hardly ever are.
const GAS_BYTE: u64 = 16;
/// Gas of one such byte where the floor on data applies (EIP-7623): then the transaction costs no less than this.
const GAS_BYTE_FLOOR: u64 = 40;

/// One unit, measured on this machine.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Unit {
    /// Milliseconds of one commitment to 2^16 random field elements.
    pub ms: f64,
}

impl Unit {
    /// Measures it: a second or so.
    #[must_use]
    pub fn measure() -> Self {
        // Which points they are does not matter for the time: multiples of the generator are cheap to make.
        let generator = Bn256Point::r#gen();
        let mut point = generator;
        let bases: Vec<Bn256Affine> = (0..UNIT)
            .map(|_| {
                point += generator;
                point.affine()
            })
            .collect();
        let scalars: Vec<Scalar> = (0..UNIT).map(|_| Scalar::random(OsRng)).collect();
        let mut times: Vec<Duration> = (0..UNIT_RUNS)
            .map(|_| {
                let started = Instant::now();
                std::hint::black_box(Bn256Point::vartime_multiscalar_mul(&scalars, &bases));
                started.elapsed()
            })
            .collect();
        times.sort();
        Self { ms: times.get(UNIT_RUNS / 2).map_or(0.0, Duration::as_secs_f64) * 1_000.0 }
    }
}

/// The cost law of one engine, in units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Law {
    /// Units of a fold for each 1,000 constraints.
    pub fold_per_1000_constraints: f64,
    /// Units of a fold besides.
    pub fold_base: f64,
    /// Units of compressing for each 1,000 rows.
    pub compress_per_1000_rows: f64,
    /// Units of compressing besides.
    pub compress_base: f64,
    /// Bytes of a proof for each doubling of the rows.
    pub proof_bytes_per_doubling: u64,
    /// Bytes of a proof at 2^16 rows.
    pub proof_bytes_at_2_16: u64,
}

impl Law {
    /// The law of an engine, as fitted.
    #[must_use]
    pub const fn of(engine: ProofEngine) -> Self {
        match engine {
            ProofEngine::Transparent => Self {
                fold_per_1000_constraints: 0.0185,
                fold_base: 0.503,
                compress_per_1000_rows: 0.587,
                compress_base: 10.2,
                proof_bytes_per_doubling: 376,
                proof_bytes_at_2_16: 13_934,
            },
            ProofEngine::Pairing => Self {
                fold_per_1000_constraints: 0.0195,
                fold_base: 0.468,
                compress_per_1000_rows: 0.122,
                compress_base: 7.88,
                proof_bytes_per_doubling: 248,
                proof_bytes_at_2_16: 12_542,
            },
        }
    }
}

/// What one number of decisions a fold costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layout {
    /// Most decisions in one fold.
    pub decisions_per_fold: u16,
    /// Constraints of the fold's circuit, exact.
    pub constraints: usize,
    /// Power of two of the commitment key: of a powers-of-tau file, for the pairing engine.
    pub power: u32,
    /// One fold, ms, by the law.
    pub fold_ms: f64,
    /// One decision's share of a full fold, ms.
    pub fold_ms_per_decision: f64,
    /// Compressing, s, by the law.
    pub compress_s: f64,
    /// From a decision that opens a fold to the proof of it: the other decisions' intervals, the fold, compressing.
    pub latency_s: f64,
    /// Bytes of the proof, by the law.
    pub proof_bytes: u64,
    /// Gas of posting its bytes: base and 16 a byte, or the floor of EIP-7623 (40 a byte) where that is more.
    pub post_gas: u64,
    /// The same where there is no floor.
    pub post_gas_without_floor: u64,
    /// One decision's share of a post after every fold.
    pub post_gas_per_decision: u64,
    /// Whether folding alone keeps up with one decision every interval.
    pub keeps_up: bool,
}

impl Layout {
    /// The layout of one circuit.
    #[must_use]
    pub fn of(decisions_per_fold: u16, size: CircuitSize, law: &Law, unit: Unit, interval_s: u32) -> Self {
        let number = |n: usize| u32::try_from(n).map_or(f64::from(u32::MAX), f64::from);
        let rows = size.constraints.max(size.variables).next_power_of_two();
        let fold_ms = unit.ms * (law.fold_per_1000_constraints * number(size.constraints) / 1_000.0 + law.fold_base);
        let compress_s = unit.ms / 1_000.0 * (law.compress_per_1000_rows * number(rows) / 1_000.0 + law.compress_base);
        let b = f64::from(decisions_per_fold.max(1));
        let doublings = i64::from(rows.ilog2()) - 16;
        let proof_bytes = law
            .proof_bytes_at_2_16
            .saturating_add_signed(doublings.saturating_mul(i64::try_from(law.proof_bytes_per_doubling).unwrap_or(i64::MAX)));
        let intrinsic = GAS_BASE.saturating_add(GAS_BYTE.saturating_mul(proof_bytes));
        let floor = GAS_BASE.saturating_add(GAS_BYTE_FLOOR.saturating_mul(proof_bytes));
        Self {
            decisions_per_fold,
            constraints: size.constraints,
            power: size.powers.ilog2(),
            fold_ms,
            fold_ms_per_decision: fold_ms / b,
            compress_s,
            latency_s: (b - 1.0) * f64::from(interval_s) + fold_ms / 1_000.0 + compress_s,
            proof_bytes,
            post_gas: intrinsic.max(floor),
            post_gas_without_floor: intrinsic,
            post_gas_per_decision: intrinsic.max(floor) / u64::from(decisions_per_fold.max(1)),
            keeps_up: fold_ms / b < f64::from(interval_s) * 1_000.0,
        }
    }
}

/// The layouts of these numbers of decisions a fold, in their order. Every circuit is synthesised: seconds of work for large ones.
pub fn plan(shape: &ModelShape, candidates: &[u16], law: &Law, unit: Unit, interval_s: u32) -> Result<Vec<Layout>, KeysError> {
    candidates.iter().map(|b| Ok(Layout::of(*b, CircuitSize::of(shape, *b)?, law, unit, interval_s))).collect()
}

/// The layout with the least proving a decision among those that keep up and prove within `max_latency_s`.
#[must_use]
pub fn cheapest(layouts: &[Layout], max_latency_s: Option<f64>) -> Option<&Layout> {
    let fits = |l: &&Layout| l.keeps_up && max_latency_s.is_none_or(|most| l.latency_s <= most);
    layouts.iter().filter(fits).min_by(|a, b| a.fold_ms_per_decision.total_cmp(&b.fold_ms_per_decision))
}
