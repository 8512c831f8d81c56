// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A plain token at USD Coin's address on the stand-in mainnet
/// @notice Not USD Coin: no proxy, no minters, no blacklist, no pause, no permit. The deployer gets the whole supply.
contract StandInUsdc is ERC20 {
    constructor() ERC20("Stand-in for USD Coin", "USDC") {
        _mint(msg.sender, 40e15);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
