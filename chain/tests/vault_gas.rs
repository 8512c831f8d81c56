//! What decisions cost on chain, gas from receipts, after the first of their kind has paid for its slots. Prints; the bounds are loose.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use crate::{common, raw};
use common::{DEPOSITOR, DOLLAR, Desk, hold, order};
use ethers::abi::Token;
use ethers::providers::Middleware;
use ethers::types::U256;
use probity_chain::{POOL_500, SWAP_ROUTER, Terms, USDC, WETH, connect};
use serde_json::{Value, json};

/// The same swap by an account through the real router, undone afterwards.
async fn bare_swap(desk: &Desk, amount: u128) -> u64 {
    let rpc = connect(desk.world.chain.url()).unwrap();
    let account = desk.world.account(DEPOSITOR).await.address();
    let erc20 = "node_modules/@openzeppelin/contracts/build/contracts/ERC20.json";
    raw::send(&rpc, account, USDC, raw::encode(erc20, "approve", &[Token::Address(SWAP_ROUTER), Token::Uint(U256::MAX)]), 100_000).await;
    let snapshot: Value = rpc.request("evm_snapshot", json!([])).await.unwrap();
    let order = [Token::Address(USDC), Token::Address(WETH), Token::Uint(500.into()), Token::Address(account), Token::Uint(U256::MAX)];
    let amounts = [Token::Uint(U256::from(amount)), Token::Uint(0.into()), Token::Uint(0.into())];
    let router = "node_modules/@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json";
    let data = raw::encode(router, "exactInputSingle", &[Token::Tuple(order.into_iter().chain(amounts).collect())]);
    let receipt = raw::send(&rpc, account, SWAP_ROUTER, data, 500_000).await;
    assert_eq!(receipt.status, Some(1.into()));
    let _: bool = rpc.request("evm_revert", json!([snapshot])).await.unwrap();
    receipt.gas_used.unwrap().as_u64()
}

#[tokio::test]
async fn a_decision_costs_what_it_writes() {
    for armed in [false, true] {
        let desk = Desk::open(POOL_500).await;
        if armed {
            // Nothing is settled here: any contract will do.
            let terms = Terms { verifier: USDC, genesis_state: [0; 32], max_unproven_decisions: 100, max_unproven_seconds: 1 << 30 };
            desk.vault.arm(&terms).await.unwrap();
        }
        for n in 1..=2 {
            let seen = desk.observe(n).await;
            desk.vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap();
        }
        let mut gas = Vec::new();
        for n in 3..=5 {
            let seen = desk.observe(n).await;
            gas.push(desk.vault.decide(&seen, &hold(seen.step), &[]).await.unwrap().gas_used);
        }
        let seen = desk.observe(6).await;
        let bare = bare_swap(&desk, 1_000 * DOLLAR).await;
        let traded = desk.vault.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap();
        assert!(traded.executed);
        // Ten holds recorded late, in one transaction, each seen as it would have been seen in time.
        let mut holds = Vec::new();
        let first = desk.observe(7).await;
        for n in 7..17 {
            let mut seen = desk.observe(n).await;
            (seen.step, seen.quote, seen.base, seen.shares) = (u32::try_from(n - 1).unwrap(), first.quote, first.base, first.shares);
            seen.fill = if n == 7 { first.fill } else { None };
            holds.push((seen.clone(), hold(seen.step)));
        }
        let many = desk.vault.decide_holds(&holds).await.unwrap();
        assert_eq!(desk.view().position().await.unwrap().0, 16);
        let (name, hold) = (if armed { "armed" } else { "unarmed" }, *gas.last().unwrap());
        println!(
            "{name}: holds {gas:?}; trade {}, bare swap {bare}, over it {}; ten holds at once {many}",
            traded.gas_used,
            traded.gas_used - bare
        );
        assert!(traded.gas_used - bare <= 120_000 && hold <= 80_000 && many / 10 < hold);
    }
}

#[tokio::test]
async fn shares_cost_what_they_move() {
    let desk = Desk::open(POOL_500).await;
    let (rpc, own) = (connect(desk.world.chain.url()).unwrap(), desk.vault.account());
    let later = desk.world.chain.time_s().await.unwrap() + 3_600;
    desk.world.chain.advance_to(later).await.unwrap();
    let start = rpc.get_block_number().await.unwrap().as_u64();
    let mut made = 0;
    let registered = desk.view().registration().await.unwrap().1;
    for number in registered - 6..registered {
        for tx in rpc.get_block_with_txs(number).await.unwrap().unwrap().transactions {
            if tx.from == own && tx.to.is_none() {
                made = rpc.get_transaction_receipt(tx.hash).await.unwrap().unwrap().gas_used.unwrap().as_u64();
            }
        }
    }
    // The second of each kind: the first pays for its slots.
    for _ in 0..2 {
        desk.vault.deposit(1_000 * DOLLAR, 1).await.unwrap();
        desk.vault.redeem(500 * DOLLAR, 1).await.unwrap();
        desk.vault.deposit_in_kind(1_000 * DOLLAR, 1 << 90, 1 << 90).await.unwrap();
        desk.vault.redeem_in_kind(500 * DOLLAR).await.unwrap();
    }
    let shares = desk.view().shares_contract().await.unwrap();
    let mut gas = Vec::new();
    for number in start + 1..=rpc.get_block_number().await.unwrap().as_u64() {
        for tx in rpc.get_block_with_txs(number).await.unwrap().unwrap().transactions {
            if tx.to == Some(shares) {
                gas.push(rpc.get_transaction_receipt(tx.hash).await.unwrap().unwrap().gas_used.unwrap().as_u64());
            }
        }
    }
    let [.., deposit, redeem, in_kind, leave] = gas.as_slice() else { panic!("eight flows, got {gas:?}") };
    println!("deploying both {made}; deposit {deposit}, redeem {redeem}, deposit in kind {in_kind}, redeem in kind {leave}");
    assert!(made > 5_000_000 && made < 12_000_000 && gas.len() == 8 && gas.iter().all(|g| *g < 300_000));
}
