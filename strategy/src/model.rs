//! The private model: feature scales, weights, biases, policy. It never prints itself.

use crate::{BIAS_LIMIT, DomainError, FEATURES, ModelShape};
use serde::{Deserialize, Serialize};

/// Private thresholds of the policy (S6).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyParams {
    /// Edge to target weight: bps for one unit of edge, times 2^16.
    pub gain: u16,
    /// Hold output to band width: bps for one unit, times 2^16.
    pub band_gain: u16,
    /// Smallest half-width of the no-trade zone, bps, 0 … 10000.
    pub band_bps: u16,
    /// Largest move in one step, bps, 0 … 10000.
    pub max_step_bps: u16,
    /// Steps without policy trades after an order.
    pub cooldown_steps: u16,
}

/// The model. `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Scale of each feature (S3).
    pub scales: [u16; FEATURES],
    /// Weights, layer by layer, row by row (one row an output neuron); those of a memory first, a row a gate, then a row a candidate.
    pub weights: Vec<i8>,
    /// Biases in the same order, within ±(2^19 − 1).
    pub biases: Vec<i32>,
    /// Policy.
    pub policy: PolicyParams,
}

impl Model {
    /// Checks sizes against the shape and every range.
    pub fn validate(&self, shape: &ModelShape) -> Result<(), DomainError> {
        if self.weights.len() != shape.weights() {
            return Err(DomainError::new("weights", format!("{} (by the mandate's model)", shape.weights()), self.weights.len()));
        }
        if self.biases.len() != shape.biases() {
            return Err(DomainError::new("biases", format!("{} (by the mandate's model)", shape.biases()), self.biases.len()));
        }
        if self.biases.iter().any(|b| b.abs() > BIAS_LIMIT) {
            return Err(DomainError::new("biases", "within ±(2^19 − 1)", "a larger one"));
        }
        if self.policy.band_bps > 10_000 || self.policy.max_step_bps > 10_000 {
            return Err(DomainError::new("policy.band_bps, policy.max_step_bps", "0 … 10000", "a larger one"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({} weights, private)", self.weights.len())
    }
}

impl std::fmt::Debug for PolicyParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicyParams(private)")
    }
}
