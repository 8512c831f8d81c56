//! The vault's own checks of an order, as its contract makes them (`_decide`, `_checkLimits`, `_checkAnchor`).
//!
//! The engine's orders pass by construction, so a refusal in a run is a bug of the engine or a mandate unlike the vault's: the
//! whole decision would revert on chain. What the vault tolerates but does not trade (a decision that is not fresh, an anchor
//! it no longer knows) is decided by [`traded_in_time`].

use crate::v3::U256;
use probity_strategy::{Limits, Order, Price, Side};

/// Blocks whose hash the chain still knows.
const ANCHORS: u32 = 256;

/// The limit that an order breaks, by the contract's name for it.
pub(crate) fn breached(limits: &Limits, order: &Order, price: Price) -> Option<&'static str> {
    let wide = |v: u128| U256::from(v);
    let (given, most) = (order.amount_in.raw(), limits.max_trade_quote.raw());
    if order.min_out >> 126 != 0 {
        return Some("minOut");
    }
    if given == 0 {
        return Some("amountIn");
    }
    let expect = match order.side {
        Side::Buy if given > most => return Some("maxTradeQuote"),
        Side::Buy => (wide(given) << 64usize) / wide(price.x64()) + U256::ONE,
        Side::Sell => (wide(given) * wide(price.x64())) >> 64usize,
    };
    if order.side == Side::Sell && expect > wide(most) {
        return Some("maxTradeQuote");
    }
    let keep = wide(10_000u128.saturating_sub(limits.max_slippage_bps.into()));
    let (q, r) = (expect * keep).div_rem(wide(10_000));
    let least = if r.is_zero() { q } else { q + U256::ONE };
    (wide(order.min_out) < least).then_some("maxSlippageBps")
}

/// Whether the vault trades a decision so long after its observation: it must be fresh, and its anchor block known. Otherwise
/// it records the decision and does not trade.
pub(crate) const fn traded_in_time(blocks: u32, late_s: u64, interval_s: u32) -> bool {
    #[expect(clippy::as_conversions, reason = "widening, in a const")]
    let interval = interval_s as u64;
    late_s < interval && blocks <= ANCHORS
}

#[cfg(test)]
mod tests {
    use super::*;
    use probity_strategy::Amount;

    fn limits() -> Limits {
        Limits {
            max_weight_bps: 10_000,
            max_trade_bps: 2_500,
            min_trade_bps: 50,
            max_turnover_bps: 20_000,
            turnover_window_steps: 48,
            max_drawdown_bps: 10_000,
            max_slippage_bps: 100,
            max_trade_quote: Amount::new(1_000).unwrap(),
            warmup_steps: 0,
        }
    }

    #[test]
    fn each_limit_at_its_edge() {
        // A price of two quote for one base.
        let price = Price::new(2 << 64).unwrap();
        let order = |side, given, min_out| Order { side, amount_in: Amount::new(given).unwrap(), min_out };
        let of = |o: Order| breached(&limits(), &o, price);
        // floor(1000 / 2) + 1 = 501 base, of which 99 % rounded up: 496.
        assert_eq!(of(order(Side::Buy, 1_000, 496)), None);
        assert_eq!(of(order(Side::Buy, 1_000, 495)), Some("maxSlippageBps"));
        assert_eq!(of(order(Side::Buy, 1_001, 600)), Some("maxTradeQuote"));
        assert_eq!(of(order(Side::Sell, 500, 990)), None);
        assert_eq!(of(order(Side::Sell, 500, 989)), Some("maxSlippageBps"));
        assert_eq!(of(order(Side::Sell, 501, 2_000)), Some("maxTradeQuote"));
        assert_eq!(of(order(Side::Sell, 0, 0)), Some("amountIn"));
        assert_eq!(of(order(Side::Sell, 1, 1 << 126)), Some("minOut"));
    }

    #[test]
    fn fresh_and_anchored_or_not_traded() {
        assert!(traded_in_time(24, 288, 300) && !traded_in_time(25, 300, 300));
        assert!(traded_in_time(256, 3_072, 3_600) && !traded_in_time(257, 3_084, 3_600));
    }
}
