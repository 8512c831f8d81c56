//! Where orders of a backtest execute, and the accounts they move.
//!
//! Three markets. Flat: every order fills at once at the observed price, less fee and slippage, at any size; the pool does
//! not move. Constant liquidity and snapshot: the order is an exact-input swap through an exact v3 pool, all or nothing as
//! in the vault, so it pays the pool's fee and its own price impact; between two decisions others trade the pool to the
//! bar's close, at no cost and no gain to the agent. Gas is paid in quote. An order whose `min_out` is not met fails and
//! moves nothing.

use crate::{
    BacktestError, Execution, Quoted,
    v3::{Direction, Exact, Pool, sqrt_ratio_at_tick},
};
use probity_strategy::{Amount, Order, Price, Side};
use serde::{Deserialize, Serialize};

/// What trading costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frictions {
    /// Pool fee, bps of the amount given (a snapshot has its own).
    pub fee_bps: u16,
    /// Price worse than the observed one, bps; the flat market only.
    pub slippage_bps: u16,
    /// Gas of one executed trade, raw quote.
    pub gas_quote: Amount,
}

/// What orders execute against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Market {
    /// At the observed price less fee and slippage, at any size.
    Flat,
    /// A pool with this liquidity at every price.
    ConstantLiquidity {
        /// Liquidity as the pool counts it: the root of the product of both raw reserves.
        liquidity: u128,
    },
    /// A recorded pool, its positions unchanged for the whole run.
    Snapshot(Box<Pool>),
}

impl Market {
    /// What the fills assume, in words.
    #[must_use]
    pub fn assumption(&self) -> String {
        match self {
            Self::Flat => "Fills are simulated: at the observed price less fee and slippage, at any size.".into(),
            Self::ConstantLiquidity { liquidity } => format!(
                "Fills are simulated: exact swaps through a v3 pool that has the liquidity {liquidity} at every price and is traded to each close by others."
            ),
            Self::Snapshot(pool) => format!(
                "Fills are simulated: exact swaps through a recorded v3 pool of {} initialised ticks whose positions never change and which is traded to each close by others.",
                pool.ticks().ticks().len()
            ),
        }
    }
}

/// A market and what trading in it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Costs.
    pub frictions: Frictions,
    /// Market.
    pub market: Market,
    /// How orders get there.
    pub execution: Execution,
}

impl From<Frictions> for Terms {
    fn from(frictions: Frictions) -> Self {
        Self { frictions, market: Market::Flat, execution: Execution::default() }
    }
}

impl Terms {
    /// What the gas of an order costs, raw quote.
    pub fn gas(&self, time_s: u64, price: Price) -> Result<u128, BacktestError> {
        self.execution.gas.as_ref().map_or(Ok(self.frictions.gas_quote.raw()), |gas| gas.cost(time_s, price))
    }

    /// What the fills assume, in words.
    #[must_use]
    pub fn assumption(&self) -> String {
        format!("{} {}", self.market.assumption(), self.execution.assumption())
    }
}

/// The accounts of a run, before the market. Sums are conserved: what leaves is fee, impact, slippage or gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venue {
    /// Costs.
    pub frictions: Frictions,
    /// Quote held, raw.
    pub quote: u128,
    /// Base held, raw.
    pub base: u128,
    /// The pool and whether base is its token1; none in the flat market.
    pool: Option<(Pool, bool)>,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Amount received, raw units of the token received.
    pub amount_out: u128,
    /// Fee, slippage and impact together, raw quote at the observed price.
    pub cost_quote: u128,
    /// Size before costs, raw quote at the observed price.
    pub size_quote: u128,
    /// Gas paid, raw quote.
    pub gas_quote: u128,
}

impl Venue {
    /// Accounts before the flat market.
    #[must_use]
    pub const fn flat(frictions: Frictions, quote: u128, base: u128) -> Self {
        Self { frictions, quote, base, pool: None }
    }

    /// Accounts before a market. `base_is_token1` as in the feed the quotes come from.
    pub fn new(terms: &Terms, base_is_token1: bool, quote: u128, base: u128) -> Result<Self, BacktestError> {
        let pool = match &terms.market {
            Market::Flat => None,
            Market::ConstantLiquidity { liquidity } => {
                Some(Pool::constant_liquidity(u32::from(terms.frictions.fee_bps) * 100, *liquidity, sqrt_ratio_at_tick(0)?)?)
            }
            Market::Snapshot(pool) => Some((**pool).clone()),
        };
        Ok(Self { frictions: terms.frictions, quote, base, pool: pool.map(|p| (p, base_is_token1)) })
    }

    /// Others trade the pool to the closing price of a bar. The flat market has no pool.
    pub fn settle(&mut self, quoted: &Quoted) -> Result<(), BacktestError> {
        if let Some((pool, _)) = &mut self.pool {
            pool.move_to_tick(quoted.tick)?;
        }
        Ok(())
    }

    /// Executes an order at the flat price of gas, or leaves everything alone and says none.
    pub fn execute(&mut self, order: &Order, price: Price) -> Option<Outcome> {
        self.execute_at(order, price, self.frictions.gas_quote.raw())
    }

    /// The same for this much gas, raw quote.
    pub fn execute_at(&mut self, order: &Order, price: Price, gas: u128) -> Option<Outcome> {
        let given = order.amount_in.raw();
        let quoted = match &self.pool {
            None => None,
            Some((pool, base_is_token1)) => {
                let zero_in = (order.side == Side::Buy) == *base_is_token1;
                let direction = if zero_in { Direction::ZeroForOne } else { Direction::OneForZero };
                // A pool that refuses, or takes only a part: the vault reverts, and nothing has happened.
                Some((direction, pool.quote(direction, Exact::In(given), None).ok().filter(|s| s.amount_in == given)?))
            }
        };
        let amount_out = match &quoted {
            None => self.fair(order, price)?,
            Some((_, swap)) => swap.amount_out,
        };
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
        if let (Some((pool, _)), Some((direction, swap))) = (&mut self.pool, &quoted) {
            pool.apply(*direction, swap).ok()?;
        }
        (self.quote, self.base) = (quote, base);
        Some(Outcome { amount_out, cost_quote: size_quote.saturating_sub(got_quote), size_quote, gas_quote: gas })
    }

    /// What the flat market pays.
    fn fair(&self, order: &Order, price: Price) -> Option<u128> {
        let given = order.amount_in.raw();
        let kept = given.checked_sub(given * u128::from(self.frictions.fee_bps) / 10_000)?;
        let before = match order.side {
            Side::Buy => to_base(kept, price),
            Side::Sell => to_quote(kept, price),
        }?;
        before.checked_sub((before * u128::from(self.frictions.slippage_bps)).div_ceil(10_000))
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
