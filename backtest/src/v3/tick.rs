//! Ticks and root prices (white paper §6.1, §6.2): sqrt(1.0001^tick) in Q64.96, rounded up, over the whole range.

use super::{
    PoolError, Root,
    wide::{U256, quotient},
};

use std::sync::LazyLock;

/// Smallest tick of a pool.
pub const MIN_TICK: i32 = -887_272;
/// Largest tick of a pool.
pub const MAX_TICK: i32 = 887_272;
/// Root price at the smallest tick.
pub const MIN_SQRT_RATIO: U256 = U256::from_limbs([4_295_128_739, 0, 0, 0]);
/// Root price at the largest tick; a price is always below it.
pub const MAX_SQRT_RATIO: U256 = U256::from_limbs([0x5d95_1d52_6398_8d26, 0xefd1_fc6a_5064_8849, 0xfffd_8963, 0]);

/// sqrt(1.0001)^−(2^i)·2^128 to the nearest integer, i = 0 … 19.
const FACTORS: [u128; 20] = [
    0xfffc_b933_bd6f_ad37_aa2d_162d_1a59_4001,
    0xfff9_7272_373d_4132_59a4_6990_580e_213a,
    0xfff2_e50f_5f65_6932_ef12_357c_f3c7_fdcc,
    0xffe5_caca_7e10_e4e6_1c36_24ea_a094_1cd0,
    0xffcb_9843_d60f_6159_c9db_5883_5c92_6644,
    0xff97_3b41_fa98_c081_472e_6896_dfb2_54c0,
    0xff2e_a164_66c9_6a38_43ec_78b3_26b5_2861,
    0xfe5d_ee04_6a99_a2a8_11c4_61f1_969c_3053,
    0xfcbe_86c7_900a_88ae_dcff_c83b_479a_a3a4,
    0xf987_a725_3ac4_1317_6f2b_074c_f781_5e54,
    0xf339_2b08_22b7_0005_940c_7a39_8e4b_70f3,
    0xe715_9475_a2c2_9b74_43b2_9c7f_a6e8_89d9,
    0xd097_f3bd_fd20_22b8_845a_d8f7_92aa_5825,
    0xa9f7_4646_2d87_0fdf_8a65_dc1f_90e0_61e5,
    0x70d8_69a1_56d2_a1b8_90bb_3df6_2baf_32f7,
    0x31be_135f_97d0_8fd9_8123_1505_542f_cfa6,
    0x09aa_508b_5b7a_84e1_c677_de54_f3e9_9bc9,
    0x005d_6af8_dedb_8119_6699_c329_225e_e604,
    0x0000_2216_e584_f5fa_1ea9_2604_1bed_fe98,
    0x0000_0000_048a_1703_91f7_dc42_444e_8fa2,
];

/// 2^16 / log2(sqrt(1.0001)), floor: one unit of log2 in ticks.
pub(crate) const TICKS_OF_LOG2_X16: i64 = 908_567_297;

/// Bits of a tick whose ratios are kept.
const FIRST_BITS: usize = 12;
/// How many these are.
const FIRST: u32 = 1 << FIRST_BITS;

/// The ratios at −0 … −(FIRST − 1); none at 0, where it is 1.
static RATIOS: LazyLock<Vec<Option<u128>>> = LazyLock::new(|| {
    let mut out = vec![None];
    for factor in FACTORS.iter().take(FIRST_BITS) {
        let with: Vec<Option<u128>> = out.iter().map(|r| Some(r.map_or(*factor, |r| high_product(r, *factor)))).collect();
        out.extend(with);
    }
    out
});

/// The root price at a tick; none outside [`MIN_TICK`] … [`MAX_TICK`].
pub fn sqrt_ratio_at_tick(tick: i32) -> Result<U256, PoolError> {
    if !(MIN_TICK..=MAX_TICK).contains(&tick) {
        return Err(PoolError::value("tick", format!("{MIN_TICK} … {MAX_TICK}"), tick));
    }
    let magnitude = tick.unsigned_abs();
    // Q128.128 of the ratio at −|tick|, below 1 as soon as one factor is in it. The factors go in from the lowest bit on, so what
    // the lower bits make of it is the same for many ticks.
    let first = usize::try_from(magnitude % FIRST).unwrap_or(0);
    let mut ratio: Option<u128> = RATIOS.get(first).copied().flatten();
    let mut rest = magnitude / FIRST;
    for factor in FACTORS.iter().skip(FIRST_BITS) {
        if rest == 0 {
            break;
        }
        if rest & 1 == 1 {
            ratio = Some(ratio.map_or(*factor, |r| high_product(r, *factor)));
        }
        rest >>= 1;
    }
    let ratio = match ratio {
        None => U256::ONE << 128,
        Some(r) if tick > 0 => quotient(U256::MAX, U256::from(r)),
        Some(r) => U256::from(r),
    };
    let (q, rest): (U256, u64) = (ratio >> 32, ratio.as_limbs().first().copied().unwrap_or(0) & 0xffff_ffff);
    Ok(if rest == 0 { q } else { q.wrapping_add(U256::ONE) })
}

/// floor(a·b / 2^128).
fn high_product(a: u128, b: u128) -> u128 {
    const LOW: u128 = (1 << 64) - 1;
    let ((ah, al), (bh, bl)) = ((a >> 64, a & LOW), (b >> 64, b & LOW));
    let middle = ah * bl + ((al * bl) >> 64);
    let other = al * bh + (middle & LOW);
    ah * bh + (middle >> 64) + (other >> 64)
}

/// log2 with 16 fractional bits, by repeated squaring; a little below the true one. 0 has that of 1.
pub(crate) fn log2_x16(value: U256) -> i64 {
    let top = value.bit_len().saturating_sub(1);
    let shifted: U256 = if top >= 63 { value >> (top - 63) } else { value << (63 - top) };
    let mut mantissa = u128::from(shifted.as_limbs().first().copied().unwrap_or(0));
    let mut fraction = 0i64;
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 63;
        let bit = mantissa >> 64;
        fraction = (fraction << 1) | i64::try_from(bit).unwrap_or(0);
        mantissa >>= bit;
    }
    i64::try_from(top).unwrap_or(0) * 65_536 + fraction
}

/// The logarithm of a root price in ticks: its error is that of one logarithm and one division of doubles, far below 10^-7.
fn estimate(price: U256) -> f64 {
    /// 1 / ln(sqrt(1.0001)).
    const TICKS: f64 = 20_000.999_983_334_167;
    /// 2^-96.
    const UNIT: f64 = 1.262_177_448_353_619e-29;
    (Root::of(price).map_or(0.0, Root::size) * UNIT).ln() * TICKS
}

#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "a tick, clamped by the caller")]
fn integer(v: f64) -> i32 {
    v as i32
}

/// The largest tick whose root price is at most `price`.
pub fn tick_at_sqrt_ratio(price: U256) -> Result<i32, PoolError> {
    if price < MIN_SQRT_RATIO || price >= MAX_SQRT_RATIO {
        return Err(PoolError::value("sqrt_price_x96", format!("{MIN_SQRT_RATIO} … below {MAX_SQRT_RATIO}"), price));
    }
    let near = estimate(price);
    let whole = near.floor();
    let tick = integer(whole).clamp(MIN_TICK, MAX_TICK - 1);
    // The estimate is good to a part in 10^7 of a tick: away from a tick's edge there is nothing to try, at one only it.
    if (0.001..0.999).contains(&(near - whole)) && tick == integer(whole) {
        return Ok(tick);
    }
    let edge = integer(near.round()).clamp(MIN_TICK, MAX_TICK);
    Ok(if sqrt_ratio_at_tick(edge)? <= price { edge.min(MAX_TICK - 1) } else { edge - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_are_those_of_the_chain() {
        assert_eq!(sqrt_ratio_at_tick(MIN_TICK).unwrap(), MIN_SQRT_RATIO);
        assert_eq!(sqrt_ratio_at_tick(MAX_TICK).unwrap(), MAX_SQRT_RATIO);
        assert_eq!(MAX_SQRT_RATIO.to_string(), "1461446703485210103287273052203988822378723970342");
        assert_eq!(tick_at_sqrt_ratio(MIN_SQRT_RATIO).unwrap(), MIN_TICK);
        assert_eq!(tick_at_sqrt_ratio(MAX_SQRT_RATIO - U256::ONE).unwrap(), MAX_TICK - 1);
        for bad in [MIN_SQRT_RATIO - U256::ONE, MAX_SQRT_RATIO, U256::ZERO, U256::MAX] {
            assert!(matches!(tick_at_sqrt_ratio(bad), Err(PoolError::Value { field: "sqrt_price_x96", .. })));
        }
        for bad in [MIN_TICK - 1, MAX_TICK + 1, i32::MIN, i32::MAX] {
            assert!(matches!(sqrt_ratio_at_tick(bad), Err(PoolError::Value { field: "tick", .. })));
        }
    }

    #[test]
    fn each_factor_is_the_square_of_the_one_before() {
        for pair in FACTORS.windows(2) {
            let (a, b) = (U256::from(pair[0]), U256::from(pair[1]));
            let (low, high): (U256, U256) = (a * a, (b << 128) + (U256::ONE << 129));
            // (a ± ½)² lies within 2^128·(b ± 1½).
            assert!(low <= high && (b << 128) <= low + (U256::ONE << 129));
        }
        // And the first: (f/2^128)²·1.0001 = 1 to the nearest integer, by cross-multiplication of f ± ½ in halves.
        let f = U256::from(FACTORS[0]) << 1;
        let product = |v: U256| -> ruint::Uint<512, 8> {
            let square: ruint::Uint<512, 8> = v.widening_mul(v);
            square * ruint::Uint::<512, 8>::from(10_001)
        };
        let one = ruint::Uint::<512, 8>::from(10_000) << 258;
        assert!(product(f - U256::ONE) < one && one < product(f + U256::ONE));
    }

    #[test]
    fn equals_the_core_where_both_are_defined() {
        for tick in (probity_strategy::MIN_X..=probity_strategy::MAX_X).step_by(101) {
            assert_eq!(sqrt_ratio_at_tick(tick).unwrap(), U256::from(probity_strategy::sqrt_ratio_x96(tick)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn estimates_hold_anywhere_between_two_ticks(tick in MIN_TICK..MAX_TICK, part in any::<u64>()) {
            let (at, next) = (sqrt_ratio_at_tick(tick).unwrap(), sqrt_ratio_at_tick(tick + 1).unwrap());
            let inside = at + (((next - at) * U256::from(part)) >> 64);
            prop_assert_eq!(tick_at_sqrt_ratio(inside).unwrap(), tick);
            let off = estimate(at) - f64::from(tick);
            // The root price itself is rounded up to a whole number: that is all at the low end.
            prop_assert!(off.abs() < 1e-4, "{}", off);
        }

        #[test]
        fn ticks_invert(tick in MIN_TICK..MAX_TICK) {
            let (at, next) = (sqrt_ratio_at_tick(tick).unwrap(), sqrt_ratio_at_tick(tick + 1).unwrap());
            prop_assert!(at < next);
            prop_assert_eq!(tick_at_sqrt_ratio(at).unwrap(), tick);
            prop_assert_eq!(tick_at_sqrt_ratio(next - U256::ONE).unwrap(), tick);
        }
    }
}
