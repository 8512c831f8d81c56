// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token of the tests that does what tokens should not
/// @notice On demand it keeps a fee, stops, shuts somebody out, or calls somebody in the middle of a transfer. It can act itself too, so that it may be a depositor
/// or a vault's operator: then a call in the middle of a transfer has every right that the vault gives, and only the vault's guard stops it.
contract HostileToken is ERC20 {
    uint256 public feeBps;
    bool public paused;
    /// Neither gives nor takes.
    address public blocked;

    address public target;
    bytes public data;
    /// What came of the calls in the middle of transfers.
    uint256 public calls;
    bool public done;
    bytes public answer;

    constructor() ERC20("Hostile", "HOST") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFee(uint256 bps) external {
        feeBps = bps;
    }

    function setPaused(bool to) external {
        paused = to;
    }

    function setBlocked(address account) external {
        blocked = account;
    }

    /// From now on every transfer makes this call; the zero address ends it.
    function hook(address target_, bytes calldata data_) external {
        (target, data, calls, done, answer) = (target_, data_, 0, false, "");
    }

    /// Makes a call as this token.
    function act(address to, bytes calldata data_) external {
        (bool ok, bytes memory why) = to.call(data_);
        if (!ok) {
            assembly {
                revert(add(why, 32), mload(why))
            }
        }
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!paused, "paused");
        require(blocked == address(0) || (from != blocked && to != blocked), "blocked");
        uint256 fee = from == address(0) ? 0 : amount * feeBps / 10_000;
        if (fee != 0) super._update(from, address(this), fee);
        super._update(from, to, amount - fee);
        if (target != address(0) && from != address(0)) {
            calls++;
            (done, answer) = target.call(data);
        }
    }
}
