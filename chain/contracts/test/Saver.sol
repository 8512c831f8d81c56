// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

/// @title A depositor that holds a share token to what ERC-4626 promises, each time inside one transaction
contract Saver {
    IERC4626 public shares;
    IERC20 public asset;

    function open(IERC4626 shares_) external {
        (shares, asset) = (shares_, IERC20(shares_.asset()));
        asset.approve(address(shares_), type(uint256).max);
    }

    function _held() private view returns (uint256, uint256) {
        return (asset.balanceOf(address(this)), shares.balanceOf(address(this)));
    }

    /// Assets and shares before, what was said and what came of it; `comes`: assets for shares.
    function _moved(uint256 a, uint256 s, uint256 assets, uint256 got, bool comes) private view {
        (uint256 a2, uint256 s2) = _held();
        if (comes) require(a - a2 == assets && s2 - s == got, "other amounts moved in");
        else require(a2 - a == assets && s - s2 == got, "other amounts moved out");
    }

    function deposit(uint256 assets) public returns (uint256 got) {
        (uint256 a, uint256 s) = _held();
        uint256 said = shares.previewDeposit(assets);
        got = shares.deposit(assets, address(this));
        require(said == got, "previewDeposit");
        require(got <= shares.convertToShares(assets) + 1, "a deposit got more than its worth");
        _moved(a, s, assets, got, true);
    }

    function mint(uint256 amount) public returns (uint256 paid) {
        (uint256 a, uint256 s) = _held();
        uint256 said = shares.previewMint(amount);
        paid = shares.mint(amount, address(this));
        require(said == paid, "previewMint");
        _moved(a, s, paid, amount, true);
    }

    function withdraw(uint256 assets) public returns (uint256 burnt) {
        (uint256 a, uint256 s) = _held();
        uint256 said = shares.previewWithdraw(assets);
        burnt = shares.withdraw(assets, address(this), address(this));
        require(said == burnt, "previewWithdraw");
        _moved(a, s, assets, burnt, false);
    }

    function redeem(uint256 amount) public returns (uint256 got) {
        (uint256 a, uint256 s) = _held();
        uint256 said = shares.previewRedeem(amount);
        got = shares.redeem(amount, address(this), address(this));
        require(said == got, "previewRedeem");
        _moved(a, s, got, amount, false);
    }

    /// Coming and going, in each of the four ways.
    function roundTrips(uint256 assets, uint256 amount) external {
        uint256 got = deposit(assets);
        require(redeem(got) <= assets, "deposit and redeem");
        uint256 paid = mint(amount);
        require(redeem(amount) <= paid, "mint and redeem");
        got = deposit(assets);
        uint256 out = shares.previewRedeem(got);
        require(out <= assets, "worth more at once");
        if (out != 0) require(withdraw(out) <= got, "deposit and withdraw");
        uint256 left = shares.balanceOf(address(this));
        if (left != 0) redeem(left);
        mint(amount);
        out = redeem(amount);
        require(mint(amount) >= out, "redeem and mint");
        redeem(amount);
        require(shares.convertToAssets(shares.convertToShares(assets)) <= assets, "converted");
        require(shares.convertToShares(shares.convertToAssets(amount)) <= amount, "converted back");
    }

    function _refused(bytes memory data, bytes4 why) private {
        (bool ok, bytes memory answer) = address(shares).call(data);
        require(!ok && bytes4(answer) == why, "one more than the maximum was not refused as such");
    }

    /// The stated maximum is taken, and one more is refused; then all is as before, nearly. `way`: deposit, mint, withdraw, redeem.
    function most(uint256 way) external returns (uint256 max) {
        address own = address(this);
        if (way == 0) {
            max = shares.maxDeposit(own);
            _refused(abi.encodeCall(IERC4626.deposit, (max + 1, own)), ERC4626.ERC4626ExceededMaxDeposit.selector);
            deposit(max);
            require(shares.maxDeposit(own) <= 1, "room after the largest deposit");
            redeem(shares.balanceOf(own));
            deposit(1_000_000);
        } else if (way == 1) {
            max = shares.maxMint(own);
            _refused(abi.encodeCall(IERC4626.mint, (max + 1, own)), ERC4626.ERC4626ExceededMaxMint.selector);
            mint(max);
            redeem(shares.balanceOf(own));
            deposit(1_000_000);
        } else if (way == 2) {
            max = shares.maxWithdraw(own);
            _refused(abi.encodeCall(IERC4626.withdraw, (max + 1, own, own)), ERC4626.ERC4626ExceededMaxWithdraw.selector);
            withdraw(max);
            deposit(1_000_000);
        } else {
            max = shares.maxRedeem(own);
            _refused(abi.encodeCall(IERC4626.redeem, (max + 1, own, own)), ERC4626.ERC4626ExceededMaxRedeem.selector);
            redeem(max);
            deposit(1_000_000);
        }
    }
}
