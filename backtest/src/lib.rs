//! The same engine over recorded history: dataset, feed, venue, frictions, run and metrics.
//!
//! The backtest calls [`probity_strategy::Engine::step`], the very function that runs live, is replayed by the audit
//! and is proved by the circuit. Only the venue is a model, and it says what it assumes.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "tests may panic"))]

mod calendar;
mod critic;
mod dataset;
mod error;
mod evidence;
mod examine;
mod execution;
mod feed;
mod lookahead;
mod metrics;
mod overfit;
mod paper;
mod parquet_file;
mod pool_logs;
mod rules;
mod run;
mod sheet;
mod sweep;
pub mod v3;
mod vault;
mod venue;
mod warmup;

pub use calendar::utc;
pub use critic::{AtCost, AtSize, Crisis, Critic, Fills, critic};
pub use dataset::{Bar, Dataset, Gaps, Scale, price_from_decimal};
pub use error::BacktestError;
pub use evidence::{Evidence, Interval, Trials, evidence};
pub use examine::{Examination, Found, examine};
pub use execution::{Execution, Gas, GasPrices};
pub use feed::{Feed, Quoted};
pub use lookahead::{Future, Leak, Lookahead, LookaheadPlan, lookahead, lookahead_from};
pub use metrics::{Baseline, Metrics, Sharpe, buy_and_hold, cash};
pub use overfit::{Blocks, Overfitting, overfitting};
pub use paper::{Accounts, Depth, LOCKED_SHARES, PaperVault};
pub use pool_logs::{PoolBars, bars_of_logs};
pub use rules::{Ruled, moving_average, moving_average_of, shifted};
pub use run::{Backtest, EquityPoint, Timing, Trade, inputs, run, run_in, run_turning};
pub use sheet::{Proof, Sheet};
pub use sweep::{Grid, Job, Line, chosen, sweep};
pub use venue::{Frictions, Market, Outcome, Terms, Venue};
pub use warmup::{Start, Warmup, warmup};
