//! Epochs, bond and deadline of a vault that settles: decisions between proof and settlement, a missed deadline, a proper end, strangers who disturb.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use crate::{agent, common, settling, writer};
use common::{DEPOSITOR, DOLLAR, OPERATOR, World, refused};
use probity_chain::{SettlementVerifier, Vault};
use probity_strategy::ModelShape;
use probity_verifier::{ParamsSource, SettlementSetup};
use settling::Armed;
use std::sync::Arc;

const WEEK_S: u64 = 7 * 86_400;

fn setup() -> Arc<SettlementSetup> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests.ptau");
    std::fs::write(&path, writer::Ptau::of(5, 18).bytes()).unwrap();
    let shape = ModelShape { dims: vec![16, 1, 3], shifts: vec![7], recurrent: None };
    Arc::new(SettlementSetup::derive(&shape, 2, &ParamsSource::insecure(&path, "tau of the tests")).unwrap())
}

/// A decision between proof and settlement does not void the settlement of a closed epoch; the clock goes on from that decision.
async fn raced(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let model = agent::model(&setup.model, 1);
    let mut desk = Armed::open(world, setup, verifier, model, (8, 1_000)).await;
    let operator = world.account(OPERATOR).await;
    let stranger = Vault::at(world.account(DEPOSITOR).await, desk.vault.view().address());
    refused(desk.vault.close_epoch().await, "NothingToSettle");
    refused(stranger.pledge(1, 1_000).await, "NotOperator");
    refused(desk.vault.pledge(1, 999).await, "RegistrationOutOfRange");
    desk.vault.pledge(500 * DOLLAR, 2_000).await.unwrap();
    refused(desk.vault.pledge(1, 2_000).await, "AlreadyPledged");
    let accounts = desk.vault.view().balances().await.unwrap();
    assert_eq!(accounts.quote, 100_000 * DOLLAR, "the bond is no part of the accounts");

    desk.decide(1).await;
    desk.decide(2).await;
    stranger.close_epoch().await.unwrap();
    refused(stranger.close_epoch().await, "NothingToSettle");
    let settlement = desk.settlement();
    let before = desk.vault.view().standing().await.unwrap();
    desk.done();
    desk.decide(3).await;
    let decided_s = world.chain.time_s().await.unwrap();
    // The proof is of two decisions, the vault has three.
    let refusal = desk.vault.settle(&settlement.bytes).await.unwrap_err().to_string();
    assert!(refusal.contains("SettlementRefused"), "{refusal}");
    refused(stranger.settle_epoch(1, &settlement.bytes).await, "NoSuchEpoch(epochs: 1)");
    let gas = stranger.settle_epoch(0, &settlement.bytes).await.unwrap();
    println!("an epoch of two decisions settled for {gas} gas");
    refused(stranger.settle_epoch(0, &settlement.bytes).await, "NothingToSettle");
    let epochs = desk.vault.view().epochs().await.unwrap();
    assert_eq!((epochs.len(), epochs[0].steps, epochs[0].head, epochs[0].next_time_s), (1, 2, before.head, decided_s));
    let standing = desk.vault.view().standing().await.unwrap();
    // Proven never runs ahead of decided; the clock starts at the third decision, not when the epoch was closed.
    assert_eq!((standing.proven_steps, standing.steps, standing.first_unproven_time_s), (2, 3, decided_s));
    assert_eq!((standing.proven_head, standing.proven_trail), (before.head, before.trail));

    // Not all is settled: the vault cannot be closed. Then it is, and the bond comes back after the delay, not before.
    refused(desk.vault.close().await, "StillUnproven(decisions: 1)");
    refused(desk.vault.reclaim().await, "BondHeld(until: 0)");
    let rest = desk.settlement();
    desk.vault.settle(&rest.bytes).await.unwrap();
    desk.done();
    refused(stranger.close().await, "NotOperator");
    desk.vault.close().await.unwrap();
    let closed_s = world.chain.time_s().await.unwrap();
    let (seen, made) = desk.next(4).await;
    refused(desk.vault.decide(&seen, &made, &[]).await, "VaultClosed");
    refused(stranger.deposit_in_kind(1, 1, 1).await, "WithdrawOnly");
    refused(desk.vault.reclaim().await, &format!("BondHeld(until: {})", closed_s + WEEK_S));
    world.chain.advance_to(closed_s + WEEK_S).await.unwrap();
    desk.vault.reclaim().await.unwrap();
    assert_eq!(desk.vault.view().pledged().await.unwrap().bond, 0);
    desk.vault.redeem_in_kind(100_000 * DOLLAR - 1_000).await.unwrap();
    assert_eq!(operator.address(), desk.vault.account());
}

/// A missed deadline: trading ends, the bond is the depositors', and the record goes on.
async fn missed(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut model = agent::model(&setup.model, 1);
    let last = model.biases.len() - 3;
    model.biases[last..].copy_from_slice(&[-400_000, 0, 400_000]);
    model.policy.max_step_bps = 300;
    let mut desk = Armed::open(world, setup, verifier, model, (8, 500)).await;
    desk.vault.pledge(500 * DOLLAR, 1_000).await.unwrap();
    let stranger = Vault::at(world.account(DEPOSITOR).await, desk.vault.view().address());
    refused(stranger.miss().await, "NothingToSettle");
    desk.decide(1).await;
    let until = desk.vault.view().standing().await.unwrap().first_unproven_time_s + 1_000;
    refused(stranger.miss().await, &format!("DeadlineNotMissed(until: {until})"));
    // Whoever closes an epoch early does not make the deadline come earlier.
    stranger.close_epoch().await.unwrap();
    refused(stranger.miss().await, &format!("DeadlineNotMissed(until: {until})"));
    world.chain.advance_to(until + 1).await.unwrap();
    let before = desk.vault.view().balances().await.unwrap();
    stranger.miss().await.unwrap();
    refused(stranger.miss().await, "WithdrawOnly");
    let after = desk.vault.view().balances().await.unwrap();
    assert_eq!((after.quote, after.base, after.shares), (before.quote + 500 * DOLLAR, before.base, before.shares));
    let flow = desk.vault.view().flows(0).await.unwrap().pop().unwrap();
    assert_eq!((flow.deposit, flow.quote, flow.base, flow.shares), (true, 500 * DOLLAR, 0, 0), "the bond is a declared flow");
    let pledge = desk.vault.view().pledged().await.unwrap();
    assert!(pledge.withdraw_only && pledge.bond == 0 && pledge.closed_time_s == 0);
    // Decisions are recorded and settled as ever, with the bond in an observation as a flow; none trades.
    for n in 6..9 {
        let (_, outcome) = desk.decide(n).await;
        assert!(!outcome.executed);
    }
    let settlement = desk.settlement();
    desk.vault.settle(&settlement.bytes).await.unwrap();
    desk.done();
    // All settled, and still no trade.
    let mut ordered = false;
    for n in 9..14 {
        let (made, outcome) = desk.decide(n).await;
        assert!(!outcome.executed);
        ordered |= made.order.is_some();
    }
    assert!(ordered, "the model wanted nothing, so nothing was shown");
    refused(stranger.deposit_in_kind(1, 1, 1).await, "WithdrawOnly");
    desk.vault.redeem_in_kind(100_000 * DOLLAR - 1_000).await.unwrap();
}

/// A stranger closes an epoch after every decision and sends garbage for settlements: nothing changes, and the newest epoch settles at once.
async fn griefed(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, agent::model(&setup.model, 1), (8, 10_000)).await;
    let stranger = Vault::at(world.account(DEPOSITOR).await, desk.vault.view().address());
    for n in 1..=3 {
        desk.decide(n).await;
        stranger.close_epoch().await.unwrap();
        refused(stranger.close_epoch().await, "NothingToSettle");
    }
    let settlement = desk.settlement();
    let before = desk.vault.view().standing().await.unwrap();
    let mut turned = settlement.bytes.clone();
    turned[7] ^= 1;
    let cut = settlement.bytes[..settlement.bytes.len() - 32].to_vec();
    for garbage in [Vec::new(), vec![0; 288], vec![0xff; 4_096], turned, cut] {
        for refusal in [stranger.settle(&garbage).await, stranger.settle_epoch(2, &garbage).await] {
            let refusal = refusal.unwrap_err().to_string();
            assert!(refusal.contains("SettlementRefused"), "{refusal}");
        }
    }
    // The proof of three decisions is none of one or of two.
    for epoch in 0..2 {
        assert!(stranger.settle_epoch(epoch, &settlement.bytes).await.unwrap_err().to_string().contains("SettlementRefused"));
    }
    assert_eq!(desk.vault.view().standing().await.unwrap(), before);
    desk.vault.settle_epoch(2, &settlement.bytes).await.unwrap();
    let after = desk.vault.view().standing().await.unwrap();
    assert_eq!((after.proven_steps, after.proven_head), (3, before.head));
    refused(stranger.settle_epoch(0, &settlement.bytes).await, "NothingToSettle");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_bond_and_deadline() {
    let setup = setup();
    let world = World::stand_in().await;
    let sender = world.account(OPERATOR).await;
    let (verifier, _) = SettlementVerifier::deploy(&sender, setup.key.table()).await.unwrap();
    raced(&world, &setup, &verifier).await;
    missed(&world, &setup, &verifier).await;
    griefed(&world, &setup, &verifier).await;
}
