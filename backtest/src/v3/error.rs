//! Why a pool refuses.

use thiserror::Error;

/// An error of the pool. Nothing has changed where one is returned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PoolError {
    /// A value that does not fit.
    #[error("{field}: expected {expected}, got {got}")]
    Value {
        /// Which one.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was found.
        got: String,
    },
    /// An amount leaves the width the pool works in: the chain reverts too.
    #[error("{field}: expected a result within 128 bits (liquidity, amounts) or 160 bits (root price), got a larger one")]
    Overflow {
        /// Which one.
        field: &'static str,
    },
    /// The pool's balance is smaller than what it owes: the transfer reverts.
    #[error("amount_out: expected at most the pool's balance of {balance}, got {amount}")]
    CannotPay {
        /// What the swap or withdrawal would pay.
        amount: u128,
        /// What the pool holds.
        balance: u128,
    },
}

impl PoolError {
    pub(crate) fn value(field: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Value { field, expected: expected.to_string(), got: got.to_string() }
    }
}
