//! The pure core of probity: domain types and [`Engine::step`], the one function that decides.
//!
//! Integers only; no I/O, no clock, no floats, no hash maps. The same function runs live, in the backtest, in the
//! replay of the audit and, as its twin, in the step circuit. The exact semantics stand in `docs/design/step.md`,
//! whose section numbers (S0…S9) the modules carry.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_arithmetic, clippy::as_conversions))]

mod engine;
mod error;
mod features;
mod mandate;
mod memory;
mod model;
mod network;
mod observation;
mod order;
mod policy;
mod portfolio;
mod record;
mod risk;
mod state;
mod tick;
mod units;

pub use engine::{Engine, Inputs, Signal, Step};
pub use error::DomainError;
pub use features::{EMA_SHIFTS, FEATURE_SHIFT, FEATURES, Features, RETURN_CLIP, VOL_SHIFTS};
pub use mandate::{Limits, Mandate, ModelShape, ProofEngine};
pub use memory::{GATE_OPEN, MEMORY_MAX, Recurrent, remember};
pub use model::{Model, PolicyParams};
pub use network::{ACTIVATION_MAX, BIAS_LIMIT, forward};
pub use observation::{Fill, Observation};
pub use order::{Order, Side};
pub use policy::propose;
pub use portfolio::{Portfolio, Valuation};
pub use record::{Decision, Record};
pub use risk::Approved;
pub use state::{HighWater, State};
pub use tick::{MAX_X, MIN_X, oriented, price_x64, sqrt_ratio_x96, tick_at_price};
pub use units::{Amount, BPS, Bps, Price};
