//! The vault's storage against the log, by proofs that follow from one block header instead of a node's word.
//!
//! Shown by them: what was registered, how many decisions the vault took, and their last head, thus (the heads are a hash chain) all of
//! them. Not shown: events, so fills and swaps stay the node's word; and that the header is of the canonical chain.

use crate::ethstate::{HeaderField, TrustedHeader, account, keccak256, slot, word};
use crate::finding::{Code, Finding};
use crate::{Digest, Line, LogError, LogReader};
use std::io::BufRead;

/// Where the vault keeps what is proven; the layout is the compiler's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultSlots {
    /// First slot of the registration: mandate digest, commitment, genesis head.
    pub registration: u64,
    /// Slot of the head.
    pub head: u64,
    /// Slot of the number of decisions, and bytes from the right.
    pub next_step: (u64, u64),
}

impl VaultSlots {
    /// The slots to ask for.
    #[must_use]
    pub fn wanted(&self) -> [[u8; 32]; 5] {
        let at = |more: u64| word(self.registration.saturating_add(more));
        [at(0), at(1), at(2), word(self.head), word(self.next_step.0)]
    }
}

/// What a node handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSeen {
    /// Hash of the header.
    pub header_hash: [u8; 32],
    /// Its fields in consensus order.
    pub header: Vec<HeaderField>,
    /// The vault's address.
    pub vault: [u8; 20],
    /// Nodes down to the vault's account.
    pub account: Vec<Vec<u8>>,
    /// The code that was compared with this program's vault.
    pub code: Vec<u8>,
    /// Slots, in the order of [`VaultSlots::wanted`], with the nodes down to each.
    pub slots: Vec<([u8; 32], Vec<Vec<u8>>)>,
}

/// Number of decisions in a log and its last head, as far as it parses.
pub fn log_end<R: BufRead>(log: R) -> Option<(u32, Digest)> {
    Some(rest(LogReader::new(log).ok()?).0)
}

/// Checks the proofs, and the log against what they show. The header comes back if everything follows from it.
pub fn audit_state<R: BufRead>(log: R, slots: &VaultSlots, seen: &StateSeen) -> (Option<TrustedHeader>, Vec<Finding>) {
    let mut findings = Vec::new();
    let Ok(reader) = LogReader::new(log) else { return (None, findings) };
    let expected = reader.header().clone();
    let ((decisions, head), Ok(())) = rest(reader) else { return (None, findings) };
    let (header, values) = match follow(slots, seen) {
        Ok(found) => found,
        Err(finding) => return (None, vec![*finding]),
    };
    let [mandate, commitment, genesis, last, packed] = values;
    let count = u32::try_from(number(&packed, slots.next_step.1)).unwrap_or(u32::MAX);
    let digests = [
        ("registration.mandateDigest", expected.mandate_digest, mandate),
        ("registration.commitment", expected.model_commitment, commitment),
        ("registration.genesisHead", expected.genesis_head, genesis),
        ("head", head, last),
    ];
    for (field, log, chain) in digests {
        if log.to_bytes() != chain {
            let got = format!("0x{}", hex::encode(chain));
            findings.push(Finding::mismatch(Code::StateMismatch, log, got).field(format!("vault.{field}")));
        }
    }
    if count != decisions {
        findings.push(Finding::mismatch(Code::StateMismatch, format!("{decisions} decisions"), count).field("vault.nextStep"));
    }
    (Some(header), findings)
}

/// Decisions and head as far as the log can be read, and whether that is all of it.
fn rest<R: BufRead>(mut reader: LogReader<R>) -> ((u32, Digest), Result<(), LogError>) {
    let mut end = (0u32, reader.header().genesis_head);
    loop {
        match reader.next_line() {
            Ok(Some(Line::Entry(entry))) => end = (end.0.saturating_add(1), entry.head),
            Ok(Some(Line::Announcement(announcement))) => end.1 = announcement.head,
            Ok(Some(_)) => {}
            Ok(None) => return (end, Ok(())),
            Err(e) => return (end, Err(e)),
        }
    }
}

/// A packed 32-bit number, some bytes from the right.
fn number(packed: &[u8; 32], offset: u64) -> u64 {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    packed.iter().rev().skip(skip).take(4).rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// From the header to the account, from the account to the slots.
fn follow(slots: &VaultSlots, seen: &StateSeen) -> Result<(TrustedHeader, [[u8; 32]; 5]), Box<Finding>> {
    let refused = |e: crate::StateError| {
        Box::new(Finding::error(Code::StateProofInvalid, format!("expected {}, got {}", e.expected, e.got)).field(e.field))
    };
    let header = TrustedHeader::of(&seen.header_hash, &seen.header).map_err(refused)?;
    let found = account(header.root(), &seen.vault, &seen.account).map_err(refused)?;
    let vault = found.ok_or_else(|| Box::new(Finding::mismatch(Code::StateMismatch, "the vault's account", "none").field("vault")))?;
    if keccak256(&seen.code) != vault.code_hash {
        let expected = format!("code with hash 0x{}", hex::encode(vault.code_hash));
        return Err(Box::new(Finding::mismatch(Code::StateProofInvalid, expected, "other code from the same node").field("vault.code")));
    }
    let mut values = [[0u8; 32]; 5];
    let wanted = slots.wanted();
    for (i, value) in values.iter_mut().enumerate() {
        let (Some(name), Some((given, nodes))) = (wanted.get(i), seen.slots.get(i)) else {
            return Err(Box::new(Finding::mismatch(Code::StateProofInvalid, "five slots", seen.slots.len()).field("storageProof")));
        };
        if given != name {
            let (want, got) = (hex::encode(name), hex::encode(given));
            return Err(Box::new(
                Finding::mismatch(Code::StateProofInvalid, format!("slot 0x{want}"), format!("0x{got}")).field("storageProof"),
            ));
        }
        *value = slot(&vault.storage_root, name, nodes).map_err(refused)?;
    }
    Ok((header, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_are_read_from_the_right() {
        let mut packed = [0u8; 32];
        packed[20..24].copy_from_slice(&7u32.to_be_bytes());
        assert_eq!((number(&packed, 8), number(&packed, 0), number(&packed, 12)), (7, 0, 0));
        assert_eq!(number(&packed, 40), 0);
    }
}
