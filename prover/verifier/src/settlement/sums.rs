//! The same constraints with fewer entries: what an on-chain proof costs to make is set by the non-zeros of the matrices.
//!
//! A long linear combination that several rows use becomes a variable of its own, with a row that says what it is. And one that is a
//! combination of the few sums before it and little else is written as that: the state of a Poseidon sponge in its partial rounds is
//! such a sequence. Both are identities between linear combinations, so the new shape is satisfied by exactly the old one's
//! witnesses, each extended in the one way that [`Sums::extend`] gives; [`Sums::expand`] takes every row back, and a test compares.

use super::key::SettleShape;
use crate::Scalar;
use crate::engines::{Pairing, System};
use ff::Field;
use nova_snark::errors::NovaError;
use nova_snark::r1cs::{R1CSShape, SparseMatrix};
use std::collections::{BTreeMap, HashMap};

/// Column and coefficient, by column.
type Combination = BTreeMap<usize, Scalar>;

/// Combinations of fewer entries are left as they are.
const LONG: usize = 4;
/// Sums that the next one may be a combination of: the width of the narrow sponge, and of the wide one, less the place that each round
/// fills anew; the latter for combinations of at least so many entries.
const BEFORE: [(usize, usize); 2] = [(5, 0), (24, 60)];
/// Writing a combination with the sums before it must save so many entries.
const WORTH: usize = 1;

/// The variables that the shape has beyond the circuit's, in the order in which they follow from it.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// Variables of the circuit.
    variables: usize,
    /// Each over the circuit's columns and, above all of those, earlier sums.
    sums: Vec<Combination>,
}

/// Where one combination stands.
type Places = Vec<(usize, usize)>;

impl Sums {
    /// Finds the sums of a circuit's shape and writes the shape with them.
    pub(crate) fn share(shape: &SettleShape) -> Result<(SettleShape, Self), NovaError> {
        let matrices = [rows(shape.A(), shape.num_cons()), rows(shape.B(), shape.num_cons()), rows(shape.C(), shape.num_cons())];
        let columns = shape.num_vars().saturating_add(shape.num_io()).saturating_add(1);
        let mut found = Found { columns, ..Found::default() };
        let mut replaced: HashMap<(usize, usize), Combination> = HashMap::new();
        for (combination, places) in repeated(&matrices) {
            let written = found.write(&combination);
            let (entries, uses) = (written.len(), places.len());
            // As a variable: its row, and one entry a use.
            let instead = if entries.saturating_add(2).saturating_add(uses) < uses.saturating_mul(entries) {
                Combination::from([(found.add(combination, written), Scalar::ONE)])
            } else {
                written
            };
            for place in places {
                replaced.insert(place, instead.clone());
            }
        }
        let sums = Self { variables: shape.num_vars(), sums: found.written };
        let [a, b, c] = matrices;
        let shared = sums.write(shape, [a, b, c], &replaced)?;
        Ok((shared, sums))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sums.len()
    }

    /// Column of the circuit (or sum, above all of those) in the shape that has the sums: variables first, then 1 and the public values.
    fn column(&self, columns: usize, column: usize) -> usize {
        match column.checked_sub(columns) {
            Some(sum) => self.variables.saturating_add(sum),
            None if column < self.variables => column,
            None => column.saturating_add(self.sums.len()),
        }
    }

    fn write(
        &self,
        shape: &SettleShape,
        matrices: [Vec<Combination>; 3],
        replaced: &HashMap<(usize, usize), Combination>,
    ) -> Result<SettleShape, NovaError> {
        let columns = shape.num_vars().saturating_add(shape.num_io()).saturating_add(1);
        let (rows, sums) = (shape.num_cons(), self.sums.len());
        let mut out = [Vec::new(), Vec::new(), Vec::new()];
        let place = |row: usize, combination: &Combination, out: &mut Vec<(usize, usize, Scalar)>| {
            let mut entries: Vec<_> = combination.iter().map(|(c, v)| (row, self.column(columns, *c), *v)).collect();
            entries.sort_unstable_by_key(|(_, column, _)| *column);
            out.extend(entries);
        };
        for (m, (matrix, out)) in matrices.iter().zip(&mut out).enumerate() {
            for (row, combination) in matrix.iter().enumerate() {
                place(row, replaced.get(&(m, row)).unwrap_or(combination), out);
            }
        }
        // Each sum's row: combination · 1 = the sum.
        let [a, b, c] = &mut out;
        for (i, sum) in self.sums.iter().enumerate() {
            let row = rows.saturating_add(i);
            place(row, sum, a);
            b.push((row, self.column(columns, shape.num_vars()), Scalar::ONE));
            c.push((row, self.variables.saturating_add(i), Scalar::ONE));
        }
        let (rows, columns) = (rows.saturating_add(sums), columns.saturating_add(sums));
        let matrix = |entries: &[(usize, usize, Scalar)]| SparseMatrix::new(entries, rows, columns);
        R1CSShape::<<Pairing as System>::E1>::new(
            rows,
            shape.num_vars().saturating_add(sums),
            shape.num_io(),
            matrix(a),
            matrix(b),
            matrix(c),
        )
    }

    /// The witness of the shape with sums, from the circuit's variables and public values.
    #[must_use]
    pub fn extend(&self, variables: &[Scalar], public: &[Scalar]) -> Vec<Scalar> {
        let columns = self.variables.saturating_add(public.len()).saturating_add(1);
        let mut out = Vec::with_capacity(self.variables.saturating_add(self.sums.len()));
        out.extend_from_slice(variables);
        out.resize(self.variables, Scalar::ZERO);
        for sum in &self.sums {
            let value = sum.iter().fold(Scalar::ZERO, |value, (column, coefficient)| {
                let at = match column.checked_sub(self.variables) {
                    None => out.get(*column),
                    Some(0) => Some(&Scalar::ONE),
                    Some(_) if *column >= columns => out.get(self.variables.saturating_add(column.saturating_sub(columns))),
                    Some(n) => public.get(n.saturating_sub(1)),
                };
                value + *coefficient * at.copied().unwrap_or(Scalar::ZERO)
            });
            out.push(value);
        }
        out
    }

    /// The circuit's shape again: every sum replaced by what it stands for, and the rows that define them left out.
    pub fn expand(&self, shape: &SettleShape) -> Result<SettleShape, NovaError> {
        let sums = self.sums.len();
        let (rows_before, variables) = (shape.num_cons().saturating_sub(sums), shape.num_vars().saturating_sub(sums));
        let mut meaning: Vec<Combination> = Vec::with_capacity(sums);
        for row in rows(shape.A(), shape.num_cons()).iter().skip(rows_before) {
            meaning.push(self.meant(row, &meaning));
        }
        let matrix = |m: &SparseMatrix<Scalar>| {
            let mut out = Vec::new();
            for (row, combination) in rows(m, shape.num_cons()).iter().take(rows_before).enumerate() {
                out.extend(self.meant(combination, &meaning).into_iter().map(|(c, v)| (row, c, v)));
            }
            SparseMatrix::new(&out, rows_before, variables.saturating_add(shape.num_io()).saturating_add(1))
        };
        R1CSShape::<<Pairing as System>::E1>::new(
            rows_before,
            variables,
            shape.num_io(),
            matrix(shape.A()),
            matrix(shape.B()),
            matrix(shape.C()),
        )
    }

    fn meant(&self, combination: &Combination, meaning: &[Combination]) -> Combination {
        let mut out = Combination::new();
        for (column, value) in combination {
            match column.checked_sub(self.variables) {
                None => add(&mut out, *column, *value),
                Some(n) => match meaning.get(n).filter(|_| n < self.sums.len()) {
                    Some(sum) => sum.iter().for_each(|(c, v)| add(&mut out, *c, *v * *value)),
                    None => add(&mut out, column.saturating_sub(self.sums.len()), *value),
                },
            }
        }
        out
    }
}

/// Sums found so far.
#[derive(Default)]
struct Found {
    columns: usize,
    /// Over the circuit's columns alone.
    whole: Vec<Combination>,
    /// As they are written.
    written: Vec<Combination>,
}

impl Found {
    fn add(&mut self, whole: Combination, written: Combination) -> usize {
        self.whole.push(whole);
        self.written.push(written);
        self.columns.saturating_add(self.whole.len()).saturating_sub(1)
    }

    /// The combination with the last few sums in it, if that is shorter.
    fn write(&self, combination: &Combination) -> Combination {
        let mut shortest = combination.clone();
        for (before, least) in BEFORE {
            if combination.len() >= least {
                let written = self.write_with(combination, before);
                if written.len().saturating_add(WORTH) <= shortest.len() {
                    shortest = written;
                }
            }
        }
        shortest
    }

    fn write_with(&self, combination: &Combination, before: usize) -> Combination {
        let first = self.whole.len().saturating_sub(before);
        let mut rest = combination.clone();
        let mut shares = Vec::new();
        // Elimination: the last sums, each freed of the ones before it at their pivots. The pivots are the combination's first columns.
        let mut basis: Vec<(usize, Combination, Combination)> = Vec::new();
        for (i, sum) in self.whole.iter().enumerate().skip(first) {
            let (mut reduced, mut of) = (sum.clone(), Combination::from([(i, Scalar::ONE)]));
            for (pivot, other, other_of) in &basis {
                let factor = reduced.get(pivot).copied().unwrap_or(Scalar::ZERO);
                subtract(&mut reduced, other, factor);
                subtract(&mut of, other_of, factor);
            }
            let Some(pivot) = combination.keys().find(|column| reduced.contains_key(column)).copied() else { continue };
            let Some(inverse) = reduced.get(&pivot).and_then(|v| Option::<Scalar>::from(v.invert())) else { continue };
            reduced.values_mut().chain(of.values_mut()).for_each(|v| *v *= inverse);
            basis.push((pivot, reduced, of));
        }
        for (pivot, reduced, of) in &basis {
            let factor = rest.get(pivot).copied().unwrap_or(Scalar::ZERO);
            subtract(&mut rest, reduced, factor);
            shares.push((of, factor));
        }
        for (of, factor) in shares {
            for (sum, value) in of {
                add(&mut rest, self.columns.saturating_add(*sum), *value * factor);
            }
        }
        rest
    }
}

fn add(to: &mut Combination, column: usize, value: Scalar) {
    let sum = to.get(&column).copied().unwrap_or(Scalar::ZERO) + value;
    if sum == Scalar::ZERO {
        to.remove(&column);
    } else {
        to.insert(column, sum);
    }
}

fn subtract(from: &mut Combination, other: &Combination, factor: Scalar) {
    if factor != Scalar::ZERO {
        other.iter().for_each(|(column, value)| add(from, *column, -(factor * value)));
    }
}

fn rows(matrix: &SparseMatrix<Scalar>, count: usize) -> Vec<Combination> {
    let mut rows = vec![Combination::new(); count];
    for (row, column, value) in matrix.iter() {
        if let Some(row) = rows.get_mut(row) {
            add(row, column, value);
        }
    }
    rows
}

/// Long combinations with all their places, in the order of their first rows.
fn repeated(matrices: &[Vec<Combination>; 3]) -> Vec<(Combination, Places)> {
    let mut order: Vec<(Combination, Places)> = Vec::new();
    let mut known: HashMap<Vec<(usize, [u8; 32])>, usize> = HashMap::new();
    let count = matrices.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..count {
        for (m, matrix) in matrices.iter().enumerate() {
            let Some(combination) = matrix.get(row).filter(|c| c.len() >= LONG) else { continue };
            let key = combination.iter().map(|(c, v)| (*c, v.to_bytes())).collect();
            let at = *known.entry(key).or_insert(order.len());
            match order.get_mut(at) {
                Some((_, places)) => places.push((m, row)),
                None => order.push((combination.clone(), vec![(m, row)])),
            }
        }
    }
    order
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]
mod tests {
    use super::*;
    use crate::{FoldCircuit, SettleCircuit};
    use nova_snark::frontend::r1cs::NovaShape as _;
    use nova_snark::frontend::shape_cs::ShapeCS;
    use probity_strategy::{ModelShape, Recurrent};

    fn circuit(dims: &[u16], shifts: &[u8], slots: u16) -> SettleShape {
        let units = dims.first().map_or(0, |first| first - 16);
        let recurrent = (units > 0).then_some(Recurrent { units, gate_shift: 7, candidate_shift: 6 });
        let shape = ModelShape { dims: dims.to_vec(), shifts: shifts.to_vec(), recurrent };
        let fold = FoldCircuit { shape, decisions_per_fold: slots, witness: None };
        let mut cs = ShapeCS::<<Pairing as System>::E1>::new();
        SettleCircuit { fold, z: None, fingerprint: None, marks: None }.synthesize(&mut cs).unwrap();
        cs.r1cs_shape().unwrap()
    }

    fn entries(shape: &SettleShape) -> usize {
        shape.A().len() + shape.B().len() + shape.C().len()
    }

    #[test]
    fn sums_stand_for_what_the_circuit_has() {
        for (dims, shifts, slots) in [
            (vec![16, 1, 3], vec![7], 2),
            (vec![24, 1, 3], vec![7], 2),
            (vec![16, 32, 16, 3], vec![7, 7], 1),
            (vec![16, 32, 16, 3], vec![7, 7], 16),
        ] {
            let shape = circuit(&dims, &shifts, slots);
            let (shared, sums) = Sums::share(&shape).unwrap();
            println!(
                "{dims:?}, {slots} slots: {} rows, {} non-zeros; {} sums, {} non-zeros",
                shape.num_cons(),
                entries(&shape),
                sums.count(),
                entries(&shared)
            );
            assert!(entries(&shared) < entries(&shape));
            let back = sums.expand(&shared).unwrap();
            for (was, is) in [(shape.A(), back.A()), (shape.B(), back.B()), (shape.C(), back.C())] {
                assert_eq!(rows(was, shape.num_cons()), rows(is, back.num_cons()));
            }
            assert_eq!((shape.num_cons(), shape.num_vars(), shape.num_io()), (back.num_cons(), back.num_vars(), back.num_io()));
            // Every sum has exactly the row that says what it is: combination · 1 = the sum.
            let (first, total) = (shape.num_cons(), shared.num_cons());
            let one = shared.num_vars();
            for (matrix, column) in [(shared.B(), None), (shared.C(), Some(shape.num_vars()))] {
                for (i, row) in rows(matrix, total).iter().skip(first).enumerate() {
                    assert_eq!(*row, Combination::from([(column.map_or(one, |c| c + i), Scalar::ONE)]));
                }
            }
        }
    }
}
