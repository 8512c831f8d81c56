//! The pool: price, liquidity and balances, and what changes them.

use super::{
    MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, PoolError, Root, Tick, TickTable,
    delta::{amount0, amount1},
    sqrt_ratio_at_tick,
    step::{Left, PIPS, step},
    tick_at_sqrt_ratio,
    ticks::Pause,
    wide::U256,
};

/// Which token comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Token0 in, token1 out: the price falls.
    ZeroForOne,
    /// Token1 in, token0 out: the price rises.
    OneForZero,
}

/// What is fixed about a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// The amount given, fee included.
    In(u128),
    /// The amount taken.
    Out(u128),
}

/// What a swap does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    /// Given, fee included; less than asked for where the price limit stopped the swap.
    pub amount_in: u128,
    /// Taken.
    pub amount_out: u128,
    /// Fee within `amount_in`.
    pub fee: u128,
    /// Initialised ticks crossed.
    pub crossed: u32,
    /// Root price after it.
    pub sqrt_price: U256,
    /// Tick after it.
    pub tick: i32,
    /// Liquidity after it.
    pub liquidity: u128,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    pub(super) fee_pips: u32,
    pub(super) sqrt_price: U256,
    pub(super) tick: i32,
    pub(super) liquidity: u128,
    pub(super) ticks: TickTable,
    pub(super) balances: [u128; 2],
}

impl Pool {
    /// A pool without liquidity at a price. Fee in hundredths of a basis point.
    pub fn new(fee_pips: u32, spacing: i32, sqrt_price: U256) -> Result<Self, PoolError> {
        if fee_pips >= PIPS {
            return Err(PoolError::value("fee", format!("below {PIPS} hundredths of a basis point"), fee_pips));
        }
        let tick = tick_at_sqrt_ratio(sqrt_price)?;
        Ok(Self { fee_pips, sqrt_price, tick, liquidity: 0, ticks: TickTable::new(spacing)?, balances: [0; 2] })
    }

    /// A pool with the same liquidity at every price and no end to what it holds: an assumption, not a pool of the chain.
    pub fn constant_liquidity(fee_pips: u32, liquidity: u128, sqrt_price: U256) -> Result<Self, PoolError> {
        if liquidity == 0 {
            return Err(PoolError::value("liquidity", "above 0", 0));
        }
        let mut pool = Self::new(fee_pips, 1, sqrt_price)?;
        (pool.liquidity, pool.balances) = (liquidity, [u128::MAX >> 1; 2]);
        Ok(pool)
    }

    /// A pool at a recorded price, tick and liquidity, with what is known of its ticks (`tick, net`) and no end to what it
    /// holds: for replaying single swaps of a pool whose positions are not all known.
    pub fn with_ticks(
        fee_pips: u32,
        spacing: i32,
        (sqrt_price, tick, liquidity): (U256, i32, u128),
        ticks: impl IntoIterator<Item = (i32, i128)>,
    ) -> Result<Self, PoolError> {
        let mut pool = Self::new(fee_pips, spacing, sqrt_price)?;
        pool.check_tick(tick)?;
        (pool.tick, pool.liquidity, pool.balances) = (tick, liquidity, [u128::MAX >> 1; 2]);
        for (index, net) in ticks {
            pool.ticks.set(Tick { index, gross: net.unsigned_abs().max(1), net })?;
        }
        Ok(pool)
    }

    /// The same pool with what it holds of token0 and token1.
    #[must_use]
    pub const fn holding(mut self, balances: [u128; 2]) -> Self {
        self.balances = balances;
        self
    }

    /// A tick must be that of the price; or one below it, after a swap that stopped exactly on a tick on its way down.
    pub(super) fn check_tick(&self, tick: i32) -> Result<(), PoolError> {
        let at_edge = tick == self.tick - 1 && sqrt_ratio_at_tick(self.tick)? == self.sqrt_price;
        if tick == self.tick || at_edge {
            Ok(())
        } else {
            Err(PoolError::value("tick", format!("{}, the tick of the root price", self.tick), tick))
        }
    }

    /// Root price, Q64.96.
    #[must_use]
    pub const fn sqrt_price(&self) -> U256 {
        self.sqrt_price
    }

    /// Current tick.
    #[must_use]
    pub const fn tick(&self) -> i32 {
        self.tick
    }

    /// Liquidity at the current price.
    #[must_use]
    pub const fn liquidity(&self) -> u128 {
        self.liquidity
    }

    /// Fee, hundredths of a basis point.
    #[must_use]
    pub const fn fee_pips(&self) -> u32 {
        self.fee_pips
    }

    /// The initialised ticks.
    #[must_use]
    pub const fn ticks(&self) -> &TickTable {
        &self.ticks
    }

    /// What the pool holds of token0 and token1.
    #[must_use]
    pub const fn balances(&self) -> [u128; 2] {
        self.balances
    }

    /// What a swap would do. Without a limit it may run to the end of the price range.
    pub fn quote(&self, direction: Direction, exact: Exact, limit: Option<U256>) -> Result<Swap, PoolError> {
        let down = direction == Direction::ZeroForOne;
        let limit = limit.unwrap_or(if down { MIN_SQRT_RATIO + U256::ONE } else { MAX_SQRT_RATIO - U256::ONE });
        let fits = if down { limit < self.sqrt_price && limit > MIN_SQRT_RATIO } else { limit > self.sqrt_price && limit < MAX_SQRT_RATIO };
        if !fits {
            let expected = if down { "below the price and above the smallest" } else { "above the price and below the largest" };
            return Err(PoolError::value("sqrt_price_limit", expected, limit));
        }
        let mut left = match exact {
            Exact::In(0) | Exact::Out(0) => return Err(PoolError::value("amount", "above 0", 0)),
            Exact::In(v) => Left::In(v),
            Exact::Out(v) => Left::Out(v),
        };
        let over = |field| move || PoolError::Overflow { field };
        let root = |v: U256| Root::of(v).ok_or(PoolError::Overflow { field: "sqrt_price" });
        let (mut price, limit) = (root(self.sqrt_price)?, root(limit)?);
        let (mut tick, mut liquidity, mut upto) = (self.tick, self.liquidity, self.ticks.upto(self.tick));
        let (mut given, mut taken, mut fee, mut crossed) = (0u128, 0u128, 0u128, 0u32);
        let mut moved_within = false;
        while price != limit && !matches!(left, Left::In(0) | Left::Out(0)) {
            let Pause { tick: pause, known } = self.ticks.next(tick, upto, down);
            let pause = pause.clamp(MIN_TICK, MAX_TICK);
            let at_pause = match known {
                Some((_, at)) => at,
                None => root(sqrt_ratio_at_tick(pause)?)?,
            };
            let target = if down { at_pause.max(limit) } else { at_pause.min(limit) };
            let m = step(price, target, liquidity, left, self.fee_pips).ok_or_else(over("swap"))?;
            let cost = m.amount_in.checked_add(m.fee).ok_or_else(over("amount_in"))?;
            given = given.checked_add(cost).ok_or_else(over("amount_in"))?;
            taken = taken.checked_add(m.amount_out).ok_or_else(over("amount_out"))?;
            fee = fee.checked_add(m.fee).ok_or_else(over("fee"))?;
            left = match left {
                Left::In(v) => Left::In(v.checked_sub(cost).ok_or_else(over("amount_in"))?),
                Left::Out(v) => Left::Out(v.checked_sub(m.amount_out).ok_or_else(over("amount_out"))?),
            };
            moved_within = m.price != at_pause && (moved_within || m.price != price);
            price = m.price;
            if price == at_pause {
                if let Some((net, _)) = known {
                    let change = if down { net.checked_neg() } else { Some(net) };
                    liquidity = change.and_then(|c| liquidity.checked_add_signed(c)).ok_or_else(over("liquidity"))?;
                    crossed += 1;
                    upto = if down { upto.saturating_sub(1) } else { upto + 1 };
                }
                tick = if down { pause - 1 } else { pause };
            }
        }
        let sqrt_price = price.wide();
        if moved_within {
            tick = tick_at_sqrt_ratio(sqrt_price)?;
        }
        Ok(Swap { amount_in: given, amount_out: taken, fee, crossed, sqrt_price, tick, liquidity })
    }

    /// Swaps; refused, as the chain refuses it, where the pool does not hold what it would have to pay.
    pub fn swap(&mut self, direction: Direction, exact: Exact, limit: Option<U256>) -> Result<Swap, PoolError> {
        let swap = self.quote(direction, exact, limit)?;
        self.apply(direction, &swap)?;
        Ok(swap)
    }

    /// Carries out a swap just quoted.
    pub(crate) fn apply(&mut self, direction: Direction, swap: &Swap) -> Result<(), PoolError> {
        let [zero, one] = self.balances;
        let (incoming, outgoing) = if direction == Direction::ZeroForOne { (zero, one) } else { (one, zero) };
        let left = outgoing.checked_sub(swap.amount_out).ok_or(PoolError::CannotPay { amount: swap.amount_out, balance: outgoing })?;
        let held = incoming.checked_add(swap.amount_in).ok_or(PoolError::Overflow { field: "balance" })?;
        self.balances = if direction == Direction::ZeroForOne { [held, left] } else { [left, held] };
        (self.sqrt_price, self.tick, self.liquidity) = (swap.sqrt_price, swap.tick, swap.liquidity);
        Ok(())
    }

    /// Adds (`change` above 0) or removes liquidity between two ticks; says how much of token0 and token1 goes in or out.
    pub fn provide(&mut self, lower: i32, upper: i32, change: i128) -> Result<[u128; 2], PoolError> {
        if lower >= upper || change == 0 {
            return Err(PoolError::value("tick_lower, liquidity", "a lower tick below the upper, a change", format!("{lower}, {change}")));
        }
        let over = || PoolError::Overflow { field: "liquidity" };
        let (add, size) = (change > 0, change.unsigned_abs());
        let (from, to) = (sqrt_ratio_at_tick(lower)?, sqrt_ratio_at_tick(upper)?);
        let root = |v: U256| Root::of(v).ok_or_else(over);
        let (from, edge, to) = (root(from)?, root(self.sqrt_price.clamp(from, to))?, root(to)?);
        let inside = lower <= self.tick && self.tick < upper;
        // Below the range only token0 is asked for, above it only token1: the clamp makes the other one 0.
        let zero = if self.tick < upper { amount0(edge, to, size, add) } else { Some(0) };
        let one = if self.tick >= lower { amount1(from, edge, size, add) } else { Some(0) };
        let amounts = [zero.ok_or_else(over)?, one.ok_or_else(over)?];
        let mut next = self.clone();
        for (index, signed) in [(lower, Some(change)), (upper, change.checked_neg())] {
            let old = next.ticks.get(index).unwrap_or(Tick { index, gross: 0, net: 0 });
            let gross = old.gross.checked_add_signed(change).ok_or_else(over)?;
            let net = signed.and_then(|s| old.net.checked_add(s)).ok_or_else(over)?;
            next.ticks.set(Tick { index, gross, net })?;
        }
        if inside {
            next.liquidity = next.liquidity.checked_add_signed(change).ok_or_else(over)?;
        }
        for (balance, amount) in next.balances.iter_mut().zip(amounts) {
            *balance = if add {
                balance.checked_add(amount).ok_or_else(over)?
            } else {
                balance.checked_sub(amount).ok_or(PoolError::CannotPay { amount, balance: *balance })?
            };
        }
        *self = next;
        Ok(amounts)
    }

    /// Somebody else trades the pool to a root price, for whatever that costs them.
    ///
    /// A pool without ticks (constant liquidity) is simply put there; any other one is really swapped there.
    pub fn move_to(&mut self, sqrt_price: U256) -> Result<(), PoolError> {
        if sqrt_price == self.sqrt_price {
            return Ok(());
        }
        if self.ticks.ticks().is_empty() {
            (self.tick, self.sqrt_price) = (tick_at_sqrt_ratio(sqrt_price)?, sqrt_price);
            return Ok(());
        }
        let direction = if sqrt_price < self.sqrt_price { Direction::ZeroForOne } else { Direction::OneForZero };
        let swap = self.swap(direction, Exact::In(u128::MAX), Some(sqrt_price))?;
        if swap.sqrt_price == sqrt_price {
            return Ok(());
        }
        Err(PoolError::value("sqrt_price", "a price that a swap can reach", sqrt_price))
    }

    /// The same, to the root price at a tick.
    pub fn move_to_tick(&mut self, tick: i32) -> Result<(), PoolError> {
        let sqrt_price = sqrt_ratio_at_tick(tick)?;
        if self.ticks.ticks().is_empty() && tick < MAX_TICK {
            (self.tick, self.sqrt_price) = (tick, sqrt_price);
            return Ok(());
        }
        self.move_to(sqrt_price)
    }
}
