//! One step of a swap: within one stretch of constant liquidity, towards a target price.

use super::{
    delta::{after_amount0, after_amount1, amount0, amount1},
    wide::{U256, mul_div, mul_div_up},
};

/// The fee's unit: a hundredth of a basis point.
pub(crate) const PIPS: u32 = 1_000_000;

/// What is left to swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Input, fee included.
    In(U256),
    /// Output.
    Out(U256),
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Root price after it.
    pub(crate) price: U256,
    /// Input without fee.
    pub(crate) amount_in: U256,
    /// Output.
    pub(crate) amount_out: U256,
    /// Fee, in the token given.
    pub(crate) fee: U256,
}

/// Moves the price towards `target` (downwards means token0 comes in) until it is there or nothing is left.
pub(crate) fn step(price: U256, target: U256, liquidity: u128, left: Left, fee_pips: u32) -> Option<Moved> {
    let down = price >= target;
    let given = |to: U256| if down { amount0(to, price, liquidity, true) } else { amount1(price, to, liquidity, true) };
    let taken = |to: U256| if down { amount1(to, price, liquidity, false) } else { amount0(price, to, liquidity, false) };
    let (fee, keep) = (U256::from(fee_pips), U256::from(PIPS.checked_sub(fee_pips)?));
    let next = match left {
        Left::In(amount) => {
            let net = mul_div(amount, keep, U256::from(PIPS))?;
            if net >= given(target)? {
                target
            } else if down {
                after_amount0(price, liquidity, net, true)?
            } else {
                after_amount1(price, liquidity, net, true)?
            }
        }
        Left::Out(amount) => {
            if amount >= taken(target)? {
                target
            } else if down {
                after_amount1(price, liquidity, amount, false)?
            } else {
                after_amount0(price, liquidity, amount, false)?
            }
        }
    };
    let (amount_in, mut amount_out) = (given(next)?, taken(next)?);
    if let Left::Out(amount) = left {
        amount_out = amount_out.min(amount);
    }
    let fee = match left {
        // The last step keeps the whole rest: what rounding left over is fee.
        Left::In(amount) if next != target => amount.checked_sub(amount_in)?,
        _ => mul_div_up(amount_in, fee, keep)?,
    };
    Some(Moved { price: next, amount_in, amount_out, fee })
}
