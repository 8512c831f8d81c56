//! The committed artifacts are what the committed sources compile to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use std::path::Path;
use std::process::Command;

#[test]
fn the_committed_artifacts_are_the_sources_compiled_afresh() {
    common::tools();
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let fresh = tempfile::tempdir().unwrap();
    let done = Command::new("node").arg(contracts.join("compile.mjs")).arg(fresh.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let shipped = ["ProbityVault", "ProbityShares", "StandInUsdc", "SettlementVerifier"]
        .map(|name| (name, ["abi", "bytecode", "deployedBytecode", "immutables"].as_slice()));
    let tested = ["test/HostileToken", "test/Mover", "test/TellsVerifier", "test/Books", "test/Saver"]
        .map(|name| (name, ["abi", "bytecode"].as_slice()));
    let registries = ["registry/IdentityRegistry", "registry/ValidationRegistry"].map(|name| (name, ["abi", "bytecode"].as_slice()));
    for (name, parts) in shipped.into_iter().chain(tested).chain(registries) {
        let name = format!("{name}.json");
        let read = |dir: &Path| -> serde_json::Value { serde_json::from_slice(&std::fs::read(dir.join(&name)).unwrap()).unwrap() };
        let (committed, compiled) = (read(&contracts.join("out")), read(fresh.path()));
        for part in parts {
            assert!(
                committed[part] == compiled[part],
                "{name}: its {part} is not that of the source; run `npm run compile` in chain/contracts"
            );
        }
    }
}
