//! Sums of multiples of few points: Straus' interleaving over the curves' endomorphism.
//!
//! A scalar is cut in two halves, `k = k₁ + k₂ · λ` with `λ · (x, y) = (ζ · x, y)` (Gallant, Lambert, Vanstone 2001), and all halves
//! share their doublings. Each point's odd multiples are made with shared inversions, so that additions are to affine points.

use crate::affine::{Affine, invert_all};
use crate::point::Curve;
use crate::scalar::Signed;
use ff::{Field, WithSmallOrderMulGroup};

/// Odd multiples kept of a point: 1, 3, 5, 7.
const MULTIPLES: usize = 4;
/// The greatest of them.
const LARGEST: i8 = 7;
/// Mask of the bits that a digit is taken from.
const WINDOW: u64 = 15;

/// A point by `(x/zz, y/zzz)` with `zz³ = zzz²`; infinity has `zz = 0`. Formulas: explicit-formulas database, `shortw/xyzz`, a = 0.
#[derive(Debug, Clone, Copy)]
struct Extended<F> {
    x: F,
    y: F,
    zz: F,
    zzz: F,
}

impl<F: Field> Extended<F> {
    const INFINITY: Self = Self { x: F::ONE, y: F::ONE, zz: F::ZERO, zzz: F::ZERO };

    fn double(&mut self) {
        if self.zz == F::ZERO {
            return;
        }
        let u = self.y.double();
        let v = u.square();
        let w = u * v;
        let s = self.x * v;
        let square = self.x.square();
        let m = square.double() + square;
        self.x = m.square() - s.double();
        self.y = m * (s - self.x) - w * self.y;
        self.zz *= v;
        self.zzz *= w;
    }

    fn add(&mut self, other: &Affine<F>) {
        if other.is_infinity() {
            return;
        }
        if self.zz == F::ZERO {
            *self = Self { x: other.x, y: other.y, zz: F::ONE, zzz: F::ONE };
            return;
        }
        let p = other.x * self.zz - self.x;
        let r = other.y * self.zzz - self.y;
        if p == F::ZERO {
            if r == F::ZERO {
                self.double();
            } else {
                *self = Self::INFINITY;
            }
            return;
        }
        let pp = p.square();
        let ppp = p * pp;
        let q = self.x * pp;
        self.x = r.square() - ppp - q.double();
        self.y = r * (q - self.x) - self.y * ppp;
        self.zz *= pp;
        self.zzz *= ppp;
    }

    /// Given the inverse of `zzz`, or zero for infinity. With zz = z² and zzz = z³, zz/zzz is 1/z.
    fn to_affine(self, inverse: &F) -> Affine<F> {
        let root = self.zz * inverse;
        Affine { x: self.x * root.square(), y: self.y * inverse }
    }
}

/// Non-adjacent form: digits are zero or odd, at most [`LARGEST`] either way.
pub(crate) fn digits(mut rest: [u64; 4]) -> Vec<i8> {
    let mut digits = Vec::with_capacity(130);
    while rest != [0; 4] {
        let mut digit = 0;
        if rest[0] & 1 == 1 {
            let low = (rest[0] & WINDOW) as i8;
            digit = if low > LARGEST { low - 2 * LARGEST - 2 } else { low };
            // Afterwards the lowest bits are zero.
            rest[0] -= low as u64;
            if digit < 0 {
                carry(&mut rest, WINDOW + 1);
            }
        }
        digits.push(digit);
        halve(&mut rest);
    }
    digits
}

fn carry(limbs: &mut [u64; 4], add: u64) {
    let mut carry = add;
    for limb in limbs {
        let (sum, over) = limb.overflowing_add(carry);
        *limb = sum;
        carry = u64::from(over);
    }
}

fn halve(limbs: &mut [u64; 4]) {
    let mut above = 0;
    for limb in limbs.iter_mut().rev() {
        let bit = *limb & 1;
        *limb = *limb >> 1 | above << 63;
        above = bit;
    }
}

/// The odd multiples of a point that are kept.
type Row<F> = [Affine<F>; MULTIPLES];

/// The odd multiples of each point, a row each. None is infinity: points are of the curve, whose order is a large prime.
fn multiples<F: Field>(points: &[Affine<F>]) -> Vec<Row<F>> {
    let rows: Vec<[Extended<F>; MULTIPLES]> = points
        .iter()
        .map(|point| {
            let mut multiple = Extended::INFINITY;
            multiple.add(point);
            let mut row = [multiple; MULTIPLES];
            for cell in row.iter_mut().skip(1) {
                multiple.add(point);
                multiple.add(point);
                *cell = multiple;
            }
            row
        })
        .collect();
    let mut inverses: Vec<F> = rows.iter().flatten().map(|m| m.zzz).collect();
    invert_all(&mut inverses, &mut Vec::new());
    let (inverses, _) = inverses.as_chunks::<MULTIPLES>();
    let row = |(row, inverses): (&[Extended<F>; MULTIPLES], &[F; MULTIPLES])| std::array::from_fn(|i| row[i].to_affine(&inverses[i]));
    rows.iter().zip(inverses).map(row).collect()
}

/// `Σ scalarᵢ · pointᵢ`, of as many scalars as points.
pub(crate) fn sum<C: Curve>(scalars: &[C::ScalarExt], points: &[C]) -> C::CurveExt {
    let terms: Vec<(&C::ScalarExt, Affine<C::Base>)> = scalars
        .iter()
        .zip(points.iter().map(Affine::of))
        .filter(|(scalar, point)| !point.is_infinity() && !scalar.is_zero_vartime())
        .collect();
    let rows = multiples(&terms.iter().map(|(_, point)| *point).collect::<Vec<_>>());
    // Each half of each scalar: its digits, and the row that they choose from.
    let mut halves: Vec<(Vec<i8>, Row<C::Base>)> = Vec::with_capacity(2 * terms.len());
    for ((scalar, _), row) in terms.iter().zip(rows) {
        let [first, second] = C::halving().halves(scalar);
        halves.push((digits(first.limbs), row.map(|m| m.negated_if(first.negative))));
        if second != Signed::ZERO {
            halves.push((digits(second.limbs), row.map(|m| Affine { x: m.x * C::Base::ZETA, y: m.y }.negated_if(second.negative))));
        }
    }
    let mut sum = Extended::INFINITY;
    for at in (0..halves.iter().map(|(digits, _)| digits.len()).max().unwrap_or(0)).rev() {
        sum.double();
        for (digits, row) in &halves {
            let digit = digits.get(at).copied().unwrap_or(0);
            if digit != 0 {
                sum.add(&row[usize::from(digit.unsigned_abs() >> 1)].negated_if(digit < 0));
            }
        }
    }
    let inverse = sum.zzz.invert().unwrap_or(C::Base::ZERO);
    sum.to_affine(&inverse).to_curve::<C>()
}
