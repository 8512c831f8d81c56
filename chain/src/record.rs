//! What goes to the vault and what comes back from it: plain integers and bytes.

use crate::contracts::{Decision, Observation, Registration};
use ethers::abi::Tokenizable;
use ethers::types::Address;
use ethers::utils::keccak256;

/// What the mandate says to the vault, in raw units and seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Digest of the mandate.
    pub mandate_digest: [u8; 32],
    /// Commitment to the model.
    pub commitment: [u8; 32],
    /// Log head before the first decision.
    pub genesis_head: [u8; 32],
    /// Unix time decisions are counted from, s.
    pub genesis_time_s: u64,
    /// Seconds between decisions.
    pub interval_s: u32,
    /// Largest trade, raw quote.
    pub max_trade_quote: u128,
    /// Worst fill, bps.
    pub max_slippage_bps: u16,
}

/// An observation as the vault computes it (S1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Step, from 0.
    pub step: u32,
    /// Unix time, s.
    pub time_s: u64,
    /// Anchor block.
    pub block_number: u64,
    /// Its hash.
    pub block_hash: [u8; 32],
    /// Mean tick, floor.
    pub mean_tick: i32,
    /// Price at it, × 2^64.
    pub price_x64: u128,
    /// Raw quote.
    pub quote: u128,
    /// Raw base.
    pub base: u128,
    /// Shares.
    pub shares: u128,
    /// Fill of the order before, raw.
    pub fill: Option<u128>,
}

/// What the operator decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The order: buys base?, exact amount in, least amount out; none for a hold.
    pub order: Option<(bool, u128, u128)>,
    /// Head the decision was made on.
    pub head_before: [u8; 32],
    /// Head after it.
    pub head_after: [u8; 32],
}

/// What became of a decision's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Transaction hash.
    pub tx_hash: [u8; 32],
    /// Block.
    pub block_number: u64,
    /// Gas used.
    pub gas_used: u64,
    /// Whether the order was filled.
    pub executed: bool,
    /// Raw amount received.
    pub amount_out: u128,
}

/// A decision as the chain recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The observation the vault computed.
    pub observed: Observed,
    /// The operator's move.
    pub decided: Move,
    /// What became of it.
    pub outcome: Outcome,
}

/// A posted proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Decisions it covers.
    pub steps: u32,
    /// Head it proves.
    pub head: [u8; 32],
    /// keccak-256 of the bytes.
    pub digest: [u8; 32],
    /// Length, bytes.
    pub length: u64,
    /// Block.
    pub block_number: u64,
    /// Transaction that posted it.
    pub tx_hash: [u8; 32],
}

/// A deposit or a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Whose.
    pub account: Address,
    /// Deposit (or else withdrawal).
    pub deposit: bool,
    /// Raw quote moved.
    pub quote: u128,
    /// Raw base moved.
    pub base: u128,
    /// Shares minted or burnt.
    pub shares: u128,
    /// Block.
    pub block_number: u64,
    /// Transaction.
    pub tx_hash: [u8; 32],
}

impl Flow {
    /// A fee in shares: nobody paid anything for them.
    #[must_use]
    pub const fn is_fee(&self) -> bool {
        self.deposit && self.quote == 0 && self.base == 0 && self.shares != 0
    }
}

/// A swap as the pool itself reports it; amounts from the pool's side (positive: the pool received).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapSeen {
    /// Transaction.
    pub tx_hash: [u8; 32],
    /// Block.
    pub block_number: u64,
    /// Raw token0.
    pub amount0: i128,
    /// Raw token1.
    pub amount1: i128,
    /// Whether the vault itself swapped. If not, somebody else swapped with the vault as the recipient: a gift, which the
    /// vault's accounts ignore.
    pub by_vault: bool,
}

/// The vault's own accounts; tokens sent without a deposit are not in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    /// Raw quote.
    pub quote: u128,
    /// Raw base.
    pub base: u128,
    /// Shares, the locked ones included.
    pub shares: u128,
}

impl Promise {
    pub(crate) fn of(r: &Registration) -> Self {
        Self {
            mandate_digest: r.mandate_digest,
            commitment: r.commitment,
            genesis_head: r.genesis_head,
            genesis_time_s: r.genesis_time,
            interval_s: r.interval,
            max_trade_quote: r.max_trade_quote,
            max_slippage_bps: r.max_slippage_bps,
        }
    }

    pub(crate) const fn registration(&self) -> Registration {
        Registration {
            mandate_digest: self.mandate_digest,
            commitment: self.commitment,
            genesis_head: self.genesis_head,
            genesis_time: self.genesis_time_s,
            interval: self.interval_s,
            max_trade_quote: self.max_trade_quote,
            max_slippage_bps: self.max_slippage_bps,
        }
    }
}

impl Move {
    pub(crate) fn of(d: &Decision) -> Self {
        Self { order: (d.side != 0).then_some((d.side == 1, d.amount_in, d.min_out)), head_before: d.head_before, head_after: d.head_after }
    }

    pub(crate) fn decision(&self, seen: &Observed, proof: &[u8]) -> Decision {
        let (side, amount_in, min_out) = self.order.map_or((0, 0, 0), |(buy, amount, least)| (if buy { 1 } else { 2 }, amount, least));
        Decision {
            step: seen.step,
            time: seen.time_s,
            block_number: seen.block_number,
            block_hash: seen.block_hash,
            observation_digest: seen.digest(),
            head_before: self.head_before,
            head_after: self.head_after,
            side,
            amount_in,
            min_out,
            proof_digest: if proof.is_empty() { [0; 32] } else { keccak256(proof) },
        }
    }
}

impl Observed {
    pub(crate) fn of(o: &Observation) -> Self {
        Self {
            step: o.step,
            time_s: o.time,
            block_number: o.block_number,
            block_hash: o.block_hash,
            mean_tick: o.mean_tick,
            price_x64: o.price_x64,
            quote: o.quote,
            base: o.base,
            shares: o.shares,
            fill: o.filled.then_some(o.fill_out),
        }
    }

    /// keccak-256 of the observation's ABI encoding, as the vault computes it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let o = Observation {
            step: self.step,
            time: self.time_s,
            block_number: self.block_number,
            block_hash: self.block_hash,
            mean_tick: self.mean_tick,
            price_x64: self.price_x64,
            quote: self.quote,
            base: self.base,
            shares: self.shares,
            filled: self.fill.is_some(),
            fill_out: self.fill.unwrap_or(0),
        };
        keccak256(ethers::abi::encode(&[o.into_token()]))
    }
}
