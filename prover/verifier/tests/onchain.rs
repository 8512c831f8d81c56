//! The log against the chain: an honest pair has no finding, and every fact that is changed on either side is found by name.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use probity_strategy::{Amount, Fill, Price, Side};
use probity_verifier::{
    ChainCoverage, ChainFacts, ChainMark, Code, DecisionSeen, Digest, Entry, FeeSeen, Finding, Header, PostedSeen, RegistrationSeen, Salt,
    Severity, SwapSeen, audit_chain, audit_chain_since, commit_model, next_head,
};

struct Pair {
    header: Header,
    entries: Vec<Entry>,
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
        swaps,
        posted: vec![PostedSeen { steps: 40, head: last, tx_hash: [200; 32] }],
        fees: Vec::new(),
        head: last,
    };
    Pair { header, entries, facts }
}

fn findings(pair: &Pair) -> Vec<Finding> {
    audit_chain(text(pair).as_bytes(), &pair.facts).1
}

fn text(pair: &Pair) -> String {
    let mut log = serde_json::to_string(&pair.header).unwrap() + "\n";
    for entry in &pair.entries {
        log += &(serde_json::to_string(entry).unwrap() + "\n");
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
