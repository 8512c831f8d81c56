//! Settings of a run on paper (`probity run --paper`).

use serde::{Deserialize, Serialize};

/// Trading on paper.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaperSettings {
    /// Blocks from the newest one when a decision was journaled to the one that its order is in, at least 1.
    pub(crate) latency_blocks: u16,
}
