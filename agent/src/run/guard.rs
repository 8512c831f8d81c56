//! What is checked before every turn of the loop, and what becomes of its failures.
//!
//! A failure of a real chain is outlived for a while: the turn is repeated after asking the chain how things stand. A failure of
//! anything else (journal, model, proof) ends the run: nothing it could do next would be known to be right.

use crate::output;
use crate::run::halt::{Mode, Reason};
use crate::run::setup::Ready;
use crate::run::stop::{Asked, Stop};
use crate::run::world::World;
use crate::settings::{SafetySettings, Settings};
use anyhow::{Context, Result};
use probity_chain::ChainError;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two looks at a halted run.
const LOOK: Duration = Duration::from_millis(200);

/// Watches over one run.
pub(crate) struct Guard {
    safety: SafetySettings,
    /// Whether the chain's clock is held against this machine's.
    clocked: bool,
    real: bool,
    poll: Duration,
    failing_since: Option<Instant>,
}

impl Guard {
    /// The guard of a run that is set up.
    pub(crate) async fn of(ready: &Ready, settings: &Settings) -> Result<Self> {
        let safety = settings.safety.clone();
        let (real, mut clocked) = (matches!(ready.world, World::Real { .. }), false);
        if let World::Real { view, .. } = &ready.world
            && safety.max_block_age_s > 0
        {
            clocked = off_by(view.time_s().await?, &safety)?.is_none();
            if !clocked {
                output::talk("the chain's clock is not this machine's: how old its data are is not watched (safety.max_block_age_s)");
            }
        }
        Ok(Self { safety, clocked, real, poll: Duration::from_millis(settings.chain.poll_interval_ms.max(1)), failing_since: None })
    }

    /// Waits until the run may act; false if it was asked to end.
    pub(crate) async fn may_act(&mut self, ready: &mut Ready, stop: &Stop) -> Result<bool> {
        let mut told = false;
        while stop.asked() == Asked::Nothing {
            let agent = &mut ready.agent;
            if agent.mode()? == Mode::Halted {
                if !told {
                    output::talk("halted: nothing is decided and nothing is sent until `probity resume`");
                    told = true;
                }
            } else {
                told = false;
                let (mode, reason, detail) = match self.check(ready, stop).await? {
                    Some(finding) => finding,
                    None => return Ok(stop.asked() == Asked::Nothing),
                };
                ready.agent.gate.change(&ready.agent.journal, mode, reason, &detail)?;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.wait() => {}
            }
        }
        Ok(false)
    }

    /// A reason to halt, if there is one.
    async fn check(&self, ready: &mut Ready, stop: &Stop) -> Result<Option<(Mode, Reason, String)>> {
        let halted = |reason, detail| Ok(Some((Mode::Halted, reason, detail)));
        if let World::Real { view, .. } = &ready.world
            && self.clocked
            && let Ok(time_s) = view.time_s().await
            && let Some(words) = off_by(time_s, &self.safety)?
        {
            return halted(Reason::StaleData, words);
        }
        let agent = &mut ready.agent;
        agent.proving.check()?;
        let waiting = Instant::now();
        while self.safety.fold == crate::settings::FoldWhen::Beside
            && agent.proving.backlog(agent.state.step) > self.safety.max_backlog_decisions
        {
            if waiting.elapsed() >= Duration::from_secs(self.safety.backlog_wait_s) {
                let words = format!("{} decisions wait for their fold", agent.proving.backlog(agent.state.step));
                return halted(Reason::ProofBacklog, words);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.wait() => return Ok(None),
            }
            agent.proving.check()?;
        }
        if let Some(vault) = agent.account.vault()
            && let Ok((holds, says)) = vault.view().holdings().await
            && (holds.quote < says.quote || holds.base < says.base)
        {
            let words = format!(
                "the vault's accounts say {} quote and {} base, its tokens {} and {}, raw",
                says.quote, says.base, holds.quote, holds.base
            );
            return halted(Reason::BalanceMismatch, words);
        }
        Ok(None)
    }

    /// A turn of the loop came to its end.
    pub(crate) fn went_well(&mut self) {
        self.failing_since = None;
    }

    /// The words for a failure after which the loop goes on; any other is given back.
    pub(crate) fn forgive(&mut self, error: anyhow::Error) -> Result<String> {
        let of_chain = error.downcast_ref::<ChainError>();
        // What a halt stopped is taken up after the resume.
        if matches!(of_chain, Some(ChainError::Stopped { reason }) if reason == "the run is halted") {
            return Ok(format!("{error:#}"));
        }
        let waits = matches!(of_chain, Some(ChainError::GasPrice { .. }));
        let passes = match of_chain {
            Some(ChainError::Rpc { .. } | ChainError::Unknown { .. } | ChainError::Waiting { .. } | ChainError::NonceTaken { .. }) => {
                self.real
            }
            Some(ChainError::Revert { .. }) => self.real,
            Some(ChainError::GasPrice { .. }) => true,
            _ => false,
        };
        if !passes {
            return Err(error);
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if !waits && since.elapsed() >= Duration::from_secs(self.safety.give_up_after_s) {
            return Err(error).with_context(|| format!("no turn came to its end for {} s", since.elapsed().as_secs()));
        }
        Ok(format!("it will be tried again: {error:#}"))
    }

    /// How long to wait after a failure.
    pub(crate) const fn pause(&self) -> Duration {
        self.poll
    }
}

/// How far a block's time is off, in words, if it is too far.
fn off_by(time_s: u64, safety: &SafetySettings) -> Result<Option<String>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("this machine's clock")?.as_secs();
    let (age, ahead) = (now.saturating_sub(time_s), time_s.saturating_sub(now));
    Ok(if age > safety.max_block_age_s {
        Some(format!("the newest block is {age} s old by this machine's clock"))
    } else if ahead > safety.max_clock_drift_s {
        Some(format!("the newest block is {ahead} s ahead of this machine's clock"))
    } else {
        None
    })
}
