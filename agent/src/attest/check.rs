//! `probity attest check`: an answer and its document, held against an audit of one's own.
//!
//! The score is shown and counts for nothing: what is accepted is what was verified here.

use super::document::{Audited, Claims, Parties, Place, TAG, hex0x};
use super::vault::{Seen, look};
use super::{hash, registry};
use crate::cli::CheckArgs;
use crate::run::on_runtime;
use crate::settings::Settings;
use crate::{keys, output, settle};
use anyhow::{Context, Result};
use probity_chain::{Address, Answer, chain_id, keccak};
use probity_verifier::{Severity, Statement, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

/// Largest document, bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// Most mismatches that are listed.
const MOST: usize = 100;

/// Something that is not as it was said.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Mismatch {
    field: String,
    expected: String,
    got: String,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Checked {
    verdict: Option<Verdict>,
    mismatches: Vec<Mismatch>,
    /// What could not be told.
    open: Vec<String>,
    notes: Vec<String>,
    validator: Option<String>,
    agent_id: Option<String>,
    agent_owner: Option<String>,
    vault_operator: Option<String>,
    /// As posted; no part of the verdict.
    score: Option<u8>,
    tag: Option<String>,
    uri: Option<String>,
    response_hash: Option<String>,
    block_number: Option<u64>,
    tx_hash: Option<String>,
    /// What was verified here, if it was.
    statement: Option<Statement>,
}

/// The parts of a document that its author alone knows.
#[derive(Deserialize)]
struct Said {
    program_version: String,
    proof: SaidProof,
}

#[derive(Deserialize)]
struct SaidProof {
    posted: Option<Place>,
    uri: Option<String>,
}

impl Checked {
    fn differs(&mut self, field: impl Into<String>, expected: impl ToString, got: impl ToString) {
        if self.mismatches.len() < MOST {
            self.mismatches.push(Mismatch { field: field.into(), expected: expected.to_string(), got: got.to_string() });
        }
    }

    fn judge(&mut self) -> Verdict {
        let verdict = match (self.mismatches.is_empty(), self.open.is_empty()) {
            (false, _) => Verdict::Rejected,
            (true, false) => Verdict::Undecided,
            (true, true) => Verdict::Accepted,
        };
        self.verdict = Some(verdict);
        verdict
    }

    fn told(&mut self, answer: &Answer) {
        self.score = Some(answer.response);
        self.tag = Some(answer.tag.clone());
        self.uri = Some(answer.uri.clone());
        self.response_hash = Some(hex0x(&answer.hash));
        self.block_number = Some(answer.block_number);
        self.tx_hash = Some(hex0x(&answer.tx_hash));
        if answer.tag != TAG {
            self.notes.push(format!("its tag is {:?}, not {TAG:?}", answer.tag));
        }
        if answer.response != 100 {
            self.notes.push(format!("its score is {}, not 100; it counts for nothing here", answer.response));
        }
    }

    fn text(&self) -> String {
        let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "unknown".to_owned());
        let mut lines = vec![
            format!("{:?}", self.verdict.unwrap_or(Verdict::Undecided)),
            format!("answer by {} about agent {} of {}", shown(&self.validator), shown(&self.agent_id), shown(&self.agent_owner)),
        ];
        lines.extend(
            self.score.map(|score| format!("score {score}, which counts for nothing here; document {}", shown(&self.response_hash))),
        );
        lines.extend(self.mismatches.iter().map(|m| format!("MISMATCH {}: expected {}, got {}", m.field, m.expected, m.got)));
        lines.extend(self.open.iter().map(|o| format!("could not tell: {o}")));
        lines.extend(self.notes.iter().map(|n| format!("note: {n}")));
        if let Some(statement) = &self.statement {
            lines.push("Verified here:".to_owned());
            lines.extend(statement.shows.iter().map(|s| format!("  - {s}")));
            lines.push("Not shown:".to_owned());
            lines.extend(statement.does_not_show.iter().map(|s| format!("  - {s}")));
        }
        lines.join("\n")
    }
}

/// Runs the command.
pub(crate) fn run(args: &CheckArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let request = hash("--request", &args.request)?;
    let validator = args.validator.as_deref().map(|v| keys::address("--validator", v)).transpose()?;
    let document = read(&args.document)?;
    let audited = Audited::of(&args.log, &args.proof, &settings.proof.source()?)?;
    let mut out = Checked::default();
    findings(&audited, &mut out);
    on_runtime(async {
        let url = settle::node(args.rpc.as_deref(), None, settings).await?;
        let Some((parties, owner)) = answered(args, &url, request, validator, &document, &mut out).await? else { return Ok(()) };
        let seen = look(args.vault.vault_rpc.as_deref().unwrap_or(&url), audited.mandate.as_ref()).await?;
        operator(&owner, &seen, args.vault.other_operator, &mut out);
        compare(&document, &audited, &parties, &mut out)?;
        if let Some(place) = said(&document).ok().and_then(|s| s.proof.posted) {
            posted(&place, &audited, &seen, &mut out);
        }
        Ok(())
    })?;
    let verdict = out.judge();
    output::data(json, "attestation_check", &out, || out.text())?;
    Ok(match verdict {
        Verdict::Accepted => ExitCode::SUCCESS,
        Verdict::Rejected => ExitCode::from(1),
        Verdict::Undecided => ExitCode::from(2),
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("--document {}", path.display()))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(u64::try_from(bytes.len())? <= MOST_BYTES, "--document {}: expected at most {MOST_BYTES} bytes", path.display());
    Ok(bytes)
}

/// What the own audit says.
fn findings(audited: &Audited, out: &mut Checked) {
    match audited.report.verdict {
        Verdict::Accepted if !audited.accepted() => out.differs("audit", "a log proven from genesis", "a proof that starts elsewhere"),
        Verdict::Accepted => out.statement.clone_from(&audited.report.statement),
        verdict => {
            for finding in audited.report.findings.iter().filter(|f| f.severity == Severity::Error) {
                match verdict {
                    Verdict::Undecided => out.open.push(finding.to_string()),
                    _ => out.differs("audit", "log and proof that hold", finding),
                }
            }
        }
    }
}

/// The newest answer, its parties, and the agent's owner and wallet; none if there is no answer to compare with.
async fn answered(
    args: &CheckArgs,
    url: &str,
    request: [u8; 32],
    wanted: Option<Address>,
    document: &[u8],
    out: &mut Checked,
) -> Result<Option<(Parties, [Address; 2])>> {
    let registry = registry(url, &args.registry)?;
    let Some(status) = registry.status(request).await? else {
        out.open.push(format!("request {}: nobody asked for it in this registry", hex0x(&request)));
        return Ok(None);
    };
    let answers = registry.answers(request, args.from_block).await?;
    let Some(answer) = answers.last() else {
        out.open.push(format!("request {}: no answer since block {} (--from-block)", hex0x(&request), args.from_block));
        return Ok(None);
    };
    let identities = registry.identities().await?;
    let owner = identities.accounts(status.agent_id).await?;
    out.validator = Some(format!("{:?}", answer.validator));
    out.agent_id = Some(answer.agent_id.to_string());
    out.agent_owner = Some(format!("{:?}", owner[0]));
    out.told(answer);
    if (status.validator, status.agent_id, status.response, status.response_hash)
        != (answer.validator, answer.agent_id, answer.response, answer.hash)
    {
        out.open.push("the node's newest event and the registry's storage are of different answers: ask again".to_owned());
    }
    if let Some(wanted) = wanted.filter(|w| *w != answer.validator) {
        out.differs("validator", format!("{wanted:?}"), format!("{:?}", answer.validator));
    }
    if owner.contains(&answer.validator) {
        out.notes.push("the validator is the agent's own owner or wallet: nobody else has looked".to_owned());
    }
    let digest = keccak(document);
    if digest != answer.hash {
        out.differs("response_hash", hex0x(&answer.hash), hex0x(&digest));
    }
    let parties = Parties {
        request_hash: request,
        chain_id: chain_id(url).await?,
        validations: registry.address(),
        identities: identities.address(),
        agent_id: answer.agent_id.to_string(),
        validator: answer.validator,
    };
    Ok(Some((parties, owner)))
}

/// Whether the agent is the vault's operator.
fn operator(owner: &[Address; 2], seen: &Result<Seen, String>, other: bool, out: &mut Checked) {
    match seen {
        Ok(seen) => {
            out.vault_operator = Some(format!("{:?}", seen.operator));
            if owner.contains(&seen.operator) {
                return;
            }
            let got = format!("owner {:?}, wallet {:?}", owner[0], owner[1]);
            if other {
                out.notes.push(format!("the agent is not the vault's operator {:?}: {got}", seen.operator));
            } else {
                out.differs("agent", format!("the vault's operator {:?} (or --other-operator)", seen.operator), got);
            }
        }
        Err(why) if other => out.notes.push(format!("whether the agent is the vault's operator: {why}")),
        Err(why) => out.open.push(format!("whether the agent is the vault's operator: {why} (or --other-operator)")),
    }
}

fn said(document: &[u8]) -> Result<Said, serde_json::Error> {
    serde_json::from_slice(document)
}

/// The document against the one that log, proof and registry give.
fn compare(document: &[u8], audited: &Audited, parties: &Parties, out: &mut Checked) -> Result<()> {
    let said = match said(document) {
        Ok(said) => said,
        Err(e) => {
            out.differs("document", "an attestation", e);
            return Ok(());
        }
    };
    if !audited.accepted() {
        return Ok(());
    }
    let claims = Claims { program_version: said.program_version, posted: said.proof.posted, uri: said.proof.uri };
    same(&audited.document(parties, &claims)?, document, &claims.program_version, out)?;
    Ok(())
}

/// A document's text against the own one.
fn same(own: &[u8], document: &[u8], version: &str, out: &mut Checked) -> Result<(), serde_json::Error> {
    if own == document {
        return Ok(());
    }
    let before = out.mismatches.len();
    walk("document", &serde_json::from_slice(own)?, &serde_json::from_slice(document)?, out);
    let found = out.mismatches.get(before..).unwrap_or_default();
    if found.is_empty() {
        out.differs("document", "the one form of its text", "the same values written otherwise");
    } else if version != env!("CARGO_PKG_VERSION") && found.iter().all(|m| words(&m.field)) {
        out.mismatches.truncate(before);
        out.open.push(format!("the document was written by version {version} and words its statement otherwise: check it with that"));
    }
    Ok(())
}

/// Fields that hold words, which another version may put otherwise.
fn words(field: &str) -> bool {
    ["document/statement/shows", "document/statement/does_not_show", "document/statement_keccak256", "document/does_not_show"]
        .iter()
        .any(|f| field.starts_with(f))
}

/// Names every place in which two values differ.
fn walk(at: &str, expected: &Value, got: &Value, out: &mut Checked) {
    match (expected, got) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                walk(&format!("{at}/{name}"), value, b.get(name).unwrap_or(&Value::Null), out);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                out.differs(format!("{at}/{name}"), "no such field", value);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(i, (a, b))| walk(&format!("{at}/{i}"), a, b, out));
        }
        (a, b) if a != b => out.differs(at, a, b),
        _ => {}
    }
}

/// Whether the proof was posted where the document says.
fn posted(place: &Place, audited: &Audited, seen: &Result<Seen, String>, out: &mut Checked) {
    match seen {
        Ok(seen) if seen.places(&audited.proof).contains(place) => {}
        Ok(seen) => {
            let places: Vec<String> = seen.places(&audited.proof).into_iter().map(|p| p.tx_hash).collect();
            let expected = if places.is_empty() { "a proof that was posted".to_owned() } else { places.join(" or ") };
            out.differs("document/proof/posted", expected, format!("{} in block {}", place.tx_hash, place.block_number));
        }
        Err(why) => out.open.push(format!("whether the proof was posted in {}: {why}", place.tx_hash)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Checked, same};

    const OWN: &str = r#"{"version":1,"vault":"0x11","log":{"head":"0x22"},"proof":{"keccak256":"0x33"},"statement":{"shows":["all"]},"statement_keccak256":"0x44"}"#;

    fn fields(document: &str, version: &str) -> (Vec<String>, usize) {
        let mut out = Checked::default();
        same(OWN.as_bytes(), document.as_bytes(), version, &mut out).unwrap();
        (out.mismatches.into_iter().map(|m| m.field).collect(), out.open.len())
    }

    #[test]
    fn every_place_that_differs_is_named_and_words_of_another_version_are_left_open() {
        let this = env!("CARGO_PKG_VERSION");
        assert_eq!(fields(OWN, this), (vec![], 0));
        for (from, to, field) in [
            ("0x11", "0x12", "document/vault"),
            ("0x22", "0x23", "document/log/head"),
            ("0x33", "0x34", "document/proof/keccak256"),
            (r#""version":1"#, r#""version":1,"audited_by":"everybody""#, "document/audited_by"),
            (r#""vault":"0x11","#, "", "document/vault"),
            (r#""version":1"#, r#""version": 1"#, "document"),
            (r#"["all"]"#, r#"["all","more"]"#, "document/statement/shows"),
        ] {
            assert_ne!(OWN.replacen(from, to, 1), OWN);
            assert_eq!(fields(&OWN.replacen(from, to, 1), this), (vec![field.to_owned()], 0), "{to}");
        }
        let worded = OWN.replacen("all", "everything", 1).replacen("0x44", "0x45", 1);
        assert_eq!(fields(&worded, this).0, ["document/statement/shows/0", "document/statement_keccak256"]);
        assert_eq!(fields(&worded, "9"), (vec![], 1));
        // Numbers may not differ, whatever the version.
        assert_eq!(fields(&worded.replacen("0x22", "0x23", 1), "9").0.first().unwrap(), "document/log/head");
    }
}
