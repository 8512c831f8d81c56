//! Announcements of other weights on the vault: what it refuses, ranges cut at them, and settlements over an announcement and a take-over.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use crate::{agent, common, settling, writer};
use common::{DEPOSITOR, Desk, OPERATOR, World, head, hold, refused};
use probity_chain::{Announce, Move, Observed, POOL_500, PoolInfo, SettlementVerifier, USDC, Vault, WETH, Weights};
use probity_strategy::{Model, ModelShape};
use probity_verifier::{ParamsSource, ROTATION_NOTICE, Salt, SettlementSetup};
use settling::Armed;
use std::sync::Arc;

/// Order of BN254's scalar field.
const R: &str = "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";

fn setup() -> Arc<SettlementSetup> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests.ptau");
    std::fs::write(&path, writer::Ptau::of(5, 18).bytes()).unwrap();
    let shape = ModelShape { dims: vec![16, 1, 3], shifts: vec![7], recurrent: None };
    Arc::new(SettlementSetup::derive(&shape, 2, &ParamsSource::insecure(&path, "tau of the tests")).unwrap())
}

/// A model that buys (or else sells) a little at every step.
fn eager(setup: &SettlementSetup, buys: bool) -> Model {
    let mut model = agent::model(&setup.model, 1);
    let last = model.biases.len() - 3;
    let bias = if buys { 400_000 } else { -400_000 };
    model.biases[last..].copy_from_slice(&[-bias, 0, bias]);
    model.policy.max_step_bps = 300;
    model
}

fn salt() -> Salt {
    Salt::new([9; 32])
}

/// Everything for which an announcement is refused, in front of a vault with two decisions.
async fn refusals(world: &World, desk: &Armed<'_>, good: &Announce) {
    let vault = &desk.vault;
    let before = vault.view().standing().await.unwrap();
    let stranger = Vault::at(world.account(DEPOSITOR).await, vault.view().address());
    refused(stranger.announce(good).await, "NotOperator");
    let r: [u8; 32] = hex::decode(R).unwrap().try_into().unwrap();
    let head = format!("WrongHead(expected: 0x{})", hex::encode(good.head_before));
    let notice = format!("TooLittleNotice(least: {})", 2 + ROTATION_NOTICE);
    for (other, why) in [
        (Announce { head_before: [1; 32], ..*good }, head.as_str()),
        (Announce { at_step: 1 + ROTATION_NOTICE, ..*good }, &notice),
        (Announce { at_step: 0, ..*good }, &notice),
        (Announce { commitment: [0; 32], ..*good }, "NotAScalar"),
        (Announce { commitment: r, ..*good }, "NotAScalar"),
        (Announce { head_after: r, ..*good }, "NotAScalar"),
    ] {
        refused(vault.announce(&other).await, why);
    }
    assert_eq!(vault.view().standing().await.unwrap(), before, "a refused announcement changed something");
    assert!(vault.view().epochs().await.unwrap().is_empty());
}

/// A range before an announcement, one up to the take-over, one behind it: each settles, and none goes over the next.
async fn across(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, eager(setup, true), (40, 1_000_000)).await;
    let first = desk.vault.view().weights().await.unwrap();
    for n in 1..=2 {
        desk.decide(n).await;
    }
    let (announce, position) = desk.announcement(eager(setup, false), salt(), 2 + ROTATION_NOTICE);
    refusals(world, &desk, &announce).await;
    let gas = desk.vault.announce(&announce).await.unwrap();
    println!("announced for {gas} gas");
    desk.announced(position);
    refused(desk.vault.announce(&Announce { head_before: announce.head_after, ..announce }).await, "RotationAhead(atStep: 14)");
    refused(desk.vault.close_epoch().await, "NothingToSettle");

    // An epoch ended before the announcement, and the vault goes on from the head after it.
    let view = desk.vault.view().clone();
    let epochs = view.epochs().await.unwrap();
    assert_eq!((epochs.len(), epochs[0].steps, epochs[0].head), (1, 2, announce.head_before));
    let standing = view.standing().await.unwrap();
    assert_eq!((standing.head, standing.settles_to, standing.weights), (announce.head_after, 2, first));
    let ahead = Weights { ahead: announce.commitment, ahead_step: 14, ..first };
    assert_eq!(view.weights().await.unwrap(), ahead);
    let seen = view.announced(0).await.unwrap();
    assert_eq!((seen.len(), seen[0].step, seen[0].announce), (1, 2, announce));
    assert!(view.rotated(0).await.unwrap().is_empty());

    // `settle` settles the end of the epoch, whose head is the last decision's: nothing was decided on the announcement yet.
    let stretch = desk.ended.remove(0);
    let settlement = desk.stretch(&stretch);
    desk.vault.settle(&settlement.bytes).await.unwrap();
    let standing = view.standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.proven_head, standing.settles_to), (2, announce.head_before, 14));

    for n in 3..=14 {
        let (made, _) = desk.decide(n).await;
        assert!(made.order.is_none_or(|(buy, ..)| buy), "the weights in force buy");
    }
    assert_eq!(view.weights().await.unwrap(), Weights { commitment: announce.commitment, ahead: [0; 32], ahead_step: 0 });
    assert_eq!(view.epochs().await.unwrap().len(), 1);
    // The take-over: an epoch ends before it, whoever remembers.
    let (made, _) = desk.decide(15).await;
    assert!(made.order.is_none_or(|(buy, ..)| !buy), "the new weights sell");
    let epochs = view.epochs().await.unwrap();
    assert_eq!((epochs.len(), epochs[1].steps), (2, 14));
    let rotated = view.rotated(0).await.unwrap();
    assert_eq!((rotated.len(), rotated[0].step, rotated[0].commitment), (1, 14, announce.commitment));
    desk.decide(16).await;
    // Nothing goes over the take-over.
    refused(desk.vault.settle(&[1]).await, "CrossesRotation(until: 14)");
    desk.vault.close_epoch().await.unwrap();
    refused(desk.vault.settle_epoch(2, &[1]).await, "CrossesRotation(until: 14)");
    let gas = desk.settle_ended(1).await;
    println!("twelve decisions from an announcement on settled for {gas} gas");
    let standing = view.standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.settles_to, standing.weights), (14, u32::MAX, ahead));
    let rest = desk.settlement();
    println!("two decisions from a take-over on settled for {} gas", desk.vault.settle(&rest.bytes).await.unwrap());
    desk.done();
    let standing = view.standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.proven_head, standing.settles_to), (16, standing.head, u32::MAX));
    assert_eq!(standing.weights, Weights { commitment: announce.commitment, ahead: [0; 32], ahead_step: 0 });
}

/// An announcement with another head than the log's: what came before it settles, and nothing behind it does.
async fn another_head(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, eager(setup, true), (40, 1_000_000)).await;
    desk.decide(1).await;
    let (honest, position) = desk.announcement(eager(setup, false), salt(), 13);
    let other = Announce { head_after: [3; 32], ..honest };
    desk.vault.announce(&other).await.unwrap();
    desk.announced(position);
    let (seen, made) = desk.next(2).await;
    // The vault takes no decision on the log's head; on its own it does, and no proof is of that.
    refused(desk.vault.decide(&seen, &made, &[]).await, &format!("WrongHead(expected: 0x{})", hex::encode([3; 32])));
    desk.vault.decide(&seen, &Move { head_before: [3; 32], ..made }, &[]).await.unwrap();
    refused(desk.vault.settle(&[1]).await, "CrossesRotation(until: 1)");
    desk.settle_ended(0).await;
    refused(desk.vault.settle(&desk.settlement().bytes).await, "SettlesOtherDecisions");
    assert_eq!(desk.vault.view().standing().await.unwrap().proven_steps, 1);
}

/// Strict terms: before a trade can carry its proof over an announcement or a take-over, what came before is settled by itself.
async fn strict(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let mut desk = Armed::open(world, setup, verifier, eager(setup, true), (0, 0)).await;
    desk.decide(1).await;
    let (announce, position) = desk.announcement(eager(setup, false), salt(), 13);
    desk.vault.announce(&announce).await.unwrap();
    desk.announced(position);
    for (n, until) in [(2, 1), (14, 13)] {
        let (seen, made) = desk.next(n).await;
        assert!(made.order.is_some(), "the model wants nothing, so nothing is shown");
        refused(desk.vault.decide_settled(&seen, &made, &[1]).await, &format!("CrossesRotation(until: {until})"));
        let before = desk.ended.remove(0);
        desk.vault.settle(&desk.stretch(&before).bytes).await.unwrap();
        let outcome = desk.vault.decide_settled(&seen, &made, &desk.settlement().bytes).await.unwrap();
        assert!(outcome.executed, "proven, so it trades");
        desk.done();
        for later in (n + 1)..14 {
            assert!(!desk.decide(later).await.1.executed, "strict: no proof, no trade");
        }
    }
    let standing = desk.vault.view().standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.weights.commitment), (14, announce.commitment));
}

/// Announced before the vault was armed, and before its first decision: the first range starts with it, from the genesis head.
async fn first_of_all(world: &World, setup: &Arc<SettlementSetup>, verifier: &SettlementVerifier) {
    let other = Some((eager(setup, false), salt(), ROTATION_NOTICE));
    let mut desk = Armed::open_announced(world, setup, verifier, eager(setup, true), (40, 1_000_000), other).await;
    let standing = desk.vault.view().standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.settles_to, standing.weights.ahead), (0, ROTATION_NOTICE, [0; 32]));
    assert_ne!(standing.proven_head, standing.head);
    desk.decide(1).await;
    desk.vault.settle(&desk.settlement().bytes).await.unwrap();
    let standing = desk.vault.view().standing().await.unwrap();
    assert_eq!((standing.proven_steps, standing.settles_to, standing.weights.ahead_step), (1, ROTATION_NOTICE, ROTATION_NOTICE));
}

/// So many holds from the nth interval on, on a head.
async fn holds(desk: &Desk, n: u64, count: u32, on: [u8; 32]) -> Vec<(Observed, Move)> {
    let (first, accounts) = (desk.observe(n).await.step, desk.view().balances().await.unwrap());
    let mut all = Vec::new();
    for i in 0..count {
        let mut seen = desk.observe(n + u64::from(i)).await;
        (seen.step, seen.quote, seen.base, seen.shares) = (first + i, accounts.quote, accounts.base, accounts.shares);
        let made = if i == 0 { Move { head_before: on, ..hold(first) } } else { hold(first + i) };
        all.push((seen, made));
    }
    all
}

/// A vault that is not armed takes announcements too: head, weights and events, and no epochs.
#[tokio::test]
async fn a_vault_that_is_not_armed_takes_announcements() {
    let desk = Desk::open(POOL_500).await;
    let view = desk.view();
    let first = holds(&desk, 1, 2, head(0)).await;
    desk.vault.decide_holds(&first).await.unwrap();
    let announce = Announce { commitment: [5; 32], at_step: 14, head_before: head(2), head_after: [0x0f; 32] };
    let gas = desk.vault.announce(&announce).await.unwrap();
    println!("announced for {gas} gas");
    assert_eq!(view.position().await.unwrap(), (2, announce.head_after));
    assert!(view.epochs().await.unwrap().is_empty());
    refused(desk.vault.close_epoch().await, "NotArmed");
    // No proof ends at the head after an announcement; one of all decisions can be posted nevertheless, and no other one of more.
    desk.vault.post_proof(2, head(2), b"x").await.unwrap();
    refused(desk.vault.post_proof(3, head(3), b"x").await, "WrongStep(expected: 2)");
    refused(desk.vault.decide_holds(&holds(&desk, 3, 1, head(2)).await).await, &format!("WrongHead(expected: 0x{})", "0f".repeat(32)));
    // Thirteen holds in one transaction, the last one by the new weights.
    let rest = holds(&desk, 3, 13, announce.head_after).await;
    desk.vault.decide_holds(&rest).await.unwrap();
    let rotated = view.rotated(0).await.unwrap();
    assert_eq!((rotated.len(), rotated[0].step, rotated[0].commitment), (1, 14, announce.commitment));
    assert_eq!(view.weights().await.unwrap(), Weights { commitment: announce.commitment, ahead: [0; 32], ahead_step: 0 });
    assert!(view.epochs().await.unwrap().is_empty());
    refused(desk.vault.post_proof(15, head(2), b"x").await, &format!("WrongHead(expected: 0x{})", hex::encode(head(15))));
    // The next one may come; after the end none may.
    let next = Announce { commitment: [6; 32], at_step: 27, head_before: head(15), head_after: [0x1f; 32] };
    desk.vault.announce(&next).await.unwrap();
    let seen = view.announced(0).await.unwrap();
    assert_eq!(seen.iter().map(|a| (a.step, a.announce)).collect::<Vec<_>>(), [(2, announce), (15, next)]);
    assert_eq!(view.announced_at(15, 0).await.unwrap().as_ref(), seen.last());
    assert_eq!(view.weights().await.unwrap(), Weights { commitment: announce.commitment, ahead: next.commitment, ahead_step: 27 });
    desk.vault.close().await.unwrap();
    refused(desk.vault.announce(&Announce { head_before: next.head_after, ..next }).await, "WithdrawOnly");
}

/// Notice is time as well: decisions that come late, all at once, bring no take-over nearer.
#[tokio::test]
async fn late_decisions_do_not_shorten_the_notice() {
    let desk = Desk::open(POOL_500).await;
    let first = holds(&desk, 1, 2, head(0)).await;
    desk.vault.decide_holds(&first).await.unwrap();
    // Thirteen intervals without a decision, and everything after them.
    let announce = Announce { commitment: [5; 32], at_step: 14, head_before: head(2), head_after: [0x0f; 32] };
    let rest = holds(&desk, 3, 13, announce.head_after).await;
    desk.vault.announce(&announce).await.unwrap();
    let interval_s = rest[1].0.time_s - rest[0].0.time_s;
    let until = desk.world.chain.time_s().await.unwrap() + 11 * interval_s;
    let refusal = format!("NoticeNotOver(until: {until})");
    refused(desk.vault.decide_holds(&rest).await, &refusal);
    desk.vault.decide_holds(&rest[..12]).await.unwrap();
    refused(desk.vault.decide_holds(&rest[12..]).await, &refusal);
    assert_eq!(desk.view().position().await.unwrap().0, 14);
    desk.world.chain.advance_to(until).await.unwrap();
    desk.vault.decide_holds(&rest[12..]).await.unwrap();
    let rotated = desk.view().rotated(0).await.unwrap();
    assert_eq!((rotated.len(), rotated[0].step), (1, 14));
}

async fn armed() -> (Arc<SettlementSetup>, World, SettlementVerifier) {
    let (setup, world) = (setup(), World::stand_in().await);
    let operator = world.account(OPERATOR).await;
    let (verifier, _) = SettlementVerifier::deploy(&operator, setup.key.table()).await.unwrap();
    (setup, world, verifier)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_across_an_announcement_and_a_take_over_settle() {
    let (setup, world, verifier) = armed().await;
    let nothing = Announce { commitment: [1; 32], at_step: 12, head_before: [0; 32], head_after: [1; 32] };
    let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
    let unregistered = Vault::deploy(world.account(OPERATOR).await, USDC, WETH, pool.address).await.unwrap();
    refused(unregistered.announce(&nothing).await, "NotRegistered");
    across(&world, &setup, &verifier).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_with_another_head_cannot_be_settled() {
    let (setup, world, verifier) = armed().await;
    another_head(&world, &setup, &verifier).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_before_everything_starts_the_first_range() {
    let (setup, world, verifier) = armed().await;
    first_of_all(&world, &setup, &verifier).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_after_an_announcement_strict_terms_want_the_rest_first() {
    let (setup, world, verifier) = armed().await;
    strict(&world, &setup, &verifier).await;
}
