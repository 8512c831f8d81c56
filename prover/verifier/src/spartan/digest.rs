//! The library's digest of a verifying key, over the same bytes, written in stretches instead of one by one.

use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use ff::PrimeField;
use nova_snark::digest::{DigestComputer, Digestible};
use nova_snark::errors::NovaError;
use nova_snark::r1cs::{R1CSShape, SparseMatrix};
use nova_snark::traits::Engine;
use serde::Serialize;

/// Entries that are written at once.
const STRETCH: usize = 1 << 12;

/// A key as the library lays it out: the opening's key, then the padded shape.
struct Laid<'a, E: Engine, K> {
    openings: &'a K,
    shape: &'a R1CSShape<E>,
}

/// SHA3-256 over openings' key and padded shape, as a field element.
pub(super) fn digest<E: Engine, K: Serialize>(openings: &K, shape: &R1CSShape<E>) -> Result<E::Scalar, NovaError> {
    let broken = |e: EncodeError| NovaError::ProofVerifyError { reason: e.to_string() };
    DigestComputer::new(&Laid { openings, shape }).digest().map_err(broken)
}

impl<E: Engine, K: Serialize> Digestible for Laid<'_, E, K> {
    fn write_bytes<W: Writer>(&self, sink: &mut W) -> Result<(), EncodeError> {
        bincode::serde::encode_into_writer(self.openings, &mut *sink, bincode::config::legacy())?;
        let shape = self.shape;
        numbers(sink, &[shape.num_cons(), shape.num_vars(), shape.num_io()])?;
        [shape.A(), shape.B(), shape.C()].into_iter().try_for_each(|matrix| entries(sink, matrix))
    }
}

fn entries<F: PrimeField, W: Writer>(sink: &mut W, matrix: &SparseMatrix<F>) -> Result<(), EncodeError> {
    numbers(sink, &[matrix.data.len()])?;
    for values in matrix.data.chunks(STRETCH) {
        let mut bytes = Vec::with_capacity(32 * STRETCH);
        values.iter().for_each(|value| bytes.extend(value.to_repr().as_ref()));
        sink.write(&bytes)?;
    }
    for list in [&matrix.indices, &matrix.indptr] {
        numbers(sink, &[list.len()])?;
        list.chunks(STRETCH).try_for_each(|stretch| numbers(sink, stretch))?;
    }
    numbers(sink, &[matrix.cols])
}

fn numbers<W: Writer>(sink: &mut W, numbers: &[usize]) -> Result<(), EncodeError> {
    let wide = |number: &usize| u64::try_from(*number).unwrap_or(u64::MAX).to_le_bytes();
    sink.write(&numbers.iter().flat_map(wide).collect::<Vec<u8>>())
}
