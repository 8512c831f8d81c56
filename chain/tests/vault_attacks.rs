//! Attacks on the vault with contracts of our own and with the node's powers: tokens that call back, keep a fee or stop; gifts and rounding; a price
//! moved inside a block; a sandwich; orders among holds; blocks that are taken back.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::{books, common, hostile, raw};
use books::Reader;
use common::{DEPOSITOR, DOLLAR, Desk, ETHER, GENESIS, OPERATOR, World, head, hold, order, promise, refused};
use ethers::abi::Token;
use ethers::providers::Middleware;
use ethers::types::{Address, Bytes, H256, TransactionRequest, U256};
use hostile::{ask, done, encode, of_shares, of_token, of_vault, uint};
use probity_chain::{FACTORY, Observed, POOL_500, Rpc, ShareTerms, USDC, Vault, VaultView, WETH, connect};
use serde_json::{Value, json};

const FACTORY_ARTIFACT: &str = "node_modules/@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json";
const POOL_ARTIFACT: &str = "node_modules/@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json";
const MANY: u128 = 1 << 80;

/// A chain with a hostile token, a pool of it with USDC at the raw price 1, and its liquidity.
struct Hostile {
    world: World,
    rpc: Rpc,
    token: Address,
    pool: Address,
    operator: probity_chain::Sender,
}

fn address(a: Address) -> Token {
    Token::Address(a)
}

fn int(v: i128) -> Token {
    Token::Int(ethers::types::I256::from(v).into_raw())
}

impl Hostile {
    async fn start() -> Self {
        let world = World::stand_in().await;
        let operator = world.account(OPERATOR).await;
        let (rpc, me) = (connect(world.chain.url()).unwrap(), operator.address());
        let token = hostile::deploy(&operator, "HostileToken").await;
        let mover = hostile::deploy(&operator, "Mover").await;
        let pair = [address(token), address(USDC), uint(500)];
        done(&rpc, me, FACTORY, raw::encode(FACTORY_ARTIFACT, "createPool", &pair)).await;
        let pool = Address::from_slice(&ask(&rpc, FACTORY, raw::encode(FACTORY_ARTIFACT, "getPool", &pair)).await[12..]);
        done(&rpc, me, pool, raw::encode(POOL_ARTIFACT, "initialize", &[Token::Uint(U256::one() << 96)])).await;
        done(&rpc, me, pool, raw::encode(POOL_ARTIFACT, "increaseObservationCardinalityNext", &[uint(50)])).await;
        for account in [me, mover] {
            done(&rpc, me, token, encode("HostileToken", "mint", &[address(account), uint(MANY)])).await;
            world.chain.fund_token(USDC, account, MANY).await.unwrap();
        }
        done(&rpc, me, mover, encode("Mover", "provide", &[address(pool), int(-6_000), int(6_000), uint(1 << 70)])).await;
        let later = world.chain.time_s().await.unwrap() + 1_000;
        world.chain.advance_to(later).await.unwrap();
        Self { world, rpc, token, pool, operator }
    }

    /// Sends something to the token.
    async fn tell(&self, function: &str, arguments: &[Token]) {
        done(&self.rpc, self.operator.address(), self.token, encode("HostileToken", function, arguments)).await;
    }

    /// Has the token itself make a call.
    async fn act(&self, to: Address, data: Bytes) {
        self.tell("act", &[address(to), Token::Bytes(data.to_vec())]).await;
    }

    async fn observe(&self, view: &VaultView, due: u64) -> Observed {
        if self.world.chain.time_s().await.unwrap() < due {
            self.world.chain.advance_to(due).await.unwrap();
        }
        view.observe(due).await.unwrap()
    }
}

#[tokio::test]
async fn a_token_that_calls_back_gets_nowhere() {
    let h = Hostile::start().await;
    // The token is the operator and a share holder: every right there is, in the middle of every transfer.
    let terms = Token::Tuple(vec![uint(500), uint(0), address(h.operator.address()), uint(300), uint(100)]);
    let arguments = [address(USDC), address(h.token), address(h.pool), address(h.token), terms];
    let vault = hostile::deploy_with(&h.operator, "ProbityVault", &arguments).await;
    let view = VaultView::at(h.world.chain.url(), vault).unwrap();
    let shares = view.shares_contract().await.unwrap();
    h.world.chain.fund_token(USDC, h.token, MANY).await.unwrap();
    h.tell("mint", &[address(h.token), uint(MANY)]).await;
    for token in [USDC, h.token] {
        h.act(token, of_token("approve", &[address(shares), Token::Uint(U256::MAX)])).await;
    }
    h.act(shares, of_shares("seed", &[uint(100_000 * DOLLAR), uint(100_000 * DOLLAR)])).await;
    let genesis = h.world.chain.time_s().await.unwrap();
    let p = promise(genesis);
    let hash = |b: [u8; 32]| Token::FixedBytes(b.to_vec());
    let registration = Token::Tuple(vec![
        hash(p.mandate_digest),
        hash(p.commitment),
        hash(p.genesis_head),
        uint(genesis.into()),
        uint(p.interval_s.into()),
        uint(p.max_trade_quote),
        uint(p.max_slippage_bps.into()),
    ]);
    h.act(vault, of_vault("register", std::slice::from_ref(&registration))).await;
    let verifier = hostile::deploy(&h.operator, "TellsVerifier").await;
    let terms = Token::Tuple(vec![address(verifier), hash([0; 32]), uint(9), uint(1_000_000)]);
    h.act(vault, of_vault("arm", std::slice::from_ref(&terms))).await;

    let seen = h.observe(&view, genesis + 300).await;
    let decide = raw::decide(&seen, &hold(0), 0, (0, 0), ethers::utils::keccak256([]), &[]);
    let nothing = Token::Bytes(Vec::new());
    let own = || address(h.token);
    // Every one of the vault, and every one of its share contract; the last two are answered before the guard, in the middle of a fill only.
    let of_the_vault = [
        decide,
        of_vault("decideHolds", &[Token::Array(Vec::new())]),
        of_vault("settle", std::slice::from_ref(&nothing)),
        of_vault("settleEpoch", &[uint(0), nothing.clone()]),
        of_vault("closeEpoch", &[]),
        of_vault("announce", &[hash([1; 32]), uint(20), hash(GENESIS), hash([2; 32])]),
        of_vault("pledge", &[uint(0), uint(2_000_000)]),
        of_vault("miss", &[]),
        of_vault("close", &[]),
        of_vault("reclaim", &[]),
    ];
    let of_the_shares = [
        of_shares("depositInKind", &[uint(1_000), own(), uint(MANY), uint(MANY)]),
        of_shares("redeemInKind", &[uint(1_000), own(), own()]),
        of_shares("deposit", &[uint(1_000), own()]),
        of_shares("mint", &[uint(1_000), own(), uint(MANY)]),
        of_shares("withdraw", &[uint(1_000), own(), own()]),
        of_shares("redeem", &[uint(1_000), own(), own(), uint(0)]),
        of_shares("accrue", &[]),
    ];
    let others = [
        (of_vault("executeSwap", &[uint(2), uint(1_000), uint(0)]), "NotSelf"),
        (of_vault("uniswapV3SwapCallback", &[int(1_000), int(0), nothing.clone()]), "NotPool"),
        (of_vault("take", &[own(), own(), uint(0), uint(0), uint(1)]), "NotShares"),
        (of_vault("give", &[own(), own(), uint(1), uint(1), uint(1)]), "NotShares"),
        (of_vault("register", &[registration]), "AlreadyRegistered"),
        (of_vault("arm", &[terms]), "AlreadyArmed"),
    ];
    let guard = "ReentrancyGuardReentrantCall";
    let all = of_the_vault.into_iter().map(|data| (vault, data, guard, guard));
    let all = all.chain(of_the_shares.into_iter().map(|data| (shares, data, guard, guard)));
    let all = all.chain(others.into_iter().map(|(data, why)| (vault, data, why, why)));
    let all = all.chain([
        (shares, of_shares("seed", &[uint(DOLLAR), uint(1)]), guard, "AlreadySeeded"),
        (shares, of_shares("pull", &[address(USDC), own(), uint(1)]), "NotVault", "NotVault"),
    ]);
    let seller = order(&seen, false, 1_000 * DOLLAR, 50);
    let (_, amount, min_out) = seller.order.unwrap();
    let sell = raw::decide(&seen, &seller, 2, (amount, min_out), ethers::utils::keccak256([]), &[]);
    let outer = [
        (shares, of_shares("redeemInKind", &[uint(5_000), own(), own()])),
        (shares, of_shares("depositInKind", &[uint(5_000), own(), uint(MANY), uint(MANY)])),
        (vault, sell),
    ];
    for (target, data, in_flow, in_fill) in all {
        let snapshot: Value = h.rpc.request("evm_snapshot", json!([])).await.unwrap();
        h.tell("hook", &[address(target), Token::Bytes(data.to_vec())]).await;
        for (i, (to, outer)) in outer.iter().enumerate() {
            let before = view.shares_of(h.token).await.unwrap();
            h.act(*to, outer.clone()).await;
            let why = if i < 2 { in_flow } else { in_fill };
            let answer = ask(&h.rpc, h.token, encode("HostileToken", "answer", &[])).await;
            let inner = ask(&h.rpc, h.token, encode("HostileToken", "done", &[])).await;
            assert_eq!(U256::from_big_endian(&inner), U256::zero(), "a call in the middle of a transfer was done: {data}");
            assert_eq!(format!("0x{}", hex::encode(&answer[64..68])), hostile::error(why), "{data}");
            let after = view.shares_of(h.token).await.unwrap();
            match i {
                0 => assert_eq!(before - after, 5_000),
                1 => assert_eq!(after - before, 5_000),
                _ => assert!(view.decided(0).await.unwrap()[0].outcome.executed, "the order itself is filled"),
            }
        }
        let calls = U256::from_big_endian(&ask(&h.rpc, h.token, encode("HostileToken", "calls", &[])).await);
        assert!(calls >= 3.into(), "the token called back {calls} times");
        let _: bool = h.rpc.request("evm_revert", json!([snapshot])).await.unwrap();
    }
}

#[tokio::test]
async fn fees_are_refused_and_a_pause_loses_nothing() {
    let h = Hostile::start().await;
    let terms = ShareTerms { window_s: 300, ..ShareTerms::default() };
    let vault = Vault::deploy_noting(h.operator.clone(), [USDC, h.token, h.pool], &terms, Vec::new(), &mut ()).await.unwrap();
    let reader = Reader::new(&vault, vec![vault.view().address(), h.pool, vault.account()]).await;
    h.tell("setFee", &[uint(1)]).await;
    refused(vault.seed(100_000 * DOLLAR, 100_000 * DOLLAR).await, "UnexpectedTransfer");
    h.tell("setFee", &[uint(0)]).await;
    vault.seed(100_000 * DOLLAR, 100_000 * DOLLAR).await.unwrap();
    let genesis = h.world.chain.time_s().await.unwrap();
    vault.register(&promise(genesis)).await.unwrap();

    // A fee that comes later: no deposit, no fill either way; decisions are recorded.
    h.tell("setFee", &[uint(100)]).await;
    let before = reader.read().await;
    refused(vault.deposit_in_kind(1_000_000, MANY, MANY).await, "UnexpectedTransfer");
    assert_eq!(reader.read().await, before);
    for n in 1..=2u32 {
        let seen = h.observe(vault.view(), genesis + 300 * u64::from(n)).await;
        let outcome = vault.decide(&seen, &order(&seen, n == 1, 1_000 * DOLLAR, 50), &[]).await.unwrap();
        assert!(!outcome.executed, "decision {n}");
        let after = reader.read().await;
        assert_eq!((after.accounts, &after.held, after.steps), (before.accounts, &before.held, u128::from(n)));
    }

    // A pause: who wants to leave has to wait, and loses nothing; holds and orders are recorded.
    h.tell("setFee", &[uint(0)]).await;
    h.tell("setPaused", &[Token::Bool(true)]).await;
    refused(vault.redeem_in_kind(1_000_000).await, "paused");
    refused(vault.deposit_in_kind(1_000_000, MANY, MANY).await, "paused");
    let seen = h.observe(vault.view(), genesis + 900).await;
    assert!(!vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap().executed);
    let seen = h.observe(vault.view(), genesis + 1_200).await;
    vault.decide(&seen, &hold(3), &[]).await.unwrap();
    let after = reader.read().await;
    assert_eq!((after.accounts, &after.held, &after.shares, after.steps), (before.accounts, &before.held, &before.shares, 4));
    h.tell("setPaused", &[Token::Bool(false)]).await;

    // A token that shuts the holder out: he leaves to another account, with both tokens, or in the other token alone.
    h.tell("setBlocked", &[address(vault.account())]).await;
    refused(vault.redeem_in_kind(1_000_000).await, "blocked");
    let (me, heir) = (vault.account(), Address::repeat_byte(7));
    let shares = vault.view().shares_contract().await.unwrap();
    done(&h.rpc, me, shares, of_shares("redeemInKind", &[uint(1_000_000), address(heir), address(me)])).await;
    let got = U256::from_big_endian(&ask(&h.rpc, h.token, of_token("balanceOf", &[address(heir)])).await);
    assert_eq!(got.as_u128(), after.accounts[1] * 1_000_000 / after.total);
    let before = reader.read().await;
    vault.redeem(1_000_000, 1).await.unwrap();
    assert!(reader.read().await.held[2][0] > before.held[2][0], "quote alone was not paid");
    h.tell("setBlocked", &[address(Address::zero())]).await;
    let seen = h.observe(vault.view(), genesis + 1_500).await;
    assert!(vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap().executed);
    vault.redeem_in_kind(100_000 * DOLLAR - 2_001_000).await.unwrap();
}

#[tokio::test]
async fn gifts_and_dust_make_no_share_worth_less() {
    let desk = Desk::open(POOL_500).await;
    let other = Vault::at(desk.world.account(DEPOSITOR).await, desk.view().address());
    let rpc = connect(desk.world.chain.url()).unwrap();
    // All but the locked shares leave, then a gift that would make a share dear if balances were counted.
    desk.vault.redeem_in_kind(100_000 * DOLLAR - 1_000).await.unwrap();
    for (token, gift) in [(USDC, 1_000_000 * DOLLAR), (WETH, 1_000 * ETHER)] {
        done(&rpc, desk.vault.account(), token, of_token("transfer", &[address(desk.view().address()), uint(gift)])).await;
    }
    let accounts = desk.view().balances().await.unwrap();
    assert_eq!((accounts.shares, accounts.quote), (1_000, 1_000));
    let reader = Reader::new(&desk.vault, vec![desk.view().address(), desk.pool.address, desk.vault.account(), other.account()]).await;
    for shares in [1, 1, 7, 999, 12_345, 1_000_000] {
        let before = reader.read().await;
        other.deposit_in_kind(shares, MANY, MANY).await.unwrap();
        let between = reader.read().await;
        other.redeem_in_kind(shares).await.unwrap();
        let after = reader.read().await;
        for token in 0..2 {
            let due = (before.accounts[token] * shares).div_ceil(before.total);
            assert_eq!(before.held[3][token] - between.held[3][token], due, "a deposit pays for the accounts, not for gifts");
            let lost = before.held[3][token].checked_sub(after.held[3][token]);
            assert!(lost.is_some_and(|l| l <= 1), "coming and going costs at most a raw unit and gains nothing: {lost:?}");
            assert_eq!(after.held[0][token] - before.held[0][token], lost.unwrap());
        }
    }
}

/// The root of the price where the pool stands.
async fn root(rpc: &Rpc, pool: Address) -> U256 {
    U256::from_big_endian(&ask(rpc, pool, raw::encode(POOL_ARTIFACT, "slot0", &[])).await[..32])
}

async fn mover(desk: &Desk) -> Address {
    let mover = hostile::deploy(desk.vault.sender(), "Mover").await;
    desk.world.chain.fund_token(USDC, mover, MANY).await.unwrap();
    desk.world.chain.fund_token(WETH, mover, 1 << 100).await.unwrap();
    mover
}

#[tokio::test]
async fn a_price_moved_and_moved_back_inside_a_block_is_not_observed() {
    let desk = Desk::open(POOL_500).await;
    let rpc = connect(desk.world.chain.url()).unwrap();
    let mover = mover(&desk).await;
    let seen = desk.observe(1).await;
    let anchor = Token::FixedBytes(seen.block_hash.to_vec());
    let question = of_vault("observation", &[uint(seen.time_s.into()), uint(seen.block_number.into()), anchor]);
    let before = ask(&rpc, desk.view().address(), question.clone()).await;
    let away = root(&rpc, desk.pool.address).await * 11 / 10;
    let arguments = [address(desk.pool.address), Token::Uint(away), address(desk.view().address()), Token::Bytes(question.to_vec())];
    done(&rpc, desk.vault.account(), mover, encode("Mover", "thereAndBack", &arguments)).await;
    let ticks = [ask(&rpc, mover, encode("Mover", "away", &[])).await, ask(&rpc, mover, encode("Mover", "home", &[])).await];
    assert_ne!(ticks[0], ticks[1], "the price was not moved");
    let between = ask(&rpc, mover, encode("Mover", "between", &[])).await;
    assert_eq!(between[64..64 + before.len()], before[..], "while the price stood elsewhere");
    assert_eq!(ask(&rpc, desk.view().address(), question).await, before, "afterwards");
    assert!(desk.vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap().executed);
    assert_eq!(desk.observe(2).await.mean_tick, seen.mean_tick, "nor is it in the next mean");
}

/// Sends unsigned, at a price of gas, and does not wait.
async fn offer(rpc: &Rpc, from: Address, to: Address, data: Bytes, gwei: u64) -> H256 {
    let _: Value = rpc.request("anvil_impersonateAccount", json!([from])).await.unwrap();
    let tx = TransactionRequest::new().from(from).to(to).data(data).gas(5_000_000).gas_price(gwei * 1_000_000_000);
    rpc.request("eth_sendTransaction", json!([tx])).await.unwrap()
}

#[tokio::test]
async fn a_sandwich_beyond_the_bound_fills_nothing_and_takes_nothing() {
    let desk = Desk::open(POOL_500).await;
    let rpc = connect(desk.world.chain.url()).unwrap();
    let mover = mover(&desk).await;
    let attacker = desk.world.account(DEPOSITOR).await.address();
    let reader = Reader::new(&desk.vault, vec![desk.view().address(), desk.pool.address, desk.vault.account()]).await;
    let seen = desk.observe(1).await;
    let made = order(&seen, true, 20_000 * DOLLAR, 50);
    let (_, amount, min_out) = made.order.unwrap();
    let data = raw::decide(&seen, &made, 1, (amount, min_out), ethers::utils::keccak256([]), &[]);
    let home = root(&rpc, desk.pool.address).await;
    let before = reader.read().await;
    // By 2 % in front of the order (a root moves by half as much), and not at all.
    for (thousandths, fills) in [(10u64, false), (0, true)] {
        let snapshot: Value = rpc.request("evm_snapshot", json!([])).await.unwrap();
        let _: Value = rpc.request("evm_setAutomine", json!([false])).await.unwrap();
        // A dearer base: the root rises if base is token0.
        let away = if desk.pool.base_is_token1 { home - home * thousandths / 1_000 } else { home + home * thousandths / 1_000 };
        let there = |to: U256| encode("Mover", "there", &[address(desk.pool.address), Token::Uint(to)]);
        let mut sent = Vec::new();
        if thousandths != 0 {
            sent.push(offer(&rpc, attacker, mover, there(away), 300).await);
        }
        sent.push(offer(&rpc, desk.vault.account(), desk.view().address(), data.clone(), 200).await);
        if thousandths != 0 {
            sent.push(offer(&rpc, attacker, mover, there(home), 100).await);
        }
        let _: Value = rpc.request("evm_mine", json!([])).await.unwrap();
        let mut places = Vec::new();
        for hash in sent {
            let receipt = rpc.get_transaction_receipt(hash).await.unwrap().unwrap();
            assert_eq!(receipt.status, Some(1.into()));
            places.push((receipt.block_number.unwrap(), receipt.transaction_index));
        }
        assert!(places.windows(2).all(|p| p[0].0 == p[1].0 && p[0].1 < p[1].1), "one block, in this order: {places:?}");
        let outcome = desk.view().decided(0).await.unwrap().pop().unwrap().outcome;
        let after = reader.read().await;
        assert_eq!((outcome.executed, after.steps), (fills, 1));
        if fills {
            assert!(outcome.amount_out >= min_out);
        } else {
            assert_eq!((after.accounts, after.held[0]), (before.accounts, before.held[0]), "the funds did not move");
        }
        let _: Value = rpc.request("evm_setAutomine", json!([true])).await.unwrap();
        let _: bool = rpc.request("evm_revert", json!([snapshot])).await.unwrap();
    }
}

#[tokio::test]
async fn an_order_among_holds_refuses_them_all() {
    let desk = Desk::open(POOL_500).await;
    let first = desk.observe(1).await;
    let mut second = desk.observe(2).await;
    second.step = 1;
    let sold = (second.clone(), probity_chain::Move { order: order(&second, false, ETHER, 50).order, ..hold(1) });
    refused(desk.vault.decide_holds(&[(first.clone(), hold(0)), sold]).await, "OnlyHolds");
    assert_eq!(desk.view().position().await.unwrap(), (0, GENESIS));
    desk.vault.decide_holds(&[(first, hold(0)), (second, hold(1))]).await.unwrap();
    assert_eq!(desk.view().position().await.unwrap(), (2, head(2)));
}

#[tokio::test]
async fn a_decision_whose_block_is_taken_back_can_be_sent_again() {
    let desk = Desk::open(POOL_500).await;
    let rpc = connect(desk.world.chain.url()).unwrap();
    let reader = Reader::new(&desk.vault, vec![desk.view().address(), desk.pool.address, desk.vault.account()]).await;
    let early: Value = rpc.request("evm_snapshot", json!([])).await.unwrap();
    let seen = desk.observe(1).await;
    let made = order(&seen, true, 1_000 * DOLLAR, 50);
    let before = reader.read().await;
    let snapshot: Value = rpc.request("evm_snapshot", json!([])).await.unwrap();
    let first = desk.vault.decide(&seen, &made, &[]).await.unwrap();
    let decided = reader.read().await;
    assert!(first.executed && decided.steps == 1);
    let _: bool = rpc.request("evm_revert", json!([snapshot])).await.unwrap();
    assert_eq!(reader.read().await, before, "taken back with its block");
    assert_eq!(desk.view().position().await.unwrap(), (0, GENESIS));
    let second = desk.vault.decide(&seen, &made, &[]).await.unwrap();
    assert_eq!((second.executed, second.amount_out), (true, first.amount_out));
    assert_eq!(reader.read().await, decided);
    // A reorganisation below the anchor: the decision is of another chain, and is refused.
    let _: bool = rpc.request("evm_revert", json!([early])).await.unwrap();
    desk.world.chain.advance_to(desk.due(1) + 7).await.unwrap();
    desk.world.chain.advance_to(desk.due(1) + 9).await.unwrap();
    refused(desk.vault.decide(&seen, &made, &[]).await, "AnchorUnknown");
    let again = desk.observe(1).await;
    assert_eq!((again.mean_tick, again.quote, again.step), (seen.mean_tick, seen.quote, 0));
    assert!(desk.vault.decide(&again, &made, &[]).await.unwrap().executed);
}
