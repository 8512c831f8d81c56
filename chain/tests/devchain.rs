//! Development chains: what the stand-in is made of, time, money, prices, and living on after their starter.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use common::{DOLLAR, ETHER, Ended, PRICE, TIME, World, data, tools};
use ethers::providers::Middleware;
use ethers::utils::keccak256;
use probity_chain::{
    Address, ChainError, DevChain, FACTORY, Origin, POOL_500, POSITION_MANAGER, PoolInfo, SWAP_ROUTER, USDC, WETH, connect,
};

#[tokio::test]
async fn the_stand_in_has_mainnets_uniswap_at_mainnets_addresses() {
    let world = World::stand_in().await;
    assert_eq!((world.chain.chain_id(), world.chain.time_s().await.unwrap()), (1, TIME));
    let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
    assert_eq!((pool.token0, pool.token1, pool.fee_pips, pool.base_is_token1), (USDC, WETH, 500, true));
    assert_eq!((pool.quote.symbol.as_str(), pool.quote.decimals, pool.base.symbol.as_str(), pool.base.decimals), ("USDC", 6, "WETH", 18));
    assert_eq!(pool.cardinality, 2_000);
    assert!(pool.price_x64.abs_diff(PRICE) <= 1 && pool.liquidity.abs_diff(10_000_000_000_000_000_000) < 10_000_000_000);
    let inverse = PoolInfo::read(world.chain.url(), POOL_500, WETH).await.unwrap();
    assert!(!inverse.base_is_token1 && inverse.base.address == USDC);
    assert!(matches!(PoolInfo::read(world.chain.url(), POOL_500, FACTORY).await, Err(ChainError::Value { field: "quote token", .. })));
    assert!(matches!(PoolInfo::read(world.chain.url(), USDC, USDC).await, Err(ChainError::Rpc { call: "token0", .. })));

    // The oracle goes back a month.
    let rpc = connect(world.chain.url()).unwrap();
    let ago = |s: u64| format!("0x883bdbfd{:064x}{:064x}{:064x}{:064x}", 32, 2, s, 0).parse::<ethers::types::Bytes>().unwrap();
    let observe = |s| ethers::types::TransactionRequest::new().to(POOL_500).data(ago(s));
    assert!(rpc.call(&observe(29 * 86_400).into(), None).await.is_ok());

    let Some(path) = data("chain/mainnet_code_hashes.json") else { return };
    let table: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let same = [
        ("UniswapV3Factory", FACTORY),
        ("SwapRouter", SWAP_ROUTER),
        ("NonfungiblePositionManager", POSITION_MANAGER),
        ("UniswapV3Pool_USDC_WETH_500", POOL_500),
    ];
    let hash = async |address: Address| format!("0x{}", hex::encode(keccak256(rpc.get_code(address, None).await.unwrap())));
    for (name, address) in same {
        assert_eq!(table[name]["address"].as_str().unwrap(), format!("{address:?}"));
        assert_eq!(table[name]["keccak256"].as_str().unwrap(), hash(address).await, "{name}");
    }
    // What is not mainnet's, and is said not to be.
    assert_ne!(table["WETH9"]["keccak256"].as_str().unwrap(), hash(WETH).await);
    assert_ne!(table["USDC_FiatTokenProxy"]["keccak256"].as_str().unwrap(), hash(USDC).await);
}

#[tokio::test]
async fn a_trade_of_25000_dollars_moves_the_price_by_about_a_basis_point() {
    let world = World::stand_in().await;
    let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
    let moved = world.chain.move_price(&pool, PRICE + PRICE / 10_000).await.unwrap();
    assert!((20_000 * DOLLAR..40_000 * DOLLAR).contains(&moved.amount_in), "{moved:?}");
}

#[tokio::test]
async fn prices_move_both_ways_and_stand_where_they_were_sent() {
    let world = World::stand_in().await;
    let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
    for price in [PRICE * 2, PRICE / 2, PRICE / 2 + 1, PRICE * 50, PRICE] {
        let moved = world.chain.move_price(&pool, price).await.unwrap();
        let now = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
        assert_eq!(now.tick, moved.tick);
        assert!(now.price_x64.abs_diff(price) <= 1 && moved.amount_in > 0, "{price}: {now:?}");
        let again = world.chain.move_price(&pool, price).await.unwrap();
        assert_eq!((again.amount_in, again.tick, again.block_number), (0, moved.tick, moved.block_number), "already there");
    }
    assert!(matches!(world.chain.move_price(&pool, 0).await, Err(ChainError::Value { field: "price", .. })));
}

#[tokio::test]
async fn time_goes_where_it_is_sent_and_by_one_second_a_block() {
    let world = World::stand_in().await;
    let chain = &world.chain;
    chain.advance_to(TIME + 1_000).await.unwrap();
    assert_eq!(chain.time_s().await.unwrap(), TIME + 1_000);
    for past in [TIME + 1_000, TIME] {
        let error = chain.advance_to(past).await.unwrap_err();
        assert_eq!(error.to_string(), format!("time of the next block: expected later than {}, got {past}", TIME + 1_000));
    }
    let pool = PoolInfo::read(chain.url(), POOL_500, USDC).await.unwrap();
    chain.move_price(&pool, PRICE + 1).await.unwrap();
    let first = chain.time_s().await.unwrap();
    chain.move_price(&pool, PRICE + 9).await.unwrap();
    assert_eq!(chain.time_s().await.unwrap(), first + 1);
    // Money comes without a block.
    let someone = Address::repeat_byte(0x51);
    chain.fund_gas(someone, 3 * ETHER).await.unwrap();
    chain.fund_token(USDC, someone, 7 * DOLLAR).await.unwrap();
    chain.fund_token(WETH, someone, 7 * ETHER).await.unwrap();
    chain.fund_token(WETH, someone, 0).await.unwrap();
    assert_eq!(chain.time_s().await.unwrap(), first + 1);
    assert_eq!(connect(chain.url()).unwrap().get_balance(someone, None).await.unwrap(), (3 * ETHER).into());
}

#[tokio::test]
async fn chains_outlive_their_starter_and_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let _ended = Ended(dir.path().to_owned());
    assert!(DevChain::attach(dir.path()).await.unwrap().is_none());
    let origin = Origin::StandIn { time_s: TIME, start_price_x64: PRICE };
    let chain = DevChain::start(&tools(), dir.path(), &origin).await.unwrap();
    chain.advance_to(TIME + 77).await.unwrap();
    let url = chain.url().to_owned();
    let chains = std::fs::read_to_string(dir.path().join("chains.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&chains).unwrap();
    for node in json["nodes"].as_array().unwrap() {
        let pid = rustix::process::Pid::from_raw(i32::try_from(node["pid"].as_i64().unwrap()).unwrap()).unwrap();
        assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid, "an interrupt of the starter reaches its own group only");
    }
    drop(chain);
    let again = DevChain::attach(dir.path()).await.unwrap().unwrap();
    assert_eq!((again.url(), again.chain_id(), again.time_s().await.unwrap()), (url.as_str(), 1, TIME + 77));
    let second = DevChain::start(&tools(), dir.path(), &origin).await.unwrap_err();
    assert!(second.to_string().contains("attach to them, or stop them first"), "{second}");
    again.stop().await.unwrap();
    assert!(DevChain::attach(dir.path()).await.unwrap().is_none());
    assert!(connect(&url).unwrap().get_chainid().await.is_err(), "nothing answers there any more");

    // A start that was cut off before its end leaves a node, which is ended.
    let world = World::stand_in().await;
    let left = world.dir.path().join("chains.json");
    std::fs::write(&left, std::fs::read_to_string(&left).unwrap().replace("\"complete\": true", "\"complete\": false")).unwrap();
    let url = world.chain.url().to_owned();
    drop(world.chain);
    assert!(DevChain::attach(world.dir.path()).await.unwrap().is_none());
    assert!(!left.exists() && connect(&url).unwrap().get_chainid().await.is_err());

    // chains.json of chains that are gone.
    std::fs::write(dir.path().join("chains.json"), chains).unwrap();
    assert!(matches!(DevChain::attach(dir.path()).await.unwrap_err(), ChainError::Gone { .. }));
    std::fs::write(dir.path().join("chains.json"), "{").unwrap();
    assert!(matches!(DevChain::attach(dir.path()).await.unwrap_err(), ChainError::Value { field: "chains.json", .. }));
    std::fs::remove_file(dir.path().join("chains.json")).unwrap();
}

#[tokio::test]
async fn a_fork_of_nothing_says_so_and_keeps_the_key_to_itself() {
    let dir = tempfile::tempdir().unwrap();
    let _ended = Ended(dir.path().to_owned());
    let origin = Origin::Fork { url: "http://127.0.0.1:1/v3/SECRETKEY".into() };
    assert!(!format!("{origin:?}").contains("SECRETKEY"));
    let error = DevChain::start(&tools(), dir.path(), &origin).await.unwrap_err().to_string();
    assert!(error.starts_with("anvil did not start") && error.contains("127.0.0.1:1") && !error.contains("SECRETKEY"), "{error}");
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("SECRETKEY"), "{}", path.display());
    }
    let error = DevChain::start(&tools(), dir.path(), &Origin::Fork { url: "wss://x/SECRETKEY".into() }).await.unwrap_err().to_string();
    assert!(error.starts_with("rpc url: expected http://") && !error.contains("SECRETKEY"), "{error}");
    let error = DevChain::start(&tools(), dir.path(), &Origin::StandIn { time_s: 5, start_price_x64: PRICE }).await.unwrap_err();
    assert!(matches!(error, ChainError::Value { field: "stand-in's time", .. }));
}
