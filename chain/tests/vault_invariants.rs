//! Invariants of the vault under random calls of everybody: after each one, what the tokens and the vault say is held against what may be.
//! `PROBITY_FUZZ_CALLS` calls a vault (150), of two vaults: one plain, one armed with a verifier that lies and with a bond.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use crate::{books, common, hostile, raw};
use books::{Books, Reader};
use common::{DEPOSITOR, DOLLAR, Desk, ETHER, INTERVAL, PRICE, World, hold, order};
use ethers::abi::Token;
use ethers::types::U256;
use hostile::{of_shares, of_token, of_vault, uint};
use probity_chain::{
    Announce, ChainError, Move, Observed, POOL_500, Rpc, ShareFacts, ShareTerms, Terms, USDC, Vault, WETH, Weights, connect,
};
use std::collections::BTreeMap;

/// Key of whoever gets the fees.
const RECIPIENT: &str = "4444444444444444444444444444444444444444444444444444444444444444";
/// Key of a second depositor.
const SECOND: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const MAX_UNPROVEN: u32 = 12;
const SETTLE_WITHIN_S: u32 = 12_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u128) -> u128 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(z ^ (z >> 31)) % n
    }

    /// Mostly anything below the bound, sometimes next to nothing.
    fn amount(&mut self, bound: u128) -> u128 {
        let bound = bound.max(1);
        if self.below(4) == 0 { 1 + self.below(bound.min(5)) } else { 1 + self.below(bound) }
    }
}

/// Who may have gained what the vault has less of.
enum May {
    Nobody,
    Pool,
    Party(usize),
}

struct Fuzz {
    desk: Desk,
    rpc: Rpc,
    reader: Reader,
    /// Operator, and the two depositors.
    parties: [Vault; 3],
    recipient: Vault,
    terms: ShareTerms,
    random: Random,
    armed: bool,
    last_n: u64,
    /// Announcements that were taken, and the decisions before each.
    rotations: Vec<(u32, Announce)>,
    counts: BTreeMap<String, u32>,
}

fn head(after: u32) -> [u8; 32] {
    if after == 0 {
        return common::GENESIS;
    }
    let mut bytes = [0; 32];
    bytes[28..].copy_from_slice(&after.to_be_bytes());
    bytes
}

/// Head after an announcement.
fn announced(step: u32) -> [u8; 32] {
    let mut bytes = head(step);
    bytes[0] = 1;
    bytes
}

impl Fuzz {
    async fn open(seed: u64, armed: bool) -> Self {
        let world = World::stand_in().await;
        let recipient = world.account(RECIPIENT).await;
        // A mean that follows soon, so that there are flows in quote.
        let terms = ShareTerms { window_s: 300, recipient: recipient.address(), management_bps: 500, ..ShareTerms::default() };
        let terms = ShareTerms { performance_bps: if armed { 0 } else { 3_000 }, ..terms };
        let desk = Desk::with(world, POOL_500, 50, &terms).await;
        let recipient = Vault::at(recipient, desk.view().address());
        let rpc = connect(desk.world.chain.url()).unwrap();
        let mut parties = vec![desk.vault.clone()];
        for key in [DEPOSITOR, SECOND] {
            parties.push(Vault::at(desk.world.account(key).await, desk.view().address()));
        }
        if armed {
            let verifier = hostile::deploy(desk.vault.sender(), "TellsVerifier").await;
            let terms =
                Terms { verifier, genesis_state: [0; 32], max_unproven_decisions: MAX_UNPROVEN, max_unproven_seconds: SETTLE_WITHIN_S };
            desk.vault.arm(&terms).await.unwrap();
            desk.vault.pledge(500 * DOLLAR, SETTLE_WITHIN_S).await.unwrap();
        }
        let of = parties.iter().map(Vault::account);
        let accounts: Vec<_> = [desk.view().address(), desk.pool.address].into_iter().chain(of).chain([recipient.account()]).collect();
        let reader = Reader::new(&desk.vault, accounts).await;
        let parties = parties.try_into().unwrap();
        Self {
            desk,
            rpc,
            reader,
            parties,
            recipient,
            terms,
            random: Random(seed),
            armed,
            last_n: 0,
            rotations: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// The head that decision `step` is made on.
    fn head(&self, step: u32) -> [u8; 32] {
        let here = self.rotations.last().is_some_and(|(before, _)| *before == step);
        if here { announced(step) } else { head(step) }
    }

    fn heads(&self, m: Move, step: u32) -> Move {
        Move { head_before: self.head(step), head_after: head(step + 1), ..m }
    }

    /// The weights in z after so many decisions, and how far a settlement from there may go.
    async fn weights(&self, proven: u32) -> (Weights, u32) {
        let commitment = self.desk.view().registration().await.unwrap().0.commitment;
        let (mut w, mut to) = (Weights { commitment, ahead: [0; 32], ahead_step: 0 }, u32::MAX);
        for (before, a) in self.rotations.iter().rev() {
            to = if *before > proven {
                *before
            } else if a.at_step > proven {
                a.at_step
            } else {
                to
            };
        }
        for (before, a) in &self.rotations {
            if a.at_step < proven {
                w.commitment = a.commitment;
            } else if *before < proven {
                (w.ahead, w.ahead_step) = (a.commitment, a.at_step);
            }
        }
        (w, to)
    }

    /// Other weights are announced, or it is refused.
    async fn announce(&mut self, b: &Books) -> (bool, May) {
        let step = u32::try_from(b.steps).unwrap();
        let (wrong, bad) = (self.random.below(6) == 0, self.random.below(6) == 0);
        let at_step = step + 10 + u32::try_from(self.random.below(6)).unwrap();
        let commitment = if bad { [0; 32] } else { announced(at_step) };
        let (before, after) = (if wrong { [7; 32] } else { self.head(step) }, announced(step));
        let a = Announce { commitment, at_step, head_before: before, head_after: after };
        let ahead = self.rotations.last().is_some_and(|(_, r)| r.at_step >= step);
        let foreseen = match () {
            () if b.withdraw_only => Some("WithdrawOnly"),
            () if wrong => Some("WrongHead"),
            () if ahead => Some("RotationAhead"),
            () if at_step < step + 12 => Some("TooLittleNotice"),
            () => bad.then_some("NotAScalar"),
        };
        let result = self.parties[0].announce(&a).await;
        let done = self.took("announcement", result, foreseen);
        if done {
            self.rotations.push((step, a));
        }
        (done, May::Nobody)
    }

    /// What the vault says of its weights is what was announced to it.
    async fn rotated(&mut self, after: &Books) {
        let steps = u32::try_from(after.steps).unwrap();
        let (standing, now) = (self.desk.view().standing().await.unwrap(), self.desk.view().weights().await.unwrap());
        let (z, to) = self.weights(standing.proven_steps).await;
        if self.armed {
            assert_eq!((standing.weights, standing.settles_to), (z, to), "{:?}", self.rotations);
        }
        assert_eq!(standing.head, self.head(steps));
        let last = self.rotations.last();
        assert_eq!(now.ahead_step, last.map_or(0, |(_, a)| if a.at_step > steps { a.at_step } else { 0 }));
        let over: Vec<_> = self.rotations.iter().filter(|(_, a)| a.at_step < steps).map(|(_, a)| (a.at_step, a.commitment)).collect();
        let seen = self.desk.view().rotated(0).await.unwrap();
        assert_eq!(seen.iter().map(|r| (r.step, r.commitment)).collect::<Vec<_>>(), over);
        if !over.is_empty() {
            self.counts.insert("take-over".into(), u32::try_from(over.len()).unwrap());
        }
        // A settlement can end at every place that none may go over.
        let ends: Vec<u32> = self.desk.view().epochs().await.unwrap().iter().map(|e| e.steps).collect();
        if self.armed && to < steps {
            assert!(to <= standing.proven_steps || ends.contains(&to), "{to} of {ends:?}");
        }
    }

    fn pick(&mut self) -> usize {
        usize::try_from(self.random.below(3)).unwrap()
    }

    async fn now_s(&self) -> u64 {
        self.desk.world.chain.time_s().await.unwrap()
    }

    /// Counts a call and says whether it was done; a refusal must be the foreseen one, and only a foreseen one may be.
    fn took<T>(&mut self, what: &str, result: Result<T, ChainError>, foreseen: Option<&str>) -> bool {
        let done = match (result, foreseen) {
            (Ok(_), None) => true,
            (Err(ChainError::Revert { reason, .. }), Some(expected))
                if reason == expected || reason.starts_with(&format!("{expected}(")) =>
            {
                false
            }
            (Err(other), _) => panic!("{what}: foreseen {foreseen:?}, got {other:?}"),
            (Ok(_), Some(expected)) => panic!("{what}: foreseen {expected}, and it was done"),
        };
        *self.counts.entry(format!("{what} {}", if done { "done" } else { "refused" })).or_default() += 1;
        done
    }

    /// One random call, and everything that must hold after it.
    async fn step(&mut self) {
        let before = self.reader.read().await;
        let facts = self.desk.view().share_facts().await.unwrap();
        let kind = self.random.below(15);
        let (done, may) = match kind {
            0 => self.deposit(&before).await,
            2 => self.withdraw(&before).await,
            1 | 3 => self.in_quote(&before).await,
            4..=6 => self.decide(&before, kind == 6).await,
            7 => self.decide_holds(&before).await,
            8 => self.donate(&before).await,
            9 => self.move_price().await,
            10 => self.trespass(&before).await,
            11 => self.settle(&before).await,
            12 => self.pass_on(&before).await,
            13 => self.announce(&before).await,
            _ => self.others(&before).await,
        };
        let after = self.reader.read().await;
        if !done {
            assert_eq!(after, before, "a refused call changed something");
        }
        self.hold(&before, &after, &may);
        self.charged(&before, &after, &facts).await;
        self.rotated(&after).await;
    }

    /// The invariants that know nothing of the call but who may gain by it.
    fn hold(&self, before: &Books, after: &Books, may: &May) {
        let at = format!("{before:?}\n{after:?}");
        let gainer = match may {
            May::Nobody => None,
            May::Pool => Some(1),
            May::Party(i) => Some(2 + i),
        };
        for token in 0..2 {
            let less = before.held[0][token].saturating_sub(after.held[0][token]);
            let gained = gainer.map_or(0, |i| after.held[i][token].saturating_sub(before.held[i][token]));
            assert_eq!(less, less.min(gained), "assets left to another than the pool or a share holder who withdrew: {at}");
            if matches!(may, May::Party(_)) {
                assert_eq!(less, gained, "not all that left arrived: {at}");
            }
        }
        assert!(
            after.held[0][0] >= after.accounts[0] + after.bond && after.held[0][1] >= after.accounts[1],
            "accounts without assets: {at}"
        );
        assert_eq!((after.shares.iter().sum::<u128>() + 1_000, after.supply), (after.total, after.total), "{at}");
        assert!(after.proven <= after.steps && after.steps >= before.steps && after.proven >= before.proven, "{at}");
        assert!(before.withdraw_only <= after.withdraw_only, "{at}");
        // The fees that came with a flow were taken before it.
        let total = before.total + after.shares[3] - before.shares[3];
        if total != after.total && before.accounts[1] != after.accounts[1] {
            // Deposits and withdrawals in kind: of each token, so at any price, a share is worth no less than before, and what is
            // rounded in the vault's favour is less than one raw unit.
            for token in 0..2 {
                let (old, new) = (before.accounts[token], after.accounts[token]);
                assert!(new * total >= old * after.total, "a share lost value: {at}");
                assert!(new.saturating_sub(1) * total < old * after.total || new == 0, "more than a raw unit was kept: {at}");
            }
        }
    }

    /// No fee is more than its terms say, and none is taken twice.
    async fn charged(&mut self, before: &Books, after: &Books, facts: &ShareFacts) {
        let fee = after.shares[3] - before.shares[3];
        let now = self.desk.view().share_facts().await.unwrap();
        assert!(now.high_water_million >= facts.high_water_million && now.fees_until_s >= facts.fees_until_s);
        if fee == 0 {
            assert_eq!(now.fees_until_s, facts.fees_until_s);
            return;
        }
        *self.counts.entry("fee".into()).or_default() += 1;
        let seconds = u128::from(now.fees_until_s - facts.fees_until_s);
        let management = before.total * u128::from(self.terms.management_bps) * seconds / (10_000 * 365 * 86_400);
        assert!(fee >= management, "{fee} of at least {management}");
        if now.high_water_million == facts.high_water_million {
            assert_eq!(fee, management, "no new high water, no performance fee");
        } else {
            *self.counts.entry("performance fee".into()).or_default() += 1;
            // What was charged is a part of what is above the high water before.
            let part = fee - management;
            assert!(
                part * now.high_water_million * 10_000
                    <= (before.total + fee) * (now.high_water_million - facts.high_water_million + 1) * 3_000
            );
        }
    }

    /// Deposits and withdrawals in quote: a share of whoever stays is worth no less, at the price that was worse for who moved.
    async fn in_quote(&mut self, b: &Books) -> (bool, May) {
        let (who, way) = (self.pick(), self.random.below(4));
        let (own, first) = (b.shares[who], self.desk.view().share_facts().await.unwrap());
        let party = self.parties[who].clone();
        let bound = if way < 2 { b.total / 6 } else { own / if who == 0 { 8 } else { 1 } };
        let amount = self.random.amount(bound);
        let result = match way {
            0 => party.deposit(amount, 0).await,
            1 => party.mint(amount, u128::MAX >> 32).await,
            2 => party.withdraw(amount, u128::MAX).await,
            _ => party.redeem(amount, 0).await,
        };
        // The price may have come or gone with the seconds that passed; then it says so.
        let refusal = match &result {
            Ok(()) => None,
            Err(ChainError::Revert { reason, .. }) => Some(reason.clone()),
            Err(other) => panic!("{other:?}"),
        };
        let close = self.desk.view().share_facts().await.unwrap().steady && first.steady;
        let foreseen = match refusal.as_deref() {
            Some("PriceMoved") if !close => Some("PriceMoved"),
            Some("WithdrawOnly") if b.withdraw_only && way < 2 => Some("WithdrawOnly"),
            Some("NotEnoughShares") if amount < 3 => Some("NotEnoughShares"),
            Some(r) if way == 2 && r.starts_with("ERC4626ExceededMaxWithdraw") => Some("ERC4626ExceededMaxWithdraw"),
            Some(r) if way == 3 && r.starts_with("ERC4626ExceededMaxRedeem") => Some("ERC4626ExceededMaxRedeem"),
            _ => None,
        };
        let what = ["quote deposit", "quote mint", "quote withdraw", "quote redeem"][usize::try_from(way).unwrap()];
        let done = self.took(what, result, foreseen);
        if done {
            let after = self.reader.read().await;
            let answer = hostile::ask(&self.rpc, first.address, of_shares("prices", &[])).await;
            let price = U256::from_big_endian(&answer[if way < 2 { 64..96 } else { 32..64 }]);
            let total = U256::from(b.total + after.shares[3] - b.shares[3]);
            let value = |books: &Books| (U256::from(books.accounts[0]) << 64) + U256::from(books.accounts[1]) * price;
            assert!(value(&after) * total >= value(b) * U256::from(after.total), "a share lost value: {b:?}\n{after:?}");
            assert_eq!((after.accounts[1], b.withdraw_only && way < 2), (b.accounts[1], false));
            let moved = after.accounts[0].abs_diff(b.accounts[0]);
            assert_eq!(after.held[2 + who][0].abs_diff(b.held[2 + who][0]), moved, "the accounts are not what was paid");
        }
        (done, if way < 2 { May::Nobody } else { May::Party(who) })
    }

    /// Shares change hands, which moves nothing else; or somebody takes the fees.
    async fn pass_on(&mut self, b: &Books) -> (bool, May) {
        let (from, to) = (self.pick(), self.pick());
        if self.random.below(2) == 0 {
            let result = self.parties[from].accrue().await;
            return (self.took("accrue", result, None), May::Nobody);
        }
        let amount = self.random.amount(b.shares[from] / 20).min(b.shares[from]);
        let data = of_token("transfer", &[Token::Address(self.parties[to].account()), uint(amount)]);
        let shares = self.desk.view().shares_contract().await.unwrap();
        hostile::done(&self.rpc, self.parties[from].account(), shares, data).await;
        let after = self.reader.read().await;
        assert_eq!((after.accounts, after.total, &after.held), (b.accounts, b.total, &b.held), "a transfer of shares moved more");
        assert_eq!(after.shares.iter().sum::<u128>(), b.shares.iter().sum::<u128>());
        (self.took("share transfer", Ok(()), None), May::Nobody)
    }

    async fn deposit(&mut self, b: &Books) -> (bool, May) {
        let who = self.pick();
        let shares = self.random.amount(b.total / 6);
        let result = self.parties[who].deposit_in_kind(shares, b.accounts[0], b.accounts[1]).await;
        (self.took("deposit", result, b.withdraw_only.then_some("WithdrawOnly")), May::Nobody)
    }

    async fn withdraw(&mut self, b: &Books) -> (bool, May) {
        let who = self.pick();
        let own = b.shares[who];
        // The operator keeps most of his, so that the vault does not run dry.
        let shares = match self.random.below(6) {
            0 => own + 1,
            1 if who != 0 && own != 0 => own,
            _ => self.random.amount(if who == 0 { own / 8 } else { own }),
        };
        let result = self.parties[who].redeem_in_kind(shares).await;
        (self.took("withdraw", result, (shares > own).then_some("NotEnoughShares")), May::Party(who))
    }

    /// The interval that can be decided now, waiting for it if there is none yet.
    async fn next(&mut self) -> (u64, Observed) {
        let now = (self.now_s().await - self.desk.genesis_s) / u64::from(INTERVAL);
        let n = now.max(self.last_n + 1);
        let seen = self.desk.observe(n).await;
        (n, seen)
    }

    async fn decide(&mut self, b: &Books, late: bool) -> (bool, May) {
        let (n, seen) = self.next().await;
        if late {
            self.desk.world.chain.advance_to(self.desk.due(n + 1) + 5).await.unwrap();
        }
        let (buy, slippage) = (self.random.below(2) == 0, self.random.below(60));
        let made = match self.random.below(4) {
            0 => hold(0),
            _ if buy => order(&seen, true, self.random.amount((b.accounts[0] / 4).min(28_000 * DOLLAR)), slippage),
            _ => order(&seen, false, self.random.amount((b.accounts[1] / 4).min(14 * ETHER)), slippage),
        };
        let made = self.heads(made, seen.step);
        let since = self.desk.view().standing().await.unwrap().first_unproven_time_s;
        let many = self.armed && b.steps + 1 - b.proven > u128::from(MAX_UNPROVEN);
        let old = self.armed && b.steps > b.proven && self.now_s().await + 60 > since + u64::from(SETTLE_WITHIN_S);
        let idle = late || many || old || b.withdraw_only;
        let least = made.order.map_or(0, |(_, amount, _)| order(&seen, buy, amount, 50).order.unwrap().2);
        let foreseen = match made.order {
            Some((_, amount, min_out)) if !idle => {
                let worth = if buy { amount } else { (amount * seen.price_x64) >> 64 };
                (worth > 25_000 * DOLLAR || min_out < least).then_some("LimitBreached")
            }
            _ => None,
        };
        let result = self.desk.vault.decide(&seen, &made, &[]).await;
        let outcome = result.as_ref().ok().cloned();
        let what = if late { "late decision" } else { "decision" };
        let done = self.took(what, result, foreseen);
        let Some(outcome) = outcome else { return (false, May::Nobody) };
        self.last_n = n;
        assert!(!(idle && outcome.executed), "an order that may not trade did");
        let after = self.reader.read().await;
        let Some((_, amount, min_out)) = made.order.filter(|_| outcome.executed) else {
            assert_eq!((after.accounts, &after.held), (b.accounts, &b.held), "a decision without a fill moved something");
            return (done, May::Nobody);
        };
        *self.counts.entry("fill".into()).or_default() += 1;
        assert!(outcome.amount_out >= min_out);
        let (given, taken) = if buy { (0, 1) } else { (1, 0) };
        for (of_vault, of_pool) in [
            (b.accounts[given] - after.accounts[given], 0),
            (b.held[0][given] - after.held[0][given], after.held[1][given] - b.held[1][given]),
        ] {
            assert!(of_vault == amount && (of_pool == 0 || of_pool == amount));
        }
        assert_eq!(after.accounts[taken] - b.accounts[taken], outcome.amount_out);
        assert_eq!(after.held[0][taken] - b.held[0][taken], outcome.amount_out);
        (done, May::Pool)
    }

    async fn decide_holds(&mut self, b: &Books) -> (bool, May) {
        let count = 1 + u32::try_from(self.random.below(3)).unwrap();
        let (n, first) = self.next().await;
        let mut all = vec![(first.clone(), self.heads(hold(0), first.step))];
        for i in 1..count {
            let mut seen = self.desk.observe(n + u64::from(i)).await;
            (seen.step, seen.quote, seen.base, seen.shares, seen.fill) = (first.step + i, b.accounts[0], b.accounts[1], b.total, None);
            all.push((seen, self.heads(hold(0), first.step + i)));
        }
        let bad = self.random.below(3) == 0;
        if bad {
            let (seen, made) = all.last_mut().unwrap();
            made.order = order(seen, true, DOLLAR, 50).order;
        }
        let result = self.desk.vault.decide_holds(&all).await;
        let done = self.took("holds", result, bad.then_some("OnlyHolds"));
        if done {
            self.last_n = n + u64::from(count) - 1;
        }
        (done, May::Nobody)
    }

    /// A gift changes balances and no account.
    async fn donate(&mut self, b: &Books) -> (bool, May) {
        let (who, i) = (1 + usize::try_from(self.random.below(2)).unwrap(), usize::try_from(self.random.below(2)).unwrap());
        let amount = self.random.amount(b.held[2 + who][i] / 50);
        let data = of_token("transfer", &[Token::Address(self.desk.view().address()), uint(amount)]);
        hostile::done(&self.rpc, self.parties[who].account(), [USDC, WETH][i], data).await;
        assert!(self.took("gift", Ok(()), None));
        let after = self.reader.read().await;
        assert_eq!((after.accounts, after.total, &after.shares), (b.accounts, b.total, &b.shares), "a gift moved the accounts");
        assert_eq!(after.held[0][i], b.held[0][i] + amount);
        (true, May::Nobody)
    }

    async fn move_price(&mut self) -> (bool, May) {
        let to = PRICE * (9_700 + self.random.below(600)) / 10_000;
        let result = self.desk.world.chain.move_price(&self.desk.pool, to).await;
        (self.took("price move", result, None), May::Nobody)
    }

    /// A stranger does what is the operator's.
    async fn trespass(&mut self, b: &Books) -> (bool, May) {
        let stranger = self.parties[1 + usize::try_from(self.random.below(2)).unwrap()].clone();
        let (now, kind) = (self.now_s().await, self.random.below(10));
        let step = u32::try_from(b.steps).unwrap();
        let result = match kind {
            0 => stranger.seed(DOLLAR, ETHER).await,
            1 => stranger.register(&common::promise(now)).await,
            2 => stranger.arm(&Terms { verifier: USDC, genesis_state: [0; 32], max_unproven_decisions: 1, max_unproven_seconds: 1 }).await,
            3 => stranger.pledge(DOLLAR, SETTLE_WITHIN_S).await,
            4 => stranger.close().await,
            5 => stranger.reclaim().await,
            9 => {
                let a = Announce { commitment: [1; 32], at_step: step + 12, head_before: self.head(step), head_after: [1; 32] };
                stranger.announce(&a).await.map(drop)
            }
            6 => stranger.post_proof(step, head(step), b"x").await.map(drop),
            7 => {
                let (_, seen) = self.next().await;
                stranger.decide(&seen, &self.heads(hold(0), seen.step), &[]).await.map(drop)
            }
            _ => {
                let (_, seen) = self.next().await;
                stranger.decide_holds(&[(seen.clone(), self.heads(hold(0), seen.step))]).await.map(drop)
            }
        };
        (self.took("trespass", result, Some("NotOperator")), May::Nobody)
    }

    /// Settlements true and false before a verifier that believes everything; epochs.
    async fn settle(&mut self, b: &Books) -> (bool, May) {
        let caller = self.parties[self.pick()].clone();
        let nothing = b.steps == b.proven;
        if !self.armed || self.random.below(3) == 0 {
            let ends = self.desk.view().epochs().await.unwrap().last().map(|e| u128::from(e.steps)) == Some(b.steps);
            let foreseen = if !self.armed { Some("NotArmed") } else { (nothing || ends).then_some("NothingToSettle") };
            let result = caller.close_epoch().await;
            return (self.took("epoch", result, foreseen), May::Nobody);
        }
        let standing = self.desk.view().standing().await.unwrap();
        let (mut words, mut epoch) = ([[0; 32]; 9], None);
        // Without an announcement: no proof ends at the head after one.
        (words[0], words[1], words[7]) = (standing.trail, standing.fingerprint, head(standing.steps));
        words[6][28..].copy_from_slice(&standing.steps.to_be_bytes());
        let epochs = self.desk.view().epochs().await.unwrap();
        if self.random.below(2) == 0 && !epochs.is_empty() {
            let index = usize::try_from(self.random.below(u128::try_from(epochs.len()).unwrap())).unwrap();
            let e = &epochs[index];
            (words[0], words[1], words[7], epoch) = (e.trail, e.fingerprint, e.head, Some((u32::try_from(index).unwrap(), e.steps)));
            words[6][28..].copy_from_slice(&e.steps.to_be_bytes());
        }
        let nothing = epoch.map_or(nothing, |(_, steps)| u128::from(steps) <= b.proven);
        let bad = self.random.below(2) == 0;
        if bad {
            words[[0, 1, 6, 7][usize::try_from(self.random.below(4)).unwrap()]][31] ^= 1;
        }
        let bytes = words.concat();
        let crosses = epoch.map_or(standing.steps, |(_, steps)| steps) > self.weights(standing.proven_steps).await.1;
        let foreseen = match () {
            () if nothing => Some("NothingToSettle"),
            () if crosses => Some("CrossesRotation"),
            () => bad.then_some("SettlesOtherDecisions"),
        };
        let result = match epoch {
            Some((index, _)) => caller.settle_epoch(index, &bytes).await,
            None => caller.settle(&bytes).await,
        };
        (self.took("settlement", result, foreseen), May::Nobody)
    }

    /// What is refused to everybody, and the deadline.
    async fn others(&mut self, b: &Books) -> (bool, May) {
        let who = self.pick();
        let int = |v: u128| Token::Int(v.into());
        let (what, data) = match self.random.below(4) {
            0 => {
                let result = self.desk.vault.seed(DOLLAR, ETHER).await;
                let foreseen = if b.withdraw_only { "WithdrawOnly" } else { "AlreadySeeded" };
                return (self.took("second seed", result, Some(foreseen)), May::Nobody);
            }
            1 => ("NotSelf", of_vault("executeSwap", &[uint(1), uint(DOLLAR), uint(0)])),
            2 => ("NotPool", of_vault("uniswapV3SwapCallback", &[int(DOLLAR), int(0), Token::Bytes(Vec::new())])),
            _ => return self.miss(b, who).await,
        };
        let (account, vault) = (self.parties[who].account(), self.desk.view().address());
        let why = raw::refusal(&self.rpc, account, vault, data.clone()).await.unwrap();
        assert!(why.contains(&hostile::error(what)), "{why}");
        assert_eq!(raw::send(&self.rpc, account, vault, data, 500_000).await.status, Some(0.into()));
        (false, May::Nobody)
    }

    async fn miss(&mut self, b: &Books, who: usize) -> (bool, May) {
        let until = self.desk.view().standing().await.unwrap().first_unproven_time_s + u64::from(SETTLE_WITHIN_S);
        let early = self.now_s().await <= until;
        let foreseen = match () {
            () if !self.armed => Some("NotArmed"),
            () if b.steps == b.proven => Some("NothingToSettle"),
            () if early => Some("DeadlineNotMissed"),
            () => b.withdraw_only.then_some("WithdrawOnly"),
        };
        let result = self.parties[who].miss().await;
        let done = self.took("miss", result, foreseen);
        if done {
            let after = self.reader.read().await;
            assert_eq!((after.accounts[0], after.bond), (b.accounts[0] + b.bond, 0));
            assert_eq!((after.accounts[1], after.total, &after.held), (b.accounts[1], b.total, &b.held));
        }
        (done, May::Nobody)
    }

    /// The end: the bond falls to the share holders if there is one, and everybody leaves.
    async fn end(&mut self) {
        let mut b = self.reader.read().await;
        if self.armed && !b.withdraw_only {
            if b.steps == b.proven {
                let (_, seen) = self.next().await;
                self.desk.vault.decide(&seen, &self.heads(hold(0), seen.step), &[]).await.unwrap();
                b = self.reader.read().await;
            }
            let since = self.desk.view().standing().await.unwrap().first_unproven_time_s;
            let until = since + u64::from(SETTLE_WITHIN_S) + 1;
            if self.now_s().await < until {
                self.desk.world.chain.advance_to(until).await.unwrap();
            }
            assert!(self.miss(&b, 1).await.0);
        }
        for who in 0..4 {
            let before = self.reader.read().await;
            if before.shares[who] != 0 {
                let party = self.parties.get(who).unwrap_or(&self.recipient);
                party.redeem_in_kind(before.shares[who]).await.unwrap();
            }
            let after = self.reader.read().await;
            self.hold(&before, &after, &May::Party(who));
        }
        let last = self.reader.read().await;
        // The recipient's own leaving took a last fee.
        let left = last.shares[3];
        assert_eq!((last.total, &last.shares[..3], last.bond), (1_000 + left, &[0; 3][..], 0));
    }
}

async fn fuzz(seed: u64, armed: bool, must: &[&str]) {
    let calls = std::env::var("PROBITY_FUZZ_CALLS").map_or(150, |n| n.parse().unwrap());
    let mut fuzz = Fuzz::open(seed, armed).await;
    for _ in 0..calls {
        fuzz.step().await;
    }
    fuzz.end().await;
    println!("{calls} calls: {:?}", fuzz.counts);
    for what in must {
        assert!(fuzz.counts.contains_key(*what), "nothing was shown of \"{what}\"");
    }
}

#[tokio::test]
async fn a_plain_vault_keeps_its_invariants() {
    fuzz(
        1,
        false,
        &[
            "deposit done",
            "withdraw done",
            "withdraw refused",
            "fill",
            "late decision done",
            "holds done",
            "gift done",
            "announcement done",
            "announcement refused",
            "take-over",
            "quote deposit done",
            "quote redeem done",
            "fee",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_armed_vault_keeps_its_invariants() {
    fuzz(
        2,
        true,
        &[
            "deposit done",
            "withdraw done",
            "fill",
            "holds done",
            "settlement done",
            "settlement refused",
            "epoch done",
            "announcement done",
            "take-over",
            "miss done",
            "quote mint done",
            "fee",
        ],
    )
    .await;
}
