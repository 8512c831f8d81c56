//! A root price as a swap works with it: Q64.96 within 192 bits, compared and subtracted in two words.

use super::wide::{U256, join, limbs};

/// A root price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Root {
    high: u64,
    low: u128,
}

impl Root {
    /// A root price, if it has at most 160 bits as on chain.
    pub(crate) fn of(v: U256) -> Option<Self> {
        let [a, b, c, 0] = *v.as_limbs() else { return None };
        (c >> 32 == 0).then_some(Self { high: c, low: join(b, a) })
    }

    /// As a wide number.
    pub(crate) const fn wide(self) -> U256 {
        let [a, b, c] = self.limbs();
        U256::from_limbs([a, b, c, 0])
    }

    /// Its limbs.
    pub(crate) const fn limbs(self) -> [u64; 3] {
        let [a, b] = limbs(self.low);
        [a, b, self.high]
    }

    /// What it lies above another one; 0 where it does not.
    pub(crate) const fn above(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let (high, under) = self.high.overflowing_sub(other.high);
        let (high, beneath) = high.overflowing_sub(if borrow { 1 } else { 0 });
        if under || beneath { Self { high: 0, low: 0 } } else { Self { high, low } }
    }

    /// Its size, to about 50 bits.
    pub(crate) fn size(self) -> f64 {
        let [a, b, c] = self.limbs().map(float);
        (c * WORD + b) * WORD + a
    }
}

/// The size of an amount or a liquidity, to about 50 bits.
pub(crate) fn size(v: u128) -> f64 {
    let [a, b] = limbs(v).map(float);
    b * WORD + a
}

/// 2^64.
const WORD: f64 = 18_446_744_073_709_551_616.0;

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "an estimate; who uses it leaves a margin")]
fn float(v: u64) -> f64 {
    v as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_root() -> impl Strategy<Value = U256> {
        (prop::array::uniform3(any::<u64>()), 0usize..160).prop_map(|([a, b, c], shift)| (U256::from_limbs([a, b, c, 0]) >> 32) >> shift)
    }

    proptest! {
        #[test]
        fn two_words_are_the_wide_number(a in any_root(), b in any_root()) {
            let (x, y) = (Root::of(a).unwrap(), Root::of(b).unwrap());
            prop_assert_eq!((x.wide(), x.cmp(&y)), (a, a.cmp(&b)));
            prop_assert_eq!(x.above(y).wide(), a.saturating_sub(b));
            prop_assert!((x.size() / f64::from(a) - 1.0).abs() < 1e-14 || a.is_zero());
        }
    }

    #[test]
    fn at_most_160_bits() {
        assert_eq!(Root::of(U256::ONE << 160), None);
        assert!(Root::of((U256::ONE << 160) - U256::ONE).is_some());
    }
}
