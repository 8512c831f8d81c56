//! Settlements of a small agent: made, verified, mutated, forged; with a tau that stands in the source.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[path = "../verifier/tests/ptau/mod.rs"]
mod writer;

use common::{mandate, model, observations, salt};
use ff::Field;
use probity_prover::{Position, Settlement, Settler};
use probity_strategy::{ModelShape, Observation, Recurrent};
use probity_verifier::{Claim, ParamsSource, Rejected, Scalar, SettlementKey, SettlementSetup, Trail, verify_settlement};
use std::sync::Arc;
use std::time::Instant;

const PER_BLOCK: u16 = 2;

struct World {
    settler: Settler,
    observations: Vec<Observation>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tests.ptau");
        std::fs::write(&path, writer::Ptau::of(5, 18).bytes()).unwrap();
        // The settlement is of the same step: a memory comes along.
        let shape = ModelShape {
            dims: vec![17, 1, 3],
            shifts: vec![7],
            recurrent: Some(Recurrent { units: 1, gate_shift: 7, candidate_shift: 6 }),
        };
        let started = Instant::now();
        let setup = SettlementSetup::derive(&shape, PER_BLOCK, &ParamsSource::insecure(&path, "tau of the tests")).unwrap();
        println!("size {:?}, logs {:?}, {:?}", setup.size(), setup.key.logs(), started.elapsed());
        let mandate = mandate(shape.clone(), 4);
        let model = model(&shape, 1);
        let observations = observations(&mandate, &model, 12);
        let settler = Settler::new(Arc::new(setup), mandate, model, salt()).unwrap();
        Self { settler, observations }
    }

    fn key(&self) -> &SettlementKey {
        &self.settler.setup().key
    }

    fn settle(&self, from: &Position, trail: Trail, count: usize) -> Settlement {
        let at = usize::try_from(from.decisions()).unwrap();
        let started = Instant::now();
        let done = self.settler.settle(from, trail, [7; 32], &self.observations[at..at + count]).unwrap();
        println!("{count} decisions: {} bytes, {:?}", done.bytes.len(), started.elapsed());
        done
    }
}

const START: Trail = Trail { value: [9; 32], fingerprint: Scalar::ZERO };

#[test]
fn settlements_chain_and_every_change_is_refused() {
    let world = World::new();
    let genesis = world.settler.genesis();
    let first = world.settle(&genesis, START, 5);
    assert_eq!(verify_settlement(world.key(), &first.claim, &first.bytes).as_ref(), Ok(&first.end));
    let (position, records) = world.settler.advance(&genesis, &world.observations[..5]).unwrap();
    let mut trail = START;
    assert_eq!(world.settler.follow(&mut trail, &genesis, &records).len(), 5);
    assert_eq!((first.end.trail, first.end.fingerprint), (trail.value, trail.fingerprint));
    assert_eq!(first.end.z, world.settler.z(&position));
    let second = world.settle(&position, trail, 1);
    assert_eq!(second.claim.z, first.end.z);

    // Every part of the claim.
    let refused = |claim: Claim, bytes: &[u8]| verify_settlement(world.key(), &claim, bytes).unwrap_err();
    let claim = || first.claim.clone();
    assert!(matches!(refused(Claim { domain: [8; 32], ..claim() }, &first.bytes), Rejected::Proof(_)));
    assert!(matches!(refused(Claim { trail: [8; 32], ..claim() }, &first.bytes), Rejected::Proof(_)));
    assert!(matches!(refused(Claim { fingerprint: Scalar::ONE, ..claim() }, &first.bytes), Rejected::Proof(_)));
    for i in 0..first.claim.z.len() {
        let mut changed = claim();
        changed.z[i] += Scalar::ONE;
        assert!(matches!(refused(changed, &first.bytes), Rejected::Proof(_)), "z {i}");
    }
    assert_eq!(refused(Claim { decisions: 0, ..claim() }, &first.bytes), Rejected::Decisions(0));
    assert!(matches!(refused(Claim { decisions: 4, ..claim() }, &first.bytes), Rejected::Length { .. }));
    assert!(matches!(refused(second.claim.clone(), &first.bytes), Rejected::Length { .. }));
    // Every word of the bytes.
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for at in (0..first.bytes.len()).step_by(16) {
        let mut bytes = first.bytes.clone();
        bytes[at + 15] ^= 1;
        let why = refused(claim(), &bytes);
        *seen.entry(format!("{why:?}").chars().take(6).collect()).or_default() += 1;
    }
    println!("{seen:?}");
}
