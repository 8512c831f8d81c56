//! What the sums need to know of a base field beyond `ff`: its limbs as they lie in memory.

use ff::{PrimeField, WithSmallOrderMulGroup};
use halo2curves::serde::SerdeObject;
use halo2curves::{bn256, grumpkin};
use std::sync::LazyLock;

/// A base field of 254 bits that the library keeps in Montgomery form for 2^256.
pub(crate) trait Field: WithSmallOrderMulGroup<3> + SerdeObject {
    /// 2^260 and its inverse.
    fn powers() -> &'static (Self, Self);

    fn power_2_260() -> Self {
        Self::powers().0
    }

    fn inverse_of_2_260() -> Self {
        Self::powers().1
    }

    /// The number, least significant limb first.
    fn limbs(&self) -> [u64; 4] {
        limbs(self.to_repr().as_ref())
    }

    /// Of a number below the modulus.
    fn of_limbs(limbs: &[u64; 4]) -> Self {
        let mut repr = Self::Repr::default();
        for (bytes, limb) in repr.as_mut().as_chunks_mut::<8>().0.iter_mut().zip(limbs) {
            *bytes = limb.to_le_bytes();
        }
        Option::from(Self::from_repr(repr)).unwrap_or(Self::ZERO)
    }

    /// The number times 2^256, as it lies in memory.
    fn montgomery(&self) -> [u64; 4] {
        let mut bytes = [0; 32];
        let written = self.write_raw(&mut bytes.as_mut_slice());
        debug_assert!(written.is_ok(), "as long as four limbs");
        limbs(&bytes)
    }

    fn modulus() -> [u64; 4] {
        let mut limbs = (-Self::ONE).limbs();
        // An odd prime: one less is even.
        limbs[0] |= 1;
        limbs
    }
}

/// Limbs of 32 bytes, least significant first in both.
pub(crate) fn limbs(bytes: &[u8]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| words.get(i).map_or(0, |w| u64::from_le_bytes(*w)))
}

fn powers_of<F: PrimeField>() -> (F, F) {
    let power = (0..260).fold(F::ONE, |x, _| x.double());
    (power, power.invert().unwrap_or(F::ZERO))
}

static BN256: LazyLock<(bn256::Fq, bn256::Fq)> = LazyLock::new(powers_of);
static GRUMPKIN: LazyLock<(grumpkin::Fq, grumpkin::Fq)> = LazyLock::new(powers_of);

impl Field for bn256::Fq {
    fn powers() -> &'static (Self, Self) {
        &BN256
    }
}

impl Field for grumpkin::Fq {
    fn powers() -> &'static (Self, Self) {
        &GRUMPKIN
    }
}
