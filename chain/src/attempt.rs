//! One signed transaction, whoever is told of its stages, and what it may cost.

use crate::ChainError;
use std::time::Duration;

/// A signed transaction: its hash is known before it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Hash.
    pub tx_hash: [u8; 32],
    /// Nonce of the account.
    pub nonce: u64,
    /// Gas limit.
    pub gas: u64,
    /// Most it pays, wei a gas.
    pub max_fee_wei: u128,
    /// Tip for the block's builder, wei a gas.
    pub tip_wei: u128,
}

/// Told of every stage of a transaction before the next one begins; an error stops it there.
pub trait Notes {
    /// It is signed and has not left.
    fn signed(&mut self, attempt: &Attempt) -> Result<(), ChainError>;
    /// It was handed to a node, or may have been.
    fn sent(&mut self) -> Result<(), ChainError>;
    /// It has a receipt.
    fn mined(&mut self) -> Result<(), ChainError>;
}

impl Notes for () {
    fn signed(&mut self, _: &Attempt) -> Result<(), ChainError> {
        Ok(())
    }

    fn sent(&mut self) -> Result<(), ChainError> {
        Ok(())
    }

    fn mined(&mut self) -> Result<(), ChainError> {
        Ok(())
    }
}

/// What a transaction may cost and when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// Most that is ever offered, wei a gas; none: no bound.
    pub cap_wei: Option<u128>,
    /// Tip for the block's builder, wei a gas; none: one gwei.
    pub tip_wei: Option<u128>,
    /// Time without a receipt after which the same transaction is sent again with a higher fee; none: never.
    pub replace_after: Option<Duration>,
}
