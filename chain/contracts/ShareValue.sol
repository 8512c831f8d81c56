// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IPool} from "./VaultState.sol";

/// What a share contract reads of its vault, and has it do.
interface IVault {
    function quoteBalance() external view returns (uint96);
    function baseBalance() external view returns (uint96);
    function totalShares() external view returns (uint96);
    function withdrawOnly() external view returns (bool);
    function base() external view returns (address);
    function priceX64(int24 tick) external view returns (uint96);
    function take(address account, address payer, uint96 quote, uint96 base, uint96 shares) external;
    function give(address account, address receiver, uint96 quote, uint96 base, uint96 shares) external;
}

/// Fixed for ever when the vault is made. Fees are paid in new shares to `recipient`: `managementBps` of the shares a year, and `performanceBps` of what
/// the value of a share gains over the highest it was charged for. `window` is how far back the mean price reaches, and `maxDeviation` how many
/// ticks (about a basis point each) the price may be away from it for a flow in quote alone.
struct ShareTerms {
    uint16 managementBps;
    uint16 performanceBps;
    address recipient;
    uint32 window;
    uint16 maxDeviation;
}

/// @title What a vault's accounts are worth, and which fees are due
abstract contract ShareValue {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant YEAR = 365 days;
    uint16 public constant MOST_MANAGEMENT_BPS = 500;
    uint16 public constant MOST_PERFORMANCE_BPS = 3_000;
    uint32 public constant LEAST_WINDOW = 5 minutes;
    uint32 public constant LONGEST_WINDOW = 1 days;
    uint16 public constant LEAST_DEVIATION = 10;
    uint16 public constant MOST_DEVIATION = 500;
    /// Least price that a vault tells; a price there or at the top of its range may be another one.
    uint256 private constant MIN_PRICE = 1 << 19;
    uint256 private constant MOST = type(uint96).max;
    /// Most gas that the question for the price gets, whatever the pool does with it.
    uint256 internal constant PRICE_GAS = 400_000;

    IVault public immutable vault;
    IPool public immutable pool;
    uint16 internal immutable managementBps;
    uint16 internal immutable performanceBps;
    address internal immutable recipient;
    uint32 internal immutable window;
    uint16 internal immutable maxDeviation;
    /// The pool's fee in ticks: who comes or leaves in quote alone pays it on the vault's base, as if it was traded.
    int24 public immutable spread;

    /// Highest value of a share that a performance fee was taken for, raw quote × 2^64; 0 before there was a price.
    uint256 public highWater;
    /// Up to here the management fee is taken.
    uint64 public feesUntil;

    /// The vault now, with the fees that are due; values are of all shares, in raw quote.
    struct Now {
        uint256 quote;
        uint256 base;
        uint256 supply;
        bool open;
        bool steady;
        uint256 cheap;
        uint256 dear;
        uint256 mean;
        uint256 management;
        uint256 performance;
        uint256 highWater;
    }

    error TermsOutOfRange();

    constructor(IVault vault_, IPool pool_, ShareTerms memory t) {
        bool fees = t.managementBps != 0 || t.performanceBps != 0;
        if (t.managementBps > MOST_MANAGEMENT_BPS || t.performanceBps > MOST_PERFORMANCE_BPS || (fees != (t.recipient != address(0)))) {
            revert TermsOutOfRange();
        }
        if (t.window < LEAST_WINDOW || t.window > LONGEST_WINDOW || t.maxDeviation < LEAST_DEVIATION || t.maxDeviation > MOST_DEVIATION) {
            revert TermsOutOfRange();
        }
        (vault, pool, spread) = (vault_, pool_, int24(uint24(Math.ceilDiv(pool_.fee(), 100))));
        (managementBps, performanceBps, recipient, window, maxDeviation) =
            (t.managementBps, t.performanceBps, t.recipient, t.window, t.maxDeviation);
    }

    function terms() external view returns (ShareTerms memory) {
        return ShareTerms(managementBps, performanceBps, recipient, window, maxDeviation);
    }

    /// Quote raw per base raw × 2^64: at the lower and the higher of the pool's price and its mean, each with the spread against the caller, and at
    /// the mean. Steady if the two are close, and both within what the vault can tell.
    function prices() public view returns (bool steady, uint96 cheap, uint96 dear, uint96 mean) {
        (, int24 spot,,,,,) = pool.slot0();
        int24 average = spot;
        uint32[] memory ago = new uint32[](2);
        ago[0] = window;
        try pool.observe(ago) returns (int56[] memory c, uint160[] memory) {
            (int56 delta, int56 span) = (c[1] - c[0], int56(uint56(window)));
            average = int24(delta / span);
            if (delta < 0 && delta % span != 0) average--;
            int256 apart = int256(spot) - average;
            steady = apart <= int256(uint256(maxDeviation)) && apart >= -int256(uint256(maxDeviation));
        } catch {
            // The pool's oracle does not reach back so far.
        }
        (int24 low, int24 high) = spot < average ? (spot, average) : (average, spot);
        // A tick is the floor of a price.
        (cheap, dear) = (vault.priceX64(low - spread), vault.priceX64(high + 1 + spread));
        if (cheap > dear) (cheap, dear) = (dear, cheap);
        mean = vault.priceX64(average);
        steady = steady && cheap > MIN_PRICE && dear < MOST;
    }

    /// Without a price, values are those of the quote alone.
    function _now(bool priced) internal view returns (Now memory n) {
        (n.quote, n.base, n.supply, n.highWater) = (vault.quoteBalance(), vault.baseBalance(), vault.totalShares(), highWater);
        n.open = n.supply != 0 && !vault.withdrawOnly();
        (n.cheap, n.dear, n.mean) = (n.quote, n.quote, n.quote);
        if (priced) {
            try this.prices{gas: PRICE_GAS}() returns (bool steady, uint96 cheap, uint96 dear, uint96 mean) {
                n.steady = steady;
                n.cheap += (n.base * cheap) >> 64;
                n.dear += Math.mulDiv(n.base, dear, 1 << 64, Math.Rounding.Ceil);
                n.mean += (n.base * mean) >> 64;
            } catch {
                // A pool that does not answer: not steady.
            }
        }
        // Nothing is due for a vault that does not trade any more.
        if (n.open) _due(n);
    }

    /// Adds the fees that are due to the shares. Rounded down; never more shares than there may be.
    function _due(Now memory n) private view {
        if (managementBps != 0) {
            uint256 due = n.supply * managementBps * (block.timestamp - feesUntil) / (BPS * YEAR);
            n.management = Math.min(due, MOST - n.supply);
            n.supply += n.management;
        }
        if (performanceBps == 0 || !n.steady) return;
        if (n.highWater == 0) {
            n.highWater = Math.mulDiv(n.dear, 1 << 64, n.supply, Math.Rounding.Ceil);
            return;
        }
        uint256 reached = Math.mulDiv(n.highWater, n.supply, 1 << 64, Math.Rounding.Ceil);
        if (n.cheap <= reached) return;
        uint256 fee = (n.cheap - reached) * performanceBps / BPS;
        n.performance = Math.min(Math.mulDiv(n.supply, fee, n.cheap - fee), MOST - n.supply);
        if (n.performance == 0) return;
        n.highWater = Math.mulDiv(n.cheap, 1 << 64, n.supply, Math.Rounding.Ceil);
        n.supply += n.performance;
    }
}
