// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {VaultState} from "./VaultState.sol";

/// @title The operator's bond and the deadline of settlement
/// @notice The bond is quote that lies in the vault and is no part of its accounts: it is neither traded nor withdrawn. A missed deadline
/// pays it into the accounts, thus to whoever holds shares then, and ends trading for good.
abstract contract VaultBond is VaultState {
    using SafeERC20 for IERC20;

    /// From closing until the bond may be taken back.
    uint64 public constant BOND_DELAY = 7 days;

    /// Puts the bond in and sets the deadline, once, armed and before the first decision. The bond may be 0.
    function pledge(uint96 amount, uint32 settleWithin_) external onlyOperator nonReentrant {
        if (!_armed) revert NotArmed();
        if (settleWithin != 0 || nextStep != 0) revert AlreadyPledged();
        // A deadline before trading stops for want of proofs would punish what the terms allow.
        if (settleWithin_ == 0 || settleWithin_ < maxUnprovenSeconds) revert RegistrationOutOfRange();
        (bond, settleWithin) = (amount, settleWithin_);
        emit Pledged(amount, settleWithin_);
        _receive(quote, msg.sender, amount);
    }

    /// After the deadline anybody may end trading; the bond goes to the share holders.
    function miss() external nonReentrant {
        if (settleWithin == 0) revert NotArmed();
        if (provenSteps == nextStep) revert NothingToSettle();
        uint64 until = firstUnprovenTime + settleWithin;
        if (block.timestamp <= until) revert DeadlineNotMissed(until);
        if (withdrawOnly && bond == 0) revert WithdrawOnly();
        uint96 amount = bond;
        _noteFlow();
        (withdrawOnly, bond) = (true, 0);
        quoteBalance += amount;
        emit DeadlineMissed(amount, firstUnprovenTime);
        emit Flow(operator, true, amount, 0, 0);
    }

    /// Ends the vault: no decision any more, withdrawals only. The operator's, and only once everything is settled.
    function close() external onlyOperator nonReentrant {
        if (closedTime != 0) revert VaultClosed();
        if (_armed && provenSteps != nextStep) revert StillUnproven(nextStep - provenSteps);
        (withdrawOnly, _closed, closedTime) = (true, true, uint64(block.timestamp));
        emit Closed();
    }

    /// Gives the bond back, `BOND_DELAY` after closing.
    function reclaim() external onlyOperator nonReentrant {
        uint64 until = closedTime + BOND_DELAY;
        if (closedTime == 0 || block.timestamp < until) revert BondHeld(closedTime == 0 ? 0 : until);
        uint96 amount = bond;
        bond = 0;
        emit BondReturned(amount);
        if (amount != 0) quote.safeTransfer(operator, amount);
    }
}
