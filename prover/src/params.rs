//! Public parameters of one circuit shape, with the compressing and the verifying key.

use probity_strategy::{Mandate, ModelShape, ProofEngine};
use probity_verifier::{Digest, Keys, KeysError, Origin, ParamsSource, ProverKey, PublicParams, Setup};
use std::sync::Arc;

/// Everything public that proving needs. The transparent engine's are derived from the shape alone: nothing is downloaded, nothing
/// has to be trusted. Those of the pairing engine need a powers-of-tau file, see [`ParamsSource`].
pub struct Params {
    setup: Setup,
    prover_key: ProverKey,
    keys: Arc<Keys>,
    loaded: bool,
}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Params").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Params {
    /// Derives the parameters of a shape: seconds of work. The source is read for the pairing engine only.
    pub fn derive(shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine, source: &ParamsSource) -> Result<Self, KeysError> {
        let started = std::time::Instant::now();
        let setup = Setup::derive(shape, decisions_per_fold, engine, source)?;
        let derived = started.elapsed().as_secs_f64();
        let (prover_key, keys) = setup.keys()?;
        let (constraints, _) = setup.public().constraints();
        tracing::info!(
            constraints,
            decisions_per_fold,
            derived_s = derived,
            seconds = started.elapsed().as_secs_f64(),
            "parameters derived"
        );
        Ok(Self::of(setup, prover_key, keys, false))
    }

    pub(crate) fn of(setup: Setup, prover_key: ProverKey, keys: Keys, loaded: bool) -> Self {
        if keys.origin().is_insecure() {
            tracing::warn!(origin = ?keys.origin(), "insecure parameters: whoever made them can prove anything");
        }
        Self { setup, prover_key, keys: Arc::new(keys), loaded }
    }

    /// Derives the parameters that a mandate of the transparent engine asks for.
    pub fn for_mandate(mandate: &Mandate) -> Result<Self, KeysError> {
        Self::for_mandate_with(mandate, &ParamsSource::Transparent)
    }

    /// Derives the parameters that a mandate asks for.
    pub fn for_mandate_with(mandate: &Mandate, source: &ParamsSource) -> Result<Self, KeysError> {
        Self::derive(&mandate.model, mandate.decisions_per_fold, mandate.proof_engine, source)
    }

    /// The verifying keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The same keys to hold on to, for an audit in the process that made them: it saves deriving them again. An auditor who does
    /// not trust the prover's process derives his own.
    #[must_use]
    pub fn shared_keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys)
    }

    /// Whether they were loaded from the prover's own file ([`Params::cached`]) and not derived in this process.
    #[must_use]
    pub const fn loaded(&self) -> bool {
        self.loaded
    }

    /// Digest of the parameters.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.keys.parameters()
    }

    /// Where they came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.keys.origin()
    }

    /// Constraints of the primary circuit (one fold, Nova's own part included).
    #[must_use]
    pub const fn constraints(&self) -> usize {
        self.setup.public().constraints().0
    }

    pub(crate) const fn shape(&self) -> &ModelShape {
        self.setup.shape()
    }

    pub(crate) const fn public(&self) -> &PublicParams {
        self.setup.public()
    }

    pub(crate) const fn prover_key(&self) -> &ProverKey {
        &self.prover_key
    }
}
