//! S1: what a decision sees. Every field is a closed fact: nothing that happens later can change it.

use crate::{Amount, Price};
use serde::{Deserialize, Serialize};

/// The executed order of the decision before, in raw units of the token received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Amount received; the amount given is the order's `amount_in` (exact input).
    pub amount_out: Amount,
}

/// One observation (public).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Index of the decision, from 0.
    pub step: u32,
    /// Unix time the mean ends at, seconds.
    pub time_s: u64,
    /// A past block the observer stood on.
    pub block_number: u64,
    /// Its hash, hex.
    #[serde(with = "hex32")]
    pub block_hash: [u8; 32],
    /// Mean tick of the pool's oracle over the interval, floor, i24.
    pub mean_tick: i32,
    /// Price at the oriented mean tick.
    pub price_x64: Price,
    /// Quote balance of the vault, raw.
    pub quote: Amount,
    /// Base balance of the vault, raw.
    pub base: Amount,
    /// Shares of the vault.
    pub shares: Amount,
    /// What became of the order of the decision before.
    pub fill: Option<Fill>,
}

/// 32 bytes as `0x` and 64 lowercase hex digits.
mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(v: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(66);
        text.push_str("0x");
        for byte in v {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        s.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("expected 0x and 64 lowercase hex digits, got {} characters", text.len())))
    }

    fn parse(text: &str) -> Option<[u8; 32]> {
        let digits = text.strip_prefix("0x")?.as_bytes();
        let mut out = [0u8; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let nibble = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = (*byte << 4) | nibble;
            }
        }
        Some(out)
    }
}
