//! Scalars as a sign and limbs, and their signed digits.

use crate::field;
use ff::PrimeField;
use rayon::prelude::*;

/// A scalar as `±limbs`, whichever of the two has the smaller limbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Least significant first.
    pub(crate) limbs: [u64; 4],
    pub(crate) negative: bool,
}

impl Signed {
    pub(crate) const ZERO: Self = Self::small(0);

    /// Of a scalar whose encoding is 32 bytes, least significant first, as both curves' are.
    pub(crate) fn limbs<F: PrimeField>(scalar: &F) -> [u64; 4] {
        field::limbs(scalar.to_repr().as_ref())
    }

    /// Whichever of a scalar and its negative is shorter.
    pub(crate) fn of<F: PrimeField>(scalar: &F) -> Self {
        let positive = Self::limbs(scalar);
        // A half of the order is at least 2^252: what is shorter need not be compared with its negative.
        if positive[3] >> 60 == 0 {
            return Self { limbs: positive, negative: false };
        }
        let negative = Self::limbs(&-*scalar);
        if negative.iter().rev().lt(positive.iter().rev()) {
            Self { limbs: negative, negative: true }
        } else {
            Self { limbs: positive, negative: false }
        }
    }

    pub(crate) const fn small(value: u64) -> Self {
        Self { limbs: [value, 0, 0, 0], negative: false }
    }

    /// Bits of the limbs.
    pub(crate) fn bits(&self) -> u32 {
        let top = self.limbs.iter().rposition(|l| *l != 0);
        top.map_or(0, |i| 64 * i as u32 + 64 - self.limbs[i].leading_zeros())
    }
}

/// Digit of a window of `width` < 16 bits by Booth's recoding, from its bits and the one below it: in `-2^(width-1) ..= 2^(width-1)`,
/// and the sum over windows of digit times 2^at is the number.
#[inline]
const fn digit(bits: u64, negative: bool, width: u32) -> i16 {
    let window = (bits & (2_u64.wrapping_shl(width)).wrapping_sub(1)) as i32;
    let digit = (window.wrapping_add(1) >> 1).wrapping_sub(window.wrapping_shr(width).wrapping_shl(width));
    let sign = -(negative as i32);
    (digit ^ sign).wrapping_sub(sign) as i16
}

/// Scalars by limb: a window needs one limb of each, or two.
#[derive(Debug)]
pub(crate) struct Columns {
    limbs: [Vec<u64>; 4],
    negative: Vec<bool>,
    /// Bits of the longest.
    pub(crate) longest: u32,
}

impl Columns {
    pub(crate) fn of(scalars: &[Signed]) -> Self {
        let limb = |i: usize| scalars.par_iter().map(|scalar| scalar.limbs[i]).collect::<Vec<u64>>();
        Self {
            limbs: [limb(0), limb(1), limb(2), limb(3)],
            negative: scalars.par_iter().map(|scalar| scalar.negative).collect(),
            longest: scalars.par_iter().map(Signed::bits).max().unwrap_or(0),
        }
    }

    /// The digits of the window that begins at bit `at`, signs included.
    pub(crate) fn digits(&self, at: u32, width: u32) -> Vec<i16> {
        let signed = |(bits, negative): (u64, &bool)| digit(bits, *negative, width);
        if at == 0 {
            // Nothing is below.
            return self.limbs[0].iter().map(|limb| limb << 1).zip(&self.negative).map(signed).collect();
        }
        let (limb, shift) = (((at - 1) / 64) as usize, (at - 1) % 64);
        match (self.limbs.get(limb), self.limbs.get(limb + 1)) {
            (Some(low), Some(high)) if shift + width >= 64 => {
                let both = low.iter().zip(high).map(|(low, high)| low.wrapping_shr(shift) | (high << 1).wrapping_shl(63 - shift));
                both.zip(&self.negative).map(signed).collect()
            }
            (Some(low), _) => low.iter().map(|low| low.wrapping_shr(shift)).zip(&self.negative).map(signed).collect(),
            (None, _) => vec![0; self.negative.len()],
        }
    }
}

/// Windows of a width that hold scalars of so many bits, with the carry that the last one may leave.
pub(crate) const fn windows(bits: u32, width: u32) -> u32 {
    bits / width + 1
}
