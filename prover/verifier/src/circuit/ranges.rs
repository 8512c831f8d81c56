//! The widths that the blocks check, and why they suffice, as arithmetic of constants at compile time (see `docs/design/circuit.md`).
//!
//! A width n admits 0 … 2^n − 1, a signed one −2^n … 2^n − 1. No witness moves any of them.

use probity_strategy::{
    ACTIVATION_MAX, BIAS_LIMIT, BPS, EMA_SHIFTS, FEATURE_SHIFT, GATE_OPEN, MAX_X, MEMORY_MAX, MIN_X, RETURN_CLIP, VOL_SHIFTS,
};

/// Amounts and prices.
pub(super) const AMOUNT: u32 = 96;
/// A product of two of them.
pub(super) const PRODUCT: u32 = 192;
/// Net asset value.
pub(super) const NAV: u32 = 97;
/// Net asset value times shares, signed differences included.
pub(super) const MARK: u32 = 193;
/// The same times 10^4.
pub(super) const DRAWDOWN: u32 = 207;
/// Least amount out of an order.
pub(super) const MIN_OUT: u32 = 126;
/// Distance of an oriented tick to either end, signed.
pub(super) const TICK: u32 = 24;
/// Distance of a return to either clip, signed.
pub(super) const RETURN: u32 = 21;
/// A clipped return, signed.
pub(super) const CLIPPED: u32 = 15;
/// 256·x less an average, signed.
pub(super) const EMA: u32 = 28;
/// 256·|r| less an average, signed.
pub(super) const VOL: u32 = 23;
/// A return in whole ticks times its scale, signed.
pub(super) const SCALED_RETURN: u32 = 31;
/// A distance from an average, in 256ths, times its scale, signed.
pub(super) const SCALED_TREND: u32 = 44;
/// A volatility, or a difference of two, times its scale, signed.
pub(super) const SCALED_VOL: u32 = 39;
/// The weight's distance from one half, bps, times its scale, signed.
pub(super) const SCALED_WEIGHT: u32 = 29;
/// A bias.
pub(super) const BIAS: u32 = 20;
/// Bits of a field element that the accumulators of a group share.
const GROUP: u32 = 250;
/// An output times a gain, signed.
pub(super) const EDGE: u32 = 39;
/// Targets and bands before their clamp, signed.
pub(super) const LIFT: u32 = 24;
/// Moves and weights in bps, signed.
pub(super) const MOVE: u32 = 15;
/// What is left of the turnover, signed.
pub(super) const TURNOVER: u32 = 25;
/// Quotients and divisors in bps.
pub(super) const WEIGHT: u32 = 14;
/// A trade's value before its cap, and its distance to the cap, signed.
pub(super) const GROSS: u32 = 97;
/// Base units of a trade, and its distance to what is held or a fill's to the least amount, signed.
pub(super) const UNITS: u32 = 125;

/// A cell of memory.
pub(super) const STATE_CELL: u32 = 8;
/// Cells that share an element of the state's digest.
pub(super) const CELLS_PER_ELEMENT: usize = 31;

/// Fields of the state in its digest.
pub(super) const STATE_X: u32 = 20;
/// Returns one and two steps back.
pub(super) const STATE_RETURN: u32 = 16;
/// Turnover of the window.
pub(super) const STATE_TURNOVER: u32 = 25;
/// Steps left in the window, steps the policy still waits.
pub(super) const STATE_STEPS: u32 = 16;
/// An average of the log price.
pub(super) const STATE_EMA: u32 = 28;
/// A volatility.
pub(super) const STATE_VOL: u32 = 23;
/// Steps between now and a rotation.
pub(super) const STEPS: u32 = 32;

/// Largest accumulator of `inputs` terms of a weight of 128 by an input of 128, and a bias.
const fn largest(inputs: i64) -> i64 {
    inputs * 128 * 128 + (1 << (BIAS - 1))
}

/// Largest accumulator of any layer.
const LARGEST: i64 = largest(128);

/// Bits of an accumulator of a layer of so many inputs, sign and rounding included: no witness of C1 and C6 can leave them.
pub(super) const fn accumulator(inputs: usize) -> u32 {
    match inputs {
        0..=16 => 21,
        17..=32 => 22,
        _ => 23,
    }
}

/// How many accumulators of such a width share one field element.
pub(super) const fn per_group(width: u32) -> usize {
    match width {
        0..=22 => 11,
        _ => 10,
    }
}
/// A cell's distance to its candidate times its gate, signed.
pub(super) const CELL_MOVE: u32 = 16;
/// The clip of a return.
const CLIP: i64 = 32_767;
/// Largest number of 16 bits: scales, gains.
const U16: i64 = (1 << 16) - 1;

const _: () = {
    // No sum or product comes near p/2 > 2^252.
    assert!(DRAWDOWN < 250 && PRODUCT < 250 && MARK < DRAWDOWN);
    // Divisions: q·d + r < 2^(i + j + 1) < p.
    assert!(WEIGHT + NAV <= 250 && GROSS + WEIGHT <= 250 && UNITS + AMOUNT <= 250 && MIN_OUT + WEIGHT <= 250);
    assert!(BPS < 1 << WEIGHT);
    // C5: nav ≤ 2·(2^96 − 1), a and b below 2^(97 + 96), 10^4 below 2^14.
    assert!(NAV == AMOUNT + 1 && MARK == NAV + AMOUNT && DRAWDOWN == MARK + WEIGHT && PRODUCT == 2 * AMOUNT && MIN_OUT > AMOUNT);
    // C6.
    assert!(MIN_X > -(1 << 19) && MAX_X < 1 << 19 && MAX_X - MIN_X < 1 << 20);
    assert!(MAX_X - MIN_X + RETURN_CLIP < 1 << RETURN);
    assert!(RETURN_CLIP == 32_767 && RETURN_CLIP < 1 << CLIPPED);
    assert!(256 * (MAX_X - MIN_X) < 1 << EMA);
    assert!(256 * RETURN_CLIP < 1 << VOL);
    // Scaled features: |256x − ema| < 2^28, vol ≤ 256·RETURN_CLIP < 2^23, |weight − 5000| ≤ 5001 < 2^13. A shift leaves at least 8 bits.
    assert!((U16 << EMA) < 1 << SCALED_TREND && CLIP * U16 < 1 << SCALED_RETURN);
    assert!(256 * CLIP * U16 < 1 << SCALED_VOL && (BPS / 2 + 1) * U16 < 1 << SCALED_WEIGHT);
    assert!(SCALED_WEIGHT - (FEATURE_SHIFT - 8) > 8 && SCALED_VOL - FEATURE_SHIFT > 8);
    // The state's small numbers and its averages, packed.
    assert!(MAX_X < 1 << (STATE_X - 1) && RETURN_CLIP < 1 << (STATE_RETURN - 1) && 256 * -MIN_X < 1 << (STATE_EMA - 1));
    assert!(256 * RETURN_CLIP < 1 << STATE_VOL && 6 * STATE_EMA + 2 * STATE_VOL < GROUP);
    assert!(EMA_SHIFTS[5] < EMA && VOL_SHIFTS[1] < VOL);
    // C7: rounding adds at most 2^15.
    assert!(BIAS_LIMIT == (1 << (BIAS - 1)) - 1 && ACTIVATION_MAX < 128);
    assert!(largest(16) + (1 << 15) < 1 << (accumulator(16) - 1) && largest(32) + (1 << 15) < 1 << (accumulator(32) - 1));
    assert!(LARGEST + (1 << 15) < 1 << (accumulator(128) - 1));
    assert!(22 * 11 <= GROUP && 23 * 10 <= GROUP);
    // C13: at most 16 + 32 inputs; rounding adds at most 2^11, a gate 2^7 units of at most 2^12. The shift leaves more than 8 bits.
    assert!(MEMORY_MAX == 32 && largest(32) + (1 << 11) + (1 << 19) < 1 << (accumulator(32) - 1));
    assert!(largest(48) + (1 << 11) + (1 << 19) < 1 << (accumulator(48) - 1) && accumulator(17) - 1 - 12 > 8);
    assert!(255 * GATE_OPEN < 1 << CELL_MOVE && GATE_OPEN == 1 << 8 && 31 * STATE_CELL <= GROUP);
    // C8: |o₂ − o₀|·gain and o₁·gain; what is left of them in bps; moves.
    assert!(2 * LARGEST * U16 < 1 << EDGE && LARGEST * U16 < 1 << EDGE);
    assert!((1 << (EDGE - 16)) + BPS < 1 << LIFT && (1 << 14) + ((LARGEST * U16) >> 16) < 1 << LIFT);
    assert!(2 * BPS + 1 < 1 << MOVE && (1 << 14) + BPS < 1 << MOVE);
    assert!((1 << 24) + BPS < 1 << TURNOVER);
    // C8: size·nav/10^4 < 2^97; v·2^64/price with v < 2^80 and price ≥ 2^19, so at most 2^125 are expected and a least amount is at most that.
    assert!(NAV <= GROSS && 80 + 64 - 19 <= UNITS && UNITS < MIN_OUT && AMOUNT < UNITS);
};
