//! The log against the chain: an honest pair has no finding, and every fact that is changed on either side is found by name.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use probity_strategy::{Amount, Fill, Price, Side};
use probity_verifier::{
    AnnouncedSeen, Announcement, ChainCoverage, ChainFacts, ChainMark, Code, DecisionSeen, Digest, Entry, FeeSeen, Finding, Header,
    PostedSeen, RegistrationSeen, RotatedSeen, Rotation, Salt, Severity, SwapSeen, audit_chain, audit_chain_since, commit_model, next_head,
    rotation_head,
};

struct Pair {
    header: Header,
    entries: Vec<Entry>,
    /// Announcements, and the number of the entry that each stands before.
    announcements: Vec<(usize, Announcement)>,
    facts: ChainFacts,
}

/// A log and a chain that agree: every order whose fill the next observation shows was swapped.
fn honest() -> Pair {
    let mandate = common::mandate();
    let model = common::model(&mandate.model, 0);
    let header = Header::new(mandate.clone(), commit_model(&mandate.model, &model, &Salt::new([7; 32])));
    let mut head = header.genesis_head;
    let entries: Vec<Entry> = common::run(&mandate, &model, 40)
        .into_iter()
        .map(|record| {
            head = next_head(&head, &record);
            Entry { record, head }
        })
        .collect();
    let mut before = header.genesis_head;
    let (mut decisions, mut swaps) = (Vec::new(), Vec::new());
    for (i, entry) in entries.iter().enumerate() {
        let tx_hash = [u8::try_from(i + 1).unwrap(); 32];
        let order = entry.record.decision.order.map(|o| (o.side, o.amount_in.raw(), o.min_out));
        let filled = entries.get(i + 1).and_then(|next| next.record.observation.fill).map(|f| f.amount_out.raw());
        if let (Some((side, given, _)), Some(out)) = (order, filled) {
            let (given, taken) = (i128::try_from(given).unwrap(), -i128::try_from(out).unwrap());
            let (amount0, amount1) = if side == Side::Buy { (given, taken) } else { (taken, given) };
            swaps.push(SwapSeen { tx_hash, amount0, amount1 });
        }
        decisions.push(DecisionSeen {
            observation: entry.record.observation.clone(),
            order,
            head_before: before.to_bytes(),
            head_after: entry.head.to_bytes(),
            tx_hash,
            block_number: 100 + u64::try_from(i).unwrap(),
            anchor: Some(entry.record.observation.block_hash),
            filled,
        });
        before = entry.head;
    }
    let last = entries.last().unwrap().head.to_bytes();
    let facts = ChainFacts {
        node: "http://node".into(),
        chain_id: 1,
        pool: mandate.pool.clone(),
        block_number: 200,
        code_matches: true,
        registration: Some(RegistrationSeen {
            mandate_digest: header.mandate_digest.to_bytes(),
            commitment: header.model_commitment.to_bytes(),
            genesis_head: header.genesis_head.to_bytes(),
            genesis_time_s: mandate.genesis_time_s,
            interval_s: mandate.interval_s,
            max_trade_quote: mandate.limits.max_trade_quote.raw(),
            max_slippage_bps: mandate.limits.max_slippage_bps,
            block_number: 99,
        }),
        decisions,
        announced: Vec::new(),
        rotated: Vec::new(),
        swaps,
        posted: vec![PostedSeen { steps: 40, head: last, tx_hash: [200; 32] }],
        fees: Vec::new(),
        head: last,
    };
    Pair { header, entries, announcements: Vec::new(), facts }
}

/// The same with an announcement before decision 10 that takes over at 25, and one before decision 40 that comes last.
fn announced() -> Pair {
    let mut pair = honest();
    let digest = |n: u8| Digest::from_bytes([n; 32]).unwrap();
    let rotations = [(10, Rotation { commitment: digest(5), at_step: 25 }), (40, Rotation { commitment: digest(6), at_step: 52 })];
    let mut head = pair.header.genesis_head;
    for step in 0..=40 {
        if let Some((_, rotation)) = rotations.iter().find(|(before, _)| *before == step) {
            let before = head;
            head = rotation_head(&head, rotation);
            pair.announcements.push((step, Announcement { rotation: *rotation, head }));
            pair.facts.announced.push(AnnouncedSeen {
                step: u32::try_from(step).unwrap(),
                commitment: rotation.commitment.to_bytes(),
                at_step: rotation.at_step,
                head_before: before.to_bytes(),
                head_after: head.to_bytes(),
                tx_hash: [99; 32],
            });
        }
        let (Some(entry), Some(seen)) = (pair.entries.get_mut(step), pair.facts.decisions.get_mut(step)) else { break };
        seen.head_before = head.to_bytes();
        head = next_head(&head, &entry.record);
        (entry.head, seen.head_after) = (head, head.to_bytes());
        pair.facts.posted[0].head = head.to_bytes();
    }
    pair.facts.rotated = vec![RotatedSeen { step: 25, commitment: digest(5).to_bytes(), tx_hash: [98; 32] }];
    pair.facts.head = head.to_bytes();
    pair
}

fn findings(pair: &Pair) -> Vec<Finding> {
    audit_chain(text(pair).as_bytes(), &pair.facts).1
}

fn text(pair: &Pair) -> String {
    let mut log = serde_json::to_string(&pair.header).unwrap() + "\n";
    for step in 0..=pair.entries.len() {
        for (_, announcement) in pair.announcements.iter().filter(|(before, _)| *before == step) {
            log += &(serde_json::to_string(announcement).unwrap() + "\n");
        }
        if let Some(entry) = pair.entries.get(step) {
            log += &(serde_json::to_string(entry).unwrap() + "\n");
        }
    }
    log
}

fn codes(pair: &Pair) -> Vec<(Code, Option<u32>)> {
    findings(pair).iter().filter(|f| f.severity == Severity::Error).map(|f| (f.code, f.step)).collect()
}

/// Index of a filled order, and of a hold.
fn places(pair: &Pair) -> (usize, usize) {
    let filled = pair.facts.decisions.iter().position(|d| d.filled.is_some()).unwrap();
    let hold = pair.facts.decisions.iter().position(|d| d.order.is_none()).unwrap();
    (filled, hold)
}

#[test]
fn fees_in_shares_are_told_and_are_no_fault() {
    let mut pair = honest();
    let fee = |account: &str, shares| FeeSeen { account: account.into(), shares };
    pair.facts.fees = vec![fee("0xaa", 5), fee("0xbb", 1), fee("0xaa", 7)];
    let found = findings(&pair);
    assert!(found.iter().all(|f| (f.severity, f.code) == (Severity::Info, Code::FeeShares)));
    let said: Vec<_> = found.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(said, ["12 shares were minted to 0xaa as fees, 2 times", "1 shares were minted to 0xbb as fees, 1 times"]);
}

#[test]
fn an_honest_pair_has_no_finding() {
    let pair = honest();
    assert_eq!(findings(&pair), vec![]);
    assert!(pair.facts.swaps.len() > 3, "the market has fills");
    assert!(pair.facts.decisions.iter().any(|d| d.order.is_some() && d.filled.is_none()), "and orders that were not filled");
}

#[test]
fn every_changed_observation_is_found() {
    type Change = fn(&mut probity_strategy::Observation);
    let changes: [Change; 10] = [
        |o| o.step += 1,
        |o| o.time_s += 1,
        |o| o.block_number += 1,
        |o| o.block_hash[0] ^= 1,
        |o| o.mean_tick += 1,
        |o| o.price_x64 = Price::new(o.price_x64.x64() + 1).unwrap(),
        |o| o.quote = Amount::new(o.quote.raw() + 1).unwrap(),
        |o| o.base = Amount::new(o.base.raw() + 1).unwrap(),
        |o| o.shares = Amount::new(o.shares.raw() + 1).unwrap(),
        |o| o.fill = if o.fill.is_some() { None } else { Some(Fill { amount_out: Amount::ZERO }) },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut pair = honest();
        change(&mut pair.facts.decisions[12].observation);
        assert_eq!(codes(&pair), vec![(Code::ObservationMismatch, Some(12))], "change {i}");
    }
    let mut pair = honest();
    pair.facts.decisions[12].anchor = None;
    assert_eq!(codes(&pair), vec![(Code::AnchorMismatch, Some(12))]);
    pair.facts.decisions[12].anchor = Some([8; 32]);
    assert_eq!(codes(&pair), vec![(Code::AnchorMismatch, Some(12))]);
}

#[test]
fn orders_heads_and_swaps_match_both_ways() {
    let (filled, hold) = places(&honest());
    let step = |i: usize| Some(u32::try_from(i).unwrap());
    let with = |change: &dyn Fn(&mut ChainFacts)| {
        let mut pair = honest();
        change(&mut pair.facts);
        codes(&pair)
    };
    // Side, amount, limit; a hold that became an order and the reverse.
    for change in [
        |o: &mut (Side, u128, u128)| o.0 = if o.0 == Side::Buy { Side::Sell } else { Side::Buy },
        |o: &mut (Side, u128, u128)| o.1 += 1,
        |o: &mut (Side, u128, u128)| o.2 -= 1,
    ] {
        let found = with(&|f| change(f.decisions[filled].order.as_mut().unwrap()));
        assert!(found.contains(&(Code::OrderMismatch, step(filled))), "{found:?}");
    }
    assert_eq!(with(&|f| f.decisions[hold].order = Some((Side::Buy, 1, 1))), vec![(Code::OrderMismatch, step(hold))]);
    assert_eq!(with(&|f| f.decisions[5].head_before[31] ^= 1), vec![(Code::ChainHeadMismatch, Some(5))]);
    assert_eq!(with(&|f| f.decisions[5].head_after[31] ^= 1), vec![(Code::ChainHeadMismatch, Some(5))]);
    // A fill that the pool does not know, one that it knows otherwise, a swap nobody decided, a second swap in one decision.
    assert_eq!(
        with(&|f| {
            f.swaps.remove(0);
        }),
        vec![(Code::SwapMismatch, step(filled))]
    );
    assert_eq!(with(&|f| f.swaps[0].amount0 += 1), vec![(Code::SwapMismatch, step(filled))]);
    assert_eq!(with(&|f| f.swaps[0].amount1 += 1), vec![(Code::SwapMismatch, step(filled))]);
    let stray = SwapSeen { tx_hash: [250; 32], amount0: 1, amount1: -1 };
    assert_eq!(with(&|f| f.swaps.push(stray.clone())), vec![(Code::SwapWithoutDecision, None)]);
    assert_eq!(with(&|f| f.swaps.push(f.swaps[0].clone())), vec![(Code::SwapMismatch, step(filled))]);
    assert_eq!(with(&|f| f.head[31] ^= 1), vec![(Code::ChainHeadMismatch, None)]);
}

#[test]
fn omissions_on_either_side_are_found() {
    let mut pair = honest();
    let last = pair.entries.pop().unwrap();
    let found = codes(&pair);
    assert!(found.contains(&(Code::DecisionNotInLog, Some(39))), "{found:?}");
    assert!(found.contains(&(Code::PostedHeadMismatch, None)), "a proof of more than the log has: {found:?}");
    pair.entries.push(last);
    pair.facts.decisions.pop();
    assert!(codes(&pair).contains(&(Code::DecisionNotOnChain, Some(39))));
    // A record left out of the middle.
    let mut pair = honest();
    pair.entries.remove(20);
    let found = codes(&pair);
    assert!(found.contains(&(Code::ObservationMismatch, Some(21))) && found.contains(&(Code::DecisionNotInLog, Some(39))), "{found:?}");
}

#[test]
fn the_promise_must_be_the_registered_one() {
    let with = |change: &dyn Fn(&mut ChainFacts)| {
        let mut pair = honest();
        change(&mut pair.facts);
        codes(&pair)
    };
    assert_eq!(with(&|f| f.chain_id = 10), vec![(Code::OtherChain, None)]);
    assert_eq!(with(&|f| f.pool = format!("0x{}", "33".repeat(20))), vec![(Code::RegistrationMismatch, None)]);
    assert_eq!(with(&|f| f.code_matches = false), vec![(Code::VaultCode, None)]);
    assert_eq!(with(&|f| f.registration = None), vec![(Code::NotRegistered, None)]);
    type Change = fn(&mut RegistrationSeen);
    let changes: [Change; 7] = [
        |r| r.mandate_digest[31] ^= 1,
        |r| r.commitment[31] ^= 1,
        |r| r.genesis_head[31] ^= 1,
        |r| r.genesis_time_s += 1,
        |r| r.interval_s += 1,
        |r| r.max_trade_quote += 1,
        |r| r.max_slippage_bps += 1,
    ];
    for change in changes {
        assert_eq!(with(&|f| change(f.registration.as_mut().unwrap())), vec![(Code::RegistrationMismatch, None)]);
    }
    assert_eq!(with(&|f| f.registration.as_mut().unwrap().block_number = 101), vec![(Code::RegisteredLate, None)]);
}

/// What one side has of announcements and take-overs and the other has not, or has otherwise, is found by name.
#[test]
fn announcements_are_complete_both_ways() {
    assert_eq!(findings(&announced()), vec![]);
    let with = |change: &dyn Fn(&mut Pair)| {
        let mut pair = announced();
        change(&mut pair);
        let found = findings(&pair);
        assert!(found.iter().all(|f| f.severity == Severity::Error), "{found:?}");
        found.into_iter().map(|f| (f.code, f.step, f.field.unwrap_or_default())).collect::<Vec<_>>()
    };
    let found = |code, step, field: &str| vec![(code, Some(step), field.to_owned())];
    // The last one: nothing was decided on it yet. First the log lacks it, then the vault.
    assert_eq!(
        with(&|p| {
            p.announcements.pop();
        }),
        found(Code::AnnouncementNotInLog, 40, "")
    );
    let lacking = with(&|p| {
        p.facts.announced.pop();
        p.facts.head = p.facts.decisions.last().unwrap().head_after;
    });
    assert_eq!(lacking, found(Code::AnnouncementNotOnChain, 40, "rotation"));
    // Other weights, another step, another head.
    let other = |change: fn(&mut AnnouncedSeen)| with(&move |p| change(&mut p.facts.announced[0]));
    assert_eq!(other(|a| a.commitment[0] ^= 1), found(Code::AnnouncementMismatch, 10, "rotation.commitment"));
    assert_eq!(other(|a| a.at_step += 1), found(Code::AnnouncementMismatch, 10, "rotation.at_step"));
    assert_eq!(other(|a| a.head_before[0] ^= 1), found(Code::AnnouncementMismatch, 10, "head_before"));
    assert_eq!(other(|a| a.head_after[0] ^= 1), found(Code::AnnouncementMismatch, 10, "head"));
    // Before another decision: neither has the other's.
    let moved = other(|a| a.step = 11);
    assert_eq!(moved, [found(Code::AnnouncementNotOnChain, 10, "rotation"), found(Code::AnnouncementNotInLog, 11, "")].concat());
    // One more on the vault, of the same step.
    let twice = with(&|p| {
        let again = p.facts.announced[0].clone();
        p.facts.announced.insert(1, again);
    });
    assert_eq!(twice, found(Code::AnnouncementNotInLog, 10, ""));
    // Take-overs: none, of other weights, at another step, one that was never announced.
    assert_eq!(with(&|p| p.facts.rotated.clear()), found(Code::TakeOverMismatch, 25, "rotation.at_step"));
    assert_eq!(with(&|p| p.facts.rotated[0].commitment[0] ^= 1), found(Code::TakeOverMismatch, 25, "rotation.at_step"));
    let later = with(&|p| p.facts.rotated[0].step = 26);
    assert_eq!(later, [found(Code::TakeOverMismatch, 25, "rotation.at_step"), found(Code::TakeOverMismatch, 26, "")].concat());
    let more = with(&|p| p.facts.rotated.push(RotatedSeen { step: 30, commitment: [1; 32], tx_hash: [1; 32] }));
    assert_eq!(more, found(Code::TakeOverMismatch, 30, ""));
    // A vault that was never told decides on heads that are not the log's from there on.
    let silent = with(&|p| {
        p.facts.announced.remove(0);
        p.facts.decisions[10].head_before = p.facts.decisions[9].head_after;
    });
    assert_eq!(silent[0], (Code::ChainHeadMismatch, Some(10), "head_before".to_owned()));
    assert_eq!(silent[1..], found(Code::AnnouncementNotOnChain, 10, "rotation"));
}

#[test]
fn posted_heads_are_heads_of_the_log() {
    let mut pair = honest();
    pair.facts.posted[0].head = Digest::from_bytes([0; 32]).unwrap().to_bytes();
    assert_eq!(codes(&pair), vec![(Code::PostedHeadMismatch, Some(39))]);
    pair.facts.posted[0].steps = 41;
    assert_eq!(codes(&pair), vec![(Code::PostedHeadMismatch, None)]);
    pair.facts.posted.clear();
    let found = findings(&pair);
    assert_eq!(found.iter().map(|f| (f.severity, f.code)).collect::<Vec<_>>(), vec![(Severity::Warn, Code::ProofNotPosted)]);
}

/// From an earlier block on, later decisions are compared and the counts go on; another block of that number ends it.
#[test]
fn a_comparison_goes_on_from_an_earlier_block() {
    let pair = honest();
    let log = text(&pair);
    let (whole, findings) = audit_chain(log.as_bytes(), &pair.facts);
    assert!(findings.iter().all(|f| f.severity != Severity::Error));
    let early: Vec<&DecisionSeen> = pair.facts.decisions.iter().filter(|d| d.block_number <= 119).collect();
    let count = |n: usize| u32::try_from(n).unwrap();
    let mark = ChainMark {
        block_number: 119,
        block_hash: format!("0x{}", "aa".repeat(32)),
        decisions: count(early.len()),
        filled: count(early.iter().filter(|d| d.filled.is_some()).count()),
        unfilled: count(early.iter().filter(|d| d.order.is_some() && d.filled.is_none()).count()),
    };
    let mut facts = pair.facts.clone();
    facts.decisions.retain(|d| d.block_number > 119);
    facts.swaps.retain(|s| facts.decisions.iter().any(|d| d.tx_hash == s.tx_hash));
    let (coverage, findings) = audit_chain_since(log.as_bytes(), &facts, Some((&mark, Some([0xaa; 32]))));
    assert!(findings.iter().all(|f| f.severity != Severity::Error), "{findings:?}");
    assert_eq!((coverage.since_block, ChainCoverage { since_block: None, ..coverage }), (Some(119), whole));
    for now in [None, Some([0xab; 32])] {
        let (_, findings) = audit_chain_since(log.as_bytes(), &facts, Some((&mark, now)));
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::ChainRewritten]);
    }
    facts.decisions[3].observation.quote = Amount::new(1).unwrap();
    let (_, findings) = audit_chain_since(log.as_bytes(), &facts, Some((&mark, Some([0xaa; 32]))));
    let errors: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error).map(|f| (f.code, f.step)).collect();
    assert_eq!(errors, [(Code::ObservationMismatch, Some(mark.decisions + 3))]);
    let ahead = ChainMark { decisions: 41, ..mark };
    facts.decisions.clear();
    let (_, findings) = audit_chain_since(log.as_bytes(), &facts, Some((&ahead, Some([0xaa; 32]))));
    assert!(findings.iter().any(|f| f.code == Code::DecisionNotInLog), "{findings:?}");
}
