//! The live loop: observe → step → journal durably → (prove) → execute → journal the outcome → fold → post.
//!
//! A decision that is not in the journal was not taken. A sent transaction is unknown until its receipt; after a restart
//! the chain is asked, and the vault's own step counter and head make a second execution impossible.

use crate::journal::{Entry, Journal, Outcome, Post};
use crate::run::proving::{Proof, Proving};
use crate::see::{Event, Feed};
use crate::settings::{PostingPolicy, PostingSettings};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{Move, Observed, Posted, Vault};
use probity_learn::Candle;
use probity_strategy::{Engine, Observation, Record, Signal, State, oriented, price_x64};
use probity_verifier::{Digest, next_head};
use tracing::Instrument;

/// An agent on its vault.
pub(crate) struct Agent {
    pub(crate) engine: Engine,
    pub(crate) candle: Candle,
    pub(crate) vault: Vault,
    pub(crate) journal: Journal,
    pub(crate) proving: Proving,
    pub(crate) posting: PostingSettings,
    pub(crate) feed: Feed,
    pub(crate) registered_block: u64,
    pub(crate) state: State,
    pub(crate) head: Digest,
    /// Decisions whose proof is on chain.
    pub(crate) posted: u32,
}

/// One decision, for people.
pub(crate) struct Line {
    pub(crate) record: Record,
    pub(crate) outcome: Outcome,
}

impl Agent {
    /// Brings journal, engine, chain and proof to the same decision after a start or a crash.
    pub(crate) async fn catch_up(&mut self) -> Result<()> {
        let entries = self.journal.entries()?;
        let mut before = self.head;
        for entry in &entries {
            let obs = &entry.record.observation;
            let step = self.engine.step(&self.state, obs);
            ensure!(step.record == entry.record, "journal: decision {} is not what the model decides; it is of another model", obs.step);
            before = self.head;
            (self.state, self.head) = (step.next_state, next_head(&self.head, &entry.record));
            ensure!(
                self.head.to_string() == entry.head,
                "journal: head of decision {}: expected {}, got {}",
                obs.step,
                self.head,
                entry.head
            );
            self.fold(&entry.record).await?;
        }
        let posted = self.posted_on_chain().await?;
        self.posted = posted.iter().map(|p| p.steps).max().unwrap_or(0);
        self.feed.tell(&Event::Posted { decisions: self.posted, gas_used: 0 });
        self.settle(&entries, before, &posted).await
    }

    /// Settles what the journal has no outcome for: at most the last decision, which was made on the head `before`.
    async fn settle(&mut self, entries: &[Entry], before: Digest, posted: &[Posted]) -> Result<()> {
        let (next, _) = self.vault.view().position().await?;
        let decided = self.state.step;
        ensure!(
            next <= decided,
            "the vault has {next} decisions, the journal {decided}: another agent acts on this vault, or the journal is an old copy"
        );
        ensure!(
            decided - next <= 1,
            "the journal has {decided} decisions, the vault {next}: the chain lost some, and they cannot be sent again"
        );
        for entry in entries.iter().filter(|e| e.outcome.is_none()) {
            let step = entry.record.observation.step;
            if step < next {
                let seen = self.vault.view().decided(self.registered_block).await?;
                let seen =
                    seen.into_iter().find(|d| d.observed.step == step).with_context(|| format!("the vault's event of decision {step}"))?;
                let proof_bytes = posted.iter().find(|p| p.tx_hash == seen.outcome.tx_hash).map_or(0, |p| p.length);
                let found = outcome(&seen.outcome, proof_bytes);
                self.journal.settle(step, &found)?;
                self.feed.tell(&Event::Outcome { step, outcome: found });
                tracing::info!(step, "an unknown outcome was found on chain");
            } else {
                tracing::info!(step, "a journaled decision was never executed: sending it now");
                self.execute(&entry.record, before, self.head).await?;
            }
        }
        Ok(())
    }

    /// One decision at `time_s`.
    pub(crate) async fn decide(&mut self, time_s: u64) -> Result<Line> {
        let step = self.state.step;
        let seen = self.vault.view().observe(time_s).instrument(tracing::info_span!("observe", step)).await?;
        let obs = seen.observation()?;
        self.feed.tell(&Event::Observed { block_number: obs.block_number });
        self.check(&obs, time_s)?;
        let inputs = self.engine.inputs(&self.state, &obs);
        let signal = self.candle.checked_signal(&inputs).context("candle and the integer engine differ: the agent stops")?;
        let decided = self.engine.step_with(&self.state, &obs, Signal(signal));
        let (before, after) = (self.head, next_head(&self.head, &decided.record));
        tracing::info_span!("journal", step).in_scope(|| self.journal.decide(&decided.record, &after.to_string()))?;
        (self.state, self.head) = (decided.next_state, after);
        self.feed.tell(&Event::Decided(Box::new(decided.record.clone())));
        let outcome = self.execute(&decided.record, before, after).await?;
        self.post_if_due().await?;
        Ok(Line { record: decided.record, outcome })
    }

    /// What the chain says must be what the engine and the circuit can work with.
    fn check(&self, obs: &Observation, time_s: u64) -> Result<()> {
        ensure!(obs.step == self.state.step, "observation.step: expected {}, got {}", self.state.step, obs.step);
        ensure!(obs.time_s == time_s, "observation.time_s: expected {time_s}, got {}", obs.time_s);
        let price = price_x64(oriented(obs.mean_tick, self.engine.mandate().base_is_token1));
        ensure!(
            obs.price_x64 == price,
            "observation.price_x64: expected {} (of tick {}), got {}",
            price.x64(),
            obs.mean_tick,
            obs.price_x64.x64()
        );
        Ok(())
    }

    /// Sends a journaled decision, with its proof where the policy says so, and journals the outcome.
    async fn execute(&mut self, record: &Record, before: Digest, after: Digest) -> Result<Outcome> {
        let step = record.observation.step;
        let order = record.decision.order;
        self.fold(record).await?;
        let proof = if order.is_some() && self.posting.policy == PostingPolicy::WithTrade {
            Some(self.prove(after).instrument(tracing::info_span!("prove", step)).await?)
        } else {
            None
        };
        let bytes = proof.as_ref().map_or(&[][..], |p| p.bytes.as_slice());
        let seen = Observed::of_observation(&record.observation);
        let made = Move::of_order(order, before.to_bytes(), after.to_bytes());
        self.feed.tell(&Event::Sent { step });
        let sent = self.vault.decide(&seen, &made, bytes).instrument(tracing::info_span!("execute", step)).await;
        let done =
            sent.with_context(|| format!("decision {step} is journaled and its outcome unknown; start the agent again to settle it"))?;
        let done = outcome(&done, u64::try_from(bytes.len())?);
        tracing::info_span!("journal", step).in_scope(|| self.journal.settle(step, &done))?;
        self.feed.tell(&Event::Outcome { step, outcome: done.clone() });
        if proof.is_some() {
            self.posted = step + 1;
        }
        Ok(done)
    }

    async fn fold(&mut self, record: &Record) -> Result<()> {
        if record.observation.step >= self.proving.sent() {
            self.proving.fold(record).await?;
        }
        Ok(())
    }

    async fn prove(&mut self, head: Digest) -> Result<Proof> {
        let proof = self.proving.prove().await?;
        ensure!(proof.head == head, "the proof's head is {}, the decision's {head}; this is a bug", proof.head);
        Ok(proof)
    }

    async fn post_if_due(&mut self) -> Result<()> {
        let due = self.posting.policy == PostingPolicy::Every && self.state.step - self.posted >= self.posting.every_decisions;
        if due { self.post().await.map(drop) } else { Ok(()) }
    }

    /// Proves everything decided so far and posts the proof, if it is not on chain already.
    pub(crate) async fn post(&mut self) -> Result<Proof> {
        let span = tracing::info_span!("prove", steps = self.state.step);
        let proof = self.prove(self.head).instrument(span).await?;
        if self.posted < proof.steps {
            let sent = self.vault.post_proof(proof.steps, proof.head.to_bytes(), &proof.bytes);
            let gas_used = sent.instrument(tracing::info_span!("post", steps = proof.steps)).await?;
            self.journal.posted(&Post { steps: proof.steps, gas_used, proof_bytes: u64::try_from(proof.bytes.len())? })?;
            self.posted = proof.steps;
            self.feed.tell(&Event::Posted { decisions: proof.steps, gas_used });
        }
        Ok(proof)
    }

    async fn posted_on_chain(&self) -> Result<Vec<Posted>> {
        let posted = self.vault.view().posted(self.registered_block).await?;
        if let Some(wrong) = posted.iter().find(|p| p.steps > self.state.step) {
            bail!("the vault has a proof of {} decisions, the journal {}: the journal is an old copy", wrong.steps, self.state.step);
        }
        Ok(posted)
    }
}

fn outcome(o: &probity_chain::Outcome, proof_bytes: u64) -> Outcome {
    Outcome {
        tx_hash: format!("0x{}", hex::encode(o.tx_hash)),
        gas_used: o.gas_used,
        executed: o.executed,
        amount_out: o.amount_out,
        proof_bytes,
    }
}
