//! One step of a swap: within one stretch of constant liquidity, towards a target price.

use super::{
    delta::{after_amount0, after_amount1, amount0, amount1},
    root::{Root, size},
    wide::{mul_div, mul_div_up},
};

/// The fee's unit: a hundredth of a basis point.
pub(crate) const PIPS: u32 = 1_000_000;

/// What is left to swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Input, fee included.
    In(u128),
    /// Output.
    Out(u128),
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Root price after it.
    pub(crate) price: Root,
    /// Input without fee.
    pub(crate) amount_in: u128,
    /// Output.
    pub(crate) amount_out: u128,
    /// Fee, in the token given.
    pub(crate) fee: u128,
}

/// Moves the price towards `target` (downwards means token0 comes in) until it is there or nothing is left.
pub(crate) fn step(price: Root, target: Root, liquidity: u128, left: Left, fee_pips: u32) -> Option<Moved> {
    let down = price >= target;
    let given = |to: Root| if down { amount0(to, price, liquidity, true) } else { amount1(price, to, liquidity, true) };
    let taken = |to: Root| if down { amount1(to, price, liquidity, false) } else { amount0(price, to, liquidity, false) };
    let keep = PIPS.checked_sub(fee_pips)?;
    // What the whole way would take is worked out only where it may be needed: mostly a swap ends well before it.
    let (next, all) = match left {
        Left::In(amount) => {
            let net = mul_div(amount, keep, PIPS)?;
            // More than 128 bits hold is more than there is.
            let all = if far_below(net, price, target, liquidity, down) { None } else { given(target) };
            if all.is_some_and(|all| net >= all) {
                (target, all)
            } else if down {
                (after_amount0(price, liquidity, net, true)?, None)
            } else {
                (after_amount1(price, liquidity, net, true)?, None)
            }
        }
        Left::Out(amount) => {
            let next = if taken(target).is_some_and(|all| amount >= all) {
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
        _ => mul_div_up(amount_in, fee_pips, keep)?,
    };
    Some(Moved { price: next, amount_in, amount_out, fee })
}

/// 2^96.
const UNIT: f64 = 79_228_162_514_264_337_593_543_950_336.0;

/// Whether an input certainly does not reach the target. The estimate is good to a part in 10^14 and the chain's rounding adds
/// at most one unit; a part in 10^6 and four units are left as a margin. `false` says nothing: then the exact sum decides.
fn far_below(net: u128, price: Root, target: Root, liquidity: u128, down: bool) -> bool {
    let (low, high) = if down { (target, price) } else { (price, target) };
    let reach = size(liquidity) * high.above(low).size() * 0.999_999;
    let net = size(net) + 4.0;
    // L·d·2^96 / (high·low) and L·d / 2^96, multiplied out: at most 2^450.
    if down { net * high.size() * low.size() < reach * UNIT } else { net * UNIT < reach }
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
            let root = |tick| Root::of(sqrt_ratio_at_tick(tick).unwrap()).unwrap();
            let (price, target) = (root(from), root(to));
            prop_assume!(price != target);
            let (liquidity, down) = ((seed >> (128 - bits)).max(1), target < price);
            let all = if down { amount0(target, price, liquidity, true) } else { amount1(price, target, liquidity, true) };
            if let Some(all) = all {
                // From exactly all of it to a hair and a lot less.
                let net = if near == 0 { all } else { all - (all >> near) };
                prop_assert!(!far_below(net, price, target, liquidity, down) || net < all);
                let half = all >> 1;
                prop_assert!(all < 100 || far_below(half, price, target, liquidity, down));
                prop_assert!(!far_below(all, price, target, liquidity, down) && !far_below(all.saturating_add(1), price, target, liquidity, down));
            }
        }
    }
}
