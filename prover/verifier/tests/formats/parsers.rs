//! Bytes from anywhere into every parser an auditor feeds: an error or a value, never a panic; memory bounded by limits, not by claims.

use crate::{audited, folder, golden_log, header, mandate, reveal};
use probity_strategy::{Mandate, Model};
use probity_verifier::{
    AuditState, CIRCUIT_VERSION, Code, ENVELOPE_VERSION, Envelope, Evidence, Keys, LogReader, MAX_LINE, Reveal, audit, audit_disclosure,
    disclose,
};
use proptest::prelude::*;
use std::io::{BufReader, Read};
use std::sync::{Arc, LazyLock};

/// Keys of the golden mandate's circuit.
static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| Arc::new(Keys::for_mandate(&mandate()).unwrap()));

/// Decisions 2 … 8 of the golden log.
static DISCLOSURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut out = Vec::new();
    disclose(golden_log().as_bytes(), 2, 9, &mut out).unwrap();
    out
});

/// An envelope with all claims right around other proof bytes.
fn envelope(parameters: [u8; 32], proof: &[u8]) -> Vec<u8> {
    let header = header(0);
    let mut bytes = b"PROBITYP".to_vec();
    bytes.extend(ENVELOPE_VERSION.to_be_bytes());
    bytes.extend(CIRCUIT_VERSION.to_be_bytes());
    bytes.push(1);
    bytes.extend(parameters);
    bytes.extend(1u32.to_be_bytes());
    bytes.extend([header.model_commitment.to_bytes(), header.mandate_digest.to_bytes(), [0; 32]].concat());
    bytes.extend([0u32.to_be_bytes(), 1u32.to_be_bytes()].concat());
    bytes.extend([[3; 32], [4; 32]].concat());
    bytes.push(0);
    bytes.extend(u32::try_from(proof.len()).unwrap().to_be_bytes());
    bytes.extend(proof);
    bytes
}

/// Cuts, overwrites and inserts at random places.
fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6).prop_map(move |edits| {
        let mut out = bytes.clone();
        for (at, byte, kind) in edits {
            if out.is_empty() {
                break;
            }
            let at = at.index(out.len());
            match kind {
                0 => out[at] = byte,
                1 => out[at] ^= 1 << (byte % 8),
                2 => out.insert(at, byte),
                _ => out.truncate(at),
            }
        }
        out
    })
}

/// Cases of a property: few in the suite, as many as `PROPTEST_CASES` says in a campaign (docs/soundness.md).
fn config(few: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { few };
    ProptestConfig { cases, ..default }
}

/// Reads a log to its end or its first error.
fn drain(bytes: &[u8]) {
    if let Ok(mut reader) = LogReader::new(bytes) {
        while let Ok(Some(_)) = reader.next_line() {}
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn envelope_takes_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..400), damaged in damaged(envelope([5; 32], &[7; 40]))) {
        let _ = Envelope::from_bytes(&noise);
        // What parses is written back as it was: no byte is ignored.
        if let Ok(parsed) = Envelope::from_bytes(&damaged) {
            prop_assert_eq!(parsed.to_bytes(), damaged);
        }
    }

    #[test]
    fn log_reader_takes_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..400), damaged in damaged(golden_log().into_bytes())) {
        drain(&noise);
        drain(&damaged);
    }

    #[test]
    fn audit_state_takes_any_bytes(
        noise in prop::collection::vec(any::<u8>(), 0..400),
        damaged in damaged(std::fs::read(folder().join("golden/audit-state.json")).unwrap()),
    ) {
        let _ = AuditState::from_bytes(&noise);
        // What parses is what was written: no byte is ignored.
        if let Ok(parsed) = AuditState::from_bytes(&damaged) {
            prop_assert_eq!(parsed.to_text().unwrap().into_bytes(), damaged);
        }
    }

    #[test]
    fn disclosure_takes_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..400), damaged in damaged(DISCLOSURE.clone())) {
        for bytes in [&noise, &damaged] {
            let _ = audit_disclosure(bytes.as_slice(), Evidence::default(), |_| unreachable!("no proof, no keys"));
        }
    }

    #[test]
    fn json_files_take_any_bytes(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        mandate in damaged(serde_json::to_vec(&mandate()).unwrap()),
        opening in damaged(serde_json::to_vec(&reveal(0)).unwrap()),
        model in damaged(serde_json::to_vec(&reveal(0).model).unwrap()),
    ) {
        for bytes in [&noise, &mandate, &opening, &model] {
            if let Ok(parsed) = serde_json::from_slice::<Mandate>(bytes) {
                let _ = parsed.validate();
            }
            let _ = serde_json::from_slice::<Reveal>(bytes);
            if let Ok(parsed) = serde_json::from_slice::<Model>(bytes) {
                let _ = parsed.validate(&crate::mandate().model);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(60))]

    /// A damaged log goes through the whole audit, replay included.
    #[test]
    fn audit_takes_any_log(damaged in damaged(golden_log().into_bytes())) {
        let _ = audited(&String::from_utf8_lossy(&damaged), 0);
    }

    /// Noise as a proof under right claims, with length prefixes that claim the world: refused as malformed.
    #[test]
    fn verifier_takes_any_proof(mut noise in prop::collection::vec(any::<u8>(), 0..600), huge in any::<prop::sample::Index>()) {
        if noise.len() > 8 {
            let at = huge.index(noise.len() - 8);
            noise[at..at + 8].copy_from_slice(&u64::MAX.to_be_bytes());
        }
        let log = golden_log();
        let bytes = envelope(KEYS.parameters().to_bytes(), &noise);
        let evidence = Evidence { proof: Some(&bytes), reveal: None, ..Evidence::default() };
        let report = audit(log.as_bytes(), evidence, |_| Ok(KEYS.clone()));
        let codes: Vec<Code> = report.findings.iter().map(|f| f.code).collect();
        prop_assert!(codes.contains(&Code::ProofMalformed), "{:?}", codes);
    }
}

/// A source without end or line break that counts what is taken from it.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        out.fill(b' ');
        self.0 += u64::try_from(out.len()).unwrap();
        Ok(out.len())
    }
}

#[test]
fn a_line_without_end_is_left_after_its_limit() {
    let mut source = Endless(0);
    assert!(LogReader::new(BufReader::new(&mut source)).is_err());
    assert!(source.0 < MAX_LINE + 64 * 1024, "{} bytes read of a line of at most {MAX_LINE}", source.0);
}

#[test]
fn deep_and_wide_json_is_an_error() {
    for text in [
        "[".repeat(60_000),
        "{\"record\":".repeat(6_000),
        "[0,".repeat(20_000),
        "9".repeat(60_000),
        format!("\"{}", "\\u0000".repeat(9_000)),
    ] {
        assert!(LogReader::new((text.clone() + "\n").as_bytes()).is_err());
        let with_header = golden_log().lines().next().unwrap().to_owned() + "\n" + &text + "\n";
        assert!(LogReader::new(with_header.as_bytes()).unwrap().next_line().is_err());
        assert!(serde_json::from_str::<Mandate>(&text).is_err() && serde_json::from_str::<Reveal>(&text).is_err());
    }
    // A mandate that claims a large model is refused before anything is built for it.
    let mut wide = mandate();
    wide.model.dims = vec![16, 60_000, 3];
    assert_eq!(wide.validate().unwrap_err().field, "model.dims");
}
