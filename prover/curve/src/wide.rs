//! Eight additions at a time where the processor multiplies 52-bit integers eight at a time (AVX-512 IFMA).
//!
//! Coordinates are five limbs of 52 bits in Montgomery form for 2^260, below 2p between operations; 2^260 is more than 64p, so
//! products of numbers below 8p need no reduction before. Sums that divide by zero (a point and itself, a point and its negative)
//! are not computed here: the product of all denominators shows them, and the caller adds those points the complete way.

use crate::affine::{Adder, Affine, Stretch, invert_all};
use crate::field::Field;
use core::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi64, _mm512_and_si512, _mm512_load_si512, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_blend_epi64, _mm512_movepi64_mask, _mm512_or_si512, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_shuffle_i64x2, _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_store_si512, _mm512_sub_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};
use std::marker::PhantomData;

const LIMBS: usize = 5;
const BITS: u32 = 52;
const MASK: u64 = (1 << BITS) - 1;
/// Numbers beside each other.
const LANES: usize = 8;
/// Additions whose points are fetched ahead.
const AHEAD: usize = 4;

/// A point in memory, a cache line: `x`, then `y`, each as four limbs of 64 bits; infinity is all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Point([u64; 8]);

impl Point {
    pub(crate) const INFINITY: Self = Self([0; 8]);

    fn is_infinity(&self) -> bool {
        *self == Self::INFINITY
    }
}

/// Eight numbers in registers, by limbs of 52 bits.
type Numbers = [__m512i; LIMBS];

/// A point to add: its index, and whether it is negated.
pub(crate) type Entry = u32;

pub(crate) const fn entry(index: usize, negated: bool) -> Entry {
    (index as u32) << 1 | negated as u32
}

/// The constants of a field.
#[derive(Debug, Clone)]
pub(crate) struct Wide<F> {
    p: [u64; LIMBS],
    /// `-1/p` modulo 2^52.
    inverse: u64,
    /// 2^264 modulo p: takes Montgomery form for 2^256 to the one for 2^260.
    from_256: [u64; LIMBS],
    one: [u64; LIMBS],
    field: PhantomData<F>,
}

fn split(limbs: &[u64; 4]) -> [u64; LIMBS] {
    [
        limbs[0] & MASK,
        (limbs[0] >> 52 | limbs[1] << 12) & MASK,
        (limbs[1] >> 40 | limbs[2] << 24) & MASK,
        (limbs[2] >> 28 | limbs[3] << 36) & MASK,
        limbs[3] >> 16,
    ]
}

impl<F: Field> Wide<F> {
    /// Nothing where the processor cannot.
    pub(crate) fn detect() -> Option<Self> {
        if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512ifma")) {
            return None;
        }
        let p = F::modulus();
        // Newton: each round doubles the bits that are right.
        let mut inverse = 1_u64;
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(p[0].wrapping_mul(inverse)));
        }
        let power = |exponent: u32| split(&(0..exponent).fold(F::ONE, |x, _| x.double()).limbs());
        Some(Self { p: split(&p), inverse: inverse.wrapping_neg() & MASK, from_256: power(264), one: power(260), field: PhantomData })
    }

    /// Takes points in, as many as there are places.
    #[expect(unsafe_code, reason = "calls code for this processor")]
    pub(crate) fn take_in<P>(&self, points: &[P], places: &mut [Point], affine: impl Fn(&P) -> Affine<F>) {
        for (from, to) in points.chunks(LANES).zip(places.chunks_mut(LANES)) {
            let mut eight = [Point::INFINITY; LANES];
            for (eight, point) in eight.iter_mut().zip(from) {
                let point = affine(point);
                let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (point.x.montgomery(), point.y.montgomery());
                *eight = Point([x0, x1, x2, x3, y0, y1, y2, y3]);
            }
            // SAFETY: a `Wide` exists only where the processor has these instructions.
            unsafe { self.take(&mut eight) };
            to.copy_from_slice(&eight[..to.len()]);
        }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn take(&self, points: &mut [Point; LANES]) {
        let factor = broadcast(&self.from_256);
        let (x, y) = gathered(points.each_ref());
        *points = scattered(&self.times(&x, &factor), &self.times(&y, &factor));
    }

    /// Gives a point out.
    pub(crate) fn affine(&self, point: &Point) -> Affine<F> {
        let [x0, x1, x2, x3, y0, y1, y2, y3] = point.0;
        Affine { x: plain([x0, x1, x2, x3]), y: plain([y0, y1, y2, y3]) }
    }

    /// `a · b / 2^260`, below 2p, of numbers below 8p.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    fn times(&self, a: &Numbers, b: &Numbers) -> Numbers {
        let p = broadcast(&self.p);
        let inverse = _mm512_set1_epi64(self.inverse as i64);
        let zero = _mm512_setzero_si512();
        let mut t = [zero; LIMBS + 1];
        for b in b {
            for j in 0..LIMBS {
                t[j] = _mm512_madd52lo_epu64(t[j], a[j], *b);
                t[j + 1] = _mm512_madd52hi_epu64(t[j + 1], a[j], *b);
            }
            let m = _mm512_madd52lo_epu64(zero, t[0], inverse);
            for j in 0..LIMBS {
                t[j] = _mm512_madd52lo_epu64(t[j], m, p[j]);
                t[j + 1] = _mm512_madd52hi_epu64(t[j + 1], m, p[j]);
            }
            let carry = _mm512_srli_epi64::<BITS>(t[0]);
            t = [_mm512_add_epi64(t[1], carry), t[2], t[3], t[4], t[5], zero];
        }
        carried([t[0], t[1], t[2], t[3], t[4]])
    }

    /// `a - b + 2p`.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    fn minus(&self, a: &Numbers, b: &Numbers) -> Numbers {
        let p = broadcast(&self.p);
        carried(std::array::from_fn(|i| _mm512_sub_epi64(_mm512_add_epi64(a[i], _mm512_add_epi64(p[i], p[i])), b[i])))
    }

    /// Less a multiple of p, where that is not below zero.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    fn less<const TIMES: i64>(&self, a: &Numbers) -> Numbers {
        let p = broadcast(&self.p);
        let less = carried(std::array::from_fn(|i| {
            let multiple = if TIMES == 2 {
                _mm512_add_epi64(p[i], p[i])
            } else {
                _mm512_add_epi64(_mm512_add_epi64(p[i], p[i]), _mm512_add_epi64(p[i], p[i]))
            };
            _mm512_sub_epi64(a[i], multiple)
        }));
        let negative = _mm512_movepi64_mask(less[LIMBS - 1]);
        std::array::from_fn(|i| _mm512_mask_blend_epi64(negative, less[i], a[i]))
    }

    /// The sum of each pair of points that are not infinity. `false` if a pair has the same `x`, or both are one point: then it has
    /// to be added the complete way, and `sums` is of no use.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn add_pairs(&self, points: &[Point], pairs: &[[Entry; 2]], sums: &mut [Point], groups: &mut Vec<Group>) -> bool {
        if groups.len() * LANES < pairs.len() {
            let zero = [_mm512_setzero_si512(); LIMBS];
            groups.resize(pairs.len().div_ceil(LANES), Group { a: (zero, zero), b: (zero, zero), run: zero, before: zero });
        }
        let mut product = broadcast(&self.one);
        for (at, (group, kept)) in pairs.chunks(LANES).zip(groups.iter_mut()).enumerate() {
            if let Some(ahead) = pairs.get((at + AHEAD) * LANES..) {
                for entry in ahead.iter().take(LANES).flatten() {
                    fetch(&points[(entry >> 1) as usize]);
                }
            }
            // A group that is not full repeats its first pair.
            let pair: [[Entry; 2]; LANES] = std::array::from_fn(|lane| group.get(lane).copied().unwrap_or(group[0]));
            let side = |side: usize| {
                let (x, y) = gathered(pair.map(|entries| &points[(entries[side] >> 1) as usize]));
                let negated = pair.iter().enumerate().fold(0, |mask, (lane, entries)| mask | ((entries[side] & 1) as u8) << lane);
                (x, if negated == 0 { y } else { self.negated_where(negated, &y) })
            };
            kept.a = side(0);
            kept.b = side(1);
            kept.run = self.minus(&kept.b.0, &kept.a.0);
            kept.before = product;
            product = self.times(&product, &kept.run);
        }
        let Some(mut inverse) = self.inverted(&product) else { return false };
        for (group, sums) in groups[..pairs.len().div_ceil(LANES)].iter().zip(sums.as_chunks_mut::<LANES>().0).rev() {
            let this = self.times(&inverse, &group.before);
            inverse = self.times(&inverse, &group.run);
            let (x, y) = self.sum(&group.a, &group.b, &this);
            *sums = scattered(&x, &y);
        }
        true
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    fn negated_where(&self, mask: u8, y: &Numbers) -> Numbers {
        let negative = self.minus(&[_mm512_setzero_si512(); LIMBS], y);
        std::array::from_fn(|i| _mm512_mask_blend_epi64(mask, y[i], negative[i]))
    }

    /// The sum of points with different `x`, given `1/(bx - ax)`.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    fn sum(&self, a: &(Numbers, Numbers), b: &(Numbers, Numbers), inverse: &Numbers) -> (Numbers, Numbers) {
        let slope = self.times(&self.minus(&b.1, &a.1), inverse);
        // Below 2p, plus 2p, plus 2p.
        let x = self.minus(&self.minus(&self.times(&slope, &slope), &a.0), &b.0);
        let x = self.less::<2>(&self.less::<4>(&x));
        let y = self.minus(&self.times(&slope, &self.minus(&a.0, &x)), &a.1);
        (x, self.less::<2>(&y))
    }

    /// Inverts the eight numbers; nothing if one is zero.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn inverted(&self, numbers: &Numbers) -> Option<Numbers> {
        let mut values = scattered(numbers, numbers).map(|Point([a, b, c, d, ..])| plain::<F>([a, b, c, d]));
        if values.contains(&F::ZERO) {
            return None;
        }
        invert_all(&mut values, &mut Vec::new());
        let inverted = values.map(|value| {
            let [a, b, c, d] = (value * F::power_2_260()).limbs();
            Point([a, b, c, d, 0, 0, 0, 0])
        });
        Some(gathered(inverted.each_ref()).0)
    }

    /// The sum of each pair, into as many sums or up to seven more. Whether it had to be the complete way: then points may be infinity
    /// from here on.
    #[expect(unsafe_code, reason = "calls code for this processor")]
    fn add(&self, points: &[Point], pairs: &[[Entry; 2]], sums: &mut [Point], groups: &mut Vec<Group>, complete: bool) -> bool {
        // SAFETY: a `Wide` exists only where the processor has these instructions.
        if pairs.is_empty() || !complete && unsafe { self.add_pairs(points, pairs, sums, groups) } {
            return false;
        }
        let side = |side: usize| {
            let entered = |pair: &[Entry; 2]| self.affine(&points[(pair[side] >> 1) as usize]).negated_if(pair[side] & 1 == 1);
            pairs.iter().map(entered).collect::<Vec<Affine<F>>>()
        };
        let mut all = side(0);
        Adder::new().add_each(&mut all, &side(1));
        self.take_in(&all, &mut sums[..pairs.len()], |sum| *sum);
        true
    }

    /// Sums runs: `entries` lie in runs of the given lengths. The sum of each that is not empty is in [`Room::summed`]. Whether points
    /// met, so that from there on the complete way was taken.
    pub(crate) fn sum_runs(&self, points: &[Point], entries: &[Entry], lengths: &mut [u32], room: &mut Room) -> bool {
        let Room { pool, list, next, pairs, groups, .. } = room;
        pool.clear();
        list.clear();
        // Neighbours in each run are summed; a run's last one without a neighbour goes with them as it is.
        paired(entries, lengths, pairs);
        pool.resize(pairs.len().next_multiple_of(LANES), Point::INFINITY);
        let mut complete = self.add(points, pairs, pool, groups, false);
        let (mut rest, mut summed) = (entries, 0..);
        for length in lengths.iter_mut() {
            let (run, after) = rest.split_at(*length as usize);
            let (pairs, single) = run.as_chunks::<2>();
            list.extend(summed.by_ref().take(pairs.len()).map(|i| entry(i, false)));
            for single in single {
                list.push(entry(pool.len(), false));
                pool.push(self.entered(points, *single));
            }
            rest = after;
            *length = length.div_ceil(2);
        }
        while lengths.iter().any(|n| *n > 1) {
            paired(list, lengths, pairs);
            let before = pool.len();
            pool.resize(before + pairs.len().next_multiple_of(LANES), Point::INFINITY);
            let (points, sums) = pool.split_at_mut(before);
            complete |= self.add(points, pairs, sums, groups, complete);
            next.clear();
            let (mut rest, mut summed) = (list.as_slice(), before..);
            for length in lengths.iter_mut() {
                let (run, after) = rest.split_at(*length as usize);
                let (pairs, single) = run.as_chunks::<2>();
                next.extend(summed.by_ref().take(pairs.len()).map(|i| entry(i, false)));
                next.extend_from_slice(single);
                rest = after;
                *length = length.div_ceil(2);
            }
            std::mem::swap(list, next);
        }
        complete
    }

    fn entered(&self, points: &[Point], entry: Entry) -> Point {
        let point = points[(entry >> 1) as usize];
        if entry & 1 == 0 || point.is_infinity() {
            return point;
        }
        let [x0, x1, x2, x3, y0, y1, y2, y3] = point.0;
        let [y0, y1, y2, y3] = twice_less(&F::modulus(), &[y0, y1, y2, y3]);
        Point([x0, x1, x2, x3, y0, y1, y2, y3])
    }

    /// For each list of as many sums: in stretches, `Σ (i + 1) · sum[i]` and `Σ sum[i]`, with `i` counted from the stretch's start.
    pub(crate) fn weighted(&self, lists: &[Vec<Point>], stretches: usize, room: &mut Room) -> Vec<Vec<Stretch<F>>> {
        let length = lists.first().map_or(0, Vec::len) / stretches;
        let lanes = lists.len() * stretches;
        // Running sums, their totals, and what is added next to the former.
        let mut points = vec![Point::INFINITY; 3 * lanes];
        for i in (0..length).rev() {
            for (cell, stretch) in points[2 * lanes..].iter_mut().zip(lists.iter().flat_map(|list| list.chunks_exact(length))) {
                *cell = stretch[i];
            }
            self.add_lanes(&mut points, 0, 2 * lanes, lanes, room);
            self.add_lanes(&mut points, lanes, 0, lanes, room);
        }
        let lane = |lane: usize| Stretch { weighted: self.affine(&points[lanes + lane]), plain: self.affine(&points[lane]) };
        (0..lists.len()).map(|list| (0..stretches).map(|stretch| lane(list * stretches + stretch)).collect()).collect()
    }

    /// `points[to + i] += points[from + i]`.
    fn add_lanes(&self, points: &mut [Point], to: usize, from: usize, lanes: usize, room: &mut Room) {
        let Room { pool, pairs, lanes: added, groups, .. } = room;
        pairs.clear();
        added.clear();
        let mut same = false;
        for lane in 0..lanes {
            if points[to + lane].is_infinity() {
                points[to + lane] = points[from + lane];
            } else if !points[from + lane].is_infinity() {
                same |= points[to + lane] == points[from + lane];
                pairs.push([entry(to + lane, false), entry(from + lane, false)]);
                added.push(lane);
            }
        }
        pool.clear();
        pool.resize(pairs.len().next_multiple_of(LANES), Point::INFINITY);
        self.add(points, pairs, pool, groups, same);
        for (lane, sum) in added.iter().zip(&*pool) {
            points[to + lane] = *sum;
        }
    }
}

/// Neighbours in each run.
fn paired(entries: &[Entry], lengths: &[u32], pairs: &mut Vec<[Entry; 2]>) {
    pairs.clear();
    let mut rest = entries;
    for length in lengths {
        let (run, after) = rest.split_at(*length as usize);
        pairs.extend_from_slice(run.as_chunks::<2>().0);
        rest = after;
    }
}

/// Room for many additions.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Sums, and what was not added to anything yet.
    pool: Vec<Point>,
    /// What of it is still to be summed, run after run.
    list: Vec<Entry>,
    next: Vec<Entry>,
    pairs: Vec<[Entry; 2]>,
    lanes: Vec<usize>,
    groups: Vec<Group>,
}

impl Room {
    /// What [`Wide::sum_runs`] summed.
    pub(crate) fn summed(&self) -> impl Iterator<Item = Point> {
        self.list.iter().map(|entry| self.pool[(entry >> 1) as usize])
    }
}

/// Eight additions between the two passes over them.
#[derive(Debug, Clone)]
struct Group {
    a: (Numbers, Numbers),
    b: (Numbers, Numbers),
    run: Numbers,
    before: Numbers,
}

/// Of a number below 4p in Montgomery form for 2^260.
fn plain<F: Field>(limbs: [u64; 4]) -> F {
    F::of_limbs(&reduced(limbs, &F::modulus())) * F::inverse_of_2_260()
}

/// `2p - a`.
fn twice_less(p: &[u64; 4], a: &[u64; 4]) -> [u64; 4] {
    let mut borrow = 0_i128;
    std::array::from_fn(|i| {
        let difference = 2 * i128::from(p[i]) - i128::from(a[i]) + borrow;
        borrow = difference >> 64;
        difference as u64
    })
}

/// A number below 4p, modulo p.
fn reduced(mut value: [u64; 4], p: &[u64; 4]) -> [u64; 4] {
    while value.iter().rev().ge(p.iter().rev()) {
        let mut borrow = false;
        for (limb, p) in value.iter_mut().zip(p) {
            let (first, under) = limb.overflowing_sub(*p);
            let (second, again) = first.overflowing_sub(u64::from(borrow));
            *limb = second;
            borrow = under || again;
        }
    }
    value
}

#[target_feature(enable = "avx512f")]
#[inline]
fn broadcast(number: &[u64; LIMBS]) -> Numbers {
    number.map(|limb| _mm512_set1_epi64(limb as i64))
}

/// Asks for a point to be brought near.
#[target_feature(enable = "avx512f")]
#[inline]
fn fetch(point: &Point) {
    _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(point).cast());
}

/// Rows to columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    // Pairs of limbs, then of 128 bits, then of 256.
    let low = |i: usize| _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
    let high = |i: usize| _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
    let (l, h) = ([low(0), low(1), low(2), low(3)], [high(0), high(1), high(2), high(3)]);
    // Columns 0 and 4, 2 and 6 of four rows, then 1 and 5, 3 and 7.
    let even = |x: &[__m512i; 4], i: usize| _mm512_shuffle_i64x2::<0b10_00_10_00>(x[2 * i], x[2 * i + 1]);
    let odd = |x: &[__m512i; 4], i: usize| _mm512_shuffle_i64x2::<0b11_01_11_01>(x[2 * i], x[2 * i + 1]);
    let first = |a, b| _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
    let second = |a, b| _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b);
    let (l04, l26) = ((even(&l, 0), even(&l, 1)), (odd(&l, 0), odd(&l, 1)));
    let (h15, h37) = ((even(&h, 0), even(&h, 1)), (odd(&h, 0), odd(&h, 1)));
    [
        first(l04.0, l04.1),
        first(h15.0, h15.1),
        first(l26.0, l26.1),
        first(h37.0, h37.1),
        second(l04.0, l04.1),
        second(h15.0, h15.1),
        second(l26.0, l26.1),
        second(h37.0, h37.1),
    ]
}

/// The coordinates of eight points.
#[target_feature(enable = "avx512f")]
#[inline]
#[expect(unsafe_code, reason = "reads memory as registers")]
fn gathered(points: [&Point; LANES]) -> (Numbers, Numbers) {
    // SAFETY: a point is 64 bytes, aligned to as many.
    let [x0, x1, x2, x3, y0, y1, y2, y3] = transposed(points.map(|point| unsafe { _mm512_load_si512(point.0.as_ptr().cast()) }));
    (narrow([x0, x1, x2, x3]), narrow([y0, y1, y2, y3]))
}

/// Eight points of these coordinates.
#[target_feature(enable = "avx512f")]
#[inline]
#[expect(unsafe_code, reason = "writes registers to memory")]
fn scattered(x: &Numbers, y: &Numbers) -> [Point; LANES] {
    let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (broad(x), broad(y));
    let mut points = [Point::INFINITY; LANES];
    for (point, row) in points.iter_mut().zip(transposed([x0, x1, x2, x3, y0, y1, y2, y3])) {
        // SAFETY: a point is 64 bytes, aligned to as many.
        unsafe { _mm512_store_si512(point.0.as_mut_ptr().cast(), row) };
    }
    points
}

/// Four limbs of 64 bits as five of 52.
#[target_feature(enable = "avx512f")]
#[inline]
fn narrow([a, b, c, d]: [__m512i; 4]) -> Numbers {
    let mask = _mm512_set1_epi64(MASK as i64);
    let low = |x| _mm512_and_si512(x, mask);
    [
        low(a),
        low(_mm512_or_si512(_mm512_srli_epi64::<52>(a), _mm512_slli_epi64::<12>(b))),
        low(_mm512_or_si512(_mm512_srli_epi64::<40>(b), _mm512_slli_epi64::<24>(c))),
        low(_mm512_or_si512(_mm512_srli_epi64::<28>(c), _mm512_slli_epi64::<36>(d))),
        _mm512_srli_epi64::<16>(d),
    ]
}

/// Five limbs of 52 bits as four of 64.
#[target_feature(enable = "avx512f")]
#[inline]
fn broad([a, b, c, d, e]: &Numbers) -> [__m512i; 4] {
    [
        _mm512_or_si512(*a, _mm512_slli_epi64::<52>(*b)),
        _mm512_or_si512(_mm512_srli_epi64::<12>(*b), _mm512_slli_epi64::<40>(*c)),
        _mm512_or_si512(_mm512_srli_epi64::<24>(*c), _mm512_slli_epi64::<28>(*d)),
        _mm512_or_si512(_mm512_srli_epi64::<36>(*d), _mm512_slli_epi64::<16>(*e)),
    ]
}

/// Limbs of 52 bits, the last one signed, from limbs of any sign.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn carried(mut t: Numbers) -> Numbers {
    let mask = _mm512_set1_epi64(MASK as i64);
    for i in 0..LIMBS - 1 {
        t[i + 1] = _mm512_add_epi64(t[i + 1], _mm512_srai_epi64::<BITS>(t[i]));
        t[i] = _mm512_and_si512(t[i], mask);
    }
    t
}
