//! Whose account the agent decides for: a vault's on a chain, or one on paper.

use crate::run::paper::Paper;
use anyhow::{Result, bail};
use probity_chain::Vault;

/// The account.
pub(crate) enum Account {
    /// A vault.
    Vault(Box<Vault>),
    /// None but in the journal.
    Paper(Box<Paper>),
}

impl Account {
    /// The vault, if there is one.
    pub(crate) fn vault(&self) -> Option<&Vault> {
        match self {
            Self::Vault(vault) => Some(vault),
            Self::Paper(_) => None,
        }
    }

    /// The vault, where there has to be one.
    pub(crate) fn on_chain(&self) -> Result<&Vault> {
        let Some(vault) = self.vault() else { bail!("expected a run with a vault, this one is on paper") };
        Ok(vault)
    }

    /// Whether nothing of it is on a chain.
    pub(crate) const fn is_paper(&self) -> bool {
        matches!(self, Self::Paper(_))
    }
}
