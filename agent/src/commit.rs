//! `probity commit`: salts a model, writes the opening, shows the commitment, binds the trial ledger's head into it, and shows what proving the
//! model would cost.
//!
//! The salt is SHA-256 of a tag, 32 random bytes, the ledger's head and the number of its lines. The circuit sees a salt as
//! ever; whoever is later shown opening and binding can check over which ledger the commitment was made: a thousand tries
//! cannot be shown as one. Until then nobody can tell, and a ledger that was begun anew before is not seen.

use crate::cli::CommitArgs;
use crate::layout::{Ask, Table};
use crate::ledger::{Ledger, Listing};
use crate::settings::Settings;
use crate::{output, secret, strategy_file};
use anyhow::{Context, Result, ensure};
use probity_learn::ModelFile;
use probity_strategy::ModelShape;
use probity_verifier::{Digest, Reveal, Salt, commit_model};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const TAG: &[u8] = b"probity salt over a trial ledger v1\n";

/// The ledger a commitment was made over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoundLedger {
    /// Hash of its last line then; 64 zeros for none.
    pub(crate) head: String,
    /// Its lines then.
    pub(crate) trials: u64,
}

/// The public part of a commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitmentFile {
    /// Format version.
    pub(crate) version: u16,
    /// The commitment, as it is registered.
    pub(crate) commitment: Digest,
    /// Shape of the model.
    pub(crate) shape: ModelShape,
    /// The ledger it was made over.
    pub(crate) ledger: BoundLedger,
}

/// What turns a ledger into a salt; private like the salt, kept beside the opening.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Binding {
    version: u16,
    nonce: String,
    ledger: BoundLedger,
}

/// An opening made over the ledger as it stands.
pub(crate) struct Bound {
    pub(crate) reveal: Reveal,
    pub(crate) public: CommitmentFile,
    binding: Binding,
}

/// Salts a model over the ledger of the settings.
pub(crate) fn bind(file: &ModelFile, settings: &Settings) -> Result<Bound> {
    let path = Path::new(&settings.trials.path);
    let listing = if path.exists() { Ledger::open(settings)?.list()? } else { Listing::empty() };
    ensure!(
        listing.broken.is_empty(),
        "setting trials.path {}: expected a ledger whose chain holds, got one broken at line {}: a commitment over it would bind nothing",
        path.display(),
        listing.broken.first().map_or(0, |(line, _)| *line)
    );
    let ledger = BoundLedger { head: listing.head, trials: u64::try_from(listing.trials.len())? };
    let nonce = *secret::salt().expose();
    let salt = salt_of(&nonce, &ledger)?;
    let commitment = commit_model(&file.shape, &file.model, &salt);
    Ok(Bound {
        reveal: Reveal { model: file.model.clone(), salt, then: None },
        public: CommitmentFile { version: 1, commitment, shape: file.shape.clone(), ledger: ledger.clone() },
        binding: Binding { version: 1, nonce: hex::encode(nonce), ledger },
    })
}

impl Bound {
    /// Writes binding and opening, in this order, both readable by their owner only; never over another one.
    pub(crate) fn write(&self, opening: &Path) -> Result<()> {
        let beside = beside(opening);
        ensure!(!opening.exists(), "{}: exists and is never overwritten", opening.display());
        ensure!(!beside.exists(), "{}: exists and is never overwritten", beside.display());
        secret::write_secret(&beside, &serde_json::to_vec(&self.binding)?)?;
        secret::write_opening(opening, &self.reveal)
    }

    /// The same in a run's own folder, where a start that was cut off may have left a binding without its opening.
    pub(crate) fn write_in(&self, dir: &Path, opening: &Path) -> Result<()> {
        let beside = beside(opening);
        if beside.exists() && !opening.exists() {
            std::fs::remove_file(&beside).with_context(|| beside.display().to_string())?;
        }
        let public = dir.join("commitment.json");
        std::fs::write(&public, serde_json::to_string_pretty(&self.public)? + "\n").with_context(|| public.display().to_string())?;
        self.write(opening)
    }
}

/// Where the binding of an opening lies.
fn beside(opening: &Path) -> PathBuf {
    opening.with_extension("binding.json")
}

fn salt_of(nonce: &[u8; 32], ledger: &BoundLedger) -> Result<Salt> {
    let head = hex::decode(&ledger.head).ok().filter(|h| h.len() == 32).context("ledger head: expected 64 hex digits")?;
    let hash = Sha256::new().chain_update(TAG).chain_update(nonce).chain_update(head).chain_update(ledger.trials.to_be_bytes());
    Ok(Salt::new(hash.finalize().into()))
}

/// What is wrong between a commitment, its ledger and, if given, its opening; empty if nothing is.
pub(crate) fn check(commitment: &Path, opening: Option<&Path>, listing: &Listing) -> Result<Vec<String>> {
    let text = std::fs::read(commitment).with_context(|| format!("--commitment {}", commitment.display()))?;
    let public: CommitmentFile = serde_json::from_slice(&text)
        .with_context(|| format!("--commitment {}: expected what `probity commit --public` writes", commitment.display()))?;
    let mut wrong = Vec::new();
    let at = usize::try_from(public.ledger.trials)?;
    let hash = if at == 0 { Some("0".repeat(64)) } else { listing.hashes.get(at - 1).cloned() };
    match hash {
        Some(hash) if hash == public.ledger.head => {}
        Some(_) => wrong.push(format!("the ledger's line {at} is not the one the commitment was made over")),
        None => wrong.push(format!("the commitment was made over {at} trials, the ledger has {}", listing.hashes.len())),
    }
    if let Some(line) = listing.broken.iter().map(|(line, _)| *line).find(|line| *line <= at) {
        wrong.push(format!("the ledger is broken at line {line}, before the commitment"));
    }
    if let Some(opening) = opening {
        let reveal = secret::read_opening(opening)?;
        let path = beside(opening);
        let text = std::fs::read(&path).with_context(|| format!("{}: the binding of the opening", path.display()))?;
        let binding: Binding = serde_json::from_slice(&text).map_err(|e| {
            anyhow::anyhow!("{}: expected version, nonce and ledger, stopped at line {}, column {}", path.display(), e.line(), e.column())
        })?;
        let nonce: Option<[u8; 32]> = hex::decode(&binding.nonce).ok().and_then(|n| n.try_into().ok());
        let nonce = nonce.with_context(|| format!("{}, nonce: expected 64 hex digits", path.display()))?;
        if binding.ledger != public.ledger || salt_of(&nonce, &public.ledger)?.expose() != reveal.salt.expose() {
            wrong.push("the salt was not made over the ledger that the commitment names".into());
        }
        if commit_model(&public.shape, &reveal.model, &reveal.salt) != public.commitment {
            wrong.push("the opening is not that of the commitment".into());
        }
    }
    Ok(wrong)
}

/// Runs the command.
pub(crate) fn run(args: &CommitArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let file = strategy_file::model(args.model.as_deref())?;
    if let Some(public) = args.public.as_deref().filter(|p| p.exists()) {
        anyhow::bail!("--public {}: exists and is never overwritten", public.display());
    }
    let bound = bind(&file, settings)?;
    bound.write(&args.opening)?;
    let public = serde_json::to_string_pretty(&bound.public)? + "\n";
    if let Some(path) = &args.public {
        crate::report::create(path, &public)?;
    }
    let layout = (!args.no_layout)
        .then(|| {
            Table::of(Ask {
                shape: file.shape.clone(),
                engine: settings.mandate.proof_engine,
                interval_s: settings.mandate.interval_s,
                max_latency_s: args.max_latency,
            })
        })
        .transpose()?;
    let value = serde_json::json!({
        "commitment": bound.public.commitment, "shape": file.shape, "opening": args.opening, "binding": beside(&args.opening),
        "ledger": bound.public.ledger, "layout": layout,
    });
    output::data(json, "commitment", &value, || {
        let made = output::table(&[
            ("commitment (public)".into(), bound.public.commitment.to_string()),
            ("made over".into(), format!("{} trials, ledger head {}", bound.public.ledger.trials, bound.public.ledger.head)),
            ("opening (secret, keep it)".into(), args.opening.display().to_string()),
            ("binding (secret, keep it)".into(), beside(&args.opening).display().to_string()),
        ]);
        layout.iter().fold(made, |text, table| format!("{text}\n{}", table.text()))
    })?;
    Ok(ExitCode::SUCCESS)
}
