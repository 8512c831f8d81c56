//! The vault's shares as an ERC-4626 token: what it promises, the price guard, coming and going at a moved price, leaving in kind whatever is broken,
//! and which code a depositor accepts.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::{common, hostile, raw};
use common::{DEPOSITOR, DOLLAR, Desk, ETHER, PRICE, World, hold, refused};
use ethers::abi::Token;
use ethers::providers::Middleware;
use ethers::types::{Address, Bytes, U256};
use hostile::{ask, done, encode, of_shares, of_token, uint};
use probity_chain::{POOL_500, Rpc, ShareTerms, USDC, Vault, VaultView, WETH, connect};
use serde_json::{Value, json};

const MANY: u128 = 1 << 96;
const TERMS: ShareTerms =
    ShareTerms { management_bps: 0, performance_bps: 0, recipient: Address::zero(), window_s: 3_600, max_deviation: 100 };

/// A vault whose pool has been there long enough, and a contract that saves in it.
struct Bank {
    desk: Desk,
    rpc: Rpc,
    shares: Address,
    saver: Address,
}

fn address(a: Address) -> Token {
    Token::Address(a)
}

impl Bank {
    async fn open() -> Self {
        Self::on(&TERMS).await
    }

    async fn on(terms: &ShareTerms) -> Self {
        let world = World::stand_in().await;
        let later = world.chain.time_s().await.unwrap() + 5_000;
        world.chain.advance_to(later).await.unwrap();
        let desk = Desk::with(world, POOL_500, 50, terms).await;
        let rpc = connect(desk.world.chain.url()).unwrap();
        let saver = hostile::deploy(desk.vault.sender(), "Saver").await;
        let shares = desk.view().shares_contract().await.unwrap();
        desk.world.chain.fund_token(USDC, saver, MANY).await.unwrap();
        done(&rpc, desk.vault.account(), saver, encode("Saver", "open", &[address(shares)])).await;
        Self { desk, rpc, shares, saver }
    }

    /// Has the saver do something that it checks itself.
    async fn save(&self, function: &str, arguments: &[u128]) {
        let arguments: Vec<_> = arguments.iter().map(|v| uint(*v)).collect();
        done(&self.rpc, self.desk.vault.account(), self.saver, encode("Saver", function, &arguments)).await;
    }

    async fn asks(&self, function: &str, arguments: &[Token]) -> U256 {
        U256::from_big_endian(&ask(&self.rpc, self.shares, of_shares(function, arguments)).await)
    }

    async fn steady(&self) -> bool {
        self.desk.view().share_facts().await.unwrap().steady
    }

    async fn wait(&self, seconds: u64) {
        let to = self.desk.world.chain.time_s().await.unwrap() + seconds;
        self.desk.world.chain.advance_to(to).await.unwrap();
    }

    async fn snapshot(&self) -> Value {
        self.rpc.request("evm_snapshot", json!([])).await.unwrap()
    }

    async fn back(&self, snapshot: &Value) {
        let done: bool = self.rpc.request("evm_revert", json!([snapshot])).await.unwrap();
        assert!(done);
    }
}

#[tokio::test]
async fn previews_are_kept_round_trips_gain_nothing_and_maxima_are_true() {
    let bank = Bank::open().await;
    assert_eq!(bank.asks("asset", &[]).await, U256::from_big_endian(USDC.as_bytes()));
    assert_eq!(bank.asks("decimals", &[]).await, 6.into());
    // Dearer by 0.5 %, while the mean lags behind: the two prices differ.
    for to in [PRICE, PRICE + PRICE / 200, PRICE - PRICE / 300] {
        bank.desk.world.chain.move_price(&bank.desk.pool, to).await.unwrap();
        bank.wait(30).await;
        assert!(bank.steady().await);
        for (assets, shares) in [(7, 1), (12_345, 999), (3_333 * DOLLAR + 1, 777 * DOLLAR - 1), (1_000_000 * DOLLAR, 400_000 * DOLLAR)] {
            bank.save("roundTrips", &[assets, shares]).await;
        }
        // Accounts that do not divide: the saver stays, with an odd amount.
        bank.save("deposit", &[1_234_567 + to % 1_000]).await;
        for way in 0..4 {
            bank.save("most", &[way]).await;
        }
    }
    // Half of what it holds is base: who holds nearly all of it gets the quote that is there, and the rest in kind.
    bank.wait(u64::from(TERMS.window_s) + 1).await;
    let (vault, own) = (&bank.desk.vault, bank.desk.vault.account());
    let (max, owned) = (bank.asks("maxRedeem", &[address(own)]).await.as_u128(), bank.desk.view().shares_of(own).await.unwrap());
    assert!(max < owned * 6 / 10, "{max} of {owned}");
    let refusal = vault.redeem(max + 1, 0).await.unwrap_err().to_string();
    assert!(refusal.contains(&format!("max: {max}")) && refusal.contains("ERC4626ExceededMaxRedeem"), "{refusal}");
    let before = bank.desk.view().balances().await.unwrap();
    assert_eq!(bank.asks("maxWithdraw", &[address(own)]).await.as_u128(), before.quote);
    vault.redeem(max, before.quote - 2).await.unwrap();
    let after = bank.desk.view().balances().await.unwrap();
    assert!(after.quote <= 2 && after.base == before.base, "{after:?}");
    vault.redeem_in_kind(owned - max - 2_000).await.unwrap();

    // Shares are passed on, and an allowance lets another redeem.
    let heir = Address::repeat_byte(9);
    done(&bank.rpc, own, bank.shares, of_token("transfer", &[address(heir), uint(1_000)])).await;
    assert_eq!(bank.desk.view().shares_of(heir).await.unwrap(), 1_000);
    let _: Value = bank.rpc.request("anvil_setBalance", json!([heir, U256::exp10(20)])).await.unwrap();
    let theft = of_shares("redeemInKind", &[uint(10), address(own), address(heir)]);
    let why = raw::refusal(&bank.rpc, own, bank.shares, theft.clone()).await.unwrap();
    assert!(why.contains(&hostile::error("ERC20InsufficientAllowance(address,uint256,uint256)")), "{why}");
    done(&bank.rpc, heir, bank.shares, of_token("approve", &[address(own), uint(10)])).await;
    done(&bank.rpc, own, bank.shares, theft).await;
    assert_eq!(bank.desk.view().shares_of(heir).await.unwrap(), 990);
}

#[tokio::test]
async fn a_price_away_from_its_mean_stops_flows_in_quote_and_none_in_kind() {
    let bank = Bank::open().await;
    let own = address(bank.desk.vault.account());
    let mover = hostile::deploy(bank.desk.vault.sender(), "Mover").await;
    for token in [USDC, WETH] {
        bank.desk.world.chain.fund_token(token, mover, 1 << 100).await.unwrap();
    }
    // Moved and moved back inside one block: nothing may be deposited in between.
    let question = of_shares("maxDeposit", std::slice::from_ref(&own));
    let root = ask(&bank.rpc, POOL_500, raw::encode(POOL, "slot0", &[])).await;
    let away = U256::from_big_endian(&root[..32]) * 1_006 / 1_000;
    let arguments = [address(POOL_500), Token::Uint(away), address(bank.shares), Token::Bytes(question.to_vec())];
    done(&bank.rpc, bank.desk.vault.account(), mover, encode("Mover", "thereAndBack", &arguments)).await;
    let between = ask(&bank.rpc, mover, encode("Mover", "between", &[])).await;
    assert_eq!((U256::from_big_endian(&between[32..64]), U256::from_big_endian(&between[64..96])), (32.into(), U256::zero()));
    assert!(bank.asks("maxDeposit", std::slice::from_ref(&own)).await > U256::zero(), "afterwards");

    bank.desk.world.chain.move_price(&bank.desk.pool, PRICE + PRICE / 50).await.unwrap();
    assert!(!bank.steady().await);
    for (function, arguments) in [("maxDeposit", vec![own.clone()]), ("maxMint", vec![own.clone()]), ("maxWithdraw", vec![own.clone()])] {
        assert_eq!(bank.asks(function, &arguments).await, U256::zero(), "{function}");
    }
    assert_eq!(bank.asks("maxRedeem", std::slice::from_ref(&own)).await, U256::zero());
    let (total, worth) = (bank.asks("totalAssets", &[]).await.as_u128(), 200_000 * DOLLAR);
    assert!(total.abs_diff(worth) < worth / 500, "the mean says what it is worth: {total}");
    let vault = &bank.desk.vault;
    refused(vault.deposit(DOLLAR, 0).await, "PriceMoved");
    refused(vault.mint(DOLLAR, MANY >> 1).await, "PriceMoved");
    refused(vault.withdraw(DOLLAR, u128::MAX).await, "PriceMoved");
    refused(vault.redeem(DOLLAR, 0).await, "PriceMoved");
    vault.deposit_in_kind(DOLLAR, MANY >> 1, MANY >> 1).await.unwrap();
    vault.redeem_in_kind(DOLLAR).await.unwrap();
    // Once the mean has followed, both are at the new price.
    bank.wait(u64::from(TERMS.window_s) + 1).await;
    assert!(bank.steady().await);
    vault.deposit(DOLLAR, 1).await.unwrap();
    vault.redeem(100_000, 1).await.unwrap();
}

const POOL: &str = "node_modules/@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json";

#[tokio::test]
async fn whoever_moves_the_price_gains_nothing_and_a_named_least_holds() {
    let bank = Bank::open().await;
    let (depositor, chain) = (bank.desk.world.account(DEPOSITOR).await, &bank.desk.world.chain);
    let victim = Vault::at(depositor, bank.desk.view().address());
    let assets = 50_000 * DOLLAR;
    let fair = bank.asks("previewDeposit", &[uint(assets)]).await.as_u128();
    let worth = |quote: u128, base: u128| quote + ((base * PRICE) >> 64);
    for to in [PRICE + PRICE * 9 / 1_000, PRICE - PRICE * 9 / 1_000] {
        // An attacker comes at the moved price and leaves in kind once it is back; or leaves at the moved price.
        let snapshot = bank.snapshot().await;
        chain.move_price(&bank.desk.pool, to).await.unwrap();
        assert!(bank.steady().await, "within the guard");
        bank.save("deposit", &[assets]).await;
        let shares = bank.desk.view().shares_of(bank.saver).await.unwrap();
        let sum = bank.desk.view().balances().await.unwrap();
        let out = worth(sum.quote * shares / sum.shares, sum.base * shares / sum.shares);
        assert!(out <= assets, "an attacker made {assets} to {out}");
        bank.back(&snapshot).await;

        let snapshot = bank.snapshot().await;
        bank.save("deposit", &[assets]).await;
        let shares = bank.desk.view().shares_of(bank.saver).await.unwrap();
        chain.move_price(&bank.desk.pool, to).await.unwrap();
        let before = U256::from_big_endian(&ask(&bank.rpc, USDC, of_token("balanceOf", &[address(bank.saver)])).await);
        bank.save("redeem", &[shares]).await;
        let after = U256::from_big_endian(&ask(&bank.rpc, USDC, of_token("balanceOf", &[address(bank.saver)])).await);
        assert!((after - before).as_u128() <= assets, "an attacker left with more than he brought");
        bank.back(&snapshot).await;
    }
    // In front of a victim: who names the least he accepts is refused; who does not loses less than the bound on the half that is base.
    chain.move_price(&bank.desk.pool, PRICE + PRICE * 9 / 1_000).await.unwrap();
    refused(victim.deposit(assets, fair - fair / 1_000).await, "LimitBreached(limit: minShares)");
    victim.deposit(assets, 0).await.unwrap();
    let got = bank.desk.view().shares_of(victim.account()).await.unwrap();
    assert!(got < fair && got * 1_000 >= fair * 994, "{got} of {fair}");
    refused(victim.mint(DOLLAR, DOLLAR).await, "LimitBreached(limit: maxAssets)");
    refused(victim.withdraw(DOLLAR, 1).await, "LimitBreached(limit: maxShares)");
    refused(victim.redeem(DOLLAR, 3 * DOLLAR).await, "LimitBreached(limit: minAssets)");
}

#[tokio::test]
async fn nothing_that_is_broken_keeps_anybody_from_leaving_in_kind() {
    // With fees, which need the price.
    let terms = ShareTerms { management_bps: 500, performance_bps: 3_000, recipient: Address::repeat_byte(6), ..TERMS };
    let bank = Bank::on(&terms).await;
    let vault = &bank.desk.vault;
    bank.save("deposit", &[10_000 * DOLLAR]).await;
    let owned = bank.desk.view().shares_of(bank.saver).await.unwrap();
    let seen = bank.desk.observe(1).await;
    vault.decide(&seen, &hold(0), &[]).await.unwrap();
    // The pool eats all gas it gets, there has been no decision for a year, the operator has closed the vault.
    let _: Value = bank.rpc.request("anvil_setCode", json!([POOL_500, "0xfe"])).await.unwrap();
    bank.wait(365 * 86_400).await;
    vault.redeem_in_kind(10_000 * DOLLAR).await.unwrap();
    assert!(bank.desk.view().shares_of(terms.recipient).await.unwrap() > 5_000 * DOLLAR, "a year's fee needs no price");
    vault.close().await.unwrap();
    assert!(!bank.steady().await);
    refused(vault.redeem(DOLLAR, 0).await, "PriceMoved");
    refused(vault.deposit_in_kind(DOLLAR, MANY >> 1, MANY >> 1).await, "WithdrawOnly");
    assert_eq!(bank.asks("maxDeposit", &[address(bank.saver)]).await, U256::zero());
    assert_eq!(bank.asks("totalAssets", &[]).await.as_u128(), bank.desk.view().balances().await.unwrap().quote, "the quote is still there");
    let before = bank.desk.view().balances().await.unwrap();
    let heir = Address::repeat_byte(5);
    let leave = of_shares("redeemInKind", &[uint(owned), address(heir), address(bank.saver)]);
    let _: Value = bank.rpc.request("anvil_setBalance", json!([bank.saver, U256::exp10(20)])).await.unwrap();
    done(&bank.rpc, bank.saver, bank.shares, leave).await;
    for (token, account) in [(USDC, before.quote), (WETH, before.base)] {
        let got = U256::from_big_endian(&ask(&bank.rpc, token, of_token("balanceOf", &[address(heir)])).await);
        assert_eq!(got.as_u128(), account * owned / before.shares);
    }
    vault.redeem_in_kind(50_000 * DOLLAR).await.unwrap();
}

#[tokio::test]
async fn a_vault_counts_as_known_only_if_its_own_creation_code_made_it() {
    let bank = Bank::open().await;
    assert!(bank.desk.view().code_matches().await.unwrap());
    let operator = bank.desk.vault.sender().clone();
    let url = bank.desk.world.chain.url();
    // The same code, immutables and all, put there by another creation code, which could have begun with other books.
    let code = bank.rpc.get_code(bank.desk.view().address(), None).await.unwrap();
    let size = u16::try_from(code.len()).unwrap().to_be_bytes();
    let prefix = [0x61, size[0], size[1], 0x80, 0x60, 0x0a, 0x5f, 0x39, 0x5f, 0xf3];
    let made: Bytes = [prefix.as_slice(), &code].concat().into();
    let copy = VaultView::at(url, hostile::deploy_code(&operator, made).await).unwrap();
    assert_eq!(bank.rpc.get_code(copy.address(), None).await.unwrap(), code, "the test does not copy");
    assert!(!copy.code_matches().await.unwrap());
    // Terms out of their bounds are refused when the vault is made.
    let someone = Address::repeat_byte(1);
    for bad in [
        ShareTerms { management_bps: 501, recipient: someone, ..TERMS },
        ShareTerms { performance_bps: 3_001, recipient: someone, ..TERMS },
        ShareTerms { performance_bps: 1, ..TERMS },
        ShareTerms { recipient: someone, ..TERMS },
        ShareTerms { window_s: 299, ..TERMS },
        ShareTerms { window_s: 86_401, ..TERMS },
        ShareTerms { max_deviation: 9, ..TERMS },
        ShareTerms { max_deviation: 501, ..TERMS },
    ] {
        let made = Vault::deploy_noting(operator.clone(), [USDC, WETH, POOL_500], &bad, Vec::new(), &mut ()).await;
        refused(made, "TermsOutOfRange");
    }
    // Only the share contract moves funds, and only the vault has it collect.
    let (me, vault) = (operator.address(), bank.desk.view().address());
    let flow = [address(me), address(me), uint(ETHER), uint(0), uint(0)];
    for (to, data, why) in [
        (vault, hostile::of_vault("give", &flow), "NotShares"),
        (vault, hostile::of_vault("take", &flow), "NotShares"),
        (bank.shares, of_shares("pull", &[address(USDC), address(bank.saver), uint(1)]), "NotVault"),
    ] {
        let refusal = raw::refusal(&bank.rpc, me, to, data).await.unwrap();
        assert!(refusal.contains(&hostile::error(why)), "{refusal}");
    }
}
