//! The circuit as numbers: rows, variables, non-zeros, rows a block and a digest of the matrices, for every version that was ever pinned.
//!
//! A change of the circuit is a visible diff of `pins.json`. Where the digest changes, `CIRCUIT_VERSION` has to rise, and the old entry stays.
//! `PROBITY_BLESS=1` writes the file.

use crate::market::{self, CALM, Run};
use crate::system::System;
use ff::PrimeField;
use probity_strategy::{ModelShape, Recurrent};
use probity_verifier::{CIRCUIT_VERSION, FoldCircuit};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/circuit/pins.json");

/// SHA-256 over the counts, then every row: for a, b, c the number of terms, then (variable, coefficient) by rising variable. Numbers are
/// u64 little-endian, coefficients 32 bytes little-endian; variable 0 is the constant one, then z, then in order of allocation.
fn digest(system: &System) -> String {
    let mut hash = Sha256::new();
    let number = |hash: &mut Sha256, n: usize| hash.update(u64::try_from(n).unwrap().to_le_bytes());
    number(&mut hash, system.rows.len());
    number(&mut hash, system.w.len());
    for lc in system.rows.iter().flat_map(|r| r.sides()) {
        number(&mut hash, lc.len());
        for (v, k) in lc {
            number(&mut hash, *v);
            hash.update(k.to_repr());
        }
    }
    hex::encode(hash.finalize())
}

fn pin(shape: ModelShape, slots: u16) -> Value {
    let system = System::shape(&FoldCircuit { shape, decisions_per_fold: slots, witness: None });
    let mut blocks: BTreeMap<String, usize> = BTreeMap::new();
    for row in &system.rows {
        *blocks.entry(format!("C{:02}", row.place.block)).or_default() += 1;
    }
    json!({
        "constraints": system.rows.len(),
        "variables": system.w.len() - 1,
        "non_zeros": system.nonzeros(),
        "constraints_by_block": blocks,
        "sha256": digest(&system),
    })
}

#[test]
fn size_and_digest_of_the_default_circuit() {
    let mut now = serde_json::Map::new();
    for slots in [1u16, 4, 16] {
        let pin = pin(ModelShape::default(), slots);
        println!("{slots} slots: {} constraints, {} variables, {} non-zeros", pin["constraints"], pin["variables"], pin["non_zeros"]);
        now.insert(slots.to_string(), pin);
    }
    // The default's layers behind eight cells of memory.
    let recurrent = Some(Recurrent { units: 8, gate_shift: 7, candidate_shift: 6 });
    for slots in [1, 16] {
        let pin = pin(ModelShape { dims: vec![24, 32, 16, 3], recurrent, ..ModelShape::default() }, slots);
        println!(
            "{slots} slots, 8 cells: {} constraints, {} variables, {} non-zeros",
            pin["constraints"], pin["variables"], pin["non_zeros"]
        );
        now.insert(format!("{slots}, 8 cells"), pin);
    }
    let now = Value::Object(now);
    let file = std::fs::read_to_string(FILE).unwrap_or_else(|_| "{}".to_owned());
    let mut pinned: Value = serde_json::from_str(&file).unwrap();
    let version = CIRCUIT_VERSION.to_string();
    if std::env::var_os("PROBITY_BLESS").is_some() {
        pinned[&version] = now;
        std::fs::write(FILE, serde_json::to_string_pretty(&pinned).unwrap() + "\n").unwrap();
        return;
    }
    assert_eq!(pinned[&version], now, "the circuit changed: raise CIRCUIT_VERSION, then PROBITY_BLESS=1 pins it");
    let digests: Vec<String> = pinned.as_object().unwrap().values().map(|v| v["1"]["sha256"].to_string()).collect();
    assert!(digests.iter().enumerate().all(|(i, d)| !digests[..i].contains(d)), "two versions with one circuit");
}

/// The keys are made from the matrices without a witness; every witness must meet the same ones.
#[test]
fn the_shape_does_not_depend_on_the_witness() {
    for (slots, model) in [(1u16, market::smallest()), (3, market::smallest()), (3, market::recurrent(2, 7, 6))] {
        let mandate = market::mandate(market::calm_limits(), model.clone(), slots);
        let shape = FoldCircuit { shape: model.clone(), decisions_per_fold: slots, witness: None };
        let expected = digest(&System::shape(&shape));
        for gain in [0, 60_000] {
            let mut run = Run::new(mandate.clone(), market::busy_model(&model, gain));
            assert_eq!(digest(&run.fold(&[CALM]).0), expected);
            assert_eq!(digest(&run.fold(&vec![CALM; usize::from(slots)]).0), expected);
        }
    }
}
