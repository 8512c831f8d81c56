//! Every refusal of `decide`, with its exact words; after each of them the right decision still goes through.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use crate::{common, raw};
use common::{DEPOSITOR, DOLLAR, Desk, ETHER, GENESIS, INTERVAL, OPERATOR, hold, order, refused};
use ethers::abi::Token;
use ethers::providers::Middleware;
use ethers::types::U256;
use probity_chain::{Address, Move, Observed, POOL_500, SWAP_ROUTER, USDC, Vault, WETH, connect};

#[tokio::test]
async fn decide_refuses_what_does_not_fit() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    let (vault, buy) = (&desk.vault, order(&seen, true, 10_000 * DOLLAR, 50));
    let stranger = Vault::at(desk.world.account(DEPOSITOR).await, desk.view().address());
    refused(stranger.decide(&seen, &buy, &[]).await, "NotOperator");
    refused(vault.decide(&Observed { step: 1, ..seen.clone() }, &buy, &[]).await, "WrongStep(expected: 0)");
    let wrong_head = format!("WrongHead(expected: 0x{})", hex::encode(GENESIS));
    refused(vault.decide(&seen, &Move { head_before: [7; 32], ..buy.clone() }, &[]).await, &wrong_head);

    // The anchor: another hash, a block to come, the block of the decision itself.
    refused(vault.decide(&Observed { block_hash: [7; 32], ..seen.clone() }, &buy, &[]).await, "AnchorUnknown");
    refused(vault.decide(&Observed { block_number: seen.block_number + 50, ..seen.clone() }, &buy, &[]).await, "AnchorUnknown");

    // The time: not a multiple, to come, not after the last.
    let wrong_time = format!("WrongTime(last: {}, interval: {INTERVAL})", desk.genesis_s);
    for time_s in [seen.time_s + 1, desk.due(2), desk.genesis_s] {
        refused(vault.decide(&Observed { time_s, ..seen.clone() }, &buy, &[]).await, &wrong_time);
    }

    // The observation: every other field has to be what the vault sees.
    let s = &seen;
    let fields = format!(
        "{}, {}, {}, 0x{}, {}, {}, {}, {}, {}",
        s.step,
        s.time_s,
        s.block_number,
        hex::encode(s.block_hash),
        s.mean_tick,
        s.price_x64,
        s.quote,
        s.base,
        s.shares
    );
    let mismatch = format!("ObservationMismatch(seen: ({fields}, false, 0))");
    for other in [
        Observed { mean_tick: seen.mean_tick + 1, ..seen.clone() },
        Observed { price_x64: seen.price_x64 + 1, ..seen.clone() },
        Observed { quote: seen.quote + 1, ..seen.clone() },
        Observed { base: seen.base - 1, ..seen.clone() },
        Observed { shares: seen.shares + 1, ..seen.clone() },
        Observed { fill: Some(1), ..seen.clone() },
    ] {
        refused(vault.decide(&other, &buy, &[]).await, &mismatch);
    }

    // The limits.
    let with = |buy, amount, least| Move { order: Some((buy, amount, least)), ..hold(0) };
    let (_, amount, least) = buy.order.unwrap();
    refused(vault.decide(&seen, &order(&seen, true, 25_000 * DOLLAR + 1, 50), &[]).await, "LimitBreached(limit: maxTradeQuote)");
    refused(vault.decide(&seen, &order(&seen, false, 13 * ETHER, 50), &[]).await, "LimitBreached(limit: maxTradeQuote)");
    refused(vault.decide(&seen, &with(true, amount, least - 1), &[]).await, "LimitBreached(limit: maxSlippageBps)");
    let sell = order(&seen, false, ETHER, 50).order.unwrap();
    refused(vault.decide(&seen, &with(false, ETHER, sell.2 - 1), &[]).await, "LimitBreached(limit: maxSlippageBps)");
    refused(vault.decide(&seen, &with(true, 0, 1), &[]).await, "LimitBreached(limit: amountIn)");

    // Nothing of that is in the way.
    assert_eq!(desk.view().position().await.unwrap(), (0, GENESIS));
    assert!(vault.decide(&seen, &buy, &[]).await.unwrap().executed);
    refused(vault.decide(&seen, &buy, &[]).await, "WrongStep(expected: 1)");
}

#[tokio::test]
async fn decide_refuses_what_no_client_sends() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    let (rpc, vault) = (connect(desk.world.chain.url()).unwrap(), desk.view().address());
    let operator = desk.world.account(OPERATOR).await.address();
    let m = hold(0);
    let word = |name: &str, signature: &str| (name.to_owned(), hex::encode(&ethers::utils::keccak256(signature)[..4]));
    let cases = [
        (raw::decide(&seen, &m, 3, (1, 1), [0; 32], &[]), word("side", "LimitBreached(string)")),
        (raw::decide(&seen, &m, 0, (1, 0), [0; 32], &[]), word("hold", "LimitBreached(string)")),
        (raw::decide(&seen, &m, 0, (0, 1), [0; 32], &[]), word("hold", "LimitBreached(string)")),
        (raw::decide(&seen, &m, 0, (0, 0), [7; 32], b"proof"), word("", "ProofMismatch()")),
        (
            raw::encode("out/ProbityVault.json", "executeSwap", &[Token::Uint(1.into()), Token::Uint(1.into()), Token::Uint(1.into())]),
            word("", "NotSelf()"),
        ),
        (
            raw::encode(
                "out/ProbityVault.json",
                "uniswapV3SwapCallback",
                &[Token::Int(1.into()), Token::Int(1.into()), Token::Bytes(vec![])],
            ),
            word("", "NotPool()"),
        ),
    ];
    for (data, (text, selector)) in cases {
        let said = raw::refusal(&rpc, operator, vault, data).await.unwrap();
        assert!(said.contains(&format!("0x{selector}")) && said.contains(&hex::encode(text)), "{selector} expected, got {said}");
    }
    // The same call with nothing wrong goes through.
    assert_eq!(raw::refusal(&rpc, operator, vault, raw::decide(&seen, &m, 0, (0, 0), [7; 32], &[])).await, None);
    // Only the pool may ask for payment, and only in a swap of the vault.
    let ask =
        raw::encode("out/ProbityVault.json", "uniswapV3SwapCallback", &[Token::Int(1.into()), Token::Int(0.into()), Token::Bytes(vec![])]);
    let said = raw::refusal(&rpc, POOL_500, vault, ask).await.unwrap();
    assert!(said.contains(&hex::encode(&ethers::utils::keccak256("NotPool()")[..4])), "{said}");
}

/// Code that burns about 6 million gas when asked for a transfer, and otherwise is the code at another address.
fn hungry(behind: Address) -> String {
    let burn = "60003560e01c63a9059cbb1415601e57620382705b6001900380601457505b";
    format!("0x{burn}365f5f375f5f365f73{}5af43d5f5f3e6048573d5ffd5b3d5ff3", hex::encode(behind))
}

#[tokio::test]
async fn a_swap_starved_of_gas_is_not_recorded_as_a_failed_fill() {
    let desk = Desk::open(POOL_500).await;
    let rpc = connect(desk.world.chain.url()).unwrap();
    // Starving pays only where the swap needs many times what the rest of the decision needs: let the token be hungry.
    let behind = Address::repeat_byte(0x77);
    let code = rpc.get_code(WETH, None).await.unwrap();
    let _: serde_json::Value = rpc.request("anvil_setCode", serde_json::json!([behind, code])).await.unwrap();
    let _: serde_json::Value = rpc.request("anvil_setCode", serde_json::json!([WETH, hungry(behind)])).await.unwrap();
    let seen = desk.observe(1).await;
    let (_, amount, least) = order(&seen, true, 1_000 * DOLLAR, 50).order.unwrap();
    let operator = desk.world.account(OPERATOR).await.address();
    let data = raw::decide(&seen, &hold(0), 1, (amount, least), [0; 32], &[]);
    for (refusals, gas) in (500_000..10_000_000).step_by(250_000).enumerate() {
        let receipt = raw::send(&rpc, operator, desk.view().address(), data.clone(), gas).await;
        if receipt.status == Some(1.into()) {
            let decided = desk.view().decided(0).await.unwrap();
            assert!(decided[0].outcome.executed, "with {gas} gas the operator faked a failed fill");
            assert!(refusals > 10, "the gas was never too little");
            return;
        }
    }
    panic!("no gas was enough");
}

#[tokio::test]
async fn a_swap_of_somebody_else_to_the_vault_is_a_gift() {
    let desk = Desk::open(POOL_500).await;
    let (rpc, vault) = (connect(desk.world.chain.url()).unwrap(), desk.view().address());
    let giver = desk.world.account(DEPOSITOR).await.address();
    let erc20 = "node_modules/@openzeppelin/contracts/build/contracts/ERC20.json";
    raw::send(&rpc, giver, USDC, raw::encode(erc20, "approve", &[Token::Address(SWAP_ROUTER), Token::Uint(U256::MAX)]), 100_000).await;
    let order = [Token::Address(USDC), Token::Address(WETH), Token::Uint(500.into()), Token::Address(vault), Token::Uint(U256::MAX)];
    let amounts = [Token::Uint(U256::from(DOLLAR)), Token::Uint(0.into()), Token::Uint(0.into())];
    let router = "node_modules/@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json";
    let data = raw::encode(router, "exactInputSingle", &[Token::Tuple(order.into_iter().chain(amounts).collect())]);
    let before = desk.view().balances().await.unwrap();
    assert_eq!(raw::send(&rpc, giver, SWAP_ROUTER, data, 500_000).await.status, Some(1.into()));
    let swaps = desk.view().swaps(0).await.unwrap();
    assert_eq!(swaps.iter().map(|s| (s.by_vault, s.amount0)).collect::<Vec<_>>(), [(false, 1_000_000)]);
    assert_eq!(desk.view().balances().await.unwrap(), before);
}
