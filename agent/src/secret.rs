//! Salts and files that only their owner may read.

use anyhow::{Context, Result};
use probity_verifier::{Reveal, Salt};
use rand_core::{OsRng, RngCore};
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// 256 fresh random bits.
pub(crate) fn salt() -> Salt {
    let mut bytes = [0u8; 32];
    OsRng.fill_bytes(&mut bytes);
    Salt::new(bytes)
}

/// Environment variable of the operator's private key, 32 bytes hex.
pub(crate) const KEY: &str = "PROBITY_OPERATOR_KEY";

/// Whether the environment holds an operator's key.
pub(crate) fn has_operator_key() -> bool {
    std::env::var_os(KEY).is_some()
}

/// The operator's key on a real chain, from the environment.
pub(crate) fn operator_key() -> Result<Zeroizing<String>> {
    let key =
        std::env::var(KEY).map_err(|_| anyhow::anyhow!("{KEY}: expected the operator's private key (32 bytes hex) in the environment"));
    key.map(Zeroizing::new)
}

/// The operator's key on a development chain: made for the run, kept beside it.
pub(crate) fn development_key(path: &Path) -> Result<String> {
    if path.exists() {
        return std::fs::read_to_string(path).with_context(|| format!("operator key {}", path.display()));
    }
    let key: String = salt().expose().iter().map(|b| format!("{b:02x}")).collect();
    write_secret(path, key.as_bytes())?;
    Ok(key)
}

/// Reads an opening. serde's own message could quote a weight: only the place is told.
pub(crate) fn read_opening(path: &Path) -> Result<Reveal> {
    let text = std::fs::read(path).with_context(|| format!("opening {}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| {
        anyhow::anyhow!("opening {}: expected model and salt, stopped at line {}, column {}", path.display(), e.line(), e.column())
    })
}

/// Writes an opening (model and salt), readable by its owner only. An existing file is never overwritten.
pub(crate) fn write_opening(path: &Path, opening: &Reveal) -> Result<()> {
    write_secret(path, &serde_json::to_vec(opening)?)
}

/// Writes a new file that only its owner may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("{}: expected a new file in a folder that exists", path.display()))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}
