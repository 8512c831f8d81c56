//! `probity prove`: fresh proofs of a log from its opening, in one piece or cut into consecutive stretches.

use crate::cli::ProveArgs;
use crate::prove::{fold_all, folding_bar, median};
use crate::settings::Settings;
use crate::{output, secret};
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use probity_prover::Session;
use probity_strategy::Record;
use probity_verifier::{Line, LogReader, Reveal, Rotation, commit_model};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Runs the command.
pub(crate) fn run(args: &ProveArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    ensure!(args.cut.is_sorted_by(|a, b| a < b) && !args.cut.contains(&0), "--cut: expected rising numbers above 0, got {:?}", args.cut);
    let outs = outs(&args.out, args.cut.len());
    for out in &outs {
        ensure!(!out.exists(), "--out {}: a proof is never overwritten; name another file", out.display());
    }
    let opening = secret::read_opening(&args.opening)?;
    let mut reader = LogReader::open(&args.log).with_context(|| format!("--log {}", args.log.display()))?;
    let header = reader.header().clone();
    let commitment = commit_model(&header.mandate.model, &opening.model, &opening.salt);
    ensure!(
        commitment == header.model_commitment,
        "--opening {}: commits to {commitment}, the log to {}",
        args.opening.display(),
        header.model_commitment
    );
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line()? {
        lines.push(line);
    }
    let decisions = lines.iter().filter(|l| matches!(l, Line::Entry(_))).count();
    if let Some(last) = args.cut.last() {
        ensure!(usize::try_from(*last)? < decisions, "--cut {last}: expected fewer than the log's {decisions} decisions");
    }
    output::talk("making or loading the proof parameters …");
    let params = Arc::new(settings.proof.params_for(&header.mandate)?);
    let session = Session::start(params, header.mandate.clone(), opening.model, opening.salt)?;
    let bar = folding_bar(decisions)?;
    let mut prover = Prover { session, then: opening.then, waiting: Vec::new(), fold_ms: Vec::new(), bar };
    let (mut cuts, mut outs, mut made) = (args.cut.iter().peekable(), outs.into_iter(), Vec::new());
    for line in lines {
        match line {
            Line::Entry(entry) => {
                let head = entry.head;
                prover.push(entry.record)?;
                if cuts.next_if_eq(&&prover.decided()).is_some() {
                    prover.flush()?;
                    ensure!(prover.session.head() == head, "--log {}: its records do not lead to its head {head}", args.log.display());
                    made.push(prover.compress(outs.next().context("one file a proof")?)?);
                    prover.session.cut()?;
                }
            }
            Line::Announcement(announcement) => prover.announce(&announcement.rotation)?,
            Line::Seal(_) => {}
        }
    }
    prover.flush()?;
    prover.bar.finish_and_clear();
    made.push(prover.compress(outs.next().context("one file a proof")?)?);
    output::data(json, "proofs", &made, || made.iter().map(Made::text).collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// FILE.1, FILE.2, …, FILE.
fn outs(out: &Path, cuts: usize) -> Vec<PathBuf> {
    let numbered = (1..=cuts).map(|n| {
        let mut name = out.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    });
    numbered.chain(std::iter::once(out.to_owned())).collect()
}

/// Folds the lines of a log again.
struct Prover {
    session: Session,
    /// The weights that take over next.
    then: Option<Box<Reveal>>,
    waiting: Vec<Record>,
    fold_ms: Vec<f64>,
    bar: ProgressBar,
}

impl Prover {
    /// Decisions folded or waiting.
    fn decided(&self) -> u32 {
        self.session.decisions().saturating_add(u32::try_from(self.waiting.len()).unwrap_or(u32::MAX))
    }

    fn push(&mut self, record: Record) -> Result<()> {
        self.waiting.push(record);
        if self.waiting.len() >= self.session.room() { self.flush() } else { Ok(()) }
    }

    /// Folds what waits; each decision must be what the session decides again.
    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let bar = self.bar.clone();
        self.fold_ms.extend(fold_all(&mut self.session, &waiting, |_| {
            bar.inc(1);
            Ok(())
        })?);
        Ok(())
    }

    /// Other weights: the opening has to hold them.
    fn announce(&mut self, rotation: &Rotation) -> Result<()> {
        self.flush()?;
        let next = self.then.take().with_context(|| format!("--opening: expected `then`, the weights behind {}", rotation.commitment))?;
        self.then = next.then;
        let announced = self.session.announce(rotation.at_step, next.model, next.salt)?;
        ensure!(announced == *rotation, "--opening: `then` commits to {}, the log announces {}", announced.commitment, rotation.commitment);
        Ok(())
    }

    fn compress(&self, out: PathBuf) -> Result<Made> {
        output::talk("compressing …");
        let started = Instant::now();
        let proof = self.session.compress()?;
        std::fs::write(&out, &proof).with_context(|| format!("--out {}", out.display()))?;
        Ok(Made {
            proof: out,
            from_decision: self.session.from(),
            decisions: self.session.decisions(),
            fold_ms: median(self.fold_ms.clone()),
            compress_s: started.elapsed().as_secs_f64(),
            proof_bytes: proof.len(),
        })
    }
}

/// What `prove` made.
#[derive(Debug, Serialize)]
struct Made {
    proof: PathBuf,
    from_decision: u32,
    decisions: u32,
    fold_ms: f64,
    compress_s: f64,
    proof_bytes: usize,
}

impl Made {
    fn text(&self) -> String {
        format!(
            "{}: decisions {} … {}, {} bytes; folds of {:.0} ms, compressed in {:.1} s",
            self.proof.display(),
            self.from_decision,
            self.decisions.saturating_sub(1),
            self.proof_bytes,
            self.fold_ms,
            self.compress_s
        )
    }
}
