//! The blocks of the circuit are the sections of `docs/design/circuit.md`: same ids, same names, same order.

use crate::market::{self, CALM, Run};
use std::collections::BTreeSet;

#[test]
fn blocks_are_the_sections_of_the_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/design/circuit.md");
    let text = std::fs::read_to_string(path).unwrap();
    let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).filter(|name| name.starts_with('C')).collect();
    let mandate = market::mandate(market::calm_limits(), market::recurrent(1, 7, 6), 2);
    let (system, ..) = Run::new(mandate, market::busy_model(&market::recurrent(1, 7, 6), 1)).fold(&[CALM]);
    let mut blocks: Vec<&str> = system.blocks.iter().map(|name| &**name).collect();
    blocks.sort_by_key(|name| name[1..].split(' ').next().unwrap().parse::<u8>().unwrap());
    assert_eq!(blocks, sections);
    // No row stands outside a block.
    let used: BTreeSet<u8> = system.rows.iter().map(|row| row.place.block).collect();
    assert_eq!(used, (1..=13).collect());
}
