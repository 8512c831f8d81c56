//! The memory in floats, as it is trained: `gate = hardsigmoid(G·u + b)`, `candidate = hardtanh(C·u + d)`, `h' = h + gate·(candidate − h)`,
//! u the 16 inputs and h behind them. One unit of a cell is 127 integer units, an open gate is 256 of them.
//!
//! On the grid the forward pass is that of the integer memory (S4) and the gradient goes straight through the rounding.

use crate::{LearnError, grid::LayerGrid, surrogate::through, surrogate::uniform};
use candle_core::{DType, Device, Tensor, Var};
use probity_strategy::{BIAS_LIMIT, FEATURES, GATE_OPEN, Recurrent};
use rand_chacha::ChaCha8Rng;

/// Integer units of one float unit of an input or a cell.
pub(crate) const UNIT: f64 = 127.0;
/// hardsigmoid(x) = clamp(x/6 + 1/2, 0, 1).
const GATE_WIDTH: f64 = 6.0;
/// Keeps a whole number, computed in f32, from being floored to the one below it.
const NEARLY: f64 = 1.0 / 1_024.0;

/// Weights (units × inputs) and biases of gates and candidates.
pub(crate) struct Cell {
    pub(crate) part: Recurrent,
    pub(crate) gate: (Var, Var),
    pub(crate) candidate: (Var, Var),
}

/// The integer units of gates and candidates: they follow from the shifts alone.
pub(crate) fn grids(part: &Recurrent) -> [LayerGrid; 2] {
    let layer = |shift: u8, to: f64| {
        let weight = to * f64::from(1u32 << shift) / UNIT;
        LayerGrid { weight, from: UNIT, to }
    };
    [layer(part.gate_shift, f64::from(GATE_OPEN) / GATE_WIDTH), layer(part.candidate_shift, UNIT)]
}

impl Cell {
    /// Random weights; the gates start a quarter open.
    pub(crate) fn new(part: Recurrent, rng: &mut ChaCha8Rng) -> Result<Self, LearnError> {
        let units = usize::from(part.units);
        let inputs = FEATURES + units;
        let bound = (3.0 / f32::from(u16::try_from(inputs).unwrap_or(1))).sqrt();
        let mut matrix = |size: f32, bias: f32| -> Result<(Var, Var), LearnError> {
            let w: Vec<f32> = (0..units * inputs).map(|_| (2.0 * uniform(rng) - 1.0) * size).collect();
            let w = Tensor::from_vec(w, (units, inputs), &Device::Cpu)?;
            let b = Tensor::full(bias, (1, units), &Device::Cpu)?;
            Ok((Var::from_tensor(&w)?, Var::from_tensor(&b)?))
        };
        Ok(Self { part, gate: matrix(bound, -1.5)?, candidate: matrix(bound, 0.0)? })
    }

    /// Every variable.
    pub(crate) fn vars(&self) -> [Var; 4] {
        let ((g, b), (c, d)) = (&self.gate, &self.candidate);
        [g.clone(), b.clone(), c.clone(), d.clone()]
    }

    /// The memory as the forward pass uses it.
    pub(crate) fn ready(&self, quantised: bool) -> Result<ReadyCell, LearnError> {
        let matrix = |(w, b): &(Var, Var), l: &LayerGrid| -> Result<(Tensor, Tensor), LearnError> {
            Ok(if quantised {
                (through(w, l.weight, 127.0)?.t()?, through(b, l.weight * l.from, f64::from(BIAS_LIMIT))?)
            } else {
                (w.t()?, b.as_tensor().clone())
            })
        };
        let [gate, candidate] = grids(&self.part);
        Ok(ReadyCell {
            units: usize::from(self.part.units),
            gate: matrix(&self.gate, &gate)?,
            candidate: matrix(&self.candidate, &candidate)?,
            quantised,
        })
    }
}

/// A memory ready to run.
pub(crate) struct ReadyCell {
    units: usize,
    gate: (Tensor, Tensor),
    candidate: (Tensor, Tensor),
    quantised: bool,
}

impl ReadyCell {
    /// The memory before anything was seen.
    pub(crate) fn blank(&self, batch: usize) -> Result<Tensor, LearnError> {
        Ok(Tensor::zeros((batch, self.units), DType::F32, &Device::Cpu)?)
    }

    /// The memory after a step with these inputs (batch × 16).
    pub(crate) fn remember(&self, input: &Tensor, memory: &Tensor) -> Result<Tensor, LearnError> {
        let seen = Tensor::cat(&[input, memory], 1)?;
        let of = |(w, b): &(Tensor, Tensor)| seen.matmul(w)?.broadcast_add(b);
        let gate = ((of(&self.gate)? / GATE_WIDTH)? + 0.5)?.clamp(0f32, 1f32)?;
        let gate = self.onto(gate, f64::from(GATE_OPEN), 0.5)?;
        let candidate = of(&self.candidate)?.clamp(if self.quantised { -128.0 / UNIT } else { -1.0 }, 1.0)?;
        let candidate = self.onto(candidate, UNIT, 0.5)?;
        let way = self.onto(((candidate - memory)? * gate)?, UNIT, 0.0)?;
        Ok((memory + way)?)
    }

    /// floor(v·unit + half)/unit, the gradient that of v.
    fn onto(&self, v: Tensor, unit: f64, half: f64) -> Result<Tensor, LearnError> {
        if !self.quantised {
            return Ok(v);
        }
        let rounded = (((v.detach() * unit)? + (half + NEARLY))?.floor()? / unit)?;
        Ok((&v + (rounded - v.detach())?)?)
    }
}
