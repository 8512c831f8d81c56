//! The fees of a vault's shares: what the terms say and no more, nothing twice, none at a moved price, none once the vault is closed; each is a
//! declared flow of shares without tokens.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::{common, raw};
use common::{DOLLAR, Desk, OPERATOR, PRICE, World, hold};
use ethers::abi::Token;
use probity_chain::{POOL_500, ShareTerms, Vault, connect};

/// Key of whoever gets the fees.
const RECIPIENT: &str = "4444444444444444444444444444444444444444444444444444444444444444";
const YEAR_S: u64 = 365 * 86_400;
const WINDOW_S: u32 = 3_600;

struct Charged {
    desk: Desk,
    recipient: Vault,
}

impl Charged {
    async fn open(management_bps: u16, performance_bps: u16) -> Self {
        let world = World::stand_in().await;
        let later = world.chain.time_s().await.unwrap() + 5_000;
        world.chain.advance_to(later).await.unwrap();
        let account = world.account(RECIPIENT).await;
        let terms = ShareTerms { management_bps, performance_bps, recipient: account.address(), window_s: WINDOW_S, max_deviation: 100 };
        let desk = Desk::with(world, POOL_500, 50, &terms).await;
        let recipient = Vault::at(account, desk.view().address());
        Self { desk, recipient }
    }

    async fn fees(&self) -> u128 {
        self.desk.view().shares_of(self.recipient.account()).await.unwrap()
    }

    async fn until(&self) -> u64 {
        self.desk.view().share_facts().await.unwrap().fees_until_s
    }

    async fn wait(&self, seconds: u64) {
        let to = self.desk.world.chain.time_s().await.unwrap() + seconds;
        self.desk.world.chain.advance_to(to).await.unwrap();
    }

    async fn price(&self, to: u128) {
        self.desk.world.chain.move_price(&self.desk.pool, to).await.unwrap();
    }
}

#[tokio::test]
async fn the_management_fee_is_what_it_says_once_and_a_declared_flow() {
    let c = Charged::open(200, 0).await;
    let (first, total) = (c.until().await, 100_000 * DOLLAR);
    c.wait(YEAR_S / 2).await;
    let before = c.desk.view().share_facts().await.unwrap();
    c.recipient.accrue().await.unwrap();
    let passed = u128::from(c.until().await - first);
    let due = |shares: u128, seconds: u128| shares * 200 * seconds / (10_000 * u128::from(YEAR_S));
    let fee = c.fees().await;
    assert_eq!(fee, due(total, passed));
    assert!(fee > total / 101, "half a year at two in a hundred: {fee}");
    // A share is worth what it was told to be with the fee due, and the whole as much as before.
    let after = c.desk.view().share_facts().await.unwrap();
    assert!(after.million_shares.abs_diff(before.million_shares) <= 1 && after.total_assets == before.total_assets);
    let at = c.until().await;
    c.desk.vault.accrue().await.unwrap();
    assert_eq!(c.fees().await - fee, due(total + fee, u128::from(c.until().await - at)), "only the seconds since");

    // It is in the next observation but one, with no token moved, and tells itself from a deposit.
    let owed = c.desk.view().balances().await.unwrap();
    let flow = c.desk.view().flows(0).await.unwrap().pop().unwrap();
    assert_eq!((flow.account, flow.deposit, flow.quote, flow.base), (c.recipient.account(), true, 0, 0));
    assert!(flow.is_fee() && !c.desk.view().flows(0).await.unwrap()[0].is_fee());
    let n = YEAR_S / 2 / 300 + 2;
    let seen = c.desk.observe(n).await;
    assert_eq!(seen.shares, total, "as they were right after the registration");
    c.desk.vault.decide(&seen, &hold(0), &[]).await.unwrap();
    let next = c.desk.observe(n + 1).await;
    assert_eq!((next.shares, next.quote, next.base), (owed.shares, seen.quote, seen.base));

    // Somebody who comes now pays for nothing that was before him; he who leaves pays for the time he stayed.
    c.wait(YEAR_S / 10).await;
    let (own, all) = (c.fees().await, c.desk.view().balances().await.unwrap().shares);
    let since = c.until().await;
    c.desk.vault.deposit_in_kind(all / 2, 1 << 90, 1 << 90).await.unwrap();
    assert_eq!(c.fees().await - own, due(all, u128::from(c.until().await - since)));
    let (own, all, since) = (c.fees().await, c.desk.view().balances().await.unwrap().shares, c.until().await);
    c.wait(YEAR_S / 10).await;
    c.desk.vault.redeem_in_kind(all / 4).await.unwrap();
    assert_eq!(c.fees().await - own, due(all, u128::from(c.until().await - since)));

    // Closed, it costs nothing any more, whatever time passes.
    c.desk.vault.close().await.unwrap();
    let own = c.fees().await;
    c.wait(YEAR_S).await;
    c.recipient.accrue().await.unwrap();
    c.desk.vault.redeem_in_kind(1_000_000).await.unwrap();
    assert_eq!(c.fees().await, own);
    c.recipient.redeem_in_kind(own).await.unwrap();
}

#[tokio::test]
async fn the_performance_fee_is_of_gains_above_the_highest_only_and_not_of_a_moved_price() {
    let c = Charged::open(0, 2_000).await;
    let total = 100_000 * DOLLAR;
    let start = c.desk.view().share_facts().await.unwrap();
    assert!(start.steady && start.high_water_million > 1_999_000, "set with the first deposit: {start:?}");
    c.recipient.accrue().await.unwrap();
    assert_eq!(c.fees().await, 0, "nothing was gained");
    // Within the guard's bound, the lower of price and mean counts.
    c.price(PRICE * 1_008 / 1_000).await;
    c.recipient.accrue().await.unwrap();
    assert_eq!(c.fees().await, 0);
    // A price that is moved now is not charged for, by nobody and in no flow.
    c.price(PRICE * 11 / 10).await;
    c.recipient.accrue().await.unwrap();
    c.desk.vault.redeem_in_kind(DOLLAR).await.unwrap();
    c.desk.vault.deposit_in_kind(DOLLAR, 1 << 90, 1 << 90).await.unwrap();
    assert_eq!((c.fees().await, c.desk.view().share_facts().await.unwrap().high_water_million), (0, start.high_water_million));

    // A gain that stays is charged once: a fifth of it, in shares.
    c.price(PRICE * 11 / 10).await;
    c.wait(WINDOW_S.into()).await;
    let before = c.desk.view().balances().await.unwrap();
    c.recipient.accrue().await.unwrap();
    let (fee, facts) = (c.fees().await, c.desk.view().share_facts().await.unwrap());
    // Half the accounts is base, so a share gained 5 %; a fifth of that is 1 % of 105 %.
    let worth = facts.total_assets * fee / (total + fee);
    let gain = facts.total_assets - start.total_assets;
    assert!(worth < gain / 5 && worth * 1_000 > gain * 197, "{worth} of a gain of {gain}");
    assert_eq!(c.desk.view().balances().await.unwrap().quote, before.quote);
    assert!(facts.million_shares * total / 1_000_000 > start.total_assets * 1_039 / 1_000);
    for _ in 0..2 {
        c.recipient.accrue().await.unwrap();
    }
    assert_eq!(c.fees().await, fee);
    // Down and up again to where it was: nothing, and somebody who left meanwhile took nothing along.
    c.price(PRICE).await;
    c.wait(WINDOW_S.into()).await;
    c.desk.vault.redeem_in_kind(10_000 * DOLLAR).await.unwrap();
    c.price(PRICE * 11 / 10).await;
    c.wait(WINDOW_S.into()).await;
    c.recipient.accrue().await.unwrap();
    assert_eq!(c.fees().await, fee, "a level is charged for once");
    // Higher: only what is above.
    c.price(PRICE * 12 / 10).await;
    c.wait(WINDOW_S.into()).await;
    c.desk.vault.redeem_in_kind(1_000).await.unwrap();
    assert!(c.fees().await > fee, "whoever leaves in kind settles what can be told");
    // Gas that keeps the price from being asked is refused, so that nobody leaves without it.
    let again = c.fees().await;
    c.price(PRICE * 13 / 10).await;
    c.wait(WINDOW_S.into()).await;
    let (rpc, own) = (connect(c.desk.world.chain.url()).unwrap(), c.desk.vault.account());
    let shares = c.desk.view().shares_contract().await.unwrap();
    let leave = [Token::Uint(1_000.into()), Token::Address(own), Token::Address(own)];
    let data = raw::encode("out/ProbityShares.json", "redeemInKind", &leave);
    assert_eq!(raw::send(&rpc, own, shares, data, 430_000).await.status, Some(0.into()));
    c.desk.vault.close().await.unwrap();
    c.recipient.accrue().await.unwrap();
    assert_eq!(c.fees().await, again, "a closed vault charges nothing");
    assert_eq!(c.desk.vault.account(), c.desk.world.account(OPERATOR).await.address());
}
