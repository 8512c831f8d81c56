//! Bindings: the project's own contracts from their committed artifacts, and the few foreign functions that are called.

use ethers::contract::abigen;

abigen!(ProbityVault, "contracts/out/ProbityVault.json");
/// Apart: some of its names are the vault's, too.
pub(crate) mod shares {
    ethers::contract::abigen!(
        ProbityShares,
        "contracts/out/ProbityShares.json",
        methods {
            deposit(uint256,address,uint256) as deposit_for_at_least;
            mint(uint256,address,uint256) as mint_for_at_most;
            withdraw(uint256,address,address,uint256) as withdraw_for_at_most;
            redeem(uint256,address,address,uint256) as redeem_for_at_least;
        },
    );
}

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
        function tickSpacing() external view returns (int24)
        function tickBitmap(int16) external view returns (uint256)
        function ticks(int24) external view returns (uint128 liquidityGross, int128 liquidityNet, uint256 feeGrowthOutside0X128, uint256 feeGrowthOutside1X128, int56 tickCumulativeOutside, uint160 secondsPerLiquidityOutsideX128, uint32 secondsOutside, bool initialized)
        function observe(uint32[]) external view returns (int56[] tickCumulatives, uint160[] secondsPerLiquidityCumulativeX128s)
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

/// ERC-8004, draft of January 2026: what is called of any such registry, and the refusals of this project's own.
pub(crate) mod registries {
    use ethers::contract::abigen;

    abigen!(
        Identities,
        r#"[
            function register(string agentURI) external returns (uint256)
            function ownerOf(uint256 agentId) external view returns (address)
            function tokenURI(uint256 agentId) external view returns (string)
            function getAgentWallet(uint256 agentId) external view returns (address)
            event Registered(uint256 indexed agentId, string agentURI, address indexed owner)
        ]"#
    );

    abigen!(
        Validations,
        r#"[
            function getIdentityRegistry() external view returns (address)
            function validationRequest(address validatorAddress, uint256 agentId, string requestURI, bytes32 requestHash) external
            function validationResponse(bytes32 requestHash, uint8 response, string responseURI, bytes32 responseHash, string tag) external
            function getValidationStatus(bytes32 requestHash) external view returns (address validatorAddress, uint256 agentId, uint8 response, bytes32 responseHash, string tag, uint256 lastUpdate)
            event ValidationRequest(address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash)
            event ValidationResponse(address indexed validatorAddress, uint256 indexed agentId, bytes32 indexed requestHash, uint8 response, string responseURI, bytes32 responseHash, string tag)
            error AlreadyRequested(bytes32 requestHash)
            error UnknownRequest(bytes32 requestHash)
            error NotOwnerOrOperator(address caller, uint256 agentId)
            error NotTheValidator(address expected)
            error ResponseOutOfRange(uint8 most)
            error NoValidator()
            error NoRegistry()
        ]"#
    );
}
