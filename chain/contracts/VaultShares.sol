// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {VaultState} from "./VaultState.sol";

/// @title What comes in and goes out, at the word of the vault's own share contract
/// @notice Each is a declared flow: the next observation says the accounts as they were before it, and the one after shows it.
abstract contract VaultShares is VaultState {
    using SafeERC20 for IERC20;

    modifier onlyShares() {
        if (msg.sender != address(shares)) revert NotShares();
        _;
    }

    /// `minted` shares more, of `account`, and what `payer` pays for them; a fee is shares without tokens.
    function take(address account, address payer, uint96 quoteAmount, uint96 baseAmount, uint96 minted) external onlyShares nonReentrant {
        if (withdrawOnly) revert WithdrawOnly();
        _noteFlow();
        totalShares += minted;
        quoteBalance += quoteAmount;
        baseBalance += baseAmount;
        emit Flow(account, true, quoteAmount, baseAmount, minted);
        _receive(quote, payer, quoteAmount);
        _receive(base, payer, baseAmount);
    }

    /// `burnt` shares of `account` less, and what `receiver` gets for them. Needs nobody's consent: not the operator's, the oracle's, of halts, proofs or deadlines.
    function give(address account, address receiver, uint96 quoteAmount, uint96 baseAmount, uint96 burnt) external onlyShares nonReentrant {
        _noteFlow();
        totalShares -= burnt;
        quoteBalance -= quoteAmount;
        baseBalance -= baseAmount;
        emit Flow(account, false, quoteAmount, baseAmount, burnt);
        if (quoteAmount != 0) quote.safeTransfer(receiver, quoteAmount);
        if (baseAmount != 0) base.safeTransfer(receiver, baseAmount);
    }
}
