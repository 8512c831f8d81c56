//! The network in candle, exact in integers (S4).
//!
//! Weights and activations are f32 tensors that hold integers. Every product sum stays within 2^21 and every
//! accumulator below 2^23, so each partial sum, in any order, is an integer below 2^24: f32 holds it exactly.
//! Rescaling multiplies by a power of two and floors: exact as well.

use crate::LearnError;
use candle_core::{Device, Tensor};
use probity_strategy::{ACTIVATION_MAX, FEATURES, Model, ModelShape, forward};

struct Layer {
    /// in × out.
    weights: Tensor,
    /// 1 × out.
    biases: Tensor,
    /// Rescale shift; none for the outputs.
    shift: Option<u8>,
}

/// A model prepared as candle tensors, with its integer twin beside it.
pub struct Candle {
    layers: Vec<Layer>,
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

impl Candle {
    /// Prepares a model of this shape.
    pub fn new(shape: &ModelShape, model: &Model) -> Result<Self, LearnError> {
        model.validate(shape)?;
        if shape.dims.first().copied().map(usize::from) != Some(FEATURES) || shape.dims.last() != Some(&3) {
            return Err(LearnError::value("model.dims", "16 inputs and 3 outputs", format!("{:?}", shape.dims)));
        }
        if shape.dims.iter().any(|d| !(1..=128).contains(d)) || shape.shifts.iter().any(|s| !(1..=16).contains(s)) {
            return Err(LearnError::value("model.dims, model.shifts", "widths 1 … 128, shifts 1 … 16", "another"));
        }
        if shape.shifts.len() + 2 != shape.dims.len() {
            return Err(LearnError::value("model.shifts", "one a hidden layer", shape.shifts.len()));
        }
        let (mut weights, mut biases) = (model.weights.iter(), model.biases.iter());
        let mut layers = Vec::new();
        for (i, (from, to)) in shape.dims.iter().zip(shape.dims.iter().skip(1)).enumerate() {
            let (from, to) = (usize::from(*from), usize::from(*to));
            let w: Vec<f32> = weights.by_ref().take(from * to).map(|w| f32::from(*w)).collect();
            let b: Vec<f32> = biases.by_ref().take(to).map(|b| exact(*b)).collect();
            layers.push(Layer {
                weights: Tensor::from_vec(w, (to, from), &Device::Cpu)?.t()?.contiguous()?,
                biases: Tensor::from_vec(b, (1, to), &Device::Cpu)?,
                shift: shape.shifts.get(i).copied(),
            });
        }
        Ok(Self { layers, shape: shape.clone(), model: model.clone() })
    }

    /// The outputs for a batch of scaled features (each −128 … 127; others are refused).
    pub fn signals(&self, inputs: &[[i32; FEATURES]]) -> Result<Vec<[i32; 3]>, LearnError> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(v) = inputs.iter().flatten().find(|v| !(-128..=127).contains(*v)) {
            return Err(LearnError::value("input", "−128 … 127", v));
        }
        let flat: Vec<f32> = inputs.iter().flatten().map(|v| exact(*v)).collect();
        let mut x = Tensor::from_vec(flat, (inputs.len(), FEATURES), &Device::Cpu)?;
        for layer in &self.layers {
            x = x.matmul(&layer.weights)?.broadcast_add(&layer.biases)?;
            if let Some(shift) = layer.shift {
                let unit = f64::from(1u32 << shift);
                x = ((x + unit / 2.0)? * unit.recip())?.floor()?.clamp(0f32, exact(ACTIVATION_MAX))?;
            }
        }
        let rows = x.to_vec2::<f32>()?;
        rows.iter()
            .map(|row| match row.as_slice() {
                [a, b, c] => Ok([integer(*a), integer(*b), integer(*c)]),
                other => Err(LearnError::value("outputs", 3, other.len())),
            })
            .collect()
    }

    /// The outputs for one step.
    pub fn signal(&self, inputs: &[i32; FEATURES]) -> Result<[i32; 3], LearnError> {
        self.signals(std::slice::from_ref(inputs))?.first().copied().ok_or_else(|| LearnError::value("outputs", "one row", "none"))
    }

    /// The outputs for one step, after comparing them with the integer network: an error if they differ.
    pub fn checked_signal(&self, inputs: &[i32; FEATURES]) -> Result<[i32; 3], LearnError> {
        let ours = self.signal(inputs)?;
        agree(&ours, &forward(&self.shape, &self.model, inputs))?;
        Ok(ours)
    }
}

fn agree(ours: &[i32; 3], twin: &[i32]) -> Result<(), LearnError> {
    for (i, v) in ours.iter().enumerate() {
        if twin.get(i) != Some(v) {
            return Err(LearnError::Differs { output: i + 1 });
        }
    }
    Ok(())
}

/// The outputs for a batch of scaled features.
pub fn forward_batch(shape: &ModelShape, model: &Model, inputs: &[[i32; FEATURES]]) -> Result<Vec<[i32; 3]>, LearnError> {
    Candle::new(shape, model)?.signals(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_an_error() {
        assert!(agree(&[1, 2, 3], &[1, 2, 3]).is_ok());
        assert!(matches!(agree(&[1, 2, 3], &[1, 2, 4]), Err(LearnError::Differs { output: 3 })));
        assert!(matches!(agree(&[1, 2, 3], &[]), Err(LearnError::Differs { output: 1 })));
    }
}
