//! Where orders of a backtest execute.
//!
//! Assumption: every order fills at once at the observed price, less fee and slippage, at any size; the pool does not
//! move. Gas is paid in quote for every executed trade. An order whose `min_out` is not met fails and costs nothing.

use probity_strategy::{Amount, Order, Price, Side};
use serde::{Deserialize, Serialize};

/// What trading costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frictions {
    /// Pool fee, bps of the amount given.
    pub fee_bps: u16,
    /// Price worse than the observed one, bps.
    pub slippage_bps: u16,
    /// Gas of one executed trade, raw quote.
    pub gas_quote: Amount,
}

/// The accounts of a run. Sums are conserved: what leaves is fee, slippage or gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venue {
    /// Costs.
    pub frictions: Frictions,
    /// Quote held, raw.
    pub quote: u128,
    /// Base held, raw.
    pub base: u128,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Amount received, raw units of the token received.
    pub amount_out: u128,
    /// Fee and slippage together, raw quote at the observed price.
    pub cost_quote: u128,
    /// Size before costs, raw quote at the observed price.
    pub size_quote: u128,
    /// Gas paid, raw quote.
    pub gas_quote: u128,
}

impl Venue {
    /// Executes an order, or leaves the accounts alone and says none.
    pub fn execute(&mut self, order: &Order, price: Price) -> Option<Outcome> {
        let given = order.amount_in.raw();
        let fee = given * u128::from(self.frictions.fee_bps) / 10_000;
        let kept = given.checked_sub(fee)?;
        let fair = |amount: u128| match order.side {
            Side::Buy => to_base(amount, price),
            Side::Sell => to_quote(amount, price),
        };
        let before = fair(kept)?;
        let amount_out = before.checked_sub((before * u128::from(self.frictions.slippage_bps)).div_ceil(10_000))?;
        let gas = self.frictions.gas_quote.raw();
        let (quote, base) = match order.side {
            Side::Buy => (self.quote.checked_sub(given)?, self.base.checked_add(amount_out)?),
            Side::Sell => (self.quote.checked_add(amount_out)?, self.base.checked_sub(given)?),
        };
        let quote = quote.checked_sub(gas)?;
        if amount_out < order.min_out || Amount::new(amount_out).is_err() {
            return None;
        }
        let (size_quote, got_quote) = match order.side {
            Side::Buy => (given, to_quote(amount_out, price)?),
            Side::Sell => (to_quote(given, price)?, amount_out),
        };
        (self.quote, self.base) = (quote, base);
        Some(Outcome { amount_out, cost_quote: size_quote.saturating_sub(got_quote), size_quote, gas_quote: gas })
    }
}

/// floor(base · price / 2^64).
pub(crate) fn to_quote(base: u128, price: Price) -> Option<u128> {
    let (p, low) = (price.x64(), (1u128 << 64) - 1);
    let (bh, bl) = (base >> 64, base & low);
    let high = bh.checked_mul(p)?;
    let (ph, pl) = (p >> 64, p & low);
    high.checked_add(bl * ph)?.checked_add((bl * pl) >> 64)
}

/// floor(quote · 2^64 / price).
fn to_base(quote: u128, price: Price) -> Option<u128> {
    let d = price.x64();
    let (mut q, mut rest) = (quote / d, quote % d);
    for _ in 0..64 {
        rest <<= 1;
        q = q.checked_mul(2)?;
        if rest >= d {
            rest -= d;
            q |= 1;
        }
    }
    Some(q)
}
