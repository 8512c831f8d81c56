//! The log against what the chain recorded: registration, observations, orders, fills, announcements, posted heads; complete both ways.
//!
//! Pure comparison: the caller brings [`ChainFacts`] from a node it trusts, and the report names that node. Nothing here
//! looks at the proof.

use crate::finding::{Code, Finding, Severity};
use crate::onchain_rotations::{AnnouncedSeen, RotatedSeen, Said, compare as compare_rotations};
use crate::since::ChainMark;
use crate::{Digest, Entry, Header, Line, LogReader, mandate_digest};
use probity_strategy::{Decision, Observation, Side};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::BufRead;

/// What the vault was registered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationSeen {
    /// Digest of the mandate.
    pub mandate_digest: [u8; 32],
    /// Commitment to the model.
    pub commitment: [u8; 32],
    /// Head before the first decision.
    pub genesis_head: [u8; 32],
    /// Unix time decisions are counted from, s.
    pub genesis_time_s: u64,
    /// Seconds between decisions.
    pub interval_s: u32,
    /// Largest trade, raw quote.
    pub max_trade_quote: u128,
    /// Worst fill, bps.
    pub max_slippage_bps: u16,
    /// Block of the registration.
    pub block_number: u64,
}

/// A decision as the vault recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionSeen {
    /// The observation that the vault computed itself.
    pub observation: Observation,
    /// Side, exact amount in and least amount out; none for a hold.
    pub order: Option<(Side, u128, u128)>,
    /// Head it was made on.
    pub head_before: [u8; 32],
    /// Head after it.
    pub head_after: [u8; 32],
    /// Transaction.
    pub tx_hash: [u8; 32],
    /// Block.
    pub block_number: u64,
    /// Hash that the node gives for the observation's block; none if it has no such block.
    pub anchor: Option<[u8; 32]>,
    /// Amount received, if the order was filled.
    pub filled: Option<u128>,
}

/// A swap of the vault in the pool, from the pool's own event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapSeen {
    /// Transaction.
    pub tx_hash: [u8; 32],
    /// Amount of token0 into the pool.
    pub amount0: i128,
    /// Amount of token1 into the pool.
    pub amount1: i128,
}

/// A posted proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedSeen {
    /// Decisions it covers.
    pub steps: u32,
    /// Head it proves.
    pub head: [u8; 32],
    /// Transaction.
    pub tx_hash: [u8; 32],
}

/// A fee that the share contract minted to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeSeen {
    /// Whose, `0x` and 40 hex digits.
    pub account: String,
    /// Shares.
    pub shares: u128,
}

/// Everything that a node said about one vault, in the order of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainFacts {
    /// Scheme and host of the node.
    pub node: String,
    /// The node's chain id.
    pub chain_id: u64,
    /// The vault's pool.
    pub pool: String,
    /// Block the facts were read at.
    pub block_number: u64,
    /// Whether the code at the vault's address is this program's vault.
    pub code_matches: bool,
    /// None before registration.
    pub registration: Option<RegistrationSeen>,
    /// Every recorded decision.
    pub decisions: Vec<DecisionSeen>,
    /// Every announcement of other weights, whatever was compared before.
    pub announced: Vec<AnnouncedSeen>,
    /// Every take-over, whatever was compared before.
    pub rotated: Vec<RotatedSeen>,
    /// Every swap of the vault in the pool.
    pub swaps: Vec<SwapSeen>,
    /// Every posted proof.
    pub posted: Vec<PostedSeen>,
    /// Every fee in shares.
    pub fees: Vec<FeeSeen>,
    /// Head that the vault holds now.
    pub head: [u8; 32],
}

/// How far the comparison reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChainCoverage {
    /// Node that was asked: the comparison is worth as much as its word.
    pub node: String,
    /// Block the facts were read at.
    pub block_number: u64,
    /// Decisions found in log and chain.
    pub decisions: u32,
    /// Orders that the chain filled.
    pub filled: u32,
    /// Orders that the chain did not fill.
    pub unfilled: u32,
    /// Proofs posted.
    pub proofs_posted: u32,
    /// Decisions covered by the posted proof that reaches farthest.
    pub decisions_posted: u32,
    /// Decisions and swaps up to this block were compared by an earlier audit and not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_block: Option<u64>,
    /// Decisions whose mean tick was proven from the pool's own storage, under the block that the record names.
    pub pool_proven: u32,
    /// The block header that the vault's registration, number of decisions and last head were proven under; none: the node's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<crate::TrustedHeader>,
}

/// Compares a log with the chain. Lines that do not parse end the comparison: the audit of the log itself reports them.
pub fn audit_chain<R: BufRead>(log: R, facts: &ChainFacts) -> (ChainCoverage, Vec<Finding>) {
    audit_chain_since(log, facts, None)
}

/// The same, where decisions and swaps up to a block were compared before: `since` holds that block, and the hash that the node gives
/// for its number now. The facts then hold decisions and swaps of later blocks only.
pub fn audit_chain_since<R: BufRead>(
    log: R,
    facts: &ChainFacts,
    since: Option<(&ChainMark, Option<[u8; 32]>)>,
) -> (ChainCoverage, Vec<Finding>) {
    let mut coverage = ChainCoverage { node: facts.node.clone(), block_number: facts.block_number, ..ChainCoverage::default() };
    let mut findings = Vec::new();
    if let Some((mark, now)) = since {
        let got = now.map_or_else(|| "no such block".to_owned(), |h| hash(&h));
        if got != mark.block_hash {
            let expected = format!("block {} with hash {}, as compared before", mark.block_number, mark.block_hash);
            findings.push(Finding::mismatch(Code::ChainRewritten, expected, got).field("audit_state.chain.block_hash"));
            return (coverage, findings);
        }
        (coverage.decisions, coverage.filled, coverage.unfilled) = (mark.decisions, mark.filled, mark.unfilled);
        coverage.since_block = Some(mark.block_number);
    }
    let from = coverage.decisions;
    let Ok(mut reader) = LogReader::new(log) else { return (coverage, findings) };
    let header = reader.header().clone();
    promise(&header, facts, &mut findings);
    let mut heads = BTreeMap::from([(0u32, header.genesis_head)]);
    let mut chain = facts.decisions.iter();
    let mut passed = 0u32;
    let mut swaps: BTreeMap<[u8; 32], Vec<&SwapSeen>> = BTreeMap::new();
    for swap in &facts.swaps {
        swaps.entry(swap.tx_hash).or_default().push(swap);
    }
    let mut head_before = header.genesis_head;
    let (mut said, mut made) = (Vec::new(), 0u32);
    while let Ok(Some(line)) = reader.next_line() {
        let entry = match line {
            Line::Entry(entry) => entry,
            Line::Announcement(announcement) => {
                let head = announcement.head;
                said.push(Said { line: reader.line(), step: made, head_before, announcement });
                head_before = head;
                continue;
            }
            Line::Seal(_) => continue,
        };
        made = made.saturating_add(1);
        let (at, step) = (reader.line(), entry.record.observation.step);
        if passed < from {
            passed = passed.saturating_add(1);
            head_before = entry.head;
            heads.insert(step.saturating_add(1), entry.head);
            continue;
        }
        let start = findings.len();
        match chain.next() {
            None => {
                let what = format!("expected a decision {step} of the vault, got none");
                findings.push(Finding::error(Code::DecisionNotOnChain, what).field("record"));
            }
            Some(seen) => {
                compare(&entry, head_before, seen, &mut findings);
                let swap = swaps.remove(&seen.tx_hash).unwrap_or_default();
                trade(&header, seen, &swap, &mut findings);
                coverage.decisions = coverage.decisions.saturating_add(1);
                match (seen.order, seen.filled) {
                    (Some(_), Some(_)) => coverage.filled = coverage.filled.saturating_add(1),
                    (Some(_), None) => coverage.unfilled = coverage.unfilled.saturating_add(1),
                    _ => {}
                }
            }
        }
        for finding in findings.iter_mut().skip(start) {
            (finding.line, finding.step) = (Some(at), Some(step));
        }
        head_before = entry.head;
        heads.insert(step.saturating_add(1), entry.head);
    }
    for seen in chain {
        let what = format!("the vault decided in transaction {}, and the log does not have it", hash(&seen.tx_hash));
        let mut finding = Finding::error(Code::DecisionNotInLog, what);
        finding.step = Some(seen.observation.step);
        findings.push(finding);
    }
    for tx in swaps.keys() {
        findings
            .push(Finding::error(Code::SwapWithoutDecision, format!("the vault swapped in transaction {}, and no decision did", hash(tx))));
    }
    let taken = from.saturating_add(u32::try_from(facts.decisions.len()).unwrap_or(u32::MAX));
    let complete = compare_rotations(&said, &facts.announced, &facts.rotated, taken, &mut findings);
    posted(facts, &heads, &mut coverage, &mut findings);
    fees(facts, &mut findings);
    if passed < from {
        findings.push(Finding::mismatch(Code::DecisionNotInLog, format!("{from} decisions, as compared before"), passed));
    }
    let compared = usize::try_from(coverage.decisions.saturating_sub(from)).unwrap_or(usize::MAX);
    if facts.head != head_before.to_bytes() && facts.decisions.len() == compared && complete {
        findings.push(Finding::mismatch(Code::ChainHeadMismatch, head_before, hash(&facts.head)).field("head"));
    }
    (coverage, findings)
}

/// Chain, vault and registration against mandate and commitment.
fn promise(header: &Header, facts: &ChainFacts, findings: &mut Vec<Finding>) {
    let (start, m) = (findings.len(), &header.mandate);
    if facts.chain_id != m.chain_id {
        findings.push(Finding::mismatch(Code::OtherChain, m.chain_id, facts.chain_id).field("mandate.chain_id"));
    }
    if facts.pool != m.pool {
        findings.push(Finding::mismatch(Code::RegistrationMismatch, &m.pool, &facts.pool).field("mandate.pool"));
    }
    if !facts.code_matches {
        let what = "the code at the vault's address is not the vault that this program was built with: its events prove nothing";
        findings.push(Finding::error(Code::VaultCode, what).field("mandate.vault"));
    }
    match &facts.registration {
        None => findings.push(Finding::error(Code::NotRegistered, "expected a registration of mandate and commitment, got none")),
        Some(r) => {
            let expected = [
                ("mandate_digest", mandate_digest(m).to_bytes(), r.mandate_digest),
                ("model_commitment", header.model_commitment.to_bytes(), r.commitment),
                ("genesis_head", header.genesis_head.to_bytes(), r.genesis_head),
            ];
            for (field, want, got) in expected {
                if want != got {
                    findings.push(Finding::mismatch(Code::RegistrationMismatch, hash(&want), hash(&got)).field(field));
                }
            }
            let numbers = [
                ("mandate.genesis_time_s", u128::from(m.genesis_time_s), u128::from(r.genesis_time_s)),
                ("mandate.interval_s", m.interval_s.into(), r.interval_s.into()),
                ("mandate.limits.max_trade_quote", m.limits.max_trade_quote.raw(), r.max_trade_quote),
                ("mandate.limits.max_slippage_bps", m.limits.max_slippage_bps.into(), r.max_slippage_bps.into()),
            ];
            for (field, want, got) in numbers {
                if want != got {
                    findings.push(Finding::mismatch(Code::RegistrationMismatch, want, got).field(field));
                }
            }
            if let Some(first) = facts.decisions.first().filter(|d| d.block_number < r.block_number) {
                let expected = format!("a first decision at or after block {}", r.block_number);
                findings.push(Finding::mismatch(Code::RegisteredLate, expected, first.block_number));
            }
        }
    }
    for finding in findings.iter_mut().skip(start) {
        finding.line = Some(1);
    }
}

/// One record against the vault's own record of it.
fn compare(entry: &Entry, head_before: Digest, seen: &DecisionSeen, findings: &mut Vec<Finding>) {
    let (ours, theirs) = (&entry.record.observation, &seen.observation);
    let mut differ = |field: &str, chain: String, log: String| {
        if chain != log {
            findings.push(Finding::mismatch(Code::ObservationMismatch, chain, log).field(format!("record.observation.{field}")));
        }
    };
    differ("step", theirs.step.to_string(), ours.step.to_string());
    differ("time_s", theirs.time_s.to_string(), ours.time_s.to_string());
    differ("block_number", theirs.block_number.to_string(), ours.block_number.to_string());
    differ("block_hash", hash(&theirs.block_hash), hash(&ours.block_hash));
    differ("mean_tick", theirs.mean_tick.to_string(), ours.mean_tick.to_string());
    differ("price_x64", theirs.price_x64.x64().to_string(), ours.price_x64.x64().to_string());
    differ("quote", theirs.quote.raw().to_string(), ours.quote.raw().to_string());
    differ("base", theirs.base.raw().to_string(), ours.base.raw().to_string());
    differ("shares", theirs.shares.raw().to_string(), ours.shares.raw().to_string());
    let fill = |o: &Observation| o.fill.map_or_else(|| "none".to_owned(), |f| f.amount_out.raw().to_string());
    differ("fill", fill(theirs), fill(ours));
    if seen.anchor != Some(ours.block_hash) {
        let got = seen.anchor.map_or_else(|| "no such block".to_owned(), |h| hash(&h));
        findings.push(Finding::mismatch(Code::AnchorMismatch, got, hash(&ours.block_hash)).field("record.observation.block_hash"));
    }
    let Decision { order, .. } = entry.record.decision;
    let order = order.map(|o| (o.side, o.amount_in.raw(), o.min_out));
    if order != seen.order {
        findings
            .push(Finding::mismatch(Code::OrderMismatch, format!("{:?}", seen.order), format!("{order:?}")).field("record.decision.order"));
    }
    for (field, log, chain) in [("head_before", head_before, seen.head_before), ("head", entry.head, seen.head_after)] {
        if log.to_bytes() != chain {
            findings.push(Finding::mismatch(Code::ChainHeadMismatch, hash(&chain), log).field(field));
        }
    }
}

/// An order's fill against the pool's own event.
fn trade(header: &Header, seen: &DecisionSeen, swaps: &[&SwapSeen], findings: &mut Vec<Finding>) {
    match (seen.order, seen.filled, swaps) {
        (_, None, []) => {}
        (Some((side, amount_in, _)), Some(out), [swap]) => {
            let (quote, base) = if header.mandate.base_is_token1 { (swap.amount0, swap.amount1) } else { (swap.amount1, swap.amount0) };
            let (given, taken) = if side == Side::Buy { (quote, base) } else { (base, quote) };
            if u128::try_from(given) != Ok(amount_in) || u128::try_from(taken.saturating_neg()) != Ok(out) {
                let expected = format!("{amount_in} in and {out} out, as the vault says");
                findings.push(Finding::mismatch(Code::SwapMismatch, expected, format!("{given} in and {} out", taken.saturating_neg())));
            }
        }
        (_, filled, swaps) => {
            let expected = format!("{} swap of the vault in transaction {}", u8::from(filled.is_some()), hash(&seen.tx_hash));
            findings.push(Finding::mismatch(Code::SwapMismatch, expected, swaps.len()));
        }
    }
}

/// What was charged in shares, in one line each for whom it went to.
fn fees(facts: &ChainFacts, findings: &mut Vec<Finding>) {
    let mut all: BTreeMap<&str, (u32, u128)> = BTreeMap::new();
    for fee in &facts.fees {
        let (times, shares) = all.entry(&fee.account).or_default();
        (*times, *shares) = (times.saturating_add(1), shares.saturating_add(fee.shares));
    }
    for (account, (times, shares)) in all {
        let what = format!("{shares} shares were minted to {account} as fees, {times} times");
        findings.push(Finding::new(Severity::Info, Code::FeeShares, what).field("record.observation.shares"));
    }
}

/// Posted heads are heads of the log.
fn posted(facts: &ChainFacts, heads: &BTreeMap<u32, Digest>, coverage: &mut ChainCoverage, findings: &mut Vec<Finding>) {
    for post in &facts.posted {
        coverage.proofs_posted = coverage.proofs_posted.saturating_add(1);
        match heads.get(&post.steps) {
            Some(head) if head.to_bytes() == post.head => coverage.decisions_posted = coverage.decisions_posted.max(post.steps),
            Some(head) => {
                let mut finding = Finding::mismatch(Code::PostedHeadMismatch, head, hash(&post.head)).field("posted.head");
                finding.step = post.steps.checked_sub(1);
                findings.push(finding);
            }
            None => {
                let what = format!("a proof of {} decisions was posted in {}, more than the log has", post.steps, hash(&post.tx_hash));
                findings.push(Finding::error(Code::PostedHeadMismatch, what).field("posted.steps"));
            }
        }
    }
    if coverage.decisions_posted < coverage.decisions {
        let what = format!("{} of {} decisions are covered by posted proofs", coverage.decisions_posted, coverage.decisions);
        findings.push(Finding::new(Severity::Warn, Code::ProofNotPosted, what));
    }
}

fn hash(bytes: &[u8; 32]) -> String {
    format!("0x{}", hex::encode(bytes))
}
