//! What the library's traits ask of a curve's points and of their affine form, passed on to its own points.

/// The traits of `group` and `halo2curves` for a point and its affine form, newtypes over the library's.
macro_rules! group {
    ($point:ident($inner:ty), $affine:ident($inner_affine:ty), $scalar:ty, $base:ty) => {
        impl From<$inner> for $point {
            fn from(point: $inner) -> Self {
                Self(point)
            }
        }
        impl From<$affine> for $point {
            fn from(point: $affine) -> Self {
                Self(point.0.into())
            }
        }
        impl From<$point> for $affine {
            fn from(point: $point) -> Self {
                Self(point.0.into())
            }
        }
        impl From<$inner_affine> for $affine {
            fn from(point: $inner_affine) -> Self {
                Self(point)
            }
        }

        additions!($point, $point => $point);
        additions!($point, $affine => $point);
        additions!($affine, $affine => $point);
        assigned_additions!($point, $point);
        assigned_additions!($point, $affine);
        multiples!($affine, $point, $scalar);

        impl Sum for $point {
            fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
                Self(points.map(|p| p.0).sum())
            }
        }
        impl<'a> Sum<&'a Self> for $point {
            fn sum<I: Iterator<Item = &'a Self>>(points: I) -> Self {
                Self(points.map(|p| p.0).sum())
            }
        }

        impl group::Group for $point {
            type Scalar = $scalar;
            fn random(rng: impl RngCore) -> Self {
                Self(<$inner as group::Group>::random(rng))
            }
            fn identity() -> Self {
                Self(<$inner as group::Group>::identity())
            }
            fn generator() -> Self {
                Self(<$inner as group::Group>::generator())
            }
            fn is_identity(&self) -> Choice {
                group::Group::is_identity(&self.0)
            }
            fn double(&self) -> Self {
                Self(group::Group::double(&self.0))
            }
        }
        impl group::Curve for $point {
            type AffineRepr = $affine;
            fn to_affine(&self) -> $affine {
                $affine(group::Curve::to_affine(&self.0))
            }
        }
        impl group::prime::PrimeGroup for $point {}
        impl group::prime::PrimeCurve for $point {
            type Affine = $affine;
        }
        // The whole group is the subgroup: both curves are of prime order.
        impl group::cofactor::CofactorGroup for $point {
            type Subgroup = Self;
            fn clear_cofactor(&self) -> Self {
                *self
            }
            fn into_subgroup(self) -> CtOption<Self> {
                CtOption::new(self, Choice::from(1))
            }
            fn is_torsion_free(&self) -> Choice {
                Choice::from(1)
            }
        }
        impl group::cofactor::CofactorCurve for $point {
            type Affine = $affine;
        }
        impl CurveExt for $point {
            type ScalarExt = $scalar;
            type Base = $base;
            type AffineExt = $affine;
            const CURVE_ID: &'static str = <$inner as CurveExt>::CURVE_ID;
            fn endo(&self) -> Self {
                Self(CurveExt::endo(&self.0))
            }
            fn jacobian_coordinates(&self) -> ($base, $base, $base) {
                CurveExt::jacobian_coordinates(&self.0)
            }
            fn hash_to_curve<'a>(domain_prefix: &'a str) -> Box<dyn Fn(&[u8]) -> Self + 'a> {
                let hash = <$inner as CurveExt>::hash_to_curve(domain_prefix);
                Box::new(move |message| Self(hash(message)))
            }
            fn is_on_curve(&self) -> Choice {
                CurveExt::is_on_curve(&self.0)
            }
            fn a() -> $base {
                <$inner as CurveExt>::a()
            }
            fn b() -> $base {
                <$inner as CurveExt>::b()
            }
            fn new_jacobian(x: $base, y: $base, z: $base) -> CtOption<Self> {
                <$inner as CurveExt>::new_jacobian(x, y, z).map(Self)
            }
        }

        impl group::prime::PrimeCurveAffine for $affine {
            type Scalar = $scalar;
            type Curve = $point;
            fn identity() -> Self {
                Self(<$inner_affine as group::prime::PrimeCurveAffine>::identity())
            }
            fn generator() -> Self {
                Self(<$inner_affine as group::prime::PrimeCurveAffine>::generator())
            }
            fn is_identity(&self) -> Choice {
                group::prime::PrimeCurveAffine::is_identity(&self.0)
            }
            fn to_curve(&self) -> $point {
                (*self).into()
            }
        }
        impl group::cofactor::CofactorCurveAffine for $affine {
            type Scalar = $scalar;
            type Curve = $point;
            fn identity() -> Self {
                group::prime::PrimeCurveAffine::identity()
            }
            fn generator() -> Self {
                group::prime::PrimeCurveAffine::generator()
            }
            fn is_identity(&self) -> Choice {
                group::prime::PrimeCurveAffine::is_identity(self)
            }
            fn to_curve(&self) -> $point {
                (*self).into()
            }
        }
        impl CurveAffine for $affine {
            type ScalarExt = $scalar;
            type Base = $base;
            type CurveExt = $point;
            fn coordinates(&self) -> CtOption<Coordinates<Self>> {
                Coordinates::from_xy(self.0.x, self.0.y)
            }
            fn from_xy(x: $base, y: $base) -> CtOption<Self> {
                <$inner_affine as CurveAffine>::from_xy(x, y).map(Self)
            }
            fn is_on_curve(&self) -> Choice {
                CurveAffine::is_on_curve(&self.0)
            }
            fn a() -> $base {
                <$inner_affine as CurveAffine>::a()
            }
            fn b() -> $base {
                <$inner_affine as CurveAffine>::b()
            }
        }

        group!(both $point($inner));
        group!(both $affine($inner_affine));
    };
    (both $name:ident($inner:ty)) => {
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl Default for $name {
            fn default() -> Self {
                Self(<$inner>::default())
            }
        }
        impl ConditionallySelectable for $name {
            fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
                Self(<$inner>::conditional_select(&a.0, &b.0, choice))
            }
        }
        impl ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> Choice {
                self.0.ct_eq(&other.0)
            }
        }
        impl group::GroupEncoding for $name {
            type Repr = <$inner as group::GroupEncoding>::Repr;
            fn from_bytes(bytes: &Self::Repr) -> CtOption<Self> {
                <$inner as group::GroupEncoding>::from_bytes(bytes).map(Self)
            }
            fn from_bytes_unchecked(bytes: &Self::Repr) -> CtOption<Self> {
                <$inner as group::GroupEncoding>::from_bytes_unchecked(bytes).map(Self)
            }
            fn to_bytes(&self) -> Self::Repr {
                group::GroupEncoding::to_bytes(&self.0)
            }
        }
        impl SerdeObject for $name {
            fn from_raw_bytes_unchecked(bytes: &[u8]) -> Self {
                Self(SerdeObject::from_raw_bytes_unchecked(bytes))
            }
            fn from_raw_bytes(bytes: &[u8]) -> Option<Self> {
                SerdeObject::from_raw_bytes(bytes).map(Self)
            }
            fn to_raw_bytes(&self) -> Vec<u8> {
                self.0.to_raw_bytes()
            }
            fn read_raw_unchecked<R: Read>(reader: &mut R) -> Self {
                Self(SerdeObject::read_raw_unchecked(reader))
            }
            fn read_raw<R: Read>(reader: &mut R) -> std::io::Result<Self> {
                SerdeObject::read_raw(reader).map(Self)
            }
            fn write_raw<W: Write>(&self, writer: &mut W) -> std::io::Result<()> {
                self.0.write_raw(writer)
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
    };
}

pub(crate) use group;
