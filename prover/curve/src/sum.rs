//! Sums of multiples of many points: Pippenger's buckets, filled by additions that share inversions.
//!
//! Every scalar is cut into signed digits. For each window the points are sorted by digit; points of the same digit are summed in
//! halving rounds; then `Σ d · bucket_d` is a double running sum, run in parallel over stretches of buckets. Short scalars have
//! few digits that are not zero, and a digit that is zero costs nothing, so bits and small numbers need no way of their own.

use crate::affine::{Adder, Affine, Stretch};
use crate::field::Field;
use crate::point::Curve;
use crate::scalar::{Columns, Signed, windows};
#[cfg(target_arch = "x86_64")]
use crate::wide::{self, Wide};
use halo2curves::group::Group;
use rayon::prelude::*;

/// Points summed at a time: what fits the second cache with its denominators.
const AT_ONCE: usize = 8192;
/// Stretches of buckets summed beside each other.
const STRETCHES: usize = 16;
/// Widest window, bits.
const WIDEST: u32 = 15;

/// `Σ scalarᵢ · pointᵢ`, of as many scalars as points, fewer than 2^30.
pub(crate) fn sum<C: Curve>(mut scalars: Vec<Signed>, points: &[C]) -> C::CurveExt {
    assert!(scalars.len() == points.len() && points.len() < 1 << 30, "as many scalars as points, and fewer than 2^30");
    let lengths = lengths(&mut scalars, points);
    let longest = lengths.iter().rposition(|n| *n != 0).unwrap_or(0) as u32;
    if longest == 0 {
        return C::CurveExt::identity();
    }
    let width = cheapest(&lengths, longest);
    over_windows::<C>(&scalars, points, width, true)
}

/// How many scalars have how many bits; those of infinity become 0.
fn lengths<C: Curve>(scalars: &mut [Signed], points: &[C]) -> Vec<u32> {
    let none = || vec![0_u32; 257];
    let counted = |mut lengths: Vec<u32>, (scalar, point): (&mut Signed, &C)| {
        if Affine::of(point).is_infinity() {
            *scalar = Signed::ZERO;
        }
        lengths[scalar.bits() as usize] += 1;
        lengths
    };
    let joined = |one: Vec<u32>, other: Vec<u32>| one.iter().zip(&other).map(|(a, b)| a + b).collect();
    scalars.par_iter_mut().zip(points).with_min_len(AT_ONCE).fold(none, counted).reduce(none, joined)
}

/// The same with windows of a width, over points that are not infinity. `wide` where the processor can.
pub(crate) fn over_windows<C: Curve>(scalars: &[Signed], points: &[C], width: u32, wide: bool) -> C::CurveExt {
    let scalars = Columns::of(scalars);
    let windows =
        (0..windows(scalars.longest, width)).into_par_iter().map(|window| Window::of(&scalars.digits(window * width, width), width));
    let sums = all::<C>(windows, points, wide);
    sums.iter().rev().fold(C::CurveExt::identity(), |high, low| (0..width).fold(high, |p, _| p.double()) + low)
}

/// `Σ digitᵢ · pointᵢ` of each window.
fn all<C: Curve>(windows: impl IndexedParallelIterator<Item = Window>, points: &[C], wide: bool) -> Vec<C::CurveExt> {
    #[cfg(target_arch = "x86_64")]
    if let Some(wide) = Wide::<C::Base>::detect().filter(|_| wide) {
        let mut taken = vec![wide::Point::INFINITY; points.len()];
        taken.par_chunks_mut(AT_ONCE).zip(points.par_chunks(AT_ONCE)).for_each(|(to, from)| wide.take_in(from, to, Affine::of));
        let buckets: Vec<Vec<wide::Point>> =
            windows.map_init(wide::Room::default, |room, window| fill_wide(&wide, &window, &taken, room)).collect();
        let at_once = buckets.len().div_ceil(rayon::current_num_threads());
        let weighted = |lists: &[Vec<wide::Point>]| {
            let stretches = STRETCHES.min(lists[0].len());
            let length = lists[0].len() / stretches;
            let stretched = wide.weighted(lists, stretches, &mut wide::Room::default());
            stretched.iter().map(|stretches| joined::<C>(stretches, length)).collect::<Vec<_>>()
        };
        return buckets.par_chunks(at_once).flat_map_iter(weighted).collect();
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = wide;
    let points: Vec<Affine<C::Base>> = points.par_iter().map(Affine::of).collect();
    windows.map(|window| weighted::<C>(&fill(&window, &points))).collect()
}

/// The width with the fewest additions, given how many scalars have how many bits.
fn cheapest(lengths: &[u32], longest: u32) -> u32 {
    let cost = |width: u32| {
        let digits: u64 = (1..=longest).map(|bits| u64::from(lengths[bits as usize]) * u64::from(windows(bits, width))).sum();
        digits + u64::from(windows(longest, width)) * (2 << (width - 1))
    };
    (2..=WIDEST).min_by_key(|width| cost(*width)).unwrap_or(WIDEST)
}

/// The points of a window by their digit.
struct Window {
    /// How many have each digit, from one on.
    counts: Vec<u32>,
    /// They themselves, by digit: twice their index, one more if negated.
    entries: Vec<u32>,
}

impl Window {
    fn of(digits: &[i16], width: u32) -> Self {
        let mut counts = vec![0_u32; (1 << (width - 1)) + 1];
        for digit in digits {
            counts[digit.unsigned_abs() as usize] += 1;
        }
        counts[0] = 0;
        let mut total = 0;
        let mut next = Vec::with_capacity(counts.len());
        for count in &counts {
            next.push(total);
            total += count;
        }
        let mut entries = vec![0_u32; total as usize];
        for (i, digit) in digits.iter().enumerate() {
            if *digit != 0 {
                let next = &mut next[digit.unsigned_abs() as usize];
                entries[*next as usize] = (i as u32) << 1 | u32::from(*digit < 0);
                *next += 1;
            }
        }
        counts.remove(0);
        Self { counts, entries }
    }

    /// Buckets and their entries, some thousand entries at a time.
    fn stretches(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        let (mut counts, mut entries) = (self.counts.as_slice(), self.entries.as_slice());
        std::iter::from_fn(move || {
            let mut taken = 0;
            let stretch = counts.iter().take_while(|count| {
                let more = taken < AT_ONCE;
                taken += if more { **count as usize } else { 0 };
                more
            });
            let (now, later) = counts.split_at(stretch.count());
            let (here, rest) = entries.split_at(taken);
            (counts, entries) = (later, rest);
            (!now.is_empty()).then_some((now, here))
        })
    }
}

/// Sum of each bucket's points.
fn fill<F: Field>(window: &Window, points: &[Affine<F>]) -> Vec<Affine<F>> {
    let mut sums = Vec::with_capacity(window.counts.len());
    let mut adder = Adder::new();
    let (mut gathered, mut lengths) = (Vec::new(), Vec::new());
    for (counts, entries) in window.stretches() {
        gathered.clear();
        gathered.extend(entries.iter().map(|entry| points[(entry >> 1) as usize].negated_if(entry & 1 == 1)));
        lengths.clear();
        lengths.extend_from_slice(counts);
        while lengths.iter().any(|n| *n > 1) {
            adder.halve(&mut gathered, &mut lengths);
        }
        spread(counts, gathered.iter().copied(), Affine::INFINITY, &mut sums);
    }
    sums
}

/// The same by the processor's wide multiplications.
#[cfg(target_arch = "x86_64")]
fn fill_wide<F: Field>(wide: &Wide<F>, window: &Window, points: &[wide::Point], room: &mut wide::Room) -> Vec<wide::Point> {
    let mut sums = Vec::with_capacity(window.counts.len());
    let mut lengths = Vec::new();
    for (counts, entries) in window.stretches() {
        lengths.clear();
        lengths.extend_from_slice(counts);
        wide.sum_runs(points, entries, &mut lengths, room);
        spread(counts, room.summed(), wide::Point::INFINITY, &mut sums);
    }
    sums
}

/// The sums of the buckets that are not empty, and `nothing` for the others.
fn spread<P: Copy>(counts: &[u32], mut filled: impl Iterator<Item = P>, nothing: P, sums: &mut Vec<P>) {
    sums.extend(counts.iter().map(|count| if *count == 0 { nothing } else { filled.next().unwrap_or(nothing) }));
}

/// `Σ (i + 1) · sums[i]`. A power of two of them.
fn weighted<C: Curve>(sums: &[Affine<C::Base>]) -> C::CurveExt {
    let stretches = STRETCHES.min(sums.len());
    let length = sums.len() / stretches;
    let mut adder = Adder::new();
    let mut runs = vec![Affine::INFINITY; stretches];
    let mut totals = runs.clone();
    let mut column = runs.clone();
    for i in (0..length).rev() {
        for (cell, stretch) in column.iter_mut().zip(sums.chunks_exact(length)) {
            *cell = stretch[i];
        }
        adder.add_each(&mut runs, &column);
        adder.add_each(&mut totals, &runs);
    }
    joined::<C>(&totals.into_iter().zip(runs).map(|(weighted, plain)| Stretch { weighted, plain }).collect::<Vec<_>>(), length)
}

/// A stretch that begins at bucket k · length counts each of its points that much more.
fn joined<C: Curve>(stretches: &[Stretch<C::Base>], length: usize) -> C::CurveExt {
    let (mut run, mut above, mut all) = (C::CurveExt::identity(), C::CurveExt::identity(), C::CurveExt::identity());
    for (at, stretch) in stretches.iter().enumerate().rev() {
        all += stretch.weighted.to_curve::<C>();
        run += stretch.plain.to_curve::<C>();
        if at > 0 {
            above += run;
        }
    }
    (0..length.ilog2()).fold(above, |p, _| p.double()) + all
}
