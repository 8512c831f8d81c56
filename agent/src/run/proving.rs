//! Proving beside the live loop: a thread folds what was decided, keeps its checkpoint and makes proofs when asked.
//!
//! It never decides: every record it is given must be what the session decides again, or the run stops. The backlog is
//! bounded: a full queue makes the live loop wait.

use crate::see::{Event, Feed};
use anyhow::{Context, Result, anyhow, ensure};
use probity_prover::{Params, Session};
use probity_strategy::{Mandate, Model, Record};
use probity_verifier::{Digest, Salt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Most decisions that wait to be folded.
const BACKLOG: usize = 4_096;

/// What proving has cost so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProvingStats {
    /// Each fold, ms.
    pub(crate) fold_ms: Vec<f64>,
    /// Each compression, s.
    pub(crate) compress_s: Vec<f64>,
    /// Size of the last proof.
    pub(crate) proof_bytes: usize,
    /// Decisions folded.
    pub(crate) folded: u32,
}

/// A proof of everything decided before it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// Envelope bytes.
    pub(crate) bytes: Vec<u8>,
    /// Decisions it covers.
    pub(crate) steps: u32,
    /// Head it proves.
    pub(crate) head: Digest,
}

enum Command {
    Fold(Box<Record>),
    Compress(oneshot::Sender<Proof>),
}

/// The proving thread of one run.
pub(crate) struct Proving {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<Result<()>>>,
    stats: Arc<Mutex<ProvingStats>>,
    sent: u32,
}

/// What a session is made of.
pub(crate) struct Secrets {
    /// The promise.
    pub(crate) mandate: Mandate,
    /// The private model.
    pub(crate) model: Model,
    /// Salt of its commitment.
    pub(crate) salt: Salt,
}

impl Proving {
    /// Resumes the session of `checkpoint` if there is one, else starts at genesis. `decided` is how many decisions the
    /// journal has: a session that is ahead of it belongs to another run.
    pub(crate) fn start(params: Arc<Params>, secrets: Secrets, checkpoint: &Path, decided: u32, feed: Feed) -> Result<Self> {
        let Secrets { mandate, model, salt } = secrets;
        let session = if checkpoint.exists() {
            Session::resume(checkpoint, params, mandate, model, salt).with_context(|| {
                format!("{}: cannot be resumed; remove it and the decisions are folded again from the journal", checkpoint.display())
            })?
        } else {
            Session::start(params, mandate, model, salt)?
        };
        let folded = session.decisions();
        ensure!(folded <= decided, "{}: holds {folded} decisions, the journal {decided}: it belongs to another run", checkpoint.display());
        let stats = Arc::new(Mutex::new(ProvingStats { folded, ..ProvingStats::default() }));
        let (commands, inbox) = mpsc::channel(BACKLOG);
        let worker = Worker { session, checkpoint: checkpoint.to_owned(), waiting: Vec::new(), stats: Arc::clone(&stats), feed };
        let thread = std::thread::Builder::new().name("proving".into()).spawn(move || worker.run(inbox))?;
        Ok(Self { commands: Some(commands), thread: Some(thread), stats, sent: folded })
    }

    /// Decisions handed over so far, those of the checkpoint included.
    pub(crate) const fn sent(&self) -> u32 {
        self.sent
    }

    /// Hands over the next decision.
    pub(crate) async fn fold(&mut self, record: &Record) -> Result<()> {
        ensure!(record.observation.step == self.sent, "proving: expected decision {}, got {}", self.sent, record.observation.step);
        self.send(Command::Fold(Box::new(record.clone()))).await?;
        self.sent += 1;
        Ok(())
    }

    /// A compressed proof of everything handed over.
    pub(crate) async fn prove(&mut self) -> Result<Proof> {
        let (answer, wait) = oneshot::channel();
        self.send(Command::Compress(answer)).await?;
        match wait.await {
            Ok(proof) => Ok(proof),
            Err(_) => Err(self.failure()),
        }
    }

    /// What it has cost.
    pub(crate) fn stats(&self) -> ProvingStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the thread after what was handed over is folded and checkpointed.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.commands = None;
        self.join()
    }

    async fn send(&mut self, command: Command) -> Result<()> {
        let open = match &self.commands {
            Some(commands) => commands.send(command).await.is_ok(),
            None => false,
        };
        if open { Ok(()) } else { Err(self.failure()) }
    }

    /// Why the thread is gone.
    fn failure(&mut self) -> anyhow::Error {
        self.commands = None;
        match self.join() {
            Err(error) => error,
            Ok(()) => anyhow!("proving: the thread ended early"),
        }
    }

    fn join(&mut self) -> Result<()> {
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("proving: the thread panicked"))?,
            None => Err(anyhow!("proving: stopped after an earlier failure")),
        }
    }
}

struct Worker {
    session: Session,
    checkpoint: PathBuf,
    waiting: Vec<Record>,
    stats: Arc<Mutex<ProvingStats>>,
    feed: Feed,
}

impl Worker {
    fn run(mut self, mut inbox: mpsc::Receiver<Command>) -> Result<()> {
        let most = usize::from(self.session.mandate().decisions_per_fold);
        while let Some(command) = inbox.blocking_recv() {
            match command {
                Command::Fold(record) => {
                    self.waiting.push(*record);
                    if self.waiting.len() >= most {
                        self.fold()?;
                    }
                }
                Command::Compress(answer) => {
                    self.fold()?;
                    let proof = self.compress()?;
                    // A caller that no longer waits needs no proof.
                    drop(answer.send(proof));
                }
            }
        }
        self.fold()
    }

    fn fold(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let _span = tracing::info_span!("fold", from = self.session.decisions(), decisions = self.waiting.len()).entered();
        let started = Instant::now();
        let observations: Vec<_> = self.waiting.iter().map(|r| r.observation.clone()).collect();
        let steps = self.session.fold(&observations)?;
        for (record, step) in self.waiting.drain(..).zip(&steps) {
            let at = record.observation.step;
            ensure!(record == step.record, "decision {at}: the proof's engine decides otherwise than the journal; this is a bug");
        }
        self.session.checkpoint(&self.checkpoint)?;
        let ms = started.elapsed().as_secs_f64() * 1_000.0;
        tracing::info!(ms, "folded");
        self.note(|s| s.fold_ms.push(ms));
        self.feed.tell(&Event::Folded { decisions: self.session.decisions(), ms });
        Ok(())
    }

    fn compress(&self) -> Result<Proof> {
        let _span = tracing::info_span!("compress", decisions = self.session.decisions()).entered();
        let started = Instant::now();
        let bytes = self.session.compress()?;
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(seconds, bytes = bytes.len(), "compressed");
        self.note(|s| {
            s.compress_s.push(seconds);
            s.proof_bytes = bytes.len();
        });
        self.feed.tell(&Event::Proved { decisions: self.session.decisions(), bytes: bytes.len(), seconds });
        Ok(Proof { bytes, steps: self.session.decisions(), head: self.session.head() })
    }

    fn note(&self, change: impl FnOnce(&mut ProvingStats)) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.folded = self.session.decisions();
        change(&mut stats);
    }
}
