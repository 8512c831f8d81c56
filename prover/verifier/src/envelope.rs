//! The proof envelope: fixed-width fields around the compressed proof, and its verification.
//!
//! All integers big endian: magic (8 bytes), format u16, circuit u16, engine u8 (1 transparent, 2 pairing), parameters (32), folds u32,
//! end of the chain `commitment, mandate, ahead` (32 each), `at_step, decisions` (u32), `head, state` (32 each), start u8 (0 genesis, 1
//! elsewhere) and, if it is 1, the same without the mandate of the start, proof length u32, proof. Nothing may follow.

use crate::finding::{Code, Finding};
use crate::{
    ByEngine, CIRCUIT_VERSION, CompressedSnark, Digest, Header, Keys, Rotation, Scalar, Z, engine_name, genesis_z, mandate_digest, z_at,
};
use probity_strategy::{Mandate, ProofEngine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Version of the envelope.
pub const ENVELOPE_VERSION: u16 = 3;
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
    /// Digest of the mandate that the proof claims.
    pub mandate: Digest,
    /// Claimed end of the chain.
    pub end: Waypoint,
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
    /// The rotation that was announced and has not taken over, if there is one.
    pub ahead: Option<Rotation>,
    /// Decisions from genesis.
    pub decisions: u32,
    /// Head after the last of them.
    pub head: Digest,
    /// Blinded digest of the state after it. A proof that ends here and one that starts here have the same.
    pub state: Digest,
}

impl Waypoint {
    /// z there, under a mandate.
    #[must_use]
    pub fn z(&self, mandate: &Digest) -> Z {
        z_at(&self.commitment, mandate, self.ahead.as_ref(), self.decisions, &self.head, self.state.to_scalar())
    }

    /// Whether the weights here are others than those of genesis, or are about to be: a proof that starts here has them from announcements
    /// that it does not cover.
    pub(crate) fn adopts(&self, header: &Header, rotations: Option<&[Rotation]>) -> bool {
        let before = rotations.is_some_and(|r| r.iter().any(|r| r.at_step <= self.decisions));
        before || self.commitment != header.model_commitment || self.ahead.is_some()
    }

    /// The place that z names; `at` is the name of each element.
    fn of(z: &Z, at: &Names) -> Result<Self, Finding> {
        let [commitment, _, ahead, at_step, decisions, head, state] = z.map(Digest::from_scalar);
        Ok(Self {
            commitment,
            ahead: rotation(ahead, count(&at_step, at.at_step)?, at.at_step)?,
            decisions: count(&decisions, at.decisions)?,
            head,
            state,
        })
    }

    fn write(&self, mandate: Option<&Digest>, out: &mut Vec<u8>) {
        out.extend(self.commitment.to_bytes());
        out.extend(mandate.into_iter().flat_map(|m| m.to_bytes()));
        out.extend(self.ahead.map_or([0; 32], |r| r.commitment.to_bytes()));
        out.extend(self.ahead.map_or(0, |r| r.at_step).to_be_bytes());
        out.extend(self.decisions.to_be_bytes());
        out.extend(self.head.to_bytes());
        out.extend(self.state.to_bytes());
    }

    fn parse(rest: &mut Fields<'_>, at: &Names, mandate: impl FnOnce(&mut Fields<'_>) -> Result<(), Finding>) -> Result<Self, Finding> {
        let commitment = rest.digest(at.commitment)?;
        mandate(rest)?;
        let ahead = rest.digest(at.ahead)?;
        let at_step = u32::from_be_bytes(rest.take(at.at_step)?);
        let decisions = u32::from_be_bytes(rest.take(at.decisions)?);
        let (head, state) = (rest.digest(at.head)?, rest.digest(at.state)?);
        Ok(Self { commitment, ahead: rotation(ahead, at_step, at.at_step)?, decisions, head, state })
    }
}

/// A commitment and a step of an envelope; 0 and 0 are none.
fn rotation(commitment: Digest, at_step: u32, field: &'static str) -> Result<Option<Rotation>, Finding> {
    match (commitment.to_bytes() == [0; 32], at_step) {
        (true, 0) => Ok(None),
        (true, step) => Err(malformed(field, "0 where no rotation is ahead", step)),
        (false, at_step) => Ok(Some(Rotation { commitment, at_step })),
    }
}

/// Names of the fields of a place, for findings.
struct Names {
    commitment: &'static str,
    ahead: &'static str,
    at_step: &'static str,
    decisions: &'static str,
    head: &'static str,
    state: &'static str,
}

const END: Names = Names {
    commitment: "end.commitment",
    ahead: "end.ahead",
    at_step: "end.at_step",
    decisions: "end.decisions",
    head: "end.head",
    state: "end.state",
};

const START: Names = Names {
    commitment: "start.commitment",
    ahead: "start.ahead",
    at_step: "start.at_step",
    decisions: "start.decisions",
    head: "start.head",
    state: "start.state",
};

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
    pub fn new(keys: &Keys, folds: u32, start: Option<Z>, end: Z, proof: &CompressedSnark) -> Result<Self, Finding> {
        let engine = proof.engine();
        check_engine(keys.engine(), engine)?;
        let proof = match proof {
            ByEngine::Transparent(proof) => encode(proof),
            ByEngine::Pairing(proof) => encode(proof),
        }?;
        let start = start.map(|z| Waypoint::of(&z, &START)).transpose()?;
        let [_, mandate, ..] = end.map(Digest::from_scalar);
        Ok(Self { engine, parameters: keys.parameters(), folds, mandate, end: Waypoint::of(&end, &END)?, start, proof })
    }

    /// The bytes to publish.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(358 + self.proof.len());
        out.extend(MAGIC);
        out.extend(ENVELOPE_VERSION.to_be_bytes());
        out.extend(CIRCUIT_VERSION.to_be_bytes());
        out.push(match self.engine {
            ProofEngine::Transparent => TRANSPARENT,
            ProofEngine::Pairing => PAIRING,
        });
        out.extend(self.parameters.to_bytes());
        out.extend(self.folds.to_be_bytes());
        self.end.write(Some(&self.mandate), &mut out);
        out.push(u8::from(self.start.is_some()));
        if let Some(start) = &self.start {
            start.write(None, &mut out);
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
        let mut mandate = Digest::from_scalar(Scalar::from(0));
        let end = Waypoint::parse(&mut rest, &END, |rest| {
            mandate = rest.digest("end.mandate")?;
            Ok(())
        })?;
        let start = match rest.take("start")? {
            [0] => None,
            [1] => {
                let start = Waypoint::parse(&mut rest, &START, |_| Ok(()))?;
                if start.decisions == 0 {
                    return Err(malformed("start.decisions", "more than 0: genesis has no state to bring", start.decisions));
                }
                Some(start)
            }
            [other] => return Err(malformed("start", "0 (genesis) or 1 (elsewhere)", other)),
        };
        let length = u32::from_be_bytes(rest.take("length")?);
        if usize::try_from(length) != Ok(rest.0.len()) {
            return Err(malformed("length", rest.0.len(), length));
        }
        Ok(Self { engine, parameters, folds, mandate, end, start, proof: rest.0.to_vec() })
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
        let expected_mandate = mandate_digest(mandate);
        if self.mandate != expected_mandate {
            return Err(Finding::mismatch(Code::ProofOtherMandate, expected_mandate, self.mandate).field("end.mandate"));
        }
        let end = self.end;
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
        if out != end.z(&expected_mandate) {
            return Err(Finding::error(Code::ProofInvalid, "the proof ends elsewhere than its envelope says").field("end"));
        }
        Ok(Proven { start: self.start, end, folds: self.folds })
    }

    /// Why a proof does not verify: most likely it is about other weights, if that is what it says itself.
    fn invalid(&self, commitment: &Digest, error: &impl std::fmt::Display) -> Finding {
        let end = self.end.commitment;
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
