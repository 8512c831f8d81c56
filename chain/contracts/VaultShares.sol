// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {VaultState} from "./VaultState.sol";

/// @title Deposits and withdrawals, in kind
/// @notice A withdrawal depends on nobody: not on the operator, the oracle, halts, proofs or deadlines.
abstract contract VaultShares is VaultState {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// The first deposit. One share a raw unit of quote; LOCKED_SHARES of them stay in the vault. Only the operator's: a
    /// stranger's dust would make every share coarse for ever.
    function seed(uint96 quoteAmount, uint96 baseAmount) external onlyOperator nonReentrant {
        if (withdrawOnly) revert WithdrawOnly();
        if (totalShares != 0) revert AlreadySeeded();
        if (quoteAmount <= LOCKED_SHARES) revert SeedTooSmall(LOCKED_SHARES + 1);
        totalShares = quoteAmount;
        sharesOf[msg.sender] = quoteAmount - LOCKED_SHARES;
        _take(quoteAmount, baseAmount, quoteAmount);
    }

    /// Mints shares for both tokens pro rata, rounded up; at most the amounts named.
    function deposit(uint96 shares, uint96 maxQuote, uint96 maxBase) external nonReentrant {
        if (withdrawOnly) revert WithdrawOnly();
        if (totalShares == 0) revert NotSeeded();
        if (shares == 0) revert NotEnoughShares();
        uint96 quoteAmount = Math.mulDiv(quoteBalance, shares, totalShares, Math.Rounding.Ceil).toUint96();
        uint96 baseAmount = Math.mulDiv(baseBalance, shares, totalShares, Math.Rounding.Ceil).toUint96();
        if (quoteAmount > maxQuote || baseAmount > maxBase) revert LimitBreached("deposit");
        _noteFlow();
        totalShares += shares;
        sharesOf[msg.sender] += shares;
        _take(quoteAmount, baseAmount, shares);
    }

    /// Burns shares for both tokens pro rata, rounded down. Needs nobody's consent.
    function withdraw(uint96 shares) external nonReentrant {
        uint96 owned = sharesOf[msg.sender];
        if (shares == 0 || shares > owned) revert NotEnoughShares();
        uint96 quoteAmount = Math.mulDiv(quoteBalance, shares, totalShares).toUint96();
        uint96 baseAmount = Math.mulDiv(baseBalance, shares, totalShares).toUint96();
        _noteFlow();
        sharesOf[msg.sender] = owned - shares;
        totalShares -= shares;
        quoteBalance -= quoteAmount;
        baseBalance -= baseAmount;
        emit Flow(msg.sender, false, quoteAmount, baseAmount, shares);
        if (quoteAmount != 0) quote.safeTransfer(msg.sender, quoteAmount);
        if (baseAmount != 0) base.safeTransfer(msg.sender, baseAmount);
    }

    function _take(uint96 quoteAmount, uint96 baseAmount, uint96 shares) private {
        quoteBalance += quoteAmount;
        baseBalance += baseAmount;
        emit Flow(msg.sender, true, quoteAmount, baseAmount, shares);
        _receive(quote, quoteAmount);
        _receive(base, baseAmount);
    }
}
