//! S4: the integer network.

use crate::{Model, ModelShape};

/// Largest hidden activation.
pub const ACTIVATION_MAX: i32 = 127;
/// Largest absolute bias.
pub const BIAS_LIMIT: i32 = (1 << 22) - 1;

/// Runs the network on scaled features; the outputs are raw accumulators, |o| below 2^23.
///
/// Accumulators: at most 128 inputs of at most 127 by weights of at most 128 plus a bias, below 2^21 + 2^22 < 2^23, so
/// exact in i32 and in f32.
#[must_use]
pub fn forward(shape: &ModelShape, model: &Model, input: &[i32]) -> Vec<i32> {
    let (mut weights, mut biases) = (model.weights.as_slice(), model.biases.as_slice());
    let mut activations = input.to_vec();
    for (layer, width) in shape.dims.iter().skip(1).enumerate() {
        let mut next = Vec::with_capacity(usize::from(*width));
        for _ in 0..*width {
            let (row, rest) = weights.split_at(activations.len().min(weights.len()));
            weights = rest;
            let (bias, rest) = biases.split_first().map_or((0, biases), |(b, r)| (*b, r));
            biases = rest;
            let acc = row.iter().zip(&activations).fold(bias, |acc, (w, a)| acc + i32::from(*w) * a);
            next.push(match shape.shifts.get(layer) {
                Some(shift) => rescale(acc, u32::from(*shift)),
                None => acc,
            });
        }
        activations = next;
    }
    activations
}

/// clamp(floor((acc + 2^(s−1)) / 2^s), 0, 127): ReLU with rounding half up.
fn rescale(acc: i32, shift: u32) -> i32 {
    ((acc + (1 << (shift - 1))) >> shift).clamp(0, ACTIVATION_MAX)
}
