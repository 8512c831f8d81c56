//! An audit in parts: the mathematics of the proof and the hashes of the log, each made where there is room for it. A browser's workers
//! share no memory, and many logs may come with one proof.
//!
//! Parts save time and decide nothing: each says what it is of, and what is of something else is made anew.

use crate::audit::{Checked, audit_with, batch, check_mandate, hashed, prove};
use crate::{Digest, Evidence, Header, Keys, KeysError, LogReader, Report};
use probity_strategy::Mandate;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// What the proofs of one evidence came to under one mandate and commitment.
#[derive(Debug, Clone)]
pub struct ProofPart {
    proofs: Vec<Vec<u8>>,
    header: Header,
    pub(crate) outcome: Checked,
}

impl ProofPart {
    /// Verifies the proofs for the mandate and the commitment of a log's header. A mandate out of range asks for no keys.
    pub fn of(header: &Header, evidence: Evidence<'_>, keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>) -> Self {
        let outcome = check_mandate(&header.mandate).and_then(|()| prove(header, evidence, keys));
        Self { proofs: proofs(evidence), header: header.clone(), outcome }
    }

    /// The part of `known` that serves, or a new one, which is known from then on.
    pub fn among(
        known: &mut Vec<Self>,
        header: &Header,
        evidence: Evidence<'_>,
        keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
    ) -> Self {
        if let Some(part) = known.iter().find(|part| part.serves(header, evidence)) {
            return part.clone();
        }
        let part = Self::of(header, evidence, keys);
        known.push(part.clone());
        part
    }

    /// Whether this is what verifying the evidence under that header would come to. The rest of the header has no part in it.
    #[must_use]
    pub fn serves(&self, header: &Header, evidence: Evidence<'_>) -> bool {
        let same = self.header.mandate == header.mandate && self.header.model_commitment == header.model_commitment;
        same && self.proofs == proofs(evidence)
    }
}

fn proofs(evidence: Evidence<'_>) -> Vec<Vec<u8>> {
    evidence.before.iter().map(Vec::as_slice).chain(evidence.proof).map(<[u8]>::to_vec).collect()
}

/// The heads that the lines of one log should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsPart {
    log: [u8; 32],
    heads: Vec<Digest>,
}

impl HeadsPart {
    /// Hashes the records of a log, up to its first line that cannot be read.
    #[must_use]
    pub fn of(log: &[u8]) -> Self {
        let mut heads = Vec::new();
        if let Ok(mut reader) = LogReader::new(log) {
            let mut last = reader.header().genesis_head;
            loop {
                let lines = batch(&mut reader, &mut last, &mut Vec::new().into_iter());
                heads.extend(lines.iter().filter(|(_, line, _)| hashed(line)).map(|(.., head)| *head));
                if !matches!(lines.last(), Some((_, Ok(Some(_)), _))) {
                    break;
                }
            }
        }
        Self { log: Sha256::digest(log).into(), heads }
    }

    /// Bytes to hand to another worker: the log's SHA-256, then 32 for each head.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.log.into_iter().chain(self.heads.iter().flat_map(|head| head.to_bytes())).collect()
    }

    /// What [`Self::to_bytes`] wrote; none if it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (log, rest) = bytes.split_first_chunk::<32>()?;
        let (heads, []) = rest.as_chunks::<32>() else { return None };
        Some(Self { log: *log, heads: heads.iter().map(|head| Digest::from_bytes(*head).ok()).collect::<Option<_>>()? })
    }
}

/// [`audit`](crate::audit()) with parts that were made before; what is missing or of something else is made here.
pub fn audit_parts(
    log: &[u8],
    evidence: Evidence<'_>,
    proof: Option<&ProofPart>,
    heads: Option<HeadsPart>,
    keys: impl FnOnce(&Mandate) -> Result<Arc<Keys>, KeysError>,
) -> Report {
    let known = heads.filter(|h| h.log == <[u8; 32]>::from(Sha256::digest(log))).map_or_else(Vec::new, |h| h.heads);
    audit_with(log, evidence, known, |header| match proof.filter(|p| p.serves(header, evidence)) {
        Some(part) => part.outcome.clone(),
        None => prove(header, evidence, keys),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

    use super::{HeadsPart, ProofPart, audit_parts};
    use crate::selftest::{VECTOR_LOG, VECTOR_PROOF};
    use crate::{Code, Evidence, Keys, LogReader, Verdict, audit};
    use std::sync::Arc;

    #[test]
    fn parts_make_the_same_report_and_what_is_of_another_log_is_made_anew() {
        let log = VECTOR_LOG.as_bytes();
        let evidence = Evidence { proof: Some(VECTOR_PROOF), ..Evidence::default() };
        let header = LogReader::new(log).unwrap().header().clone();
        let keys = Arc::new(Keys::for_mandate(&header.mandate).unwrap());
        let part = ProofPart::of(&header, evidence, |_| Ok(keys.clone()));
        let whole = audit(log, evidence, |_| Ok(keys.clone()));
        assert_eq!(whole.verdict, Verdict::Accepted);
        let heads = HeadsPart::from_bytes(&HeadsPart::of(log).to_bytes()).unwrap();
        assert_eq!(heads, HeadsPart::of(log));
        let nobody = |_: &_| -> Result<Arc<Keys>, crate::KeysError> { panic!("the part serves") };
        assert_eq!(audit_parts(log, evidence, Some(&part), Some(heads.clone()), nobody), whole);

        // A record is changed: the heads of the log before do not serve, and the change is found.
        let edited = VECTOR_LOG.replacen("\"quote\":\"5", "\"quote\":\"6", 1);
        let report = audit_parts(edited.as_bytes(), evidence, Some(&part), Some(heads), nobody);
        assert_eq!(report, audit(edited.as_bytes(), evidence, |_| Ok(keys.clone())));
        assert!(report.findings.iter().any(|f| f.code == Code::HeadMismatch), "{:?}", report.findings);
        // Heads of the edited log itself are those that it should have, not those that it has.
        let heads = HeadsPart::of(edited.as_bytes());
        assert_eq!(audit_parts(edited.as_bytes(), evidence, Some(&part), Some(heads), nobody), report);

        // A mandate out of range: nothing is laid out for it.
        let mut wrong = header.clone();
        wrong.mandate.decisions_per_fold = 0;
        let refused = ProofPart::of(&wrong, evidence, nobody);
        assert_eq!(refused.outcome.unwrap_err().code, Code::MandateInvalid);

        // Another proof, another commitment: verified, not taken over.
        let mut flipped = VECTOR_PROOF.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        let other = Evidence { proof: Some(&flipped), ..Evidence::default() };
        let report = audit_parts(log, other, Some(&part), None, |_| Ok(keys.clone()));
        assert_eq!(report, audit(log, other, |_| Ok(keys.clone())));
        assert_eq!(report.verdict, Verdict::Rejected);
        let commitment = header.model_commitment.to_string();
        let other = VECTOR_LOG.replacen(&commitment, &header.mandate_digest.to_string(), 1);
        let report = audit_parts(other.as_bytes(), evidence, Some(&part), None, |_| Ok(keys.clone()));
        assert!(report.findings.iter().any(|f| f.code == Code::ProofOtherCommitment), "{:?}", report.findings);
        for bytes in [&b""[..], &[0; 31], &[0; 33], &[0xff; 64]] {
            assert_eq!(HeadsPart::from_bytes(bytes), None);
        }
    }
}
