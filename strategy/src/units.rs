//! S0: amounts, prices and basis points, with their widths.

use crate::DomainError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One hundred percent in basis points.
pub const BPS: i64 = 10_000;

/// Basis points (1/10000), signed where a direction is meant.
pub type Bps = i64;

/// A token amount in raw units, 0 … 2^96 − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Amount(u128);

impl Amount {
    /// The largest amount.
    pub const MAX: Self = Self((1 << 96) - 1);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount, if it fits 96 bits.
    pub fn new(raw: u128) -> Result<Self, DomainError> {
        if raw <= Self::MAX.0 { Ok(Self(raw)) } else { Err(DomainError::new("amount", "at most 2^96 − 1 raw units", raw)) }
    }

    /// The amount, or the largest one (clamp, never reject).
    #[must_use]
    pub const fn saturating(raw: u128) -> Self {
        if raw <= Self::MAX.0 { Self(raw) } else { Self::MAX }
    }

    /// Raw units.
    #[must_use]
    pub const fn raw(self) -> u128 {
        self.0
    }
}

/// Quote raw units for one base raw unit, times 2^64; 2^19 … 2^96 − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u128);

impl Price {
    /// The smallest price.
    pub const MIN: Self = Self(1 << 19);
    /// The largest price.
    pub const MAX: Self = Self((1 << 96) - 1);

    /// A price, if it is in range.
    pub fn new(x64: u128) -> Result<Self, DomainError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&x64) {
            Ok(Self(x64))
        } else {
            Err(DomainError::new("price_x64", "2^19 … 2^96 − 1", x64))
        }
    }

    /// The price clamped into range.
    #[must_use]
    pub fn saturating(x64: u128) -> Self {
        Self(x64.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// The price times 2^64.
    #[must_use]
    pub const fn x64(self) -> u128 {
        self.0
    }
}

/// Big integers travel as decimal strings: JSON numbers lose digits past 2^53.
pub(crate) mod decimal {
    use super::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(v: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(v)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
        if !plain {
            return Err(serde::de::Error::custom(format!("expected a decimal integer in a string without leading zeros, got {text:?}")));
        }
        text.parse().map_err(|_| serde::de::Error::custom(format!("expected an integer below 2^128, got {text}")))
    }
}

macro_rules! decimal_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                decimal::serialize(&self.0, s)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(decimal::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
decimal_serde!(Amount);
decimal_serde!(Price);
