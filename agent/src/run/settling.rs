//! Settling beside the live loop: arms the vault at the first start, settles by the policy of the settings, carries proofs in strict mode.
//!
//! Failing to settle never stops a decision: what is not settled is tried again after the next one, and if that goes on too long the vault
//! itself stops the trades. What was proven is on disk before it is sent, so a restart sends it again. A halted run sends none.

use crate::journal::{Announced, Journal};
use crate::output;
use crate::run::fault::{Boundary, reached};
use crate::run::halt::{Gate, Mode};
use crate::run::sending::{Following, What};
use crate::run::weights::Weights;
use crate::run::workers::Workers;
use crate::see::{Event, Feed};
use crate::settings::{Settings, SettlementMode, SettlementSettings};
use crate::settle_desk::{Desk, Waiting, forget, genesis_state};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{Address, Move, Notes, Observed, Outcome, Sender, SettlementVerifier, Standing, Terms, Vault};
use probity_strategy::Record;
use probity_verifier::{Header, SettlementSetup};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settling of a run.
pub(crate) struct Settling {
    dir: PathBuf,
    desk: Desk,
    settings: SettlementSettings,
    feed: Feed,
    workers: Workers,
}

/// What a run brings to its settlements.
pub(crate) struct Parts<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) url: &'a str,
    pub(crate) header: &'a Header,
    pub(crate) weights: &'a Weights,
    pub(crate) feed: &'a Feed,
    pub(crate) workers: Workers,
}

/// The parameters of a run's settlements.
pub(crate) fn setup(settings: &Settings, header: &Header) -> Result<SettlementSetup> {
    output::talk("deriving the settlement parameters …");
    let setup = SettlementSetup::derive(&header.mandate.model, settings.settlement.decisions_per_block, &settings.proof.source()?)
        .context("settlement.mode: the vault verifies proofs of the pairing engine, which need proof.ptau_file")?;
    if setup.key.origin().is_insecure() {
        output::talk("INSECURE settlement parameters: whoever made the powers-of-tau file can prove anything to this vault");
    }
    Ok(setup)
}

impl Settling {
    /// None if the settings leave settlement off. At the first start deploys the verifier and arms the vault; later checks that it is
    /// armed with what the settings say.
    pub(crate) async fn start(
        parts: Parts<'_>,
        settings: &Settings,
        vault: &Vault,
        sender: &Sender,
        journal: &Journal,
    ) -> Result<Option<Self>> {
        let standing = vault.view().standing().await?;
        let armed = standing.terms.verifier != Address::zero();
        if !settings.settlement.on() {
            ensure!(
                !armed,
                "settlement.mode: the vault is armed, so its trades stop without settlements; expected deferred or strict, got off"
            );
            return Ok(None);
        }
        settings.settlement.check()?;
        ensure!(
            armed || standing.steps == 0,
            "settlement.mode: expected off, since this vault was not armed before its first decision and cannot be now; a new run can"
        );
        let setup = tokio::task::block_in_place(|| {
            let _place = parts.workers.turn();
            setup(settings, parts.header)
        })?;
        let first = parts.weights.first();
        let mut desk = Desk::new(parts.dir, Arc::new(setup), parts.header, first.model.clone(), first.salt.clone())?;
        desk.follow(&journal.announcements()?, parts.weights)?;
        let (max_unproven_decisions, max_unproven_seconds) = settings.settlement.terms();
        let terms = |verifier| Terms {
            verifier,
            genesis_state: genesis_state(parts.header).to_bytes(),
            max_unproven_decisions,
            max_unproven_seconds,
        };
        let verifier = if armed { standing.terms.verifier } else { deployed(&desk, sender, journal).await? };
        desk.check_verifier(parts.url, verifier).await?;
        if !armed {
            vault.arm(&terms(verifier)).await?;
            output::talk(format!("the vault is armed: its trades stop when more than it allows awaits its proof (verifier {verifier:?})"));
        }
        let now = vault.view().standing().await?;
        parts.feed.tell(&Event::Settled { decisions: now.proven_steps, gas_used: 0 });
        let seen = now.terms;
        ensure!(
            seen == terms(verifier),
            "settlement: the vault was armed with {} decisions, {} s and another genesis or verifier than the settings' {} decisions, {} s; set those back",
            seen.max_unproven_decisions,
            seen.max_unproven_seconds,
            max_unproven_decisions,
            max_unproven_seconds
        );
        Ok(Some(Self {
            dir: parts.dir.to_owned(),
            desk,
            settings: settings.settlement.clone(),
            feed: parts.feed.clone(),
            workers: parts.workers,
        }))
    }

    /// Whether an order's own transaction has to carry its proof.
    pub(crate) fn strict(&self) -> bool {
        self.settings.mode == SettlementMode::Strict
    }

    /// Notes what has been announced, with its weights.
    pub(crate) fn follow(&mut self, announced: &[Announced], weights: &Weights) -> Result<()> {
        self.desk.follow(announced, weights)
    }

    /// A settlement of what awaits one, when it is this run's turn to prove.
    fn prove(&self, standing: &Standing, records: &[Record]) -> Result<Waiting> {
        tokio::task::block_in_place(|| {
            let _place = self.workers.turn();
            let waiting = self.desk.prove(standing, records)?;
            reached(Boundary::SettleProven);
            Ok(waiting)
        })
    }

    /// Sends a decision with a settlement of everything up to it.
    pub(crate) async fn carry(&self, vault: &Vault, journal: &Journal, gate: &Gate, seen: &Observed, made: &Move) -> Result<Outcome> {
        let records: Vec<Record> = journal.entries()?.into_iter().map(|e| e.record).collect();
        let mut standing = vault.view().standing().await?;
        // No settlement goes over an announcement or a take-over: what lies before is settled by itself.
        while standing.settles_to < u32::try_from(records.len())? {
            self.stretch(&standing, records.get(..usize::try_from(standing.steps)?).unwrap_or_default(), vault, journal, gate).await?;
            standing = vault.view().standing().await?;
        }
        let waiting = self.prove(&standing, &records)?;
        open(gate, journal)?;
        let mut notes = Following { journal, gate, what: What::Settlement };
        let outcome = vault.decide_settled_noting(seen, made, &waiting.bytes()?, &mut notes).await?;
        self.desk.settled()?;
        self.feed.tell(&Event::Settled { decisions: waiting.to, gas_used: 0 });
        tracing::info!(from = waiting.from, to = waiting.to, gas_used = outcome.gas_used, "settled with a trade");
        Ok(outcome)
    }

    /// Settles if the policy says so. Nothing that goes wrong here is the decision's affair: it is told and tried again.
    pub(crate) async fn after(&self, vault: &Vault, journal: &Journal, gate: &Gate) {
        match self.due(vault).await {
            Ok(false) => {}
            Ok(true) => {
                if let Err(error) = self.settle(vault, journal, gate).await {
                    output::talk(format!("not settled, tried again after the next decision: {error:#}"));
                }
            }
            Err(error) => output::talk(format!("could not tell whether a settlement is due: {error:#}")),
        }
    }

    async fn due(&self, vault: &Vault) -> Result<bool> {
        let standing = vault.view().standing().await?;
        // The last start may have ended between a settlement's transaction and here.
        forget(&self.dir, standing.proven_steps)?;
        // A reorganisation can take a settlement back.
        self.feed.tell(&Event::Settled { decisions: standing.proven_steps, gas_used: 0 });
        let unproven = standing.steps.saturating_sub(standing.proven_steps);
        let waited_s = vault.view().time_s().await?.saturating_sub(standing.first_unproven_time_s);
        Ok(self.settings.due(unproven, waited_s, vault.view().base_fee_wei().await?))
    }

    /// Settles everything that the vault has, if anything is left, range by range; returns how many decisions.
    pub(crate) async fn settle(&self, vault: &Vault, journal: &Journal, gate: &Gate) -> Result<u32> {
        let mut standing = vault.view().standing().await?;
        let (from, steps) = (standing.proven_steps, standing.steps);
        if from == steps {
            forget(&self.dir, from)?;
            return Ok(0);
        }
        let records: Vec<Record> = journal.entries()?.into_iter().take(usize::try_from(steps)?).map(|e| e.record).collect();
        while standing.proven_steps < steps {
            self.stretch(&standing, &records, vault, journal, gate).await?;
            standing = vault.view().standing().await?;
        }
        Ok(steps.saturating_sub(from))
    }

    /// Settles the decisions that the vault has, as far as one settlement goes.
    async fn stretch(&self, standing: &Standing, records: &[Record], vault: &Vault, journal: &Journal, gate: &Gate) -> Result<()> {
        let waiting = self.prove(standing, records)?;
        open(gate, journal)?;
        let gas_used = send(&self.desk, vault, &waiting, &mut Following { journal, gate, what: What::Settlement }).await?;
        self.feed.tell(&Event::Settled { decisions: waiting.to, gas_used });
        output::talk(format!("settled decisions {} … {} ({gas_used} gas)", waiting.from, waiting.to));
        Ok(())
    }
}

/// The last look before a settlement leaves: whatever else is wrong, a halted run sends nothing.
fn open(gate: &Gate, journal: &Journal) -> Result<()> {
    if gate.mode(journal)? == Mode::Halted {
        bail!("the run is halted: the settlement is kept and not sent");
    }
    Ok(())
}

/// Sends a settlement that waits; it waits on if that fails. Where the vault has decided more since, to the end of a closed epoch, if one is there.
pub(crate) async fn send(desk: &Desk, vault: &Vault, waiting: &Waiting, notes: &mut dyn Notes) -> Result<u64> {
    let (bytes, view) = (waiting.bytes()?, vault.view());
    let ends_here = view.position().await?.0 == waiting.to;
    let epoch = if ends_here { None } else { view.epochs().await?.iter().position(|e| e.steps == waiting.to) };
    let gas_used = match epoch {
        Some(epoch) => vault.settle_epoch_noting(u32::try_from(epoch)?, &bytes, notes).await?,
        None => vault.settle_noting(&bytes, notes).await?,
    };
    desk.settled()?;
    Ok(gas_used)
}

/// The verifier of an earlier start that ended before the vault was armed, or a new one.
async fn deployed(desk: &Desk, sender: &Sender, journal: &Journal) -> Result<Address> {
    if let Some(kept) = journal.meta("verifier")? {
        return kept.parse().map_err(|_| anyhow::anyhow!("journal: verifier: expected an address, got {kept}"));
    }
    let (verifier, gas_used) = SettlementVerifier::deploy(sender, desk.table()).await?;
    let address = verifier.address();
    journal.set_meta("verifier", &format!("{address:?}"))?;
    output::talk(format!("the settlement's verifier is deployed at {address:?} ({gas_used} gas)"));
    Ok(address)
}
