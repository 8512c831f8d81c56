//! Files that are there whole or not at all, whatever ends the process or the machine.

use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Puts bytes in the place of a file's: written beside it, on disk, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, 0o666)
}

/// The same for a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, 0o600)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    // One that was cut off before may have another mode.
    if temporary.exists() {
        std::fs::remove_file(&temporary).with_context(|| temporary.display().to_string())?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.with_context(|| format!("{}: expected a folder that can be written", temporary.display()))?;
    std::fs::rename(&temporary, path).with_context(|| format!("{}", path.display()))?;
    sync_folder_of(path)
}

/// What was renamed, made or removed in a file's folder stays so.
pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| folder.display().to_string())
}
