//! The initialised ticks of a pool, and the next place a swap has to pause at.

use super::{MAX_TICK, MIN_TICK, PoolError};

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
}

impl TickTable {
    /// An empty table.
    pub fn new(spacing: i32) -> Result<Self, PoolError> {
        if !(1..=16_384).contains(&spacing) {
            return Err(PoolError::value("tick_spacing", "1 … 16384", spacing));
        }
        Ok(Self { spacing, ticks: Vec::new() })
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
            }
            (Ok(at), _) => {
                if let Some(t) = self.ticks.get_mut(at) {
                    *t = tick;
                }
            }
            (Err(_), 0) => {}
            (Err(at), _) => self.ticks.insert(at, tick),
        }
        Ok(())
    }

    /// The tick, if it is initialised.
    #[must_use]
    pub fn get(&self, index: i32) -> Option<Tick> {
        let at = self.ticks.binary_search_by_key(&index, |t| t.index).ok()?;
        self.ticks.get(at).copied()
    }

    /// The next initialised tick within the word of 256 usable ticks, or the word's end: at or below `from` (`down`), or
    /// above it. Second: the liquidity to add on the way up, where it is initialised.
    pub(crate) fn next(&self, from: i32, down: bool) -> (i32, Option<i128>) {
        let slot = from.div_euclid(self.spacing);
        if down {
            let end = (slot >> 8 << 8) * self.spacing;
            let upto = self.ticks.partition_point(|t| t.index <= from);
            let found = upto.checked_sub(1).and_then(|i| self.ticks.get(i)).filter(|t| t.index >= end);
            found.map_or((end, None), |t| (t.index, Some(t.net)))
        } else {
            let end = ((((slot + 1) >> 8) << 8) + 255) * self.spacing;
            let at = self.ticks.partition_point(|t| t.index <= from);
            let found = self.ticks.get(at).filter(|t| t.index <= end);
            found.map_or((end, None), |t| (t.index, Some(t.net)))
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
        assert_eq!(table.next(49, false), (50, Some(5)));
        assert_eq!(table.next(50, false), (2_550, Some(5)));
        assert_eq!(table.next(2_550, false), (2_560, Some(5)));
        assert_eq!(table.next(2_560, false), (5_110, None));
        assert_eq!(table.next(50, true), (50, Some(5)));
        assert_eq!(table.next(49, true), (0, Some(5)));
        assert_eq!(table.next(-1, true), (-30, Some(5)));
        assert_eq!(table.next(-31, true), (-2_560, Some(5)));
        assert_eq!(table.next(-2_561, true), (-5_120, None));
        assert_eq!(table.next(-31, false), (-30, Some(5)));
        assert_eq!(table.next(-2_600, false), (-2_570, None));
        table.set(Tick { index: 50, gross: 0, net: 0 }).unwrap();
        assert_eq!(table.next(49, true), (0, Some(5)));
        assert_eq!(table.get(50), None);
        assert!(table.set(Tick { index: 55, gross: 1, net: 1 }).is_err());
        assert!(table.set(Tick { index: 60, gross: 1, net: -2 }).is_err());
    }
}
