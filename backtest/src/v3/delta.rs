//! Amounts between two root prices, and the root price an amount moves to (white paper §6.2.3).
//!
//! All take liquidity L and root prices in Q64.96. None where the chain's arithmetic would revert, and where an amount
//! leaves 128 bits.

use super::{
    Root,
    wide::{U256, div_up, divide, limbs, mul_shift_96, narrow, product, shifted_96, up as rounded_up, whole, wide},
};

fn sorted(a: Root, b: Root) -> (Root, Root) {
    if a <= b { (a, b) } else { (b, a) }
}

/// Token0 between two root prices: L·(1/√low − 1/√high).
///
/// The chain divides twice, by high and then by low, and rounds the same way both times; so a single division by their
/// product rounds to the same number.
pub(crate) fn amount0(a: Root, b: Root, liquidity: u128, up: bool) -> Option<u128> {
    let (low, high) = sorted(a, b);
    let above = shifted_96(product(limbs(liquidity), high.above(low).limbs()));
    // Twice 160 bits: the last limb is 0.
    let [p, q, r, s, t, _]: [u64; 6] = product(low.limbs(), high.limbs());
    let (q, rest) = divide(above, [p, q, r, s, t])?;
    let q = narrow(whole(q)?)?;
    if up && rest { q.checked_add(1) } else { Some(q) }
}

/// Token1 between two root prices: L·(√high − √low).
pub(crate) fn amount1(a: Root, b: Root, liquidity: u128, up: bool) -> Option<u128> {
    let (low, high) = sorted(a, b);
    let (q, rest) = mul_shift_96(liquidity, high.above(low).limbs());
    let q = narrow(q)?;
    if up && rest { q.checked_add(1) } else { Some(q) }
}

/// The root price after `amount` of token0 has come in (`add`) or gone out, rounded up: 1/(1/√p ± amount/L).
pub(crate) fn after_amount0(price: Root, liquidity: u128, amount: u128, add: bool) -> Option<Root> {
    if amount == 0 {
        return Some(price);
    }
    let scaled: U256 = wide(liquidity) << 96;
    let over = |denominator: U256| {
        let (q, rest) = divide(shifted_96(product(limbs(liquidity), price.limbs())), *denominator.as_limbs())?;
        Root::of(rounded_up((whole(q)?, rest))?)
    };
    let weight = match product(limbs(amount), price.limbs()) {
        [a, b, c, d, 0] => Some(U256::from_limbs([a, b, c, d])),
        _ => None,
    };
    if add {
        if let Some(denominator) = weight.and_then(|p| scaled.checked_add(p)) {
            return over(denominator);
        }
        // Too large for one product: the same with less precision, as the chain does it.
        Root::of(div_up(scaled, (scaled / price.wide()).checked_add(wide(amount))?)?)
    } else {
        over(scaled.checked_sub(weight?).filter(|v| !v.is_zero())?)
    }
}

/// The root price after `amount` of token1 has come in (`add`) or gone out, rounded down: √p ± amount/L.
pub(crate) fn after_amount1(price: Root, liquidity: u128, amount: u128, add: bool) -> Option<Root> {
    let [a, b] = limbs(amount);
    let (q, rest) = divide(shifted_96([a, b, 0, 0, 0]), limbs(liquidity))?;
    let q = whole(q)?;
    if add {
        Root::of(price.wide().checked_add(q)?)
    } else {
        Root::of(price.wide().checked_sub(rounded_up((q, rest))?).filter(|p| !p.is_zero())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v3::{MAX_TICK, MIN_TICK, sqrt_ratio_at_tick, wide::U512};
    use proptest::prelude::*;

    fn fits(v: U512) -> Option<U256> {
        <U256 as ruint::UintTryFrom<U512>>::uint_try_from(v).ok()
    }

    /// The chain's `mulDiv`, by the library's division.
    fn plain(a: U256, b: U256, d: U256, up: bool) -> Option<U256> {
        let product: U512 = a.widening_mul(b);
        let (q, r) = product.div_rem(U512::from(d));
        fits(if up && !r.is_zero() { q + U512::ONE } else { q })
    }

    /// As the chain writes it: one division after the other, in 256 bits.
    fn amount0_plain(low: U256, high: U256, liquidity: u128, up: bool) -> Option<u128> {
        let first = plain(wide(liquidity) << 96, high - low, high, up)?;
        let (q, r) = first.div_rem(low);
        narrow(if up && !r.is_zero() { q + U256::ONE } else { q })
    }

    fn after0_plain(price: U256, liquidity: u128, amount: u128, add: bool) -> Option<U256> {
        if amount == 0 {
            return Some(price);
        }
        let scaled: U256 = wide(liquidity) << 96;
        let weight = wide(amount).checked_mul(price);
        if add {
            if let Some(d) = weight.and_then(|w| scaled.checked_add(w)) {
                return plain(scaled, price, d, true);
            }
            let d = scaled / price + wide(amount);
            let (q, r) = scaled.div_rem(d);
            Some(if r.is_zero() { q } else { q + U256::ONE })
        } else {
            let left = scaled.checked_sub(weight?).filter(|v| !v.is_zero())?;
            plain(scaled, price, left, true).filter(|p| p.bit_len() <= 160)
        }
    }

    fn after1_plain(price: U256, liquidity: u128, amount: u128, add: bool) -> Option<U256> {
        let moved = plain(wide(amount), U256::ONE << 96, wide(liquidity), !add)?;
        let to = if add { price.checked_add(moved)? } else { price.checked_sub(moved)? };
        (!to.is_zero() && to.bit_len() <= 160).then_some(to)
    }

    fn sized() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0u32..128).prop_map(|(v, shift)| (v >> shift).max(1))
    }

    fn price() -> impl Strategy<Value = U256> {
        (MIN_TICK..MAX_TICK, any::<u64>()).prop_map(|(tick, part)| {
            let (at, next) = (sqrt_ratio_at_tick(tick).unwrap(), sqrt_ratio_at_tick(tick + 1).unwrap());
            at + (((next - at) * U256::from(part)) >> 64)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn one_division_is_the_chains_two(a in price(), b in price(), near in 0usize..170, liquidity in sized(), up in any::<bool>()) {
            // Far apart, and as near as makes the difference small.
            let b = if near < 160 { a + ((b - b.min(a)) >> near) } else { b };
            prop_assume!(b.bit_len() <= 160);
            let (low, high) = (a.min(b), a.max(b));
            let (x, y) = (Root::of(a).unwrap(), Root::of(b).unwrap());
            prop_assert_eq!(amount0(x, y, liquidity, up), amount0_plain(low, high, liquidity, up));
            prop_assert_eq!(amount1(x, y, liquidity, up), plain(wide(liquidity), high - low, U256::ONE << 96, up).and_then(narrow));
        }

        #[test]
        fn moved_prices_are_the_chains(at in price(), liquidity in sized(), amount in sized(), add in any::<bool>(), all in any::<bool>()) {
            // Also around the amount that would empty the liquidity.
            let amount = if all { amount0_plain(at, U256::ONE << 160, liquidity, false).map_or(amount, |v| v.saturating_add(amount % 3)) } else { amount };
            let root = Root::of(at).unwrap();
            let (zero, one) = (after_amount0(root, liquidity, amount, add), after_amount1(root, liquidity, amount, add));
            prop_assert_eq!(zero.map(Root::wide), after0_plain(at, liquidity, amount, add));
            prop_assert_eq!(one.map(Root::wide), after1_plain(at, liquidity, amount, add));
        }
    }
}
