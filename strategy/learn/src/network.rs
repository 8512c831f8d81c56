//! The network in candle, exact in integers (S4).
//!
//! Weights and activations are f32 tensors that hold integers. Every product sum stays within 2^21 and every
//! accumulator below 2^23, so each partial sum, in any order, is an integer below 2^24: f32 holds it exactly.
//! Rescaling multiplies by a power of two and floors: exact as well. A cell moves by a product below 2^16 over 256.

use crate::LearnError;
use candle_core::{Device, Tensor};
use probity_strategy::{ACTIVATION_MAX, FEATURES, GATE_OPEN, Inputs, Model, ModelShape, Recurrent, Signal, forward};

/// A matrix as tensors.
struct Layer {
    /// in × out.
    weights: Tensor,
    /// 1 × out.
    biases: Tensor,
}

impl Layer {
    fn accumulate(&self, x: &Tensor) -> Result<Tensor, LearnError> {
        Ok(x.matmul(&self.weights)?.broadcast_add(&self.biases)?)
    }
}

/// A model prepared as candle tensors, with its integer twin beside it.
pub struct Candle {
    /// Gates and candidates of a memory, if there is one.
    memory: Option<(Recurrent, Layer)>,
    /// Dense layers and their rescale shifts; none for the outputs.
    layers: Vec<(Layer, Option<u8>)>,
    shape: ModelShape,
    model: Model,
}

impl std::fmt::Debug for Candle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Candle({} layers, private)", self.layers.len())
    }
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "|v| < 2^24 is exact in f32")]
fn exact(v: i32) -> f32 {
    v as f32
}

#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "an integer below 2^24")]
fn integer(v: f32) -> i32 {
    v as i32
}

/// floor((x + 2^(s−1)) / 2^s).
fn rounded(x: &Tensor, shift: u8) -> Result<Tensor, LearnError> {
    let unit = f64::from(1u32 << shift);
    Ok(((x + unit / 2.0)? * unit.recip())?.floor()?)
}

impl Candle {
    /// Prepares a model of this shape.
    pub fn new(shape: &ModelShape, model: &Model) -> Result<Self, LearnError> {
        shape.validate()?;
        model.validate(shape)?;
        let (mut weights, mut biases) = (model.weights.iter(), model.biases.iter());
        let mut matrices = Vec::new();
        for (from, to) in shape.matrices() {
            let w: Vec<f32> = weights.by_ref().take(from * to).map(|w| f32::from(*w)).collect();
            let b: Vec<f32> = biases.by_ref().take(to).map(|b| exact(*b)).collect();
            matrices.push(Layer {
                weights: Tensor::from_vec(w, (to, from), &Device::Cpu)?.t()?.contiguous()?,
                biases: Tensor::from_vec(b, (1, to), &Device::Cpu)?,
            });
        }
        let mut matrices = matrices.into_iter();
        let memory = shape.recurrent.and_then(|part| Some((part, matrices.next()?)));
        let shifts = shape.shifts.iter().copied().map(Some).chain([None]);
        Ok(Self { memory, layers: matrices.zip(shifts).collect(), shape: shape.clone(), model: model.clone() })
    }

    /// What the network makes of a batch of inputs, each with the memory it meets (features −128 … 127; others are refused).
    pub fn signals(&self, inputs: &[Inputs]) -> Result<Vec<Signal>, LearnError> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(v) = inputs.iter().flat_map(|i| i.features).find(|v| !(-128..=127).contains(v)) {
            return Err(LearnError::value("input", "−128 … 127", v));
        }
        if let Some(other) = inputs.iter().find(|i| i.memory.len() != self.shape.units()) {
            return Err(LearnError::value("memory", format!("{} cells", self.shape.units()), other.memory.len()));
        }
        let flat: Vec<f32> = inputs.iter().flat_map(|i| i.features).map(exact).collect();
        let mut x = Tensor::from_vec(flat, (inputs.len(), FEATURES), &Device::Cpu)?;
        let mut cells: Vec<Vec<f32>> = vec![Vec::new(); inputs.len()];
        if let Some((part, layer)) = &self.memory {
            let units = usize::from(part.units);
            let before: Vec<f32> = inputs.iter().flat_map(|i| &i.memory).map(|m| f32::from(*m)).collect();
            let before = Tensor::from_vec(before, (inputs.len(), units), &Device::Cpu)?;
            let acc = layer.accumulate(&Tensor::cat(&[&x, &before], 1)?)?;
            let (open, half) = (exact(GATE_OPEN), f64::from(GATE_OPEN / 2));
            let gate = (rounded(&acc.narrow(1, 0, units)?, part.gate_shift)? + half)?.clamp(0f32, open)?;
            let candidate = rounded(&acc.narrow(1, units, units)?, part.candidate_shift)?.clamp(-128f32, 127f32)?;
            let way = ((candidate - &before)? * gate)?;
            let after = (before + (way / f64::from(GATE_OPEN))?.floor()?)?;
            cells = after.to_vec2()?;
            x = Tensor::cat(&[&x, &after], 1)?;
        }
        for (layer, shift) in &self.layers {
            x = layer.accumulate(&x)?;
            if let Some(shift) = shift {
                x = rounded(&x, *shift)?.clamp(0f32, exact(ACTIVATION_MAX))?;
            }
        }
        let rows = x.to_vec2::<f32>()?;
        rows.iter()
            .zip(cells)
            .map(|(row, cells)| match row.as_slice() {
                [a, b, c] => {
                    let memory = cells.iter().map(|v| i8::try_from(integer(*v)));
                    let memory = memory.collect::<Result<_, _>>().map_err(|_| LearnError::value("memory", "−128 … 127", "another"))?;
                    Ok(Signal { outputs: [integer(*a), integer(*b), integer(*c)], memory })
                }
                other => Err(LearnError::value("outputs", 3, other.len())),
            })
            .collect()
    }

    /// What it makes of one step.
    pub fn signal(&self, inputs: &Inputs) -> Result<Signal, LearnError> {
        self.signals(std::slice::from_ref(inputs))?.pop().ok_or_else(|| LearnError::value("outputs", "one row", "none"))
    }

    /// The same after comparing it with the integer network: an error if they differ.
    pub fn checked_signal(&self, inputs: &Inputs) -> Result<Signal, LearnError> {
        let ours = self.signal(inputs)?;
        agree(&ours, &forward(&self.shape, &self.model, inputs))?;
        Ok(ours)
    }
}

fn agree(ours: &Signal, twin: &Signal) -> Result<(), LearnError> {
    if let Some(i) = ours.outputs.iter().zip(&twin.outputs).position(|(a, b)| a != b) {
        return Err(LearnError::Differs { output: i + 1 });
    }
    if ours.memory == twin.memory { Ok(()) } else { Err(LearnError::Remembers) }
}

/// What a network makes of a batch of inputs.
pub fn forward_batch(shape: &ModelShape, model: &Model, inputs: &[Inputs]) -> Result<Vec<Signal>, LearnError> {
    Candle::new(shape, model)?.signals(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_an_error() {
        let signal = |outputs, memory: &[i8]| Signal { outputs, memory: memory.to_vec() };
        let ours = signal([1, 2, 3], &[4]);
        assert!(agree(&ours, &signal([1, 2, 3], &[4])).is_ok());
        assert!(matches!(agree(&ours, &signal([1, 2, 4], &[4])), Err(LearnError::Differs { output: 3 })));
        assert!(matches!(agree(&ours, &signal([1, 2, 3], &[5])), Err(LearnError::Remembers)));
        assert!(matches!(agree(&ours, &signal([1, 2, 3], &[])), Err(LearnError::Remembers)));
    }
}
