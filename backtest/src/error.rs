//! What can be wrong with a recorded series or a run over it.

use thiserror::Error;

/// An error of the backtest.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// The file cannot be read.
    #[error("{path}: expected a file that can be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the file is not what it should be.
    #[error("line {line}, {field}: expected {expected}, got {got}")]
    Line {
        /// Line number, from 1, header included.
        line: u64,
        /// Column.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was found.
        got: String,
    },
    /// The series as a whole cannot be used.
    #[error("{field}: expected {expected}, got {got}")]
    Series {
        /// What about it.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was found.
        got: String,
    },
    /// The pool of the venue refuses.
    #[error("pool: {0}")]
    Pool(#[from] crate::v3::PoolError),
    /// The engine refuses the mandate or the model.
    #[error(transparent)]
    Domain(#[from] probity_strategy::DomainError),
}
