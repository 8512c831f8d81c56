//! Folds decisions, compresses the proof and writes what an auditor needs: log and proof.

use crate::settings::ProofSettings;
use crate::{audit, output};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use probity_prover::Session;
use probity_strategy::{Mandate, Model, Record};
use probity_verifier::{Evidence, Header, LogWriter, Salt, Statement, Verdict, commit_model};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Where the artefacts are and what they cost.
#[derive(Debug, Serialize)]
pub(crate) struct Proved {
    /// Decision log.
    pub(crate) log: PathBuf,
    /// Proof envelope.
    pub(crate) proof: PathBuf,
    /// Decisions folded.
    pub(crate) decisions: usize,
    /// Making or loading the parameters, s.
    pub(crate) params_s: f64,
    /// Median fold, ms.
    pub(crate) fold_ms: f64,
    /// Decisions a fold.
    pub(crate) decisions_per_fold: u16,
    /// Compressing, s.
    pub(crate) compress_s: f64,
    /// Size of the envelope.
    pub(crate) proof_bytes: usize,
    /// SHA-256 of the envelope.
    pub(crate) proof_sha256: String,
    /// What an audit of log and proof, made right after them, accepted.
    pub(crate) statement: Statement,
}

/// Proves the records and writes `decisions.jsonl` and `proof.bin` into a new or empty place in `dir`.
pub(crate) fn prove(
    dir: &Path,
    mandate: &Mandate,
    model: &Model,
    salt: &Salt,
    records: &[Record],
    settings: &ProofSettings,
) -> Result<Proved> {
    std::fs::create_dir_all(dir).with_context(|| format!("{}: expected a folder that can be written", dir.display()))?;
    let (log_path, proof_path) = (dir.join("decisions.jsonl"), dir.join("proof.bin"));
    ensure!(!log_path.exists(), "{}: a log is never overwritten; name another folder", log_path.display());
    output::talk("making or loading the proof parameters …");
    let started = Instant::now();
    let params = Arc::new(settings.params_for(mandate)?);
    let params_s = started.elapsed().as_secs_f64();

    let commitment = commit_model(&mandate.model, model, salt);
    let mut log = LogWriter::create(&log_path, &Header::new(mandate.clone(), commitment), false)?;
    let mut session = Session::start(Arc::clone(&params), mandate.clone(), model.clone(), salt.clone())?;
    let bar = folding_bar(records.len())?;
    let times = fold_all(&mut session, records, |record| {
        let head = log.append(record)?;
        bar.inc(1);
        tracing::debug!(step = record.observation.step, %head, "logged");
        Ok(())
    })?;
    bar.finish_and_clear();
    ensure!(log.head() == session.head(), "the log's head is not the session's; this is a bug");
    log.seal()?;
    output::talk("compressing …");
    let started = Instant::now();
    let proof = session.compress()?;
    let compress_s = started.elapsed().as_secs_f64();
    std::fs::write(&proof_path, &proof).with_context(|| format!("{}", proof_path.display()))?;
    let evidence = Evidence { proof: Some(&proof), reveal: None, before: &[], segment: false };
    let audited = audit::of(&log_path, evidence, |_| Ok(params.shared_keys()))?;
    let statement = audited.statement.filter(|_| audited.verdict == Verdict::Accepted);
    let statement = statement.with_context(|| format!("the audit of the fresh proof: expected acceptance, got {:?}", audited.findings))?;
    Ok(Proved {
        log: log_path,
        proof: proof_path,
        decisions: records.len(),
        params_s,
        fold_ms: median(times),
        decisions_per_fold: mandate.decisions_per_fold,
        compress_s,
        proof_bytes: proof.len(),
        proof_sha256: hex::encode(Sha256::digest(&proof)),
        statement,
    })
}

/// Folds records in their order, in full folds; each must be what the session decides again. Returns each fold's time, ms.
pub(crate) fn fold_all(session: &mut Session, records: &[Record], mut done: impl FnMut(&Record) -> Result<()>) -> Result<Vec<f64>> {
    let most = usize::from(session.mandate().decisions_per_fold);
    let mut times = Vec::new();
    for chunk in records.chunks(most) {
        let observations: Vec<_> = chunk.iter().map(|r| r.observation.clone()).collect();
        let started = Instant::now();
        let steps = session.fold(&observations)?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        for (record, step) in chunk.iter().zip(&steps) {
            ensure!(*record == step.record, "decision {}: the model decides otherwise than the record says", record.observation.step);
            done(record)?;
        }
    }
    Ok(times)
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

pub(crate) fn folding_bar(decisions: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("folding {bar:32} {pos}/{len} decisions, {eta} left")?;
    Ok(ProgressBar::new(u64::try_from(decisions)?).with_style(style))
}
