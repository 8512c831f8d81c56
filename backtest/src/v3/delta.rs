//! Amounts between two root prices, and the root price an amount moves to (white paper §6.2.3).
//!
//! All take liquidity L and root prices in Q64.96; none where the chain's arithmetic would revert.

use super::wide::{Q96, U256, div_up, mul_div, mul_div_up, mul_shift_96, wide};

fn sorted(a: U256, b: U256) -> (U256, U256) {
    if a <= b { (a, b) } else { (b, a) }
}

/// Token0 between two root prices: L·(1/√low − 1/√high).
pub(crate) fn amount0(a: U256, b: U256, liquidity: u128, up: bool) -> Option<U256> {
    let (low, high) = sorted(a, b);
    let (scaled, distance): (U256, U256) = (wide(liquidity) << 96, high - low);
    if low.is_zero() {
        return None;
    }
    if up { div_up(mul_div_up(scaled, distance, high)?, low) } else { Some(mul_div(scaled, distance, high)? / low) }
}

/// Token1 between two root prices: L·(√high − √low).
pub(crate) fn amount1(a: U256, b: U256, liquidity: u128, up: bool) -> Option<U256> {
    let (low, high) = sorted(a, b);
    let (q, rest) = mul_shift_96(wide(liquidity), high - low)?;
    if up && rest { q.checked_add(U256::ONE) } else { Some(q) }
}

/// The root price after `amount` of token0 has come in (`add`) or gone out, rounded up: 1/(1/√p ± amount/L).
pub(crate) fn after_amount0(price: U256, liquidity: u128, amount: U256, add: bool) -> Option<U256> {
    if amount.is_zero() {
        return Some(price);
    }
    let scaled: U256 = wide(liquidity) << 96;
    let product = amount.checked_mul(price);
    if add {
        if let Some(denominator) = product.and_then(|p| scaled.checked_add(p)) {
            return mul_div_up(scaled, price, denominator);
        }
        // Too large for one product: the same with less precision, as the chain does it.
        div_up(scaled, (scaled / price).checked_add(amount)?)
    } else {
        let left = scaled.checked_sub(product?).filter(|v| !v.is_zero())?;
        mul_div_up(scaled, price, left).filter(|p| p.bit_len() <= 160)
    }
}

/// The root price after `amount` of token1 has come in (`add`) or gone out, rounded down: √p ± amount/L.
pub(crate) fn after_amount1(price: U256, liquidity: u128, amount: U256, add: bool) -> Option<U256> {
    let l = wide(liquidity);
    if add {
        price.checked_add(mul_div(amount, Q96, l)?).filter(|p| p.bit_len() <= 160)
    } else {
        price.checked_sub(mul_div_up(amount, Q96, l)?).filter(|p| !p.is_zero())
    }
}
