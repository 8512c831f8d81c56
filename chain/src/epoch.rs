//! Epochs: ends of settlements that later decisions leave alone; and holds recorded many at once.

use crate::ChainError;
use crate::attempt::Notes;
use crate::record::{Move, Observed};
use crate::vault::{Vault, gas_of};
use crate::view::VaultView;
use ethers::types::U256;

/// Where a closed epoch ends: what a settlement up to there has to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Decisions up to its end, from the vault's first.
    pub steps: u32,
    /// Time of the first decision after it, unix seconds; 0 while there is none.
    pub next_time_s: u64,
    /// Head at its end.
    pub head: [u8; 32],
    /// Chain of challenges up to its end.
    pub trail: [u8; 32],
    /// Fingerprint up to its end.
    pub fingerprint: [u8; 32],
}

impl Vault {
    /// Ends an epoch at the newest decision. Anybody may.
    pub async fn close_epoch(&self) -> Result<(), ChainError> {
        self.call("closeEpoch", self.contract().close_epoch().calldata()).await.map(drop)
    }

    /// Settles up to the end of a closed epoch; returns the gas used. Anybody may.
    pub async fn settle_epoch(&self, epoch: u32, settlement: &[u8]) -> Result<u64, ChainError> {
        self.settle_epoch_noting(epoch, settlement, &mut ()).await
    }

    /// The same, telling of every stage.
    pub async fn settle_epoch_noting(&self, epoch: u32, settlement: &[u8], notes: &mut dyn Notes) -> Result<u64, ChainError> {
        let call = self.contract().settle_epoch(epoch, settlement.to_vec().into());
        let receipt = self.call_noting("settleEpoch", call.calldata(), Vec::new(), notes).await?;
        gas_of(&receipt)
    }

    /// Records holds, oldest first, in one transaction; returns the gas used.
    pub async fn decide_holds(&self, holds: &[(Observed, Move)]) -> Result<u64, ChainError> {
        let all = holds.iter().map(|(seen, m)| m.decision(seen, &[])).collect();
        let receipt = self.call("decideHolds", self.contract().decide_holds(all).calldata()).await?;
        gas_of(&receipt)
    }
}

impl VaultView {
    /// The closed epochs, oldest first.
    pub async fn epochs(&self) -> Result<Vec<Epoch>, ChainError> {
        let count = self.contract.epochs().call().await.map_err(|e| self.refused("epochs", &e))?;
        let mut out = Vec::new();
        for index in 0..count {
            let e = self.contract.epoch(index).call().await.map_err(|e| self.refused("epoch", &e))?;
            let fingerprint: U256 = e.fingerprint;
            let mut bytes = [0; 32];
            fingerprint.to_big_endian(&mut bytes);
            out.push(Epoch { steps: e.steps, next_time_s: e.next_time, head: e.head, trail: e.trail, fingerprint: bytes });
        }
        Ok(out)
    }
}
