//! Keys of a settlement: the shape of a block, its commitment key from a powers-of-tau file, and the table of constants that the
//! verifier contract carries behind its code.

use super::codec::{POINT, SCALAR, Snark, snark_bytes};
use super::{FIXED, PROTOCOL, SettleCircuit, Sums, abi_word, keccak};
use crate::engines::{Pairing, System};
use crate::keys::{guarded, insecure_name, paddable, read_powers};
use crate::ptau::PtauError;
use crate::quiet::Quiet;
use crate::{Accept, Digest, FoldCircuit, KeysError, Origin, ParamsSource, Scalar};
use nova_snark::frontend::r1cs::NovaShape;
use nova_snark::frontend::shape_cs::ShapeCS;
use nova_snark::r1cs::{R1CSInstance, R1CSShape, R1CSWitness, SparseMatrix};
use nova_snark::traits::Engine;
use nova_snark::traits::circuit::StepCircuit;
use nova_snark::traits::commitment::CommitmentEngineTrait;
use nova_snark::traits::snark::{DigestHelperTrait, RelaxedR1CSSNARKTrait};
use probity_strategy::ModelShape;
use std::cell::RefCell;
use std::path::Path;

pub(crate) type E1 = <Pairing as System>::E1;
type Commitments = <E1 as Engine>::CE;
/// Commitment key.
pub(crate) type CommitmentKey = <Commitments as CommitmentEngineTrait<E1>>::CommitmentKey;
/// Key that takes a blinding off.
pub(crate) type UnblindKey = <Commitments as CommitmentEngineTrait<E1>>::DerandKey;
/// A commitment.
pub type SettlePoint = <Commitments as CommitmentEngineTrait<E1>>::Commitment;
/// Shape of a block.
pub type SettleShape = R1CSShape<E1>;
/// A block's instance.
pub type SettleInstance = R1CSInstance<E1>;
/// A block's witness.
pub type SettleWitness = R1CSWitness<E1>;

/// What verifying needs: the contract's table, and the same for the reference verifier.
#[derive(Clone)]
pub struct SettlementKey {
    table: Vec<u8>,
    arity: usize,
    per_block: usize,
    public_values: usize,
    log_rows: usize,
    log_size: usize,
    origin: Origin,
    /// A shape without rows: the library checks the number of public values against one.
    pub(crate) blank: SettleShape,
    pub(crate) verifier_key: <Snark as RelaxedR1CSSNARKTrait<E1>>::VerifierKey,
    pub(crate) unblind: UnblindKey,
}

impl std::fmt::Debug for SettlementKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettlementKey")
            .field("per_block", &self.per_block)
            .field("logs", &self.logs())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What proving needs besides: shape, commitment key, the preprocessed matrices.
pub struct SettlementSetup {
    /// Shape of the model.
    pub model: ModelShape,
    /// Shape of a block, with its sums.
    pub shape: SettleShape,
    /// Variables beyond the circuit's.
    pub sums: Sums,
    /// Commitment key.
    pub commitment_key: CommitmentKey,
    /// Preprocessed matrices.
    pub prover_key: <Snark as RelaxedR1CSSNARKTrait<E1>>::ProverKey,
    /// The verifier's side.
    pub key: SettlementKey,
}

impl std::fmt::Debug for SettlementSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettlementSetup").field("model", &self.model).field("key", &self.key).finish_non_exhaustive()
    }
}

impl SettlementSetup {
    /// Derives the keys of blocks of up to `per_block` decisions of a model shape, from a powers-of-tau file: seconds of work.
    pub fn derive(model: &ModelShape, per_block: u16, source: &ParamsSource) -> Result<Self, KeysError> {
        let ParamsSource::Ceremony { path, accept } = source else {
            return Err(KeysError::Unsupported {
                field: "settlement parameters",
                expected: "a powers-of-tau file (a settlement is proven with the pairing engine)",
                got: "none".to_owned(),
            });
        };
        let fold = FoldCircuit { shape: model.clone(), decisions_per_fold: per_block, witness: None };
        let circuit = SettleCircuit { fold: fold.clone(), z: None, fingerprint: None, marks: None };
        let mut cs = ShapeCS::<E1>::new();
        circuit.synthesize(&mut cs).map_err(|e| unsupported("settlement circuit", "a circuit with a shape", e))?;
        let shape = cs.r1cs_shape()?;
        if shape.num_io() != SettleCircuit::public_values(&fold) || fold.arity() <= FIXED + 1 {
            return Err(unsupported("settlement circuit", "2·(arity + 1) + slots public values", shape.num_io()));
        }
        let (shape, sums) = Sums::share(&shape)?;
        if !paddable(shape.num_cons(), shape.num_vars()) {
            return Err(unsupported("settlement block", "a number of decisions whose circuit the proof library can pad", per_block));
        }
        let (commitment_key, origin) = powers(&shape, path, accept)?;
        let (prover_key, verifier_key) = guarded(|| Snark::setup(&commitment_key, &shape))?;
        let key = SettlementKey::of(&fold, &shape, &commitment_key, verifier_key, origin)?;
        Ok(Self { model: model.clone(), shape, sums, commitment_key, prover_key, key })
    }

    /// Constraints, variables and non-zeros of a block.
    #[must_use]
    pub fn size(&self) -> (usize, usize, usize) {
        (self.shape.num_cons(), self.shape.num_vars(), entries(&self.shape))
    }
}

fn entries(shape: &SettleShape) -> usize {
    shape.A().len().saturating_add(shape.B().len()).saturating_add(shape.C().len())
}

/// Length of the vectors that the preprocessing commits to: more than the non-zeros if there are few of them.
fn table_size(shape: &SettleShape) -> usize {
    let rows = shape.num_cons().max(shape.num_vars()).max(shape.num_io()).next_power_of_two();
    entries(shape).max(rows.saturating_mul(2)).next_power_of_two()
}

fn unsupported(field: &'static str, expected: &'static str, got: impl ToString) -> KeysError {
    KeysError::Unsupported { field, expected, got: got.to_string() }
}

fn powers(shape: &SettleShape, path: &Path, accept: &Accept) -> Result<(CommitmentKey, Origin), KeysError> {
    insecure_name(accept)?;
    let refused = |source: PtauError| KeysError::Ptau { path: path.to_owned(), source };
    let folder = tempfile::Builder::new().prefix("probity-").tempdir().map_err(|e| refused(e.into()))?;
    let count = table_size(shape);
    let origin = read_powers(path, accept, count, folder.path()).map_err(refused)?;
    let quiet = RefCell::new(Some(Quiet::start().map_err(|e| refused(e.into()))?));
    let hint = move |_: &SettleShape| count;
    let key = guarded(|| R1CSShape::commitment_key_from_ptau_dir(&[shape], &[&hint], folder.path()));
    drop(quiet.take());
    Ok((key?, origin))
}

impl SettlementKey {
    fn of(
        fold: &FoldCircuit,
        shape: &SettleShape,
        commitment_key: &CommitmentKey,
        verifier_key: <Snark as RelaxedR1CSSNARKTrait<E1>>::VerifierKey,
        origin: Origin,
    ) -> Result<Self, KeysError> {
        let unblind = Commitments::derand_key(commitment_key);
        let encode = |e: bincode::error::EncodeError| unsupported("verifying key", "an encodable key", e);
        let bytes = bincode::serde::encode_to_vec(&verifier_key, bincode::config::legacy()).map_err(encode)?;
        let h = bincode::serde::encode_to_vec(&unblind, bincode::config::legacy()).map_err(encode)?;
        // Rows, columns, [1]₁, [1]₂, [τ]₂, size, seven commitments.
        let at = |start: usize, count: usize| bytes.get(start..start.saturating_add(count)).unwrap_or_default();
        let number = |start: usize| at(start, 8).try_into().map(u64::from_le_bytes).ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let (rows, columns, size) = (number(0), number(8), number(16 + POINT + 256));
        let whole = 24 + POINT + 256 + 7 * POINT;
        if bytes.len() != whole || h.len() != POINT || rows != columns || size != table_size(shape) || !rows.is_power_of_two() {
            return Err(unsupported("verifying key", "the proof library's encoding", format!("{} bytes, {rows}×{columns}", bytes.len())));
        }
        let digest = Digest::from_scalar(verifier_key.digest());
        let (log_rows, log_size) = (log(rows), log(size));
        let tau = at(16 + POINT + 128, 128);
        let half = |i: usize| tau.get(i * SCALAR..(i + 1) * SCALAR).unwrap_or_default().to_vec();
        let (arity, per_block) = (fold.arity(), usize::from(fold.decisions_per_fold));
        let mut table = digest.to_bytes().to_vec();
        table.extend(h);
        // The precompile wants the imaginary part first.
        for part in [half(1), half(0), half(3), half(2)] {
            table.extend(part);
        }
        table.extend(at(24 + POINT + 256, 7 * POINT));
        for n in [log_rows, log_size, arity, per_block] {
            table.extend(abi_word(u128::try_from(n).unwrap_or(u128::MAX)));
        }
        table.extend(PROTOCOL);
        let none = || SparseMatrix::<Scalar>::new(&[], 1, shape.num_io().saturating_add(2));
        let blank = R1CSShape::new(1, 1, shape.num_io(), none(), none(), none())?;
        Ok(Self { table, arity, per_block, public_values: shape.num_io(), log_rows, log_size, origin, blank, verifier_key, unblind })
    }

    /// The constants of the contract: 26 words behind its code.
    #[must_use]
    pub fn table(&self) -> &[u8] {
        &self.table
    }

    /// keccak-256 of the table: the configuration that every settlement is bound to.
    #[must_use]
    pub fn config(&self) -> [u8; 32] {
        keccak(&[&self.table])
    }

    /// Elements of z.
    #[must_use]
    pub const fn arity(&self) -> usize {
        self.arity
    }

    /// Decisions of a full block.
    #[must_use]
    pub const fn per_block(&self) -> usize {
        self.per_block
    }

    /// Public values of a block.
    #[must_use]
    pub const fn public_values(&self) -> usize {
        self.public_values
    }

    /// Logarithms of the padded rows and of the preprocessed size.
    #[must_use]
    pub const fn logs(&self) -> (usize, usize) {
        (self.log_rows, self.log_size)
    }

    /// Bytes of the proof of the folded instance.
    #[must_use]
    pub fn snark_bytes(&self) -> usize {
        snark_bytes(self.log_rows, self.log_size)
    }

    /// Where the parameters came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }
}

fn log(n: usize) -> usize {
    usize::try_from(n.max(1).ilog2()).unwrap_or(0)
}
