//! The salted commitment to a model. Hiding by the salt, binding by Poseidon.

use crate::encode::{bytes_to_element, halves};
use crate::hash::{Domain, hash};
use crate::{Digest, Scalar};
use probity_strategy::{Model, ModelShape};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Weights in one field element: 31 bytes of 8 bits.
pub(crate) const WEIGHTS_PER_ELEMENT: usize = 31;
/// Biases in one field element: 10 of 24 bits.
pub(crate) const BIASES_PER_ELEMENT: usize = 10;

/// 256 random bits that keep the commitment from being guessed. Secret until revealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt of random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes: for the opening file alone.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn elements(&self) -> [Scalar; 2] {
        halves(&self.0)
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(secret)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text.as_ref(), &mut bytes).map_err(|_| serde::de::Error::custom("salt: expected 64 hex digits"))?;
        Ok(Self(bytes))
    }
}

/// The model as bytes: each group becomes one field element, little-endian. Weights are offset by 128, biases by 2^23.
///
/// Groups: scales (2 × 8 × 16 bit), policy (5 × 16 bit), weights (31 × 8 bit each), biases (10 × 24 bit each).
#[must_use]
pub(crate) fn model_groups(model: &Model) -> Vec<Vec<u8>> {
    let policy = &model.policy;
    let mut groups: Vec<Vec<u8>> = model.scales.chunks(8).map(|half| half.iter().flat_map(|s| s.to_le_bytes()).collect()).collect();
    let params = [policy.gain, policy.band_gain, policy.band_bps, policy.max_step_bps, policy.cooldown_steps];
    groups.push(params.iter().flat_map(|p| p.to_le_bytes()).collect());
    groups.extend(model.weights.chunks(WEIGHTS_PER_ELEMENT).map(|c| c.iter().map(|w| w.cast_unsigned() ^ 0x80).collect()));
    groups.extend(
        model
            .biases
            .chunks(BIASES_PER_ELEMENT)
            .map(|c| c.iter().flat_map(|b| b.wrapping_add(1 << 23).to_le_bytes().into_iter().take(3)).collect()),
    );
    groups
}

/// The commitment: salt, then the groups of the model. Its shape is in the mandate.
#[must_use]
pub fn commit_model(_shape: &ModelShape, model: &Model, salt: &Salt) -> Digest {
    let mut elements = salt.elements().to_vec();
    elements.extend(model_groups(model).iter().map(|group| bytes_to_element(group)));
    Digest::from_scalar(hash(Domain::Model, &elements))
}
