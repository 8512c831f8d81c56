//! `λ · (x, y) = (ζ · x, y)`, and scalars as two halves of half the bits: `k = k₁ + k₂ · λ`.
//!
//! Gallant, Lambert, Vanstone: Faster point multiplication on elliptic curves with efficient endomorphisms, 2001. Halves are made
//! in the field, so that they are exact whatever was rounded; rounding only decides how short they are.

use crate::point::{Bn256Affine, GrumpkinAffine};
use crate::scalar::Signed;
use ff::{PrimeField, WithSmallOrderMulGroup};
use halo2curves::group::Curve;
use halo2curves::{CurveAffine, bn256, grumpkin};
use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_traits::{Signed as _, Zero};
use std::sync::LazyLock;

/// A curve whose scalars can be halved.
pub(crate) trait Halved: CurveAffine {
    fn halving() -> &'static Halving<Self::ScalarExt>;
}

static BN256: LazyLock<Halving<bn256::Fr>> = LazyLock::new(Halving::of::<bn256::G1Affine>);
static GRUMPKIN: LazyLock<Halving<grumpkin::Fr>> = LazyLock::new(Halving::of::<grumpkin::G1Affine>);

impl Halved for Bn256Affine {
    fn halving() -> &'static Halving<bn256::Fr> {
        &BN256
    }
}

impl Halved for GrumpkinAffine {
    fn halving() -> &'static Halving<grumpkin::Fr> {
        &GRUMPKIN
    }
}

/// What scalars are halved by: two short vectors `(a, b)` with `a + b · λ = 0`.
#[derive(Debug)]
pub(crate) struct Halving<S> {
    lambda: S,
    /// `b` of each vector.
    b: [S; 2],
    /// What a scalar is multiplied by and shifted right by 256 bits to say how often each vector is taken; its sign.
    often: [([u64; 3], bool); 2],
}

fn big<F: PrimeField>(value: &F) -> BigInt {
    BigInt::from_bytes_le(Sign::Plus, value.to_repr().as_ref())
}

fn scalar<F: PrimeField>(value: &BigInt) -> F {
    let size = value.iter_u64_digits().rev().fold(F::ZERO, |sum, limb| (0..64).fold(sum, |s, _| s.double()) + F::from(limb));
    if value.is_negative() { -size } else { size }
}

impl<S: WithSmallOrderMulGroup<3>> Halving<S> {
    fn of<C: CurveAffine<ScalarExt = S>>() -> Self {
        let generator = C::generator();
        let turned = Option::from(generator.coordinates())
            .and_then(|c: halo2curves::Coordinates<C>| Option::<C>::from(C::from_xy(*c.x() * C::Base::ZETA, *c.y())));
        // One of the two cube roots of unity turns by ζ, the other one by its square.
        let lambda = if turned == Some((generator * S::ZETA).to_affine()) { S::ZETA } else { S::ZETA.square() };
        let order: BigInt = big(&-S::ONE) + 1;
        // Euclid's remainders of the order and λ: the first two below the root, and what λ was taken times.
        let root = order.sqrt();
        let (mut before, mut now) = ((order.clone(), BigInt::zero()), (big(&lambda), BigInt::from(1)));
        while now.0 > root {
            let quotient = &before.0 / &now.0;
            let next = (&before.0 - &quotient * &now.0, &before.1 - &quotient * &now.1);
            before = std::mem::replace(&mut now, next);
        }
        let quotient = &before.0 / &now.0;
        let next = (&before.0 - &quotient * &now.0, &before.1 - &quotient * &now.1);
        let longer = |v: &(BigInt, BigInt)| v.0.abs().max(v.1.abs());
        let second = if longer(&before) < longer(&next) { before } else { next };
        // remainder = times · λ, so (remainder, -times) is such a vector.
        let (first, second) = ((now.0, -now.1), (second.0, -second.1));
        let determinant = &first.0 * &second.1 - &second.0 * &first.1;
        let times = |numerator: BigInt| {
            let scaled: BigInt = (numerator << 256_u32) * determinant.signum();
            let size: BigUint = (scaled.abs() + (&order >> 1_u32)).div_floor(&order).magnitude().clone();
            let digits = size.to_u64_digits();
            (std::array::from_fn(|i| digits.get(i).copied().unwrap_or(0)), scaled.is_negative())
        };
        Self { lambda, b: [scalar(&first.1), scalar(&second.1)], often: [times(second.1.clone()), times(-first.1.clone())] }
    }

    #[cfg(test)]
    pub(crate) fn lambda(&self) -> S {
        self.lambda
    }

    /// `(k₁, k₂)`, each of about 128 bits.
    pub(crate) fn halves(&self, k: &S) -> [Signed; 2] {
        let limbs = Signed::limbs(k);
        let taken = |(factor, negative): &([u64; 3], bool)| {
            let high = high(&limbs, factor);
            let size = S::from_u128(high);
            if *negative { -size } else { size }
        };
        let second = -(taken(&self.often[0]) * self.b[0] + taken(&self.often[1]) * self.b[1]);
        let first = *k - second * self.lambda;
        [Signed::of(&first), Signed::of(&second)]
    }
}

/// Bits 256 to 383 of a product.
fn high(a: &[u64; 4], b: &[u64; 3]) -> u128 {
    let mut product = [0_u64; 7];
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0_u128;
        for (j, b) in b.iter().enumerate() {
            carry += u128::from(product[i + j]) + u128::from(*a) * u128::from(*b);
            product[i + j] = carry as u64;
            carry >>= 64;
        }
        product[i + 3] = carry as u64;
    }
    u128::from(product[4]) | u128::from(product[5]) << 64
}
