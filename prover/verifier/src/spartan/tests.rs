//! Against the proof library: the same values, the same verdict on every proof.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::matrices::Matrices;
use super::table::table;
use super::{Spartan, SpartanKey, retyped};
use ff::Field;
use nova_snark::provider::ipa_pc::EvaluationEngine;
use nova_snark::r1cs::{R1CSShape, RelaxedR1CSInstance, SparseMatrix};
use nova_snark::spartan::polys::eq::EqPolynomial;
use nova_snark::spartan::snark::{RelaxedR1CSSNARK, VerifierKey};
use nova_snark::traits::Engine;
use nova_snark::traits::snark::{DigestHelperTrait, RelaxedR1CSSNARKTrait};
use probity_curve::GrumpkinEngine;
use rand_core::{OsRng, RngCore};
use std::panic::{AssertUnwindSafe, catch_unwind};

type E = GrumpkinEngine;
type F = <E as Engine>::Scalar;
type P = EvaluationEngine<E>;
type Library = RelaxedR1CSSNARK<E, P>;

fn below(n: usize) -> usize {
    usize::try_from(OsRng.next_u32()).unwrap() % n
}

/// Rows of ±1, of small and of other coefficients, some of them several times: in one matrix and in others.
fn shape(constraints: usize, variables: usize) -> R1CSShape<E> {
    let columns = variables + 3;
    let coefficient = || match below(4) {
        0 => F::ONE,
        1 => -F::ONE,
        2 => F::from(u64::from(OsRng.next_u32() % 5) + 2),
        _ => F::random(OsRng),
    };
    let kept: Vec<Vec<(usize, F)>> = (0..constraints)
        .map(|_| {
            let mut row: Vec<usize> = (0..below(6)).map(|_| below(columns)).collect();
            row.sort_unstable();
            row.dedup();
            row.into_iter().map(|column| (column, coefficient())).collect()
        })
        .collect();
    let matrix = || {
        let entries: Vec<(usize, usize, F)> = (0..constraints)
            .flat_map(|row| kept[below(constraints)].iter().map(move |(column, value)| (row, *column, *value)).collect::<Vec<_>>())
            .collect();
        SparseMatrix::new(&entries, constraints, columns)
    };
    R1CSShape::new(constraints, variables, 2, matrix(), matrix(), matrix()).unwrap()
}

/// Constraints and variables. Two powers of two are left as they are; everything else is padded to one power of two for both.
const SIZES: [(usize, usize); 8] = [(16, 16), (64, 16), (16, 64), (30, 17), (17, 30), (64, 5), (5, 60), (33, 32)];

#[test]
fn the_table_is_the_polynomial_at_every_vertex() {
    for length in 0..9 {
        let point: Vec<F> = (0..length).map(|_| F::random(OsRng)).collect();
        let scale = F::random(OsRng);
        let expected: Vec<F> = EqPolynomial::new(point.clone()).evals().iter().map(|v| scale * v).collect();
        assert_eq!(table(scale, &point), expected);
        let vertices: Vec<F> = (0..1 << length).map(|n| scale * super::matrices::vertex(&point, n)).collect();
        assert_eq!(vertices, expected);
    }
}

#[test]
fn matrices_have_the_values_that_their_entries_say() {
    for (constraints, variables) in SIZES {
        let shape = shape(constraints, variables).pad();
        let matrices = Matrices::of(&shape).unwrap();
        let (rows, columns) = matrices.coordinates();
        let [x, y]: [Vec<F>; 2] = [rows, columns].map(|n| (0..n).map(|_| F::random(OsRng)).collect());
        let (at_rows, at_columns) = (EqPolynomial::new(x.clone()).evals(), EqPolynomial::new(y.clone()).evals());
        let value =
            |matrix: &SparseMatrix<F>| matrix.iter().map(|(row, column, value)| at_rows[row] * at_columns[column] * value).sum::<F>();
        let r = F::random(OsRng);
        assert_eq!(matrices.at(&x, &y, r).unwrap(), value(shape.A()) + r * value(shape.B()) + r * r * value(shape.C()));
        for (x, y) in [(&x[1..], &y[..]), (&x[..], &y[1..]), (&x[..], &[])] {
            assert!(matrices.at(x, y, r).is_err(), "a point of other dimensions");
        }
    }
}

struct Case {
    key: SpartanKey<E, P>,
    library: VerifierKey<E, P>,
    instance: RelaxedR1CSInstance<E>,
    proof: Spartan<E, P>,
}

impl Case {
    fn of((constraints, variables): (usize, usize)) -> Self {
        let shape = shape(constraints, variables);
        let ck = R1CSShape::commitment_key(&[&shape], &[&|_| 0]).unwrap();
        // A relaxed instance with E in the place of what is missing.
        let (instance, witness) = shape.sample_random_instance_witness(&ck).unwrap();
        let (witness, blind_w, blind_e) = witness.derandomize();
        let dk = <<E as Engine>::CE as nova_snark::traits::commitment::CommitmentEngineTrait<E>>::derand_key(&ck);
        let instance = instance.derandomize(&dk, &blind_w, &blind_e);
        let (prover_key, key) = Spartan::<E, P>::setup(&ck, &shape).unwrap();
        let (_, library) = Library::setup(&ck, &shape).unwrap();
        // The library combines polynomials of different lengths by one thread only.
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let proof = alone.install(|| Spartan::<E, P>::prove(&ck, &prover_key, &shape, &instance, &witness)).unwrap();
        Self { key, library, instance, proof }
    }

    /// Ours and the library's verdict on bytes that both decode.
    fn verdicts(&self, bytes: &[u8]) -> (bool, bool) {
        let config = bincode::config::legacy();
        let ours = bincode::serde::decode_from_slice::<Spartan<E, P>, _>(bytes, config);
        let library = bincode::serde::decode_from_slice::<Library, _>(bytes, config);
        assert_eq!(ours.is_ok(), library.is_ok(), "both decode the same bytes");
        let Ok(((ours, _), (library, _))) = ours.and_then(|o| library.map(|l| (o, l))) else { return (false, false) };
        // The library panics on vectors of other lengths.
        let library = catch_unwind(AssertUnwindSafe(|| library.verify(&self.library, &self.instance).is_ok())).unwrap_or(false);
        (ours.verify(&self.key, &self.instance).is_ok(), library)
    }
}

#[test]
fn the_library_and_this_verifier_give_the_same_verdict() {
    for size in SIZES {
        let case = Case::of(size);
        assert_eq!(case.key.digest(), case.library.digest(), "one transcript");
        let bytes = bincode::serde::encode_to_vec(&case.proof, bincode::config::legacy()).unwrap();
        assert_eq!(case.verdicts(&bytes), (true, true), "{size:?}");
        let library: Library = retyped(&case.proof).unwrap();
        assert_eq!(bincode::serde::encode_to_vec(&library, bincode::config::legacy()).unwrap(), bytes, "the same bytes");
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1 << below(8);
            assert_eq!(case.verdicts(&other), (false, false), "{size:?}, byte {at}");
        }
        // Of another instance.
        let other = Case::of(size);
        assert!(case.proof.verify(&case.key, &other.instance).is_err());
        assert!(case.proof.verify(&other.key, &case.instance).is_err());
    }
}

#[test]
fn openings_of_other_number_are_refused() {
    let mut case = Case::of((16, 16));
    for change in [|o: &mut Vec<F>| o.push(F::ZERO), |o: &mut Vec<F>| o.truncate(1), |o: &mut Vec<F>| o.clear()] {
        let kept = case.proof.openings.clone();
        change(&mut case.proof.openings);
        assert!(case.proof.verify(&case.key, &case.instance).is_err());
        case.proof.openings = kept;
    }
    case.proof.verify(&case.key, &case.instance).unwrap();
}

/// Sizes that a damaged file may say, before anything of them is laid out.
#[test]
fn a_shape_that_the_key_is_too_short_for_is_refused() {
    let ck = R1CSShape::commitment_key(&[&shape(16, 16)], &[&|_| 0]).unwrap();
    let bytes = bincode::serde::encode_to_vec(shape(16, 16), bincode::config::legacy()).unwrap();
    for field in 0..3 {
        let mut other = bytes.clone();
        other[8 * field + 5] ^= 1;
        let (shape, _) = bincode::serde::decode_from_slice::<R1CSShape<E>, _>(&other, bincode::config::legacy()).unwrap();
        assert!(Spartan::<E, P>::setup(&ck, &shape).is_err(), "field {field}");
    }
}

#[test]
fn a_key_is_neither_written_nor_read() {
    let key = Case::of((16, 16)).key;
    assert!(bincode::serde::encode_to_vec(&key, bincode::config::legacy()).is_err());
    assert!(bincode::serde::decode_from_slice::<SpartanKey<E, P>, _>(&[0; 64], bincode::config::legacy()).is_err());
}
