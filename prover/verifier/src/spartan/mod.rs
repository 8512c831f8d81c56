//! Spartan's proof of a folded instance: made by the proof library, verified here.
//!
//! The protocol is the library's (Setty, CRYPTO 2020, <https://eprint.iacr.org/2019/550>; without preprocessing), and so are the bytes
//! of a proof and the digest of a key. What the library's verifier spends most of its time on is the three matrices at a point; here
//! a row that several constraints share is evaluated once (`docs/decisions/0016-spartan-verified-here.md`).

mod digest;
mod matrices;
mod table;
#[cfg(test)]
mod tests;
mod verify;

use matrices::Matrices;
use nova_snark::errors::NovaError;
use nova_snark::r1cs::{R1CSShape, RelaxedR1CSInstance, RelaxedR1CSWitness};
use nova_snark::spartan::snark;
use nova_snark::spartan::sumcheck::SumcheckProof;
use nova_snark::traits::Engine;
use nova_snark::traits::commitment::{CommitmentEngineTrait, Len};
use nova_snark::traits::evaluation::EvaluationEngineTrait;
use nova_snark::traits::snark::{DigestHelperTrait, RelaxedR1CSSNARKTrait};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

type CommitmentKey<E> = <<E as Engine>::CE as CommitmentEngineTrait<E>>::CommitmentKey;

/// A proof that a relaxed instance is satisfied. The fields are those of the library's proof, in its order: the bytes are the same.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Spartan<E: Engine, P: EvaluationEngineTrait<E>> {
    outer: SumcheckProof<E>,
    /// Az, Bz and Cz at the point that the outer sum-check ends at.
    products: (E::Scalar, E::Scalar, E::Scalar),
    /// E there.
    error: E::Scalar,
    inner: SumcheckProof<E>,
    /// W at the point that the inner sum-check ends at.
    witness: E::Scalar,
    /// Brings the two openings to one point.
    batch: SumcheckProof<E>,
    /// W and E at that point.
    openings: Vec<E::Scalar>,
    argument: P::EvaluationArgument,
}

/// What verifying takes. It is derived from a circuit and never read from anywhere.
pub struct SpartanKey<E: Engine, P: EvaluationEngineTrait<E>> {
    openings: P::VerifierKey,
    matrices: Matrices<E::Scalar>,
    /// The library's digest of its key: the padded matrices and the opening's key.
    digest: E::Scalar,
}

impl<E: Engine, P: EvaluationEngineTrait<E>> std::fmt::Debug for SpartanKey<E, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpartanKey").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl<E: Engine, P: EvaluationEngineTrait<E>> DigestHelperTrait<E> for SpartanKey<E, P> {
    fn digest(&self) -> E::Scalar {
        self.digest
    }
}

// The library asks for both, and nobody has a use for either: a key that was read would have to be believed.
impl<E: Engine, P: EvaluationEngineTrait<E>> Serialize for SpartanKey<E, P> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("a verifying key is derived from its circuit, not written"))
    }
}
impl<'de, E: Engine, P: EvaluationEngineTrait<E>> Deserialize<'de> for SpartanKey<E, P> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a verifying key is derived from its circuit, not read"))
    }
}

impl<E: Engine, P: EvaluationEngineTrait<E>> RelaxedR1CSSNARKTrait<E> for Spartan<E, P> {
    type ProverKey = snark::ProverKey<E, P>;
    type VerifierKey = SpartanKey<E, P>;

    fn setup(ck: &CommitmentKey<E>, shape: &R1CSShape<E>) -> Result<(Self::ProverKey, Self::VerifierKey), NovaError> {
        // Before anything of these sizes is laid out: a kept file says them, and its digest is compared only afterwards.
        if [shape.num_cons(), shape.num_vars(), shape.num_io()].iter().any(|size| *size > ck.length()) {
            return Err(NovaError::InvalidCommitmentKeyLength);
        }
        let (openings_of_prover, openings) = P::setup(ck)?;
        let shape = shape.pad();
        let (digest, matrices) = rayon::join(|| digest::digest(&openings, &shape), || Matrices::of(&shape));
        let digest = digest?;
        Ok((retyped(&(openings_of_prover, digest))?, SpartanKey { openings, matrices: matrices?, digest }))
    }

    fn prove(
        ck: &CommitmentKey<E>,
        key: &Self::ProverKey,
        shape: &R1CSShape<E>,
        instance: &RelaxedR1CSInstance<E>,
        witness: &RelaxedR1CSWitness<E>,
    ) -> Result<Self, NovaError> {
        retyped(&snark::RelaxedR1CSSNARK::<E, P>::prove(ck, key, shape, instance, witness)?)
    }

    fn verify(&self, key: &Self::VerifierKey, instance: &RelaxedR1CSInstance<E>) -> Result<(), NovaError> {
        self.verified(key, instance)
    }
}

/// The same bytes as another type: the library keeps the fields of its proof and of its prover's key to itself.
fn retyped<T: DeserializeOwned>(proof: &impl Serialize) -> Result<T, NovaError> {
    let config = bincode::config::legacy();
    let broken = |reason: String| NovaError::ProofVerifyError { reason };
    let bytes = bincode::serde::encode_to_vec(proof, config).map_err(|e| broken(e.to_string()))?;
    match bincode::serde::decode_from_slice(&bytes, config).map_err(|e| broken(e.to_string()))? {
        (proof, used) if used == bytes.len() => Ok(proof),
        (_, used) => Err(broken(format!("expected a proof of {used} bytes, got {}", bytes.len()))),
    }
}
