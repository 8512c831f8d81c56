//! What an answer commits to: one line of JSON with one form, made from an accepted audit and from where things are.
//!
//! Whoever has log and proof makes the same document; only where the proof is and which program wrote it are taken from its author.

use crate::{audit, output};
use anyhow::{Context, Result};
use probity_chain::{Address, keccak};
use probity_strategy::Mandate;
use probity_verifier::{
    AuditState, CIRCUIT_VERSION, Coverage, Digest, ENVELOPE_VERSION, Evidence, Keys, LOG_VERSION, LogReader, Origin, ParamsSource,
    REPORT_VERSION, Report, Statement, Verdict, audit_since,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// Tag of every answer, and the document's format and version.
pub(crate) const TAG: &str = "probity-attestation.1";
const FORMAT: &str = "probity-attestation";
const VERSION: u16 = 1;

/// What the document leaves open beside what its statement does.
const OPEN: [&str; 3] = [
    "Anything by the validator's word: whoever relies on this audits log and proof (`probity attest check`).",
    "That the agent of this number operates this vault: compare its owner with the vault's operator.",
    "That the files still are where they are said to be.",
];

/// Where a proof was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) tx_hash: String,
    pub(crate) block_number: u64,
    pub(crate) decisions: u32,
}

/// What is taken from the author.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    pub(crate) program_version: String,
    pub(crate) posted: Option<Place>,
    pub(crate) uri: Option<String>,
}

/// Whom an answer is about and by whom it is, as the registry has it.
#[derive(Debug, Clone)]
pub(crate) struct Parties {
    pub(crate) request_hash: [u8; 32],
    pub(crate) chain_id: u64,
    pub(crate) validations: Address,
    pub(crate) identities: Address,
    pub(crate) agent_id: String,
    pub(crate) validator: Address,
}

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    format: &'static str,
    version: u16,
    program_version: &'a str,
    request_hash: String,
    validation_registry: String,
    agent_registry: String,
    agent_id: &'a str,
    validator: String,
    chain_id: u64,
    vault: &'a str,
    log: Log<'a>,
    proof: Proof<'a>,
    versions: Versions,
    parameters: &'a Option<Origin>,
    coverage: &'a Coverage,
    statement: &'a Statement,
    statement_keccak256: String,
    does_not_show: [&'static str; 3],
}

#[derive(Debug, Serialize)]
struct Log<'a> {
    sha256: &'a str,
    bytes: u64,
    lines: u64,
    head: Digest,
}

#[derive(Debug, Serialize)]
struct Proof<'a> {
    keccak256: String,
    bytes: usize,
    posted: &'a Option<Place>,
    uri: &'a Option<String>,
}

#[derive(Debug, Serialize)]
struct Versions {
    log: u16,
    envelope: u16,
    circuit: u16,
    report: u16,
}

/// Log and proof with what an audit of them says.
pub(crate) struct Audited {
    pub(crate) report: Report,
    /// Only of an accepted audit of a log that is proven from genesis.
    state: Option<AuditState>,
    /// None if the log has no header.
    pub(crate) mandate: Option<Mandate>,
    pub(crate) proof: Vec<u8>,
}

/// Bytes as they are written in the document.
pub(crate) fn hex0x(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

impl Audited {
    /// Audits log and proof in full, offline.
    pub(crate) fn of(log: &Path, proof: &Path, source: &ParamsSource) -> Result<Self> {
        let proof = audit::read_proof(proof)?;
        let open = || Ok::<_, anyhow::Error>(BufReader::new(File::open(log).with_context(|| format!("--log {}", log.display()))?));
        output::talk("auditing log and proof …");
        let mandate = LogReader::new(open()?).ok().map(|reader| reader.header().mandate.clone());
        let keys = |mandate: &Mandate| Keys::for_mandate_with(mandate, source).map(Arc::new);
        let (report, state) = audit_since(open()?, Evidence { proof: Some(&proof), ..Evidence::default() }, None, keys)?;
        Ok(Self { report, state, mandate, proof })
    }

    /// Whether a document can be made of it.
    pub(crate) fn accepted(&self) -> bool {
        self.report.verdict == Verdict::Accepted && self.state.is_some()
    }

    /// The document's bytes.
    pub(crate) fn document(&self, parties: &Parties, claims: &Claims) -> Result<Vec<u8>> {
        let state = self.state.as_ref().context("expected an accepted audit of a log proven from genesis")?;
        let statement = self.report.statement.as_ref().context("the audit's statement; this is a bug")?;
        let registry = |address: Address| format!("eip155:{}:{address:?}", parties.chain_id);
        let document = Document {
            format: FORMAT,
            version: VERSION,
            program_version: &claims.program_version,
            request_hash: hex0x(&parties.request_hash),
            validation_registry: registry(parties.validations),
            agent_registry: registry(parties.identities),
            agent_id: &parties.agent_id,
            validator: format!("{:?}", parties.validator),
            chain_id: state.chain_id,
            vault: &state.vault,
            log: Log { sha256: &state.log.sha256, bytes: state.log.bytes, lines: state.log.lines, head: state.walk.head },
            proof: Proof { keccak256: hex0x(&keccak(&self.proof)), bytes: self.proof.len(), posted: &claims.posted, uri: &claims.uri },
            versions: Versions { log: LOG_VERSION, envelope: ENVELOPE_VERSION, circuit: CIRCUIT_VERSION, report: REPORT_VERSION },
            parameters: &self.report.parameters,
            coverage: &self.report.coverage,
            statement,
            statement_keccak256: hex0x(&keccak(&serde_json::to_vec(statement)?)),
            does_not_show: OPEN,
        };
        let mut text = serde_json::to_vec(&document)?;
        text.push(b'\n');
        Ok(text)
    }
}
