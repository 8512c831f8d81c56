//! The verifier contract against the reference verifier, on honest and on changed settlements; then a vault that settles.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use crate::{agent, common, settling, writer};
use common::{DOLLAR, ETHER, OPERATOR, World, refused};
use probity_chain::{Move, SettlementVerifier, Vault, Verdict};
use probity_prover::{Settlement, Settler};
use probity_strategy::{Model, ModelShape, Observation};
use probity_verifier::{
    Claim, Digest, ParamsSource, Rejected, Rotation, Salt, Scalar, SettlementKey, SettlementSetup, Trail, verify_settlement,
};
use settling::Armed;
use std::sync::Arc;
use std::time::Instant;

const PER_BLOCK: u16 = 2;
/// Order of the scalar field and of the base field of BN254.
const R: [u8; 32] = bytes_of("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001");
const Q: [u8; 32] = bytes_of("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47");

const fn bytes_of(text: &str) -> [u8; 32] {
    let (bytes, mut out, mut i) = (text.as_bytes(), [0; 32], 0);
    while i < 64 {
        let digit = match bytes[i] {
            b @ b'0'..=b'9' => b - b'0',
            b => b - b'a' + 10,
        };
        out[i / 2] = out[i / 2] * 16 + digit;
        i += 1;
    }
    out
}

fn setup() -> Arc<SettlementSetup> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests.ptau");
    std::fs::write(&path, writer::Ptau::of(5, 18).bytes()).unwrap();
    let started = Instant::now();
    let setup = SettlementSetup::derive(&shape(), PER_BLOCK, &ParamsSource::insecure(&path, "tau of the tests")).unwrap();
    println!("size {:?}, logs {:?}, {:?}", setup.size(), setup.key.logs(), started.elapsed());
    Arc::new(setup)
}

fn shape() -> ModelShape {
    ModelShape { dims: vec![16, 1, 3], shifts: vec![7], recurrent: None }
}

/// What is done to the bytes of a claim.
type Change = Box<dyn Fn(&mut [u8])>;

/// A model that buys a little at every step.
fn eager() -> Model {
    let mut model = agent::model(&shape(), 1);
    let last = model.biases.len() - 3;
    model.biases[last..].copy_from_slice(&[-400_000, 0, 400_000]);
    model.policy.max_step_bps = 300;
    model
}

/// Both verifiers, asked the same thing.
struct Judges<'a> {
    key: &'a SettlementKey,
    contract: &'a SettlementVerifier,
    asked: std::cell::Cell<u32>,
}

impl Judges<'_> {
    /// Panics if they differ; returns the contract's number if both refuse.
    async fn ask(&self, what: &str, claim: &Claim, bytes: &[u8]) -> Result<(), (u64, Rejected)> {
        let mut data = claim.to_bytes();
        data.extend(bytes);
        self.asked.set(self.asked.get() + 1);
        match (verify_settlement(self.key, claim, bytes), self.contract.ask(data).await.unwrap()) {
            (Ok(end), Verdict::Holds(answer)) => {
                assert_eq!(end.to_bytes(), answer, "{what}: they end elsewhere");
                Ok(())
            }
            (Err(why), Verdict::Refused(code)) => Err((code, why)),
            (reference, contract) => panic!("{what}: the reference says {reference:?}, the contract {contract:?}"),
        }
    }

    async fn refuse(&self, what: &str, claim: &Claim, bytes: &[u8]) -> (u64, Rejected) {
        match self.ask(what, claim, bytes).await {
            Ok(()) => panic!("{what}: both accept"),
            Err(both) => both,
        }
    }
}

/// A settlement with the table it was made for, as it stands in the tree: the contract must go on accepting it. `BLESS=1` writes it anew.
const VECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/settlement-3.json");

fn bless(key: &SettlementKey, s: &Settlement) {
    if std::env::var_os("BLESS").is_none() {
        return;
    }
    let text = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let vector = serde_json::json!({
        "version": 3,
        "parameters": "insecure: powers of the tau 5",
        "table": text(key.table()),
        "claim": text(&s.claim.to_bytes()),
        "settlement": text(&s.bytes),
        "end": text(&s.end.to_bytes()),
    });
    std::fs::create_dir_all(std::path::Path::new(VECTOR).parent().unwrap()).unwrap();
    std::fs::write(VECTOR, serde_json::to_vec_pretty(&vector).unwrap()).unwrap();
}

#[tokio::test]
async fn the_vector_still_holds() {
    let vector: serde_json::Value = serde_json::from_slice(&std::fs::read(VECTOR).unwrap()).unwrap();
    let part = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
    assert_eq!(vector["version"], 3);
    let world = World::stand_in().await;
    let sender = world.account(OPERATOR).await;
    let (contract, _) = SettlementVerifier::deploy(&sender, &part("table")).await.unwrap();
    let data = [part("claim"), part("settlement")].concat();
    assert_eq!(contract.ask(data.clone()).await.unwrap(), Verdict::Holds(part("end")));
    let gas = contract.gas(&sender, data.clone()).await.unwrap();
    println!("verifying 5 decisions in 3 blocks: {gas} gas");
    // Under another configuration the same bytes are nothing: every word of the table is absorbed.
    for word in 0..26 {
        let mut table = part("table");
        table[32 * word + 31] ^= 1;
        let (other, _) = SettlementVerifier::deploy(&sender, &table).await.unwrap();
        assert!(matches!(other.ask(data.clone()).await.unwrap(), Verdict::Refused(_)), "table word {word}");
    }
}

/// word + add·2^shift, with the carry out of the word lost.
fn add_at(bytes: &mut [u8], at: usize, add: &[u8; 32]) {
    let mut carry = 0u16;
    for i in (0..32).rev() {
        let sum = u16::from(bytes[at + i]) + u16::from(add[i]) + carry;
        bytes[at + i] = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
}

/// Every word of the bytes, changed in several ways: both refuse all of them.
async fn every_word(judges: &Judges<'_>, s: &Settlement) {
    let mut top = [0; 32];
    top[0] = 8;
    let mut codes = std::collections::BTreeMap::<u64, u32>::new();
    for at in (0..s.bytes.len() - 31).step_by(16) {
        let changes: [(&str, Change); 6] = [
            ("lowest bit", Box::new(move |b| b[at + 31] ^= 1)),
            ("highest byte", Box::new(move |b| b[at] ^= 0x80)),
            ("plus r", Box::new(move |b| add_at(b, at, &R))),
            ("plus q", Box::new(move |b| add_at(b, at, &Q))),
            ("plus 2^251", Box::new(move |b| add_at(b, at, &top))),
            ("zero", Box::new(move |b| b[at..at + 32].fill(0))),
        ];
        for (name, change) in changes {
            let mut bytes = s.bytes.clone();
            change(&mut bytes);
            if bytes == s.bytes {
                continue;
            }
            let (code, _) = judges.refuse(&format!("{name} at {at}"), &s.claim, &bytes).await;
            *codes.entry(code).or_default() += 1;
        }
    }
    println!("changed words by failure: {codes:?}");
}

async fn claims(judges: &Judges<'_>, s: &Settlement, other: &Settlement) {
    let with = |change: &dyn Fn(&mut Claim)| {
        let mut claim = s.claim.clone();
        change(&mut claim);
        claim
    };
    for byte in 0..32 {
        judges.refuse("domain", &with(&|c| c.domain[byte] ^= 1), &s.bytes).await;
        judges.refuse("trail", &with(&|c| c.trail[byte] ^= 1), &s.bytes).await;
    }
    judges.refuse("fingerprint", &with(&|c| c.fingerprint += Scalar::from(1)), &s.bytes).await;
    for i in 0..s.claim.z.len() {
        judges.refuse("z", &with(&|c| c.z[i] += Scalar::from(1)), &s.bytes).await;
    }
    for i in 0..3 {
        let word = |c: &mut Claim| *[&mut c.after.commitment, &mut c.after.ahead, &mut c.after.ahead_step][i] += Scalar::from(1);
        judges.refuse("weights after", &with(&word), &s.bytes).await;
    }
    // F6: numbers of decisions.
    for n in [0, 1, s.claim.decisions - 1, s.claim.decisions + 1, 4096, 4097, u32::MAX] {
        judges.refuse("decisions", &with(&|c| c.decisions = n), &s.bytes).await;
    }
    for k in 1..32u8 {
        let mut data = s.claim.to_bytes();
        data[64] = k << 3;
        data.extend(&s.bytes);
        assert_eq!(judges.contract.ask(data).await.unwrap(), Verdict::Refused(1), "n + {k}·2^251");
    }
    // Not canonical in the claim: only the contract can be asked.
    for word in 3..7 + s.claim.z.len() {
        let mut data = s.claim.to_bytes();
        add_at(&mut data, 32 * word, &R);
        data.extend(&s.bytes);
        assert!(matches!(judges.contract.ask(data).await.unwrap(), Verdict::Refused(1 | 2)), "claim word {word} plus r");
    }
    // The proof of another range, of another mask, longer, shorter.
    judges.ask("another proof of the same", &s.claim, &other.bytes).await.unwrap();
    let at = s.bytes.len() - judges.key.snark_bytes();
    let mixed = [&s.bytes[..at], &other.bytes[other.bytes.len() - judges.key.snark_bytes()..]].concat();
    judges.refuse("another's final proof", &s.claim, &mixed).await;
    judges.refuse("shorter", &s.claim, &s.bytes[..s.bytes.len() - 1]).await;
    judges.refuse("longer", &s.claim, &[s.bytes.as_slice(), &[0]].concat()).await;
    judges.refuse("empty", &s.claim, &[]).await;
    let zeroes = vec![0; s.bytes.len()];
    judges.refuse("infinities and zeroes", &s.claim, &zeroes).await;
    // Blocks in another order.
    let block = 128 + 96 + 32;
    let start = 128;
    let swapped =
        [&s.bytes[..start], &s.bytes[start + block..start + 2 * block], &s.bytes[start..start + block], &s.bytes[start + 2 * block..]];
    let swapped = swapped.concat();
    judges.refuse("blocks swapped", &s.claim, &swapped).await;
}

/// A range of two blocks that starts with an announcement: both hold the first block's weights after, and both blocks of the second, to the claim's.
async fn rotated(judges: &Judges<'_>, settler: &mut Settler, observations: &[Observation]) {
    let commitment = settler.provide(agent::model(&shape(), 2), Salt::new([9; 32])).unwrap();
    let from = settler.announce(&settler.genesis(), &Rotation { commitment, at_step: 12 }).unwrap();
    let start = Trail { value: [9; 32], fingerprint: Scalar::from(0) };
    let done = settler.settle(&from, start, [7; 32], &observations[..3]).unwrap();
    judges.ask("an announcement and three decisions", &done.claim, &done.bytes).await.unwrap();
    let (z, after) = (done.claim.z.clone(), done.claim.after);
    assert_eq!((z[2], z[3], after.ahead, after.ahead_step), (Scalar::from(0), Scalar::from(0), commitment.to_scalar(), Scalar::from(12)));
    for i in 0..3 {
        let mut claim = done.claim.clone();
        *[&mut claim.after.commitment, &mut claim.after.ahead, &mut claim.after.ahead_step][i] += Scalar::from(1);
        judges.refuse("other weights after", &claim, &done.bytes).await;
    }
    let mut claim = done.claim.clone();
    (claim.z[2], claim.z[3]) = (after.ahead, after.ahead_step);
    judges.refuse("announced before", &claim, &done.bytes).await;
    (claim.z, claim.after.ahead, claim.after.ahead_step) = (z, Scalar::from(0), Scalar::from(0));
    judges.refuse("nothing announced", &claim, &done.bytes).await;
}

async fn differential(world: &World, setup: &Arc<SettlementSetup>) -> SettlementVerifier {
    let mandate = agent::mandate(shape(), 4);
    let model = agent::model(&shape(), 1);
    let observations = agent::observations(&mandate, &model, 8);
    let mut settler = Settler::new(setup.clone(), mandate, model, agent::salt()).unwrap();
    let sender = world.account(OPERATOR).await;
    let (contract, gas) = SettlementVerifier::deploy(&sender, setup.key.table()).await.unwrap();
    let code = SettlementVerifier::code(setup.key.table());
    println!("verifier: {} bytes, deployed for {gas} gas", code.len());
    assert!(code.len() <= 24_576);
    assert!(contract.code_matches(setup.key.table()).await.unwrap());
    // F3: every constant is compared, and every one is in the configuration that a proof is bound to.
    for byte in 0..setup.key.table().len() {
        let mut table = setup.key.table().to_vec();
        table[byte] ^= 1;
        assert_ne!(SettlementVerifier::code(&table), code);
    }
    let judges = Judges { key: &setup.key, contract: &contract, asked: 0.into() };
    let genesis = settler.genesis();
    let start = Trail { value: [9; 32], fingerprint: Scalar::from(0) };
    let first = settler.settle(&genesis, start, [7; 32], &observations[..5]).unwrap();
    judges.ask("honest, five decisions", &first.claim, &first.bytes).await.unwrap();
    bless(&setup.key, &first);
    let (position, _) = settler.advance(&genesis, &observations[..5]).unwrap();
    let trail = Trail { value: first.end.trail, fingerprint: first.end.fingerprint };
    let second = settler.settle(&position, trail, [7; 32], &observations[5..6]).unwrap();
    judges.ask("honest, one decision", &second.claim, &second.bytes).await.unwrap();
    let again = settler.settle(&genesis, start, [7; 32], &observations[..5]).unwrap();
    judges.ask("honest, made again", &again.claim, &again.bytes).await.unwrap();
    // F4: nothing of the mask is in both.
    let mask = 128;
    assert!((0..mask - 31).step_by(32).all(|at| again.bytes[at..at + 32] != first.bytes[at..at + 32]));

    rotated(&judges, &mut settler, &observations).await;
    let started = Instant::now();
    claims(&judges, &first, &again).await;
    every_word(&judges, &first).await;
    println!("{} questions in {:?}", judges.asked.get(), started.elapsed());
    contract
}

async fn deferred(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, eager(), (3, 100_000)).await;
    refused(desk.vault.settle(&[1]).await, "NothingToSettle");
    let mut traded = Vec::new();
    for n in 1..=5 {
        let (made, outcome) = desk.decide(n).await;
        println!("decision {n}: order {:?}, executed {}, {} gas", made.order.is_some(), outcome.executed, outcome.gas_used);
        traded.push((made.order.is_some(), outcome.executed));
        let standing = desk.vault.view().standing().await.unwrap();
        assert_eq!((standing.trail, standing.fingerprint), (desk.trail.value, Digest::from_scalar(desk.trail.fingerprint).to_bytes()));
    }
    // At most three may be unproven while there is trading: the orders of the fourth and fifth are recorded and not executed.
    assert!(traded[..3].contains(&(true, true)), "{traded:?}");
    assert!(traded[3..].iter().any(|(ordered, _)| *ordered) && traded[3..].iter().all(|(_, executed)| !executed), "{traded:?}");

    let settlement = desk.settlement();
    let mut wrong = settlement.bytes.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let refusal = desk.vault.settle(&wrong).await.unwrap_err().to_string();
    assert!(refusal.contains("SettlementRefused"), "{refusal}");
    assert_eq!(desk.vault.view().standing().await.unwrap().proven_steps, 0, "a failure changes nothing");
    // Anybody may settle.
    let stranger = Vault::at(world.account(common::DEPOSITOR).await, desk.vault.view().address());
    let gas = stranger.settle(&settlement.bytes).await.unwrap();
    println!("settled 5 decisions in 3 blocks for {gas} gas");
    refused(desk.vault.settle(&settlement.bytes).await, "NothingToSettle");
    let standing = desk.vault.view().standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.proven_head, standing.first_unproven_time_s), (5, standing.head, 0));
    assert_eq!(desk.vault.view().settled(0).await.unwrap(), [(5, standing.head)]);
    desk.done();

    // It goes on from there; the old proof is not one of the new decision.
    desk.decide(6).await;
    let refusal = desk.vault.settle(&settlement.bytes).await.unwrap_err().to_string();
    assert!(refusal.contains("SettlementRefused"), "{refusal}");
    let one = desk.settlement();
    println!("settled 1 decision for {} gas", desk.vault.settle(&one.bytes).await.unwrap());
}

/// F1: what the vault recorded is not what the proof is about.
async fn another_order(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, eager(), (8, 100_000)).await;
    let (seen, made) = desk.next(1).await;
    // The head of the decided order, and another order beside it.
    let other = match made.order {
        Some((buy, amount, least)) => Move { order: Some((buy, amount - 1, least)), ..made.clone() },
        None => Move { order: Some((true, DOLLAR, ETHER)), ..made.clone() },
    };
    desk.vault.decide(&seen, &other, &[]).await.unwrap();
    // The honest proof of what the model decided, and one made for the vault's own trail.
    refused(desk.vault.settle(&desk.settlement().bytes).await, "SettlesOtherDecisions");
}

async fn strict(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, eager(), (0, 0)).await;
    for n in 1..=3 {
        if n != 1 {
            let (made, outcome) = desk.decide_settled(n).await;
            println!("strict: order {}, executed {}, {} gas", made.order.is_some(), outcome.executed, outcome.gas_used);
            assert_eq!(outcome.executed, made.order.is_some());
        } else {
            let (_, outcome) = desk.decide(n).await;
            assert!(!outcome.executed, "strict: no proof, no trade");
            desk.vault.settle(&desk.settlement().bytes).await.unwrap();
            desk.done();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_and_reference_agree_and_the_vault_settles() {
    let setup = setup();
    let world = World::stand_in().await;
    let verifier = differential(&world, &setup).await;
    deferred(&world, &setup, &verifier).await;
    another_order(&world, &setup, &verifier).await;
    strict(&world, &setup, &verifier).await;
}
