//! 256-bit arithmetic with a 512-bit middle: products and quotients that are never rounded by accident.

use ruint::{Uint, UintTryFrom};

/// A 256-bit unsigned integer.
pub type U256 = Uint<256, 4>;
type U512 = Uint<512, 8>;

/// 2^96.
pub(crate) const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

/// A small number.
pub(crate) fn wide(v: u128) -> U256 {
    U256::from(v)
}

/// The number, if it fits.
pub(crate) fn narrow(v: U256) -> Option<u128> {
    u128::try_from(v).ok()
}

/// floor(a·b / d) and whether something was left; none if d is 0 or the result leaves 256 bits.
fn divided(a: U256, b: U256, d: U256) -> Option<(U256, bool)> {
    if d.is_zero() {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        let (q, r) = product.div_rem(d);
        return Some((q, !r.is_zero()));
    }
    let product: U512 = a.widening_mul(b);
    let (q, r) = product.div_rem(U512::from(d));
    Some((U256::uint_try_from(q).ok()?, !r.is_zero()))
}

/// floor(a·b / d).
pub(crate) fn mul_div(a: U256, b: U256, d: U256) -> Option<U256> {
    Some(divided(a, b, d)?.0)
}

/// ceil(a·b / d).
pub(crate) fn mul_div_up(a: U256, b: U256, d: U256) -> Option<U256> {
    let (q, rest) = divided(a, b, d)?;
    if rest { q.checked_add(U256::ONE) } else { Some(q) }
}

/// ceil(a / d).
pub(crate) fn div_up(a: U256, d: U256) -> Option<U256> {
    if d.is_zero() {
        return None;
    }
    let (q, r) = a.div_rem(d);
    if r.is_zero() { Some(q) } else { q.checked_add(U256::ONE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_wide() -> impl Strategy<Value = U256> {
        (prop::array::uniform4(any::<u64>()), 0usize..256).prop_map(|(limbs, shift)| U256::from_limbs(limbs) >> shift)
    }

    proptest! {
        #[test]
        fn quotients_are_exact(a in any_wide(), b in any_wide(), d in any_wide()) {
            let product: U512 = a.widening_mul(b);
            match (mul_div(a, b, d), mul_div_up(a, b, d)) {
                (Some(down), up) => {
                    let wide = |v: U256| U512::from(v);
                    let low: U512 = down.widening_mul(d);
                    prop_assert!(low <= product && product - low < wide(d));
                    let more = low != product;
                    prop_assert_eq!(up, down.checked_add(U256::from(u8::from(more))));
                    if b == U256::ONE { prop_assert_eq!(div_up(a, d), up); }
                }
                (None, up) => {
                    prop_assert_eq!(up, None);
                    prop_assert!(d.is_zero() || product / U512::from(d) > U512::from(U256::MAX));
                }
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(mul_div(U256::MAX, U256::MAX, U256::MAX), Some(U256::MAX));
        assert_eq!(mul_div(U256::MAX, U256::from(2), U256::ONE), None);
        assert_eq!(mul_div(U256::ONE, U256::ONE, U256::ZERO), None);
        assert_eq!(mul_div_up(U256::MAX, U256::MAX - U256::ONE, U256::MAX), Some(U256::MAX - U256::ONE));
        assert_eq!(mul_div_up(U256::from(7), U256::from(3), U256::from(2)), Some(U256::from(11)));
        assert_eq!(div_up(U256::from(7), U256::from(2)), Some(U256::from(4)));
        assert_eq!(div_up(U256::from(7), U256::ZERO), None);
        assert_eq!(Q96, U256::ONE << 96);
        assert_eq!(narrow(wide(u128::MAX)), Some(u128::MAX));
        assert_eq!(narrow(wide(u128::MAX) + U256::ONE), None);
    }
}
