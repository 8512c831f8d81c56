//! AdamW (Loshchilov and Hutter, 2019) whose moments can be written down and read back, so that training can go on.

use crate::LearnError;
use candle_core::{Tensor, Var, backprop::GradStore};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The optimiser's state.
pub(crate) struct AdamW {
    vars: Vec<Var>,
    pub(crate) first: Vec<Tensor>,
    pub(crate) second: Vec<Tensor>,
    pub(crate) steps: i32,
    rate: f64,
    decay: f64,
}

impl AdamW {
    pub(crate) fn new(vars: Vec<Var>, rate: f64, decay: f64) -> Result<Self, LearnError> {
        let zeros = || vars.iter().map(|v| Ok(v.as_tensor().zeros_like()?)).collect::<Result<Vec<_>, LearnError>>();
        let (first, second) = (zeros()?, zeros()?);
        Ok(Self { vars, first, second, steps: 0, rate, decay })
    }

    /// One step against a gradient. A variable without one keeps its value and its moments.
    pub(crate) fn step(&mut self, grads: &GradStore) -> Result<(), LearnError> {
        self.steps = self.steps.saturating_add(1);
        let (scale_m, scale_v) = (1.0 / (1.0 - BETA1.powi(self.steps)), 1.0 / (1.0 - BETA2.powi(self.steps)));
        for ((var, m), v) in self.vars.iter().zip(&mut self.first).zip(&mut self.second) {
            let Some(g) = grads.get(var) else { continue };
            let next_m = ((&*m * BETA1)? + (g * (1.0 - BETA1))?)?;
            let next_v = ((&*v * BETA2)? + (g.sqr()? * (1.0 - BETA2))?)?;
            let kept = (var.as_tensor() * (1.0 - self.rate * self.decay))?;
            let direction = ((&next_m * scale_m)? / ((&next_v * scale_v)?.sqrt()? + EPSILON)?)?;
            var.set(&(kept - (direction * self.rate)?)?)?;
            (*m, *v) = (next_m.detach(), next_v.detach());
        }
        Ok(())
    }
}
