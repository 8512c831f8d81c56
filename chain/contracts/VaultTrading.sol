// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {TickMath} from "@uniswap/v4-core/src/libraries/TickMath.sol";
import {VaultObservation} from "./VaultObservation.sol";
import {VaultSettlement} from "./VaultSettlement.sol";

/// @title Decisions, their orders, and posted proofs
abstract contract VaultTrading is VaultObservation, VaultSettlement {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// Records decision `d` and, if it is in time, executes its order. A late decision is recorded and never trades, and so is one that
    /// comes while too much awaits its proof. `proof` may be empty; if not, its digest must be the one in `d`.
    function decide(Decision calldata d, bytes calldata proof) external onlyOperator nonReentrant {
        _decide(d, proof, proof[:0]);
    }

    /// The same with a settlement of everything up to this decision, this one included, verified before the order is executed.
    function decideSettled(Decision calldata d, bytes calldata proof, bytes calldata settlement) external onlyOperator nonReentrant {
        _decide(d, proof, settlement);
    }

    /// Records holds, oldest first, in one transaction: cheaper than one by one, and late is early enough for them. Each is observed by the
    /// vault as in `decide`, from the pool's oracle; where the anchor is too old to check here, a reader checks it.
    function decideHolds(Decision[] calldata all) external onlyOperator nonReentrant {
        for (uint256 i = 0; i < all.length; i++) {
            if (all[i].side != HOLD) revert OnlyHolds();
            _decide(all[i], msg.data[:0], msg.data[:0]);
        }
    }

    function _decide(Decision calldata d, bytes calldata proof, bytes calldata settlement) private {
        if (_closed) revert VaultClosed();
        if (d.step != nextStep) revert WrongStep(nextStep);
        if (d.headBefore != head) revert WrongHead(head);
        if (d.side > SELL) revert LimitBreached("side");
        if (d.minOut >> 126 != 0) revert LimitBreached("minOut");
        if (d.side == HOLD && (d.amountIn != 0 || d.minOut != 0)) revert LimitBreached("hold");
        bool anchored = _checkAnchor(d);
        if (registeredBlock == 0) revert NotRegistered();
        uint32 interval = _interval;
        _checkTime(d.time, interval);
        (int24 tick, int56 cumulative) = _meanTick(d.time, interval);
        Observation memory o = _observed(d.time, d.blockNumber, d.blockHash, tick);
        if (keccak256(abi.encode(o)) != d.observationDigest) revert ObservationMismatch(o);

        if (_marks & ROTATION_AHEAD != 0) _takeOver();
        bool executed;
        uint96 amountOut;
        bool fresh = block.timestamp < uint256(d.time) + interval && !withdrawOnly;
        (head, lastTime, nextStep, _lastCumulative) = (d.headAfter, d.time, d.step + 1, cumulative);
        if (_armed) fresh = _follow(d, o, settlement) && fresh;
        else if (settlement.length != 0) revert NotArmed();
        if (d.side != HOLD && fresh) {
            if (!anchored) revert AnchorTooOldToTrade();
            _checkLimits(d, o.priceX64);
            uint256 gasBefore = gasleft();
            try this.executeSwap(d.side, d.amountIn, d.minOut) returns (uint96 out) {
                (executed, amountOut) = (true, out);
            } catch {
                // Not filled: the decision stands, and the next observation says so. But a swap that was starved of gas did
                // not fail: each call level holds back a sixty-fourth, so starving leaves less than an eighth.
                if (gasleft() < gasBefore / 8) revert TooLittleGas();
            }
        }

        if (_flowed) _flowed = false;
        if (_filled || executed) (_fillOut, _filled) = (amountOut, executed);
        emit Decided(d.step, o, d, executed, amountOut);
        if (proof.length != 0) _post(d.step + 1, d.headAfter, d.proofDigest, proof);
    }

    /// Announces a proof of the first `steps` decisions, whose bytes are this call's data. The vault holds the head against its own if
    /// that is the newest decision's; older heads it no longer has, and they are held against its events by whoever audits.
    function postProof(uint32 steps, bytes32 head_, bytes32 digest, bytes calldata proof) external onlyOperator {
        _post(steps, head_, digest, proof);
    }

    function _post(uint32 steps, bytes32 head_, bytes32 digest, bytes calldata proof) private {
        if (registeredBlock == 0) revert NotRegistered();
        if (steps > nextStep) revert WrongStep(nextStep);
        if (steps == nextStep && head_ != head && !_announcedHere()) revert WrongHead(head);
        if (keccak256(proof) != digest) revert ProofMismatch();
        emit ProofPosted(steps, head_, digest, proof.length);
    }

    /// True if the anchor block's hash is the chain's; false if it is too old to tell.
    function _checkAnchor(Decision calldata d) private view returns (bool) {
        if (d.blockNumber >= block.number) revert AnchorUnknown();
        bytes32 known = blockhash(d.blockNumber);
        if (known == 0) return false;
        if (known != d.blockHash) revert AnchorUnknown();
        return true;
    }

    /// The mandate's limits that the vault can see: trade size and slippage bound (S8).
    function _checkLimits(Decision calldata d, uint96 price) private view {
        if (d.amountIn == 0) revert LimitBreached("amountIn");
        uint256 keep = BPS - _registration.maxSlippageBps;
        uint256 expect;
        if (d.side == BUY) {
            if (d.amountIn > _registration.maxTradeQuote) revert LimitBreached("maxTradeQuote");
            expect = (uint256(d.amountIn) << 64) / price + 1;
        } else {
            expect = (uint256(d.amountIn) * price) >> 64;
            if (expect > _registration.maxTradeQuote) revert LimitBreached("maxTradeQuote");
        }
        if (d.minOut < Math.ceilDiv(expect * keep, BPS)) revert LimitBreached("maxSlippageBps");
    }

    /// One exact-input swap in the pool, all or nothing. Only the vault itself calls it, so that a failure can be caught.
    /// The accounts change by what the tokens say, not only by what the pool says.
    function executeSwap(uint8 side, uint96 amountIn, uint128 minOut) external returns (uint96 out) {
        if (msg.sender != address(this)) revert NotSelf();
        // Quote is token0 iff base is token1; a buy gives quote.
        bool zeroForOne = (side == BUY) == baseIsToken1;
        uint160 limit = zeroForOne ? TickMath.MIN_SQRT_PRICE + 1 : TickMath.MAX_SQRT_PRICE - 1;
        (IERC20 given, IERC20 taken) = side == BUY ? (quote, base) : (base, quote);
        (uint256 givenBefore, uint256 takenBefore) = (given.balanceOf(address(this)), taken.balanceOf(address(this)));
        if (side == BUY) quoteBalance -= amountIn;
        else baseBalance -= amountIn;
        _due = amountIn;
        (int256 a0, int256 a1) = pool.swap(address(this), zeroForOne, int256(uint256(amountIn)), limit, "");
        _due = 0;
        (int256 paid, int256 got) = zeroForOne ? (a0, a1) : (a1, a0);
        if (paid != int256(uint256(amountIn))) revert PartialSwap();
        out = uint256(-got).toUint96();
        if (out < minOut) revert OutputTooLow();
        if (given.balanceOf(address(this)) + amountIn < givenBefore) revert UnexpectedTransfer();
        if (taken.balanceOf(address(this)) < takenBefore + out) revert UnexpectedTransfer();
        if (side == BUY) baseBalance += out;
        else quoteBalance += out;
    }

    /// The pool asks for its payment: once in a swap, and at most for the order's amount.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        if (msg.sender != address(pool) || _due == 0) revert NotPool();
        bool first = amount0 > 0;
        int256 amount = first ? amount0 : amount1;
        IERC20 token = first == baseIsToken1 ? quote : base;
        if (amount <= 0 || uint256(amount) > _due) revert UnexpectedTransfer();
        _due = 0;
        token.safeTransfer(msg.sender, uint256(amount));
    }
}
