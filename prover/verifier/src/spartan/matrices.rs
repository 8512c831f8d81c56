//! A circuit's three matrices, for the value of their multilinear extensions at a point.

use super::table::table;
use ff::PrimeField;
use nova_snark::errors::NovaError;
use nova_snark::r1cs::{R1CSShape, SparseMatrix};
use nova_snark::traits::Engine;
use rayon::prelude::*;
use std::collections::HashMap;

/// A coefficient beside its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Coefficient {
    One,
    MinusOne,
    /// Number of a value.
    Other(u32),
}

/// The rows of A, B and C as linear combinations of variables, each kept once with all its places. An S-box alone squares a
/// combination (in A and in B) and multiplies by it again. What is kept is in range: whoever makes it ([`Matrices::of`]) has checked.
#[derive(Debug)]
pub(super) struct Matrices<F> {
    /// Variables, a power of two; the columns behind them are the constant and the public values.
    variables: usize,
    /// Constraints, a power of two.
    constraints: usize,
    /// Columns behind the variables.
    behind: usize,
    combinations: Vec<Combination>,
    /// Columns of all combinations: those added, those taken away, those multiplied.
    columns: Vec<u32>,
    /// By what the last are multiplied, and the values that this numbers.
    numbers: Vec<u32>,
    values: Vec<F>,
    /// Rows of all combinations: those of A, of B, of C.
    rows: Vec<u32>,
}

/// How many of each list are of one combination; they follow those of the combination before.
#[derive(Debug, Clone, Copy)]
struct Combination {
    added: u32,
    taken: u32,
    multiplied: u32,
    rows: [u32; 3],
}

/// Combinations that are summed without a break.
const STRETCH: usize = 512;

/// Where a stretch begins in the lists.
#[derive(Debug, Clone, Copy, Default)]
struct Start {
    columns: usize,
    numbers: usize,
    rows: usize,
}

impl<F: PrimeField> Matrices<F> {
    /// Of a padded shape.
    pub(super) fn of<E: Engine<Scalar = F>>(shape: &R1CSShape<E>) -> Result<Self, NovaError> {
        let (variables, constraints, behind) = (shape.num_vars(), shape.num_cons(), shape.num_io().saturating_add(1));
        if !variables.is_power_of_two() || !constraints.is_power_of_two() || behind > variables {
            return Err(NovaError::InvalidIndex);
        }
        let columns = variables.checked_add(behind).ok_or(NovaError::InvalidIndex)?;
        let mut values = Values { numbers: HashMap::new(), values: Vec::new() };
        let mut numbers: HashMap<Vec<(Coefficient, u32)>, usize> = HashMap::new();
        let mut places: Vec<[Vec<u32>; 3]> = Vec::new();
        let mut combination = Vec::new();
        for (matrix, which) in [shape.A(), shape.B(), shape.C()].into_iter().zip(0_usize..) {
            for (row, entries) in rows(matrix).enumerate() {
                combination.clear();
                for (value, column) in entries? {
                    combination.push((values.number(value)?, below(*column, columns)?));
                }
                if combination.is_empty() {
                    continue;
                }
                combination.sort_unstable();
                let number = numbers.get(combination.as_slice()).copied().unwrap_or(places.len());
                if number == places.len() {
                    numbers.insert(combination.clone(), number);
                    places.push(Default::default());
                }
                let rows = places.get_mut(number).and_then(|rows| rows.get_mut(which)).ok_or(NovaError::InvalidIndex)?;
                rows.push(below(row, constraints)?);
            }
        }
        let mut ordered: Vec<_> = numbers.into_iter().collect();
        ordered.sort_unstable_by_key(|(_, number)| *number);
        let mut made = Self {
            variables,
            constraints,
            behind,
            combinations: Vec::with_capacity(ordered.len()),
            columns: Vec::new(),
            numbers: Vec::new(),
            values: values.values,
            rows: Vec::new(),
        };
        for ((entries, _), rows) in ordered.iter().zip(&places) {
            made.push(entries, rows)?;
        }
        Ok(made)
    }

    /// Entries come in the order of their coefficients.
    fn push(&mut self, entries: &[(Coefficient, u32)], rows: &[Vec<u32>; 3]) -> Result<(), NovaError> {
        let mut combination = Combination { added: 0, taken: 0, multiplied: 0, rows: [0; 3] };
        for (coefficient, column) in entries {
            let count = match coefficient {
                Coefficient::One => &mut combination.added,
                Coefficient::MinusOne => &mut combination.taken,
                Coefficient::Other(number) => {
                    self.numbers.push(*number);
                    &mut combination.multiplied
                }
            };
            *count = count.saturating_add(1);
            self.columns.push(*column);
        }
        for (count, rows) in combination.rows.iter_mut().zip(rows) {
            *count = u32::try_from(rows.len()).map_err(|_| NovaError::InvalidIndex)?;
            self.rows.extend(rows);
        }
        self.combinations.push(combination);
        Ok(())
    }

    /// Coordinates of a row, coordinates of a column.
    pub(super) fn coordinates(&self) -> (usize, usize) {
        let log = |n: usize| usize::try_from(n.trailing_zeros()).unwrap_or(usize::MAX);
        (log(self.constraints), log(self.variables).saturating_add(1))
    }

    /// `A(x, y) + r · B(x, y) + r² · C(x, y)`.
    pub(super) fn at(&self, x: &[F], y: &[F], r: F) -> Result<F, NovaError> {
        let (first, rest) = y.split_first().ok_or(NovaError::InvalidIndex)?;
        if (x.len(), y.len()) != self.coordinates() {
            return Err(NovaError::InvalidIndex);
        }
        let (rows, columns) = rayon::join(|| table(F::ONE, x), || self.columns(*first, rest));
        let stretches: Vec<(Start, &[Combination])> = self
            .combinations
            .chunks(STRETCH)
            .scan(Start::default(), |next, stretch| {
                let start = *next;
                stretch.iter().for_each(|c| c.pass(next));
                Some((start, stretch))
            })
            .collect();
        let sums = stretches.into_par_iter().map(|(start, stretch)| self.sums(start, stretch, &rows, &columns));
        let [a, b, c] = sums.reduce(|| [F::ZERO; 3], |[a, b, c], [d, e, f]| [a + d, b + e, c + f]);
        Ok(a + r * (b + r * c))
    }

    /// What a stretch adds to each matrix' value.
    #[expect(clippy::indexing_slicing, reason = "`of` has checked every column, row and number")]
    fn sums(&self, start: Start, stretch: &[Combination], rows: &[F], columns: &[F]) -> [F; 3] {
        let at = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
        let mut sums = [F::ZERO; 3];
        let (mut next_column, mut next_number, mut next_row) =
            (self.columns[start.columns..].iter(), self.numbers[start.numbers..].iter(), self.rows[start.rows..].iter());
        for combination in stretch {
            let mut value = F::ZERO;
            for column in next_column.by_ref().take(at(&combination.added)) {
                value += columns[at(column)];
            }
            for column in next_column.by_ref().take(at(&combination.taken)) {
                value -= columns[at(column)];
            }
            for (column, number) in next_column.by_ref().zip(next_number.by_ref()).take(at(&combination.multiplied)) {
                value += self.values[at(number)] * columns[at(column)];
            }
            for (sum, count) in sums.iter_mut().zip(&combination.rows) {
                if *count > 0 {
                    *sum += value * next_row.by_ref().take(at(count)).map(|row| rows[at(row)]).sum::<F>();
                }
            }
        }
        sums
    }

    /// `eq(y, ·)` at the columns in use: the variables have a first coordinate of zero, what is behind them of one.
    fn columns(&self, first: F, rest: &[F]) -> Vec<F> {
        let mut columns = table(F::ONE - first, rest);
        // The same with the other first coordinate, of which few values are needed.
        columns.extend((0..self.behind).map(|n| first * vertex(rest, n)));
        columns
    }
}

impl Combination {
    /// Moves a start behind this one.
    fn pass(&self, start: &mut Start) {
        let count = |counts: &[u32]| counts.iter().fold(0_usize, |sum, n| sum.saturating_add(usize::try_from(*n).unwrap_or(usize::MAX)));
        start.columns = start.columns.saturating_add(count(&[self.added, self.taken, self.multiplied]));
        start.numbers = start.numbers.saturating_add(count(&[self.multiplied]));
        start.rows = start.rows.saturating_add(count(&self.rows));
    }
}

/// `eq(point, v)` for the vertex of a number.
pub(super) fn vertex<F: PrimeField>(point: &[F], number: usize) -> F {
    let mut rest = number;
    point.iter().rev().fold(F::ONE, |product, r| {
        let bit = rest & 1;
        rest >>= 1;
        product * if bit == 1 { *r } else { F::ONE - r }
    })
}

type Entries<'a, F> = std::iter::Zip<std::slice::Iter<'a, F>, std::slice::Iter<'a, usize>>;

/// A matrix row by row.
fn rows<F: PrimeField>(matrix: &SparseMatrix<F>) -> impl Iterator<Item = Result<Entries<'_, F>, NovaError>> {
    matrix.indptr.iter().zip(matrix.indptr.iter().skip(1)).map(|(from, to)| {
        let (values, columns) = (matrix.data.get(*from..*to), matrix.indices.get(*from..*to));
        values.zip(columns).map(|(v, c)| v.iter().zip(c)).ok_or(NovaError::InvalidIndex)
    })
}

struct Values<F> {
    numbers: HashMap<[u8; 32], u32>,
    values: Vec<F>,
}

impl<F: PrimeField> Values<F> {
    fn number(&mut self, value: &F) -> Result<Coefficient, NovaError> {
        if *value == F::ONE {
            return Ok(Coefficient::One);
        }
        if *value == -F::ONE {
            return Ok(Coefficient::MinusOne);
        }
        let bytes = <[u8; 32]>::try_from(value.to_repr().as_ref()).map_err(|_| NovaError::InvalidIndex)?;
        let next = below(self.values.len(), usize::MAX)?;
        let number = *self.numbers.entry(bytes).or_insert(next);
        if number == next {
            self.values.push(*value);
        }
        Ok(Coefficient::Other(number))
    }
}

/// An index that is below a bound.
fn below(index: usize, bound: usize) -> Result<u32, NovaError> {
    u32::try_from(index).ok().filter(|_| index < bound).ok_or(NovaError::InvalidIndex)
}
