//! S3: recurrent integer features from oracle mean ticks, O(1) a step.

use crate::{Model, State};

/// Number of features.
pub const FEATURES: usize = 16;
/// Shifts of the exponential averages of the log price.
pub const EMA_SHIFTS: [u32; 6] = [2, 3, 4, 5, 6, 8];
/// Shifts of the exponential averages of the absolute return.
pub const VOL_SHIFTS: [u32; 2] = [3, 6];
/// Largest absolute one-step return, ticks.
pub const RETURN_CLIP: i32 = 32_767;
/// A feature is floor(d · scale / 2^20).
pub const FEATURE_SHIFT: u32 = 20;

/// The features of one step and the recurrent state they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// One-step return, ticks, clipped.
    pub r0: i32,
    /// Averages after this step, 8 fractional bits.
    pub ema: [i32; 6],
    /// Mean absolute returns after this step, 8 fractional bits.
    pub vol: [i32; 2],
    /// Raw features before scaling, 8 fractional bits, |d| below 2^28.
    pub raw: [i64; FEATURES],
}

impl Features {
    /// Advances the recurrences by one oriented tick.
    #[must_use]
    pub fn of(state: &State, x: i32, weight_bps: i64) -> Self {
        let first = state.step == 0;
        let r0 = if first { 0 } else { (x - state.x).clamp(-RETURN_CLIP, RETURN_CLIP) };
        let fixed = x * 256;
        let mut ema = state.ema;
        for (e, s) in ema.iter_mut().zip(EMA_SHIFTS) {
            *e = if first { fixed } else { *e + ((fixed - *e) >> s) };
        }
        let mut vol = state.vol;
        for (v, s) in vol.iter_mut().zip(VOL_SHIFTS) {
            *v += (r0.abs() * 256 - *v) >> s;
        }
        let [e0, e1, e2, e3, e4, e5] = ema.map(i64::from);
        let [v0, v1] = vol.map(i64::from);
        let (f, r) = (i64::from(fixed), |r: i32| i64::from(r) * 256);
        let raw = [
            r(r0),
            r(state.r1),
            r(state.r2),
            f - e0,
            f - e1,
            f - e2,
            f - e3,
            f - e4,
            f - e5,
            e0 - e2,
            e2 - e4,
            e4 - e5,
            v0,
            v1,
            v0 - v1,
            256 * (weight_bps - 5_000),
        ];
        Self { r0, ema, vol, raw }
    }

    /// The network's inputs: scaled, floored, clamped to −128 … 127.
    #[must_use]
    pub fn scaled(&self, model: &Model) -> [i32; FEATURES] {
        let mut out = [0; FEATURES];
        for ((f, d), scale) in out.iter_mut().zip(self.raw).zip(model.scales) {
            *f = i32::try_from(((d * i64::from(scale)) >> FEATURE_SHIFT).clamp(-128, 127)).unwrap_or(0);
        }
        out
    }
}
