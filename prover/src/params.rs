//! Public parameters of one circuit shape, with the compressing and the verifying key.

use probity_strategy::{Mandate, ModelShape, ProofEngine};
use probity_verifier::{Digest, Keys, KeysError, ProverKey, PublicParams, public_params};

/// Everything public that proving needs. Derived from the shape alone: nothing is downloaded, nothing has to be trusted.
pub struct Params {
    shape: ModelShape,
    public: PublicParams,
    prover_key: ProverKey,
    keys: Keys,
}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Params").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Params {
    /// Derives the parameters of a shape: seconds of work.
    pub fn derive(shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine) -> Result<Self, KeysError> {
        let started = std::time::Instant::now();
        let public = public_params(shape, decisions_per_fold, engine)?;
        let (prover_key, keys) = Keys::from_params(shape, decisions_per_fold, &public)?;
        let (constraints, _) = public.num_constraints();
        tracing::info!(constraints, decisions_per_fold, seconds = started.elapsed().as_secs_f64(), "parameters derived");
        Ok(Self { shape: shape.clone(), public, prover_key, keys })
    }

    /// Derives the parameters that a mandate asks for.
    pub fn for_mandate(mandate: &Mandate) -> Result<Self, KeysError> {
        Self::derive(&mandate.model, mandate.decisions_per_fold, mandate.proof_engine)
    }

    /// The verifying keys.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Digest of the parameters.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.keys.parameters()
    }

    /// Constraints of the primary circuit (one fold, Nova's own part included).
    #[must_use]
    pub fn constraints(&self) -> usize {
        self.public.num_constraints().0
    }

    pub(crate) const fn shape(&self) -> &ModelShape {
        &self.shape
    }

    pub(crate) const fn public(&self) -> &PublicParams {
        &self.public
    }

    pub(crate) const fn prover_key(&self) -> &ProverKey {
        &self.prover_key
    }
}
