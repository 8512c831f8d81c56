//! The file of a model: JSON of `version`, `shape` and `model`. Private: whoever has it can copy the agent.

use crate::LearnError;
use probity_strategy::{Model, ModelShape};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// The version this crate writes and reads.
pub const MODEL_FILE_VERSION: u16 = 1;

/// A model and its shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Format version.
    pub version: u16,
    /// Public shape.
    pub shape: ModelShape,
    /// Private model.
    pub model: Model,
}

impl ModelFile {
    /// A file for a model that fits its shape.
    pub fn new(shape: ModelShape, model: Model) -> Result<Self, LearnError> {
        shape.validate()?;
        model.validate(&shape)?;
        Ok(Self { version: MODEL_FILE_VERSION, shape, model })
    }

    /// Reads and checks a model file.
    pub fn load(path: &Path) -> Result<Self, LearnError> {
        let text = std::fs::read_to_string(path).map_err(|e| LearnError::file(path, e))?;
        // serde's own message can quote the value it stumbled over, and that may be a weight: give the place only.
        let file: Self = serde_json::from_str(&text).map_err(|e| {
            let place = format!("a {:?} error at line {}, column {}", e.classify(), e.line(), e.column());
            LearnError::value(path.display(), "a model file of version 1 (version, shape, model)", place)
        })?;
        if file.version != MODEL_FILE_VERSION {
            return Err(LearnError::value("version", MODEL_FILE_VERSION, file.version));
        }
        file.shape.validate()?;
        file.model.validate(&file.shape)?;
        Ok(file)
    }

    /// Writes a new file that only its owner may read. An existing file is never overwritten.
    pub fn save(&self, path: &Path) -> Result<(), LearnError> {
        let text = serde_json::to_string(self).map_err(|e| LearnError::value(path.display(), "a serialisable model", e))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|e| LearnError::file(path, e))?;
        file.write_all((text + "\n").as_bytes()).and_then(|()| file.sync_all()).map_err(|e| LearnError::file(path, e))
    }
}
