//! The bytes of a settlement: fixed widths, one form a value, big-endian. Everything foreign is checked here before it is used.
//!
//! mask: W̄ (64), Ē (64); a block: C, T (64 each), what it leaves of z behind the step (32 each), fingerprint (32), marks
//! (16 a decision); r_W, r_E (32 each); then the preprocessing proof without the length prefixes its encoding has.

use super::{FIXED, MAX_DECISIONS, Mark, SettlePoint, SettlementKey};
use crate::engines::{Pairing, System};
use crate::{Digest, Scalar};
use nova_snark::provider::mercury::EvaluationEngine;
use nova_snark::spartan::ppsnark::RelaxedR1CSSNARK;
use thiserror::Error;

/// Preprocessing Spartan over Mercury: a contract cannot afford to evaluate matrices.
pub type Snark = RelaxedR1CSSNARK<<Pairing as System>::E1, EvaluationEngine<<Pairing as System>::E1>>;

/// Bytes of a point.
pub(crate) const POINT: usize = 64;
/// Bytes of a scalar.
pub(crate) const SCALAR: usize = 32;

/// Why a settlement is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The number of decisions is out of range.
    #[error("settlement.decisions: expected 1 … {MAX_DECISIONS}, got {0}")]
    Decisions(u32),
    /// The claim's z has another length than the circuit's.
    #[error("settlement.z: expected {expected} elements, got {got}")]
    Arity {
        /// Elements of the circuit.
        expected: usize,
        /// Elements of the claim.
        got: usize,
    },
    /// The bytes are too few or too many.
    #[error("settlement: expected {expected} bytes, got {got}")]
    Length {
        /// Bytes of a settlement of so many decisions.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// A scalar is not below the group's order.
    #[error("settlement.{field} at byte {at}: expected a canonical scalar, got one that is not below the order of the group")]
    Scalar {
        /// What is there.
        field: &'static str,
        /// Where.
        at: usize,
    },
    /// A point is not on the curve, or its coordinates are not canonical.
    #[error("settlement.{field} at byte {at}: expected a point of the curve, got other coordinates")]
    Point {
        /// What is there.
        field: &'static str,
        /// Where.
        at: usize,
    },
    /// The proof of the folded instance does not hold.
    #[error("settlement.proof: {0}")]
    Proof(String),
}

/// One block as it travels.
#[derive(Debug, Clone)]
pub struct Block {
    /// Commitment to the block's witness.
    pub witness: SettlePoint,
    /// Commitment to the cross term of its fold.
    pub cross: SettlePoint,
    /// z after it, behind the step.
    pub rest: Vec<Scalar>,
    /// Fingerprint after it.
    pub fingerprint: Scalar,
    /// Marks of its decisions.
    pub marks: Vec<Mark>,
    /// Its bytes, as they are absorbed.
    pub raw: Vec<u8>,
}

/// A parsed settlement.
#[derive(Clone)]
pub struct Proof {
    /// Commitments of the random relaxed instance, whose u and X are 0.
    pub mask: (SettlePoint, SettlePoint),
    /// The bytes of the mask, as they are absorbed.
    pub mask_raw: Vec<u8>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// What opens the blinding of the folded witness and of the folded error.
    pub blinds: (Scalar, Scalar),
    pub(crate) snark: Snark,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proof({} blocks)", self.blocks.len())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let end = self.at.saturating_add(count);
        let part = self.bytes.get(self.at..end).unwrap_or_default();
        self.at = end;
        part
    }

    fn scalar(&mut self, field: &'static str) -> Result<Scalar, Rejected> {
        let at = self.at;
        scalar(self.take(SCALAR)).ok_or(Rejected::Scalar { field, at })
    }

    fn point(&mut self, field: &'static str) -> Result<SettlePoint, Rejected> {
        let at = self.at;
        point(self.take(POINT)).ok_or(Rejected::Point { field, at })
    }
}

pub(crate) fn scalar(bytes: &[u8]) -> Option<Scalar> {
    Digest::from_bytes(bytes.try_into().ok()?).ok().map(Digest::to_scalar)
}

pub(crate) fn point(bytes: &[u8]) -> Option<SettlePoint> {
    let (point, used) = bincode::serde::decode_from_slice(bytes, bincode::config::legacy()).ok()?;
    (used == bytes.len()).then_some(point)
}

/// Bytes of the preprocessing proof.
pub(crate) fn snark_bytes(log_rows: usize, log_size: usize) -> usize {
    let rounds = log_rows.saturating_add(log_size).saturating_mul(3 * SCALAR);
    rounds.saturating_add(14 * POINT + (4 + 15 + 6) * SCALAR)
}

impl SettlementKey {
    /// Bytes of a settlement of so many decisions.
    #[must_use]
    pub fn settlement_bytes(&self, decisions: u32) -> usize {
        let count = usize::try_from(decisions).unwrap_or(usize::MAX);
        let blocks = count.div_ceil(self.per_block().max(1));
        let rest = self.arity().saturating_sub(FIXED + 1);
        let block = (2 * POINT + SCALAR).saturating_add(rest.saturating_mul(SCALAR));
        let (log_rows, log_size) = self.logs();
        (2 * POINT)
            .saturating_add(blocks.saturating_mul(block))
            .saturating_add(count.saturating_mul(16))
            .saturating_add(2 * SCALAR)
            .saturating_add(snark_bytes(log_rows, log_size))
    }

    /// Parses the bytes of a settlement of so many decisions.
    pub fn parse(&self, decisions: u32, bytes: &[u8]) -> Result<Proof, Rejected> {
        if !(1..=MAX_DECISIONS).contains(&decisions) {
            return Err(Rejected::Decisions(decisions));
        }
        let expected = self.settlement_bytes(decisions);
        if bytes.len() != expected {
            return Err(Rejected::Length { expected, got: bytes.len() });
        }
        let mut read = Reader { bytes, at: 0 };
        let mask = (read.point("mask.W")?, read.point("mask.E")?);
        let mask_raw = bytes.get(..read.at).unwrap_or_default().to_vec();
        let mut left = usize::try_from(decisions).unwrap_or(usize::MAX);
        let mut blocks = Vec::new();
        while left > 0 {
            let live = left.min(self.per_block().max(1));
            let start = read.at;
            let (witness, cross) = (read.point("block.C")?, read.point("block.T")?);
            let mut rest = Vec::new();
            for _ in FIXED + 1..self.arity() {
                rest.push(read.scalar("block.z")?);
            }
            let fingerprint = read.scalar("block.fingerprint")?;
            let marks = (0..live).map(|_| Mark(read.take(16).try_into().unwrap_or_default())).collect();
            let raw = bytes.get(start..read.at).unwrap_or_default().to_vec();
            blocks.push(Block { witness, cross, rest, fingerprint, marks, raw });
            left = left.saturating_sub(live);
        }
        let blinds = (read.scalar("r_W")?, read.scalar("r_E")?);
        let snark = self.snark(&mut read)?;
        Ok(Proof { mask, mask_raw, blocks, blinds, snark })
    }

    /// The library's proof: the same bytes with its length prefixes put back.
    fn snark(&self, read: &mut Reader<'_>) -> Result<Snark, Rejected> {
        let (log_rows, log_size) = self.logs();
        let mut bytes = Vec::new();
        let points = |read: &mut Reader<'_>, count: usize, bytes: &mut Vec<u8>| -> Result<(), Rejected> {
            for _ in 0..count {
                let at = read.at;
                let raw = read.take(POINT);
                point(raw).ok_or(Rejected::Point { field: "proof", at })?;
                bytes.extend(raw);
            }
            Ok(())
        };
        let scalars = |read: &mut Reader<'_>, count: usize, bytes: &mut Vec<u8>| -> Result<(), Rejected> {
            for _ in 0..count {
                let at = read.at;
                let raw = read.take(SCALAR);
                scalar(raw).ok_or(Rejected::Scalar { field: "proof", at })?;
                bytes.extend(raw);
            }
            Ok(())
        };
        let rounds = |read: &mut Reader<'_>, count: usize, bytes: &mut Vec<u8>| -> Result<(), Rejected> {
            bytes.extend(length(count));
            for _ in 0..count {
                bytes.extend(length(3));
                scalars(read, 3, bytes)?;
            }
            Ok(())
        };
        points(read, 6, &mut bytes)?;
        rounds(read, log_rows, &mut bytes)?;
        scalars(read, 4, &mut bytes)?;
        rounds(read, log_size, &mut bytes)?;
        scalars(read, 15, &mut bytes)?;
        points(read, 8, &mut bytes)?;
        scalars(read, 6, &mut bytes)?;
        let decoded: Result<(Snark, usize), _> = bincode::serde::decode_from_slice(&bytes, bincode::config::legacy());
        match decoded {
            Ok((snark, used)) if used == bytes.len() => Ok(snark),
            Ok(_) => Err(Rejected::Proof("bytes are left over".to_owned())),
            Err(e) => Err(Rejected::Proof(e.to_string())),
        }
    }

    /// The canonical bytes of a proof of the library: its encoding without the length prefixes.
    pub fn flatten(&self, snark: &Snark) -> Result<Vec<u8>, Rejected> {
        let refused = |what: &str| Rejected::Proof(format!("the library's proof has another form: {what}"));
        let encoded = bincode::serde::encode_to_vec(snark, bincode::config::legacy()).map_err(|e| Rejected::Proof(e.to_string()))?;
        let (log_rows, log_size) = self.logs();
        let mut read = Reader { bytes: &encoded, at: 0 };
        let mut out = read.take(6 * POINT).to_vec();
        for (rounds, after) in [(log_rows, 4 * SCALAR), (log_size, 15 * SCALAR)] {
            if read.take(8) != length(rounds) {
                return Err(refused("rounds"));
            }
            for _ in 0..rounds {
                if read.take(8) != length(3) {
                    return Err(refused("coefficients"));
                }
                out.extend(read.take(3 * SCALAR));
            }
            out.extend(read.take(after));
        }
        out.extend(read.take(8 * POINT + 6 * SCALAR));
        if read.at == encoded.len() && out.len() == snark_bytes(log_rows, log_size) { Ok(out) } else { Err(refused("length")) }
    }
}

fn length(count: usize) -> [u8; 8] {
    u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes()
}
