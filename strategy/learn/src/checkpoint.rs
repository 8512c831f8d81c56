//! A training that was interrupted: everything that the next step depends on, in one safetensors file.
//!
//! Private like the model: it contains the weights. It is bound to data, shape, seed and every number of the training except
//! the most steps: a file of another training is refused.

use crate::{LearnError, Series, TrainConfig, adamw::AdamW, surrogate::Surrogate};
use candle_core::{Device, Tensor};
use probity_strategy::ModelShape;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

const KEY: &str = "probity";

/// Where a training stands. Floats are kept by their bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) version: u16,
    /// Digest of what the training was told.
    pub(crate) training: String,
    pub(crate) steps: usize,
    pub(crate) optimiser_steps: i32,
    pub(crate) best_step: usize,
    pub(crate) stale: usize,
    pub(crate) before_bits: u64,
    pub(crate) best_bits: u64,
    pub(crate) sharpe_bits: u64,
    /// Position of the random numbers, as text: it has 68 bits.
    pub(crate) random_at: String,
}

/// Digest of what decides the outcome, the most steps apart.
pub(crate) fn training(shape: &ModelShape, series: &Series, config: &TrainConfig) -> Result<String, LearnError> {
    let told = TrainConfig { max_steps: 0, progress: false, ..config.clone() };
    let mut ticks = Sha256::new();
    for (time, tick) in series.times.iter().zip(&series.ticks) {
        ticks.update(time.to_le_bytes());
        ticks.update(tick.to_le_bytes());
    }
    let all = serde_json::to_vec(&(shape, &told, hex::encode(ticks.finalize())));
    let all = all.map_err(|e| LearnError::value("training", "numbers that can be written down", e))?;
    Ok(hex::encode(Sha256::digest(all)))
}

/// Writes the file beside the old one and puts it in its place.
pub(crate) fn save(path: &Path, progress: &Progress, net: &Surrogate, optimiser: &AdamW, kept: &[Tensor]) -> Result<(), LearnError> {
    let mut tensors: Vec<(String, Tensor)> = Vec::new();
    let mut put = |name: &str, values: &[Tensor]| {
        for (i, t) in values.iter().enumerate() {
            tensors.push((format!("{name}.{i}"), t.clone()));
        }
    };
    put("value", &net.snapshot()?);
    put("first", &optimiser.first);
    put("second", &optimiser.second);
    put("kept", kept);
    let state = serde_json::to_string(progress).map_err(|e| LearnError::value("checkpoint", "a state that can be written", e))?;
    let bytes = safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), state)])));
    let bytes = bytes.map_err(|e| LearnError::value("checkpoint", "tensors that can be written", e))?;
    let beside = path.with_extension("partial");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).map_err(|e| LearnError::file(&beside, e))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| LearnError::file(&beside, e))?;
    std::fs::rename(&beside, path).map_err(|e| LearnError::file(path, e))
}

/// Reads the file of a training if it is there: puts network and optimiser back and gives progress and kept values.
pub(crate) fn load(
    path: &Path,
    training: &str,
    net: &Surrogate,
    optimiser: &mut AdamW,
) -> Result<Option<(Progress, Vec<Tensor>)>, LearnError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|e| LearnError::file(path, e))?;
    let bad = |field: &str, got: String| LearnError::value(format!("{}: {field}", path.display()), "a checkpoint of this program", got);
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad("file", e.to_string()))?;
    let state = header.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| bad("metadata", "none".into()))?;
    let progress: Progress = serde_json::from_str(state).map_err(|e| bad("metadata", e.to_string()))?;
    if progress.version != 1 || progress.training != training {
        let what = "a checkpoint of this very training (data, shape, seed, numbers); name another file to begin anew";
        return Err(LearnError::value(path.display(), what, "that of another one"));
    }
    let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
    let shapes: Vec<_> = net.vars().iter().map(|v| v.as_tensor().shape().clone()).collect();
    let mut take = |name: &str| -> Result<Vec<Tensor>, LearnError> {
        let one = |(i, shape): (usize, &candle_core::Shape)| {
            let key = format!("{name}.{i}");
            tensors.remove(&key).filter(|t| t.shape() == shape).ok_or_else(|| bad(&key, "none, or of another shape".into()))
        };
        shapes.iter().enumerate().map(one).collect()
    };
    net.restore(&take("value")?)?;
    (optimiser.first, optimiser.second, optimiser.steps) = (take("first")?, take("second")?, progress.optimiser_steps);
    let kept = take("kept")?;
    Ok(Some((progress, kept)))
}
