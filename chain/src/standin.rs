//! The stand-in mainnet: Uniswap v3's published bytecode at its mainnet addresses, and the pool USDC/WETH 0.05 %.
//!
//! The addresses come out right because the original deployers are impersonated at their original nonces. What is not
//! mainnet's: USDC is a plain token of the project's own; WETH9 is built by another compiler than mainnet's (same source, another code
//! hash); the descriptor of the position manager has no code; liquidity is one position over the whole range.

use crate::ChainError;
use crate::contracts::{Erc20, Factory, Mint, Pool, PositionManager, STANDINUSDC_BYTECODE};
use crate::devchain::mine_at;
use crate::impersonate::{act, assume};
use crate::mainnet::{FACTORY, POOL_500, POSITION_MANAGER, SWAP_ROUTER, USDC, WETH};
use crate::node::Node;
use crate::pool::sqrt_price_of;
use crate::tools::Tools;
use ethers::abi::AbiEncode;
use ethers::types::{Address, Bytes, H160, U256, U512};
use serde_json::{Value, json};
use std::sync::Arc;

/// Block the stand-in starts from.
const FIRST_BLOCK: u64 = 20_000_000;
/// How far the pool's oracle goes back, s.
const HISTORY_S: u64 = 30 * 86_400;
/// Observations the pool's oracle keeps.
const CARDINALITY: u16 = 2_000;
/// Slots added in one transaction.
const SLOTS_AT_ONCE: u16 = 500;
/// Fee of the pool, millionths.
const FEE: u32 = 500;
/// Whole range of a pool with tick spacing 10.
const RANGE: i32 = 887_270;
/// Liquidity, about that of mainnet's pool near its price: 25,000 USDC move it by about one basis point at 3,000 USDC.
const LIQUIDITY: u128 = 10_000_000_000_000_000_000;
/// The provider of the liquidity: an account nobody has the key of.
const PROVIDER: Address = H160(*b"probity liquidity...");
/// Descriptor that mainnet's position manager names.
const DESCRIPTOR: Address =
    H160([0xee, 0x6a, 0x57, 0xec, 0x80, 0xea, 0x46, 0x40, 0x10, 0x49, 0xe9, 0x25, 0x87, 0xe5, 0x2f, 0x5e, 0xc1, 0xc2, 0x47, 0x85]);
/// Deployer of Uniswap v3.
const UNISWAP: Address =
    H160([0x6c, 0x9f, 0xc6, 0x4a, 0x53, 0xc1, 0xb7, 0x1f, 0xb3, 0xf9, 0xaf, 0x64, 0xd1, 0xae, 0x3a, 0x49, 0x31, 0xa5, 0xf4, 0xe9]);
/// Deployer of WETH9.
const WETH_DEPLOYER: Address =
    H160([0x4f, 0x26, 0xff, 0xbe, 0x5f, 0x04, 0xed, 0x43, 0x63, 0x0f, 0xdc, 0x30, 0xa8, 0x76, 0x38, 0xd5, 0x3d, 0x0b, 0x08, 0x76]);
/// Deployer of USDC.
const USDC_DEPLOYER: Address =
    H160([0x95, 0xba, 0x4c, 0xf8, 0x7d, 0x67, 0x23, 0xad, 0x9c, 0x0d, 0xb2, 0x17, 0x37, 0xd8, 0x62, 0xbe, 0x80, 0xe9, 0x39, 0x11]);

/// How the node must be started.
pub(crate) fn arguments(time_s: u64) -> Result<Vec<String>, ChainError> {
    let first = time_s.checked_sub(HISTORY_S).filter(|first| *first > 0);
    let first = first.ok_or_else(|| ChainError::value("stand-in's time", format!("a Unix time after {HISTORY_S}"), time_s))?;
    if u32::try_from(time_s).is_err() {
        return Err(ChainError::value("stand-in's time", "a Unix time below 2^32 (the pool's oracle counts in 32 bits)", time_s));
    }
    let args = [("--chain-id", 1), ("--number", FIRST_BLOCK), ("--timestamp", first), ("--block-base-fee-per-gas", 1_000_000_000)];
    Ok(args.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]).collect())
}

/// Builds everything on a fresh node; its latest block then has exactly `time_s`.
pub(crate) async fn build(node: &Node, tools: &Tools, time_s: u64, start_price_x64: u128) -> Result<(), ChainError> {
    let published = |path: &str| tools.creation_code(path);
    deploy(node, WETH_DEPLOYER, 446, WETH, published("canonical-weth/build/contracts/WETH9.json")?).await?;
    deploy(node, USDC_DEPLOYER, 20, USDC, STANDINUSDC_BYTECODE.clone()).await?;
    let factory = published("@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json")?;
    deploy(node, UNISWAP, 0, FACTORY, factory).await?;
    let router = published("@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json")?;
    deploy(node, UNISWAP, 4, SWAP_ROUTER, with(router, (FACTORY, WETH).encode())).await?;
    let manager = "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json";
    deploy(node, UNISWAP, 8, POSITION_MANAGER, with(published(manager)?, (FACTORY, WETH, DESCRIPTOR).encode())).await?;

    let client = Arc::new(node.rpc.clone());
    let data = Factory::new(FACTORY, client.clone()).create_pool(USDC, WETH, FEE).calldata();
    act(node, "createPool", UNISWAP, Some(FACTORY), data, 0).await?;
    let pool = Pool::new(POOL_500, client);
    let sqrt_price = sqrt_price_of(start_price_x64, true)?;
    act(node, "initialize", UNISWAP, Some(POOL_500), pool.initialize(sqrt_price).calldata(), 0).await?;
    let mut slots = 1u16;
    while slots < CARDINALITY {
        slots = CARDINALITY.min(slots.saturating_add(SLOTS_AT_ONCE));
        let data = pool.increase_observation_cardinality_next(slots).calldata();
        act(node, "increaseObservationCardinalityNext", UNISWAP, Some(POOL_500), data, 0).await?;
    }
    provide(node, sqrt_price).await?;
    mine_at(node, time_s).await
}

/// Creates a contract as its original deployer did, and checks where it landed.
async fn deploy(node: &Node, deployer: Address, nonce: u64, expected: Address, code: Bytes) -> Result<(), ChainError> {
    assume(node, deployer).await?;
    node.ask::<_, Value>("anvil_setNonce", json!([deployer, U256::from(nonce)])).await?;
    let receipt = act(node, "deploy", deployer, None, Some(code), 0).await?;
    match receipt.contract_address {
        Some(got) if got == expected => Ok(()),
        got => Err(ChainError::value("address of a stand-in contract", format!("{expected:?}"), format!("{got:?}"))),
    }
}

/// Mints the liquidity over the whole range.
async fn provide(node: &Node, sqrt_price: U256) -> Result<(), ChainError> {
    let client = Arc::new(node.rpc.clone());
    // Over the whole range: amount0 = L / sqrt(price), amount1 = L * sqrt(price), a little more for rounding.
    let root = U512::from(sqrt_price).max(U512::one());
    let amount0 = narrow((U512::from(LIQUIDITY) << 96) / root)?;
    let amount1 = narrow((U512::from(LIQUIDITY) * root) >> 96)?;
    let (usdc, weth) = (Erc20::new(USDC, client.clone()), Erc20::new(WETH, client.clone()));
    assume(node, PROVIDER).await?;
    node.ask::<_, Value>("anvil_setBalance", json!([PROVIDER, U256::from(amount1) + U256::exp10(24)])).await?;
    act(node, "deposit", PROVIDER, Some(WETH), weth.deposit().calldata(), amount1).await?;
    act(node, "transfer", USDC_DEPLOYER, Some(USDC), usdc.transfer(PROVIDER, U256::from(amount0)).calldata(), 0).await?;
    for (token, contract) in [(USDC, &usdc), (WETH, &weth)] {
        act(node, "approve", PROVIDER, Some(token), contract.approve(POSITION_MANAGER, U256::MAX).calldata(), 0).await?;
    }
    let mint = Mint {
        token_0: USDC,
        token_1: WETH,
        fee: FEE,
        tick_lower: -RANGE,
        tick_upper: RANGE,
        amount_0_desired: U256::from(amount0),
        amount_1_desired: U256::from(amount1),
        amount_0_min: U256::zero(),
        amount_1_min: U256::zero(),
        recipient: PROVIDER,
        deadline: U256::MAX,
    };
    let data = PositionManager::new(POSITION_MANAGER, client).mint(mint).calldata();
    act(node, "mint", PROVIDER, Some(POSITION_MANAGER), data, 0).await.map(drop)
}

fn narrow(v: U512) -> Result<u128, ChainError> {
    u128::try_from(v).map_err(|_| ChainError::value("stand-in's first price", "one that liquidity can be given at", v))
}

fn with(code: Bytes, arguments: Vec<u8>) -> Bytes {
    code.iter().copied().chain(arguments).collect::<Vec<u8>>().into()
}
