//! The proof envelope: fixed-width fields around the compressed proof, and its verification.
//!
//! All integers big endian: magic (8 bytes), format u16, circuit u16, engine u8 (1 transparent, 2 pairing), parameters (32), folds u32,
//! end of the chain `commitment, mandate, decisions, head, state` (5 × 32), start u8 (0 genesis, 1 elsewhere) and, if it is 1,
//! `commitment, decisions, head, state` (4 × 32) of the start, proof length u32, proof. Nothing may follow.

use crate::finding::{Code, Finding};
use crate::{ByEngine, CIRCUIT_VERSION, CompressedSnark, Digest, Keys, Scalar, engine_name, genesis_z, mandate_digest};
use probity_strategy::{Mandate, ProofEngine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Version of the envelope.
pub const ENVELOPE_VERSION: u16 = 2;
/// Largest envelope, bytes.
pub const MAX_ENVELOPE: usize = 64 * 1024;

const MAGIC: [u8; 8] = *b"PROBITYP";
const TRANSPARENT: u8 = 1;
const PAIRING: u8 = 2;

/// A parsed envelope. The proof is not yet verified.
#[derive(Clone)]
pub struct Envelope {
    /// Engine of the proof.
    pub engine: ProofEngine,
    /// Digest of the public parameters.
    pub parameters: Digest,
    /// Folds, the first included.
    pub folds: u32,
    /// Claimed end of the chain: commitment, mandate, decisions, head, state.
    pub end: [Digest; 5],
    /// Claimed start of a segment; none if the chain starts at genesis.
    pub start: Option<Waypoint>,
    proof: Vec<u8>,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({}, {} folds, {} proof bytes)", engine_name(self.engine), self.folds, self.proof.len())
    }
}

/// A place in a chain of decisions: everything in z but the mandate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waypoint {
    /// Commitment to the weights in force.
    pub commitment: Digest,
    /// Decisions from genesis.
    pub decisions: u32,
    /// Head after the last of them.
    pub head: Digest,
    /// Blinded digest of the state after it. A proof that ends here and one that starts here have the same.
    pub state: Digest,
}

impl Waypoint {
    fn z(&self, mandate: &Digest) -> [Scalar; 5] {
        let [commitment, head, state] = [self.commitment, self.head, self.state].map(Digest::to_scalar);
        [commitment, mandate.to_scalar(), Scalar::from(u64::from(self.decisions)), head, state]
    }

    fn of(z: &[Digest; 5]) -> Result<Self, Finding> {
        let [commitment, _, decisions, head, state] = *z;
        Ok(Self { commitment, decisions: count(&decisions, "end.decisions")?, head, state })
    }
}

/// What a verified proof says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// Where it starts; none at genesis.
    pub start: Option<Waypoint>,
    /// Where it ends.
    pub end: Waypoint,
    /// Folds between.
    pub folds: u32,
}

impl Proven {
    /// Decisions before the first proven one.
    #[must_use]
    pub fn from(&self) -> u32 {
        self.start.map_or(0, |start| start.decisions)
    }

    /// Whether the other stretch starts exactly where this one ends.
    pub(crate) fn meets(&self, next: &Self) -> Result<(), Finding> {
        if next.start == Some(self.end) {
            return Ok(());
        }
        let name = |p: &Waypoint| format!("decision {} at head {}", p.decisions, p.head);
        let got = next.start.as_ref().map_or_else(|| "genesis".to_owned(), name);
        let message =
            format!("expected a proof that starts where the one before ends ({}, same state), got one from {got}", name(&self.end));
        Err(Finding::error(Code::ProofsDoNotMeet, message).field("proof.start"))
    }
}

fn bincode_config() -> impl bincode::config::Config {
    bincode::config::standard().with_big_endian().with_fixed_int_encoding().with_limit::<MAX_ENVELOPE>()
}

impl Envelope {
    /// Wraps a compressed proof. `start` is z at the start of a segment, none at genesis.
    pub fn new(keys: &Keys, folds: u32, start: Option<[Scalar; 5]>, end: [Scalar; 5], proof: &CompressedSnark) -> Result<Self, Finding> {
        let engine = proof.engine();
        check_engine(keys.engine(), engine)?;
        let proof = match proof {
            ByEngine::Transparent(proof) => encode(proof),
            ByEngine::Pairing(proof) => encode(proof),
        }?;
        let start = start.map(|z| Waypoint::of(&z.map(Digest::from_scalar))).transpose()?;
        Ok(Self { engine, parameters: keys.parameters(), folds, end: end.map(Digest::from_scalar), start, proof })
    }

    /// The bytes to publish.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(342 + self.proof.len());
        out.extend(MAGIC);
        out.extend(ENVELOPE_VERSION.to_be_bytes());
        out.extend(CIRCUIT_VERSION.to_be_bytes());
        out.push(match self.engine {
            ProofEngine::Transparent => TRANSPARENT,
            ProofEngine::Pairing => PAIRING,
        });
        out.extend(self.parameters.to_bytes());
        out.extend(self.folds.to_be_bytes());
        for value in &self.end {
            out.extend(value.to_bytes());
        }
        out.push(u8::from(self.start.is_some()));
        if let Some(start) = &self.start {
            let decisions = Digest::from_scalar(Scalar::from(u64::from(start.decisions)));
            for value in [start.commitment, decisions, start.head, start.state] {
                out.extend(value.to_bytes());
            }
        }
        out.extend(u32::try_from(self.proof.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(&self.proof);
        out
    }

    /// Parses bytes from anywhere: bounded, exact, no panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Finding> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(malformed("proof", format!("at most {MAX_ENVELOPE} bytes"), bytes.len()));
        }
        let mut rest = Fields(bytes);
        if rest.take::<8>("magic")? != MAGIC {
            return Err(malformed("magic", "a probity proof", "something else"));
        }
        let format = u16::from_be_bytes(rest.take("format")?);
        if format != ENVELOPE_VERSION {
            return Err(Finding::mismatch(Code::ProofUnsupported, ENVELOPE_VERSION, format).field("format"));
        }
        let circuit = u16::from_be_bytes(rest.take("circuit")?);
        if circuit != CIRCUIT_VERSION {
            return Err(Finding::mismatch(Code::ProofUnsupported, CIRCUIT_VERSION, circuit).field("circuit"));
        }
        let engine = match rest.take("engine")? {
            [TRANSPARENT] => ProofEngine::Transparent,
            [PAIRING] => ProofEngine::Pairing,
            [other] => return Err(Finding::mismatch(Code::ProofUnsupported, "1 (transparent) or 2 (pairing)", other).field("engine")),
        };
        let parameters = rest.digest("parameters")?;
        let folds = u32::from_be_bytes(rest.take("folds")?);
        let end = [
            rest.digest("end.commitment")?,
            rest.digest("end.mandate")?,
            rest.digest("end.decisions")?,
            rest.digest("end.head")?,
            rest.digest("end.state")?,
        ];
        let start = match rest.take("start")? {
            [0] => None,
            [1] => {
                let commitment = rest.digest("start.commitment")?;
                let decisions = count(&rest.digest("start.decisions")?, "start.decisions")?;
                if decisions == 0 {
                    return Err(malformed("start.decisions", "more than 0: genesis has no state to bring", decisions));
                }
                Some(Waypoint { commitment, decisions, head: rest.digest("start.head")?, state: rest.digest("start.state")? })
            }
            [other] => return Err(malformed("start", "0 (genesis) or 1 (elsewhere)", other)),
        };
        let length = u32::from_be_bytes(rest.take("length")?);
        if usize::try_from(length) != Ok(rest.0.len()) {
            return Err(malformed("length", rest.0.len(), length));
        }
        Ok(Self { engine, parameters, folds, end, start, proof: rest.0.to_vec() })
    }

    /// Verifies the proof for a mandate and the commitment at genesis. The start of the chain is computed here; a segment brings its own,
    /// which [`Proven::start`] says: whoever accepts one has to know it from elsewhere.
    pub fn verify(&self, keys: &Keys, mandate: &Mandate, commitment: &Digest) -> Result<Proven, Finding> {
        // The circuit takes the mandate's ranges (C2) from its checked form.
        mandate.validate().map_err(|e| Finding::mismatch(Code::MandateInvalid, e.expected, e.got).field(format!("mandate.{}", e.field)))?;
        if !keys.fit(mandate) {
            return Err(Finding::error(Code::KeysUnavailable, "expected the keys of this mandate, got others").field("keys"));
        }
        check_engine(mandate.proof_engine, self.engine)?;
        if self.parameters != keys.parameters() {
            return Err(Finding::mismatch(Code::ProofOtherParameters, keys.parameters(), self.parameters).field("parameters"));
        }
        let [_, got_mandate, ..] = self.end;
        let expected_mandate = mandate_digest(mandate);
        if got_mandate != expected_mandate {
            return Err(Finding::mismatch(Code::ProofOtherMandate, expected_mandate, got_mandate).field("end.mandate"));
        }
        let end = Waypoint::of(&self.end)?;
        let before = self.start.map_or(0, |start| start.decisions);
        let most = u64::from(self.folds).saturating_mul(u64::from(keys.decisions_per_fold()));
        let made = end.decisions.checked_sub(before).filter(|made| *made > 0);
        let Some(made) = made else { return Err(malformed("end.decisions", format!("more than {before}"), end.decisions)) };
        if self.folds == 0 || self.folds > made || u64::from(made) > most {
            return Err(malformed("folds", format!("enough for {made} decisions, and not more of them"), self.folds));
        }
        let z0 = self.start.map_or_else(|| genesis_z(mandate, commitment), |start| start.z(&expected_mandate));
        let folds = usize::try_from(self.folds).map_err(|_| malformed("folds", "a number of steps", self.folds))?;
        // The proof library asserts on some malformed proofs that pass the structural check; a panic is a rejection.
        let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<Vec<Scalar>, Finding> {
            let proof = match self.engine {
                ProofEngine::Transparent => ByEngine::Transparent(decode(&self.proof)?),
                ProofEngine::Pairing => ByEngine::Pairing(decode(&self.proof)?),
            };
            keys.verify(&proof, folds, &z0).map_err(|e| self.invalid(commitment, &e))
        }));
        let out = outcome.map_err(|_| Finding::error(Code::ProofPanicked, "the proof library panicked on this proof").field("proof"))??;
        if out.len() != 5 || out.iter().zip(&self.end).any(|(scalar, claimed)| Digest::from_scalar(*scalar) != *claimed) {
            return Err(Finding::error(Code::ProofInvalid, "the proof ends elsewhere than its envelope says").field("end"));
        }
        Ok(Proven { start: self.start, end, folds: self.folds })
    }

    /// Why a proof does not verify: most likely it is about other weights, if that is what it says itself.
    fn invalid(&self, commitment: &Digest, error: &impl std::fmt::Display) -> Finding {
        let [end, ..] = self.end;
        if self.start.is_none() && end != *commitment {
            let expected = format!("{commitment}, or weights announced to follow it");
            return Finding::mismatch(Code::ProofOtherCommitment, expected, format!("{end}, and a proof that does not verify: {error}"))
                .field("end.commitment");
        }
        Finding::error(Code::ProofInvalid, format!("the proof does not verify: {error}")).field("proof")
    }
}

/// A number of decisions.
fn count(digest: &Digest, field: &'static str) -> Result<u32, Finding> {
    match digest.to_bytes().split_last_chunk::<4>() {
        Some((high, low)) if high.iter().all(|b| *b == 0) => Ok(u32::from_be_bytes(*low)),
        _ => Err(malformed(field, "below 2^32", digest)),
    }
}

/// Parses and verifies envelope bytes.
pub fn verify(bytes: &[u8], keys: &Keys, mandate: &Mandate, commitment: &Digest) -> Result<Proven, Finding> {
    Envelope::from_bytes(bytes)?.verify(keys, mandate, commitment)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Finding> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or_else(|| malformed(field, format!("{N} bytes"), self.0.len()))?;
        self.0 = tail;
        Ok(*head)
    }

    fn digest(&mut self, field: &'static str) -> Result<Digest, Finding> {
        Digest::from_bytes(self.take(field)?).map_err(|e| malformed(field, "a canonical field element", e))
    }
}

/// Another engine means other parameters.
pub(crate) fn check_engine(expected: ProofEngine, got: ProofEngine) -> Result<(), Finding> {
    if expected == got {
        return Ok(());
    }
    let (expected, got) = (engine_name(expected), engine_name(got));
    Err(Finding::mismatch(Code::ProofOtherParameters, format!("a proof of the {expected} engine"), format!("one of the {got} engine"))
        .field("engine"))
}

fn malformed(field: &'static str, expected: impl std::fmt::Display, got: impl std::fmt::Display) -> Finding {
    Finding::mismatch(Code::ProofMalformed, expected, got).field(field)
}

fn encode<P: Serialize>(proof: &P) -> Result<Vec<u8>, Finding> {
    bincode::serde::encode_to_vec(proof, bincode_config()).map_err(|e| malformed("proof", "an encodable proof", e))
}

/// Decodes with a memory limit, refuses trailing bytes, other encodings of the same proof and empty polynomials.
fn decode<P: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<P, Finding> {
    let (proof, used): (P, usize) =
        bincode::serde::decode_from_slice(bytes, bincode_config()).map_err(|e| malformed("proof", "a compressed proof", e))?;
    if used != bytes.len() {
        return Err(malformed("proof", format!("{used} bytes"), bytes.len()));
    }
    if encode(&proof)? != bytes {
        return Err(malformed("proof", "the canonical encoding", "another"));
    }
    let tree = serde_json::to_value(&proof).map_err(|e| malformed("proof", "a compressed proof", e))?;
    if holds_empty_polynomial(&tree) {
        return Err(malformed("proof", "round polynomials of 1 … 3 coefficients", "another length"));
    }
    Ok(proof)
}

fn holds_empty_polynomial(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, inner)| {
            let wrong = name == "coeffs_except_linear_term" && inner.as_array().is_none_or(|c| c.is_empty() || c.len() > 3);
            wrong || holds_empty_polynomial(inner)
        }),
        Value::Array(items) => items.iter().any(holds_empty_polynomial),
        _ => false,
    }
}
