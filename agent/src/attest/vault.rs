//! What the vault's chain says of an attested log: who operates the vault and where its proofs were posted.

use super::document::{Place, hex0x};
use crate::keys;
use anyhow::Result;
use probity_chain::{Address, Posted, VaultView, keccak};
use probity_strategy::Mandate;

/// What was seen.
pub(crate) struct Seen {
    pub(crate) operator: Address,
    posted: Vec<Posted>,
}

impl Seen {
    /// Every place where this proof was posted.
    pub(crate) fn places(&self, proof: &[u8]) -> Vec<Place> {
        let digest = keccak(proof);
        let same = self.posted.iter().filter(|p| p.digest == digest);
        same.map(|p| Place { tx_hash: hex0x(&p.tx_hash), block_number: p.block_number, decisions: p.steps }).collect()
    }

    /// The first of them.
    pub(crate) fn place(&self, proof: &[u8]) -> Option<Place> {
        self.places(proof).into_iter().next()
    }
}

/// Asks a node about the vault of a mandate; why not, if it cannot tell.
pub(crate) async fn look(url: &str, mandate: Option<&Mandate>) -> Result<Result<Seen, String>> {
    let Some(mandate) = mandate else { return Ok(Err("the log has no header".to_owned())) };
    let view = VaultView::at(url, keys::address("mandate.vault", &mandate.vault)?)?;
    let got = view.chain_id().await?;
    if got != mandate.chain_id {
        return Ok(Err(format!("the node is of chain {got}, the vault of chain {}: name one with --vault-rpc", mandate.chain_id)));
    }
    if !view.exists().await? {
        return Ok(Err(format!("no contract at the log's vault {} on this chain", mandate.vault)));
    }
    // Another contract's word is nobody's.
    if !view.code_matches().await? {
        return Ok(Err(format!("the code at {} is not this version's vault", mandate.vault)));
    }
    let (_, block) = view.registration().await?;
    Ok(Ok(Seen { operator: view.operator().await?, posted: view.posted(block).await? }))
}
