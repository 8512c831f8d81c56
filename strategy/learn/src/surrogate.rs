//! The differentiable stand-in for network, policy and portfolio that training descends on.
//!
//! Target weight: sigmoid(o2 − o0), whose tangent at 0 is the integer policy's clamp(5000 + gain·(o2−o0)). Band:
//! `BAND + relu(o1)/4`. The weight moves to the edge of the band and then drifts with the price.

//!
//! With a [`Grid`] the forward pass is that of the integer network, rounding and all, and the gradient goes straight through
//! the rounding: what is trained is what will decide.

use crate::{LearnError, cell::Cell, cell::ReadyCell, grid::Grid};
use candle_core::{Device, Tensor, Var};
use probity_strategy::{BIAS_LIMIT, ModelShape};
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
    /// The memory of a recurrent network.
    pub(crate) cell: Option<Cell>,
    pub(crate) layers: Vec<(Var, Var)>,
}

/// A batch of windows.
pub(crate) struct Windows {
    /// The steps before, from which a memory is filled; like `features`. Nothing is earned in them and no gradient goes there.
    pub(crate) before: Vec<Tensor>,
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
        let cell = shape.recurrent.map(|part| Cell::new(part, rng)).transpose()?;
        Ok(Self { cell, layers })
    }

    /// Every variable.
    pub(crate) fn vars(&self) -> Vec<Var> {
        let cell = self.cell.iter().flat_map(Cell::vars);
        cell.chain(self.layers.iter().flat_map(|(w, b)| [w.clone(), b.clone()])).collect()
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

    /// Weights and biases as the forward pass uses them: rounded to the grid, the gradient straight through.
    pub(crate) fn ready(&self, grid: Option<&Grid>) -> Result<Ready, LearnError> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, (w, b)) in self.layers.iter().enumerate() {
            let on = grid.and_then(|g| g.layers.get(i));
            let (w, b) = match on {
                None => (w.as_tensor().clone(), b.as_tensor().clone()),
                Some(l) => (through(w, l.weight, 127.0)?, through(b, l.weight * l.from, f64::from(BIAS_LIMIT))?),
            };
            layers.push((w.t()?, b, on.map(|l| l.to)));
        }
        let cell = self.cell.as_ref().map(|c| c.ready(grid.is_some())).transpose()?;
        Ok(Ready { cell, layers })
    }

    /// What the dense layers are given after these steps (batch × 16 each): the inputs of the last one, and the memory behind them.
    pub(crate) fn settled(&self, steps: &[Tensor]) -> Result<Tensor, LearnError> {
        let last = steps.last().ok_or_else(|| LearnError::value("steps", "at least 1", 0))?;
        let Some(cell) = self.cell.as_ref().map(|c| c.ready(false)).transpose()? else { return Ok(last.clone()) };
        let mut memory = cell.blank(last.dim(0)?)?;
        for step in steps {
            memory = cell.remember(step, &memory)?;
        }
        Ok(Tensor::cat(&[last, &memory], 1)?)
    }

    /// The outputs along consecutive steps (steps × 16), from a memory (empty for a blank one).
    pub(crate) fn along(&self, inputs: &Tensor, start: &[f32]) -> Result<Vec<Vec<f32>>, LearnError> {
        let ready = self.ready(None)?;
        let seen = match &ready.cell {
            None => inputs.clone(),
            Some(cell) => {
                let blank = cell.blank(1)?;
                let mut memory = if start.is_empty() { blank } else { Tensor::from_vec(start.to_vec(), blank.shape(), &Device::Cpu)? };
                let mut rows = Vec::with_capacity(inputs.dim(0)?);
                for i in 0..inputs.dim(0)? {
                    memory = cell.remember(&inputs.narrow(0, i, 1)?, &memory)?.detach();
                    rows.push(memory.clone());
                }
                Tensor::cat(&[inputs, &Tensor::cat(&rows, 0)?], 1)?
            }
        };
        let outputs = ready.layers_of(&seen)?.pop().ok_or_else(|| LearnError::value("layers", "at least 1", 0))?;
        Ok(outputs.to_vec2()?)
    }

    /// Mean net return of a step beyond that of a half-and-half portfolio, less the penalty on its square, in bps of the
    /// value: what training maximises. Second: the net returns of every step, batch × 1 each.
    pub(crate) fn objective(
        &self,
        windows: &Windows,
        grid: Option<&Grid>,
        cost: f64,
        risk: f64,
    ) -> Result<(Tensor, Vec<Tensor>), LearnError> {
        let ready = self.ready(grid)?;
        let mut weight = windows.start.clone();
        let (mut total, mut nets): (Option<Tensor>, Vec<Tensor>) = (None, Vec::new());
        let input = |features: &Tensor, weight: &Tensor| -> Result<Tensor, LearnError> {
            Ok(Tensor::cat(&[features, &((weight - 0.5)? * 2.0)?], 1)?)
        };
        let mut memory = ready.cell.as_ref().map(|c| c.blank(weight.dim(0)?)).transpose()?;
        for features in &windows.before {
            memory = ready.remember(&input(features, &weight)?, memory)?.map(|m| m.detach());
        }
        for (features, returns) in windows.features.iter().zip(&windows.returns) {
            let mut input = input(features, &weight)?;
            memory = ready.remember(&input, memory)?;
            if let Some(memory) = &memory {
                input = Tensor::cat(&[&input, memory], 1)?;
            }
            let all = ready.layers_of(&input)?;
            let out = all.last().ok_or_else(|| LearnError::value("layers", "at least 1", 0))?;
            let edge = (out.narrow(1, 2, 1)? - out.narrow(1, 0, 1)?)?;
            let band = ((out.narrow(1, 1, 1)?.relu()? * 0.25)? + BAND)?;
            let change = (candle_nn::ops::sigmoid(&edge)? - &weight)?;
            let moved = ((&change - &band)?.relu()? - (change.neg()? - &band)?.relu()?)?;
            weight = (weight + &moved)?;
            let gain = (&weight * returns)?;
            let active = ((&weight - 0.5)? * returns)?;
            let charge = (moved.abs()? * cost)?;
            let paid = (&charge + (active.sqr()? * (0.5 + risk / 2.0))?)?;
            nets.push((&active - charge)?.detach());
            let net = (active - paid)?;
            total = Some(match total {
                Some(t) => (t + net)?,
                None => net,
            });
            weight = ((&weight + &gain)? / (gain + 1.0)?)?;
        }
        let total = total.ok_or_else(|| LearnError::value("window", "at least 1 step", 0))?;
        let mean = (total.mean_all()? * (10_000.0 / f64::from(u32::try_from(windows.returns.len()).unwrap_or(1))))?;
        Ok((mean, nets))
    }
}

/// Rounded to multiples of 1/scale within ±limit/scale; the gradient is that of the value itself.
pub(crate) fn through(v: &Var, scale: f64, limit: f64) -> Result<Tensor, LearnError> {
    let rounded = ((v.as_tensor().detach() * scale)?.round()?.clamp(-limit, limit)? / scale)?;
    Ok((v.as_tensor() + (rounded - v.as_tensor().detach())?)?)
}

/// A network ready to run: weights in × out, biases, and how many integer units one of its activations is.
pub(crate) struct Ready {
    cell: Option<ReadyCell>,
    layers: Vec<(Tensor, Tensor, Option<f64>)>,
}

impl Ready {
    /// The memory after a step, if there is one.
    fn remember(&self, input: &Tensor, memory: Option<Tensor>) -> Result<Option<Tensor>, LearnError> {
        self.cell.as_ref().zip(memory).map(|(cell, memory)| cell.remember(input, &memory)).transpose()
    }

    /// Activations of every layer, the outputs last, for inputs with the memory behind them.
    pub(crate) fn layers_of(&self, input: &Tensor) -> Result<Vec<Tensor>, LearnError> {
        let mut all: Vec<Tensor> = Vec::new();
        for (i, (w, b, to)) in self.layers.iter().enumerate() {
            let x = all.last().unwrap_or(input).matmul(w)?.broadcast_add(b)?;
            if i + 1 == self.layers.len() {
                all.push(x);
                continue;
            }
            let x = x.relu()?;
            all.push(match to {
                None => x,
                Some(unit) => {
                    let kept = x.minimum(127.0 / unit)?;
                    let rounded = (((kept.detach() * *unit)? + 0.5)?.floor()? / *unit)?;
                    (&kept + (rounded - kept.detach())?)?
                }
            });
        }
        Ok(all)
    }
}
