//! The vault's life on a development chain: registration, decisions, fills, flows, proofs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use common::{DEPOSITOR, DOLLAR, Desk, ETHER, GENESIS, INTERVAL, OPERATOR, PRICE, World, head, hold, order, promise, refused};
use probity_chain::{Balances, POOL_500, Promise, USDC, Vault, WETH};

#[tokio::test]
async fn registration_comes_once_and_before_the_first_decision() {
    let world = World::stand_in().await;
    let (operator, stranger) = (world.account(OPERATOR).await, world.account(DEPOSITOR).await);
    let vault = Vault::deploy(operator, USDC, WETH, POOL_500).await.unwrap();
    assert!(vault.view().code_matches().await.unwrap());
    let now = world.chain.time_s().await.unwrap();
    refused(vault.register(&promise(now)).await, "NotSeeded");
    let foreign = Vault::at(stranger, vault.view().address());
    refused(foreign.seed(100_000 * DOLLAR, ETHER).await, "NotOperator");
    refused(foreign.deposit_in_kind(1, 1, 1).await, "NotSeeded");
    refused(vault.seed(1_000, ETHER).await, "SeedTooSmall(least: 1001)");
    vault.seed(100_000 * DOLLAR, 50 * ETHER).await.unwrap();
    refused(vault.seed(100_000 * DOLLAR, 50 * ETHER).await, "AlreadySeeded");

    refused(vault.view().observe(now).await, "NotRegistered");
    refused(vault.post_proof(0, [0; 32], b"proof").await, "NotRegistered");
    refused(foreign.register(&promise(now)).await, "NotOperator");
    let now = world.chain.time_s().await.unwrap();
    let past = now - u64::from(INTERVAL) - 60;
    for bad in [
        Promise { interval_s: 0, ..promise(now) },
        Promise { max_slippage_bps: 10_001, ..promise(now) },
        Promise { max_trade_quote: 0, ..promise(now) },
        promise(past),
        promise(now + 2 * 86_400),
    ] {
        refused(vault.register(&bad).await, "RegistrationOutOfRange");
    }
    let now = world.chain.time_s().await.unwrap();
    vault.register(&promise(now)).await.unwrap();
    refused(vault.register(&promise(now)).await, "AlreadyRegistered");
    assert_eq!(vault.view().position().await.unwrap(), (0, GENESIS));

    let desk = Desk { pool: probity_chain::PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap(), world, vault, genesis_s: now };
    let seen = desk.observe(1).await;
    let outcome = desk.vault.decide(&seen, &hold(0), &[]).await.unwrap();
    refused(desk.vault.register(&promise(now)).await, "AlreadyRegistered");
    let (registered, block) = desk.view().registration().await.unwrap();
    assert_eq!(registered, promise(now));
    assert!(block < outcome.block_number);
    assert_eq!(desk.view().operator().await.unwrap(), desk.world.account(OPERATOR).await.address());
}

#[tokio::test]
async fn trades_are_filled_recorded_and_equal_the_pools_own_swaps() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    assert_eq!((seen.step, seen.time_s, seen.fill), (0, desk.due(1), None));
    assert!(seen.price_x64.abs_diff(PRICE) < PRICE / 5_000, "the mean of a quiet market is its price, to a tick: {}", seen.price_x64);
    let (spent, sold) = (20_000 * DOLLAR, 7 * ETHER);
    let buy = order(&seen, true, spent, 50);
    let bought = desk.vault.decide(&seen, &buy, &[]).await.unwrap();
    assert!(bought.executed && bought.amount_out > 9_980 * ETHER / 1_000, "{bought:?}");
    assert_eq!(desk.view().position().await.unwrap(), (1, head(1)));

    let next = desk.observe(2).await;
    assert_eq!((next.fill, next.quote, next.base), (Some(bought.amount_out), seen.quote - spent, seen.base + bought.amount_out));
    let sell = order(&next, false, sold, 50);
    let earned = desk.vault.decide(&next, &sell, &[]).await.unwrap();
    let last = desk.observe(3).await;
    assert_eq!((last.fill, last.base), (Some(earned.amount_out), next.base - sold));

    let decided = desk.view().decided(0).await.unwrap();
    assert_eq!(
        decided.iter().map(|d| (&d.observed, &d.decided, &d.outcome)).collect::<Vec<_>>(),
        [(&seen, &buy, &bought), (&next, &sell, &earned)]
    );
    let raw = |v: u128| i128::try_from(v).unwrap();
    let swaps = desk.view().swaps(0).await.unwrap();
    let expected = [(bought.tx_hash, raw(spent), -raw(bought.amount_out)), (earned.tx_hash, -raw(earned.amount_out), raw(sold))];
    assert_eq!(swaps.iter().map(|s| (s.tx_hash, s.amount0, s.amount1)).collect::<Vec<_>>(), expected);
    assert!(swaps.iter().all(|s| s.by_vault));
    assert_eq!(desk.view().decided(earned.block_number).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_between_simulation_and_inclusion_changes_or_blocks_a_decision() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    let before = desk.view().balances().await.unwrap();
    let chain = &desk.world.chain;
    // A gift of one raw unit of each token, a swap, a deposit, and a few seconds.
    chain.fund_token(USDC, desk.view().address(), seen.quote + 1).await.unwrap();
    chain.fund_token(WETH, desk.view().address(), seen.base + 1).await.unwrap();
    chain.move_price(&desk.pool, PRICE + PRICE / 1_000).await.unwrap();
    let depositor = Vault::at(desk.world.account(DEPOSITOR).await, desk.view().address());
    depositor.deposit_in_kind(before.shares / 10, before.quote, before.base).await.unwrap();
    let gone = chain.time_s().await.unwrap() + 5;
    chain.advance_to(gone).await.unwrap();

    let later = desk.observe(1).await;
    assert_eq!(probity_chain::Observed { block_number: seen.block_number, block_hash: seen.block_hash, ..later }, seen);
    let outcome = desk.vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap();
    assert!(outcome.executed);
    let after = desk.view().balances().await.unwrap();
    let flow = before.quote / 10;
    assert_eq!(
        after,
        Balances {
            quote: before.quote + flow - 1_000 * DOLLAR,
            base: before.base * 11 / 10 + outcome.amount_out,
            shares: before.shares * 11 / 10
        }
    );
    let next = desk.observe(2).await;
    assert_eq!(Balances { quote: next.quote, base: next.base, shares: next.shares }, after, "the flow shows in the next observation");
    desk.vault.decide(&next, &hold(1), &[]).await.unwrap();
}

#[tokio::test]
async fn a_late_decision_is_recorded_and_does_not_trade() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    let chain = &desk.world.chain;
    chain.advance_to(desk.due(2)).await.unwrap();
    let outcome = desk.vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap();
    assert_eq!((outcome.executed, outcome.amount_out), (false, 0));
    assert!(desk.view().swaps(0).await.unwrap().is_empty());
    // The one after it is in time, and skips nothing it should not.
    let next = desk.observe(2).await;
    assert_eq!((next.step, next.fill, next.quote), (1, None, seen.quote));

    // An anchor of more than 256 blocks ago cannot be checked any more: no trade in time, a record when late.
    let old = next;
    for n in 1..=257 {
        chain.advance_to(desk.due(2) + 2 + n).await.unwrap();
    }
    let buy = order(&old, true, 1_000 * DOLLAR, 50);
    refused(desk.vault.decide(&old, &buy, &[]).await, "AnchorTooOldToTrade");
    chain.advance_to(desk.due(3)).await.unwrap();
    assert!(!desk.vault.decide(&old, &buy, &[]).await.unwrap().executed);
    // Times may be skipped, never repeated.
    let skipped = desk.observe(6).await;
    assert!(desk.vault.decide(&skipped, &order(&skipped, true, 1_000 * DOLLAR, 50), &[]).await.unwrap().executed);
    refused(desk.view().observe(desk.due(6)).await, &format!("WrongTime(last: {}, interval: {INTERVAL})", desk.due(6)));
}

#[tokio::test]
async fn a_failed_fill_is_recorded_and_the_next_decision_goes_on() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    desk.world.chain.move_price(&desk.pool, PRICE + PRICE / 20).await.unwrap();
    let outcome = desk.vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap();
    assert_eq!((outcome.executed, outcome.amount_out), (false, 0));
    let next = desk.observe(2).await;
    assert_eq!((next.fill, next.quote, next.base), (None, seen.quote, seen.base));
    assert!(desk.vault.decide(&next, &order(&next, false, ETHER, 50), &[]).await.unwrap().executed);
    // More than the vault holds: within the limits, never filled.
    desk.vault.redeem_in_kind(90_000 * DOLLAR).await.unwrap();
    let third = desk.observe(3).await;
    let all = desk.vault.decide(&third, &order(&third, true, 24_000 * DOLLAR, 50), &[]).await.unwrap();
    assert!(!all.executed);
}

#[tokio::test]
async fn depositors_come_and_go_without_the_operator_and_their_flows_show() {
    let desk = Desk::open(POOL_500).await;
    let depositor = desk.world.account(DEPOSITOR).await;
    let (account, own) = (depositor.address(), Vault::at(depositor, desk.view().address()));
    refused(own.redeem_in_kind(1).await, "NotEnoughShares");
    refused(own.deposit_in_kind(0, 1, 1).await, "NotEnoughShares");
    let shares = 33_333_333_333;
    refused(own.deposit_in_kind(shares, 33_333_333_332, 50 * ETHER).await, "LimitBreached(limit: deposit)");
    own.deposit_in_kind(shares, 50_000 * DOLLAR, 50 * ETHER).await.unwrap();
    assert_eq!(desk.view().shares_of(account).await.unwrap(), shares);
    refused(own.redeem_in_kind(shares + 1).await, "NotEnoughShares");
    own.redeem_in_kind(shares).await.unwrap();
    let flows = desk.view().flows(0).await.unwrap();
    assert_eq!(
        flows.iter().map(|f| (f.deposit, f.shares)).collect::<Vec<_>>(),
        [(true, 100_000 * DOLLAR), (true, shares), (false, shares)]
    );
    let (paid, got) = (&flows[1], &flows[2]);
    assert_eq!((paid.account, got.account), (account, account));
    assert!(paid.quote >= got.quote && paid.quote - got.quote <= 1 && paid.base >= got.base && paid.base - got.base <= 1, "{flows:?}");
    // The operator cannot take the locked shares, and nobody else's.
    refused(desk.vault.redeem_in_kind(100_000 * DOLLAR).await, "NotEnoughShares");
    desk.vault.redeem_in_kind(100_000 * DOLLAR - 1_000).await.unwrap();
    assert_eq!(desk.view().balances().await.unwrap().shares, 1_000);
}

#[tokio::test]
async fn proofs_are_taken_for_the_vaults_own_heads_and_come_back_from_the_chain() {
    let desk = Desk::open(POOL_500).await;
    let proof: Vec<u8> = (0..12_288u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    for n in 1..=3u32 {
        let seen = desk.observe(u64::from(n)).await;
        desk.vault.decide(&seen, &hold(n - 1), if n == 2 { &proof } else { &[] }).await.unwrap();
    }
    let gas = desk.vault.post_proof(1, head(1), b"first").await.unwrap();
    assert!(gas > 21_000);
    refused(desk.vault.post_proof(4, head(4), b"x").await, "WrongStep(expected: 3)");
    refused(desk.vault.post_proof(4, [0; 32], b"x").await, "WrongStep(expected: 3)");
    refused(desk.vault.post_proof(3, head(2), b"x").await, &format!("WrongHead(expected: 0x{})", hex::encode(head(3))));
    let stranger = Vault::at(desk.world.account(DEPOSITOR).await, desk.view().address());
    refused(stranger.post_proof(1, head(1), b"x").await, "NotOperator");

    let posted = desk.view().posted(0).await.unwrap();
    assert_eq!(posted.iter().map(|p| (p.steps, p.head, p.length)).collect::<Vec<_>>(), [(2, head(2), 12_288), (1, head(1), 5)]);
    assert_eq!(desk.view().posted_proof(&posted[0]).await.unwrap(), proof);
    assert_eq!(desk.view().posted_proof(&posted[1]).await.unwrap(), b"first");
    let other = probity_chain::Posted { digest: [9; 32], ..posted[0].clone() };
    assert!(desk.view().posted_proof(&other).await.unwrap_err().to_string().starts_with("posted proof: expected 0909"));
}

#[tokio::test]
async fn the_oracle_can_be_made_to_remember() {
    let desk = Desk::open(POOL_500).await;
    assert_eq!(desk.vault.prepare_oracle(3_600).await.unwrap(), 2_000, "it keeps more already");
    assert_eq!(desk.vault.prepare_oracle(30_000).await.unwrap(), 2_502);
}
