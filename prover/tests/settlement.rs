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
use probity_verifier::{
    Claim, Digest, ParamsSource, Rejected, Rotation, Salt, Scalar, SettlementKey, SettlementSetup, Trail, verify_settlement,
};
use std::sync::Arc;
use std::time::Instant;

const PER_BLOCK: u16 = 2;

struct World {
    settler: Settler,
    observations: Vec<Observation>,
}

/// The settlement is of the same step: a memory comes along.
fn shape() -> ModelShape {
    ModelShape { dims: vec![17, 1, 3], shifts: vec![7], recurrent: Some(Recurrent { units: 1, gate_shift: 7, candidate_shift: 6 }) }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tests.ptau");
        std::fs::write(&path, writer::Ptau::of(5, 18).bytes()).unwrap();
        let started = Instant::now();
        let setup = SettlementSetup::derive(&shape(), PER_BLOCK, &ParamsSource::insecure(&path, "tau of the tests")).unwrap();
        println!("size {:?}, logs {:?}, {:?}", setup.size(), setup.key.logs(), started.elapsed());
        let mandate = mandate(shape(), 4);
        let model = model(&shape(), 1);
        let observations = observations(&mandate, &model, 14);
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
    for i in 0..3 {
        let mut changed = claim();
        let after = &mut changed.after;
        *[&mut after.commitment, &mut after.ahead, &mut after.ahead_step][i] += Scalar::ONE;
        assert!(matches!(refused(changed, &first.bytes), Rejected::Proof(_)), "weights after {i}");
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

/// Twelve decisions from an announcement on in six blocks, then two from the take-over on, by other weights under another salt.
#[test]
fn ranges_that_start_with_an_announcement_and_a_take_over_settle() {
    let mut world = World::new();
    let mandate = mandate(world.settler.setup().model.clone(), 4);
    let mut other = model(&mandate.model, 2);
    let last = other.biases.len() - 3;
    other.biases[last..].copy_from_slice(&[-400_000, 0, 400_000]);
    let genesis = world.settler.genesis();
    let unknown = Rotation { commitment: Digest::from_scalar(Scalar::from(5)), at_step: 12 };
    let early = world.settler.announce(&genesis, &Rotation { at_step: 11, ..unknown }).unwrap_err().to_string();
    assert!(early.contains("12 steps of notice"), "{early}");
    // Nobody hands in the weights: the decision they are due for cannot be made.
    let lost = world.settler.announce(&genesis, &unknown).unwrap();
    let refusal = world.settler.advance(&lost, &world.observations[..13]).unwrap_err().to_string();
    assert!(refusal.contains("which take over at step 12"), "{refusal}");

    let commitment = world.settler.provide(other, Salt::new([8; 32])).unwrap();
    let rotation = Rotation { commitment, at_step: 12 };
    let start = world.settler.announce(&genesis, &rotation).unwrap();
    assert!(world.settler.announce(&start, &rotation).is_err(), "one at a time");
    assert_eq!((start.decided(), start.ahead()), (genesis.head(), Some(rotation)));
    let across = world.settler.settle(&start, START, [7; 32], &world.observations[..13]).unwrap_err().to_string();
    assert!(across.contains("at most 12"), "{across}");

    let first = world.settle(&start, START, 12);
    assert_eq!(first.claim.z, world.settler.z(&genesis), "z before is that of no announcement");
    let (due, _) = world.settler.advance(&start, &world.observations[..12]).unwrap();
    assert_eq!(first.end.z, world.settler.z(&due));
    assert_eq!(first.end.z[2..4], [commitment.to_scalar(), Scalar::from(12)]);
    let trail = Trail { value: first.end.trail, fingerprint: first.end.fingerprint };
    let second = world.settle(&due, trail, 2);
    assert_eq!(second.end.z[..4], [commitment.to_scalar(), first.end.z[1], Scalar::ZERO, Scalar::ZERO]);
    let (last, records) = world.settler.advance(&due, &world.observations[12..14]).unwrap();
    assert_eq!(second.end.z, world.settler.z(&last));
    // The other model made these records.
    let (_, kept) = world.settler.advance(&genesis, &world.observations).unwrap();
    assert_ne!(kept[12..], records, "the two models decide alike, so nothing was shown");

    // A verifier that holds the weights after to those before, or to other ones, believes none of it.
    for done in [&first, &second] {
        assert_eq!(verify_settlement(world.key(), &done.claim, &done.bytes).as_ref(), Ok(&done.end));
        let z = &done.claim.z;
        let mut unrotated = done.claim.clone();
        (unrotated.after.commitment, unrotated.after.ahead, unrotated.after.ahead_step) = (z[0], z[2], z[3]);
        assert!(verify_settlement(world.key(), &unrotated, &done.bytes).is_err());
        for i in 0..3 {
            let mut changed = done.claim.clone();
            let after = &mut changed.after;
            *[&mut after.commitment, &mut after.ahead, &mut after.ahead_step][i] += Scalar::ONE;
            assert!(verify_settlement(world.key(), &changed, &done.bytes).is_err(), "weights after {i}");
        }
    }
}
