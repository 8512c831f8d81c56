//! Everything Ethereum: the only crate that names ethers. Plain integers and bytes at its edge; the agent converts.

mod contracts;
mod convert;
mod error;
mod revert;
mod send;
mod vault;

pub use error::ChainError;
pub use ethers::types::Address;
pub use send::{Rpc, Sender, connect, host_of};
pub use vault::{Decided, Move, Observed, Outcome, Posted, Promise, Vault, VaultView};
