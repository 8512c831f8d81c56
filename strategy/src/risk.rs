//! S7: the mandate's limits. Only this module can make an [`Approved`] move.

use crate::{Limits, State};

/// A move that has passed every limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approved {
    bps: i64,
}

impl Approved {
    /// The move in bps, positive buys.
    #[must_use]
    pub const fn bps(self) -> i64 {
        self.bps
    }
}

/// The turnover window at this step: steps left after it and bps used so far.
pub(crate) fn window(limits: &Limits, state: &State) -> (u16, u32) {
    match state.window_left {
        0 => (limits.turnover_window_steps.saturating_sub(1), 0),
        left => (left - 1, state.turnover_used_bps),
    }
}

/// Bounds a proposed move.
pub(crate) fn approve(limits: &Limits, proposed: i64, weight_bps: i64, used_bps: u32, halted: bool, gap: bool) -> Approved {
    let wanted = if halted { -weight_bps } else { proposed };
    let capped = wanted.min(i64::from(limits.max_weight_bps) - weight_bps);
    let left = i64::from(limits.max_turnover_bps) - i64::from(used_bps);
    let most = i64::from(limits.max_trade_bps).min(left).max(0);
    let bounded = capped.clamp(-most, most);
    let bps = if bounded.abs() < i64::from(limits.min_trade_bps) || gap { 0 } else { bounded };
    Approved { bps }
}
