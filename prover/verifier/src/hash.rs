//! Poseidon over BN254's scalar field (nova-snark's sponges of rate 5, and of rate 24 for models), with one domain tag a use.

use crate::Scalar;
use ff::Field;
use nova_snark::frontend::gadgets::poseidon::{IOPattern, PoseidonConstants, Simplex, Sponge, SpongeAPI, SpongeOp, SpongeTrait, Strength};
use nova_snark::provider::poseidon::{PoseidonConstantsCircuit, PoseidonRO};
use nova_snark::traits::{ROMode, ROTrait};
use std::sync::OnceLock;
use typenum::U5;

/// What a hash is of. The tag is the first element absorbed, the number of elements is in the sponge's own start value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Salted commitment to a model.
    Model,
    /// Digest of a mandate.
    Mandate,
    /// Log head before the first record.
    Genesis,
    /// Log head after a record.
    Record,
    /// Blinded digest of the engine's state.
    State,
    /// Log head after the announcement of other weights.
    Rotation,
}

impl Domain {
    /// The tag: ASCII `probity` and a number.
    #[must_use]
    pub fn tag(self) -> Scalar {
        let number: u64 = match self {
            Self::Model => 1,
            Self::Mandate => 2,
            Self::Genesis => 3,
            Self::Record => 4,
            Self::State => 5,
            Self::Rotation => 6,
        };
        Scalar::from(0x7072_6f62_6974_7900 | number)
    }
}

/// The constants of the sponge, computed once.
pub(crate) fn constants() -> &'static PoseidonConstantsCircuit<Scalar> {
    static CONSTANTS: OnceLock<PoseidonConstantsCircuit<Scalar>> = OnceLock::new();
    CONSTANTS.get_or_init(PoseidonConstantsCircuit::default)
}

/// The sponge of a domain: wide (rate 24) for the model, whose dozens of elements it takes in two permutations; else narrow (rate 5).
pub(crate) const fn mode(domain: Domain) -> ROMode {
    match domain {
        Domain::Model => ROMode::Wide,
        Domain::Mandate | Domain::Genesis | Domain::Record | Domain::State | Domain::Rotation => ROMode::Narrow,
    }
}

/// The narrow sponge's constants alone. The library's own oracle would copy all constants for every hash.
fn narrow() -> &'static PoseidonConstants<Scalar, U5> {
    static CONSTANTS: OnceLock<PoseidonConstants<Scalar, U5>> = OnceLock::new();
    CONSTANTS.get_or_init(|| Sponge::<Scalar, U5>::api_constants(Strength::Standard))
}

/// The hash of a domain's elements: what nova-snark's `PoseidonRO` of the domain's [`mode`] gives for them, all bits of it.
#[must_use]
pub fn hash(domain: Domain, elements: &[Scalar]) -> Scalar {
    let mut absorbed = Vec::with_capacity(elements.len().saturating_add(1));
    absorbed.push(domain.tag());
    absorbed.extend_from_slice(elements);
    match mode(domain) {
        // A commitment is made once; the library's oracle will do.
        ROMode::Wide => {
            let mut oracle = PoseidonRO::<Scalar>::new_with_mode(constants().clone(), ROMode::Wide);
            absorbed.iter().for_each(|e| oracle.absorb(*e));
            oracle.squeeze(256, false)
        }
        ROMode::Narrow => {
            let count = u32::try_from(absorbed.len()).unwrap_or(u32::MAX);
            let mut sponge = Sponge::new_with_constants(narrow(), Simplex);
            let nothing = &mut ();
            sponge.start(IOPattern(vec![SpongeOp::Absorb(count), SpongeOp::Squeeze(1)]), None, nothing);
            SpongeAPI::absorb(&mut sponge, count, &absorbed, nothing);
            let out = SpongeAPI::squeeze(&mut sponge, 1, nothing);
            out.first().copied().unwrap_or(Scalar::ZERO)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sponge_is_the_librarys_oracle() {
        for count in 0..60u64 {
            let elements: Vec<Scalar> = (0..count).map(|i| -Scalar::from(i * i + 1)).collect();
            let mut oracle = PoseidonRO::<Scalar>::new_with_mode(constants().clone(), ROMode::Narrow);
            oracle.absorb(Domain::Record.tag());
            elements.iter().for_each(|e| oracle.absorb(*e));
            assert_eq!(hash(Domain::Record, &elements), oracle.squeeze(256, false), "{count}");
        }
    }
}
