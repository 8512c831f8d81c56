//! Where the integers lie: how many integer units one float unit is, layer by layer.

use crate::{LearnError, cell, surrogate::Surrogate};
use candle_core::{Tensor, Var};
use probity_strategy::{BIAS_LIMIT, ModelShape};

/// One layer's scales.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LayerGrid {
    /// Integer weight for a float weight of 1.
    pub(crate) weight: f64,
    /// Integer input for a float input of 1.
    pub(crate) from: f64,
    /// Integer output for a float output of 1.
    pub(crate) to: f64,
}

/// The scales of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    pub(crate) layers: Vec<LayerGrid>,
}

impl Grid {
    /// The grid of a network: weights onto ±127, and the 99.99 % quantile of each hidden layer's activations over a sample
    /// of steps that each end in an input within 127.
    pub(crate) fn of(shape: &ModelShape, net: &Surrogate, sample: &[Tensor]) -> Result<Self, LearnError> {
        let activations = net.ready(None)?.layers_of(&net.settled(sample)?)?;
        let (mut layers, mut from) = (Vec::new(), 127.0f64);
        for (i, (w, _)) in net.layers.iter().enumerate() {
            let w: Vec<f32> = w.as_tensor().flatten_all()?.to_vec1()?;
            let most = w.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
            let mut weight = 127.0 / f64::from(most);
            let mut to = weight * from;
            if let Some(shift) = shape.shifts.get(i) {
                let mut seen: Vec<f32> = activations.get(i).map_or(Ok(Vec::new()), |a| a.flatten_all()?.to_vec1())?;
                seen.sort_unstable_by(f32::total_cmp);
                let high = seen.get(seen.len() * 9_999 / 10_000).copied().unwrap_or(1.0).max(1e-3);
                let unit = f64::from(1u32 << shift);
                weight = weight.min(127.0 / f64::from(high) * unit / from);
                to = weight * from / unit;
            }
            layers.push(LayerGrid { weight, from, to });
            from = to;
        }
        Ok(Self { layers })
    }

    /// Integer units of one float unit of the outputs.
    pub(crate) fn outputs(&self) -> f64 {
        self.layers.last().map_or(1.0, |l| l.to)
    }

    /// The integer weights and biases.
    pub(crate) fn integers(&self, net: &Surrogate) -> Result<(Vec<i8>, Vec<i32>), LearnError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        let mut take = |(w, b): &(Var, Var), l: &LayerGrid| -> Result<(), LearnError> {
            let w: Vec<f32> = w.as_tensor().flatten_all()?.to_vec1()?;
            let b: Vec<f32> = b.as_tensor().flatten_all()?.to_vec1()?;
            weights.extend(w.iter().map(|v| i8::try_from(round(f64::from(*v) * l.weight, 127)).unwrap_or(0)));
            biases.extend(b.iter().map(|v| round(f64::from(*v) * l.weight * l.from, BIAS_LIMIT)));
            Ok(())
        };
        if let Some(cell) = &net.cell {
            let [gate, candidate] = cell::grids(&cell.part);
            take(&cell.gate, &gate)?;
            take(&cell.candidate, &candidate)?;
        }
        for (layer, l) in net.layers.iter().zip(&self.layers) {
            take(layer, l)?;
        }
        Ok((weights, biases))
    }
}

/// The nearest integer within ±limit; halves away from zero; 0 for what is no number.
#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "bounded before")]
pub(crate) fn round(v: f64, limit: i32) -> i32 {
    v.round().clamp(-f64::from(limit), f64::from(limit)) as i32
}
