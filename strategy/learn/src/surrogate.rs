//! The differentiable stand-in for network, policy and portfolio that training descends on.
//!
//! Target weight: sigmoid(o2 − o0), whose tangent at 0 is the integer policy's clamp(5000 + gain·(o2−o0)). Band:
//! `BAND + relu(o1)/4`. The weight moves to the edge of the band and then drifts with the price.

use crate::LearnError;
use candle_core::{Device, Tensor, Var};
use probity_strategy::ModelShape;
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

/// Smallest half-width of the no-trade zone while training, as a share of the value.
pub(crate) const BAND: f64 = 0.02;

/// A uniform number in [0, 1) with 24 bits.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    f32::from(u16::try_from(rng.next_u32() >> 16).unwrap_or(0)) / 65_536.0
}

/// Float weights (out × in) and biases of each layer.
pub(crate) struct Surrogate {
    pub(crate) layers: Vec<(Var, Var)>,
}

/// A batch of windows.
pub(crate) struct Windows {
    /// For each step, batch × 15 market features over 127.
    pub(crate) features: Vec<Tensor>,
    /// For each step, batch × 1: return to the next bar, less the training set's mean.
    pub(crate) returns: Vec<Tensor>,
    /// batch × 1: weights before the first decision.
    pub(crate) start: Tensor,
}

impl Surrogate {
    /// Random layers.
    pub(crate) fn new(shape: &ModelShape, rng: &mut ChaCha8Rng) -> Result<Self, LearnError> {
        let mut layers = Vec::new();
        for (from, to) in shape.dims.iter().zip(shape.dims.iter().skip(1)) {
            let bound = (3.0 / f32::from(*from)).sqrt();
            let n = usize::from(*from) * usize::from(*to);
            let w: Vec<f32> = (0..n).map(|_| (2.0 * uniform(rng) - 1.0) * bound).collect();
            let w = Tensor::from_vec(w, (usize::from(*to), usize::from(*from)), &Device::Cpu)?;
            let b = Tensor::zeros((1, usize::from(*to)), candle_core::DType::F32, &Device::Cpu)?;
            layers.push((Var::from_tensor(&w)?, Var::from_tensor(&b)?));
        }
        Ok(Self { layers })
    }

    /// Every variable.
    pub(crate) fn vars(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|(w, b)| [w.clone(), b.clone()]).collect()
    }

    /// A copy of the values.
    pub(crate) fn snapshot(&self) -> Result<Vec<Tensor>, LearnError> {
        self.vars().iter().map(|v| Ok(v.as_tensor().copy()?)).collect()
    }

    /// Puts values back.
    pub(crate) fn restore(&self, values: &[Tensor]) -> Result<(), LearnError> {
        for (var, value) in self.vars().iter().zip(values) {
            var.set(value)?;
        }
        Ok(())
    }

    /// Activations of every layer, the outputs last.
    pub(crate) fn layers_of(&self, input: &Tensor) -> Result<Vec<Tensor>, LearnError> {
        let mut all: Vec<Tensor> = Vec::new();
        for (i, (w, b)) in self.layers.iter().enumerate() {
            let x = all.last().unwrap_or(input).matmul(&w.as_tensor().t()?)?.broadcast_add(b)?;
            all.push(if i + 1 == self.layers.len() { x } else { x.relu()? });
        }
        Ok(all)
    }

    /// Mean net return of a step beyond that of a half-and-half portfolio, less the penalty on its square, in bps of the
    /// value: what training maximises.
    pub(crate) fn objective(&self, windows: &Windows, cost: f64, risk: f64) -> Result<Tensor, LearnError> {
        let mut weight = windows.start.clone();
        let mut total: Option<Tensor> = None;
        for (features, returns) in windows.features.iter().zip(&windows.returns) {
            let seen = ((&weight - 0.5)? * 2.0)?;
            let input = Tensor::cat(&[features, &seen], 1)?;
            let all = self.layers_of(&input)?;
            let out = all.last().ok_or_else(|| LearnError::value("layers", "at least 1", 0))?;
            let edge = (out.narrow(1, 2, 1)? - out.narrow(1, 0, 1)?)?;
            let band = ((out.narrow(1, 1, 1)?.relu()? * 0.25)? + BAND)?;
            let change = (candle_nn::ops::sigmoid(&edge)? - &weight)?;
            let moved = ((&change - &band)?.relu()? - (change.neg()? - &band)?.relu()?)?;
            weight = (weight + &moved)?;
            let gain = (&weight * returns)?;
            let active = ((&weight - 0.5)? * returns)?;
            let paid = ((moved.abs()? * cost)? + (active.sqr()? * (0.5 + risk / 2.0))?)?;
            let net = (active - paid)?;
            total = Some(match total {
                Some(t) => (t + net)?,
                None => net,
            });
            weight = ((&weight + &gain)? / (gain + 1.0)?)?;
        }
        let total = total.ok_or_else(|| LearnError::value("window", "at least 1 step", 0))?;
        Ok((total.mean_all()? * (10_000.0 / f64::from(u32::try_from(windows.returns.len()).unwrap_or(1))))?)
    }
}
