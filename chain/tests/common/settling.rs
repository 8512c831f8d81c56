//! A vault that is armed, with what its operator knows of it: decides with the engine and settles.

use crate::agent;
use crate::common::{DOLLAR, ETHER, INTERVAL, OPERATOR, World, refused};
use probity_chain::{
    Address, Announce, Move, Observed, Outcome, POOL_500, PoolInfo, Promise, SettlementVerifier, Terms, USDC, Vault, WETH,
};
use probity_prover::{Position, Settlement, Settler};
use probity_strategy::{Mandate, Model, Observation, Side};
use probity_verifier::{Digest, Rotation, Salt, Scalar, SettlementDomain, SettlementSetup, Trail};
use std::sync::Arc;

/// What a settlement can be made of: decisions between two places where a range has to end.
pub(crate) struct Stretch {
    pub(crate) from: Position,
    trail: Trail,
    observations: Vec<Observation>,
}

/// A vault with its operator's knowledge of it.
pub(crate) struct Armed<'a> {
    world: &'a World,
    pub(crate) vault: Vault,
    pub(crate) settler: Settler,
    mandate: Mandate,
    position: Position,
    pub(crate) trail: Trail,
    settled: Position,
    settled_trail: Trail,
    /// Observations that await their settlement.
    waiting: Vec<Observation>,
    /// Before an announcement or a take-over, what awaited its settlement there.
    pub(crate) ended: Vec<Stretch>,
}

fn address(a: Address) -> String {
    format!("{a:?}")
}

impl<'a> Armed<'a> {
    pub(crate) async fn open(
        world: &'a World,
        setup: &Arc<SettlementSetup>,
        verifier: &SettlementVerifier,
        model: Model,
        terms: (u32, u32),
    ) -> Armed<'a> {
        Self::open_announced(world, setup, verifier, model, terms, None).await
    }

    /// The same; other weights may be announced before the vault is armed.
    pub(crate) async fn open_announced(
        world: &'a World,
        setup: &Arc<SettlementSetup>,
        verifier: &SettlementVerifier,
        model: Model,
        (most, seconds): (u32, u32),
        other: Option<(Model, Salt, u32)>,
    ) -> Armed<'a> {
        let operator = world.account(OPERATOR).await;
        let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
        let vault = Vault::deploy(operator, USDC, WETH, pool.address).await.unwrap();
        vault.seed(100_000 * DOLLAR, 50 * ETHER).await.unwrap();
        let mut mandate = agent::mandate(setup.model.clone(), 4);
        mandate.chain_id = 1;
        mandate.vault = address(vault.view().address());
        mandate.pool = address(pool.address);
        mandate.base_is_token1 = pool.base_is_token1;
        mandate.interval_s = INTERVAL;
        mandate.genesis_time_s = world.chain.time_s().await.unwrap();
        mandate.limits.warmup_steps = 0;
        let settler = Settler::new(setup.clone(), mandate.clone(), model, agent::salt()).unwrap();
        let genesis = settler.genesis();
        let z = settler.z(&genesis);
        let digest = |i: usize| Digest::from_scalar(z[i]);
        let promise = Promise {
            mandate_digest: digest(1).to_bytes(),
            commitment: digest(0).to_bytes(),
            genesis_head: digest(5).to_bytes(),
            genesis_time_s: mandate.genesis_time_s,
            interval_s: mandate.interval_s,
            max_trade_quote: mandate.limits.max_trade_quote.raw(),
            max_slippage_bps: mandate.limits.max_slippage_bps,
        };
        vault.register(&promise).await.unwrap();
        let mut desk = Self {
            world,
            trail: Trail { value: [0; 32], fingerprint: Scalar::from(0) },
            settled_trail: Trail { value: [0; 32], fingerprint: Scalar::from(0) },
            vault,
            settler,
            mandate,
            position: genesis.clone(),
            settled: genesis,
            waiting: Vec::new(),
            ended: Vec::new(),
        };
        if let Some((model, salt, at_step)) = other {
            let (announce, position) = desk.announcement(model, salt, at_step);
            desk.vault.announce(&announce).await.unwrap();
            desk.announced(position);
        }
        let terms = Terms {
            verifier: verifier.address(),
            genesis_state: digest(6).to_bytes(),
            max_unproven_decisions: most,
            max_unproven_seconds: seconds,
        };
        desk.vault.arm(&terms).await.unwrap();
        refused(desk.vault.arm(&terms).await, "AlreadyArmed");
        let start = Trail { value: desk.domain(0, 0), fingerprint: Scalar::from(0) };
        Self { trail: start, settled_trail: start, ..desk }
    }

    fn domain(&self, from: u32, to: u32) -> [u8; 32] {
        let z = self.settler.z(&self.settler.genesis());
        let digest = |i: usize| Digest::from_scalar(z[i]);
        SettlementDomain {
            chain_id: self.mandate.chain_id,
            vault: self.vault.view().address().0,
            mandate: digest(1),
            commitment: digest(0),
            genesis_head: digest(5),
            genesis_state: digest(6),
            from,
            to,
        }
        .digest()
    }

    /// What other weights' announcement before the next decision would be, and where it leads.
    pub(crate) fn announcement(&mut self, model: Model, salt: Salt, at_step: u32) -> (Announce, Position) {
        let commitment = self.settler.provide(model, salt).unwrap();
        let position = self.settler.announce(&self.position, &Rotation { commitment, at_step }).unwrap();
        let (before, after) = (self.position.head().to_bytes(), position.head().to_bytes());
        (Announce { commitment: commitment.to_bytes(), at_step, head_before: before, head_after: after }, position)
    }

    /// It was announced: no settlement goes over this place.
    pub(crate) fn announced(&mut self, position: Position) {
        self.cut();
        (self.position, self.settled) = (position.clone(), position);
    }

    fn cut(&mut self) {
        if !self.waiting.is_empty() {
            let observations = std::mem::take(&mut self.waiting);
            self.ended.push(Stretch { from: self.settled.clone(), trail: self.settled_trail, observations });
            self.done();
        }
    }

    /// A settlement of one stretch.
    pub(crate) fn stretch(&self, s: &Stretch) -> Settlement {
        let to = s.from.decisions() + u32::try_from(s.observations.len()).unwrap();
        self.settler.settle(&s.from, s.trail, self.domain(s.from.decisions(), to), &s.observations).unwrap()
    }

    /// The first stretch that ended, settled as an epoch; returns the gas used.
    pub(crate) async fn settle_ended(&mut self, epoch: u32) -> u64 {
        let stretch = self.ended.remove(0);
        let settlement = self.stretch(&stretch);
        self.vault.settle_epoch(epoch, &settlement.bytes).await.unwrap()
    }

    /// Observes at the nth interval and decides.
    pub(crate) async fn next(&mut self, n: u64) -> (Observed, Move) {
        if self.position.ahead().is_some_and(|r| r.at_step == self.position.decisions()) {
            self.cut();
        }
        let due = self.mandate.genesis_time_s + n * u64::from(INTERVAL);
        if self.world.chain.time_s().await.unwrap() < due {
            self.world.chain.advance_to(due).await.unwrap();
        }
        let seen = self.vault.view().observe(due).await.unwrap();
        let (after, records) = self.settler.advance(&self.position, &[seen.observation().unwrap()]).unwrap();
        assert_eq!(self.settler.follow(&mut self.trail, &self.position, &records).len(), 1);
        let order = records[0].decision.order.as_ref().map(|o| (o.side == Side::Buy, o.amount_in.raw(), o.min_out));
        let made = Move { order, head_before: self.position.head().to_bytes(), head_after: after.head().to_bytes() };
        self.position = after;
        self.waiting.push(seen.observation().unwrap());
        (seen, made)
    }

    /// A settlement of everything decided so far.
    pub(crate) fn settlement(&self) -> Settlement {
        let domain = self.domain(self.settled.decisions(), self.position.decisions());
        self.settler.settle(&self.settled, self.settled_trail, domain, &self.waiting).unwrap()
    }

    /// What is decided so far is settled.
    pub(crate) fn done(&mut self) {
        (self.settled, self.settled_trail) = (self.position.clone(), self.trail);
        self.waiting.clear();
    }

    /// Decides without a settlement.
    pub(crate) async fn decide(&mut self, n: u64) -> (Move, Outcome) {
        let (seen, made) = self.next(n).await;
        let outcome = self.vault.decide(&seen, &made, &[]).await.unwrap();
        (made, outcome)
    }

    /// Decides with a settlement of everything up to the decision in the same transaction.
    pub(crate) async fn decide_settled(&mut self, n: u64) -> (Move, Outcome) {
        let (seen, made) = self.next(n).await;
        let settlement = self.settlement();
        let outcome = self.vault.decide_settled(&seen, &made, &settlement.bytes).await.unwrap();
        self.done();
        (made, outcome)
    }
}
