//! Everything Ethereum: the only crate that names ethers. Plain integers and bytes at its edge; the agent converts.

mod error;

pub use error::ChainError;
