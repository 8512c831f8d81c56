//! Bindings: the project's own contracts from their committed artifacts, and the few foreign functions that are called.

use ethers::contract::abigen;

abigen!(ProbityVault, "contracts/out/ProbityVault.json");
abigen!(SettlementVerifier, "contracts/out/SettlementVerifier.json");
abigen!(StandInUsdc, "contracts/out/StandInUsdc.json");

abigen!(
    Erc20,
    r#"[
        function balanceOf(address) external view returns (uint256)
        function allowance(address, address) external view returns (uint256)
        function approve(address, uint256) external returns (bool)
        function transfer(address, uint256) external returns (bool)
        function decimals() external view returns (uint8)
        function symbol() external view returns (string)
        function deposit() external payable
    ]"#
);

abigen!(
    Pool,
    r#"[
        function initialize(uint160) external
        function token0() external view returns (address)
        function token1() external view returns (address)
        function fee() external view returns (uint24)
        function factory() external view returns (address)
        function liquidity() external view returns (uint128)
        function slot0() external view returns (uint160 sqrtPriceX96, int24 tick, uint16 observationIndex, uint16 observationCardinality, uint16 observationCardinalityNext, uint8 feeProtocol, bool unlocked)
        function increaseObservationCardinalityNext(uint16) external
        event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128 liquidity, int24 tick)
    ]"#
);

abigen!(
    Factory,
    r#"[
        function createPool(address, address, uint24) external returns (address)
        function getPool(address, address, uint24) external view returns (address)
    ]"#
);

abigen!(
    SwapRouter,
    r#"[
        struct ExactInputSingle { address tokenIn; address tokenOut; uint24 fee; address recipient; uint256 deadline; uint256 amountIn; uint256 amountOutMinimum; uint160 sqrtPriceLimitX96; }
        function exactInputSingle(ExactInputSingle) external payable returns (uint256)
    ]"#
);

abigen!(
    PositionManager,
    r#"[
        struct Mint { address token0; address token1; uint24 fee; int24 tickLower; int24 tickUpper; uint256 amount0Desired; uint256 amount1Desired; uint256 amount0Min; uint256 amount1Min; address recipient; uint256 deadline; }
        function mint(Mint) external payable returns (uint256, uint128, uint256, uint256)
    ]"#
);
