//! Proving beside the live loop: a thread folds what the journal has, keeps its checkpoint and makes proofs when asked.
//!
//! It reads the journal itself, so nothing waits in memory, and it gets its parameters itself, so a restarted agent decides at
//! once. It never decides: every record must be what the session decides again, or the run stops.

use crate::journal::Journal;
use crate::output;
use crate::run::fault::{Boundary, reached};
use crate::run::kept::Kept;
use crate::run::weights::Weights;
use crate::run::workers::Workers;
use crate::see::{Event, Feed};
use crate::settings::{FoldWhen, ProofSettings};
use anyhow::{Context, Result, anyhow, ensure};
use probity_prover::Session;
use probity_strategy::Mandate;
use probity_verifier::{Digest, Keys};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// What proving has cost so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProvingStats {
    /// Each fold, ms.
    pub(crate) fold_ms: Vec<f64>,
    /// Each compression, s.
    pub(crate) compress_s: Vec<f64>,
    /// Size of the last proof.
    pub(crate) proof_bytes: usize,
    /// Decisions folded; none until the session is resumed.
    pub(crate) folded: Option<u32>,
    /// Getting the parameters, s.
    pub(crate) params_s: f64,
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
    /// So many decisions are in the journal.
    Decided(u32),
    /// A proof of so many is wanted.
    Compress(u32, oneshot::Sender<Proof>),
}

/// The proving thread of one run.
pub(crate) struct Proving {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<Result<()>>>,
    stats: Arc<Mutex<ProvingStats>>,
}

/// What a session is made of, and where.
pub(crate) struct Secrets {
    /// The promise.
    pub(crate) mandate: Mandate,
    /// Folder of the run; the weights are in its opening.
    pub(crate) dir: PathBuf,
    /// Where parameters come from.
    pub(crate) proof: ProofSettings,
    /// When decisions are folded.
    pub(crate) fold: FoldWhen,
    /// Who may prove.
    pub(crate) workers: Workers,
}

impl Proving {
    /// Starts the thread. It resumes the session of the folder's checkpoint if there is one, else it starts at genesis.
    pub(crate) fn start(secrets: Secrets, feed: Feed) -> Result<Self> {
        let stats = Arc::new(Mutex::new(ProvingStats::default()));
        let (commands, inbox) = mpsc::unbounded_channel();
        let (of_thread, speaker) = (Arc::clone(&stats), output::speaker());
        let thread = std::thread::Builder::new()
            .name("proving".into())
            .spawn(move || {
                output::speak_as(&speaker);
                Worker::resume(secrets, of_thread, feed)?.run(inbox)
            })
            .context("starting the proving thread")?;
        Ok(Self { commands: Some(commands), thread: Some(thread), stats })
    }

    /// Says that so many decisions are in the journal.
    pub(crate) fn decided(&mut self, decisions: u32) -> Result<()> {
        self.send(Command::Decided(decisions))
    }

    /// Decisions of so many that are not folded; all of them until the session is resumed.
    pub(crate) fn backlog(&self, decisions: u32) -> u32 {
        decisions.saturating_sub(self.stats().folded.unwrap_or(0))
    }

    /// Why the thread ended, if it did.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) { Err(self.failure()) } else { Ok(()) }
    }

    /// A compressed proof of the first so many decisions, which are all that the journal has.
    pub(crate) async fn prove(&mut self, decisions: u32) -> Result<Proof> {
        let (answer, wait) = oneshot::channel();
        self.send(Command::Compress(decisions, answer))?;
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

    fn send(&mut self, command: Command) -> Result<()> {
        if self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok()) { Ok(()) } else { Err(self.failure()) }
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
    keys: Arc<Keys>,
    kept: Kept,
    journal: Journal,
    dir: PathBuf,
    checkpoint: PathBuf,
    fold: FoldWhen,
    stats: Arc<Mutex<ProvingStats>>,
    feed: Feed,
    workers: Workers,
}

impl Worker {
    fn resume(secrets: Secrets, stats: Arc<Mutex<ProvingStats>>, feed: Feed) -> Result<Self> {
        let Secrets { mandate, dir, proof, fold, workers } = secrets;
        let place = workers.turn();
        let started = Instant::now();
        let params = Arc::new(proof.params_for(&mandate).context("proof parameters")?);
        let (params_s, keys) = (started.elapsed().as_secs_f64(), params.shared_keys());
        let journal = Journal::existing(&dir)?;
        let (weights, checkpoint) = (Weights::of(&dir, &mandate, &journal)?, dir.join("session.ckpt"));
        let session = if checkpoint.exists() {
            // Of weights that are not the run's, the session itself says what is wrong.
            let own = Session::commitment_in(&checkpoint).ok().and_then(|c| weights.behind(&c)).unwrap_or(weights.first());
            let session = Session::resume(&checkpoint, params, mandate, own.model.clone(), own.salt.clone());
            let mut session = session.with_context(|| {
                format!("{}: cannot be resumed; remove it and the decisions are folded again from the journal", checkpoint.display())
            })?;
            if let Some(rotation) = session.ahead() {
                let next = weights.behind(&rotation.commitment);
                let next = next.with_context(|| {
                    format!(
                        "{}: the weights behind {} are ahead, and the journal announces none: it is an old copy",
                        checkpoint.display(),
                        rotation.commitment
                    )
                })?;
                session.provide(next.model.clone(), next.salt.clone())?;
            }
            session
        } else {
            let first = weights.first();
            Session::start(params, mandate, first.model.clone(), first.salt.clone())?
        };
        drop(place);
        let (folded, decided) = (session.decisions(), journal.len()?);
        ensure!(folded <= decided, "{}: holds {folded} decisions, the journal {decided}: it belongs to another run", checkpoint.display());
        feed.tell(&Event::Resumed { decisions: folded });
        let worker = Self { session, keys, kept: Kept::of(&dir), journal, dir, checkpoint, fold, stats, feed, workers };
        worker.note(|s| s.params_s = params_s);
        Ok(worker)
    }

    fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) -> Result<()> {
        let most = u32::from(self.session.mandate().decisions_per_fold);
        let mut decided = 0;
        while let Some(command) = inbox.blocking_recv() {
            let mut next = Some(command);
            // One fold at a time, so that a proof that is asked for waits for no more than it needs.
            while let Some(command) = next.take() {
                match command {
                    Command::Decided(now) => decided = decided.max(now),
                    Command::Compress(now, answer) => {
                        decided = decided.max(now);
                        while self.session.decisions() < now {
                            self.fold_next(now)?;
                        }
                        let proof = self.compress()?;
                        reached(Boundary::Compressed);
                        // A caller that no longer waits needs no proof.
                        drop(answer.send(proof));
                    }
                }
                if self.fold == FoldWhen::Beside && decided.saturating_sub(self.session.decisions()) >= most {
                    self.fold_next(decided)?;
                    next = Some(inbox.try_recv().unwrap_or(Command::Decided(decided)));
                }
            }
        }
        while self.fold == FoldWhen::Beside && self.session.decisions() < decided {
            self.fold_next(decided)?;
        }
        Ok(())
    }

    /// Folds the next decisions of the journal, of which there are `decided`.
    fn fold_next(&mut self, decided: u32) -> Result<()> {
        let from = self.session.decisions();
        let announced = self.announce(from)?;
        let until = announced.map_or(decided, |step| step.min(decided));
        let most = u32::try_from(self.session.room())?.min(until.saturating_sub(from));
        let entries = self.journal.entries_from(from, most)?;
        ensure!(!entries.is_empty(), "proving: expected decision {from} in the journal, got none");
        let _span = tracing::info_span!("fold", from, decisions = entries.len()).entered();
        let place = self.workers.turn();
        let started = Instant::now();
        let observations: Vec<_> = entries.iter().map(|e| e.record.observation.clone()).collect();
        let steps = self.session.fold(&observations)?;
        drop(place);
        for (entry, step) in entries.iter().zip(&steps) {
            let at = entry.record.observation.step;
            ensure!(entry.record == step.record, "decision {at}: the proof's engine decides otherwise than the journal; this is a bug");
        }
        reached(Boundary::Folded);
        self.session.checkpoint(&self.checkpoint).with_context(|| format!("{}", self.checkpoint.display()))?;
        reached(Boundary::Checkpointed);
        let ms = started.elapsed().as_secs_f64() * 1_000.0;
        tracing::info!(ms, "folded");
        self.note(|s| s.fold_ms.push(ms));
        self.feed.tell(&Event::Folded { decisions: self.session.decisions(), ms });
        Ok(())
    }

    /// Announces what the journal announces before decision `from`; gives the decision before which it announces next. A fold ends there: an
    /// announcement is made by the first decision of a fold.
    fn announce(&mut self, from: u32) -> Result<Option<u32>> {
        let announcements = self.journal.announcements()?;
        if let Some(a) = announcements.iter().find(|a| a.step == from && self.session.ahead() != Some(a.rotation)) {
            let weights = Weights::of(&self.dir, self.session.mandate(), &self.journal)?;
            let next = weights.at(a.rotation.at_step);
            let made = self.session.announce(a.rotation.at_step, next.model.clone(), next.salt.clone())?;
            ensure!(made == a.rotation, "proving: the journal announces {}, the opening holds {}", a.rotation.commitment, made.commitment);
        }
        Ok(announcements.iter().map(|a| a.step).find(|step| *step > from))
    }

    fn compress(&self) -> Result<Proof> {
        let _span = tracing::info_span!("compress", decisions = self.session.decisions()).entered();
        let (steps, head) = (self.session.decisions(), self.session.head());
        let place = self.workers.turn();
        if let Some(bytes) = self.kept.proof_of(&self.session, &self.keys) {
            tracing::info!(steps, "the proof was made before the last start");
            self.note(|s| s.proof_bytes = bytes.len());
            return Ok(Proof { bytes, steps, head });
        }
        let started = Instant::now();
        let bytes = self.session.compress()?;
        drop(place);
        self.kept.keep(&bytes)?;
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(seconds, bytes = bytes.len(), "compressed");
        self.note(|s| {
            s.compress_s.push(seconds);
            s.proof_bytes = bytes.len();
        });
        self.feed.tell(&Event::Proved { decisions: steps, bytes: bytes.len(), seconds });
        Ok(Proof { bytes, steps, head })
    }

    fn note(&self, change: impl FnOnce(&mut ProvingStats)) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.folded = Some(self.session.decisions());
        change(&mut stats);
    }
}
