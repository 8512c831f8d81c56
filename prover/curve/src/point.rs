//! Points of the two curves as the proof library wants them: its own points, with these multiplications.

use crate::endomorphism::Halved;
use crate::field::Field;
use crate::scalar::Signed;
use crate::{few, sum};
use core::ops::{Add, AddAssign, Mul, MulAssign, Sub, SubAssign};
use halo2curves::bn256::{G1 as Bn256Inner, G1Affine as Bn256Affine, G2, Gt};
use halo2curves::grumpkin::{G1 as GrumpkinInner, G1Affine as GrumpkinAffine};
use nova_snark::provider::bn256_grumpkin::{bn256, grumpkin};
use nova_snark::provider::traits::{DlogGroup, DlogGroupExt, PairingGroup};
use nova_snark::traits::Group;
use nova_snark::traits::evm_serde::CustomSerdeTrait;
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::ToPrimitive;
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Up to so many points, doublings are shared; above, buckets are.
const FEW: usize = 48;

/// A curve that sums are computed on.
pub(crate) trait Curve: Halved<Base: Field> {
    /// The coordinates, which are (0, 0) for infinity. The library's own way to them asks whether the point is on the curve; decoders
    /// have asked that.
    fn xy(&self) -> (Self::Base, Self::Base);
}

macro_rules! point {
    ($name:ident, $inner:ty, $affine:ty, $scalar:ty, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        impl Curve for $affine {
            fn xy(&self) -> (Self::Base, Self::Base) {
                (self.x, self.y)
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl<'a> Add<&'a Self> for $name {
            type Output = Self;
            fn add(self, other: &'a Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl<'a> Sub<&'a Self> for $name {
            type Output = Self;
            fn sub(self, other: &'a Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl<'a> AddAssign<&'a Self> for $name {
            fn add_assign(&mut self, other: &'a Self) {
                self.0 += other.0;
            }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
        impl<'a> SubAssign<&'a Self> for $name {
            fn sub_assign(&mut self, other: &'a Self) {
                self.0 -= other.0;
            }
        }
        impl Mul<$scalar> for $name {
            type Output = Self;
            fn mul(self, scalar: $scalar) -> Self {
                self * &scalar
            }
        }
        impl<'a> Mul<&'a $scalar> for $name {
            type Output = Self;
            fn mul(self, scalar: &'a $scalar) -> Self {
                Self(few::sum(&[*scalar], &[self.affine()]))
            }
        }
        impl MulAssign<$scalar> for $name {
            fn mul_assign(&mut self, scalar: $scalar) {
                *self *= &scalar;
            }
        }
        impl<'a> MulAssign<&'a $scalar> for $name {
            fn mul_assign(&mut self, scalar: &'a $scalar) {
                *self = *self * scalar;
            }
        }

        impl Group for $name {
            type Base = <$inner as Group>::Base;
            type Scalar = <$inner as Group>::Scalar;
            fn group_params() -> (Self::Base, Self::Base, BigInt, BigInt) {
                <$inner as Group>::group_params()
            }
        }

        impl CustomSerdeTrait for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                CustomSerdeTrait::serialize(&self.0, serializer)
            }
            fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <$inner as CustomSerdeTrait>::deserialize(deserializer).map(Self)
            }
        }

        impl DlogGroup for $name {
            type AffineGroupElement = $affine;
            fn from_label(label: &'static [u8], n: usize) -> Vec<$affine> {
                <$inner as DlogGroup>::from_label(label, n)
            }
            fn affine(&self) -> $affine {
                self.0.affine()
            }
            fn group(p: &$affine) -> Self {
                Self(<$inner as DlogGroup>::group(p))
            }
            fn zero() -> Self {
                Self(<$inner as DlogGroup>::zero())
            }
            fn r#gen() -> Self {
                Self(<$inner as DlogGroup>::r#gen())
            }
            fn to_coordinates(&self) -> (Self::Base, Self::Base, bool) {
                DlogGroup::to_coordinates(&self.0)
            }
        }

        impl DlogGroupExt for $name {
            fn vartime_multiscalar_mul(scalars: &[Self::Scalar], bases: &[$affine]) -> Self {
                assert_eq!(scalars.len(), bases.len(), "as many scalars as points");
                if scalars.len() <= FEW {
                    return Self(few::sum(scalars, bases));
                }
                Self(sum::sum(scalars.par_iter().map(Signed::of).collect(), bases))
            }
            fn vartime_multiscalar_mul_small<T: Integer + Into<u64> + Copy + Sync + ToPrimitive>(scalars: &[T], bases: &[$affine]) -> Self {
                assert_eq!(scalars.len(), bases.len(), "as many scalars as points");
                Self(sum::sum(scalars.par_iter().map(|s| Signed::small((*s).into())).collect(), bases))
            }
            fn vartime_multiscalar_mul_small_with_max_num_bits<T: Integer + Into<u64> + Copy + Sync + ToPrimitive>(
                scalars: &[T],
                bases: &[$affine],
                _bits: usize,
            ) -> Self {
                Self::vartime_multiscalar_mul_small(scalars, bases)
            }
        }
    };
}

point!(Bn256Point, Bn256Inner, Bn256Affine, bn256::Scalar, "A point of BN254's first group.");
point!(GrumpkinPoint, GrumpkinInner, GrumpkinAffine, grumpkin::Scalar, "A point of Grumpkin, over BN254's scalars.");

impl PairingGroup for Bn256Point {
    type G2 = G2;
    type GT = Gt;
    fn pairing(p: &Self, q: &G2) -> Gt {
        <Bn256Inner as PairingGroup>::pairing(&p.0, q)
    }
}
