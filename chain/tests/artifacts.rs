//! The committed artifacts are what the committed sources compile to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::process::Command;

#[test]
fn the_committed_artifacts_are_the_sources_compiled_afresh() {
    common::tools();
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let fresh = tempfile::tempdir().unwrap();
    let done = Command::new("node").arg(contracts.join("compile.mjs")).arg(fresh.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for name in ["ProbityVault.json", "StandInUsdc.json", "SettlementVerifier.json"] {
        let read = |dir: &Path| -> serde_json::Value { serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap() };
        let (committed, compiled) = (read(&contracts.join("out")), read(fresh.path()));
        for part in ["abi", "bytecode", "deployedBytecode", "immutables"] {
            assert!(
                committed[part] == compiled[part],
                "{name}: its {part} is not that of the source; run `npm run compile` in chain/contracts"
            );
        }
    }
}
