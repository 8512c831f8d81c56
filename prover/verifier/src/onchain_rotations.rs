//! Announcements of other weights and their take-overs, as the log has them and as the vault recorded them; complete both ways.

use crate::finding::{Code, Finding};
use crate::{Announcement, Digest};
use std::collections::BTreeMap;
use std::fmt::Display;

/// An announcement of other weights as the vault recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedSeen {
    /// Decisions before it.
    pub step: u32,
    /// Commitment to the weights that take over.
    pub commitment: [u8; 32],
    /// The first decision that they make.
    pub at_step: u32,
    /// Head it was made on.
    pub head_before: [u8; 32],
    /// Head after it.
    pub head_after: [u8; 32],
    /// Transaction.
    pub tx_hash: [u8; 32],
}

/// A take-over as the vault recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedSeen {
    /// The first decision of the weights.
    pub step: u32,
    /// Their commitment.
    pub commitment: [u8; 32],
    /// Transaction.
    pub tx_hash: [u8; 32],
}

/// An announcement as the log has it.
pub(crate) struct Said {
    pub(crate) line: u64,
    /// Decisions before it.
    pub(crate) step: u32,
    pub(crate) head_before: Digest,
    pub(crate) announcement: Announcement,
}

/// Holds announcements and take-overs of the log and of the vault against each other; `decisions` are those that the vault took. Returns whether
/// each has all of the other's announcements.
pub(crate) fn compare(
    said: &[Said],
    announced: &[AnnouncedSeen],
    rotated: &[RotatedSeen],
    decisions: u32,
    findings: &mut Vec<Finding>,
) -> bool {
    let mut seen: BTreeMap<u32, Vec<&AnnouncedSeen>> = BTreeMap::new();
    for a in announced.iter().rev() {
        seen.entry(a.step).or_default().push(a);
    }
    let mut complete = true;
    for s in said {
        let rotation = s.announcement.rotation;
        let Some(a) = seen.get_mut(&s.step).and_then(Vec::pop) else {
            complete = false;
            let what = format!(
                "expected an announcement of {} from decision {} on, before decision {} of the vault, got none",
                rotation.commitment, rotation.at_step, s.step
            );
            findings.push(at(Finding::error(Code::AnnouncementNotOnChain, what).field("rotation").on_line(s.line), s.step));
            continue;
        };
        let mut differ = |field: &str, chain: String, log: &dyn Display| {
            let log = log.to_string();
            if chain != log {
                findings.push(at(Finding::mismatch(Code::AnnouncementMismatch, chain, log).field(field).on_line(s.line), s.step));
            }
        };
        differ("rotation.commitment", hash(&a.commitment), &rotation.commitment);
        differ("rotation.at_step", a.at_step.to_string(), &rotation.at_step);
        differ("head_before", hash(&a.head_before), &s.head_before);
        differ("head", hash(&a.head_after), &s.announcement.head);
    }
    for a in seen.values().flatten() {
        complete = false;
        let what = format!(
            "the vault took an announcement of {} from decision {} on in transaction {}, and the log does not have it",
            hash(&a.commitment),
            a.at_step,
            hash(&a.tx_hash)
        );
        findings.push(at(Finding::error(Code::AnnouncementNotInLog, what), a.step));
    }
    take_overs(said, rotated, decisions, findings);
    complete
}

/// Weights take over at their step, and at no other.
fn take_overs(said: &[Said], rotated: &[RotatedSeen], decisions: u32, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<u32, &RotatedSeen> = rotated.iter().map(|r| (r.step, r)).collect();
    for s in said.iter().filter(|s| s.announcement.rotation.at_step < decisions) {
        let rotation = s.announcement.rotation;
        let found = match seen.remove(&rotation.at_step) {
            Some(r) if r.commitment == rotation.commitment.to_bytes() => continue,
            Some(r) => format!("one of {} in transaction {}", hash(&r.commitment), hash(&r.tx_hash)),
            None => "none".to_owned(),
        };
        let expected = format!("a take-over of {} by the vault", rotation.commitment);
        let finding = Finding::mismatch(Code::TakeOverMismatch, expected, found).field("rotation.at_step").on_line(s.line);
        findings.push(at(finding, rotation.at_step));
    }
    for r in seen.values() {
        let got = format!("one of {} in transaction {}", hash(&r.commitment), hash(&r.tx_hash));
        findings.push(at(Finding::mismatch(Code::TakeOverMismatch, "no take-over by the vault, as in the log", got), r.step));
    }
}

fn at(mut finding: Finding, step: u32) -> Finding {
    finding.step = Some(step);
    finding
}

fn hash(bytes: &[u8; 32]) -> String {
    format!("0x{}", hex::encode(bytes))
}
