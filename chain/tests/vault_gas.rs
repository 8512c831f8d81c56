//! What decisions cost on chain, gas from receipts, after the first of their kind has paid for its slots. Prints; the bounds are loose.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;
#[path = "common/raw.rs"]
mod raw;

use common::{DEPOSITOR, DOLLAR, Desk, hold, order};
use ethers::abi::Token;
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
        assert!(traded.gas_used - bare <= 120_000 && hold <= 85_000 && many / 10 < hold);
    }
}
