//! S4: the memory of a recurrent model. A gated unit with one gate (after Zhou et al., "Minimal gated unit for recurrent neural
//! networks", 2016), in integers: each cell moves towards a candidate by the share that its gate lets through.

use crate::{FEATURES, Model, ModelShape};
use serde::{Deserialize, Serialize};

/// The share of a gate that is open altogether.
pub const GATE_OPEN: i32 = 256;
/// Most cells of a memory.
pub const MEMORY_MAX: u16 = 32;

/// The public shape of a recurrent part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    /// Cells of memory, 1 … 32; the dense layers see them behind the features.
    pub units: u16,
    /// Rescale shift of the gates, 1 … 12.
    pub gate_shift: u8,
    /// Rescale shift of the candidates, 1 … 12.
    pub candidate_shift: u8,
}

impl Recurrent {
    /// An absent part is left out; `null` is no part.
    pub(crate) fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize(d).map(Some)
    }
}

/// The memory after a step with these features, of a model that has one.
///
/// The first 2·units rows of the weights are its own: a row a gate, then a row a candidate, over features and memory. An
/// accumulator has at most 48 terms of at most 128 by 128 and a bias: below 2^21. A cell stays within −128 … 127: it moves from
/// where it is towards a candidate within the same bounds, and never past it.
#[must_use]
pub fn remember(shape: &ModelShape, model: &Model, features: &[i32; FEATURES], memory: &[i8]) -> Vec<i8> {
    let Some(part) = shape.recurrent else { return Vec::new() };
    let units = usize::from(part.units);
    let cell = |i: usize| memory.get(i).copied().map_or(0, i32::from);
    let input: Vec<i32> = features.iter().copied().chain((0..units).map(cell)).collect();
    let row = |i: usize| {
        let from = i * input.len();
        let weights = model.weights.get(from..from + input.len()).unwrap_or(&[]);
        let bias = model.biases.get(i).copied().unwrap_or(0);
        weights.iter().zip(&input).fold(bias, |acc, (w, v)| acc + i32::from(*w) * v)
    };
    (0..units)
        .map(|i| {
            let gate = (rounded(row(i), part.gate_shift) + GATE_OPEN / 2).clamp(0, GATE_OPEN);
            let candidate = rounded(row(units + i), part.candidate_shift).clamp(-128, 127);
            let next = cell(i) + (((candidate - cell(i)) * gate) >> 8);
            i8::try_from(next).unwrap_or(0)
        })
        .collect()
}

/// floor((acc + 2^(s−1)) / 2^s).
const fn rounded(acc: i32, shift: u8) -> i32 {
    (acc + (1 << (shift - 1))) >> shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PolicyParams;

    fn model(units: u16, weights: Vec<i8>, biases: Vec<i32>) -> (ModelShape, Model) {
        let recurrent = Some(Recurrent { units, gate_shift: 7, candidate_shift: 6 });
        let shape = ModelShape { dims: vec![16 + units, 3], shifts: vec![], recurrent };
        let policy = PolicyParams { gain: 1, band_gain: 0, band_bps: 0, max_step_bps: 1, cooldown_steps: 0 };
        (shape, Model { scales: [1; FEATURES], weights, biases, policy })
    }

    #[test]
    fn a_gate_holds_a_closed_cell_and_fills_an_open_one() {
        let none = vec![0i8; 2 * 17 + 51];
        for (gate, candidate, before, after) in [
            // Shut: ≤ −128 after the shift. Open: ≥ 128.
            (-(1 << 14), 127 << 6, -5i8, -5i8),
            (1 << 14, 127 << 6, -5, 127),
            (1 << 14, -(1 << 19), -5, -128),
            // Half open, rounding down: −5 + floor(132/2), 127 + floor(−255/2).
            (0, 127 << 6, -5, 61),
            (0, -(128 << 6), 127, -1),
            // floor((acc + 2^(s−1)) / 2^s): one below the half rounds down, the half itself up.
            (1 << 14, 31, 0, 0),
            (1 << 14, 32, 0, 1),
            (1 << 14, -32, 0, 0),
            (1 << 14, -33, 0, -1),
            // A gate of 1 of 256 moves a cell down at once and up only over a distance of 256.
            (-127 * 128, 127 << 6, 0, 0),
            (-127 * 128, -(128 << 6), 0, -1),
        ] {
            let (shape, model) = model(1, none.clone(), vec![gate, candidate, 0, 0, 0]);
            assert_eq!(remember(&shape, &model, &[0; FEATURES], &[before]), [after], "{gate} {candidate} {before}");
        }
    }

    #[test]
    fn rows_are_gates_then_candidates_over_features_then_memory() {
        let mut weights = vec![0i8; 4 * 18 + 54];
        // Gate 1 looks at feature 2, candidate 0 at cell 1.
        (weights[18 + 2], weights[2 * 18 + 17]) = (127, 64);
        let (shape, model) = model(2, weights, vec![1 << 14, 0, 0, 127 << 6, 0, 0, 0]);
        let mut features = [0; FEATURES];
        features[2] = 127;
        assert_eq!(remember(&shape, &model, &features, &[3, 40]), [40, 126]);
        features[2] = -128;
        assert_eq!(remember(&shape, &model, &features, &[3, 40]), [40, 40]);
    }
}
