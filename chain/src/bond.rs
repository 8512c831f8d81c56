//! The operator's bond and the deadline of settlement: pledged, lost, given back.

use crate::ChainError;
use crate::vault::Vault;
use crate::view::VaultView;

/// The bond, the deadline, and whether the vault still trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pledge {
    /// Raw quote that the operator loses by missing the deadline; no part of the accounts.
    pub bond: u128,
    /// Seconds the first unproven decision may wait; 0: nothing was pledged.
    pub settle_within_s: u32,
    /// No trade and no deposit any more.
    pub withdraw_only: bool,
    /// When the operator closed the vault, unix seconds; 0 while it is open.
    pub closed_time_s: u64,
}

impl Vault {
    /// Puts a bond of raw quote in and sets the deadline, once, armed and before the first decision.
    pub async fn pledge(&self, bond: u128, settle_within_s: u32) -> Result<(), ChainError> {
        self.approve(bond, 0).await?;
        self.call("pledge", self.contract().pledge(bond, settle_within_s).calldata()).await.map(drop)
    }

    /// Ends trading after a missed deadline and pays the bond to the share holders. Anybody may.
    pub async fn miss(&self) -> Result<(), ChainError> {
        self.call("miss", self.contract().miss().calldata()).await.map(drop)
    }

    /// Ends the vault once everything is settled: no decision any more, withdrawals only. The operator's.
    pub async fn close(&self) -> Result<(), ChainError> {
        self.call("close", self.contract().close().calldata()).await.map(drop)
    }

    /// Takes the bond back, a delay after closing. The operator's.
    pub async fn reclaim(&self) -> Result<(), ChainError> {
        self.call("reclaim", self.contract().reclaim().calldata()).await.map(drop)
    }
}

impl VaultView {
    /// The bond and the deadline.
    pub async fn pledged(&self) -> Result<Pledge, ChainError> {
        let c = &self.contract;
        Ok(Pledge {
            bond: c.bond().call().await.map_err(|e| self.refused("bond", &e))?,
            settle_within_s: c.settle_within().call().await.map_err(|e| self.refused("settleWithin", &e))?,
            withdraw_only: c.withdraw_only().call().await.map_err(|e| self.refused("withdrawOnly", &e))?,
            closed_time_s: c.closed_time().call().await.map_err(|e| self.refused("closedTime", &e))?,
        })
    }
}
