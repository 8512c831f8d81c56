//! A run on paper: the real chain is observed and nothing is sent to it. Orders are filled by the exact venue against the pool's own
//! state in the block that they would have been in, and only the journal knows of it.
//!
//! That block is the `paper.latency_blocks`-th after the newest one when the decision was journaled, and the order is its last
//! transaction: the pool as that block left it. A restart reads the same block again.

use crate::journal::{Entry, Journal, OnPaper, Outcome};
use crate::run::fault::{Boundary, reached};
use crate::run::halt::{Gate, Mode};
use crate::settings::Settings;
use anyhow::{Context, Result, ensure};
use probity_backtest::v3::{Pool, U256};
use probity_backtest::{Depth, PaperVault};
use probity_chain::{BlockSeen, ChainError, Observed, PoolInfo, PoolView};
use probity_strategy::{Amount, Mandate, Observation, Order, oriented, price_x64};
use std::time::{Duration, Instant};

/// The vault of a mandate on paper: the zero address, which no vault can have.
pub(crate) const NOWHERE: &str = "0x0000000000000000000000000000000000000000";
/// Gas of a decision that holds, as measured of an unarmed vault (docs/performance.md).
const GAS_HOLD: u64 = 63_000;
/// Gas of a byte of a proof, and of a transaction and its bytes where the floor on data applies (EIP-7623).
const GAS_BYTE: u64 = 16;
const GAS_BASE: u64 = 21_000;
const GAS_BYTE_FLOOR: u64 = 40;
/// Blocks behind the newest one whose state any node still has.
const KEPT: u64 = 64;
/// Time between two looks for a block.
const POLL: Duration = Duration::from_millis(200);
/// Ticks and words of ticks that are read first; each further look reads four times as many.
const FIRST_TICKS: usize = 8;
const FIRST_WORDS: u32 = 2;

/// What becomes of an order on paper costs and takes.
#[derive(Debug, Clone, Copy)]
struct Terms {
    latency_blocks: u64,
    confirmations: u64,
    gas_trade: u64,
    tip_wei: u128,
    cap_wei: Option<u128>,
    patience: Duration,
}

/// The account of a run on paper.
pub(crate) struct Paper {
    view: PoolView,
    vault: PaperVault,
    interval_s: u32,
    base_is_token1: bool,
    terms: Terms,
    /// The last decision's block: the next observation is not made before it.
    last_block: u64,
}

impl Paper {
    /// The account of a mandate, with the first deposit of the settings.
    pub(crate) async fn open(settings: &Settings, mandate: &Mandate, pool: &PoolInfo) -> Result<Self> {
        ensure!(
            settings.paper.latency_blocks > 0,
            "paper.latency_blocks: expected 1 or more, got 0: no order is in the block it is decided in"
        );
        let view = PoolView::at(settings.chain.rpc_url.expose(), pool.address).await?;
        let vault = PaperVault::seeded(mandate, super::setup::first_deposit(settings, pool)?).context("setting agent.seed_quote_units")?;
        let gas = &settings.backtest.execution;
        let terms = Terms {
            latency_blocks: settings.paper.latency_blocks.into(),
            confirmations: settings.safety.confirmations,
            gas_trade: gas.gas_units,
            tip_wei: gas.priority_fee_wei.into(),
            cap_wei: settings.safety.cap_wei(),
            patience: Duration::from_secs(settings.chain.receipt_timeout_s),
        };
        let (interval_s, base_is_token1) = (mandate.interval_s, mandate.base_is_token1);
        let paper = Self { view, vault, interval_s, base_is_token1, terms, last_block: 0 };
        let newest = paper.view.block_under(0).await?;
        let seen = paper.view.mean_tick(&newest, newest.time_s, interval_s).await;
        seen.with_context(|| {
            format!(
                "the pool's oracle keeps {} observations and has to go back {interval_s} s (mandate.interval_s): a vault's first deposit would \
                 lengthen it, a run on paper cannot; name a pool that is used more, or a shorter interval",
                pool.cardinality
            )
        })?;
        Ok(paper)
    }

    /// Puts the accounts where the journal's last decision left them.
    pub(crate) fn stand_at(&mut self, last: &Entry) -> Result<()> {
        let seen = &last.record.observation;
        self.vault.stand_at(seen);
        let Some(outcome) = &last.outcome else { return Ok(()) };
        match &last.record.decision.order {
            Some(order) if outcome.executed => self.vault.took(order, Amount::new(outcome.amount_out)?)?,
            _ => self.vault.pass(),
        }
        Ok(())
    }

    /// What the vault would see at `time_s`, from a block that is deep enough and not before the last decision's.
    pub(crate) async fn observe(&self, step: u32, time_s: u64) -> Result<Observed> {
        let block = loop {
            let block = self.view.block_under(self.terms.confirmations).await?;
            if block.number >= self.last_block {
                break block;
            }
            tokio::time::sleep(POLL).await;
        };
        let mean_tick = self.view.mean_tick(&block, time_s, self.interval_s).await?;
        let now = self.vault.accounts();
        Ok(Observed::of_observation(&Observation {
            step,
            time_s,
            block_number: block.number,
            block_hash: block.hash,
            mean_tick,
            price_x64: price_x64(oriented(mean_tick, self.base_is_token1)),
            quote: now.quote,
            base: now.base,
            shares: now.shares,
            fill: now.fill,
        }))
    }

    /// What would become of a journaled decision whose transaction carried so many bytes of a proof.
    pub(crate) async fn carry(&mut self, journal: &Journal, gate: &Gate, entry: &Entry, proof_bytes: u64) -> Result<Outcome> {
        let (seen, order) = (&entry.record.observation, entry.record.decision.order);
        if let Some(order) = &order {
            self.vault.check(order, seen.price_x64).context("the vault would refuse this decision; this is a bug")?;
        }
        let (sent_block, block) = self.block_of(journal, gate, seen).await?;
        let late_s = block.time_s.saturating_sub(seen.time_s);
        let in_time = self.vault.in_time(block.number.saturating_sub(seen.block_number), late_s);
        let done = match order.filter(|_| in_time) {
            None => {
                self.vault.pass();
                None
            }
            Some(order) => match self.pool(&block, &order).await? {
                Some(pool) => self.vault.fill(&order, seen.price_x64, pool)?,
                None => {
                    self.vault.pass();
                    None
                }
            },
        };
        self.last_block = block.number;
        let own = if order.is_some() { self.terms.gas_trade } else { GAS_HOLD };
        let floor = if proof_bytes > 0 { GAS_BASE.saturating_add(GAS_BYTE_FLOOR.saturating_mul(proof_bytes)) } else { 0 };
        let gas_used = own.saturating_add(GAS_BYTE.saturating_mul(proof_bytes)).max(floor);
        let gas_price_wei = Some(block.base_fee_wei.saturating_add(self.terms.tip_wei));
        journal.note_on_paper(seen.step, &OnPaper { sent_block, gas_price_wei })?;
        reached(Boundary::DecideMined);
        // No transaction, so no hash; and no byte of a proof is on a chain.
        let (tx_hash, amount_out) = (format!("paper, block {}", block.number), done.map_or(0, |d| d.amount_out));
        Ok(Outcome { tx_hash, gas_used, executed: done.is_some(), amount_out, proof_bytes: 0 })
    }

    /// The block that a decision would have been in, once it is deep enough; noted before it is waited for.
    async fn block_of(&self, journal: &Journal, gate: &Gate, seen: &Observation) -> Result<(u64, BlockSeen)> {
        let newest = self.view.block_under(0).await?;
        let noted = journal.on_paper(seen.step)?.map(|p| p.sent_block);
        // A node may have forgotten an older one: as if it had been dropped, it is sent again, and late.
        let kept = noted.filter(|sent| sent.saturating_add(self.terms.latency_blocks).saturating_add(KEPT) >= newest.number);
        let sent_block = match kept {
            Some(sent) => sent,
            None => {
                if gate.mode(journal)? == Mode::Halted {
                    return Err(ChainError::Stopped { reason: "the run is halted".into() }.into());
                }
                let need_wei = newest.base_fee_wei.saturating_add(self.terms.tip_wei);
                if let Some(cap_wei) = self.terms.cap_wei.filter(|cap| *cap < need_wei) {
                    return Err(ChainError::GasPrice { need_wei, cap_wei }.into());
                }
                journal.note_on_paper(seen.step, &OnPaper { sent_block: newest.number, gas_price_wei: None })?;
                reached(Boundary::DecideSigned);
                newest.number
            }
        };
        reached(Boundary::DecideSent);
        let (number, started) = (sent_block.saturating_add(self.terms.latency_blocks), Instant::now());
        loop {
            let deep = self.view.block_under(self.terms.confirmations).await?;
            if deep.number >= number {
                let block = self.view.block(number).await?;
                let block = block.ok_or_else(|| ChainError::value("block", format!("block {number}"), "none"))?;
                return Ok((sent_block, block));
            }
            if started.elapsed() > self.terms.patience {
                let waited_s = self.terms.patience.as_secs();
                let reason = format!("block {number} is not {} blocks deep after {waited_s} s", self.terms.confirmations);
                return Err(ChainError::Rpc { call: "eth_blockNumber", rpc: self.view.host().to_owned(), reason }.into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The pool as a block left it, with every tick that an order's swap meets; none if no more ticks could fill it.
    async fn pool(&self, block: &BlockSeen, order: &Order) -> Result<Option<Pool>> {
        let slots = self.view.slots(block).await?;
        let root = U256::from_str_radix(&slots.sqrt_price_x96, 10)
            .map_err(|_| ChainError::value("slot0", "a root price", &slots.sqrt_price_x96))?;
        let (down, mut ticks, mut words) = (self.vault.falls(order), FIRST_TICKS, FIRST_WORDS);
        loop {
            let reach = self.view.reach(block, slots.tick, down, ticks, words).await?;
            let at = (root, slots.tick, slots.liquidity);
            let pool = Pool::with_ticks(self.view.fee_pips(), self.view.spacing(), at, reach.ticks).context("the pool's state")?;
            let pool = pool.holding(slots.balances);
            match self.vault.depth(order, &pool, reach.known_to)? {
                Depth::Known => return Ok(Some(pool)),
                Depth::TooThin => return Ok(None),
                Depth::More => (ticks, words) = (ticks.saturating_mul(4), words.saturating_mul(4)),
            }
        }
    }

    /// The accounts now, at the price of the last observation.
    pub(crate) fn ending(&self, last: &Observation) -> Observation {
        let now = self.vault.accounts();
        Observation { quote: now.quote, base: now.base, shares: now.shares, ..last.clone() }
    }
}
