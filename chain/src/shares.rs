//! The vault's share contract (ERC-4626): its terms, what comes in and goes out through it, and what a depositor reads of it.

use crate::ChainError;
use crate::contracts::PROBITYVAULT_BYTECODE;
use crate::contracts::shares::{CreatedFilter, PROBITYSHARES_DEPLOYED_BYTECODE, ProbityShares};
use crate::rpc::Rpc;
use crate::vault::{Vault, encoded};
use crate::view::{VaultView, same_code};
use ethers::abi::AbiEncode;
use ethers::contract::{ContractError, EthEvent};
use ethers::providers::Middleware;
use ethers::types::{Address, Bytes, Filter, U256};
use std::sync::Arc;

/// The committed artifact of the share contract.
const ARTIFACT: &str = include_str!("../contracts/out/ProbityShares.json");

/// What is fixed for ever when a vault is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareTerms {
    /// Shares a year for the recipient, bps of all; at most 500.
    pub management_bps: u16,
    /// Of what a share gains over the highest value that was charged for, bps; at most 3,000.
    pub performance_bps: u16,
    /// Who gets both; the zero address if there are none.
    pub recipient: Address,
    /// How far back the mean price reaches, s; 300 … 86,400.
    pub window_s: u32,
    /// Most ticks (about a basis point each) between price and mean for a flow in quote alone; 10 … 500.
    pub max_deviation: u16,
}

impl Default for ShareTerms {
    fn default() -> Self {
        Self { management_bps: 0, performance_bps: 0, recipient: Address::zero(), window_s: 1_800, max_deviation: 100 }
    }
}

/// What a depositor reads of a share contract. Amounts are raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareFacts {
    /// Its address.
    pub address: Address,
    /// Its terms.
    pub terms: ShareTerms,
    /// Ticks that a flow in quote alone pays on the vault's base.
    pub spread: i32,
    /// Whether price and mean are close enough for flows in quote alone.
    pub steady: bool,
    /// Value of all shares at the mean price, quote.
    pub total_assets: u128,
    /// Value of 10^6 share units at the mean price, fees that are due taken off, quote.
    pub million_shares: u128,
    /// Highest value of 10^6 share units that a performance fee was taken for, quote; 0: none yet.
    pub high_water_million: u128,
    /// Up to here the management fee is taken, unix seconds.
    pub fees_until_s: u64,
    /// Largest deposit in quote now.
    pub max_deposit: u128,
}

impl ShareTerms {
    /// What a vault's creation is told.
    pub(crate) fn arguments(&self, quote: Address, base: Address, pool: Address, operator: Address) -> Vec<u8> {
        let terms = (self.management_bps, self.performance_bps, self.recipient, self.window_s, self.max_deviation);
        (quote, base, pool, operator, terms).encode()
    }
}

fn narrow(field: &'static str, value: U256) -> Result<u128, ChainError> {
    u128::try_from(value).map_err(|_| ChainError::value(field, "128 bits", value))
}

impl Vault {
    /// Makes the first deposit from the sender's tokens, raw. Only the operator can.
    pub async fn seed(&self, quote: u128, base: u128) -> Result<(), ChainError> {
        self.approve(quote, base).await?;
        let shares = self.view().share_contract().await?;
        self.send_to("seed", &shares, shares.seed(quote, base).calldata()).await
    }

    /// Mints `shares` for both tokens pro rata, at most the raw amounts named.
    pub async fn deposit_in_kind(&self, shares: u128, max_quote: u128, max_base: u128) -> Result<(), ChainError> {
        self.approve(max_quote, max_base).await?;
        let c = self.view().share_contract().await?;
        self.send_to("depositInKind", &c, c.deposit_in_kind(shares, self.account(), max_quote, max_base).calldata()).await
    }

    /// Burns the sender's shares for both tokens pro rata. Needs nobody's consent.
    pub async fn redeem_in_kind(&self, shares: u128) -> Result<(), ChainError> {
        let (c, own) = (self.view().share_contract().await?, self.account());
        self.send_to("redeemInKind", &c, c.redeem_in_kind(shares.into(), own, own).calldata()).await
    }

    /// Mints shares for `assets` raw quote: at least `min_shares`.
    pub async fn deposit(&self, assets: u128, min_shares: u128) -> Result<(), ChainError> {
        self.approve(assets, 0).await?;
        let (c, own) = (self.view().share_contract().await?, self.account());
        self.send_to("deposit", &c, c.deposit_for_at_least(assets.into(), own, min_shares.into()).calldata()).await
    }

    /// Mints `shares` for at most `max_assets` raw quote.
    pub async fn mint(&self, shares: u128, max_assets: u128) -> Result<(), ChainError> {
        self.approve(max_assets, 0).await?;
        let (c, own) = (self.view().share_contract().await?, self.account());
        self.send_to("mint", &c, c.mint_for_at_most(shares.into(), own, max_assets.into()).calldata()).await
    }

    /// Burns at most `max_shares` for `assets` raw quote.
    pub async fn withdraw(&self, assets: u128, max_shares: u128) -> Result<(), ChainError> {
        let (c, own) = (self.view().share_contract().await?, self.account());
        self.send_to("withdraw", &c, c.withdraw_for_at_most(assets.into(), own, own, max_shares.into()).calldata()).await
    }

    /// Burns `shares` for at least `min_assets` raw quote.
    pub async fn redeem(&self, shares: u128, min_assets: u128) -> Result<(), ChainError> {
        let (c, own) = (self.view().share_contract().await?, self.account());
        self.send_to("redeem", &c, c.redeem_for_at_least(shares.into(), own, own, min_assets.into()).calldata()).await
    }

    /// Takes the fees that are due. Anybody may.
    pub async fn accrue(&self) -> Result<(), ChainError> {
        let c = self.view().share_contract().await?;
        self.send_to("accrue", &c, c.accrue().calldata()).await
    }

    async fn send_to(&self, name: &'static str, shares: &ProbityShares<Rpc>, data: Option<Bytes>) -> Result<(), ChainError> {
        self.sender().send(name, Some(shares.address()), encoded(name, data)?).await.map(drop)
    }
}

impl VaultView {
    /// Address of its share contract.
    pub async fn shares_contract(&self) -> Result<Address, ChainError> {
        self.contract.shares().call().await.map_err(|e| self.refused("shares", &e))
    }

    pub(crate) async fn share_contract(&self) -> Result<ProbityShares<Rpc>, ChainError> {
        Ok(ProbityShares::new(self.shares_contract().await?, Arc::new(self.rpc.clone())))
    }

    /// Shares of an account.
    pub async fn shares_of(&self, account: Address) -> Result<u128, ChainError> {
        let owned = self.share_contract().await?.balance_of(account).call().await.map_err(|e| self.refused("balanceOf", &e))?;
        narrow("shares of an account", owned)
    }

    /// What a depositor reads of the share contract.
    pub async fn share_facts(&self) -> Result<ShareFacts, ChainError> {
        let c = self.share_contract().await?;
        let say = |call: &'static str| move |e: ContractError<Rpc>| self.refused(call, &e);
        let terms = c.terms().call().await.map_err(say("terms"))?;
        // A pool that does not answer has no price that could be told.
        let steady = match c.prices().call().await {
            Ok((steady, ..)) => steady,
            Err(ContractError::Revert(_)) => false,
            Err(error) => return Err(self.refused("prices", &error)),
        };
        let high: U256 = c.high_water().call().await.map_err(say("highWater"))?;
        Ok(ShareFacts {
            address: c.address(),
            terms: ShareTerms {
                management_bps: terms.management_bps,
                performance_bps: terms.performance_bps,
                recipient: terms.recipient,
                window_s: terms.window,
                max_deviation: terms.max_deviation,
            },
            spread: c.spread().call().await.map_err(say("spread"))?,
            steady,
            total_assets: narrow("totalAssets", c.total_assets().call().await.map_err(say("totalAssets"))?)?,
            million_shares: narrow("convertToAssets", c.convert_to_assets(1_000_000.into()).call().await.map_err(say("convertToAssets"))?)?,
            high_water_million: narrow("highWater", high.saturating_mul(1_000_000.into()) >> 64)?,
            fees_until_s: c.fees_until().call().await.map_err(say("feesUntil"))?,
            max_deposit: narrow("maxDeposit", c.max_deposit(Address::zero()).call().await.map_err(say("maxDeposit"))?)?,
        })
    }

    /// Whether vault and share contract are this version's: both codes, the places of their immutables aside, and the transaction that made them, which
    /// fixes those and what the storage began with. A vault that was not made by a plain transaction with this version's creation code is not.
    pub async fn code_matches(&self) -> Result<bool, ChainError> {
        let code =
            async |address| Ok::<_, ChainError>(self.rpc.get_code(address, None).await.map_err(|e| self.fail("eth_getCode", e))?.to_vec());
        if !Self::is_vault(code(self.address()).await?)? {
            return Ok(false);
        }
        let shares = self.share_contract().await?;
        if !same_code(code(shares.address()).await?, ARTIFACT, &PROBITYSHARES_DEPLOYED_BYTECODE)? {
            return Ok(false);
        }
        let block = shares.created_block().call().await.map_err(|e| self.refused("createdBlock", &e))?;
        let filter = Filter::new().address(shares.address()).topic0(CreatedFilter::signature()).from_block(block).to_block(block);
        let logs = self.rpc.get_logs(&filter).await.map_err(|e| self.fail("eth_getLogs", e))?;
        let Some(made) = logs.first().and_then(|log| log.transaction_hash) else { return Ok(false) };
        let sent = self.rpc.get_transaction(made).await.map_err(|e| self.fail("eth_getTransactionByHash", e))?;
        let receipt = self.rpc.get_transaction_receipt(made).await.map_err(|e| self.fail("eth_getTransactionReceipt", e))?;
        let (Some(sent), Some(receipt)) = (sent, receipt) else {
            return Err(ChainError::value("transaction that made the vault", format!("{made:?}"), "none on this node"));
        };
        Ok(sent.to.is_none() && receipt.contract_address == Some(self.address()) && sent.input.starts_with(&PROBITYVAULT_BYTECODE))
    }
}
