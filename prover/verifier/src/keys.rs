//! Proof system aliases and verifying keys. The transparent keys are derived from the mandate: nothing to trust.

use crate::{Digest, FoldCircuit, Scalar};
use nova_snark::errors::NovaError;
use nova_snark::nova;
use nova_snark::provider::{Bn256EngineIPA, GrumpkinEngine, ipa_pc};
use nova_snark::spartan::snark::RelaxedR1CSSNARK;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;
use probity_strategy::{Mandate, ModelShape, ProofEngine};
use std::panic::{AssertUnwindSafe, catch_unwind};
use thiserror::Error;

/// Primary curve cycle half: BN254 with Pedersen commitments.
pub type E1 = Bn256EngineIPA;
/// Secondary half.
pub type E2 = GrumpkinEngine;
/// Compressing proof on the primary curve.
pub type S1 = RelaxedR1CSSNARK<E1, ipa_pc::EvaluationEngine<E1>>;
/// Compressing proof on the secondary curve.
pub type S2 = RelaxedR1CSSNARK<E2, ipa_pc::EvaluationEngine<E2>>;
/// Public parameters of the transparent engine.
pub type PublicParams = nova::PublicParams<E1, E2, FoldCircuit>;
/// Running proof; it holds the witness, thus the weights.
pub type RecursiveSnark = nova::RecursiveSNARK<E1, E2, FoldCircuit>;
/// Published proof.
pub type CompressedSnark = nova::CompressedSNARK<E1, E2, FoldCircuit, S1, S2>;
/// Key for compressing.
pub type ProverKey = nova::ProverKey<E1, E2, FoldCircuit, S1, S2>;
/// Key for verifying.
pub type VerifierKey = nova::VerifierKey<E1, E2, FoldCircuit, S1, S2>;

/// Why there are no keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeysError {
    /// This build cannot work with what the mandate asks for.
    #[error("{field}: expected {expected}, got {got}")]
    Unsupported {
        /// Field of the mandate.
        field: &'static str,
        /// What this build supports.
        expected: &'static str,
        /// What the mandate says.
        got: String,
    },
    /// The proof library refused.
    #[error("parameters: {0}")]
    Nova(#[from] NovaError),
    /// The proof library panicked.
    #[error("parameters: the proof library panicked on this shape")]
    Panicked,
}

/// Verifying keys of one circuit shape.
pub struct Keys {
    shape: ModelShape,
    decisions_per_fold: u16,
    engine: ProofEngine,
    parameters: Digest,
    verifier_key: VerifierKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("shape", &self.shape)
            .field("decisions_per_fold", &self.decisions_per_fold)
            .field("engine", &self.engine)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Derives the keys of a circuit shape: seconds of work, no input from anybody else.
    pub fn derive(shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine) -> Result<Self, KeysError> {
        let params = public_params(shape, decisions_per_fold, engine)?;
        Ok(Self::from_params(shape, decisions_per_fold, &params)?.1)
    }

    /// Derives the keys that a mandate asks for.
    pub fn for_mandate(mandate: &Mandate) -> Result<Self, KeysError> {
        Self::derive(&mandate.model, mandate.decisions_per_fold, mandate.proof_engine)
    }

    /// Both keys from public parameters (the prover's way).
    pub fn from_params(shape: &ModelShape, decisions_per_fold: u16, params: &PublicParams) -> Result<(ProverKey, Self), KeysError> {
        let (prover_key, verifier_key) = guarded(|| CompressedSnark::setup(params))?;
        let keys = Self {
            shape: shape.clone(),
            decisions_per_fold,
            engine: ProofEngine::Transparent,
            parameters: Digest::from_scalar(params.digest()),
            verifier_key,
        };
        Ok((prover_key, keys))
    }

    /// Whether these are the keys that a mandate asks for.
    #[must_use]
    pub fn fit(&self, mandate: &Mandate) -> bool {
        self.shape == mandate.model && self.decisions_per_fold == mandate.decisions_per_fold && self.engine == mandate.proof_engine
    }

    /// Most decisions in one fold.
    #[must_use]
    pub const fn decisions_per_fold(&self) -> u16 {
        self.decisions_per_fold
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> ProofEngine {
        self.engine
    }

    /// Digest of the public parameters, matrices and generators included.
    #[must_use]
    pub const fn parameters(&self) -> Digest {
        self.parameters
    }

    pub(crate) fn verify(&self, proof: &CompressedSnark, folds: usize, z0: &[Scalar]) -> Result<Vec<Scalar>, NovaError> {
        proof.verify(&self.verifier_key, folds, z0)
    }
}

/// Public parameters of the transparent engine for a circuit shape; the pairing engine is refused by name.
pub fn public_params(shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine) -> Result<PublicParams, KeysError> {
    if engine != ProofEngine::Transparent {
        return Err(KeysError::Unsupported {
            field: "proof_engine",
            expected: "transparent",
            got: "pairing (not supported by this version)".to_owned(),
        });
    }
    let circuit = FoldCircuit { shape: shape.clone(), decisions_per_fold, witness: None };
    guarded(|| PublicParams::setup(&circuit, &*S1::ck_floor(), &*S2::ck_floor()))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, NovaError>) -> Result<T, KeysError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| KeysError::Panicked)?.map_err(KeysError::Nova)
}
