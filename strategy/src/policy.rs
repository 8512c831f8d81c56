//! S6: from the network's outputs to a proposed move of the weight.

use crate::{PolicyParams, units::BPS};

/// The proposed move in bps: to the edge of the no-trade zone around the target (Davis and Norman, 1990).
#[must_use]
pub fn propose(policy: &PolicyParams, outputs: [i32; 3], weight_bps: i64, idle: bool) -> i64 {
    let [out, hold, inn] = outputs.map(i64::from);
    let target = (BPS / 2 + (((inn - out) * i64::from(policy.gain)) >> 16)).clamp(0, BPS);
    let band = (i64::from(policy.band_bps) + ((hold.max(0) * i64::from(policy.band_gain)) >> 16)).min(BPS);
    let change = target - weight_bps;
    let beyond = (change.abs() - band).max(0).min(i64::from(policy.max_step_bps));
    if idle { 0 } else { change.signum() * beyond }
}
