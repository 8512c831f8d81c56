//! S5: value, weight, continuity, high-water mark.

use crate::{Amount, Limits, Observation, Side, State, state::HighWater, units::BPS};

/// What the vault's holdings are worth at the observed price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valuation {
    /// Base holdings in quote raw units, floor, saturated at 2^96 − 1.
    pub base_value: u128,
    /// Net asset value in quote raw units, below 2^97.
    pub nav: u128,
    /// Weight of the base asset in bps, rounded up (against buying), 1 … 10000.
    pub weight_bps: i64,
}

impl Valuation {
    /// Values the holdings of an observation.
    #[must_use]
    pub fn of(obs: &Observation) -> Self {
        let base_value = value(obs.base.raw(), obs.price_x64.x64());
        let nav = obs.quote.raw() + base_value;
        let weight = base_value * 10_000 / (nav + 1) + 1;
        Self { base_value, nav, weight_bps: i64::try_from(weight).unwrap_or(BPS) }
    }
}

/// min(floor(base · price / 2^64), 2^96 − 1) for both below 2^96.
fn value(base: u128, price_x64: u128) -> u128 {
    const LOW: u128 = (1 << 64) - 1;
    let (ph, pl) = (price_x64 >> 64, price_x64 & LOW);
    let (bh, bl) = (base >> 64, base & LOW);
    // base·price = base·ph·2^64 + base·pl; the second term is split so that nothing overflows 128 bits.
    let low = bh * pl + ((bl * pl) >> 64);
    let high = base.saturating_mul(ph);
    Amount::saturating(high.saturating_add(low)).raw()
}

/// What a step finds out about the portfolio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portfolio {
    /// Declared flow of quote, raw, positive into the vault.
    pub quote_flow: i128,
    /// Declared flow of base, raw, positive into the vault.
    pub base_flow: i128,
    /// A fill that no pending order allows.
    pub anomaly: bool,
    /// High-water mark after this step.
    pub high_water: HighWater,
    /// Whether the drawdown limit is broken.
    pub drawdown: bool,
}

impl Portfolio {
    /// Continues the portfolio of `state` with what `obs` shows.
    #[must_use]
    pub fn of(limits: &Limits, state: &State, obs: &Observation, val: &Valuation) -> Self {
        let (mut quote, mut base) = (signed(state.quote), signed(state.base));
        let mut anomaly = false;
        if let Some(fill) = obs.fill {
            match state.pending {
                Some(order) => {
                    anomaly = fill.amount_out.raw() < order.min_out;
                    let (given, taken) = (signed(order.amount_in), signed(fill.amount_out));
                    match order.side {
                        Side::Buy => (quote, base) = (quote - given, base + taken),
                        Side::Sell => (quote, base) = (quote + taken, base - given),
                    }
                }
                None => anomaly = true,
            }
        }
        let mark = state.high_water;
        let now = (val.nav, mark.shares.raw());
        let then = (mark.nav, obs.shares.raw());
        // Only an observation with shares sets the mark; the first such one does.
        let high = obs.shares.raw() > 0 && (mark.shares.raw() == 0 || less(then, 1, now, 1));
        let keep = u128::from(10_000u16.saturating_sub(limits.max_drawdown_bps));
        Self {
            quote_flow: signed(obs.quote) - quote,
            base_flow: signed(obs.base) - base,
            anomaly,
            high_water: if high { HighWater { nav: val.nav, shares: obs.shares } } else { mark },
            drawdown: less(now, 10_000, then, keep),
        }
    }
}

fn signed(a: Amount) -> i128 {
    i128::try_from(a.raw()).unwrap_or(i128::MAX)
}

/// `a.0 · a.1 · ka < b.0 · b.1 · kb` without overflow, for factors below 2^97, 2^96 and 2^14.
fn less(a: (u128, u128), ka: u128, b: (u128, u128), kb: u128) -> bool {
    product(a, ka) < product(b, kb)
}

/// A product of up to 2^207 as (high, low) with low below 2^64.
fn product((a, b): (u128, u128), k: u128) -> (u128, u128) {
    const LOW: u128 = (1 << 64) - 1;
    let (ah, al, bh, bl) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = al * bl;
    let middle = ah * bl + (low >> 64);
    // middle < 2^98, al·bh < 2^96, ah·bh·2^64 < 2^129 is folded in after the factor: keep three limbs.
    let second = middle + al * bh;
    let limbs = [low & LOW, second & LOW, ah * bh + (second >> 64)];
    let r0 = limbs[0] * k;
    let r1 = limbs[1] * k + (r0 >> 64);
    let r2 = limbs[2] * k + (r1 >> 64);
    (r2, ((r1 & LOW) << 64) | (r0 & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_saturate() {
        let max = (1u128 << 96) - 1;
        assert_eq!(value(1_000_000_000_000_000_000, 55_340_232_221), 2_999_999_999);
        assert_eq!(value(max, max), max);
        assert_eq!(value(max, 1 << 19), max >> 45);
        assert_eq!(value(0, max), 0);
    }

    #[test]
    fn products_are_exact() {
        assert_eq!(product((1 << 97, 1 << 96), 10_000), (10_000 << 65, 0));
        assert_eq!(product(((1 << 97) - 1, 1), 3), (0, 3 * ((1 << 97) - 1)));
        assert!(less(((1 << 97) - 1, (1 << 96) - 2), 1, ((1 << 97) - 1, (1 << 96) - 1), 1));
    }
}
