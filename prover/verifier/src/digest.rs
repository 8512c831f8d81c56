//! A field element as 32 canonical big-endian bytes: how commitments, digests and heads travel.

use crate::Scalar;
use ff::PrimeField;
use probity_strategy::DomainError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// 32 bytes, big-endian, below the order of BN254's scalar field; `0x` and 64 lowercase hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of canonical bytes; others are refused, so that one element has one form.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, DomainError> {
        let digest = Self(bytes);
        match digest.element() {
            Some(_) => Ok(digest),
            None => Err(DomainError::new("digest", "a canonical element of BN254's scalar field", hex::encode(bytes))),
        }
    }

    /// The bytes, big-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The digest of a field element.
    #[must_use]
    pub fn from_scalar(scalar: Scalar) -> Self {
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(scalar.to_repr().as_ref());
        bytes.reverse();
        Self(bytes)
    }

    /// The field element.
    #[must_use]
    pub fn to_scalar(self) -> Scalar {
        // Construction admits canonical bytes only.
        self.element().unwrap_or_default()
    }

    fn element(&self) -> Option<Scalar> {
        let mut repr = <Scalar as PrimeField>::Repr::default();
        let mut bytes = self.0;
        bytes.reverse();
        repr.as_mut().copy_from_slice(&bytes);
        Option::from(Scalar::from_repr(repr))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Digest {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let lower = text.strip_prefix("0x").filter(|h| h.len() == 64 && h.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        let mut bytes = [0u8; 32];
        match lower {
            Some(digits) if hex::decode_to_slice(digits, &mut bytes).is_ok() => Self::from_bytes(bytes),
            _ => Err(DomainError::new("digest", "0x and 64 lowercase hex digits", text.chars().take(80).collect::<String>())),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
