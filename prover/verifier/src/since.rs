//! The state of a finished audit: where a later one goes on, and what it then relies on.
//!
//! One line of JSON in one form only; its last member is the SHA-256 of the rest. That finds damage, and nothing else: who can write the
//! file can write another one, so it belongs to the auditor who made it and to nobody else.

use crate::audit::Coverage;
use crate::{Digest, Header, Rotation, Waypoint};
use probity_strategy::{Amount, HighWater, Order};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The word in the file's `format` field.
pub const AUDIT_STATE_FORMAT: &str = "probity-audit-state";
/// Version of the file.
pub const AUDIT_STATE_VERSION: u16 = 1;
/// Largest file, bytes: a rotation every few decisions would fill it, an agent does not.
pub const MAX_AUDIT_STATE: usize = 1024 * 1024;
/// Blocks under the newest one that a later audit reads again: an ordinary reorganisation stays within them.
pub const REORG_MARGIN: u64 = 64;

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("audit state, {field}: expected {expected}, got {got}; audit without it, from the start")]
pub struct AuditStateError {
    /// What was looked at.
    pub field: &'static str,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub got: String,
}

/// Where an accepted audit ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditState {
    /// [`AUDIT_STATE_FORMAT`].
    pub format: String,
    /// [`AUDIT_STATE_VERSION`].
    pub version: u16,
    /// Digest of the log's mandate.
    pub mandate_digest: Digest,
    /// Commitment at genesis.
    pub model_commitment: Digest,
    /// Head before the first decision.
    pub genesis_head: Digest,
    /// Chain of the mandate.
    pub chain_id: u64,
    /// Vault of the mandate.
    pub vault: String,
    /// Digest of the parameters that the proof was verified under.
    pub parameters: Digest,
    /// The part of the log that was read.
    pub log: LogMark,
    /// What the checks of the next decision start from.
    pub walk: WalkMark,
    /// How far the audit reached.
    pub coverage: Coverage,
    /// Findings that turned no verdict and are not repeated.
    pub findings: Told,
    /// Where the verified proof ended.
    pub proven: ProvenMark,
    /// Where the comparison with the chain can go on; none if there was none, or no block was deep enough.
    pub chain: Option<ChainMark>,
    /// SHA-256 of the canonical text of all above.
    pub digest: String,
}

/// The bytes of a log that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMark {
    /// Lines, the header included.
    pub lines: u64,
    /// Bytes, line ends included.
    pub bytes: u64,
    /// SHA-256 of these bytes, hex.
    pub sha256: String,
}

/// What the public checks carry from decision to decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkMark {
    /// Head after the last line.
    pub head: Digest,
    /// Head after the last decision: the same, unless an announcement followed.
    pub decision_head: Digest,
    /// Commitment that the last decision was made under.
    pub decision_commitment: Digest,
    /// Announced and not yet due after it.
    pub decision_ahead: Option<Rotation>,
    /// Commitment in force now.
    pub commitment: Digest,
    /// Announced and not yet due.
    pub ahead: Option<Rotation>,
    /// Due so far.
    pub rotations: Vec<Rotation>,
    /// Time of the first decision, Unix seconds.
    pub first_time_s: u64,
    /// Time of the last one.
    pub last_time_s: u64,
    /// Block that it observed.
    pub last_block: u64,
    /// Balances that it observed, raw units.
    pub quote: Amount,
    /// See `quote`.
    pub base: Amount,
    /// Its order.
    pub pending: Option<Order>,
    /// High-water mark.
    pub high_water: HighWater,
    /// Whether the agent is halted.
    pub halted: bool,
    /// Turnover of the window so far, bps, as decimal digits.
    pub used_bps: String,
    /// Line of the seal.
    pub sealed_at: Option<u64>,
}

/// Findings that a later report does not repeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Worth knowing.
    pub info: u64,
    /// Weakening the evidence.
    pub warn: u64,
}

/// Where a verified proof from genesis ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenMark {
    /// Commitment in force there.
    pub commitment: Digest,
    /// Announced and not yet due there.
    pub ahead: Option<Rotation>,
    /// Decisions.
    pub decisions: u32,
    /// Head.
    pub head: Digest,
    /// Blinded digest of the private state.
    pub state: Digest,
    /// Folds from genesis.
    pub folds: u32,
    /// Time of the last proven decision, Unix seconds.
    pub time_s: u64,
}

impl ProvenMark {
    pub(crate) const fn waypoint(&self) -> Waypoint {
        Waypoint { commitment: self.commitment, ahead: self.ahead, decisions: self.decisions, head: self.head, state: self.state }
    }
}

/// A block that stood [`REORG_MARGIN`] under the newest one, and what the comparison had found up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainMark {
    /// Its number.
    pub block_number: u64,
    /// Its hash, which fixes everything before it.
    pub block_hash: String,
    /// Decisions of the vault up to it.
    pub decisions: u32,
    /// Of their orders, filled.
    pub filled: u32,
    /// Not filled.
    pub unfilled: u32,
}

/// What a report says about the audit that it went on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    /// Digest of the audit state.
    pub state: String,
    /// Decisions in the part that was not checked line by line again.
    pub decisions: u32,
    /// Its lines.
    pub lines: u64,
    /// Findings about it that are not repeated.
    pub findings: Told,
    /// What was checked again.
    pub again: Vec<String>,
    /// What was taken from the state.
    pub relies_on: Vec<String>,
}

fn refused(field: &'static str, expected: impl ToString, got: impl ToString) -> AuditStateError {
    AuditStateError { field, expected: expected.to_string(), got: got.to_string() }
}

impl AuditState {
    /// Reads a file: its one form and its digest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AuditStateError> {
        if bytes.len() > MAX_AUDIT_STATE {
            return Err(refused("file", format!("at most {MAX_AUDIT_STATE} bytes"), bytes.len()));
        }
        let state: Self = serde_json::from_slice(bytes).map_err(|e| refused("file", "an audit state", e))?;
        if state.format != AUDIT_STATE_FORMAT || state.version != AUDIT_STATE_VERSION {
            let got = format!("{:?} of version {}", state.format, state.version);
            return Err(refused("format", format!("{AUDIT_STATE_FORMAT:?} of version {AUDIT_STATE_VERSION}"), got));
        }
        let sealed = state.clone().sealed()?;
        if sealed.digest != state.digest {
            return Err(refused("digest", sealed.digest, state.digest));
        }
        if sealed.to_text()?.as_bytes() != bytes {
            return Err(refused("file", "the canonical text", "the same values written otherwise"));
        }
        state.used_bps()?;
        Ok(state)
    }

    /// The file: one line.
    pub fn to_text(&self) -> Result<String, AuditStateError> {
        Ok(serde_json::to_string(self).map_err(|e| refused("file", "values that JSON can hold", e))? + "\n")
    }

    /// With the digest of what it holds now.
    pub fn sealed(mut self) -> Result<Self, AuditStateError> {
        self.digest.clear();
        self.digest = hex::encode(Sha256::digest(self.to_text()?));
        Ok(self)
    }

    /// With a mark in the chain for the next comparison.
    pub fn with_chain(mut self, chain: Option<ChainMark>) -> Result<Self, AuditStateError> {
        self.chain = chain;
        self.sealed()
    }

    pub(crate) fn used_bps(&self) -> Result<u128, AuditStateError> {
        self.walk.used_bps.parse().map_err(|e| refused("walk.used_bps", "decimal digits", e))
    }

    /// Whether it is of this very log, agent, chain and vault.
    pub(crate) fn is_of(&self, header: &Header) -> Result<(), AuditStateError> {
        let m = &header.mandate;
        let digests = [
            ("mandate_digest", self.mandate_digest, header.mandate_digest),
            ("model_commitment", self.model_commitment, header.model_commitment),
            ("genesis_head", self.genesis_head, header.genesis_head),
        ];
        for (field, here, log) in digests {
            if here != log {
                return Err(refused(field, log, here));
            }
        }
        if self.chain_id != m.chain_id {
            return Err(refused("chain_id", m.chain_id, self.chain_id));
        }
        if self.vault != m.vault {
            return Err(refused("vault", &m.vault, &self.vault));
        }
        Ok(())
    }

    /// What the report of an audit that went on from here says.
    pub(crate) fn told(&self) -> Since {
        let (decisions, lines) = (self.coverage.decisions, self.log.lines);
        Since {
            state: self.digest.clone(),
            decisions,
            lines,
            findings: self.findings,
            again: vec![
                format!("The first {lines} lines ({} bytes) are byte for byte those of the earlier audit (SHA-256).", self.log.bytes),
                "The header: digests of mandate and genesis.".to_owned(),
                "The proof given now, whole.".to_owned(),
            ],
            relies_on: vec![
                format!(
                    "Decisions 0 … {}: head by head, clock, prices, fills, halts and limits, as the earlier audit found them.",
                    decisions.saturating_sub(1)
                ),
                format!("This file (digest {}) being the one that audit wrote: its digest finds damage, not forgery.", self.digest),
            ],
        }
    }
}
