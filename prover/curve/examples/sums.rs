//! What sums of multiples cost here and in the proof library, in one run, interleaved: `cargo run --release -p probity-curve --example sums`.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use ff::Field;
use halo2curves::bn256::{Fr, G1, G1Affine};
use nova_snark::provider::traits::{DlogGroup, DlogGroupExt};
use probity_curve::{Bn256Affine, Bn256Point};
use rand_core::OsRng;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let points = G1::from_label(b"sums", 1 << 17);
    let ours: Vec<Bn256Affine> = points.iter().map(|p| (*p).into()).collect();
    println!("{:>8} {:>14} {:>14} {:>7}   {:>14} {:>14}", "points", "library, ms", "here, ms", "ratio", "bits: library", "here");
    for log in [1_u32, 3, 5, 6, 8, 10, 12, 14, 16, 17] {
        let points = (&points[..1 << log], &ours[..1 << log]);
        let scalars: Vec<Fr> = points.0.iter().map(|_| Fr::random(OsRng)).collect();
        let bits: Vec<u64> = (0..1 << log).map(|i: u64| i.wrapping_mul(7919) % 2).collect();
        let library = G1::vartime_multiscalar_mul(&scalars, points.0).affine();
        assert_eq!(Bn256Point::vartime_multiscalar_mul(&scalars, points.1).affine(), library.into());
        let [library, here] = medians(points, log, G1::vartime_multiscalar_mul, Bn256Point::vartime_multiscalar_mul, &scalars);
        let [bits_library, bits_here] =
            medians(points, log, G1::vartime_multiscalar_mul_small, Bn256Point::vartime_multiscalar_mul_small, &bits);
        println!("{:>8} {library:>14.3} {here:>14.3} {:>7.2}   {bits_library:>14.3} {bits_here:>14.3}", 1_u32 << log, library / here);
    }
}

fn medians<S, A, B>(
    points: (&[G1Affine], &[Bn256Affine]),
    log: u32,
    library: fn(&[S], &[G1Affine]) -> A,
    here: fn(&[S], &[Bn256Affine]) -> B,
    scalars: &[S],
) -> [f64; 2] {
    let rounds = if log < 12 { 51 } else { 9 };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let started = Instant::now();
        black_box(library(scalars, points.0));
        times[0].push(started.elapsed());
        let started = Instant::now();
        black_box(here(scalars, points.1));
        times[1].push(started.elapsed());
    }
    times.map(|mut times| {
        times.sort();
        times[rounds / 2].as_secs_f64() * 1e3
    })
}
