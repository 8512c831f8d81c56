//! The dependency walls of the architecture, held over `cargo metadata`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// Crate, the project's crates it may use, and packages that may appear nowhere in its normal tree.
const WALLS: &[(&str, &[&str], &[&str])] = &[
    ("probity-strategy", &[], &["tokio", "ethers", "candle-core", "config", "rand_core", "nova-snark"]),
    ("probity-learn", &["probity-strategy"], &["tokio", "ethers", "nova-snark", "config"]),
    ("probity-curve", &[], &["tokio", "ethers", "candle-core", "config", "rusqlite", "clap"]),
    ("probity-verifier", &["probity-strategy", "probity-curve"], &["tokio", "ethers", "candle-core", "config", "rusqlite", "clap"]),
    ("probity-prover", &["probity-strategy", "probity-curve", "probity-verifier"], &["tokio", "ethers", "candle-core", "config"]),
    ("probity-chain", &["probity-strategy"], &["nova-snark", "candle-core", "config"]),
    ("probity-backtest", &["probity-strategy"], &["tokio", "ethers", "nova-snark", "candle-core", "config"]),
];

#[test]
fn crates_depend_only_downwards() {
    let meta = MetadataCommand::new().current_dir(probity_tests::root()).exec().unwrap();
    let names: BTreeMap<&PackageId, &str> = meta.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
    let nodes: BTreeMap<&PackageId, _> = meta.resolve.as_ref().unwrap().nodes.iter().map(|n| (&n.id, n)).collect();
    for (name, allowed, forbidden) in WALLS {
        let package = meta.packages.iter().find(|p| p.name.as_str() == *name).unwrap_or_else(|| panic!("{name} is missing"));
        let ours: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal && d.name.starts_with("probity"))
            .map(|d| d.name.as_str())
            .collect();
        for dep in &ours {
            assert!(allowed.contains(dep), "{name} may not depend on {dep}");
        }
        let mut seen = BTreeSet::new();
        let mut todo = vec![&package.id];
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                let normal = |d: &&cargo_metadata::NodeDep| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
                todo.extend(nodes[id].deps.iter().filter(normal).map(|d| &d.pkg));
            }
        }
        let tree: BTreeSet<&str> = seen.iter().map(|id| names[id]).collect();
        for bad in *forbidden {
            assert!(!tree.contains(bad), "{bad} is in the tree of {name}");
        }
        assert!(tree.contains(name));
    }
}

#[test]
fn only_the_chain_names_ethers_and_only_learn_names_candle() {
    let meta = MetadataCommand::new().no_deps().current_dir(probity_tests::root()).exec().unwrap();
    for package in &meta.packages {
        for dep in &package.dependencies {
            if dep.name.starts_with("ethers") {
                assert_eq!(package.name.as_str(), "probity-chain", "{} names ethers", package.name);
            }
            if dep.name.starts_with("candle") {
                assert_eq!(package.name.as_str(), "probity-learn", "{} names candle", package.name);
            }
            if dep.name == "nova-snark" {
                assert!(
                    ["probity-curve", "probity-verifier", "probity-prover"].contains(&package.name.as_str()),
                    "{} names nova-snark",
                    package.name
                );
                assert_eq!(dep.req.to_string(), "=0.76.0", "nova-snark is pinned exactly");
            }
        }
    }
}
