//! BN254 and Grumpkin for the proof library, with multiplications of their own.
//!
//! Points, encodings, transcripts and proofs are the library's, bit for bit; what is here is how sums of multiples are computed
//! (`docs/decisions/0014-sums-of-our-own.md`). Prover and verifier both use it. No sum takes constant time, as the library's do not.

mod affine;
mod endomorphism;
mod few;
mod field;
mod group;
mod operations;
mod ordinates;
mod point;
mod scalar;
mod sum;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod wide;

use nova_snark::provider::keccak::Keccak256Transcript;
use nova_snark::provider::poseidon::{PoseidonRO, PoseidonROCircuit};
use nova_snark::provider::{hyperkzg, pedersen};
use nova_snark::traits::{Engine, Group};
pub use ordinates::{recorded, remembered};
pub use point::{Bn256Affine, Bn256Point, GrumpkinAffine, GrumpkinPoint};
use serde::{Deserialize, Serialize};

macro_rules! engine {
    ($name:ident, $point:ty, $commitments:ty, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name;

        impl Engine for $name {
            type Base = <$point as Group>::Base;
            type Scalar = <$point as Group>::Scalar;
            type GE = $point;
            type RO = PoseidonRO<Self::Base>;
            type ROCircuit = PoseidonROCircuit<Self::Base>;
            type RO2 = PoseidonRO<Self::Scalar>;
            type RO2Circuit = PoseidonROCircuit<Self::Scalar>;
            type TE = Keccak256Transcript<Self>;
            type CE = $commitments;
        }
    };
}

engine!(Bn256EngineKZG, Bn256Point, hyperkzg::CommitmentEngine<Self>, "BN254 with KZG commitments.");
engine!(Bn256EngineIPA, Bn256Point, pedersen::CommitmentEngine<Self>, "BN254 with Pedersen commitments.");
engine!(GrumpkinEngine, GrumpkinPoint, pedersen::CommitmentEngine<Self>, "Grumpkin with Pedersen commitments.");
