// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {TickMath} from "@uniswap/v4-core/src/libraries/TickMath.sol";
import {VaultState} from "./VaultState.sol";

/// @title Observation (S1)
abstract contract VaultObservation is VaultState {
    using SafeCast for uint256;

    /// The observation at `time` as the chain sees it. Every part is a closed fact: oracle means of past seconds (a pool's
    /// cumulative tick at a second is settled by the ticks before it, whatever is swapped in that second's block or later),
    /// the hash of a past block, the vault's accounts right after its last decision.
    ///
    /// The pool refuses ("OLD") where its oracle does not go back that far: it must keep more observations than there can be
    /// blocks between `time - interval` and the decision's inclusion.
    function observation(uint64 time, uint64 blockNumber, bytes32 blockHash) public view returns (Observation memory o) {
        if (registeredBlock == 0) revert NotRegistered();
        uint32 interval = _interval;
        _checkTime(time, interval);
        (int24 tick,) = _meanTick(time, interval);
        o = _observed(time, blockNumber, blockHash, tick);
    }

    function _observed(uint64 time, uint64 blockNumber, bytes32 blockHash, int24 tick) internal view returns (Observation memory) {
        Accounts memory a = _flowed ? _before : Accounts(quoteBalance, baseBalance, totalShares);
        return Observation(nextStep, time, blockNumber, blockHash, tick, priceX64(tick), a.quote, a.base, a.shares, _filled, _fillOut);
    }

    function _checkTime(uint64 time, uint32 interval) internal view {
        if (time <= lastTime || time > block.timestamp || (time - lastTime) % interval != 0) revert WrongTime(lastTime, interval);
    }

    /// The mean over the interval, and the cumulative tick at its end.
    function _meanTick(uint64 time, uint32 interval) internal view returns (int24, int56 end) {
        int56 start;
        if (nextStep != 0 && time - interval == lastTime) {
            (start, end) = (_lastCumulative, _cumulative(time));
        } else {
            uint32[] memory ago = new uint32[](2);
            ago[0] = (block.timestamp - time + interval).toUint32();
            ago[1] = (block.timestamp - time).toUint32();
            (int56[] memory c,) = pool.observe(ago);
            (start, end) = (c[0], c[1]);
        }
        int56 delta = end - start;
        int56 mean = delta / int56(uint56(interval));
        if (delta < 0 && delta % int56(uint56(interval)) != 0) mean--;
        return (int24(mean), end);
    }

    /// The pool's cumulative tick at a second: from its newest observation where that is not later, as the pool itself would, else by its search.
    /// (The pool's times are 32 bits: until 2106.)
    function _cumulative(uint64 time) private view returns (int56) {
        (, int24 tick, uint16 index,,,,) = pool.slot0();
        (uint32 at, int56 cumulative,,) = pool.observations(index);
        if (at <= time) return cumulative + int56(tick) * int56(uint56(time - at));
        uint32[] memory ago = new uint32[](1);
        ago[0] = (block.timestamp - time).toUint32();
        (int56[] memory c,) = pool.observe(ago);
        return c[0];
    }

    /// Quote raw per base raw × 2^64 at a tick of the pool (S0).
    function priceX64(int24 tick) public view returns (uint96) {
        int24 x = baseIsToken1 ? -tick : tick;
        if (x < MIN_X) x = MIN_X;
        if (x > MAX_X) x = MAX_X;
        uint256 s = TickMath.getSqrtPriceAtTick(x);
        uint256 price = (s * s) >> 128;
        if (price < MIN_PRICE) price = MIN_PRICE;
        if (price > type(uint96).max) price = type(uint96).max;
        return uint96(price);
    }
}
