//! The verifier for a browser: the same audit and the same report, behind a few exported functions.
//!
//! The page writes log, proof and (if there is one) the promised mandate into buffers here, asks for the keys once, for the proof's
//! check and for the audit, and reads one JSON document. A second worker hashes the log meanwhile: a page has no threads that share
//! memory. No network, no clock, no file; nothing here decides anything. `make page` puts the
//! module, inlined, into one static HTML file.

mod abi;

use probity_strategy::Mandate;
use probity_verifier::{Evidence, HeadsPart, Keys, LogReader, ProofPart, Story, Units, audit_parts};
use std::cell::RefCell;
use std::sync::Arc;

/// Everything the page hands over.
#[derive(Debug, Default)]
pub struct Input {
    /// Decision log.
    pub log: Vec<u8>,
    /// Proof envelope.
    pub proof: Vec<u8>,
    /// The mandate that the reader was promised, JSON; empty for none.
    pub mandate: Vec<u8>,
    /// How raw units are read; empty for raw.
    pub units: Vec<u8>,
    /// What [`heads`] gave for the same log elsewhere; empty: the audit hashes the log itself.
    pub heads: Vec<u8>,
}

impl Input {
    fn evidence(&self) -> Evidence<'_> {
        Evidence { proof: (!self.proof.is_empty()).then_some(self.proof.as_slice()), ..Evidence::default() }
    }
}

thread_local! {
    static KEYS: RefCell<Option<Arc<Keys>>> = const { RefCell::new(None) };
    static PROVEN: RefCell<Option<ProofPart>> = const { RefCell::new(None) };
}

/// Verifies and keeps the proof's part of the audit to come.
pub fn prove(input: &Input) {
    let part = LogReader::new(input.log.as_slice()).ok().map(|reader| ProofPart::of(reader.header(), input.evidence(), keys));
    PROVEN.set(part);
}

/// Hashes a log, for a worker that has no keys.
#[must_use]
pub fn heads(log: &[u8]) -> Vec<u8> {
    HeadsPart::of(log).to_bytes()
}

/// Derives and keeps the keys that a log's mandate asks for: seconds of work, once for each shape. Anything that is wrong with the
/// log is left to the audit.
pub fn prepare(log: &[u8]) {
    if let Ok(reader) = LogReader::new(log)
        && reader.header().mandate.validate().is_ok()
    {
        drop(keys(&reader.header().mandate));
    }
}

fn keys(mandate: &Mandate) -> Result<Arc<Keys>, probity_verifier::KeysError> {
    KEYS.with_borrow_mut(|slot| match slot {
        Some(keys) if keys.fit(mandate) => Ok(keys.clone()),
        _ => Ok(slot.insert(Arc::new(Keys::for_mandate(mandate)?)).clone()),
    })
}

/// Audits and tells the story: `{"story": …, "html": …}`, or `{"problem": …}` if the mandate or the units do not parse.
#[must_use]
pub fn answer(input: &Input) -> String {
    let told = told(input).and_then(|story| serde_json::to_value(&story).map(|value| (story, value)).map_err(|e| e.to_string()));
    match told {
        Ok((story, value)) => serde_json::json!({ "html": story.section(), "story": value }).to_string(),
        Err(problem) => serde_json::json!({ "problem": problem }).to_string(),
    }
}

fn told(input: &Input) -> Result<Story, String> {
    let promised: Option<Mandate> = match input.mandate.as_slice() {
        [] => None,
        bytes => Some(serde_json::from_slice(bytes).map_err(|e| format!("mandate: {e}"))?),
    };
    let units: Option<Units> = match input.units.as_slice() {
        [] => None,
        bytes => Some(String::from_utf8_lossy(bytes).trim().parse().map_err(|e| format!("{e}"))?),
    };
    let heads = HeadsPart::from_bytes(&input.heads);
    let mut report = PROVEN.with_borrow(|part| audit_parts(&input.log, input.evidence(), part.as_ref(), heads, keys));
    if let (Some(promised), Ok(reader)) = (&promised, LogReader::new(input.log.as_slice())) {
        report = report.promised(promised, &reader.header().mandate);
    }
    Ok(Story::read(input.log.as_slice(), report, units))
}
