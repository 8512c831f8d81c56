//! S9: the public record of one decision.

use crate::{Observation, Order};
use serde::{Deserialize, Serialize};

/// The public part of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The order, or none for a hold.
    pub order: Option<Order>,
    /// Whether the agent is halted: it sells all and stays out.
    pub halted: bool,
}

/// One step of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What was seen.
    pub observation: Observation,
    /// What was decided.
    pub decision: Decision,
}
