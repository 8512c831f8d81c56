//! Poseidon over BN254's scalar field (nova-snark's sponges of rate 5, and of rate 24 for models), with one domain tag a use.

use crate::Scalar;
use ff::Field;
use nova_snark::frontend::gadgets::poseidon::{PoseidonConstants, Simplex, Sponge, SpongeTrait, Strength};
use nova_snark::traits::ROMode;
use std::sync::OnceLock;
use typenum::{U5, U24};

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

/// The narrow sponge's constants (rate 5), computed once.
pub(crate) fn narrow() -> &'static PoseidonConstants<Scalar, U5> {
    static CONSTANTS: OnceLock<PoseidonConstants<Scalar, U5>> = OnceLock::new();
    CONSTANTS.get_or_init(|| Sponge::<Scalar, U5>::api_constants(Strength::Standard))
}

/// Those of the wide one (rate 24).
pub(crate) fn wide() -> &'static PoseidonConstants<Scalar, U24> {
    static CONSTANTS: OnceLock<PoseidonConstants<Scalar, U24>> = OnceLock::new();
    CONSTANTS.get_or_init(|| Sponge::<Scalar, U24>::api_constants(Strength::Standard))
}

/// The sponge of a domain: wide for the model, whose dozens of elements it takes in two permutations; else narrow.
pub(crate) const fn mode(domain: Domain) -> ROMode {
    match domain {
        Domain::Model => ROMode::Wide,
        Domain::Mandate | Domain::Genesis | Domain::Record | Domain::State | Domain::Rotation => ROMode::Narrow,
    }
}

/// What a sponge, in the circuit or outside of it, makes of elements: one. The library's own oracles do the same and copy all constants,
/// a quarter of a megabyte, for every hash. (A macro because the library keeps the trait of a sponge's rate to itself.)
macro_rules! squeezed {
    ($sponge:expr, $elements:expr, $acc:expr) => {{
        use nova_snark::frontend::gadgets::poseidon::{IOPattern, SpongeAPI, SpongeOp};
        let (mut sponge, elements, acc) = ($sponge, $elements, $acc);
        let count = u32::try_from(elements.len()).unwrap_or(u32::MAX);
        sponge.start(IOPattern(vec![SpongeOp::Absorb(count), SpongeOp::Squeeze(1)]), None, acc);
        SpongeAPI::absorb(&mut sponge, count, elements, acc);
        SpongeAPI::squeeze(&mut sponge, 1, acc)
    }};
}
pub(crate) use squeezed;

/// The hash of a domain's elements: what nova-snark's `PoseidonRO` of the domain's [`mode`] gives for them, all bits of it.
#[must_use]
pub fn hash(domain: Domain, elements: &[Scalar]) -> Scalar {
    let mut absorbed = Vec::with_capacity(elements.len().saturating_add(1));
    absorbed.push(domain.tag());
    absorbed.extend_from_slice(elements);
    let out = match mode(domain) {
        ROMode::Wide => squeezed!(Sponge::new_with_constants(wide(), Simplex), &absorbed, &mut ()),
        ROMode::Narrow => squeezed!(Sponge::new_with_constants(narrow(), Simplex), &absorbed, &mut ()),
    };
    out.first().copied().unwrap_or(Scalar::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nova_snark::provider::poseidon::{PoseidonConstantsCircuit, PoseidonRO};
    use nova_snark::traits::ROTrait;

    #[test]
    fn the_sponges_are_the_librarys_oracles() {
        let constants = PoseidonConstantsCircuit::<Scalar>::default();
        for (domain, count) in [Domain::Record, Domain::Model].into_iter().flat_map(|domain| (0..60u64).map(move |count| (domain, count))) {
            let elements: Vec<Scalar> = (0..count).map(|i| -Scalar::from(i * i + 1)).collect();
            let mut oracle = PoseidonRO::<Scalar>::new_with_mode(constants.clone(), mode(domain));
            oracle.absorb(domain.tag());
            elements.iter().for_each(|e| oracle.absorb(*e));
            assert_eq!(hash(domain, &elements), oracle.squeeze(256, false), "{domain:?}, {count}");
        }
    }
}
