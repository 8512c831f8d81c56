//! S4: the integer network.

use crate::{FEATURES, Inputs, Model, ModelShape, Signal, memory};

/// Largest hidden activation.
pub const ACTIVATION_MAX: i32 = 127;
/// Largest absolute bias.
pub const BIAS_LIMIT: i32 = (1 << 19) - 1;

/// Runs the network, its memory first; the outputs are raw accumulators, |o| below 2^22.
///
/// Accumulators: at most 128 inputs of at most 127 by weights of at most 128 plus a bias, below 2^21 + 2^19 < 2^22, so
/// exact in i32 and in f32.
#[must_use]
pub fn forward(shape: &ModelShape, model: &Model, inputs: &Inputs) -> Signal {
    let memory = memory::remember(shape, model, &inputs.features, &inputs.memory);
    let (mut weights, mut biases) = dense(shape, model);
    let mut activations: Vec<i32> = inputs.features.iter().copied().chain(memory.iter().map(|m| i32::from(*m))).collect();
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
    let mut outputs = [0; 3];
    outputs.iter_mut().zip(activations).for_each(|(o, v)| *o = v);
    Signal { outputs, memory }
}

/// Weights and biases of the dense layers.
fn dense<'a>(shape: &ModelShape, model: &'a Model) -> (&'a [i8], &'a [i32]) {
    let (rows, width) = (2 * shape.units(), FEATURES + shape.units());
    (model.weights.get(rows * width..).unwrap_or(&[]), model.biases.get(rows..).unwrap_or(&[]))
}

/// The widest layer a mandate allows.
const WIDEST: usize = 128;

/// The dense layers for a shape that a mandate allows, features within −128 … 127 and the memory after the step, without touching the heap.
///
/// By the bound above nothing can overflow, so the sums are free to be taken in any order and without checks; a property
/// test holds this and [`forward`] together.
pub(crate) fn outputs(shape: &ModelShape, model: &Model, features: &[i32; FEATURES], memory: &[i8]) -> [i32; 3] {
    let (mut weights, mut biases) = dense(shape, model);
    let (mut now, mut next) = ([0i16; WIDEST], [0i16; WIDEST]);
    for (a, v) in now.iter_mut().zip(features) {
        *a = i16::try_from(*v).unwrap_or(0);
    }
    for (a, v) in now.iter_mut().skip(FEATURES).zip(memory) {
        *a = i16::from(*v);
    }
    let (mut width, mut out) = (FEATURES + memory.len(), [0; 3]);
    for (layer, to) in shape.dims.iter().skip(1).enumerate() {
        let to = usize::from(*to);
        let shift = shape.shifts.get(layer).map(|s| u32::from(*s));
        let seen = now.get(..width).unwrap_or(&now);
        for i in 0..to {
            let (row, rest) = weights.split_at(width.min(weights.len()));
            weights = rest;
            let (bias, rest) = biases.split_first().map_or((0, biases), |(b, r)| (*b, r));
            biases = rest;
            let acc = bias.wrapping_add(dot(row, seen));
            match shift {
                // At most 127, so it fits.
                Some(shift) => {
                    if let Some(y) = next.get_mut(i) {
                        *y = i16::try_from(rescale(acc, shift)).unwrap_or(0);
                    }
                }
                None => {
                    if let Some(o) = out.get_mut(i) {
                        *o = acc;
                    }
                }
            }
        }
        std::mem::swap(&mut now, &mut next);
        width = to.min(WIDEST);
    }
    out
}

/// The sum of products, sixteen at a time.
fn dot(weights: &[i8], values: &[i16]) -> i32 {
    let sum = |w: &[i8], v: &[i16]| w.iter().zip(v).fold(0i32, |acc, (w, v)| acc.wrapping_add(i32::from(*w).wrapping_mul(i32::from(*v))));
    let ((blocks, rest), (others, end)) = (weights.as_chunks::<16>(), values.as_chunks::<16>());
    blocks.iter().zip(others).fold(sum(rest, end), |acc, (w, v)| acc.wrapping_add(sum(w, v)))
}

/// clamp(floor((acc + 2^(s−1)) / 2^s), 0, 127): ReLU with rounding half up.
fn rescale(acc: i32, shift: u32) -> i32 {
    ((acc + (1 << (shift - 1))) >> shift).clamp(0, ACTIVATION_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PolicyParams, Recurrent};
    use proptest::prelude::*;

    fn any_model() -> impl Strategy<Value = (ModelShape, Model)> {
        let recurrent = (1u16..=32, 1u8..=12, 1u8..=12).prop_map(|(units, gate_shift, candidate_shift)| ModelShape {
            dims: vec![16 + units, 9, 3],
            shifts: vec![7],
            recurrent: Some(Recurrent { units, gate_shift, candidate_shift }),
        });
        let shape = prop_oneof![
            Just(ModelShape::default()),
            Just(ModelShape { dims: vec![16, 3], shifts: vec![], recurrent: None }),
            (1u16..=128, 1u8..=16).prop_map(|(d, s)| ModelShape { dims: vec![16, d, 3], shifts: vec![s], recurrent: None }),
            (1u16..=128, 1u16..=128, 1u16..=128, 1u8..=16).prop_map(|(a, b, c, s)| ModelShape {
                dims: vec![16, a, b, c, 3],
                shifts: vec![s, 1, 16],
                recurrent: None
            }),
            recurrent,
        ];
        shape.prop_flat_map(|shape| {
            let weight = prop_oneof![Just(-128i8), Just(127i8), any::<i8>()];
            let bias = prop_oneof![Just(-BIAS_LIMIT), Just(BIAS_LIMIT), -BIAS_LIMIT..=BIAS_LIMIT, -2_000i32..=2_000];
            let policy = PolicyParams { gain: 1, band_gain: 0, band_bps: 0, max_step_bps: 1, cooldown_steps: 0 };
            (prop::collection::vec(weight, shape.weights()), prop::collection::vec(bias, shape.biases())).prop_map(
                move |(weights, biases)| (shape.clone(), Model { scales: [1; FEATURES], weights, biases, policy: policy.clone() }),
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn the_quick_way_is_the_same(
            (shape, model) in any_model(),
            features in prop::array::uniform16(prop_oneof![Just(-128), Just(127), -128i32..=127]),
            memory in prop::collection::vec(any::<i8>(), 32),
        ) {
            let inputs = Inputs { features, memory: memory.into_iter().take(shape.units()).collect() };
            let signal = forward(&shape, &model, &inputs);
            prop_assert_eq!(signal.memory.len(), shape.units());
            prop_assert_eq!(outputs(&shape, &model, &features, &signal.memory), signal.outputs);
        }
    }
}
