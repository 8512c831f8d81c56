//! Public parameters and verifying keys of one circuit shape, derived from the mandate and, for the pairing engine, a ceremony's file.

use crate::ceremony::{Accept, Origin, ParamsSource};
use crate::engines::{CompressedSnarkOf, E2, Pairing, PublicParamsOf, S2, System, Transparent, engine_name};
use crate::ptau::{PtauError, prune};
use crate::quiet::Quiet;
use crate::size::powers;
use crate::{ByEngine, CompressedSnark, Digest, FoldCircuit, ProverKey, PublicParams, Scalar, VerifierKey};
use nova_snark::errors::NovaError;
use nova_snark::r1cs::R1CSShape;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;
use probity_strategy::{Mandate, ModelShape, ProofEngine};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use thiserror::Error;

/// Longest name of insecure parameters.
const MAX_NAME: usize = 64;

/// Why there are no keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeysError {
    /// What is asked for does not fit together.
    #[error("{field}: expected {expected}, got {got}")]
    Unsupported {
        /// Field of the mandate or of the request.
        field: &'static str,
        /// What would have been accepted.
        expected: &'static str,
        /// What was found.
        got: String,
    },
    /// The powers-of-tau file is refused.
    #[error("parameters {path}: {source}")]
    Ptau {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PtauError,
    },
    /// The proof library refused.
    #[error("parameters: {0}")]
    Nova(#[from] NovaError),
    /// The proof library panicked.
    #[error("parameters: the proof library panicked on this shape")]
    Panicked,
}

/// Public parameters of one circuit shape, and where they came from.
pub struct Setup {
    shape: ModelShape,
    decisions_per_fold: u16,
    origin: Origin,
    public: PublicParams,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("shape", &self.shape)
            .field("decisions_per_fold", &self.decisions_per_fold)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Setup {
    /// Derives the parameters of a circuit shape: seconds of work. The source is read for the pairing engine only.
    pub fn derive(shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine, source: &ParamsSource) -> Result<Self, KeysError> {
        let circuit = FoldCircuit { shape: shape.clone(), decisions_per_fold, witness: None };
        let (public, origin) = match (engine, source) {
            (ProofEngine::Transparent, _) => (ByEngine::Transparent(transparent(&circuit)?), Origin::Transparent),
            (ProofEngine::Pairing, ParamsSource::Ceremony { path, accept }) => {
                let (public, origin) = pairing(&circuit, path, accept)?;
                (ByEngine::Pairing(public), origin)
            }
            (ProofEngine::Pairing, ParamsSource::Transparent) => {
                return Err(KeysError::Unsupported {
                    field: "proof_engine",
                    expected: "a powers-of-tau file beside a mandate of the pairing engine",
                    got: "pairing and no file".to_owned(),
                });
            }
        };
        Self::of_public(shape, decisions_per_fold, origin, public)
    }

    /// Parameters that the caller made earlier and kept to itself. They are taken on the caller's word: a prover may do that with
    /// its own private file, an auditor never ([`Keys::derive`] is for auditors).
    pub fn of_public(shape: &ModelShape, decisions_per_fold: u16, origin: Origin, public: PublicParams) -> Result<Self, KeysError> {
        let ((constraints, constraints_2), (variables, variables_2)) = (public.constraints(), public.variables());
        if !paddable(constraints, variables) || !paddable(constraints_2, variables_2) {
            return Err(KeysError::Unsupported {
                field: "decisions_per_fold",
                expected: "a circuit whose variables the proof library can pad (not 2^k of them over fewer than 2^k constraints)",
                got: format!("{decisions_per_fold}, with {variables} variables over {constraints} constraints"),
            });
        }
        Ok(Self { shape: shape.clone(), decisions_per_fold, origin, public })
    }

    /// Both keys.
    pub fn keys(&self) -> Result<(ProverKey, Keys), KeysError> {
        let (prover_key, verifier_key) = match &self.public {
            ByEngine::Transparent(public) => {
                let (prover_key, verifier_key) = guarded(|| CompressedSnarkOf::<Transparent>::setup(public))?;
                (ByEngine::Transparent(prover_key), ByEngine::Transparent(verifier_key))
            }
            ByEngine::Pairing(public) => {
                let (prover_key, verifier_key) = guarded(|| CompressedSnarkOf::<Pairing>::setup(public))?;
                (ByEngine::Pairing(prover_key), ByEngine::Pairing(verifier_key))
            }
        };
        let keys = Keys {
            shape: self.shape.clone(),
            decisions_per_fold: self.decisions_per_fold,
            origin: self.origin.clone(),
            parameters: self.public.digest(),
            verifier_key,
        };
        Ok((prover_key, keys))
    }

    /// The parameters.
    #[must_use]
    pub const fn public(&self) -> &PublicParams {
        &self.public
    }

    /// Shape of the model.
    #[must_use]
    pub const fn shape(&self) -> &ModelShape {
        &self.shape
    }
}

/// Verifying keys of one circuit shape.
pub struct Keys {
    shape: ModelShape,
    decisions_per_fold: u16,
    origin: Origin,
    parameters: Digest,
    verifier_key: VerifierKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("shape", &self.shape)
            .field("decisions_per_fold", &self.decisions_per_fold)
            .field("engine", &self.engine())
            .field("origin", &self.origin)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Derives the keys of a circuit shape: seconds of work. The source is read for the pairing engine only.
    pub fn derive(shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine, source: &ParamsSource) -> Result<Self, KeysError> {
        Ok(Setup::derive(shape, decisions_per_fold, engine, source)?.keys()?.1)
    }

    /// Derives the keys that a mandate of the transparent engine asks for, with no input from anybody else.
    pub fn for_mandate(mandate: &Mandate) -> Result<Self, KeysError> {
        Self::for_mandate_with(mandate, &ParamsSource::Transparent)
    }

    /// Derives the keys that a mandate asks for.
    pub fn for_mandate_with(mandate: &Mandate, source: &ParamsSource) -> Result<Self, KeysError> {
        Self::derive(&mandate.model, mandate.decisions_per_fold, mandate.proof_engine, source)
    }

    /// Whether these are the keys that a mandate asks for.
    #[must_use]
    pub fn fit(&self, mandate: &Mandate) -> bool {
        self.shape == mandate.model && self.decisions_per_fold == mandate.decisions_per_fold && self.engine() == mandate.proof_engine
    }

    /// Most decisions in one fold.
    #[must_use]
    pub const fn decisions_per_fold(&self) -> u16 {
        self.decisions_per_fold
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> ProofEngine {
        self.verifier_key.engine()
    }

    /// Where the parameters came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Digest of the public parameters: matrices and every point of the commitment keys included.
    #[must_use]
    pub const fn parameters(&self) -> Digest {
        self.parameters
    }

    pub(crate) fn verify(&self, proof: &CompressedSnark, folds: usize, z0: &[Scalar]) -> Result<Vec<Scalar>, NovaError> {
        match (&self.verifier_key, proof) {
            (ByEngine::Transparent(key), ByEngine::Transparent(proof)) => proof.verify(key, folds, z0),
            (ByEngine::Pairing(key), ByEngine::Pairing(proof)) => proof.verify(key, folds, z0),
            (key, proof) => Err(NovaError::ProofVerifyError {
                reason: format!(
                    "expected a proof of the {} engine, got one of the {}",
                    engine_name(key.engine()),
                    engine_name(proof.engine())
                ),
            }),
        }
    }
}

fn transparent(circuit: &FoldCircuit) -> Result<PublicParamsOf<Transparent>, KeysError> {
    type S1 = <Transparent as System>::S1;
    guarded(|| PublicParamsOf::<Transparent>::setup(circuit, &*S1::ck_floor(), &*S2::ck_floor()))
}

/// The proof library reads powers of tau from a folder only, and tells how many it needs only while it does so, through its
/// size hint. So the hint does our reading: it checks the caller's file, puts the powers needed into a private folder and
/// silences standard output; the hint of the secondary curve, which comes next, ends the silence.
fn pairing(circuit: &FoldCircuit, path: &Path, accept: &Accept) -> Result<(PublicParamsOf<Pairing>, Origin), KeysError> {
    insecure_name(accept)?;
    let refused = |source: PtauError| KeysError::Ptau { path: path.to_owned(), source };
    let folder = tempfile::Builder::new().prefix("probity-").tempdir().map_err(|e| refused(e.into()))?;
    let outcome: Rc<RefCell<Option<Result<Origin, PtauError>>>> = Rc::default();
    let quiet: Rc<RefCell<Option<Quiet>>> = Rc::default();
    let primary = {
        let (path, accept, folder) = (path.to_owned(), accept.clone(), folder.path().to_owned());
        let (outcome, quiet) = (Rc::clone(&outcome), Rc::clone(&quiet));
        move |shape: &R1CSShape<<Pairing as System>::E1>| {
            let count = powers(shape);
            let read = read_powers(&path, &accept, count, &folder).and_then(|origin| {
                quiet.replace(Some(Quiet::start()?));
                Ok(origin)
            });
            outcome.replace(Some(read));
            count
        }
    };
    let secondary = {
        let quiet = Rc::clone(&quiet);
        let floor = S2::ck_floor();
        move |shape: &R1CSShape<E2>| {
            drop(quiet.take());
            floor(shape)
        }
    };
    let public = guarded(|| PublicParamsOf::<Pairing>::setup_with_ptau_dir(circuit, &primary, &secondary, folder.path()));
    drop(quiet.take());
    // Our own reason for a refusal comes before the library's, which only misses the file.
    let origin = match outcome.take() {
        Some(Ok(origin)) => origin,
        Some(Err(e)) => return Err(refused(e)),
        None => return Err(public.err().unwrap_or(KeysError::Panicked)),
    };
    Ok((public?, origin))
}

/// Refuses names of insecure parameters that would not read well in a report.
pub(crate) fn insecure_name(accept: &Accept) -> Result<(), KeysError> {
    if let Accept::Insecure(name) = accept
        && (name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control))
    {
        return Err(KeysError::Unsupported {
            field: "name of insecure parameters",
            expected: "1 … 64 printable characters",
            got: name.chars().take(80).collect::<String>().escape_debug().to_string(),
        });
    }
    Ok(())
}

/// Checks a file and writes its first `count` powers where the proof library looks for them; a refused file leaves nothing there.
pub(crate) fn read_powers(path: &Path, accept: &Accept, count: usize, folder: &Path) -> Result<Origin, PtauError> {
    let file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let unchecked = folder.join("unchecked");
    let mut output = BufWriter::new(File::create(&unchecked)?);
    let digest = prune(file, count, &mut output)?;
    output.flush()?;
    let origin = Origin::of(digest, accept).ok_or(PtauError::NotBelieved { got: digest })?;
    std::fs::rename(unchecked, folder.join(format!("ppot_pruned_{:02}.ptau", count.ilog2())))?;
    Ok(origin)
}

/// Whether the proof library can pad a shape to powers of two: with exactly 2^k variables over fewer constraints it forgets
/// to pad the rows and panics when it proves.
pub(crate) const fn paddable(constraints: usize, variables: usize) -> bool {
    !(variables.is_power_of_two() && constraints < variables)
}

pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, NovaError>) -> Result<T, KeysError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| KeysError::Panicked)?.map_err(KeysError::Nova)
}

#[cfg(test)]
mod tests {
    use super::{E2, Pairing, System, paddable};
    use nova_snark::traits::Engine;
    use nova_snark::traits::commitment::CommitmentEngineTrait;

    /// The library's feature `test-utils` makes commitment keys of a random tau, and cargo would switch it on for everybody.
    #[test]
    fn no_build_can_make_up_a_tau() {
        type Commitments = <<Pairing as System>::E1 as Engine>::CE;
        assert!(Commitments::setup(b"ck", 2).is_err());
        assert!(<E2 as Engine>::CE::setup(b"ck", 2).is_ok());
    }

    #[test]
    fn the_sizes_that_the_library_cannot_pad() {
        for (constraints, variables, expected) in [
            (15, 15, true),
            (16, 15, true),
            (17, 15, true),
            (15, 16, false),
            (16, 16, true),
            (17, 16, true),
            (15, 17, true),
            (16, 17, true),
        ] {
            assert_eq!(paddable(constraints, variables), expected, "{constraints} × {variables}");
        }
    }
}
