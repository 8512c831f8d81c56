//! Points by their two coordinates, and many additions for the price of one inversion.
//!
//! Addition is complete: the point at infinity, a point and itself, a point and its negative are told apart, whoever chose them.
//! Both curves are `y² = x³ + b` of odd prime order, so no point has `y = 0` and infinity may be written as `(0, 0)`.

use crate::point::Curve;
use ff::Field;
use halo2curves::CurveAffine;
use halo2curves::group::Group;

/// A point; infinity is `(0, 0)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Affine<F> {
    pub(crate) x: F,
    pub(crate) y: F,
}

/// A stretch of buckets: `Σ (i + 1) · bucketᵢ` and `Σ bucketᵢ`, with `i` counted from its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch<F> {
    pub(crate) weighted: Affine<F>,
    pub(crate) plain: Affine<F>,
}

impl<F: Field> Affine<F> {
    pub(crate) const INFINITY: Self = Self { x: F::ZERO, y: F::ZERO };

    pub(crate) fn of<C: Curve<Base = F>>(point: &C) -> Self {
        let (x, y) = point.xy();
        Self { x, y }
    }

    /// The library's point. Sums of points of a curve are on it; anything else is an error of this file, and panics.
    pub(crate) fn to_curve<C: CurveAffine<Base = F>>(self) -> C::CurveExt {
        if self.is_infinity() { C::CurveExt::identity() } else { C::from_xy(self.x, self.y).expect("a point of the curve").into() }
    }

    #[inline]
    pub(crate) fn is_infinity(&self) -> bool {
        self.y == F::ZERO && self.x == F::ZERO
    }

    #[inline]
    pub(crate) fn negated_if(self, negate: bool) -> Self {
        if negate { Self { x: self.x, y: -self.y } } else { self }
    }

    /// What a sum divides by; one where it divides by nothing.
    #[inline]
    fn denominator(&self, other: &Self) -> F {
        let run = other.x - self.x;
        if run == F::ZERO {
            return if self.y == other.y && self.y != F::ZERO { self.y.double() } else { F::ONE };
        }
        if self.is_infinity() || other.is_infinity() { F::ONE } else { run }
    }

    /// The sum, given the inverse of [`Self::denominator`].
    #[inline]
    fn plus(&self, other: &Self, inverse: &F) -> Self {
        if self.is_infinity() {
            return *other;
        }
        if other.is_infinity() {
            return *self;
        }
        let slope = if self.x == other.x {
            if self.y != other.y {
                return Self::INFINITY;
            }
            let square = self.x.square();
            (square.double() + square) * inverse
        } else {
            (other.y - self.y) * inverse
        };
        let x = slope.square() - self.x - other.x;
        Self { x, y: slope * (self.x - x) - self.y }
    }
}

/// Inverts every element by one inversion and three products each.
///
/// # Panics
/// If one of them is zero. No caller lets that happen for points of the curve, and decoders let in no others.
pub(crate) fn invert_all<F: Field>(values: &mut [F], before: &mut Vec<F>) {
    before.clear();
    let mut product = F::ONE;
    for value in values.iter() {
        before.push(product);
        product *= value;
    }
    let mut inverse = product.invert().expect("none of them is zero");
    for (value, before) in values.iter_mut().zip(before.iter()).rev() {
        let next = inverse * *value;
        *value = inverse * before;
        inverse = next;
    }
}

/// Room for many additions at once.
#[derive(Debug)]
pub(crate) struct Adder<F> {
    denominators: Vec<F>,
    products: Vec<F>,
}

impl<F: Field> Adder<F> {
    pub(crate) const fn new() -> Self {
        Self { denominators: Vec::new(), products: Vec::new() }
    }

    /// `sums[i] += others[i]`.
    pub(crate) fn add_each(&mut self, sums: &mut [Affine<F>], others: &[Affine<F>]) {
        self.denominators.clear();
        self.denominators.extend(sums.iter().zip(others).map(|(a, b)| a.denominator(b)));
        invert_all(&mut self.denominators, &mut self.products);
        for ((sum, other), inverse) in sums.iter_mut().zip(others).zip(&self.denominators) {
            *sum = sum.plus(other, inverse);
        }
    }

    /// Sums neighbours: `points` lie in runs of the given lengths; afterwards each run of two or more is half as long, rounded
    /// up, with the same sum, the runs still lie one after another, and `lengths` says how long they are.
    pub(crate) fn halve(&mut self, points: &mut Vec<Affine<F>>, lengths: &mut [u32]) {
        self.denominators.clear();
        let mut rest = points.as_slice();
        for &length in lengths.iter() {
            let (run, after) = rest.split_at(length as usize);
            self.denominators.extend(run.as_chunks::<2>().0.iter().map(|[a, b]| a.denominator(b)));
            rest = after;
        }
        invert_all(&mut self.denominators, &mut self.products);
        // The place written to is never after the one read from.
        let (mut from, mut to) = (0, 0);
        let mut inverses = self.denominators.iter();
        for length in lengths.iter_mut() {
            let end = from + *length as usize;
            let start = to;
            while from + 1 < end
                && let Some(inverse) = inverses.next()
            {
                points[to] = points[from].plus(&points[from + 1], inverse);
                from += 2;
                to += 1;
            }
            if from < end {
                points[to] = points[from];
                from += 1;
                to += 1;
            }
            *length = (to - start) as u32;
        }
        points.truncate(to);
    }
}
