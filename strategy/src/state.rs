//! S2: what the engine carries from step to step.

use crate::{Amount, Mandate, Order};
use serde::{Deserialize, Serialize};

/// The best net asset value per share so far, as a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighWater {
    /// Net asset value, raw quote, below 2^97.
    #[serde(with = "crate::units::decimal")]
    pub nav: u128,
    /// Shares at that time.
    pub shares: Amount,
}

/// The state. Recurrent features depend on nothing private, the memory of a recurrent model does; published they would help to guess the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Decisions made so far.
    pub step: u32,
    /// Time of the last observation.
    pub last_time_s: u64,
    /// Last oriented tick.
    pub x: i32,
    /// Return before last step's features: one step back.
    pub r1: i32,
    /// Two steps back.
    pub r2: i32,
    /// Averages of the log price, 8 fractional bits.
    pub ema: [i32; 6],
    /// Averages of the absolute return, 8 fractional bits.
    pub vol: [i32; 2],
    /// Last quote balance.
    pub quote: Amount,
    /// Last base balance.
    pub base: Amount,
    /// The last decision's order.
    pub pending: Option<Order>,
    /// High-water mark.
    pub high_water: HighWater,
    /// Latched by a broken drawdown limit or an impossible fill.
    pub halted: bool,
    /// Steps the policy still waits.
    pub cooldown_left: u16,
    /// Steps left in the turnover window.
    pub window_left: u16,
    /// Turnover of the window so far, bps.
    pub turnover_used_bps: u32,
    /// The memory of a recurrent model. Private as the model: it depends on the weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<i8>,
}

impl State {
    /// The state before the first decision; a function of the mandate alone.
    #[must_use]
    pub fn genesis(mandate: &Mandate) -> Self {
        Self {
            step: 0,
            last_time_s: mandate.genesis_time_s,
            x: 0,
            r1: 0,
            r2: 0,
            ema: [0; 6],
            vol: [0; 2],
            quote: Amount::ZERO,
            base: Amount::ZERO,
            pending: None,
            high_water: HighWater { nav: 0, shares: Amount::ZERO },
            halted: false,
            cooldown_left: mandate.limits.warmup_steps,
            window_left: 0,
            turnover_used_bps: 0,
            memory: vec![0; mandate.model.units()],
        }
    }
}
