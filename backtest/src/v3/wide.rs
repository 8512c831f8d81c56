//! 256-bit arithmetic with a 512-bit middle: products and quotients that are never rounded by accident.

use ruint::Uint;

/// A 256-bit unsigned integer.
pub type U256 = Uint<256, 4>;
#[cfg(test)]
pub(crate) type U512 = Uint<512, 8>;

/// A small number.
pub(crate) fn wide(v: u128) -> U256 {
    U256::from(v)
}

/// The number, if it fits.
pub(crate) fn narrow(v: U256) -> Option<u128> {
    u128::try_from(v).ok()
}

/// The lower 64 bits.
#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "the lower half is what is wanted")]
const fn low(v: u128) -> u64 {
    v as u64
}

/// The upper 64 bits.
const fn high(v: u128) -> u64 {
    low(v >> 64)
}

pub(crate) const fn join(high: u64, low: u64) -> u128 {
    ((high as u128) << 64) | low as u128
}

/// The limbs of 128 bits.
pub(crate) const fn limbs(v: u128) -> [u64; 2] {
    [low(v), high(v)]
}

/// The product of two numbers in limbs; C is A + B.
pub(crate) fn product<const A: usize, const B: usize, const C: usize>(a: [u64; A], b: [u64; B]) -> [u64; C] {
    let mut out = [0; C];
    for i in 0..A {
        let mut carry = 0;
        for j in 0..B {
            // At most (2^64 − 1)² + 2·(2^64 − 1), which is 2^128 − 1.
            let sum = u128::from(a[i]).wrapping_mul(u128::from(b[j])).wrapping_add(u128::from(out[i + j])).wrapping_add(u128::from(carry));
            (out[i + j], carry) = (low(sum), high(sum));
        }
        out[i + B] = carry;
    }
    out
}

/// Five limbs times 2^96.
pub(crate) const fn shifted_96([a, b, c, d, e]: [u64; 5]) -> [u64; 8] {
    [0, a << 32, low(join(b, a) >> 32), low(join(c, b) >> 32), low(join(d, c) >> 32), low(join(e, d) >> 32), e >> 32, 0]
}

/// Quotient and whether something is left (Knuth, volume 2, 4.3.1, algorithm D); none if d is 0. Of a divisor, limbs above
/// its highest set one do not cost anything.
#[inline]
pub(crate) fn divide<const D: usize>(dividend: [u64; 8], d: [u64; D]) -> Option<([u64; 8], bool)> {
    let n = d.iter().rposition(|l| *l != 0)? + 1;
    let part = |i: usize| d.get(i).copied().unwrap_or(0);
    let m = dividend.iter().rposition(|l| *l != 0).map_or(0, |i| i + 1);
    Some(match n {
        1 => by_limb(dividend, m, part(0)),
        _ if m < n => ([0; 8], m > 0),
        2 => by_limbs(dividend, m, [part(0), part(1)]),
        3 => by_limbs(dividend, m, [part(0), part(1), part(2)]),
        4 => by_limbs(dividend, m, [part(0), part(1), part(2), part(3)]),
        _ => by_limbs(dividend, m, [part(0), part(1), part(2), part(3), part(4)]),
    })
}

/// The same by one limb that is not 0.
fn by_limb(dividend: [u64; 8], m: usize, d: u64) -> ([u64; 8], bool) {
    let (mut quotient, mut rest) = ([0u64; 8], 0u64);
    for j in (0..m).rev() {
        (quotient[j], rest) = two_by_one(join(rest, dividend[j]), d);
    }
    (quotient, rest != 0)
}

/// Quotient and rest by one limb, where the quotient is known to fit one.
fn two_by_one(u: u128, d: u64) -> (u64, u64) {
    let q = low(u / u128::from(d));
    (q, low(u).wrapping_sub(q.wrapping_mul(d)))
}

/// The same by two limbs or more, the highest not 0, of a dividend of `m` limbs, not fewer.
fn by_limbs<const N: usize>(dividend: [u64; 8], m: usize, mut v: [u64; N]) -> ([u64; 8], bool) {
    let shift = v[N - 1].leading_zeros();
    let mut u = [0u64; 9];
    u[..8].copy_from_slice(&dividend);
    if shift > 0 {
        for i in (1..N).rev() {
            v[i] = (v[i] << shift) | (v[i - 1] >> (64 - shift));
        }
        v[0] <<= shift;
        for i in (1..=m).rev() {
            u[i] = (u[i] << shift) | (u[i - 1] >> (64 - shift));
        }
        u[0] <<= shift;
    }
    let mut quotient = [0u64; 8];
    for j in (0..=m - N).rev() {
        if let Some(window) = u.get_mut(j..=j + N) {
            quotient[j] = digit(window, &v);
        }
    }
    (quotient, u.iter().take(N).any(|l| *l != 0))
}

/// One limb of the quotient; its multiple of the divisor is taken from the `N + 1` limbs of the dividend.
#[inline(always)]
fn digit<const N: usize>(u: &mut [u64], v: &[u64; N]) -> u64 {
    let (top, second) = (v[N - 1], v[N - 2]);
    let (first, next, third) = (u[N], u[N - 1], u[N - 2]);
    if first == 0 && next < top {
        return 0;
    }
    // The head is at most top·2^64 + (2^64 − 1): the guess is at most two too large, and a word but for one case.
    let (mut guess, mut over) = if first >= top {
        (u64::MAX, next.checked_add(top))
    } else {
        let (q, r) = two_by_one(join(first, next), top);
        (q, Some(r))
    };
    while let Some(r) = over
        && u128::from(guess).wrapping_mul(u128::from(second)) > join(r, third)
    {
        guess -= 1;
        over = r.checked_add(top);
    }
    let (mut carry, mut borrow) = (0u64, false);
    for i in 0..N {
        let part = u128::from(guess).wrapping_mul(u128::from(v[i])).wrapping_add(u128::from(carry));
        carry = high(part);
        let (less, b1) = u[i].overflowing_sub(low(part));
        let (less, b2) = less.overflowing_sub(u64::from(borrow));
        (u[i], borrow) = (less, b1 || b2);
    }
    let (less, b1) = u[N].overflowing_sub(carry);
    let (less, b2) = less.overflowing_sub(u64::from(borrow));
    u[N] = less;
    if b1 || b2 {
        // One too many: the divisor goes back once.
        guess -= 1;
        let mut carry = false;
        for i in 0..N {
            let (more, c1) = u[i].overflowing_add(v[i]);
            let (more, c2) = more.overflowing_add(u64::from(carry));
            (u[i], carry) = (more, c1 || c2);
        }
        u[N] = u[N].wrapping_add(u64::from(carry));
    }
    guess
}

/// The number, if it fits 256 bits.
pub(crate) const fn whole(limbs: [u64; 8]) -> Option<U256> {
    let [a, b, c, d, 0, 0, 0, 0] = limbs else { return None };
    Some(U256::from_limbs([a, b, c, d]))
}

/// floor(a·b / d) and whether something was left; none if d is 0 or the result leaves 128 bits.
fn divided(a: u128, b: u32, d: u32) -> Option<(u128, bool)> {
    if d == 0 {
        return None;
    }
    if let Some(product) = a.checked_mul(u128::from(b)) {
        let q = product / u128::from(d);
        return Some((q, product != q.wrapping_mul(u128::from(d))));
    }
    let [x, y, z] = product(limbs(a), [u64::from(b)]);
    let (q, rest) = by_limb([x, y, z, 0, 0, 0, 0, 0], 3, u64::from(d));
    Some((narrow(whole(q)?)?, rest))
}

/// floor(a / d); 0 if d is 0.
pub(crate) fn quotient(a: U256, d: U256) -> U256 {
    let [x, y, z, w] = *a.as_limbs();
    divide([x, y, z, w, 0, 0, 0, 0], *d.as_limbs()).and_then(|(q, _)| whole(q)).unwrap_or(U256::ZERO)
}

/// floor(a·b / 2^96) and whether something was left.
pub(crate) fn mul_shift_96(a: u128, b: [u64; 3]) -> (U256, bool) {
    let [v, w, x, y, z]: [u64; 5] = product(limbs(a), b);
    let q = [low(join(x, w) >> 32), low(join(y, x) >> 32), low(join(z, y) >> 32), z >> 32];
    (U256::from_limbs(q), v != 0 || w << 32 != 0)
}

/// floor(a·b / d).
pub(crate) fn mul_div(a: u128, b: u32, d: u32) -> Option<u128> {
    Some(divided(a, b, d)?.0)
}

/// ceil(a·b / d).
pub(crate) fn mul_div_up(a: u128, b: u32, d: u32) -> Option<u128> {
    let (q, rest) = divided(a, b, d)?;
    if rest { q.checked_add(1) } else { Some(q) }
}

/// One more where something was left.
pub(crate) fn up((q, rest): (U256, bool)) -> Option<U256> {
    if rest { q.checked_add(U256::ONE) } else { Some(q) }
}

/// ceil(a / d).
pub(crate) fn div_up(a: U256, d: U256) -> Option<U256> {
    let [x, y, z, w] = *a.as_limbs();
    let (q, rest) = divide([x, y, z, w, 0, 0, 0, 0], *d.as_limbs())?;
    up((whole(q)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_wide() -> impl Strategy<Value = U256> {
        (prop::array::uniform4(any::<u64>()), 0usize..256).prop_map(|(limbs, shift)| U256::from_limbs(limbs) >> shift)
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
            let (narrow, root) = (join(a.as_limbs()[1], a.as_limbs()[0]), [b.as_limbs()[0], b.as_limbs()[1], b.as_limbs()[2]]);
            let of_96 = U512::from(wide(narrow)) * U512::from(U256::from_limbs([root[0], root[1], root[2], 0]));
            let (q, rest) = mul_shift_96(narrow, root);
            prop_assert_eq!((U512::from(q), rest), (of_96 >> 96, of_96 & ((U512::ONE << 96) - U512::ONE) != U512::ZERO));
            prop_assert_eq!(U512::from_limbs(shifted_96(super::product(limbs(narrow), root))), of_96 << 96);
            prop_assert_eq!(U512::from_limbs(super::product(*a.as_limbs(), *b.as_limbs())), product);
            // A divisor of five limbs, and a dividend of eight.
            let [e0, e1, e2, e3] = *d.as_limbs();
            let five = [b.as_limbs()[0], e0, e1, e2, e3];
            let long = U512::from_limbs([five[0], e0, e1, e2, e3, 0, 0, 0]);
            let expected = if long.is_zero() { None } else { let (q, r) = product.div_rem(long); Some((*q.as_limbs(), !r.is_zero())) };
            prop_assert_eq!(divide(*product.as_limbs(), five), expected);
            prop_assert_eq!(div_up(a, d), if d.is_zero() { None } else { let (q, r) = a.div_rem(d); if r.is_zero() { Some(q) } else { q.checked_add(U256::ONE) } });
        }
    }

    proptest! {
        #[test]
        fn shares_of_an_amount_are_exact(a in any::<u128>(), shift in 0u32..128, b in any::<u32>(), d in any::<u32>()) {
            let (a, all) = (a >> shift, U256::from(a >> shift) * U256::from(b));
            let plain = (d > 0).then(|| all.div_rem(U256::from(d)));
            prop_assert_eq!(mul_div(a, b, d), plain.and_then(|(q, _)| narrow(q)));
            prop_assert_eq!(mul_div_up(a, b, d), plain.and_then(|(q, r)| narrow(if r.is_zero() { q } else { q + U256::ONE })));
        }
    }

    #[test]
    fn edges() {
        assert_eq!(mul_div(u128::MAX, u32::MAX, u32::MAX), Some(u128::MAX));
        assert_eq!((mul_div(u128::MAX, 2, 1), mul_div(1, 1, 0)), (None, None));
        assert_eq!(mul_div_up(7, 3, 2), Some(11));
        assert_eq!(div_up(U256::from(7), U256::from(2)), Some(U256::from(4)));
        assert_eq!(div_up(U256::from(7), U256::ZERO), None);
        assert_eq!(narrow(wide(u128::MAX)), Some(u128::MAX));
        assert_eq!(narrow(wide(u128::MAX) + U256::ONE), None);
    }
}
