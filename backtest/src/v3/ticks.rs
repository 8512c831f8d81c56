//! The initialised ticks of a pool, and the next place a swap has to pause at.

use super::{MAX_TICK, MIN_TICK, PoolError, Root, sqrt_ratio_at_tick};

/// One initialised tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The tick, a multiple of the spacing.
    pub index: i32,
    /// Liquidity that names it as an end; above 0.
    pub gross: u128,
    /// Liquidity added when the price rises through it.
    pub net: i128,
}

/// The table, in the order of the ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickTable {
    spacing: i32,
    ticks: Vec<Tick>,
    /// Root price at each of them.
    roots: Vec<Root>,
}

/// Where a swap pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// The tick.
    pub(crate) tick: i32,
    /// Liquidity to add on the way up and the root price there, where it is initialised.
    pub(crate) known: Option<(i128, Root)>,
}

impl TickTable {
    /// An empty table.
    pub fn new(spacing: i32) -> Result<Self, PoolError> {
        if !(1..=16_384).contains(&spacing) {
            return Err(PoolError::value("tick_spacing", "1 … 16384", spacing));
        }
        Ok(Self { spacing, ticks: Vec::new(), roots: Vec::new() })
    }

    /// The ticks in order.
    #[must_use]
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// Ticks between two usable ones.
    #[must_use]
    pub const fn spacing(&self) -> i32 {
        self.spacing
    }

    /// Puts a tick in, or takes it out where nothing names it any more.
    pub(crate) fn set(&mut self, tick: Tick) -> Result<(), PoolError> {
        if !(MIN_TICK..=MAX_TICK).contains(&tick.index) || tick.index % self.spacing != 0 {
            let expected = format!("a multiple of {} within {MIN_TICK} … {MAX_TICK}", self.spacing);
            return Err(PoolError::value("tick", expected, tick.index));
        }
        if tick.net.unsigned_abs() > tick.gross {
            return Err(PoolError::value("liquidityNet", format!("at most its liquidityGross of {}", tick.gross), tick.net));
        }
        match (self.ticks.binary_search_by_key(&tick.index, |t| t.index), tick.gross) {
            (Ok(at), 0) => {
                self.ticks.remove(at);
                self.roots.remove(at);
            }
            (Ok(at), _) => {
                if let Some(t) = self.ticks.get_mut(at) {
                    *t = tick;
                }
            }
            (Err(_), 0) => {}
            (Err(at), _) => {
                let root = Root::of(sqrt_ratio_at_tick(tick.index)?).ok_or(PoolError::Overflow { field: "sqrt_price" })?;
                self.ticks.insert(at, tick);
                self.roots.insert(at, root);
            }
        }
        Ok(())
    }

    /// The tick, if it is initialised.
    #[must_use]
    pub fn get(&self, index: i32) -> Option<Tick> {
        let at = self.ticks.binary_search_by_key(&index, |t| t.index).ok()?;
        self.ticks.get(at).copied()
    }

    /// How many initialised ticks lie at or below a tick.
    pub(crate) fn upto(&self, tick: i32) -> usize {
        self.ticks.partition_point(|t| t.index <= tick)
    }

    /// The next initialised tick within the word of 256 usable ticks, or the word's end: at or below `from` (`down`), or
    /// above it. `upto` is that of `from`.
    pub(crate) fn next(&self, from: i32, upto: usize, down: bool) -> Pause {
        let slot = from.div_euclid(self.spacing);
        let (end, at) = if down {
            ((slot >> 8 << 8) * self.spacing, upto.checked_sub(1))
        } else {
            (((((slot + 1) >> 8) << 8) + 255) * self.spacing, Some(upto))
        };
        let found = at.and_then(|i| Some((self.ticks.get(i)?, self.roots.get(i)?)));
        match found.filter(|(t, _)| if down { t.index >= end } else { t.index <= end }) {
            Some((t, root)) => Pause { tick: t.index, known: Some((t.net, *root)) },
            None => Pause { tick: end, known: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_at_ticks_and_ends_of_words() {
        let mut table = TickTable::new(10).unwrap();
        for index in [-2_560, -30, 0, 50, 2_550, 2_560] {
            table.set(Tick { index, gross: 5, net: 5 }).unwrap();
        }
        let next = |table: &TickTable, from, down| {
            let p = table.next(from, table.upto(from), down);
            assert!(p.known.is_none_or(|(_, root)| root.wide() == sqrt_ratio_at_tick(p.tick).unwrap()));
            (p.tick, p.known.map(|(net, _)| net))
        };
        assert_eq!(next(&table, 49, false), (50, Some(5)));
        assert_eq!(next(&table, 50, false), (2_550, Some(5)));
        assert_eq!(next(&table, 2_550, false), (2_560, Some(5)));
        assert_eq!(next(&table, 2_560, false), (5_110, None));
        assert_eq!(next(&table, 50, true), (50, Some(5)));
        assert_eq!(next(&table, 49, true), (0, Some(5)));
        assert_eq!(next(&table, -1, true), (-30, Some(5)));
        assert_eq!(next(&table, -31, true), (-2_560, Some(5)));
        assert_eq!(next(&table, -2_561, true), (-5_120, None));
        assert_eq!(next(&table, -31, false), (-30, Some(5)));
        assert_eq!(next(&table, -2_600, false), (-2_570, None));
        table.set(Tick { index: 50, gross: 0, net: 0 }).unwrap();
        assert_eq!(next(&table, 49, true), (0, Some(5)));
        assert_eq!(table.get(50), None);
        assert!(table.set(Tick { index: 55, gross: 1, net: 1 }).is_err());
        assert!(table.set(Tick { index: 60, gross: 1, net: -2 }).is_err());
    }
}
