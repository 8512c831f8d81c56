//! Where the bytes go: every parser that takes what an auditor was given.

use crate::writer::Ptau;
use probity_strategy::{Mandate, Model, PolicyParams};
use probity_verifier::{
    Envelope, Evidence, Keys, KeysError, LogReader, Reveal, Salt, VECTOR_LOG, VECTOR_MANDATE, VECTOR_OTHER_LOG, VECTOR_OTHER_PROOF,
    VECTOR_PROOF, Verdict, account, audit, audit_disclosure, disclose, histories, inspect, keccak256, slot,
};
use serde_json::Value;
use std::io::Cursor;
use std::sync::Arc;

/// What takes the bytes.
type Feed = dyn Fn(&[u8]);

/// One parser: how often it is fed beside the others, whether a proof may be verified on the way, and what it is fed.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) weight: u64,
    pub(crate) proves: bool,
    pub(crate) seeds: Vec<Vec<u8>>,
    pub(crate) feed: Box<Feed>,
}

impl Target {
    fn new(name: &'static str, weight: u64, seeds: Vec<Vec<u8>>, feed: impl Fn(&[u8]) + 'static) -> Self {
        Self { name, weight, proves: false, seeds, feed: Box::new(feed) }
    }

    fn proving(self) -> Self {
        Self { proves: true, ..self }
    }
}

/// An auditor without keys: the log's own checks only.
fn no_keys(_: &Mandate) -> Result<Arc<Keys>, KeysError> {
    Err(KeysError::Panicked)
}

/// All of them.
pub(crate) fn all() -> Vec<Target> {
    let mandate: Mandate = serde_json::from_str(VECTOR_MANDATE).unwrap();
    let keys = Arc::new(Keys::for_mandate(&mandate).unwrap());
    let own_keys = move |m: &Mandate| if keys.fit(m) { Ok(keys.clone()) } else { Err(KeysError::Panicked) };
    let other_keys = own_keys.clone();
    let logs = || vec![VECTOR_LOG.as_bytes().to_vec(), VECTOR_OTHER_LOG.as_bytes().to_vec()];
    let mut shown = Vec::new();
    disclose(VECTOR_LOG.as_bytes(), 2, 9, &mut shown).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let honest = decisions(VECTOR_LOG.as_bytes());
    vec![
        Target::new("log", 300, logs(), |b| {
            if let Ok(mut reader) = LogReader::new(b) {
                while let Ok(Some(_)) = reader.next_line() {}
            }
        }),
        Target::new("audit", 100, logs(), |b| drop(audit(b, Evidence::default(), no_keys))),
        Target::new("powers", 60, vec![Ptau::of(5, 3).bytes()], move |b| {
            std::fs::write(file.path(), b).unwrap();
            drop(inspect(file.path(), Some(4)));
        }),
        Target::new("histories", 40, logs(), |b| {
            let (left, right) = (audit(b, Evidence::default(), no_keys), audit(VECTOR_LOG.as_bytes(), Evidence::default(), no_keys));
            drop(histories((Cursor::new(b), &left), (VECTOR_LOG.as_bytes(), &right)));
        }),
        Target::new("disclosure", 100, vec![shown], |b| drop(audit_disclosure(b, Evidence::default(), no_keys))),
        Target::new("envelope", 300, vec![VECTOR_PROOF.to_vec(), VECTOR_OTHER_PROOF.to_vec()], |b| {
            if let Ok(parsed) = Envelope::from_bytes(b) {
                assert_eq!(parsed.to_bytes(), b, "a byte of the envelope is ignored");
            }
        }),
        Target::new("json", 300, vec![VECTOR_MANDATE.as_bytes().to_vec(), opening(&mandate), model(&mandate)], move |b| {
            if let Ok(parsed) = serde_json::from_slice::<Mandate>(b) {
                drop(parsed.validate());
            }
            drop(serde_json::from_slice::<Reveal>(b));
            if let Ok(parsed) = serde_json::from_slice::<Model>(b) {
                drop(parsed.validate(&mandate.model));
            }
        }),
        Target::new("state proof", 300, nodes(), |b| {
            let parts: Vec<Vec<u8>> = b.chunks(67).map(<[u8]>::to_vec).collect();
            for nodes in [parts, vec![b.to_vec()]] {
                let root = keccak256(nodes.first().map_or(&[][..], Vec::as_slice));
                drop(account(&root, &[7; 20], &nodes));
                drop(slot(&root, &[7; 32], &nodes));
            }
        }),
        Target::new("proof", 2, vec![VECTOR_PROOF.to_vec()], move |b| {
            let report = audit(VECTOR_LOG.as_bytes(), Evidence { proof: Some(b), ..Evidence::default() }, &own_keys);
            assert!(b == VECTOR_PROOF || report.verdict != Verdict::Accepted, "a damaged proof is accepted");
        })
        .proving(),
        Target::new("proven log", 2, logs(), move |b| {
            let report = audit(b, Evidence { proof: Some(VECTOR_PROOF), ..Evidence::default() }, &other_keys);
            // White space, the order of keys, the program's version and the seal are bound by nothing.
            assert!(report.verdict != Verdict::Accepted || decisions(b) == honest, "a damaged log is accepted");
        })
        .proving(),
    ]
}

/// What a log's lines say of decisions.
fn decisions(log: &[u8]) -> Vec<Value> {
    let lines = log.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice::<Value>(l).ok());
    lines.filter(|l| l.get("record").is_some()).collect()
}

fn filled(mandate: &Mandate) -> Model {
    Model {
        scales: [4_096; 16],
        weights: vec![-3; mandate.model.weights()],
        biases: vec![77; mandate.model.biases()],
        policy: PolicyParams { gain: 9_000, band_gain: 10, band_bps: 20, max_step_bps: 5_000, cooldown_steps: 0 },
    }
}

fn model(mandate: &Mandate) -> Vec<u8> {
    serde_json::to_vec(&filled(mandate)).unwrap()
}

fn opening(mandate: &Mandate) -> Vec<u8> {
    let reveal = Reveal { model: filled(mandate), salt: Salt::new([1; 32]), then: None };
    serde_json::to_vec(&reveal).unwrap()
}

/// Nodes of a Merkle tree as RLP: a branch, a leaf, and lengths that lie.
fn nodes() -> Vec<Vec<u8>> {
    let mut branch = vec![0xf8, 0x51];
    branch.extend(std::iter::repeat_n(0x80, 15));
    branch.push(0xa0);
    branch.extend([9; 32]);
    branch.push(0xa0);
    branch.extend([8; 32]);
    let mut leaf = vec![0xe6, 0x83, 0x20, 7, 7, 0xa1, 0xa0];
    leaf.extend([5; 32]);
    vec![branch, leaf, vec![0xc2, 0x80, 0x80], vec![0xbf; 9], vec![0xff; 12]]
}
