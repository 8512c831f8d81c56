//! Programs and published contracts that come from npm: `make tools` installs them, this finds them.
//!
//! Nothing is downloaded here.

use crate::ChainError;
use ethers::types::Bytes;
use std::path::{Path, PathBuf};

/// Variable that names the folder with `node_modules`.
const VARIABLE: &str = "PROBITY_TOOLS";
/// Where the packages lie below the project's root.
const FOLDER: &str = "chain/contracts";

/// Where anvil and the published contracts are.
#[derive(Debug, Clone)]
pub struct Tools {
    packages: Option<PathBuf>,
    looked: String,
}

impl Tools {
    /// Looks for the folder whose `node_modules` holds the packages: the one named, else the one in `PROBITY_TOOLS`, else
    /// `chain/contracts` below the current folder, above the program, or beside this crate's sources. With none of them an
    /// anvil on the PATH is enough to fork with.
    pub fn find(explicit: Option<&Path>) -> Result<Self, ChainError> {
        let named = explicit.map(Path::to_path_buf).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let candidates: Vec<PathBuf> = match &named {
            Some(dir) => vec![dir.clone(), dir.join(FOLDER)],
            None => {
                let current = std::env::current_dir().ok().into_iter().map(|dir| dir.join(FOLDER));
                let program = std::env::current_exe().ok();
                let above: Vec<PathBuf> = program.iter().flat_map(|exe| exe.ancestors()).map(|dir| dir.join(FOLDER)).collect();
                current.chain(above).chain([Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts")]).collect()
            }
        };
        let packages = candidates.iter().find(|dir| dir.join("node_modules").is_dir()).cloned();
        let looked = match &named {
            Some(dir) => dir.join("node_modules").display().to_string(),
            None => format!("{FOLDER}/node_modules in this folder, above the program and beside the sources; name one in {VARIABLE}"),
        };
        if packages.is_none() && (named.is_some() || on_path("anvil").is_none()) {
            return Err(ChainError::Tool { what: "the packages of the development chain", looked });
        }
        Ok(Self { packages, looked })
    }

    /// The anvil on the PATH, else the one from npm.
    pub fn anvil(&self) -> Result<PathBuf, ChainError> {
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let package = format!("node_modules/@foundry-rs/anvil-{system}-{machine}/bin/anvil");
        let from_npm = || self.packages.as_ref().map(|dir| dir.join(&package)).filter(|path| path.is_file());
        on_path("anvil")
            .or_else(from_npm)
            .ok_or_else(|| ChainError::Tool { what: "anvil", looked: format!("the PATH, then {package} in {}", self.folder()) })
    }

    /// The creation code in a package's artifact.
    pub(crate) fn creation_code(&self, artifact: &str) -> Result<Bytes, ChainError> {
        let missing = |looked: String| ChainError::Tool { what: "a published contract", looked };
        let dir = self.packages.as_ref().ok_or_else(|| missing(self.looked.clone()))?;
        let path = dir.join("node_modules").join(artifact);
        let text = std::fs::read_to_string(&path).map_err(|e| missing(format!("{}: {e}", path.display())))?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| missing(format!("{}: {e}", path.display())))?;
        let code = json.get("bytecode").and_then(serde_json::Value::as_str).unwrap_or_default();
        let code = hex::decode(code.trim_start_matches("0x")).map_err(|e| missing(format!("{}: bytecode: {e}", path.display())))?;
        if code.is_empty() {
            return Err(missing(format!("{}: it has no bytecode", path.display())));
        }
        Ok(code.into())
    }

    fn folder(&self) -> String {
        self.packages.as_ref().map_or_else(|| self.looked.clone(), |dir| dir.display().to_string())
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Tools;

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = Tools::find(Some(empty.path())).unwrap_err().to_string();
        assert!(error.contains("node_modules") && error.ends_with("run `make tools`"), "{error}");
        std::fs::create_dir_all(empty.path().join("chain/contracts/node_modules")).unwrap();
        let tools = Tools::find(Some(empty.path())).unwrap();
        let error = tools.creation_code("@uniswap/nothing.json").unwrap_err().to_string();
        assert!(error.contains("@uniswap/nothing.json") && error.ends_with("run `make tools`"), "{error}");
        if super::on_path("anvil").is_none() {
            assert!(tools.anvil().unwrap_err().to_string().starts_with("anvil was not found"));
        }
    }
}
