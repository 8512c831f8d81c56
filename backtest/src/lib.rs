//! The same engine over recorded history: dataset, feed, venue, frictions, run and metrics.
//!
//! The backtest calls [`probity_strategy::Engine::step`], the very function that runs live, is replayed by the audit
//! and is proved by the circuit. Only the venue is a model, and it says what it assumes.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "tests may panic"))]

mod dataset;
mod error;
mod feed;
mod lookahead;
mod metrics;
mod run;
pub mod v3;
mod venue;
mod warmup;

pub use dataset::{Bar, Dataset, Gaps, Scale, price_from_decimal};
pub use error::BacktestError;
pub use feed::{Feed, Quoted};
pub use lookahead::{Future, Leak, Lookahead, LookaheadPlan, lookahead};
pub use metrics::{Baseline, Metrics, Sharpe, buy_and_hold, cash};
pub use run::{Backtest, EquityPoint, Trade, inputs, run};
pub use venue::{Frictions, Market, Outcome, Terms, Venue};
pub use warmup::{Start, Warmup, warmup};
