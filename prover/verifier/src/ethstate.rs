//! Ethereum state against a block header: RLP, Merkle-Patricia proofs as `eth_getProof` gives them, and headers that hash to their name.
//!
//! What an account or a storage slot held is then no node's word any more, but follows from one block hash. Whether that hash is of the
//! canonical chain nobody can see from here: the caller prints which one was trusted. Pure, bounded, no panic on any bytes.

use serde::Serialize;
use sha3::{Digest as _, Keccak256};
use thiserror::Error;

/// Most nodes of one proof.
const MAX_DEPTH: usize = 65;
/// Largest node, bytes: a branch of sixteen hashes and a value.
const MAX_NODE: usize = 4_096;

/// Why a proof or header is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct StateError {
    /// What was looked at.
    pub field: &'static str,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub got: String,
}

fn wrong(field: &'static str, expected: impl Into<String>, got: impl Into<String>) -> StateError {
    StateError { field, expected: expected.into(), got: got.into() }
}

fn hex32(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Keccak-256.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// One RLP item: a string, or the bytes inside a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item<'a> {
    Text(&'a [u8]),
    List(&'a [u8]),
}

/// Splits the first item off; only the shortest encoding is taken.
fn item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let long = |rest: &[u8], width: u8| -> Option<(usize, usize)> {
        let width = usize::from(width);
        let digits = rest.get(..width)?;
        if digits.first() == Some(&0) || width > 4 {
            return None;
        }
        let length = digits.iter().try_fold(0usize, |n, d| n.checked_mul(256)?.checked_add(usize::from(*d)))?;
        (length > 55).then_some((width, length))
    };
    let split = |skip: usize, length: usize| rest.get(skip..)?.split_at_checked(length);
    match *first {
        0..=0x7f => Some((Item::Text(bytes.get(..1)?), rest)),
        0x80..=0xb7 => {
            let (text, rest) = split(0, usize::from(first.checked_sub(0x80)?))?;
            // A single small byte is its own encoding.
            if matches!(text, [0..=0x7f]) { None } else { Some((Item::Text(text), rest)) }
        }
        0xb8..=0xbf => {
            let (width, length) = long(rest, first.checked_sub(0xb7)?)?;
            let (text, rest) = split(width, length)?;
            Some((Item::Text(text), rest))
        }
        0xc0..=0xf7 => {
            let (list, rest) = split(0, usize::from(first.checked_sub(0xc0)?))?;
            Some((Item::List(list), rest))
        }
        0xf8.. => {
            let (width, length) = long(rest, first.checked_sub(0xf7)?)?;
            let (list, rest) = split(width, length)?;
            Some((Item::List(list), rest))
        }
    }
}

/// The items of a list that is all of `bytes`.
fn list(bytes: &[u8]) -> Option<Vec<Item<'_>>> {
    let (Item::List(mut rest), []) = item(bytes)? else { return None };
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (one, more) = item(rest)?;
        items.push(one);
        rest = more;
    }
    Some(items)
}

/// Encodes a string.
fn text(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes {
        [b] if *b < 0x80 => out.push(*b),
        _ => {
            prefix(0x80, bytes.len(), out);
            out.extend(bytes);
        }
    }
}

fn prefix(base: u8, length: usize, out: &mut Vec<u8>) {
    if let Some(short) = u8::try_from(length).ok().filter(|n| *n <= 55) {
        out.push(base.saturating_add(short));
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        out.push(base.saturating_add(55).saturating_add(u8::try_from(digits.len()).unwrap_or(8)));
        out.extend(digits);
    }
}

/// The value at a key (already hashed) under a root, or none if the proof shows that there is nothing.
///
/// Every node but the root is named by its parent: by its hash, or, below 32 bytes, by standing inside it.
fn walk(field: &'static str, root: &[u8; 32], key: &[u8; 32], proof: &[Vec<u8>]) -> Result<Option<Vec<u8>>, StateError> {
    let path: Vec<u8> = key.iter().flat_map(|b| [b >> 4, b & 15]).collect();
    let mut left = path.as_slice();
    let mut nodes = proof.iter();
    let mut due = *root;
    if proof.len() > MAX_DEPTH {
        return Err(wrong(field, format!("at most {MAX_DEPTH} nodes"), proof.len().to_string()));
    }
    // The empty trie has no nodes, or the one that is the empty string.
    if due == keccak256(&[0x80]) && proof.iter().all(|node| node == &[0x80]) && proof.len() < 2 {
        return Ok(None);
    }
    let malformed = || wrong(field, "a node of a Merkle-Patricia trie", "other bytes");
    let mut inside: Option<Vec<u8>> = None;
    loop {
        let node: Vec<u8> = match inside.take() {
            Some(node) => node,
            None => {
                let node =
                    nodes.next().ok_or_else(|| wrong(field, format!("the node with hash {}", hex32(&due)), "the end of the proof"))?;
                if node.len() > MAX_NODE || keccak256(node) != due {
                    return Err(wrong(field, format!("the node with hash {}", hex32(&due)), hex32(&keccak256(node))));
                }
                node.clone()
            }
        };
        let items = list(&node).ok_or_else(malformed)?;
        let next = match items.as_slice() {
            // A branch.
            some if some.len() == 17 => match left.split_first() {
                None => return ended(nodes.next(), field, value(some.get(16)).ok_or_else(malformed)?),
                Some((nibble, rest)) => {
                    left = rest;
                    some.get(usize::from(*nibble)).copied()
                }
            },
            // A leaf or an extension.
            [Item::Text(compact), child] => {
                let (leaf, nibbles) = unpacked(compact).ok_or_else(malformed)?;
                match left.strip_prefix(nibbles.as_slice()) {
                    Some(rest) if leaf => {
                        if rest.is_empty() {
                            return ended(nodes.next(), field, value(Some(child)).ok_or_else(malformed)?);
                        }
                        return ended(nodes.next(), field, None);
                    }
                    Some(rest) => {
                        left = rest;
                        Some(*child)
                    }
                    None => return ended(nodes.next(), field, None),
                }
            }
            _ => return Err(malformed()),
        };
        match next {
            Some(Item::Text([])) => return ended(nodes.next(), field, None),
            Some(Item::Text(hash)) => due = hash.try_into().map_err(|_| malformed())?,
            Some(Item::List(content)) => {
                let mut node = Vec::new();
                prefix(0xc0, content.len(), &mut node);
                node.extend(content);
                inside = Some(node);
            }
            None => return Err(malformed()),
        }
    }
}

/// Nothing may stand after the end of a proof.
fn ended(more: Option<&Vec<u8>>, field: &'static str, value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, StateError> {
    if more.is_some() { Err(wrong(field, "the end of the proof", "more nodes")) } else { Ok(value) }
}

fn value(item: Option<&Item<'_>>) -> Option<Option<Vec<u8>>> {
    match item? {
        Item::Text([]) => Some(None),
        Item::Text(bytes) => Some(Some(bytes.to_vec())),
        Item::List(_) => None,
    }
}

/// Hex-prefix encoding: whether it is a leaf, and its nibbles.
fn unpacked(compact: &[u8]) -> Option<(bool, Vec<u8>)> {
    let (first, rest) = compact.split_first()?;
    let mut nibbles = Vec::with_capacity(rest.len().saturating_mul(2).saturating_add(1));
    match first >> 4 {
        0 | 2 if first & 15 == 0 => {}
        1 | 3 => nibbles.push(first & 15),
        _ => return None,
    }
    nibbles.extend(rest.iter().flat_map(|b| [b >> 4, b & 15]));
    Some((first >> 4 >= 2, nibbles))
}

/// An account under a state root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// Root of its storage.
    pub storage_root: [u8; 32],
    /// Keccak-256 of its code.
    pub code_hash: [u8; 32],
}

/// Verifies an account proof of `eth_getProof`; none if the proof shows that there is no such account.
pub fn account(state_root: &[u8; 32], address: &[u8; 20], proof: &[Vec<u8>]) -> Result<Option<AccountState>, StateError> {
    let field = "accountProof";
    let Some(bytes) = walk(field, state_root, &keccak256(address), proof)? else { return Ok(None) };
    let bad = || wrong(field, "an account of nonce, balance, storage root and code hash", hex32(&bytes));
    match list(&bytes).ok_or_else(bad)?.as_slice() {
        [Item::Text(_), Item::Text(_), Item::Text(storage), Item::Text(code)] => Ok(Some(AccountState {
            storage_root: (*storage).try_into().map_err(|_| bad())?,
            code_hash: (*code).try_into().map_err(|_| bad())?,
        })),
        _ => Err(bad()),
    }
}

/// Verifies a storage proof of `eth_getProof`: the slot's 32 bytes, zero where the proof shows that nothing is stored.
pub fn slot(storage_root: &[u8; 32], slot: &[u8; 32], proof: &[Vec<u8>]) -> Result<[u8; 32], StateError> {
    let field = "storageProof";
    let mut out = [0u8; 32];
    let Some(bytes) = walk(field, storage_root, &keccak256(slot), proof)? else { return Ok(out) };
    let bad = || wrong(field, "an integer of at most 32 bytes", hex32(&bytes));
    let Some((Item::Text(digits), [])) = item(&bytes) else { return Err(bad()) };
    if digits.first() == Some(&0) {
        return Err(bad());
    }
    let start = out.len().checked_sub(digits.len()).ok_or_else(bad)?;
    out.get_mut(start..).ok_or_else(bad)?.copy_from_slice(digits);
    Ok(out)
}

/// The slot of `mapping[key]` for a mapping at `place`, both as 32-byte words.
#[must_use]
pub fn mapping_slot(key: &[u8; 32], place: &[u8; 32]) -> [u8; 32] {
    keccak256(&[key.as_slice(), place.as_slice()].concat())
}

/// A 32-byte word of a small number.
#[must_use]
pub fn word(number: u64) -> [u8; 32] {
    let mut out = [0u8; 32];
    if let Some(end) = out.last_chunk_mut::<8>() {
        *end = number.to_be_bytes();
    }
    out
}

/// One field of a block header, as a node gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderField {
    /// Bytes of a fixed or free length.
    Bytes(Vec<u8>),
    /// A number: without leading zeros.
    Number(Vec<u8>),
}

/// What a header that hashes to its name says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustedHeader {
    /// Block number.
    pub number: u64,
    /// Hash: the one thing that was trusted.
    pub hash: String,
    /// Root of the state.
    pub state_root: String,
    #[serde(skip)]
    root: [u8; 32],
}

impl TrustedHeader {
    /// Root of the state, bytes.
    #[must_use]
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Takes the fields of a header in their consensus order (fourth: state root; ninth: number), and refuses any that do not hash to
    /// the hash.
    pub fn of(hash: &[u8; 32], fields: &[HeaderField]) -> Result<Self, StateError> {
        let mut content = Vec::new();
        for field in fields {
            match field {
                HeaderField::Bytes(bytes) => text(bytes, &mut content),
                HeaderField::Number(digits) => {
                    let start = digits.iter().position(|d| *d != 0).unwrap_or(digits.len());
                    text(digits.get(start..).unwrap_or_default(), &mut content);
                }
            }
        }
        let mut encoded = Vec::new();
        prefix(0xc0, content.len(), &mut encoded);
        encoded.extend(content);
        let got = keccak256(&encoded);
        if got != *hash {
            return Err(wrong("block header", format!("fields that hash to {}", hex32(hash)), hex32(&got)));
        }
        let root: [u8; 32] = match fields.get(3) {
            Some(HeaderField::Bytes(root)) => root.as_slice().try_into().map_err(|_| wrong("stateRoot", "32 bytes", hex32(root)))?,
            _ => return Err(wrong("stateRoot", "32 bytes", "none")),
        };
        let number = match fields.get(8) {
            Some(HeaderField::Number(digits)) => digits.iter().try_fold(0u64, |n, d| n.checked_mul(256)?.checked_add(u64::from(*d))),
            _ => None,
        };
        let number = number.ok_or_else(|| wrong("number", "a block number", "none"))?;
        Ok(Self { number, hash: hex32(hash), state_root: hex32(&root), root })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex_text: &str) -> Vec<u8> {
        hex::decode(hex_text).unwrap()
    }

    fn rlp(items: &[&[u8]]) -> Vec<u8> {
        let mut content = Vec::new();
        items.iter().for_each(|i| text(i, &mut content));
        let mut out = Vec::new();
        prefix(0xc0, content.len(), &mut out);
        out.extend(content);
        out
    }

    #[test]
    fn only_the_shortest_encoding_is_taken() {
        assert_eq!(list(&bytes("c88363617483646f67")), Some(vec![Item::Text(b"cat"), Item::Text(b"dog")]));
        assert_eq!(list(&bytes("c0")), Some(vec![]));
        for bad in ["8100", "817f", "b801ff", "b90038", "c88363617483646f", "c88363617483646f6700", "f800", ""] {
            assert!(
                list(&bytes(bad)).is_none()
                    && (bad.is_empty() || item(&bytes(bad)).is_none_or(|(_, rest)| !rest.is_empty() || bad.starts_with('c'))),
                "{bad}"
            );
        }
        let long = vec![7u8; 300];
        let mut out = Vec::new();
        text(&long, &mut out);
        assert_eq!((&out[..3], item(&out)), (&bytes("b9012c")[..], Some((Item::Text(&long), &[][..]))));
    }

    /// A trie of one leaf, and one of a branch over two leaves, built by hand.
    #[test]
    fn slots_are_read_from_leaf_and_branch_and_absence_is_proven() {
        let (one, other) = (word(1), word(2));
        let (k1, k2) = (keccak256(&one), keccak256(&other));
        assert_ne!(k1[0] >> 4, k2[0] >> 4, "keys that part at the first nibble");
        let leaf = |key: &[u8; 32], value: &[u8], odd: bool| {
            let mut compact = if odd { vec![0x30 | (key[0] & 15)] } else { vec![0x20, key[0]] };
            compact.extend(&key[1..]);
            let mut inner = Vec::new();
            text(value, &mut inner);
            rlp(&[&compact, &inner])
        };
        let single = leaf(&k1, &[9], false);
        let root = keccak256(&single);
        assert_eq!(slot(&root, &one, std::slice::from_ref(&single)), Ok(word(9)));
        assert_eq!(slot(&root, &other, std::slice::from_ref(&single)), Ok([0; 32]), "the leaf of another key proves absence");
        let (l1, l2) = (leaf(&k1, &[1, 0], true), leaf(&k2, &[0x80], true));
        let (h1, h2) = (keccak256(&l1), keccak256(&l2));
        let mut places: Vec<&[u8]> = vec![&[]; 17];
        places[usize::from(k1[0] >> 4)] = &h1;
        places[usize::from(k2[0] >> 4)] = &h2;
        let branch = rlp(&places);
        let root = keccak256(&branch);
        assert_eq!(slot(&root, &one, &[branch.clone(), l1.clone()]), Ok(word(256)));
        assert_eq!(slot(&root, &other, &[branch.clone(), l2.clone()]), Ok(word(128)));
        let empty = (0..20).map(word).find(|w| !places_hold(&places, w)).unwrap();
        assert_eq!(slot(&root, &empty, std::slice::from_ref(&branch)), Ok([0; 32]));
        assert_eq!(slot(&keccak256(&[0x80]), &one, &[]), Ok([0; 32]), "the empty trie");
        assert_eq!(slot(&keccak256(&[0x80]), &one, &[vec![0x80]]), Ok([0; 32]), "as some nodes write it");
        assert!(slot(&[1; 32], &one, &[vec![0x80]]).is_err());
        // Another node, a missing one, one too many, another root.
        assert!(slot(&root, &one, &[branch.clone(), l2]).is_err());
        assert!(slot(&root, &one, std::slice::from_ref(&branch)).is_err());
        assert!(slot(&root, &one, &[branch.clone(), l1.clone(), l1.clone()]).is_err());
        assert!(slot(&[1; 32], &one, &[branch, l1]).is_err());
        assert!(slot(&root, &one, &[]).is_err());
    }

    fn places_hold(places: &[&[u8]], key: &[u8; 32]) -> bool {
        !places[usize::from(keccak256(key)[0] >> 4)].is_empty()
    }

    #[test]
    fn a_header_is_taken_only_if_it_hashes_to_its_name() {
        let mut fields = vec![HeaderField::Bytes(vec![1; 32]); 15];
        fields[8] = HeaderField::Number(vec![0, 0, 1, 2]);
        let mut content = Vec::new();
        for field in &fields {
            match field {
                HeaderField::Bytes(b) => text(b, &mut content),
                HeaderField::Number(_) => text(&[1, 2], &mut content),
            }
        }
        let mut all = Vec::new();
        prefix(0xc0, content.len(), &mut all);
        all.extend(content);
        let header = TrustedHeader::of(&keccak256(&all), &fields).unwrap();
        assert_eq!((header.number, header.root()), (258, &[1; 32]));
        fields[3] = HeaderField::Bytes(vec![2; 32]);
        assert!(TrustedHeader::of(&keccak256(&all), &fields).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_value(nodes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4), key in any::<[u8; 32]>()) {
            let root = nodes.first().map_or([0; 32], |n| keccak256(n));
            drop(slot(&root, &key, &nodes));
            drop(account(&root, &[3; 20], &nodes));
        }
    }
}
