//! Poseidon over BN254's scalar field (nova-snark's sponges of rate 5, and of rate 24 for models), with one domain tag a use.

use crate::Scalar;
use nova_snark::provider::poseidon::{PoseidonConstantsCircuit, PoseidonRO};
use nova_snark::traits::{ROMode, ROTrait};
use std::sync::OnceLock;

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

/// The hash of a domain's elements.
#[must_use]
pub fn hash(domain: Domain, elements: &[Scalar]) -> Scalar {
    let mut sponge = PoseidonRO::<Scalar>::new_with_mode(constants().clone(), mode(domain));
    sponge.absorb(domain.tag());
    for element in elements {
        sponge.absorb(*element);
    }
    // All 256 bits of the representation: the element itself, as the circuit's `squeeze_scalar` gives it.
    sponge.squeeze(256, false)
}
