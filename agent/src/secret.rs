//! Salts and files that only their owner may read.

use anyhow::{Context, Result};
use probity_verifier::{Reveal, Salt};
use rand_core::{OsRng, RngCore};
use std::io::Write;
use std::path::Path;

/// 256 fresh random bits.
pub(crate) fn salt() -> Salt {
    let mut bytes = [0u8; 32];
    OsRng.fill_bytes(&mut bytes);
    Salt::new(bytes)
}

/// Writes an opening (model and salt), readable by its owner only. An existing file is never overwritten.
pub(crate) fn write_opening(path: &Path, opening: &Reveal) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file =
        options.open(path).with_context(|| format!("opening {}: expected a new file in a folder that exists", path.display()))?;
    file.write_all(&serde_json::to_vec(opening)?)?;
    file.sync_all()?;
    Ok(())
}
