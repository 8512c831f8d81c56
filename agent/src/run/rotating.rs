//! Announcing other weights between two decisions, and letting them take over at their step.
//!
//! Opening, journal, request, transaction, in this order: what is in the journal was announced, and its weights are in the opening. Cut off
//! anywhere, the next start goes on: a request whose announcement is in the journal is done with, an announcement that the vault lacks is
//! sent before the decision that follows it.

use crate::journal::{Announced, Mined};
use crate::output;
use crate::run::fault::{Boundary, reached};
use crate::run::halt::Mode;
use crate::run::live::Agent;
use crate::run::request::{Request, Requests};
use crate::run::sending::{Following, What};
use crate::run::weights::{OPENING, Weights};
use crate::see::Event;
use crate::whole;
use anyhow::{Context, Result, anyhow, bail, ensure};
use probity_chain::Announce;
use probity_learn::Candle;
use probity_strategy::{Engine, Mandate};
use probity_verifier::{Digest, ROTATION_NOTICE, Rotation, commit_model, rotation_head};
use std::path::PathBuf;
use tracing::Instrument;

/// Where a run stands in its weights.
pub(crate) struct Turning {
    dir: PathBuf,
    requests: Requests,
    pub(crate) weights: Weights,
    /// Commitment to the weights that the agent's engine has.
    pub(crate) in_force: Digest,
}

/// The announcement that a request comes to after so many decisions, under a mandate, after these announcements.
pub(crate) fn rotation(
    request: &Request,
    mandate: &Mandate,
    decisions: u32,
    weights: &Weights,
    announced: &[Announced],
) -> Result<Rotation> {
    if request.opening.then.is_some() {
        bail!("then: expected one set of weights, got more after it; they are asked for one at a time");
    }
    request.opening.model.validate(&mandate.model).context("model: expected the shape of the mandate's model")?;
    let commitment = commit_model(&mandate.model, &request.opening.model, &request.opening.salt);
    if let Some(other) = announced.last().filter(|a| a.is_ahead(decisions)) {
        bail!(
            "rotation: expected none ahead, got the weights behind {}, which make decision {} first; ask again after it",
            other.rotation.commitment,
            other.rotation.at_step
        );
    }
    let in_force = weights.at(decisions).commitment;
    ensure!(commitment != in_force, "commitment: expected weights other than those in force, got theirs ({in_force})");
    let rotation = Rotation { commitment, at_step: request.at_step.unwrap_or_else(|| decisions.saturating_add(ROTATION_NOTICE)) };
    rotation.check(decisions)?;
    Ok(rotation)
}

impl Turning {
    /// A run at genesis, with all that was announced in it.
    pub(crate) fn of(dir: PathBuf, weights: Weights) -> Self {
        Self { requests: Requests::of(&dir), in_force: weights.first().commitment, dir, weights }
    }
}

impl Agent {
    /// Engine and candle become those of the weights that make a decision.
    pub(crate) fn take_over(&mut self, step: u32) -> Result<()> {
        let own = self.turning.weights.at(step);
        if own.commitment == self.turning.in_force {
            return Ok(());
        }
        let mandate = self.engine.mandate().clone();
        self.candle = Candle::new(&mandate.model, &own.model)?;
        self.engine = Engine::new(mandate, own.model.clone())?;
        self.turning.in_force = own.commitment;
        Ok(())
    }

    /// Moves the head by an announcement that stands where the run is.
    pub(crate) fn pass(&mut self, a: &Announced) -> Result<()> {
        let after = rotation_head(&self.head, &a.rotation);
        ensure!(
            a.before == self.head && a.head == after,
            "journal: heads of the announcement before decision {}: expected {} and {after}, got {} and {}",
            a.step,
            self.head,
            a.before,
            a.head
        );
        self.head = after;
        Ok(())
    }

    /// Brings the announcement before a step to the vault, if there is one that the vault lacks, and its transaction into the journal. The vault has
    /// the decisions before `next`.
    pub(crate) async fn bring_announcement(&mut self, step: u32, next: u32) -> Result<()> {
        let Some(mut a) = self.journal.announced_before(step)? else { return Ok(()) };
        // Where the vault has the decision after it, it has it too: its head says so.
        let Some(vault) = self.account.vault().filter(|_| step >= next || a.mined.is_none()) else { return Ok(()) };
        let announce = Announce {
            commitment: a.rotation.commitment.to_bytes(),
            at_step: a.rotation.at_step,
            head_before: a.before.to_bytes(),
            head_after: a.head.to_bytes(),
        };
        let mut seen = vault.view().announced_at(step, self.registered_block).await?;
        let mut gas_used = a.mined.as_ref().and_then(|m| m.gas_used);
        if seen.is_none() {
            // Sent again as it was, it may be mined as the same transaction: that is noted anew.
            if a.mined.take().is_some() {
                self.journal.announcement_mined(step, None)?;
            }
            let what = What::Announcement(step);
            let mut notes = Following { journal: &self.journal, gate: &self.gate, what };
            let sent = vault.announce_noting(&announce, what.attempts(&self.journal)?, &mut notes);
            let sent = sent.instrument(tracing::info_span!("announce", step)).await;
            let gas = sent.with_context(|| {
                format!("the announcement before decision {step} is journaled and its outcome unknown; start the agent again to settle it")
            })?;
            self.feed.tell(&Event::AnnouncementMined { gas_used: gas });
            gas_used = Some(gas);
            seen = vault.view().announced_at(step, self.registered_block).await?;
        }
        let seen = seen.with_context(|| format!("the vault's event of the announcement before decision {step}"))?;
        ensure!(
            seen.announce == announce,
            "the vault has another announcement before decision {step} than the journal: another agent acts on this vault, or the journal is an old copy"
        );
        let mined = Mined { tx_hash: format!("0x{}", hex::encode(seen.tx_hash)), gas_used };
        if a.mined.as_ref() != Some(&mined) {
            self.journal.announcement_mined(step, Some(&mined))?;
            tracing::info!(step, "the announcement is on the chain");
        }
        Ok(())
    }

    /// Announces the weights that were asked for, if any were. What cannot be announced any more is refused and told, and the run goes on.
    pub(crate) async fn announce_if_asked(&mut self) -> Result<()> {
        if !self.turning.requests.is_any() || self.mode()? == Mode::Halted {
            return Ok(());
        }
        let Some(request) = self.turning.requests.take()? else { return Ok(()) };
        reached(Boundary::AnnounceTaken);
        let (step, announced) = (self.state.step, self.journal.announcements()?);
        let commitment = commit_model(&self.engine.mandate().model, &request.opening.model, &request.opening.salt);
        if announced.last().is_some_and(|a| a.rotation.commitment == commitment && a.step == step) {
            // It was journaled before the last start ended.
            return self.turning.requests.clear();
        }
        let ended = match self.account.vault() {
            Some(vault) => vault.view().pledged().await?.withdraw_only,
            None => false,
        };
        let checked = rotation(&request, self.engine.mandate(), step, &self.turning.weights, &announced);
        let checked =
            if ended { Err(anyhow!("vault: expected one that takes decisions, got one that only lets withdraw")) } else { checked };
        let rotation = match checked {
            Ok(rotation) => rotation,
            Err(error) => {
                output::talk(format!("the weights behind {commitment} are not announced, their request is dropped: {error:#}"));
                return self.turning.requests.clear();
            }
        };
        let opening = self.turning.weights.opening_with(request.opening);
        whole::write_secret(&self.turning.dir.join(OPENING), &serde_json::to_vec(&opening)?)?;
        reached(Boundary::AnnounceOpened);
        let entry = Announced { step, rotation, before: self.head, head: rotation_head(&self.head, &rotation), mined: None };
        self.journal.announce(&entry)?;
        reached(Boundary::AnnounceJournaled);
        self.turning.weights = Weights::of(&self.turning.dir, self.engine.mandate(), &self.journal)?;
        self.pass(&entry)?;
        self.feed.tell(&Event::Announced { rotation });
        if let Some(settling) = &mut self.settling {
            settling.follow(&self.journal.announcements()?, &self.turning.weights)?;
        }
        self.turning.requests.clear()?;
        reached(Boundary::AnnounceCleared);
        // Every decision before it is on the chain: otherwise the turn before would have failed.
        self.bring_announcement(step, step).await?;
        output::talk(format!(
            "announced before decision {step}: the weights behind {commitment} make decision {} and those after it",
            rotation.at_step
        ));
        Ok(())
    }
}
