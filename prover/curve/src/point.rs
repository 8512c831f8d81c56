//! Points of the two curves as the proof library wants them: its own points, with these multiplications.

use crate::endomorphism::Halved;
use crate::field::Field;
use crate::group::group;
use crate::operations::{additions, assigned_additions, multiples};
use crate::ordinates;
use crate::scalar::Signed;
use crate::{few, sum};
use core::iter::Sum;
use core::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use ff::PrimeField;
use halo2curves::bn256::{G2, Gt};
use halo2curves::group::prime::PrimeCurveAffine;
use halo2curves::group::{self, GroupEncoding};
use halo2curves::serde::SerdeObject;
use halo2curves::{Coordinates, CurveAffine, CurveExt};
use nova_snark::provider::bn256_grumpkin::{bn256, grumpkin};
use nova_snark::provider::traits::{DlogGroup, DlogGroupExt, PairingGroup};
use nova_snark::traits::evm_serde::CustomSerdeTrait;
use nova_snark::traits::{Group, TranscriptReprTrait};
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::ToPrimitive;
use rand_core::RngCore;
use rayon::prelude::*;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::{Read, Write};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};

/// Up to so many points, doublings are shared; above, buckets are.
const FEW: usize = 48;

/// A curve that sums are computed on.
pub(crate) trait Curve: Halved<Base: Field> {
    /// The coordinates, which are (0, 0) for infinity. The library's own way to them asks whether the point is on the curve; decoders
    /// have asked that.
    fn xy(&self) -> (Self::Base, Self::Base);
}

macro_rules! point {
    ($name:ident, $affine:ident, $inner:ty, $inner_affine:ty, $scalar:ty, $base:ty, $curve:literal) => {
        #[doc = concat!("A point of ", $curve, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        #[doc = concat!("A point of ", $curve, ", by its coordinates.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $affine($inner_affine);

        group!($name($inner), $affine($inner_affine), $scalar, $base);

        impl Curve for $affine {
            fn xy(&self) -> (Self::Base, Self::Base) {
                (self.0.x, self.0.y)
            }
        }

        impl Serialize for $affine {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                ordinates::record(|| self.0.y.to_repr().into());
                Serialize::serialize(&self.0, serializer)
            }
        }
        impl<'de> Deserialize<'de> for $affine {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    return <$inner_affine as Deserialize>::deserialize(deserializer).map(Self);
                }
                let bytes = <[u8; 32]>::deserialize(deserializer)?;
                if let Some(point) = ordinates::next().and_then(|y| Self::of(&bytes, &y)) {
                    return Ok(point);
                }
                Option::from(<$inner_affine as GroupEncoding>::from_bytes(&bytes.into()))
                    .map(Self)
                    .ok_or_else(|| D::Error::custom(concat!("expected a point of ", $curve)))
            }
        }
        impl $affine {
            /// The point of an encoding and of an ordinate, if they are of one point.
            fn of(encoding: &[u8; 32], ordinate: &[u8; 32]) -> Option<Self> {
                let mut x = *encoding;
                // The two highest bits say sign and infinity.
                x[31] &= 0x3f;
                let [x, y] = [x, *ordinate].map(|bytes| Option::<$base>::from(<$base>::from_repr(bytes.into())));
                let point = Option::<$inner_affine>::from(<$inner_affine as CurveAffine>::from_xy(x?, y?))?;
                (point.to_bytes().as_ref() == encoding).then_some(Self(point))
            }
        }
        impl<G: DlogGroup> TranscriptReprTrait<G> for $affine {
            fn to_transcript_bytes(&self) -> Vec<u8> {
                <$inner_affine as TranscriptReprTrait<G>>::to_transcript_bytes(&self.0)
            }
        }

        impl Group for $name {
            type Base = <$inner as Group>::Base;
            type Scalar = <$inner as Group>::Scalar;
            fn group_params() -> (Self::Base, Self::Base, BigInt, BigInt) {
                <$inner as Group>::group_params()
            }
        }

        impl DlogGroup for $name {
            type AffineGroupElement = $affine;
            fn from_label(label: &'static [u8], n: usize) -> Vec<$affine> {
                <$inner as DlogGroup>::from_label(label, n).into_iter().map($affine).collect()
            }
            fn affine(&self) -> $affine {
                group::Curve::to_affine(self)
            }
            fn group(p: &$affine) -> Self {
                (*p).into()
            }
            fn zero() -> Self {
                Self(<$inner as DlogGroup>::zero())
            }
            fn r#gen() -> Self {
                Self(<$inner as DlogGroup>::r#gen())
            }
            fn to_coordinates(&self) -> (Self::Base, Self::Base, bool) {
                let point = self.affine().0;
                (point.x, point.y, point.is_identity().into())
            }
        }

        impl DlogGroupExt for $name {
            fn vartime_multiscalar_mul(scalars: &[Self::Scalar], bases: &[$affine]) -> Self {
                assert_eq!(scalars.len(), bases.len(), "as many scalars as points");
                if scalars.len() <= FEW {
                    return few::sum(scalars, bases);
                }
                sum::sum(scalars.par_iter().map(Signed::of).collect(), bases)
            }
            fn vartime_multiscalar_mul_small<T: Integer + Into<u64> + Copy + Sync + ToPrimitive>(scalars: &[T], bases: &[$affine]) -> Self {
                assert_eq!(scalars.len(), bases.len(), "as many scalars as points");
                sum::sum(scalars.par_iter().map(|s| Signed::small((*s).into())).collect(), bases)
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

point!(Bn256Point, Bn256Affine, bn256::Point, bn256::Affine, bn256::Scalar, bn256::Base, "BN254's first group");
point!(GrumpkinPoint, GrumpkinAffine, grumpkin::Point, grumpkin::Affine, grumpkin::Scalar, grumpkin::Base, "Grumpkin");

impl PairingGroup for Bn256Point {
    type G2 = G2;
    type GT = Gt;
    fn pairing(p: &Self, q: &G2) -> Gt {
        <bn256::Point as PairingGroup>::pairing(&p.0, q)
    }
}
