//! What spans crates, and helpers to drive the binaries the way a user does.

use std::path::{Path, PathBuf};

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The real data beside the checkout, or `None` (the caller says so loudly).
#[must_use]
pub fn data() -> Option<PathBuf> {
    root().parent().map(|up| up.join("shared/data")).filter(|dir| dir.is_dir())
}

/// A built binary of this workspace, from the folder the tests run in.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let found = exe.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| anyhow::anyhow!("{name} is not built beside {}: run `make build` first", exe.display()))
}
