//! S0: Uniswap v3 ticks and the price at a tick.
//!
//! `sqrt_ratio_x96` follows the Uniswap v3 core white paper (2021), §6.2: sqrt(1.0001^tick) in Q64.96, rounded up, by
//! square-and-multiply over the bits of |tick| in Q128.128.

use crate::units::Price;

/// Smallest oriented tick the engine works with (price ratio 2^−44).
pub const MIN_X: i32 = -304_998;
/// Largest oriented tick the engine works with (price ratio 2^32).
pub const MAX_X: i32 = 221_817;

/// sqrt(1.0001)^−(2^i) in Q128.128 for i = 0 … 18.
const FACTORS: [u128; 19] = [
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
];

/// `(a · b) >> 128` of the full 256-bit product.
fn mul_high(a: u128, b: u128) -> u128 {
    wide_mul(a, b).0
}

/// The full 256-bit product as (high, low).
fn wide_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = (1 << 64) - 1;
    let (ah, al, bh, bl) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let (ll, lh, hl, hh) = (al * bl, al * bh, ah * bl, ah * bh);
    let middle = (ll >> 64) + (lh & LOW) + (hl & LOW);
    (hh + (lh >> 64) + (hl >> 64) + (middle >> 64), (middle << 64) | (ll & LOW))
}

/// The engine's log price: `+tick` if the base token is token0, else `−tick`, clamped to [`MIN_X`] … [`MAX_X`].
#[must_use]
pub fn oriented(tick: i32, base_is_token1: bool) -> i32 {
    if base_is_token1 { tick.saturating_neg() } else { tick }.clamp(MIN_X, MAX_X)
}

/// sqrt(1.0001^x) in Q64.96, rounded up, as Uniswap's `getSqrtRatioAtTick`, for x within [`MIN_X`] … [`MAX_X`].
#[must_use]
pub fn sqrt_ratio_x96(x: i32) -> u128 {
    let x = x.clamp(MIN_X, MAX_X);
    let magnitude = x.unsigned_abs();
    // Q128.128 of the ratio at −|x|; `None` stands for 2^128, which needs 129 bits.
    let mut ratio: Option<u128> = None;
    for (i, factor) in FACTORS.iter().enumerate() {
        if (magnitude >> i) & 1 == 1 {
            ratio = Some(ratio.map_or(*factor, |r| mul_high(r, *factor)));
        }
    }
    let Some(ratio) = ratio else { return 1 << 96 };
    if x > 0 {
        // floor((2^256 − 1) / ratio) in Q128.128, then to Q64.96 rounding up.
        let (high, low) = invert(ratio);
        let shifted = (high << 96) | (low >> 32);
        if low & 0xffff_ffff == 0 { shifted } else { shifted + 1 }
    } else {
        let shifted = ratio >> 32;
        if ratio & 0xffff_ffff == 0 { shifted } else { shifted + 1 }
    }
}

/// floor((2^256 − 1) / d) as (high, low), by long division bit by bit.
fn invert(d: u128) -> (u128, u128) {
    let (mut high, mut low, mut rest) = (0u128, 0u128, 0u128);
    for _ in 0..256 {
        let carry = rest >> 127 == 1;
        rest = (rest << 1) | 1;
        high = (high << 1) | (low >> 127);
        low <<= 1;
        if carry || rest >= d {
            rest = rest.wrapping_sub(d);
            low |= 1;
        }
    }
    (high, low)
}

/// The price at an oriented tick: `(s·s) >> 128`.
#[must_use]
pub fn price_x64(x: i32) -> Price {
    let s = sqrt_ratio_x96(x);
    Price::saturating(mul_high(s, s))
}

/// The largest oriented tick whose price is at most `price` (binary search; [`MIN_X`] if none is).
#[must_use]
pub fn tick_at_price(price: Price) -> i32 {
    let (mut low, mut high) = (MIN_X, MAX_X);
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if price_x64(middle) <= price { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ratios() {
        assert_eq!(sqrt_ratio_x96(0), 1 << 96);
        assert_eq!(sqrt_ratio_x96(50), 79_426_470_787_362_580_746_886_972_461);
        assert_eq!(sqrt_ratio_x96(-50), 79_030_349_367_926_598_376_800_521_322);
        assert_eq!(sqrt_ratio_x96(150_000), 143_194_173_941_309_278_083_010_301_478_497);
        assert_eq!(sqrt_ratio_x96(-150_000), 43_836_292_794_701_720_435_367_485);
    }

    #[test]
    fn price_rises_with_the_tick_and_inverts() {
        for x in (MIN_X..MAX_X).step_by(997) {
            assert!(price_x64(x) < price_x64(x + 1), "{x}");
            assert_eq!(tick_at_price(price_x64(x)), x);
        }
        assert!(price_x64(MIN_X) >= Price::MIN && price_x64(MIN_X).x64() < 1 << 21);
        assert!(price_x64(MAX_X).x64() < 1 << 96 && price_x64(MAX_X).x64() > 1 << 95);
    }
}
