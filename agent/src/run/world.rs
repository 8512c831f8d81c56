//! What makes time pass: a development chain moved along a market, or a real chain that is waited for.

use crate::market::MarketPath;
use crate::run::stop::Stop;
use anyhow::{Context, Result};
use probity_chain::{DevChain, PoolInfo, VaultView};
use std::time::Duration;

/// Where decisions get their time from.
pub(crate) enum World {
    /// A fork that this program moves along a market.
    Development {
        /// The chains.
        chain: Box<DevChain>,
        /// The pool whose price is moved.
        pool: PoolInfo,
        /// The market.
        market: MarketPath,
    },
    /// A chain that others move.
    Real {
        /// Reads the clock.
        view: VaultView,
        /// Time between two looks.
        poll: Duration,
        /// Blocks on top of one that is looked at.
        confirmations: u64,
    },
}

/// What a look at the time brought.
pub(crate) enum Turn {
    /// The end of an interval that was not looked at.
    At(u64),
    /// Nothing new yet: whoever waits looks at everything else before the next look.
    Waiting,
    /// The market is over.
    Over,
}

impl World {
    /// The end of the next interval after `last_s`. A real chain is looked at once, so that one that stands still is noticed.
    pub(crate) async fn next(&self, last_s: u64, genesis_s: u64, interval_s: u32, stop: &Stop) -> Result<Turn> {
        match self {
            Self::Development { chain, pool, market } => {
                let interval = u64::from(market.interval_s);
                for bar in &market.bars {
                    let close_s = bar.open_s + interval;
                    if close_s <= last_s {
                        continue;
                    }
                    let now = chain.time_s().await?;
                    if now >= close_s + interval {
                        tracing::warn!(close_s, now, "the chain's clock is past this interval: no decision is made in it");
                        continue;
                    }
                    if now < bar.open_s {
                        chain.advance_to(bar.open_s).await?;
                    }
                    if now < close_s {
                        let moved = chain.move_price(pool, bar.price.x64()).await.context("moving the pool along the market")?;
                        tracing::debug!(tick = moved.tick, "market moved");
                    }
                    if chain.time_s().await? < close_s {
                        chain.advance_to(close_s).await?;
                    }
                    return Ok(Turn::At(close_s));
                }
                Ok(Turn::Over)
            }
            Self::Real { view, poll, confirmations } => {
                let now = view.time_under_s(*confirmations).await?;
                let interval = u64::from(interval_s);
                let newest = genesis_s + now.saturating_sub(genesis_s) / interval * interval;
                if newest > last_s {
                    return Ok(Turn::At(newest));
                }
                tokio::select! {
                    () = tokio::time::sleep(*poll) => {}
                    () = stop.wait() => {}
                }
                Ok(Turn::Waiting)
            }
        }
    }
}
