//! The doorway between what the vault says and the engine's units: every integer is checked on its way in.

use crate::{ChainError, Move, Observed};
use probity_strategy::{Amount, DomainError, Fill, Observation, Order, Price, Side};

fn domain(field: &'static str, error: DomainError) -> ChainError {
    ChainError::value(field, error.expected, error.got)
}

impl Observed {
    /// The observation in the engine's units. The vault caps amounts at 2^96 − 1 and clamps prices, so an error means
    /// that it is not the vault.
    pub fn observation(&self) -> Result<Observation, ChainError> {
        let amount = |field, raw| Amount::new(raw).map_err(|e| domain(field, e));
        let fill = self.fill.map(|out| Ok::<_, ChainError>(Fill { amount_out: amount("observation.fillOut", out)? })).transpose()?;
        Ok(Observation {
            step: self.step,
            time_s: self.time_s,
            block_number: self.block_number,
            block_hash: self.block_hash,
            mean_tick: self.mean_tick,
            price_x64: Price::new(self.price_x64).map_err(|e| domain("observation.priceX64", e))?,
            quote: amount("observation.quote", self.quote)?,
            base: amount("observation.base", self.base)?,
            shares: amount("observation.shares", self.shares)?,
            fill,
        })
    }

    /// An observation in the vault's words: what a restarted agent sends again.
    #[must_use]
    pub fn of_observation(o: &Observation) -> Self {
        Self {
            step: o.step,
            time_s: o.time_s,
            block_number: o.block_number,
            block_hash: o.block_hash,
            mean_tick: o.mean_tick,
            price_x64: o.price_x64.x64(),
            quote: o.quote.raw(),
            base: o.base.raw(),
            shares: o.shares.raw(),
            fill: o.fill.map(|f| f.amount_out.raw()),
        }
    }
}

impl Move {
    /// What an order and the two heads around it say to the vault.
    #[must_use]
    pub fn of_order(order: Option<Order>, head_before: [u8; 32], head_after: [u8; 32]) -> Self {
        Self { order: order.map(|o| (o.side == Side::Buy, o.amount_in.raw(), o.min_out)), head_before, head_after }
    }
}
