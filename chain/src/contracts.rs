//! Bindings: the project's own vault from its committed interface, and the few foreign functions that are called.

use ethers::contract::abigen;

abigen!(ProbityVault, "contracts/out/ProbityVault.json");

abigen!(
    Erc20,
    r#"[
        function balanceOf(address) external view returns (uint256)
        function approve(address, uint256) external returns (bool)
        function decimals() external view returns (uint8)
    ]"#
);

abigen!(
    Pool,
    r#"[
        function token0() external view returns (address)
        function token1() external view returns (address)
        function fee() external view returns (uint24)
        function slot0() external view returns (uint160 sqrtPriceX96, int24 tick, uint16 observationIndex, uint16 observationCardinality, uint16 observationCardinalityNext, uint8 feeProtocol, bool unlocked)
        function increaseObservationCardinalityNext(uint16) external
    ]"#
);
