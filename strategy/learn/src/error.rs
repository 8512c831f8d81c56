//! What can go wrong while learning or running a model. No message shows a weight.

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Error)]
pub enum LearnError {
    /// A file cannot be read or written.
    #[error("{path}: expected a file that can be read, or a new one that can be made")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A value that does not fit.
    #[error("{field}: expected {expected}, got {got}")]
    Value {
        /// Which one, with its line where it has one.
        field: String,
        /// What would have been accepted.
        expected: String,
        /// What was found.
        got: String,
    },
    /// The model does not fit its shape.
    #[error(transparent)]
    Domain(#[from] probity_strategy::DomainError),
    /// candle failed.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
    /// candle and the integer network disagree: nothing may be decided on this.
    #[error("signal: expected candle and the integer network to agree, got a different output {output} of 3")]
    Differs {
        /// Index of the first output that differs, from 1.
        output: usize,
    },
    /// They remember something else.
    #[error("signal: expected candle and the integer network to leave the same memory, got another")]
    Remembers,
}

impl LearnError {
    pub(crate) fn value(field: impl ToString, expected: impl ToString, got: impl ToString) -> Self {
        Self::Value { field: field.to_string(), expected: expected.to_string(), got: got.to_string() }
    }

    pub(crate) fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }
}
