//! 256-bit arithmetic with a 512-bit middle: products and quotients that are never rounded by accident.

use ruint::Uint;

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

/// The lower 64 bits.
fn low(v: u128) -> u64 {
    u64::try_from(v & u128::from(u64::MAX)).unwrap_or(0)
}

/// Quotient and whether something is left, limb by limb (Knuth, volume 2, 4.3.1, algorithm D); none if d is 0 or the
/// quotient leaves 256 bits.
fn divide(dividend: [u64; 8], d: U256) -> Option<(U256, bool)> {
    let mut v = *d.as_limbs();
    let n = v.iter().rposition(|l| *l != 0)? + 1;
    let m = dividend.iter().rposition(|l| *l != 0).map_or(0, |i| i + 1);
    let mut quotient = [0u64; 8];
    if n == 1 {
        let mut rest = 0u64;
        for j in (0..m).rev() {
            let part = (u128::from(rest) << 64) | u128::from(dividend[j]);
            (quotient[j], rest) = (low(part / u128::from(v[0])), low(part % u128::from(v[0])));
        }
        return whole(&quotient).map(|q| (q, rest != 0));
    }
    if m < n {
        return Some((U256::ZERO, m > 0));
    }
    let shift = v[n - 1].leading_zeros();
    let mut u = [0u64; 9];
    u[..8].copy_from_slice(&dividend);
    if shift > 0 {
        for i in (1..n).rev() {
            v[i] = (v[i] << shift) | (v[i - 1] >> (64 - shift));
        }
        v[0] <<= shift;
        for i in (1..=m).rev() {
            u[i] = (u[i] << shift) | (u[i - 1] >> (64 - shift));
        }
        u[0] <<= shift;
    }
    let (top, second) = (u128::from(v[n - 1]), u128::from(v[n - 2]));
    for j in (0..=m - n).rev() {
        let head = (u128::from(u[j + n]) << 64) | u128::from(u[j + n - 1]);
        // The head is at most top·2^64 + (2^64 − 1): the guess is at most two too large, and a word but for one case.
        let (mut guess, mut over) =
            if u128::from(u[j + n]) >= top { (u128::from(u64::MAX), head - u128::from(u64::MAX) * top) } else { (head / top, head % top) };
        while over >> 64 == 0 && guess * second > (over << 64) | u128::from(u[j + n - 2]) {
            guess -= 1;
            over += top;
        }
        let (mut carry, mut borrow) = (0u128, false);
        for i in 0..n {
            let product = guess * u128::from(v[i]) + carry;
            carry = product >> 64;
            let (less, b1) = u[i + j].overflowing_sub(low(product));
            let (less, b2) = less.overflowing_sub(u64::from(borrow));
            (u[i + j], borrow) = (less, b1 || b2);
        }
        let (less, b1) = u[j + n].overflowing_sub(low(carry));
        let (less, b2) = less.overflowing_sub(u64::from(borrow));
        u[j + n] = less;
        if b1 || b2 {
            // One too many: the divisor goes back once.
            guess -= 1;
            let mut carry = false;
            for i in 0..n {
                let (more, c1) = u[i + j].overflowing_add(v[i]);
                let (more, c2) = more.overflowing_add(u64::from(carry));
                (u[i + j], carry) = (more, c1 || c2);
            }
            u[j + n] = u[j + n].wrapping_add(u64::from(carry));
        }
        quotient[j] = low(guess);
    }
    whole(&quotient).map(|q| (q, u[..n].iter().any(|l| *l != 0)))
}

fn whole(limbs: &[u64; 8]) -> Option<U256> {
    let [a, b, c, d, 0, 0, 0, 0] = *limbs else { return None };
    Some(U256::from_limbs([a, b, c, d]))
}

/// floor(a·b / d) and whether something was left; none if d is 0 or the result leaves 256 bits.
fn divided(a: U256, b: U256, d: U256) -> Option<(U256, bool)> {
    if let ([a0, a1, 0, 0], [b0, 0, 0, 0], [d0, 0, 0, 0]) = (a.as_limbs(), b.as_limbs(), d.as_limbs())
        && *d0 > 0
        && let Some(product) = ((u128::from(*a1) << 64) | u128::from(*a0)).checked_mul(u128::from(*b0))
    {
        return Some((wide(product / u128::from(*d0)), product % u128::from(*d0) != 0));
    }
    let product: U512 = a.widening_mul(b);
    divide(*product.as_limbs(), d)
}

/// floor(a / d); 0 if d is 0.
pub(crate) fn quotient(a: U256, d: U256) -> U256 {
    let [x, y, z, w] = *a.as_limbs();
    divide([x, y, z, w, 0, 0, 0, 0], d).map_or(U256::ZERO, |(q, _)| q)
}

/// floor(a·b / 2^96) and whether something was left; none if the result leaves 256 bits.
pub(crate) fn mul_shift_96(a: U256, b: U256) -> Option<(U256, bool)> {
    let product: U512 = a.widening_mul(b);
    let l = product.as_limbs();
    let join = |low: u64, high: u64| (low >> 32) | (high << 32);
    let q = [join(l[1], l[2]), join(l[2], l[3]), join(l[3], l[4]), join(l[4], l[5]), join(l[5], l[6]), join(l[6], l[7]), l[7] >> 32, 0];
    whole(&q).map(|q| (q, l[0] != 0 || l[1] << 32 != 0))
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
    let [x, y, z, w] = *a.as_limbs();
    let (q, rest) = divide([x, y, z, w, 0, 0, 0, 0], d)?;
    if rest { q.checked_add(U256::ONE) } else { Some(q) }
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn limb_by_limb_is_the_librarys_division(
            a in any_wide(), b in any_wide(), d in any_wide(), ones in 0u32..8, top in any::<bool>(),
        ) {
            // Limbs of all ones and of one bit are where a guess is wrong by two.
            let edge = |v: U256, i: u32| { let mut l = *v.as_limbs(); if ones >> i & 1 == 1 { l[usize::try_from(i).unwrap()] = if top { u64::MAX } else { 1 << 63 }; } U256::from_limbs(l) };
            let (a, b, d) = (edge(a, 0), edge(b, 1), edge(edge(d, 1), 2));
            let product: U512 = a.widening_mul(b);
            let plain = |d: U256| if d.is_zero() { None } else {
                let (q, r) = product.div_rem(U512::from(d));
                <U256 as ruint::UintTryFrom<U512>>::uint_try_from(q).ok().map(|q| (q, !r.is_zero()))
            };
            prop_assert_eq!(divided(a, b, d), plain(d));
            prop_assert_eq!(mul_shift_96(a, b), plain(Q96));
            prop_assert_eq!(div_up(a, d), if d.is_zero() { None } else { let (q, r) = a.div_rem(d); if r.is_zero() { Some(q) } else { q.checked_add(U256::ONE) } });
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
