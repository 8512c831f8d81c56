//! The running proof of either engine. It holds the witness, thus the weights: it has no `Debug` and leaves only for a checkpoint.

use crate::ProverError;
use nova_snark::errors::NovaError;
use probity_strategy::{DomainError, ProofEngine};
use probity_verifier::{
    ByEngine, CompressedSnark, CompressedSnarkOf, FoldCircuit, Pairing, ProverKey, PublicParams, PublicParamsOf, RecursiveSnark,
    RecursiveSnarkOf, Scalar, System, Transparent, engine_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest chain in a checkpoint, bytes.
const MAX_CHAIN: usize = 1 << 30;

fn bincode_config() -> impl bincode::config::Config {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<MAX_CHAIN>()
}

pub(crate) struct Chain(RecursiveSnark);

impl Chain {
    /// Folds one circuit in; without a chain it starts one at `z0`.
    pub(crate) fn step(chain: Option<Self>, public: &PublicParams, circuit: &FoldCircuit, z0: &[Scalar]) -> Result<Self, ProverError> {
        let chain = chain.map(|c| c.0);
        Ok(Self(match (public, chain) {
            (ByEngine::Transparent(public), None) => ByEngine::Transparent(step::<Transparent>(public, None, circuit, z0)?),
            (ByEngine::Transparent(public), Some(ByEngine::Transparent(chain))) => {
                ByEngine::Transparent(step::<Transparent>(public, Some(chain), circuit, z0)?)
            }
            (ByEngine::Pairing(public), None) => ByEngine::Pairing(step::<Pairing>(public, None, circuit, z0)?),
            (ByEngine::Pairing(public), Some(ByEngine::Pairing(chain))) => {
                ByEngine::Pairing(step::<Pairing>(public, Some(chain), circuit, z0)?)
            }
            (public, Some(chain)) => return Err(other_engine(public.engine(), chain.engine())),
        }))
    }

    /// Checks the whole chain against its witness.
    pub(crate) fn verify(&self, public: &PublicParams, folds: usize, z0: &[Scalar]) -> Result<(), ProverError> {
        match (public, &self.0) {
            (ByEngine::Transparent(public), ByEngine::Transparent(chain)) => chain.verify(public, folds, z0)?,
            (ByEngine::Pairing(public), ByEngine::Pairing(chain)) => chain.verify(public, folds, z0)?,
            (public, chain) => return Err(other_engine(public.engine(), chain.engine())),
        };
        Ok(())
    }

    /// The end of the chain.
    pub(crate) fn outputs(&self) -> &[Scalar] {
        match &self.0 {
            ByEngine::Transparent(chain) => chain.outputs(),
            ByEngine::Pairing(chain) => chain.outputs(),
        }
    }

    /// The proof to publish.
    pub(crate) fn compress(&self, public: &PublicParams, key: &ProverKey) -> Result<CompressedSnark, ProverError> {
        match (public, key, &self.0) {
            (ByEngine::Transparent(public), ByEngine::Transparent(key), ByEngine::Transparent(chain)) => {
                Ok(ByEngine::Transparent(CompressedSnarkOf::<Transparent>::prove(public, key, chain)?))
            }
            (ByEngine::Pairing(public), ByEngine::Pairing(key), ByEngine::Pairing(chain)) => {
                Ok(ByEngine::Pairing(CompressedSnarkOf::<Pairing>::prove(public, key, chain)?))
            }
            (public, _, chain) => Err(other_engine(public.engine(), chain.engine())),
        }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, ProverError> {
        match &self.0 {
            ByEngine::Transparent(chain) => encode(chain),
            ByEngine::Pairing(chain) => encode(chain),
        }
    }

    pub(crate) fn decode(bytes: &[u8], engine: ProofEngine) -> Result<Self, ProverError> {
        Ok(Self(match engine {
            ProofEngine::Transparent => ByEngine::Transparent(decode(bytes)?),
            ProofEngine::Pairing => ByEngine::Pairing(decode(bytes)?),
        }))
    }
}

/// The library runs the first fold when a chain is created and only counts it on the first call.
fn step<S: System>(
    public: &PublicParamsOf<S>,
    chain: Option<RecursiveSnarkOf<S>>,
    circuit: &FoldCircuit,
    z0: &[Scalar],
) -> Result<RecursiveSnarkOf<S>, NovaError> {
    let mut chain = match chain {
        Some(chain) => chain,
        None => RecursiveSnarkOf::<S>::new(public, circuit, z0)?,
    };
    chain.prove_step(public, circuit)?;
    Ok(chain)
}

fn encode<T: Serialize>(chain: &T) -> Result<Vec<u8>, ProverError> {
    bincode::serde::encode_to_vec(chain, bincode_config()).map_err(|e| ProverError::checkpoint("chain", "an encodable chain", e))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProverError> {
    let (chain, used) =
        bincode::serde::decode_from_slice(bytes, bincode_config()).map_err(|e| ProverError::checkpoint("chain", "a chain", e))?;
    if used == bytes.len() {
        Ok(chain)
    } else {
        Err(ProverError::checkpoint("chain", "an undamaged checkpoint", "a damaged or truncated one"))
    }
}

fn other_engine(expected: ProofEngine, got: ProofEngine) -> ProverError {
    DomainError::new("parameters", format!("those of a chain of the {} engine", engine_name(got)), engine_name(expected)).into()
}
