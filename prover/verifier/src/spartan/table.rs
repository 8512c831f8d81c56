//! The multilinear polynomial that equals one at a vertex of the cube, at all vertices.

use ff::PrimeField;
use rayon::prelude::*;

/// `scale · eq(point, v)` for each vertex v, whose first coordinate is the highest bit of its number: 2^n values for n coordinates.
pub(super) fn table<F: PrimeField>(scale: F, point: &[F]) -> Vec<F> {
    let (high, low) = point.split_at(point.len() / 2);
    let (high, low) = (doubled(scale, high), doubled(F::ONE, low));
    high.par_iter().with_min_len(16).flat_map_iter(|h| low.iter().map(move |l| *h * l)).collect()
}

fn doubled<F: PrimeField>(scale: F, point: &[F]) -> Vec<F> {
    let mut values = vec![scale];
    for r in point {
        values = values
            .iter()
            .flat_map(|v| {
                let one = *v * r;
                [*v - one, one]
            })
            .collect();
    }
    values
}
