//! The two proof engines as types of the proof library, and one enum that holds whichever is in use.
//!
//! Nothing above this file is generic over the engine. Both share curves, circuit and secondary proof; they differ in how the
//! primary curve commits: Pedersen bases anybody derives (transparent) or powers of tau from a ceremony (pairing).

use crate::{Digest, FoldCircuit, Scalar, Spartan};
use nova_snark::nova;
use nova_snark::provider::ipa_pc::EvaluationEngine;
use nova_snark::traits::Engine;
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;
use probity_curve::GrumpkinEngine;
use probity_strategy::ProofEngine;

/// Secondary half of the curve cycle.
pub type E2 = GrumpkinEngine;
/// Compressing proof on the secondary curve.
pub type S2 = Spartan<E2, EvaluationEngine<E2>>;

/// One engine: the primary half of the cycle and its compressing proof.
pub trait System {
    /// Primary curve with its commitments.
    type E1: Engine<Base = <E2 as Engine>::Scalar, Scalar = Scalar>;
    /// Compressing proof on the primary curve.
    type S1: RelaxedR1CSSNARKTrait<Self::E1>;
}

/// Pedersen commitments and inner-product arguments.
#[derive(Debug, Clone, Copy)]
pub struct Transparent;

impl System for Transparent {
    type E1 = probity_curve::Bn256EngineIPA;
    type S1 = Spartan<Self::E1, EvaluationEngine<Self::E1>>;
}

/// KZG commitments, plain Spartan over Mercury (`docs/decisions/`: 0005 says why Mercury, 0006 why without preprocessing).
#[derive(Debug, Clone, Copy)]
pub struct Pairing;

impl System for Pairing {
    type E1 = probity_curve::Bn256EngineKZG;
    type S1 = Spartan<Self::E1, nova_snark::provider::mercury::EvaluationEngine<Self::E1>>;
}

/// Public parameters of one engine.
pub type PublicParamsOf<S> = nova::PublicParams<<S as System>::E1, E2, FoldCircuit>;
/// Running proof of one engine.
pub type RecursiveSnarkOf<S> = nova::RecursiveSNARK<<S as System>::E1, E2, FoldCircuit>;
/// Published proof of one engine.
pub type CompressedSnarkOf<S> = nova::CompressedSNARK<<S as System>::E1, E2, FoldCircuit, <S as System>::S1, S2>;
/// Key for compressing, of one engine.
pub type ProverKeyOf<S> = nova::ProverKey<<S as System>::E1, E2, FoldCircuit, <S as System>::S1, S2>;
/// Key for verifying, of one engine.
pub type VerifierKeyOf<S> = nova::VerifierKey<<S as System>::E1, E2, FoldCircuit, <S as System>::S1, S2>;

/// A thing of whichever engine is in use.
#[derive(Debug, Clone)]
pub enum ByEngine<T, P> {
    /// Of the transparent engine.
    Transparent(T),
    /// Of the pairing engine.
    Pairing(P),
}

impl<T, P> ByEngine<T, P> {
    /// Which engine it is of.
    #[must_use]
    pub const fn engine(&self) -> ProofEngine {
        match self {
            Self::Transparent(_) => ProofEngine::Transparent,
            Self::Pairing(_) => ProofEngine::Pairing,
        }
    }
}

/// Public parameters.
pub type PublicParams = ByEngine<PublicParamsOf<Transparent>, PublicParamsOf<Pairing>>;
/// Running proof; it holds the witness, thus the weights.
pub type RecursiveSnark = ByEngine<RecursiveSnarkOf<Transparent>, RecursiveSnarkOf<Pairing>>;
/// Published proof.
pub type CompressedSnark = ByEngine<CompressedSnarkOf<Transparent>, CompressedSnarkOf<Pairing>>;
/// Key for compressing.
pub type ProverKey = ByEngine<ProverKeyOf<Transparent>, ProverKeyOf<Pairing>>;
/// Key for verifying.
pub type VerifierKey = ByEngine<VerifierKeyOf<Transparent>, VerifierKeyOf<Pairing>>;

impl PublicParams {
    /// Digest of everything in them: matrices, hash constants and the commitment keys point by point.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::from_scalar(match self {
            Self::Transparent(public) => public.digest(),
            Self::Pairing(public) => public.digest(),
        })
    }

    /// Constraints of the circuits on the primary and the secondary curve.
    #[must_use]
    pub const fn constraints(&self) -> (usize, usize) {
        match self {
            Self::Transparent(public) => public.num_constraints(),
            Self::Pairing(public) => public.num_constraints(),
        }
    }

    /// Variables of the circuits on the primary and the secondary curve.
    #[must_use]
    pub const fn variables(&self) -> (usize, usize) {
        match self {
            Self::Transparent(public) => public.num_variables(),
            Self::Pairing(public) => public.num_variables(),
        }
    }
}

/// The word of an engine, as mandates write it.
#[must_use]
pub const fn engine_name(engine: ProofEngine) -> &'static str {
    match engine {
        ProofEngine::Transparent => "transparent",
        ProofEngine::Pairing => "pairing",
    }
}
