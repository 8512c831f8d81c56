//! Scalars as a sign and limbs, and their signed digits.

use crate::field;
use ff::PrimeField;

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

    /// Digit of the window that begins at bit `at`, of `width` ≤ 16 bits, by Booth's recoding: in `-2^(width-1) ..= 2^(width-1)`,
    /// and the sum over windows of digit times 2^at is the limbs' value. The sign is not in it.
    #[inline]
    pub(crate) fn digit(&self, at: u32, width: u32) -> i32 {
        // The bit below the window comes with it.
        let bits = if at == 0 {
            self.limbs[0] << 1
        } else {
            let (limb, shift) = (((at - 1) / 64) as usize, (at - 1) % 64);
            let high = self.limbs.get(limb + 1).copied().unwrap_or(0);
            let low = self.limbs.get(limb).copied().unwrap_or(0);
            ((u128::from(low) | u128::from(high) << 64) >> shift) as u64
        };
        let window = (bits & ((1 << (width + 1)) - 1)) as i32;
        let rounded = (window + 1) >> 1;
        if window >> width == 1 { rounded - (1 << width) } else { rounded }
    }
}

/// Windows of a width that hold scalars of so many bits, with the carry that the last one may leave.
pub(crate) const fn windows(bits: u32, width: u32) -> u32 {
    bits / width + 1
}
