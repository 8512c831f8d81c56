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
    // What the whole way would take is worked out only where it may be needed: mostly a swap ends well before it.
    let (next, all) = match left {
        Left::In(amount) => {
            let net = mul_div(amount, keep, U256::from(PIPS))?;
            let all = if far_below(net, price, target, liquidity, down) { None } else { Some(given(target)?) };
            if all.is_some_and(|all| net >= all) {
                (target, all)
            } else if down {
                (after_amount0(price, liquidity, net, true)?, None)
            } else {
                (after_amount1(price, liquidity, net, true)?, None)
            }
        }
        Left::Out(amount) => {
            let next = if amount >= taken(target)? {
                target
            } else if down {
                after_amount1(price, liquidity, amount, false)?
            } else {
                after_amount0(price, liquidity, amount, false)?
            };
            (next, None)
        }
    };
    let amount_in = match all {
        Some(all) => all,
        None => given(next)?,
    };
    let mut amount_out = taken(next)?;
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

/// The size of a number, to about 50 bits.
fn size(v: U256) -> f64 {
    let [a, b, c, d] = v.as_limbs().map(float);
    ((d * WORD + c) * WORD + b) * WORD + a
}

const WORD: f64 = 18_446_744_073_709_551_616.0;

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "an estimate with a margin of a millionth")]
fn float(v: u64) -> f64 {
    v as f64
}

/// Whether an input certainly does not reach the target. The estimate is good to a part in 10^14 and the chain's rounding adds
/// at most one unit; a part in 10^6 and four units are left as a margin. `false` says nothing: then the exact sum decides.
fn far_below(net: U256, price: U256, target: U256, liquidity: u128, down: bool) -> bool {
    let (low, high) = if down { (target, price) } else { (price, target) };
    let distance = size(high.saturating_sub(low));
    let (root, liquidity) = (WORD * 4_294_967_296.0, size(U256::from(liquidity)));
    let all = if down { liquidity * root * (distance / size(high)) / size(low) } else { liquidity * distance / root };
    size(net) < all * 0.999_999 - 4.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v3::{MAX_TICK, MIN_TICK, sqrt_ratio_at_tick};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Far below is below; and well below is known to be far below.
        #[test]
        fn what_is_far_below_does_not_reach(
            from in MIN_TICK + 1..MAX_TICK - 1, span in 1i32..60_000, bits in 1u32..128, seed in any::<u128>(), near in 0u32..40, up in any::<bool>(),
        ) {
            let to = if up { (from + span).min(MAX_TICK - 1) } else { (from - span).max(MIN_TICK + 1) };
            let (price, target) = (sqrt_ratio_at_tick(from).unwrap(), sqrt_ratio_at_tick(to).unwrap());
            prop_assume!(price != target);
            let (liquidity, down) = ((seed >> (128 - bits)).max(1), target < price);
            let all = if down { amount0(target, price, liquidity, true) } else { amount1(price, target, liquidity, true) };
            if let Some(all) = all {
                // From exactly all of it to a hair and a lot less.
                let net = if near == 0 { all } else { all - (all >> usize::try_from(near).unwrap()) };
                prop_assert!(!far_below(net, price, target, liquidity, down) || net < all);
                let half: U256 = all >> 1usize;
                prop_assert!(all < U256::from(100) || far_below(half, price, target, liquidity, down));
                prop_assert!(!far_below(all, price, target, liquidity, down) && !far_below(all + U256::ONE, price, target, liquidity, down));
            }
        }
    }
}
