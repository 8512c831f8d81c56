// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// What it reads of a vault.
interface IVault {
    function quote() external view returns (IERC20);
    function base() external view returns (IERC20);
    function quoteBalance() external view returns (uint96);
    function baseBalance() external view returns (uint96);
    function totalShares() external view returns (uint96);
    function shares() external view returns (IERC20);
    function bond() external view returns (uint96);
    function nextStep() external view returns (uint32);
    function provenSteps() external view returns (uint32);
    function withdrawOnly() external view returns (bool);
}

/// @title Reads everything that the invariants of a vault speak of, of one block
contract Books {
    /// The vault's accounts, shares, bond, steps, proven steps, withdraw-only, supply of the share token; then of the vault and each party: both tokens, and shares.
    function read(IVault vault, address[] calldata parties) external view returns (uint256[] memory all) {
        all = new uint256[](8 + 3 * parties.length);
        (all[0], all[1], all[2]) = (vault.quoteBalance(), vault.baseBalance(), vault.totalShares());
        (all[3], all[4], all[5]) = (vault.bond(), vault.nextStep(), vault.provenSteps());
        all[6] = vault.withdrawOnly() ? 1 : 0;
        (IERC20 quote, IERC20 base, IERC20 shares) = (vault.quote(), vault.base(), vault.shares());
        all[7] = shares.totalSupply();
        for (uint256 i = 0; i < parties.length; i++) {
            uint256 at = 8 + 3 * i;
            all[at] = quote.balanceOf(parties[i]);
            all[at + 1] = base.balanceOf(parties[i]);
            all[at + 2] = shares.balanceOf(parties[i]);
        }
    }
}
