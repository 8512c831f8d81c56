//! The live loop: observe → step → journal durably → (prove) → execute → journal the outcome → post.
//!
//! A decision that is not in the journal was not taken. A sent transaction is unknown until its receipt: the chain is asked,
//! after a restart, a failure or a reorganisation alike, and the vault's own step counter and head make a second execution
//! impossible. What is sent again is always the very same journaled decision. On paper nothing is sent: the journal alone knows.

use crate::journal::{Entry, Journal, OnPaper, Outcome, Post};
use crate::run::account::Account;
use crate::run::fault::{Boundary, reached};
use crate::run::halt::{Gate, Mode, Reason};
use crate::run::proving::{Proof, Proving};
use crate::run::rotating::Turning;
use crate::run::sending::{Following, What};
use crate::run::settling::Settling;
use crate::see::{Event, Feed};
use crate::settings::{PostingPolicy, PostingSettings};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{ChainError, Move, Observed};
use probity_learn::Candle;
use probity_strategy::{Engine, Observation, Record, Side, State, oriented, price_x64};
use probity_verifier::{Digest, next_head};
use std::time::Duration;
use tracing::Instrument;

/// Posts in so many newest blocks are looked for again at every look, because a reorganisation may take them away.
const LOOK_BACK: u64 = 64;
/// Time between two looks at a chain that has to move on.
const POLL: Duration = Duration::from_millis(200);

/// An agent on its account.
pub(crate) struct Agent {
    /// Of the weights in force.
    pub(crate) engine: Engine,
    /// Of the same.
    pub(crate) candle: Candle,
    pub(crate) turning: Turning,
    pub(crate) account: Account,
    pub(crate) journal: Journal,
    pub(crate) gate: Gate,
    pub(crate) proving: Proving,
    pub(crate) posting: PostingSettings,
    /// None: the vault verifies nothing itself.
    pub(crate) settling: Option<Settling>,
    pub(crate) feed: Feed,
    pub(crate) registered_block: u64,
    /// Blocks on top of one that is observed.
    pub(crate) confirmations: u64,
    pub(crate) genesis_head: Digest,
    pub(crate) state: State,
    /// What the next decision is made on.
    pub(crate) head: Digest,
    /// Head after the last decision: another one, if other weights were announced since.
    pub(crate) decided: Digest,
    /// Decisions whose proof is on chain.
    pub(crate) posted: u32,
    /// Decisions in the last proof that this start made.
    pub(crate) proven: u32,
    /// Time of the last interval that was looked at, whether a decision was made in it or not.
    pub(crate) passed_s: u64,
}

/// One decision, for people.
pub(crate) struct Line {
    pub(crate) record: Record,
    pub(crate) outcome: Outcome,
    /// Of a run on paper.
    pub(crate) paper: Option<OnPaper>,
}

impl Agent {
    /// Brings engine and prover to the journal's last decision, after a start or a crash.
    pub(crate) fn replay(&mut self) -> Result<()> {
        (self.state, self.head) = (State::genesis(self.engine.mandate()), self.genesis_head);
        let (entries, announcements) = (self.journal.entries()?, self.journal.announcements()?);
        let mut announcements = announcements.iter().peekable();
        for entry in &entries {
            let obs = &entry.record.observation;
            if let Some(a) = announcements.next_if(|a| a.step == obs.step) {
                self.pass(a)?;
            }
            self.take_over(obs.step)?;
            let step = self.engine.step(&self.state, obs);
            ensure!(step.record == entry.record, "journal: decision {} is not what the model decides; it is of another model", obs.step);
            (self.state, self.head) = (step.next_state, next_head(&self.head, &entry.record));
            ensure!(
                self.head.to_string() == entry.head,
                "journal: head of decision {}: expected {}, got {}",
                obs.step,
                self.head,
                entry.head
            );
        }
        self.decided = self.head;
        if let Some(a) = announcements.next_if(|a| a.step == self.state.step) {
            self.pass(a)?;
        }
        if let Some(a) = announcements.next() {
            bail!(
                "journal: expected announcements before its {} decisions and the next, got one before decision {}",
                entries.len(),
                a.step
            );
        }
        if let (Account::Paper(paper), Some(last)) = (&mut self.account, entries.last()) {
            paper.stand_at(last)?;
        }
        self.passed_s = self.state.last_time_s;
        self.proving.decided(self.state.step)
    }

    /// What the run may do now; what is shown hears of it.
    pub(crate) fn mode(&self) -> Result<Mode> {
        let mode = self.gate.mode(&self.journal)?;
        self.feed.mode(mode, || Ok(self.journal.last_change()?.map_or_else(String::new, |c| c.words())))?;
        Ok(mode)
    }

    /// Brings the chain to where the journal is, and the journal to what the chain knows.
    pub(crate) async fn catch_up(&mut self) -> Result<()> {
        self.look_for_posts().await?;
        self.reconcile().await?;
        // A proof that waited when the last start ended is sent before another decision makes it one of other decisions.
        self.settle_if_due().await;
        self.post_if_due().await
    }

    /// Posts that the chain has and the journal may not know of. Only those that no reorganisation will take away are kept in mind:
    /// the others are looked for again.
    async fn look_for_posts(&mut self) -> Result<()> {
        let Some(vault) = self.account.vault() else { return Ok(()) };
        let number = |name: &str| -> Result<Option<u64>> {
            self.journal.meta(name)?.map(|n| n.parse()).transpose().with_context(|| format!("journal: {name}"))
        };
        let from = number("posts_looked_for_from")?.unwrap_or(0).max(self.registered_block);
        let kept = number("posts_kept")?.map_or(Ok(0), u32::try_from).context("journal: posts_kept")?;
        let latest = vault.view().block_number().await?;
        let seen = vault.view().posted(from).await?;
        if let Some(wrong) = seen.iter().find(|p| p.steps > self.state.step) {
            bail!("the vault has a proof of {} decisions, the journal {}: the journal is an old copy", wrong.steps, self.state.step);
        }
        let most = |before: u64| seen.iter().filter(|p| p.block_number < before).map(|p| p.steps).max().unwrap_or(0).max(kept);
        let next = latest.saturating_sub(LOOK_BACK).max(from);
        self.posted = most(u64::MAX);
        self.feed.tell(&Event::Posted { decisions: self.posted, gas_used: 0 });
        self.journal.set_meta("posts_kept", &most(next).to_string())?;
        self.journal.set_meta("posts_looked_for_from", &next.to_string())
    }

    /// Settles what the journal has no outcome for, and sends again what the vault does not have: at most the last decision,
    /// unless a reorganisation was deeper than the confirmations.
    pub(crate) async fn reconcile(&mut self) -> Result<()> {
        let decided = self.state.step;
        let next = match &self.account {
            Account::Vault(vault) => vault.view().position().await?.0,
            // On paper, what has an outcome was carried out.
            Account::Paper(_) => self.journal.first_unknown()?.unwrap_or(decided),
        };
        ensure!(
            next <= decided,
            "the vault has {next} decisions, the journal {decided}: another agent acts on this vault, or the journal is an old copy"
        );
        let from = self.journal.first_unknown()?.unwrap_or(decided).min(next);
        for entry in self.journal.entries_from(from, decided - from)? {
            let step = entry.record.observation.step;
            self.bring_announcement(step, next).await?;
            if step >= next {
                tracing::info!(step, "a journaled decision is not on the chain: sending it now");
                if entry.outcome.is_some() {
                    self.journal.unsettle(step)?;
                }
                let before = self.head_before(step)?;
                self.execute(&entry, before).await?;
            } else if entry.outcome.is_none() {
                let view = self.account.on_chain()?.view();
                let seen = view.decided_at(step, self.registered_block).await?;
                let seen = seen.with_context(|| format!("the vault's event of decision {step}"))?;
                let posted = view.posted(seen.outcome.block_number).await?;
                let proof_bytes = posted.iter().find(|p| p.tx_hash == seen.outcome.tx_hash).map_or(0, |p| p.length);
                let found = outcome(&seen.outcome, proof_bytes);
                self.journal.settle(step, &found)?;
                self.feed.tell(&Event::Outcome { step, outcome: found });
                tracing::info!(step, "an unknown outcome was found on chain");
            }
        }
        self.bring_announcement(decided, next).await
    }

    /// Head that a decision was made on.
    fn head_before(&self, step: u32) -> Result<Digest> {
        if let Some(a) = self.journal.announced_before(step)? {
            return Ok(a.head);
        }
        let Some(last) = step.checked_sub(1) else { return Ok(self.genesis_head) };
        let entry = self.journal.entries_from(last, 1)?.pop().with_context(|| format!("journal: decision {last}"))?;
        entry.head.parse().with_context(|| format!("journal: head of decision {last}"))
    }

    /// One decision at `time_s`; none if it was withheld.
    pub(crate) async fn decide(&mut self, time_s: u64) -> Result<Option<Line>> {
        let step = self.state.step;
        let seen = self.observe(time_s).instrument(tracing::info_span!("observe", step)).await?;
        let obs = seen.observation()?;
        self.feed.tell(&Event::Observed { block_number: obs.block_number });
        self.check(&obs, time_s)?;
        reached(Boundary::Observed);
        self.take_over(step)?;
        let inputs = self.engine.inputs(&self.state, &obs);
        let signal = self.candle.checked_signal(&inputs).context("candle and the integer engine differ: the agent stops")?;
        let decided = self.engine.step_with(&self.state, &obs, signal);
        self.passed_s = time_s;
        match self.mode()? {
            Mode::Active => {}
            Mode::Reducing if decided.record.decision.order.is_none_or(|o| o.side == Side::Sell) => {}
            mode => {
                tracing::warn!(step, mode = mode.name(), "the decision of this interval is withheld");
                return Ok(None);
            }
        }
        let (before, after) = (self.head, next_head(&self.head, &decided.record));
        let entry = Entry { record: decided.record, head: after.to_string(), outcome: None };
        tracing::info_span!("journal", step).in_scope(|| self.journal.decide(&entry.record, &entry.head))?;
        (self.state, self.head, self.decided) = (decided.next_state, after, after);
        reached(Boundary::Journaled);
        self.feed.tell(&Event::Decided(Box::new(entry.record.clone())));
        self.proving.decided(self.state.step)?;
        if entry.record.decision.halted {
            self.gate.change(&self.journal, Mode::Reducing, Reason::Drawdown, &format!("the mandate's limit, at decision {step}"))?;
        }
        let outcome = self.execute(&entry, before).await?;
        self.post_if_due().await?;
        self.settle_if_due().await;
        let paper = if self.account.is_paper() { self.journal.on_paper(step)? } else { None };
        Ok(Some(Line { record: entry.record, outcome, paper }))
    }

    /// What the vault sees at `time_s`, from a block that is deep enough and has every decision that the journal has.
    async fn observe(&mut self, time_s: u64) -> Result<Observed> {
        loop {
            let seen = match &self.account {
                Account::Vault(vault) => vault.view().observe_at(time_s, self.confirmations).await?,
                Account::Paper(paper) => return paper.observe(self.state.step, time_s).await,
            };
            if seen.step >= self.state.step {
                return Ok(seen);
            }
            // The last decision is not that deep yet, or a reorganisation took it away.
            self.reconcile().await?;
            tokio::time::sleep(POLL).await;
        }
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

    /// Carries out a journaled decision, with its proof where the policy says so, and journals the outcome.
    async fn execute(&mut self, entry: &Entry, before: Digest) -> Result<Outcome> {
        let (record, step) = (&entry.record, entry.record.observation.step);
        let after: Digest = entry.head.parse().with_context(|| format!("journal: head of decision {step}"))?;
        let order = record.decision.order;
        let proof = if order.is_some() && self.posting.policy == PostingPolicy::WithTrade && step + 1 == self.state.step {
            Some(self.prove(after).instrument(tracing::info_span!("prove", step)).await?)
        } else {
            None
        };
        let bytes = proof.as_ref().map_or(&[][..], |p| p.bytes.as_slice());
        let seen = Observed::of_observation(&record.observation);
        let made = Move::of_order(order, before.to_bytes(), after.to_bytes());
        self.feed.tell(&Event::Sent { step });
        let span = tracing::info_span!("execute", step);
        let done: Result<Outcome> = match &mut self.account {
            Account::Paper(paper) => {
                let length = u64::try_from(bytes.len())?;
                paper.carry(&self.journal, &self.gate, entry, length).instrument(span).await
            }
            Account::Vault(vault) => {
                let sent = if let Some(settling) = self.settling.as_ref().filter(|s| s.strict() && order.is_some()) {
                    settling.carry(vault, &self.journal, &self.gate, &seen, &made).instrument(span).await
                } else {
                    // Another proof makes another transaction: what was signed before would not be this call.
                    let earlier = if proof.is_none() { What::Decision(step).attempts(&self.journal)? } else { Vec::new() };
                    let mut notes = Following { journal: &self.journal, gate: &self.gate, what: What::Decision(step) };
                    vault.decide_noting(&seen, &made, bytes, earlier, &mut notes).instrument(span).await.map_err(Into::into)
                };
                let length = u64::try_from(bytes.len())?;
                sent.map(|done| outcome(&done, length))
            }
        };
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                if let Some(error) = error.downcast_ref::<ChainError>() {
                    self.lost_ground(step, error)?;
                }
                return Err(error)
                    .with_context(|| format!("decision {step} is journaled and its outcome unknown; start the agent again to settle it"));
            }
        };
        tracing::info_span!("journal", step).in_scope(|| self.journal.settle(step, &done))?;
        reached(Boundary::Settled);
        self.feed.tell(&Event::Outcome { step, outcome: done.clone() });
        if proof.is_some() && !self.account.is_paper() {
            self.posted = step + 1;
        }
        Ok(done)
    }

    /// A refusal that no repetition changes soon: what the decision stands on is not the chain's any more.
    fn lost_ground(&self, step: u32, error: &ChainError) -> Result<()> {
        let ChainError::Revert { reason, .. } = error else { return Ok(()) };
        let words = if reason.starts_with("AnchorUnknown") {
            "its anchor block was reorganised away: the vault takes it, without its trade, once that block is more than 256 blocks old"
        } else if reason.starts_with("ObservationMismatch") {
            "what it observed was reorganised away: the vault will not take it, and a new vault is needed"
        } else {
            return Ok(());
        };
        self.gate.change(&self.journal, Mode::Halted, Reason::Reorganised, &format!("decision {step}: {words}"))
    }

    async fn prove(&mut self, head: Digest) -> Result<Proof> {
        let proof = self.proving.prove(self.state.step).await?;
        ensure!(proof.head == head, "the proof's head is {}, the decision's {head}; this is a bug", proof.head);
        Ok(proof)
    }

    async fn post_if_due(&mut self) -> Result<()> {
        let done = if self.account.is_paper() { self.proven } else { self.posted };
        let waiting = self.state.step - done.min(self.state.step);
        let due = self.posting.policy == PostingPolicy::Every && waiting >= self.posting.every_decisions;
        if due { self.post().await.map(drop) } else { Ok(()) }
    }

    /// Proves everything decided so far and posts the proof, if there is a chain for it and it is not there already.
    pub(crate) async fn post(&mut self) -> Result<Proof> {
        let span = tracing::info_span!("prove", steps = self.state.step);
        let proof = self.prove(self.decided).instrument(span).await?;
        self.proven = proof.steps;
        if let Some(vault) = self.account.vault()
            && self.posted < proof.steps
        {
            let mut notes = Following { journal: &self.journal, gate: &self.gate, what: What::Post };
            let sent = vault.post_proof_noting(proof.steps, proof.head.to_bytes(), &proof.bytes, &mut notes);
            let gas_used = sent.instrument(tracing::info_span!("post", steps = proof.steps)).await?;
            self.journal.posted(&Post { steps: proof.steps, gas_used, proof_bytes: u64::try_from(proof.bytes.len())? })?;
            reached(Boundary::Posted);
            self.posted = proof.steps;
            self.feed.tell(&Event::Posted { decisions: proof.steps, gas_used });
        }
        Ok(proof)
    }

    /// Settles if the policy says so; what goes wrong there is told and tried again.
    pub(crate) async fn settle_if_due(&self) {
        if let (Some(settling), Some(vault)) = (&self.settling, self.account.vault()) {
            settling.after(vault, &self.journal, &self.gate).await;
        }
    }

    /// Settles what is not settled yet, where the vault verifies.
    pub(crate) async fn settle_all(&self) -> Result<()> {
        if let (Some(settling), Some(vault)) = (&self.settling, self.account.vault()) {
            settling.settle(vault, &self.journal, &self.gate).await?;
        }
        Ok(())
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
