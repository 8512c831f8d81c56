//! Files that are there whole or not at all, whatever ends the process or the machine.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Puts bytes in the place of a file's: written beside it, on disk, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.with_context(|| format!("{}: expected a folder that can be written", temporary.display()))?;
    std::fs::rename(&temporary, path).with_context(|| format!("{}", path.display()))
}
