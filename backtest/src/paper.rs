//! A vault that is on no chain: accounts that a real pool's state moves, by the code that moves a backtest's.
//!
//! It takes what the vault takes and trades what the vault trades: within its limits, in time, the whole amount or nothing, at
//! least the order's bound. What it cannot know is what its own order would have changed for others, and tokens that refuse.

use crate::v3::{Direction, Exact, MAX_TICK, MIN_TICK, Pool, U256, sqrt_ratio_at_tick};
use crate::{BacktestError, Execution, Frictions, Market, Outcome, Terms, Venue, vault};
use probity_strategy::{Amount, Fill, Limits, Mandate, Observation, Order, Price, Side};

/// What no first deposit may be below, raw quote: so many shares stay in a vault for ever.
pub const LOCKED_SHARES: u128 = 1_000;

/// The accounts of a vault on paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperVault {
    limits: Limits,
    interval_s: u32,
    base_is_token1: bool,
    accounts: Accounts,
}

/// What the next observation says of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accounts {
    /// Raw quote.
    pub quote: Amount,
    /// Raw base.
    pub base: Amount,
    /// Shares.
    pub shares: Amount,
    /// Fill of the last decision.
    pub fill: Option<Fill>,
}

/// How much of a pool's ticks an order needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What is known: its swap ends within.
    Known,
    /// More than is known.
    More,
    /// None: beyond what is known the price is too bad for its bound.
    TooThin,
}

impl PaperVault {
    /// A vault of this mandate after its first deposit, in quote: one share a raw unit, as the contract mints them.
    pub fn seeded(mandate: &Mandate, quote: Amount) -> Result<Self, BacktestError> {
        if quote.raw() <= LOCKED_SHARES {
            return Err(series("first deposit", format!("more than {LOCKED_SHARES} raw units of quote"), quote.raw()));
        }
        let accounts = Accounts { quote, base: Amount::ZERO, shares: quote, fill: None };
        let (limits, interval_s) = (mandate.limits.clone(), mandate.interval_s);
        Ok(Self { limits, interval_s, base_is_token1: mandate.base_is_token1, accounts })
    }

    /// The accounts now.
    #[must_use]
    pub const fn accounts(&self) -> Accounts {
        self.accounts
    }

    /// Puts the accounts where they were when this was observed.
    pub const fn stand_at(&mut self, seen: &Observation) {
        self.accounts = Accounts { quote: seen.quote, base: seen.base, shares: seen.shares, fill: seen.fill };
    }

    /// Moves the accounts by a fill that is known already.
    pub fn took(&mut self, order: &Order, amount_out: Amount) -> Result<(), BacktestError> {
        let Accounts { quote, base, .. } = self.accounts;
        let (given, taken) = if order.side == Side::Buy { (quote, base) } else { (base, quote) };
        let left = given.raw().checked_sub(order.amount_in.raw());
        let left = left.ok_or_else(|| series("fill", format!("at most {} given", given.raw()), order.amount_in.raw()))?;
        let (left, got) = (Amount::new(left)?, Amount::new(taken.raw().saturating_add(amount_out.raw()))?);
        let (quote, base) = if order.side == Side::Buy { (left, got) } else { (got, left) };
        self.accounts = Accounts { quote, base, fill: Some(Fill { amount_out }), ..self.accounts };
        Ok(())
    }

    /// A decision that trades nothing: a hold, or an order that came too late.
    pub const fn pass(&mut self) {
        self.accounts.fill = None;
    }

    /// Whether the vault would still trade so many blocks and seconds after the observation.
    #[must_use]
    pub fn in_time(&self, blocks: u64, late_s: u64) -> bool {
        vault::traded_in_time(u32::try_from(blocks).unwrap_or(u32::MAX), late_s, self.interval_s)
    }

    /// Refuses what the vault would refuse: the decision itself would revert.
    pub fn check(&self, order: &Order, price: Price) -> Result<(), BacktestError> {
        match vault::breached(&self.limits, order, price) {
            Some(limit) => Err(series("order", "one within the vault's limits".into(), format!("one past {limit}"))),
            None => Ok(()),
        }
    }

    /// Whether an order's swap falls.
    #[must_use]
    pub fn falls(&self, order: &Order) -> bool {
        (order.side == Side::Buy) == self.base_is_token1
    }

    /// How much of a pool's ticks an order needs, where they are known up to a tick; none: all of them on its side.
    pub fn depth(&self, order: &Order, pool: &Pool, known_to: Option<i32>) -> Result<Depth, BacktestError> {
        let down = self.falls(order);
        let inside = |tick: &i32| (MIN_TICK + 1..MAX_TICK).contains(tick);
        let Some(end) = known_to.filter(inside) else { return Ok(Depth::Known) };
        let limit = sqrt_ratio_at_tick(end)?;
        if if down { limit >= pool.sqrt_price() } else { limit <= pool.sqrt_price() } {
            return Ok(Depth::More);
        }
        let direction = if down { Direction::ZeroForOne } else { Direction::OneForZero };
        // What the pool refuses within what is known, it refuses.
        let Ok(swap) = pool.quote(direction, Exact::In(order.amount_in.raw()), Some(limit)) else { return Ok(Depth::Known) };
        if swap.sqrt_price != limit {
            return Ok(Depth::Known);
        }
        let left = order.amount_in.raw().saturating_sub(swap.amount_in);
        let most = swap.amount_out.saturating_add(at_root(left, limit, down)).saturating_add(1);
        Ok(if most < order.min_out { Depth::TooThin } else { Depth::More })
    }

    /// The order's swap through the pool as it stands, whose ticks are known as far as it needs; none if it is not filled.
    pub fn fill(&mut self, order: &Order, price: Price, pool: Pool) -> Result<Option<Outcome>, BacktestError> {
        let frictions = Frictions { fee_bps: 0, slippage_bps: 0, gas_quote: Amount::ZERO };
        let terms = Terms { frictions, market: Market::Snapshot(Box::new(pool)), execution: Execution::default() };
        let Accounts { quote, base, shares, .. } = self.accounts;
        let mut venue = Venue::new(&terms, self.base_is_token1, quote.raw(), base.raw())?;
        let done = venue.execute_at(order, price, 0);
        let fill = done.map(|d| Amount::new(d.amount_out).map(|amount_out| Fill { amount_out })).transpose()?;
        self.accounts = Accounts { quote: Amount::new(venue.quote)?, base: Amount::new(venue.base)?, shares, fill };
        Ok(done)
    }
}

/// The most that an amount can get at a root price or a worse one.
fn at_root(given: u128, root: U256, down: bool) -> u128 {
    type Wide = ruint::Uint<512, 8>;
    let square: Wide = root.widening_mul(root);
    let most: Wide = if down { (Wide::from(given) * square) >> 192usize } else { (Wide::from(given) << 192usize) / square };
    u128::try_from(most).unwrap_or(u128::MAX)
}

fn series(field: &'static str, expected: String, got: impl ToString) -> BacktestError {
    BacktestError::Series { field, expected, got: got.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use probity_strategy::price_x64;

    fn mandate() -> Mandate {
        serde_json::from_str(include_str!("../../docs/formats/golden/mandate.json")).unwrap()
    }

    /// A pool at tick 0 with a position around it and nothing beyond.
    fn pool() -> Pool {
        let mut pool = Pool::new(3_000, 60, sqrt_ratio_at_tick(0).unwrap()).unwrap();
        pool.provide(-600, 600, 1_000_000_000_000).unwrap();
        pool
    }

    fn known(pool: &Pool, from: i32, to: i32) -> Pool {
        let ticks = pool.ticks().ticks().iter().filter(|t| (from..=to).contains(&t.index)).map(|t| (t.index, t.net));
        let at = (pool.sqrt_price(), pool.tick(), pool.liquidity());
        Pool::with_ticks(pool.fee_pips(), 60, at, ticks).unwrap().holding(pool.balances())
    }

    fn order(side: Side, given: u128, min_out: u128) -> Order {
        Order { side, amount_in: Amount::new(given).unwrap(), min_out }
    }

    #[test]
    fn an_order_says_how_far_it_has_to_look() {
        let (mandate, pool) = (mandate(), pool());
        let vault = PaperVault::seeded(&mandate, Amount::new(1 << 60).unwrap()).unwrap();
        for side in [Side::Buy, Side::Sell] {
            let small = order(side, 1_000_000, 1);
            let near = if vault.falls(&small) { -599 } else { 599 };
            let depth = |order: &Order, to| vault.depth(order, &known(&pool, -60, 60), Some(to)).unwrap();
            assert_eq!(depth(&small, near), Depth::Known);
            assert_eq!(depth(&order(side, 1 << 50, 1), near), Depth::More);
            assert_eq!(depth(&order(side, 1 << 50, 1 << 50), near), Depth::TooThin);
            assert_eq!(vault.depth(&order(side, 1 << 50, 1), &pool, None).unwrap(), Depth::Known);
            assert_eq!(depth(&small, 0), Depth::More);
        }
    }

    #[test]
    fn fills_are_the_pools_and_accounts_follow() {
        let (mandate, pool) = (mandate(), pool());
        let price = price_x64(0);
        let start = Amount::new(1_000_000_000).unwrap();
        let mut vault = PaperVault::seeded(&mandate, start).unwrap();
        assert_eq!(vault.accounts(), Accounts { quote: start, base: Amount::ZERO, shares: start, fill: None });
        let buy = order(Side::Buy, 10_000_000, 9_900_000);
        let direction = if vault.falls(&buy) { Direction::ZeroForOne } else { Direction::OneForZero };
        let swap = pool.quote(direction, Exact::In(10_000_000), None).unwrap();
        let before = vault.clone();
        let done = vault.fill(&buy, price, known(&pool, -600, 600)).unwrap().unwrap();
        assert_eq!(done.amount_out, swap.amount_out);
        let now = vault.accounts();
        assert_eq!((now.quote.raw(), now.base.raw()), (990_000_000, swap.amount_out));
        assert_eq!(now.fill.unwrap().amount_out.raw(), swap.amount_out);
        // The same fill, known already.
        let mut again = before.clone();
        again.took(&buy, Amount::new(swap.amount_out).unwrap()).unwrap();
        assert_eq!(again, vault);
        // Past its bound, or more than the pool takes: nothing moves.
        let mut other = before.clone();
        assert_eq!(other.fill(&order(Side::Buy, 10_000_000, swap.amount_out + 1), price, pool.clone()).unwrap(), None);
        assert_eq!(other, before);
        assert_eq!(other.fill(&order(Side::Buy, 1 << 80, 1), price, pool.clone()).unwrap(), None);
        // A pool that does not hold what it owes.
        assert_eq!(other.fill(&buy, price, pool.holding([0; 2])).unwrap(), None);
        vault.pass();
        assert_eq!(vault.accounts().fill, None);
    }

    #[test]
    fn what_the_vault_refuses_is_refused() {
        let mandate = mandate();
        let vault = PaperVault::seeded(&mandate, Amount::new(1 << 60).unwrap()).unwrap();
        let most = mandate.limits.max_trade_quote.raw();
        let error = vault.check(&order(Side::Buy, most + 1, most), price_x64(0)).unwrap_err().to_string();
        assert!(error.contains("maxTradeQuote"), "{error}");
        assert!(vault.in_time(1, u64::from(mandate.interval_s) - 1) && !vault.in_time(1, mandate.interval_s.into()));
        assert!(!vault.in_time(257, 0));
        assert!(PaperVault::seeded(&mandate, Amount::new(LOCKED_SHARES).unwrap()).is_err());
    }
}
