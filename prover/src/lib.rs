//! Makes proofs: parameters, the folding session, checkpoints and the compressed proof that is published.
//!
//! A running session holds the witness, thus the private weights. Only [`Session::compress`] makes something to publish.

mod cache;
mod chain;
mod checkpoint;
mod error;
mod layout;
mod params;
mod plain;
mod session;
mod settlement;
mod twin;

pub use error::ProverError;
pub use layout::{Law, Layout, Unit, cheapest, plan};
pub use params::Params;
pub use session::Session;
pub use settlement::{Position, Settlement, Settler};
pub use twin::twin_heads;
