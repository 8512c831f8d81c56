//! The pool's own state at the blocks that records name: header, account and slots with their proofs, gathered for the verifier.
//!
//! Which observations are wanted is found by asking for words without proof; a node that lies about them gives proofs that do not fit.

use crate::onchain::header_fields;
use anyhow::{Context, Result};
use probity_chain::{Address, VaultView};
use probity_verifier::{DecisionSeen, PoolHead, PoolObservation, PoolSeen};
use std::collections::BTreeSet;

/// Asks for every decision, newest first, until the node has no proofs for a block: it has none for older ones either.
pub(crate) async fn gather(view: &VaultView, pool: Address, interval_s: u32, decisions: &[DecisionSeen]) -> Result<Vec<PoolSeen>> {
    let mut out = Vec::new();
    for decision in decisions.iter().rev() {
        match at(view, pool, interval_s, decision).await? {
            Some(seen) => out.push(seen),
            None => break,
        }
    }
    Ok(out)
}

/// What belongs to one decision; none if the node makes no proofs for its block.
async fn at(view: &VaultView, pool: Address, interval_s: u32, decision: &DecisionSeen) -> Result<Option<PoolSeen>> {
    let obs = &decision.observation;
    let number = obs.block_number;
    let Some(stored) = view.word_at(pool, PoolHead::place(), number).await? else { return Ok(None) };
    let head = PoolHead::of(&stored);
    let mut wanted = BTreeSet::from([head.index]);
    for second in [obs.time_s, obs.time_s.saturating_sub(interval_s.into())] {
        match around(view, pool, &head, second, number).await? {
            Some(places) => wanted.extend(places),
            None => return Ok(None),
        }
    }
    let slots: Vec<[u8; 32]> = std::iter::once(PoolHead::place()).chain(wanted.into_iter().map(PoolObservation::place)).collect();
    let Some((account, slots)) = view.proofs_at(pool, &slots, number).await? else { return Ok(None) };
    let header = view.header(number).await.with_context(|| format!("block {number}"))?;
    // Forks of a development chain have no state roots: nothing can be proven under zero.
    if header.fields.get(3).is_none_or(|root| root.bytes.iter().all(|b| *b == 0)) {
        return Ok(None);
    }
    Ok(Some(PoolSeen { step: obs.step, header: header_fields(header), account, slots }))
}

/// The places of the observations before and after a second: one, if that is the newest.
async fn around(view: &VaultView, pool: Address, head: &PoolHead, second: u64, number: u64) -> Result<Option<Vec<u16>>> {
    let size = u32::from(head.cardinality.max(1));
    // Age 0 is the newest.
    let place = |age: u32| -> Result<u16> { Ok(u16::try_from(u32::from(head.index).saturating_add(size).saturating_sub(age) % size)?) };
    let (mut younger, mut older) = (0u32, size);
    // The youngest that is not later than the second; a place that was never written counts as later than nothing.
    while younger < older {
        let age = younger.midpoint(older);
        let Some(stored) = view.word_at(pool, PoolObservation::place(place(age)?), number).await? else { return Ok(None) };
        let seen = PoolObservation::of(&stored);
        if !seen.initialized || seen.time_s <= second { older = age } else { younger = age.saturating_add(1) }
    }
    let before = younger.min(size.saturating_sub(1));
    let mut places = vec![place(before)?];
    if let Some(after) = before.checked_sub(1) {
        places.push(place(after)?);
    }
    Ok(Some(places))
}
