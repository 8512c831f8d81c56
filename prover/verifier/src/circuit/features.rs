//! C6: recurrent features. Twin of `strategy/src/features.rs`.

use super::model::OpenModel;
use super::promise::OpenMandate;
use super::ranges::{CLIPPED, EMA, RETURN, SCALED_RETURN, SCALED_TREND, SCALED_VOL, SCALED_WEIGHT, TICK, VOL};
use super::state::OpenState;
use crate::Scalar;
use crate::gadgets::{clamp, clip, floor_shift, mul, negative, offset_bits, pin, select};
use crate::wire::Wire;
use nova_snark::frontend::{ConstraintSystem, SynthesisError};
use probity_strategy::{EMA_SHIFTS, FEATURE_SHIFT, MAX_X, MIN_X, RETURN_CLIP, VOL_SHIFTS};

/// Twin of `Features`.
pub(super) struct Features {
    pub(super) x: Wire,
    pub(super) r0: Wire,
    pub(super) ema: Vec<Wire>,
    pub(super) vol: Vec<Wire>,
    raw: Vec<Raw>,
}

/// A feature before scaling: its value, the shift that follows the scale, and the width of their product.
struct Raw {
    value: Wire,
    shift: u32,
    width: u32,
}

impl Features {
    /// |tick| < 2^24 is enforced by the clamp; |x| < 2^19, |x − x'| < 2^20, |256x − ema| < 2^28, |256|r0| − vol| < 2^23.
    pub(super) fn of<CS: ConstraintSystem<Scalar>>(
        cs: &mut CS,
        mandate: &OpenMandate,
        state: &OpenState,
        tick: &Wire,
        first: &Wire,
        weight: &Wire,
    ) -> Result<Self, SynthesisError> {
        let oriented = tick.sub(&mul(cs, &mandate.base_is_token1, tick)?.times(2));
        let clamped = clamp(cs, &oriented, MIN_X.into(), MAX_X.into(), TICK)?;
        let x = pin(cs, &clamped)?;
        let ret = clamp(cs, &x.sub(&state.x), (-RETURN_CLIP).into(), RETURN_CLIP.into(), RETURN)?;
        let r0 = mul(cs, &first.not(), &ret)?;
        let fixed = x.times(256);
        let mut ema = Vec::with_capacity(EMA_SHIFTS.len());
        for (e, s) in state.ema.iter().zip(EMA_SHIFTS) {
            let (move_by, _) = floor_shift(cs, &fixed.sub(e), s, EMA)?;
            let next = select(cs, first, &fixed, &e.add(&move_by))?;
            ema.push(pin(cs, &next)?);
        }
        let down = negative(cs, &r0, CLIPPED)?;
        let size = r0.sub(&mul(cs, &down, &r0)?.times(2));
        let mut vol = Vec::with_capacity(VOL_SHIFTS.len());
        for (v, s) in state.vol.iter().zip(VOL_SHIFTS) {
            let (move_by, _) = floor_shift(cs, &size.times(256).sub(v), s, VOL)?;
            vol.push(pin(cs, &v.add(&move_by))?);
        }
        // Whole units are scaled without their 8 fractional bits: floor(256·d·scale / 2^20) = floor(d·scale / 2^12).
        let whole = |value: Wire, width: u32| Raw { value, shift: FEATURE_SHIFT - 8, width };
        let fine = |value: Wire, width: u32| Raw { value, shift: FEATURE_SHIFT, width };
        let mut raw =
            vec![whole(r0.clone(), SCALED_RETURN), whole(state.r1.clone(), SCALED_RETURN), whole(state.r2.clone(), SCALED_RETURN)];
        raw.extend(ema.iter().map(|e| fine(fixed.sub(e), SCALED_TREND)));
        if let [e0, _, e2, _, e4, e5] = ema.as_slice() {
            raw.extend([e0.sub(e2), e2.sub(e4), e4.sub(e5)].map(|d| fine(d, SCALED_TREND)));
        }
        if let [v0, v1] = vol.as_slice() {
            raw.extend([v0.clone(), v1.clone(), v0.sub(v1)].map(|d| fine(d, SCALED_VOL)));
        }
        raw.push(whole(weight.plus(-5_000), SCALED_WEIGHT));
        Ok(Self { x, r0, ema, vol, raw })
    }

    /// clamp(floor(d·scale / 2^shift), −128, 127), with d·scale inside the raw feature's own checked width.
    pub(super) fn scaled<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS, model: &OpenModel) -> Result<Vec<Wire>, SynthesisError> {
        let mut out = Vec::with_capacity(self.raw.len());
        for (raw, scale) in self.raw.iter().zip(&model.scales) {
            let product = mul(cs, &raw.value, scale)?;
            let bits = offset_bits(cs, &product, raw.width)?;
            out.push(clip(cs, &bits, raw.shift)?);
        }
        Ok(out)
    }
}
