//! C8: policy and risk. Twin of `strategy/src/policy.rs` and `strategy/src/risk.rs`.

use super::model::OpenModel;
use super::network::Output;
use super::promise::OpenMandate;
use super::ranges::{EDGE, LIFT, MOVE, TURNOVER};
use crate::Scalar;
use crate::gadgets::{clamp, floor_shift, less, min, mul, negative, pin, select};
use crate::wire::Wire;
use nova_snark::frontend::{ConstraintSystem, SynthesisError};

/// The proposed move, bps; 0 unless active. |o| ≤ 2^21 + 2^19, so |edge·gain| < 2^39 and hold·band_gain < 2^38.
pub(super) fn propose<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    model: &OpenModel,
    outputs: &[Output],
    weight: &Wire,
    active: &Wire,
) -> Result<Wire, SynthesisError> {
    let [out, hold, inn] = outputs else { return Err(SynthesisError::Unsatisfiable("three outputs".into())) };
    let edge = mul(cs, &inn.value.sub(&out.value), &model.gain)?;
    let (lift, _) = floor_shift(cs, &edge, 16, EDGE)?;
    let target = clamp(cs, &lift.plus(5_000), 0, 10_000, LIFT)?;
    let hold = mul(cs, &hold.positive, &hold.value)?;
    let widen = mul(cs, &hold, &model.band_gain)?;
    let (widen, _) = floor_shift(cs, &widen, 16, EDGE)?;
    let band = min(cs, &model.band_bps.add(&widen), &Wire::constant(10_000), LIFT)?;
    let change = pin(cs, &target.sub(weight))?;
    let (down, size) = sign_and_size(cs, &change)?;
    let inside = less(cs, &size, &band, MOVE)?;
    let beyond = mul(cs, &inside.not(), &size.sub(&band))?;
    let beyond = min(cs, &beyond, &model.max_step_bps, MOVE)?;
    let beyond = mul(cs, active, &beyond)?;
    Ok(beyond.sub(&mul(cs, &down, &beyond)?.times(2)))
}

/// 1 iff negative, and the absolute value, for |v| < 2^15 (enforced).
fn sign_and_size<CS: ConstraintSystem<Scalar>>(cs: &mut CS, v: &Wire) -> Result<(Wire, Wire), SynthesisError> {
    let down = negative(cs, v, MOVE)?;
    let size = v.sub(&mul(cs, &down, v)?.times(2));
    Ok((down, size))
}

/// Twin of `Approved`: its size in bps and whether it sells.
pub(super) struct Approved {
    pub(super) size: Wire,
    pub(super) sell: Wire,
}

/// The move within every limit.
pub(super) fn approve<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    mandate: &OpenMandate,
    proposed: &Wire,
    weight: &Wire,
    used: &Wire,
    halted: &Wire,
    gap: &Wire,
) -> Result<Approved, SynthesisError> {
    let wanted = select(cs, halted, &weight.neg(), proposed)?;
    let capped = min(cs, &wanted, &mandate.max_weight_bps.sub(weight), MOVE)?;
    let capped = pin(cs, &capped)?;
    let (sell, size) = sign_and_size(cs, &capped)?;
    // used ≤ max_turnover by induction, so what is left is not negative.
    let most = min(cs, &mandate.max_trade_bps, &mandate.max_turnover_bps.sub(used), TURNOVER)?;
    let bounded = min(cs, &size, &most, TURNOVER)?;
    let small = less(cs, &bounded, &mandate.min_trade_bps, MOVE)?;
    let kept = mul(cs, &small.not(), &gap.not())?;
    Ok(Approved { size: mul(cs, &kept, &bounded)?, sell })
}
