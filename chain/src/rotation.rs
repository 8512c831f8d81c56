//! Announcements of other weights on the vault, and their take-overs.

use crate::ChainError;
use crate::attempt::{Attempt, Notes};
use crate::contracts::{AnnouncedFilter, RotatedFilter};
use crate::vault::{Vault, gas_of};
use crate::view::VaultView;
use ethers::types::H256;

/// An announcement as the operator sends it: right before the next decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// Commitment to the weights that take over.
    pub commitment: [u8; 32],
    /// The first decision that they make.
    pub at_step: u32,
    /// Head before the announcement: that after the last decision.
    pub head_before: [u8; 32],
    /// Head after it, on which the next decision is made.
    pub head_after: [u8; 32],
}

/// An announcement as the chain recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Decisions before it.
    pub step: u32,
    /// What was announced.
    pub announce: Announce,
    /// Block.
    pub block_number: u64,
    /// Transaction.
    pub tx_hash: [u8; 32],
}

/// A take-over as the chain recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The first decision of the weights.
    pub step: u32,
    /// Their commitment.
    pub commitment: [u8; 32],
    /// Block.
    pub block_number: u64,
    /// Transaction: the decision's.
    pub tx_hash: [u8; 32],
}

/// Which weights decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Commitment in force.
    pub commitment: [u8; 32],
    /// Commitment that was announced and has not taken over; 0 without one.
    pub ahead: [u8; 32],
    /// The first decision of those weights; 0 without them.
    pub ahead_step: u32,
}

impl Vault {
    /// Announces other weights before the next decision; returns the gas used. The operator's.
    pub async fn announce(&self, announce: &Announce) -> Result<u64, ChainError> {
        self.announce_noting(announce, Vec::new(), &mut ()).await
    }

    /// The same, telling of every stage; `earlier` are the transactions that an earlier start signed for this announcement.
    pub async fn announce_noting(&self, announce: &Announce, earlier: Vec<Attempt>, notes: &mut dyn Notes) -> Result<u64, ChainError> {
        let Announce { commitment, at_step, head_before, head_after } = *announce;
        let call = self.contract().announce(commitment, at_step, head_before, head_after);
        let receipt = self.call_noting("announce", call.calldata(), earlier, notes).await?;
        gas_of(&receipt)
    }
}

impl VaultView {
    /// Every announcement from a block on, in order.
    pub async fn announced(&self, from_block: u64) -> Result<Vec<Announced>, ChainError> {
        self.announcements(from_block, None).await
    }

    /// The announcement before a decision, if the chain recorded it from a block on.
    pub async fn announced_at(&self, step: u32, from_block: u64) -> Result<Option<Announced>, ChainError> {
        Ok(self.announcements(from_block, Some(H256::from_low_u64_be(step.into()))).await?.pop())
    }

    async fn announcements(&self, from_block: u64, step: Option<H256>) -> Result<Vec<Announced>, ChainError> {
        let found = self.logs::<AnnouncedFilter>(self.address(), from_block, [step, None]).await?;
        let of = |(e, at): (AnnouncedFilter, crate::events::Place)| Announced {
            step: e.step,
            announce: Announce { commitment: e.commitment, at_step: e.at_step, head_before: e.head_before, head_after: e.head_after },
            block_number: at.block,
            tx_hash: at.tx.0,
        };
        Ok(found.into_iter().map(of).collect())
    }

    /// Every take-over from a block on, in order.
    pub async fn rotated(&self, from_block: u64) -> Result<Vec<Rotated>, ChainError> {
        let found = self.logs::<RotatedFilter>(self.address(), from_block, [None, None]).await?;
        let of = |(e, at): (RotatedFilter, crate::events::Place)| Rotated {
            step: e.step,
            commitment: e.commitment,
            block_number: at.block,
            tx_hash: at.tx.0,
        };
        Ok(found.into_iter().map(of).collect())
    }

    /// The weights that make the next decision, and the rotation that is ahead after it.
    pub async fn weights(&self) -> Result<Weights, ChainError> {
        // Of one block, so that the parts fit together.
        let block = self.block_number().await?;
        let say = |call: &'static str| move |e| self.refused(call, &e);
        let (registered, _) = self.registration().await?;
        let steps = self.contract.next_step().block(block).call().await.map_err(say("nextStep"))?;
        let count = self.contract.rotations().block(block).call().await.map_err(say("rotations"))?;
        let mut weights = Weights { commitment: registered.commitment, ahead: [0; 32], ahead_step: 0 };
        for index in count.saturating_sub(2)..count {
            let r = self.contract.rotation(index).block(block).call().await.map_err(say("rotation"))?;
            if r.at_step <= steps {
                weights.commitment = r.commitment;
            } else {
                (weights.ahead, weights.ahead_step) = (r.commitment, r.at_step);
            }
        }
        Ok(weights)
    }
}
