//! Audits of many logs with few proofs.

use probity_strategy::Mandate;
use probity_verifier::{Evidence, Keys, LogReader, ProofPart, Report, audit, audit_parts};
use std::sync::{Arc, Mutex};

/// Verifies each proof once for each mandate and commitment.
#[derive(Default)]
pub(crate) struct Audits(Mutex<Vec<ProofPart>>);

impl Audits {
    pub(crate) fn audit(&self, log: &str, evidence: Evidence<'_>, keys: &Arc<Keys>) -> Report {
        let fit = |m: &Mandate| if keys.fit(m) { Ok(keys.clone()) } else { Keys::for_mandate(m).map(Arc::new) };
        let Ok(reader) = LogReader::new(log.as_bytes()) else { return audit(log.as_bytes(), evidence, fit) };
        let mut known = self.0.lock().unwrap();
        let part = ProofPart::among(&mut known, reader.header(), evidence, fit);
        audit_parts(log.as_bytes(), evidence, Some(&part), None, fit)
    }
}
