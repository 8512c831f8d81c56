//! What can be wrong with a value on its way into the core.

use thiserror::Error;

/// A value from outside that does not fit its domain type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct DomainError {
    /// The field, in the words of its file format.
    pub field: &'static str,
    /// What would have been accepted.
    pub expected: String,
    /// What was found.
    pub got: String,
}

impl DomainError {
    /// Builds the error.
    pub fn new(field: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self { field, expected: expected.to_string(), got: got.to_string() }
    }
}
