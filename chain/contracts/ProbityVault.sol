// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ProbityShares} from "./ProbityShares.sol";
import {IVault, ShareTerms} from "./ShareValue.sol";
import {IPool, VaultState} from "./VaultState.sol";
import {VaultShares} from "./VaultShares.sol";
import {VaultTrading} from "./VaultTrading.sol";
import {VaultBond} from "./VaultBond.sol";

/// @title The vault of one mandate
/// @notice Holds the funds, records every decision with the observation as the chain sees it, and trades only in one pool.
/// Section numbers (S0 … S9) are those of docs/design/step.md.
///
/// There is no owner and nothing to upgrade. The operator can only register, arm, pledge, announce other weights, decide, post, close, and take his bond back after closing, and make the first deposit.
/// Who holds which share is in the share contract that the vault creates; through it depositors can leave at any time, in kind.
///
/// What it does not do:
/// - It does not verify the posted proofs of the whole history. It takes and announces them, for heads that it has itself;
///   whether they hold is for whoever reads them. What it verifies itself are settlements, if it was armed with a verifier.
/// - Armed, it does not keep decisions from being taken unproven up to the limits of its terms: trades come before their proofs,
///   unless the terms are strict.
/// - It does not keep the operator from deciding badly within the limits, from deciding late (then nothing is traded), or
///   from making its own order fail by moving the pool first. All of that shows in the record.
/// - It does not check the pool's code or the tokens'. A depositor checks that the pool is the factory's.
/// - An anchor older than 256 blocks cannot be checked here. Such a decision is recorded and never trades; a reader compares
///   its block hash with the chain's.
/// - A withdrawal in kind moves both tokens or none: a token that refuses to pay an account keeps the other token here too, unless that account
///   names another receiver, or the share contract can pay in quote alone.
/// - An older head that a posted proof names is not checked here; the audit holds it against the decisions' events.
contract ProbityVault is VaultShares, VaultTrading, VaultBond {
    /// Creates its share contract in the same transaction; neither can be changed or exchanged afterwards.
    constructor(IERC20 quote_, IERC20 base_, IPool pool_, address operator_, ShareTerms memory terms)
        VaultState(quote_, base_, pool_, operator_, new ProbityShares(IVault(address(this)), quote_, pool_, operator_, terms))
    {}

    /// Binds the vault to a mandate and a model, once and before the first decision.
    function register(Registration calldata r) external onlyOperator {
        if (registeredBlock != 0) revert AlreadyRegistered();
        if (totalShares == 0) revert NotSeeded();
        if (r.interval == 0 || r.maxSlippageBps > BPS || r.maxTradeQuote == 0) revert RegistrationOutOfRange();
        if (r.genesisTime > block.timestamp + 1 days || uint256(r.genesisTime) + r.interval < block.timestamp) revert RegistrationOutOfRange();
        _registration = r;
        (registeredBlock, _interval) = (uint56(block.number), r.interval);
        (head, lastTime) = (r.genesisHead, r.genesisTime);
        emit Registered(r, operator, address(pool));
    }

    function registration() external view returns (Registration memory) {
        return _registration;
    }
}
