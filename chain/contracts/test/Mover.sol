// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPool} from "../VaultState.sol";

/// What a pool is given liquidity with.
interface IMint {
    function mint(address recipient, int24 lower, int24 upper, uint128 liquidity, bytes calldata data) external returns (uint256, uint256);
}

/// @title Moves a pool's price and moves it back in one transaction, and asks something in between
contract Mover {
    /// What was answered while the price stood elsewhere, the tick there, and the tick afterwards.
    bytes public between;
    int24 public away;
    int24 public home;

    function there(IPool pool, uint160 sqrtPriceX96) public {
        (uint160 now_,,,,,,) = pool.slot0();
        pool.swap(address(this), sqrtPriceX96 < now_, type(int128).max, sqrtPriceX96, "");
    }

    function thereAndBack(IPool pool, uint160 sqrtPriceX96, address asked, bytes calldata question) external {
        (uint160 before,,,,,,) = pool.slot0();
        there(pool, sqrtPriceX96);
        (, away,,,,,) = pool.slot0();
        (, between) = asked.staticcall(question);
        there(pool, before);
        (, home,,,,,) = pool.slot0();
    }

    function provide(address pool, int24 lower, int24 upper, uint128 liquidity) external {
        IMint(pool).mint(address(this), lower, upper, liquidity, "");
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        IERC20(IPool(msg.sender).token0()).transfer(msg.sender, amount0);
        IERC20(IPool(msg.sender).token1()).transfer(msg.sender, amount1);
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        IPool pool = IPool(msg.sender);
        if (amount0 > 0) IERC20(pool.token0()).transfer(msg.sender, uint256(amount0));
        if (amount1 > 0) IERC20(pool.token1()).transfer(msg.sender, uint256(amount1));
    }
}
