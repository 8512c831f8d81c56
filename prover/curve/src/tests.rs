//! Every way of summing against the library's point arithmetic, one multiplication and one addition after another.
#![expect(clippy::print_stderr, clippy::unwrap_used, clippy::panic, reason = "a test may speak, and panic")]

use crate::affine::Affine;
use crate::endomorphism::{Halved, Halving};
use crate::point::Curve;
use crate::scalar::{Columns, Signed, windows};
use crate::{Bn256Affine, Bn256Point, GrumpkinAffine, GrumpkinPoint, few, recorded, remembered, sum};
use ff::{Field as _, PrimeField};
use halo2curves::group::{Curve as _, Group};
use halo2curves::{CurveAffine, CurveExt, bn256, grumpkin};
use proptest::prelude::*;
use rayon::prelude::*;

/// The library's own points go through the sums as well, so that what they are held against is the library's arithmetic alone.
macro_rules! summed {
    ($($theirs:ty, $ours:ty;)*) => {
        $(impl Halved for $theirs {
            fn halving() -> &'static Halving<Self::ScalarExt> {
                <$ours>::halving()
            }
        }
        impl Curve for $theirs {
            fn xy(&self) -> (Self::Base, Self::Base) {
                (self.x, self.y)
            }
        })*
    };
}

summed! {
    bn256::G1Affine, Bn256Affine;
    grumpkin::G1Affine, GrumpkinAffine;
}

/// What a scalar is made from: how it is chosen, and what from.
type Seed = (u8, [u64; 4]);

fn field<F: PrimeField>(limbs: &[u64]) -> F {
    limbs.iter().rev().fold(F::ZERO, |value, limb| (0..64).fold(value, |v, _| v.double()) + F::from(*limb))
}

/// Scalars of every length, and those beside zero, the order and its half.
fn scalar<F: PrimeField>((kind, limbs): &Seed) -> F {
    let [a, ..] = *limbs;
    match kind % 10 {
        0 => F::ZERO,
        1 => F::from(a & 1),
        2 => -F::from(a & 1),
        3 => F::from(a),
        4 => -F::from(a),
        5 => field(&limbs[..2]),
        6 => (-F::ONE) * F::TWO_INV + F::from(a % 3),
        7 => F::from(2).pow_vartime([a % 256]),
        8 => F::ROOT_OF_UNITY * F::from(a % 5),
        _ => field(limbs),
    }
}

/// Points that meet themselves, their negatives and infinity: few different ones, with signs.
fn point<C: CurveAffine>(variety: u64, (kind, limbs): &Seed) -> C {
    match kind % 7 {
        0 => C::identity(),
        1 => C::generator(),
        2 => -C::generator(),
        n => {
            let multiple = C::generator() * C::ScalarExt::from(2 + limbs[1] % variety);
            if n % 2 == 0 { multiple.to_affine() } else { (-multiple).to_affine() }
        }
    }
}

fn naive<C: CurveAffine>(scalars: &[C::ScalarExt], points: &[C]) -> C::CurveExt {
    scalars.iter().zip(points).fold(C::CurveExt::identity(), |sum, (scalar, point)| sum + *point * *scalar)
}

fn every_way<C: Curve>(scalars: &[C::ScalarExt], points: &[C]) {
    let expected = naive(scalars, points);
    assert_eq!(few::sum(scalars, points), expected, "few");
    let signed = || scalars.iter().map(Signed::of).collect::<Vec<_>>();
    assert_eq!(sum::sum(signed(), points), expected, "as it is called");
    for width in [1, 2, 3, 5, 8, 12] {
        // Infinity is taken out before, as `sum` does.
        let kept: Vec<Signed> =
            signed().into_iter().zip(points).map(|(s, p)| if Affine::of(p).is_infinity() { Signed::ZERO } else { s }).collect();
        assert_eq!(sum::over_windows(&kept, points, width, false), expected, "plain, windows of {width}");
        assert_eq!(sum::over_windows(&kept, points, width, true), expected, "as the processor can, windows of {width}");
    }
}

fn halves<C: Halved>(scalar: &C::ScalarExt) {
    let value = |half: &Signed| {
        let size: C::ScalarExt = field(&half.limbs);
        if half.negative { -size } else { size }
    };
    let halving = C::halving();
    let [first, second] = halving.halves(scalar);
    assert_eq!(value(&first) + value(&second) * halving.lambda(), *scalar);
    assert!(first.bits() <= 129 && second.bits() <= 129, "{} and {} bits", first.bits(), second.bits());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sums_are_the_librarys(seeds in prop::collection::vec((any::<Seed>(), any::<Seed>()), 0..90), variety in prop::sample::select(vec![1_u64, 3, 1 << 40])) {
        let scalars: Vec<bn256::Fr> = seeds.iter().map(|(s, _)| scalar(s)).collect();
        let points: Vec<bn256::G1Affine> = seeds.iter().map(|(_, p)| point(variety, p)).collect();
        every_way(&scalars, &points);
        let scalars: Vec<grumpkin::Fr> = seeds.iter().map(|(s, _)| scalar(s)).collect();
        let points: Vec<grumpkin::G1Affine> = seeds.iter().map(|(_, p)| point(variety, p)).collect();
        every_way(&scalars, &points);
    }

    #[test]
    fn operators_are_the_librarys(number: Seed, first: Seed, second: Seed) {
        operators::<bn256::G1Affine, Bn256Affine, Bn256Point>(&number, &first, &second);
        operators::<grumpkin::G1Affine, GrumpkinAffine, GrumpkinPoint>(&number, &first, &second);
    }
}

/// Each operator beside the library's, on points of this crate made from the library's.
fn operators<C, A, P>(number: &Seed, first: &Seed, second: &Seed)
where
    C: CurveAffine,
    A: CurveAffine<CurveExt = P, ScalarExt = C::ScalarExt, Base = C::Base> + From<C>,
    P: CurveExt<AffineExt = A, ScalarExt = C::ScalarExt, Base = C::Base>,
{
    let (k, a, b) = (scalar::<C::ScalarExt>(number), point::<C>(1 << 40, first), point::<C>(1 << 40, second));
    let (one, other) = (A::from(a), A::from(b));
    let same = |ours: P, library: C::CurveExt| assert_eq!(ours.to_affine(), A::from(library.to_affine()));
    same(one * k, a * k);
    same(one.to_curve() * k, a * k);
    same(one + other, a + b);
    same(one - other, a - b);
    same((-one).to_curve(), (-a).to_curve());
    let (p, q) = (one.to_curve(), other.to_curve());
    let (library_p, library_q) = (a.to_curve(), b.to_curve());
    same(p + q, library_p + library_q);
    same(p - other, library_p - b);
    same(p.double(), library_p.double());
    same(-p, -library_p);
    same([p, q, p].iter().sum(), [library_p, library_q, library_p].iter().sum());
    let (mut ours, mut library) = (p, library_p);
    ours *= k;
    ours += other;
    ours -= q;
    library *= k;
    library += b;
    library -= library_q;
    same(ours, library);
    assert_eq!(one.to_bytes().as_ref(), a.to_bytes().as_ref());
}

/// Points are read alike with ordinates and without, whatever these are; and so is what is no point.
#[test]
fn ordinates_change_nothing_but_time() {
    ordinates::<bn256::G1Affine, Bn256Affine>();
    ordinates::<grumpkin::G1Affine, GrumpkinAffine>();
}

fn ordinates<C, A>()
where
    C: CurveAffine + serde::Serialize,
    A: CurveAffine + From<C> + serde::Serialize + serde::de::DeserializeOwned,
{
    let config = bincode::config::legacy();
    let library: Vec<C> = (0..40).map(|n: u64| point(1 << 40, &(n as u8, [n; 4]))).collect();
    let points: Vec<A> = library.iter().map(|p| A::from(*p)).collect();
    let (bytes, ordinates) = recorded(|| bincode::serde::encode_to_vec(&points, config).unwrap());
    assert_eq!(bytes, bincode::serde::encode_to_vec(&library, config).unwrap(), "the library's bytes");
    assert_eq!(ordinates.len(), 32 * points.len());
    let read = |bytes: &[u8]| bincode::serde::decode_from_slice::<Vec<A>, _>(bytes, config).map(|(points, _)| points).ok();
    let again = |bytes: &[u8], ordinates: &[u8]| remembered(ordinates, || read(bytes));
    assert_eq!(read(&bytes), Some(points.clone()));
    assert_eq!(again(&bytes, &ordinates), Some(points.clone()));
    let negated: Vec<u8> = points.iter().flat_map(|p| recorded(|| bincode::serde::encode_to_vec(-*p, config).unwrap()).1).collect();
    let shifted = &ordinates[32..];
    let damaged: Vec<u8> = ordinates.iter().map(|b| b ^ 1).collect();
    for wrong in [&negated[..], shifted, &damaged, &ordinates[..40], &[], &[0xff; 1280]] {
        assert_eq!(again(&bytes, wrong), Some(points.clone()));
    }
    for at in 8..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        assert_eq!(again(&other, &ordinates), read(&other), "byte {at}");
    }
    // What was set is not left behind, after a panic neither.
    let panicked = std::panic::catch_unwind(|| remembered(&ordinates, || panic!("on purpose")));
    assert!(panicked.is_err());
    assert!(crate::ordinates::next().is_none());
    assert_eq!(serde_json::from_value::<Vec<A>>(serde_json::to_value(&points).unwrap()).unwrap(), points);
}

proptest! {
    #[test]
    fn halves_make_the_scalar_and_are_half_as_long(seed: Seed) {
        halves::<bn256::G1Affine>(&scalar(&seed));
        halves::<grumpkin::G1Affine>(&scalar(&seed));
    }

    #[test]
    fn digits_make_the_number(limbs: [u64; 4], width in 1_u32..16) {
        let number = Signed::of(&scalar::<bn256::Fr>(&(9, limbs)));
        let value = (0..windows(number.bits(), width)).rev().fold(bn256::Fr::ZERO, |sum, window| {
            let digit = Columns::of(&[number]).digits(window * width, width)[0];
            let digit = if number.negative { -digit } else { digit };
            assert!(digit.unsigned_abs() <= 1 << (width - 1), "{digit}");
            let size = bn256::Fr::from(u64::from(digit.unsigned_abs()));
            (0..width).fold(sum, |v, _| v.double()) + if digit < 0 { -size } else { size }
        });
        prop_assert_eq!(value, field(&number.limbs));
    }

    #[test]
    fn non_adjacent_digits_make_the_number(limbs: [u64; 3]) {
        let number = [limbs[0], limbs[1], limbs[2], 0];
        let value = few::digits(number).iter().rev().fold(bn256::Fr::ZERO, |sum, digit| {
            assert!(*digit == 0 || digit % 2 != 0 && digit.abs() <= 7, "{digit}");
            let size = bn256::Fr::from(u64::from(digit.unsigned_abs()));
            sum.double() + if *digit < 0 { -size } else { size }
        });
        prop_assert_eq!(value, field(&number));
    }
}

/// Enough points that stretches, rounds and threads all have several of each; `variety` of them differ.
fn many<C: Curve>(points: u64, variety: u64, widths: &[u32]) {
    let seed = |i: u64| {
        let word = |salt: u64| {
            (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.wrapping_add(salt << 1)).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        ((word(9) >> 56) as u8, [word(1), word(2), word(3), word(4)])
    };
    let scalars: Vec<C::ScalarExt> = (0..points).map(|i| scalar(&seed(i))).collect();
    let points: Vec<C> = (0..points).map(|i| point(variety, &seed(i + 50_000))).collect();
    let kept: Vec<Signed> =
        scalars.iter().zip(&points).map(|(s, p)| if Affine::of(p).is_infinity() { Signed::ZERO } else { Signed::of(s) }).collect();
    // One by one: the library's sum of small multiples panics where infinity is among many points.
    let expected = scalars.par_iter().zip(&points).map(|(s, p)| *p * *s).reduce(C::CurveExt::identity, |a, b| a + b);
    for width in widths {
        assert_eq!(sum::over_windows(&kept, &points, *width, false), expected, "plain, {variety}, {width}");
        assert_eq!(sum::over_windows(&kept, &points, *width, true), expected, "as the processor can, {variety}, {width}");
    }
    assert_eq!(sum::sum(scalars.iter().map(Signed::of).collect(), &points), expected, "as it is called, {variety}");
}

#[test]
fn many_points_that_differ_and_that_do_not() {
    #[cfg(target_arch = "x86_64")]
    if crate::wide::Wide::<bn256::Fq>::detect().is_none() {
        eprintln!("NOT TESTED: this processor has no AVX-512 IFMA, the wide additions were not run");
    }
    // More than are summed or taken in at a time, with long buckets and short ones.
    many::<bn256::G1Affine>(10_000, 1 << 50, &[4, 15]);
    many::<grumpkin::G1Affine>(10_000, 1 << 50, &[4, 15]);
    for variety in [1, 4] {
        many::<bn256::G1Affine>(2_000, variety, &[11]);
        many::<grumpkin::G1Affine>(2_000, variety, &[11]);
    }
}

/// Additions that the processor does side by side are done so: all but those of points that meet.
#[cfg(target_arch = "x86_64")]
#[test]
fn points_that_differ_are_added_side_by_side() {
    use crate::wide::{Room, Wide, entry};
    let Some(wide) = Wide::<bn256::Fq>::detect() else {
        eprintln!("NOT TESTED: this processor has no AVX-512 IFMA");
        return;
    };
    for n in 2..20_usize {
        let different: Vec<_> =
            (1..=n as u64).map(|i| Affine::of(&(bn256::G1Affine::generator() * bn256::Fr::from(i * i)).to_affine())).collect();
        let entries: Vec<u32> = (0..n).map(|i| entry(i, false)).collect();
        let mut room = Room::default();
        let taken = |points: &[Affine<bn256::Fq>]| {
            let mut taken = vec![crate::wide::Point::INFINITY; points.len()];
            wide.take_in(points, &mut taken, |point| *point);
            taken
        };
        assert!(!wide.sum_runs(&taken(&different), &entries, &mut [n as u32], &mut room), "{n} that differ");
        let same = vec![different[0]; n];
        assert!(wide.sum_runs(&taken(&same), &entries, &mut [n as u32], &mut room), "{n} that are one");
    }
}

/// The point types beside the library's own: every sum, operator and encoding.
macro_rules! as_the_library {
    ($name:ident, $ours:ty, $inner:ty, $affine:ty, $scalar:ty) => {
        #[test]
        fn $name() {
            use nova_snark::provider::traits::{DlogGroup, DlogGroupExt};
            let seed = |i: u64| ((i * 37 % 251) as u8, [i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i << 40 | 3, !i, i * i]);
            for n in [1_u64, 2, 47, 48, 49, 50, 200] {
                let scalars: Vec<$scalar> = (0..n).map(|i| scalar(&seed(i))).collect();
                let points: Vec<$affine> = (0..n).map(|i| point(1 << 40, &seed(i + 1_000))).collect();
                let ours_points: Vec<_> = points.iter().map(|p| (*p).into()).collect();
                let small: Vec<u64> = (0..n).map(|i| i * i * 77 % 1_000).collect();
                let (library, ours) =
                    (<$inner>::vartime_multiscalar_mul(&scalars, &points), <$ours>::vartime_multiscalar_mul(&scalars, &ours_points));
                assert_eq!(ours.affine(), library.affine().into(), "{n}");
                assert_eq!(
                    <$ours>::vartime_multiscalar_mul_small(&small, &ours_points).affine(),
                    <$inner>::vartime_multiscalar_mul_small(&small, &points).affine().into(),
                );
                assert_eq!(
                    <$ours>::vartime_multiscalar_mul_small_with_max_num_bits(&small, &ours_points, 10).affine(),
                    <$inner>::vartime_multiscalar_mul_small_with_max_num_bits(&small, &points, 10).affine().into(),
                );
                let lists = vec![scalars.clone(), scalars[..scalars.len() / 2 + 1].to_vec()];
                let affine = |points: Vec<$ours>| points.iter().map(DlogGroup::affine).collect::<Vec<_>>();
                let theirs: Vec<_> = <$inner>::batch_vartime_multiscalar_mul(&lists, &points).iter().map(|p| p.affine().into()).collect();
                assert_eq!(affine(<$ours>::batch_vartime_multiscalar_mul(&lists, &ours_points)), theirs);

                let (a, b, k) = (<$ours>::group(&ours_points[0]), ours, scalars[n as usize / 2]);
                let (la, lb) = (<$inner as DlogGroup>::group(&points[0]), library);
                let mut assigned = [a; 3];
                assigned[0] += b;
                assigned[1] -= &b;
                assigned[2] *= k;
                let each =
                    [a + b, a - b, a + &b, a - &b, a * k, a * &k, assigned[0], assigned[1], assigned[2], <$ours>::zero(), <$ours>::r#gen()];
                let library = [
                    la + lb,
                    la - lb,
                    la + lb,
                    la - lb,
                    la * k,
                    la * k,
                    la + lb,
                    la - lb,
                    la * k,
                    <$inner>::zero(),
                    <$inner as DlogGroup>::r#gen(),
                ];
                for (ours, library) in each.iter().zip(&library) {
                    assert_eq!(ours.affine(), library.affine().into());
                    assert_eq!(ours.to_coordinates(), DlogGroup::to_coordinates(library));
                    let bytes = bincode::serde::encode_to_vec(ours, bincode::config::standard()).unwrap();
                    assert_eq!(bytes, bincode::serde::encode_to_vec(library, bincode::config::standard()).unwrap());
                    let (read, _): ($ours, usize) = bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
                    assert_eq!(read.affine(), library.affine().into());
                }
            }
            assert_eq!(<$ours>::vartime_multiscalar_mul(&[], &[]).affine(), <$inner>::zero().affine().into());
            assert_eq!(<$ours>::vartime_multiscalar_mul_small::<u64>(&[], &[]).affine(), <$inner>::zero().affine().into());
        }
    };
}

as_the_library!(bn254_is_the_librarys, crate::Bn256Point, bn256::G1, bn256::G1Affine, bn256::Fr);
as_the_library!(grumpkin_is_the_librarys, crate::GrumpkinPoint, grumpkin::G1, grumpkin::G1Affine, grumpkin::Fr);

#[test]
fn points_from_a_label_are_the_librarys() {
    use nova_snark::provider::traits::DlogGroup;
    let library = bn256::G1::from_label(b"some label", 300);
    assert_eq!(Bn256Point::from_label(b"some label", 300), library.into_iter().map(Bn256Affine::from).collect::<Vec<_>>());
    let library = grumpkin::G1::from_label(b"another", 300);
    assert_eq!(GrumpkinPoint::from_label(b"another", 300), library.into_iter().map(GrumpkinAffine::from).collect::<Vec<_>>());
}
