//! Reads values that bincode wrote with fixed little-endian integers. The same bytes give the same values; bincode's own reader
//! counts and copies every byte of every field element by itself, which was most of loading parameters.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Why bytes are no value of the type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// A value that takes all of the bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut rest = Plain(bytes);
    let value = T::deserialize(&mut rest)?;
    if rest.0.is_empty() { Ok(value) } else { Err(Error::custom(format!("{} bytes behind the value", rest.0.len()))) }
}

/// The bytes that are left.
struct Plain<'de>(&'de [u8]);

impl Plain<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(|| Error::custom(format!("expected {N} bytes more")))?;
        self.0 = rest;
        Ok(*head)
    }

    fn length(&mut self) -> Result<usize, Error> {
        usize::try_from(u64::from_le_bytes(self.take()?)).map_err(Error::custom)
    }
}

macro_rules! numbers {
    ($($method:ident, $visit:ident, $number:ty;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(<$number>::from_le_bytes(self.take()?))
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Plain<'de> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
        deserialize_i64, visit_i64, i64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.take()? {
            [0] => visitor.visit_bool(false),
            [1] => visitor.visit_bool(true),
            [other] => Err(Error::custom(format!("expected 0 or 1, got {other}"))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.take()? {
            [0] => visitor.visit_none(),
            [1] => visitor.visit_some(self),
            [other] => Err(Error::custom(format!("expected 0 or 1, got {other}"))),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.length()?;
        visitor.visit_seq(Items { from: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { from: self, left: length })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a type that parameters do not have"))
    }

    forward_to_deserialize_any! { i8 i16 i32 i128 u128 f32 f64 char str string bytes byte_buf map identifier ignored_any }
}

struct Items<'a, 'de> {
    from: &'a mut Plain<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                seed.deserialize(&mut *self.from).map(Some)
            }
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        // A length that the bytes cannot hold reserves nothing.
        Some(self.left.min(self.from.0.len()))
    }
}

impl<'de> EnumAccess<'de> for &mut Plain<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let number: U32Deserializer<Error> = u32::from_le_bytes(self.take()?).into_deserializer();
        Ok((seed.deserialize(number)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Plain<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::decode;
    use serde::{Deserialize, Serialize};
    use std::marker::PhantomData;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Plain,
        Of(u8),
        Both(u16, u32),
        Named { a: u64, b: bool },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(u32);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        kinds: Vec<Kind>,
        bytes: [u8; 32],
        maybe: (Option<u16>, Option<Wrapped>),
        size: usize,
        below: i64,
        nothing: (Unit, (), PhantomData<u8>),
        lists: Vec<Vec<u64>>,
    }

    fn config() -> impl bincode::config::Config {
        bincode::config::standard().with_fixed_int_encoding()
    }

    #[test]
    fn what_bincode_wrote_is_read_and_what_it_refuses_is_refused() {
        let all = All {
            kinds: vec![Kind::Plain, Kind::Of(7), Kind::Both(8, 9), Kind::Named { a: 10, b: true }],
            bytes: std::array::from_fn(|i| u8::try_from(i).unwrap() + 200),
            maybe: (None, Some(Wrapped(3))),
            size: 1 << 40,
            below: -5,
            nothing: (Unit, (), PhantomData),
            lists: vec![vec![], vec![1, 2, 3]],
        };
        let bytes = bincode::serde::encode_to_vec(&all, config()).unwrap();
        assert_eq!(decode::<All>(&bytes).unwrap(), all);
        for length in 0..bytes.len() {
            assert!(decode::<All>(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(decode::<All>(&[&bytes[..], &[0]].concat()).is_err(), "one more");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                let limited = bincode::config::standard().with_fixed_int_encoding().with_limit::<{ 1 << 16 }>();
                let expected = bincode::serde::decode_from_slice::<All, _>(&other, limited).ok().filter(|(_, used)| *used == other.len());
                assert_eq!(decode::<All>(&other).ok(), expected.map(|(value, _)| value), "byte {at}, bit {bit}");
            }
        }
        assert!(decode::<String>(&[0; 8]).is_err());
        assert!(decode::<Vec<u8>>(&[0xff; 8]).is_err(), "a length that nothing holds");
    }
}
