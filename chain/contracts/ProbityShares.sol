// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IVault, ShareTerms, ShareValue} from "./ShareValue.sol";
import {IPool, IShares} from "./VaultState.sol";

/// @title The shares of one vault: an ERC-4626 token on its quote token
/// @notice Holds who owns which share. The funds are in the vault, which moves them at this contract's word alone. There is no owner.
///
/// - In quote (ERC-4626): while the pool's price is close to its mean, and at the price of the two that is worse for the caller. Paid out is at most
///   the quote that the vault holds. Where that does not do, `max…` say 0 and calls revert.
/// - In kind: pro rata in both tokens. `redeemInKind` depends on nobody: not on the operator, the oracle, halts, proofs, fees or deadlines.
/// - Who names the least or the most he accepts (ERC-5143) is safe from what others do in the same block.
///
/// The first deposit is the operator's, and LOCKED_SHARES of it are nobody's, so the shares never return to zero; gifts to the vault are no part of its
/// accounts. Those two, not virtual shares, are what keeps a share from being made dear.
contract ProbityShares is ERC4626, ShareValue, ReentrancyGuardTransient, IShares {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    uint96 public constant LOCKED_SHARES = 1_000;

    address public immutable operator;
    /// The block of `Created`.
    uint64 public immutable createdBlock;

    event Created(address indexed vault, ShareTerms terms);
    event FeesTaken(uint256 managementShares, uint256 performanceShares, uint256 highWater);

    error NotOperator();
    error NotVault();
    error AlreadySeeded();
    error NotSeeded();
    error SeedTooSmall(uint96 least);
    error NotEnoughShares();
    error WithdrawOnly();
    error PriceMoved();
    error LimitBreached(string limit);
    error TooLittleGas();

    constructor(IVault vault_, IERC20 quote_, IPool pool_, address operator_, ShareTerms memory terms_)
        ERC20("Probity vault share", "PVS")
        ERC4626(quote_)
        ShareValue(vault_, pool_, terms_)
    {
        (operator, createdBlock) = (operator_, uint64(block.number));
        emit Created(address(vault_), terms_);
    }

    /// The vault's, while it takes what a caller of this contract or its operator pays.
    function pull(IERC20 token, address payer, uint256 amount) external {
        if (msg.sender != address(vault)) revert NotVault();
        token.safeTransferFrom(payer, msg.sender, amount);
    }

    /// The first deposit. One share a raw unit of quote. Only the operator's: a stranger's dust would make every share coarse for ever.
    function seed(uint96 quoteAmount, uint96 baseAmount) external nonReentrant {
        if (msg.sender != operator) revert NotOperator();
        if (vault.withdrawOnly()) revert WithdrawOnly();
        if (vault.totalShares() != 0) revert AlreadySeeded();
        if (quoteAmount <= LOCKED_SHARES) revert SeedTooSmall(LOCKED_SHARES + 1);
        feesUntil = uint64(block.timestamp);
        _mint(address(this), LOCKED_SHARES);
        _mint(operator, quoteAmount - LOCKED_SHARES);
        vault.take(operator, operator, quoteAmount, baseAmount, quoteAmount);
        if (performanceBps != 0) highWater = _now(true).highWater;
    }

    /// Takes the fees that are due. Anybody may, at any time; every flow does.
    function accrue() external nonReentrant {
        _settled(performanceBps != 0);
    }

    // ---- in kind ----

    /// Mints shares for both tokens pro rata, rounded up; at most the amounts named.
    function depositInKind(uint96 shares, address receiver, uint96 maxQuote, uint96 maxBase)
        external
        nonReentrant
        returns (uint256 quoteAmount, uint256 baseAmount)
    {
        Now memory n = _settled(performanceBps != 0);
        _open(n);
        quoteAmount = Math.mulDiv(n.quote, shares, n.supply, Math.Rounding.Ceil);
        baseAmount = Math.mulDiv(n.base, shares, n.supply, Math.Rounding.Ceil);
        if (quoteAmount == 0 && baseAmount == 0) revert NotEnoughShares();
        if (quoteAmount > maxQuote || baseAmount > maxBase) revert LimitBreached("deposit");
        _mint(receiver, shares);
        vault.take(receiver, msg.sender, quoteAmount.toUint96(), baseAmount.toUint96(), shares);
    }

    /// Burns shares for both tokens pro rata, rounded down.
    function redeemInKind(uint256 shares, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 quoteAmount, uint256 baseAmount)
    {
        if (shares == 0 || shares > balanceOf(owner)) revert NotEnoughShares();
        Now memory n = _settled(performanceBps != 0);
        quoteAmount = Math.mulDiv(n.quote, shares, n.supply);
        baseAmount = Math.mulDiv(n.base, shares, n.supply);
        _burnFor(owner, shares);
        vault.give(owner, receiver, quoteAmount.toUint96(), baseAmount.toUint96(), shares.toUint96());
    }

    // ---- in quote ----

    function deposit(uint256 assets, address receiver) public override returns (uint256) {
        return deposit(assets, receiver, 0);
    }

    function mint(uint256 shares, address receiver) public override returns (uint256) {
        return mint(shares, receiver, type(uint256).max);
    }

    function withdraw(uint256 assets, address receiver, address owner) public override returns (uint256) {
        return withdraw(assets, receiver, owner, type(uint256).max);
    }

    function redeem(uint256 shares, address receiver, address owner) public override returns (uint256) {
        return redeem(shares, receiver, owner, 0);
    }

    /// For at least so many shares.
    function deposit(uint256 assets, address receiver, uint256 minShares) public nonReentrant returns (uint256 shares) {
        Now memory n = _steady();
        _open(n);
        uint256 most = _mostDeposit(n);
        if (assets > most) revert ERC4626ExceededMaxDeposit(receiver, assets, most);
        shares = _sharesFor(assets, n.dear, n, Math.Rounding.Floor);
        if (shares < minShares) revert LimitBreached("minShares");
        _enter(assets, shares, receiver);
    }

    /// For at most so much quote.
    function mint(uint256 shares, address receiver, uint256 maxAssets) public nonReentrant returns (uint256 assets) {
        Now memory n = _steady();
        _open(n);
        uint256 most = _mostMint(n);
        if (shares > most) revert ERC4626ExceededMaxMint(receiver, shares, most);
        assets = _assetsFor(shares, n.dear, n, Math.Rounding.Ceil);
        if (assets > maxAssets) revert LimitBreached("maxAssets");
        _enter(assets, shares, receiver);
    }

    /// For at most so many shares.
    function withdraw(uint256 assets, address receiver, address owner, uint256 maxShares) public nonReentrant returns (uint256 shares) {
        Now memory n = _steady();
        uint256 most = _mostWithdraw(n, owner);
        if (assets > most) revert ERC4626ExceededMaxWithdraw(owner, assets, most);
        shares = _sharesFor(assets, n.cheap, n, Math.Rounding.Ceil);
        if (shares > maxShares) revert LimitBreached("maxShares");
        _leave(assets, shares, receiver, owner);
    }

    /// For at least so much quote.
    function redeem(uint256 shares, address receiver, address owner, uint256 minAssets) public nonReentrant returns (uint256 assets) {
        Now memory n = _steady();
        uint256 most = _mostRedeem(n, owner);
        if (shares > most) revert ERC4626ExceededMaxRedeem(owner, shares, most);
        assets = _assetsFor(shares, n.cheap, n, Math.Rounding.Floor);
        if (assets < minAssets) revert LimitBreached("minAssets");
        _leave(assets, shares, receiver, owner);
    }

    /// The vault's accounts in quote, its base at the pool's mean price.
    function totalAssets() public view override returns (uint256) {
        return _now(true).mean;
    }

    function maxDeposit(address) public view override returns (uint256) {
        return _mostDeposit(_now(true));
    }

    function maxMint(address) public view override returns (uint256) {
        return _mostMint(_now(true));
    }

    function maxWithdraw(address owner) public view override returns (uint256) {
        return _mostWithdraw(_now(true), owner);
    }

    function maxRedeem(address owner) public view override returns (uint256) {
        return _mostRedeem(_now(true), owner);
    }

    function previewDeposit(uint256 assets) public view override returns (uint256) {
        Now memory n = _told();
        return _sharesFor(assets, n.dear, n, Math.Rounding.Floor);
    }

    function previewMint(uint256 shares) public view override returns (uint256) {
        Now memory n = _told();
        return _assetsFor(shares, n.dear, n, Math.Rounding.Ceil);
    }

    function previewWithdraw(uint256 assets) public view override returns (uint256) {
        Now memory n = _told();
        return _sharesFor(assets, n.cheap, n, Math.Rounding.Ceil);
    }

    function previewRedeem(uint256 shares) public view override returns (uint256) {
        Now memory n = _told();
        return _assetsFor(shares, n.cheap, n, Math.Rounding.Floor);
    }

    function _convertToShares(uint256 assets, Math.Rounding rounding) internal view override returns (uint256) {
        Now memory n = _now(true);
        return _sharesFor(assets, n.mean, n, rounding);
    }

    function _convertToAssets(uint256 shares, Math.Rounding rounding) internal view override returns (uint256) {
        Now memory n = _now(true);
        return _assetsFor(shares, n.mean, n, rounding);
    }

    // ---- parts ----

    /// Takes the fees that are due, and says how the vault stands with them. Gas that would keep the price from being asked is refused: a performance fee
    /// cannot be starved.
    function _settled(bool priced) private returns (Now memory n) {
        if (priced && gasleft() < PRICE_GAS + PRICE_GAS / 32) revert TooLittleGas();
        n = _now(priced);
        if (n.highWater != highWater) highWater = n.highWater;
        if (n.management != 0) feesUntil = uint64(block.timestamp);
        uint256 minted = n.management + n.performance;
        if (minted == 0) return n;
        emit FeesTaken(n.management, n.performance, n.highWater);
        _mint(recipient, minted);
        vault.take(recipient, address(this), 0, 0, minted.toUint96());
    }

    function _steady() private returns (Now memory n) {
        n = _settled(true);
        if (n.supply == 0) revert NotSeeded();
        if (!n.steady) revert PriceMoved();
    }

    /// A preview would rather revert than say another number than the call.
    function _told() private view returns (Now memory n) {
        n = _now(true);
        if (n.supply != 0 && !n.steady) revert PriceMoved();
    }

    function _open(Now memory n) private pure {
        if (n.supply == 0) revert NotSeeded();
        if (!n.open) revert WithdrawOnly();
    }

    /// Largest deposit after which accounts and shares are still numbers that the vault can hold.
    function _mostDeposit(Now memory n) private pure returns (uint256) {
        if (!n.open || !n.steady || n.dear == 0) return 0;
        uint256 shares = type(uint96).max - n.supply;
        return Math.min(type(uint96).max - n.quote, Math.mulDiv(shares + 1, n.dear, n.supply, Math.Rounding.Ceil) - 1);
    }

    function _mostMint(Now memory n) private pure returns (uint256) {
        if (!n.open || !n.steady || n.dear == 0) return 0;
        return Math.min(type(uint96).max - n.supply, Math.mulDiv(type(uint96).max - n.quote, n.supply, n.dear));
    }

    function _mostWithdraw(Now memory n, address owner) private view returns (uint256) {
        if (!n.steady || n.supply == 0) return 0;
        return Math.min(n.quote, Math.mulDiv(balanceOf(owner), n.cheap, n.supply));
    }

    function _mostRedeem(Now memory n, address owner) private view returns (uint256) {
        if (!n.steady || n.cheap == 0) return 0;
        return Math.min(balanceOf(owner), Math.mulDiv(n.quote + 1, n.supply, n.cheap, Math.Rounding.Ceil) - 1);
    }

    function _sharesFor(uint256 assets, uint256 value, Now memory n, Math.Rounding rounding) private pure returns (uint256) {
        return n.supply == 0 || value == 0 ? assets : Math.mulDiv(assets, n.supply, value, rounding);
    }

    function _assetsFor(uint256 shares, uint256 value, Now memory n, Math.Rounding rounding) private pure returns (uint256) {
        return n.supply == 0 ? shares : Math.mulDiv(shares, value, n.supply, rounding);
    }

    function _enter(uint256 assets, uint256 shares, address receiver) private {
        if (shares == 0) revert NotEnoughShares();
        _mint(receiver, shares);
        vault.take(receiver, msg.sender, assets.toUint96(), 0, shares.toUint96());
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    function _leave(uint256 assets, uint256 shares, address receiver, address owner) private {
        if (shares == 0) revert NotEnoughShares();
        _burnFor(owner, shares);
        vault.give(owner, receiver, assets.toUint96(), 0, shares.toUint96());
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }

    function _burnFor(address owner, uint256 shares) private {
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        _burn(owner, shares);
    }
}
