//! What is shown of a run at one moment: figures, health, the newest decisions and trades. The form of `/api/view`.

use crate::see::series::Point;
use probity_strategy::{Mandate, Side};
use probity_verifier::{Header, Rotation};
use serde::{Deserialize, Serialize};

/// The two assets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    /// What is priced.
    pub(crate) base: String,
    /// Its decimals.
    pub(crate) base_decimals: u8,
    /// What prices are counted in.
    pub(crate) quote: String,
    /// Its decimals.
    pub(crate) quote_decimals: u8,
}

/// What a run is, known at its start.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct About {
    /// Where prices come from, for people.
    pub(crate) source: String,
    /// Whether they are made up.
    pub(crate) simulated: bool,
    /// Whether the run is on paper: nothing of it is on a chain.
    pub(crate) paper: bool,
    /// The assets.
    pub(crate) pair: Pair,
    /// The promise.
    pub(crate) mandate: Option<Mandate>,
    /// Commitment to the model at genesis, hex.
    pub(crate) model_commitment: String,
    /// Commitment to the weights that made the last decision, hex.
    pub(crate) commitment_in_force: String,
    /// Other weights, announced and still to take over.
    pub(crate) rotation_ahead: Option<Rotation>,
    /// Digest of the mandate, hex.
    pub(crate) mandate_digest: String,
    /// Whether a program runs it; else its journal is shown.
    pub(crate) live: bool,
}

impl About {
    /// A run of this process, under a log's header.
    pub(crate) fn of(header: &Header, source: String, simulated: bool, pair: Pair) -> Self {
        let (mandate_digest, model_commitment) = (header.mandate_digest.to_string(), header.model_commitment.to_string());
        Self {
            source,
            simulated,
            paper: false,
            pair,
            mandate: Some(header.mandate.clone()),
            commitment_in_force: model_commitment.clone(),
            model_commitment,
            rotation_ahead: None,
            mandate_digest,
            live: true,
        }
    }
}

/// How far a decision's transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Execution {
    /// On disk.
    Journaled,
    /// Handed to the node; unknown until its receipt.
    Sent,
    /// Mined.
    OnChain,
    /// Mined, and the order got no fill.
    NotFilled,
    /// Carried out on paper.
    Paper,
    /// On paper, and the order got no fill.
    PaperNotFilled,
}

/// How far a decision's proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProofState {
    /// Not yet in the session.
    Waiting,
    /// In the recursive proof.
    Folded,
    /// In a compressed proof.
    Proven,
    /// In a compressed proof whose bytes are on chain.
    Posted,
    /// Verified by the vault itself.
    Settled,
}

/// One decision.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Index.
    pub(crate) step: u32,
    /// Time of the observation, unix seconds.
    pub(crate) time_s: u64,
    /// Price, quote a base.
    pub(crate) price_quote: f64,
    /// Weight of the base asset before it.
    pub(crate) weight_bps: i64,
    /// Value of the vault before it, quote.
    pub(crate) vault_quote: f64,
    /// Buy, sell, or none for a hold.
    pub(crate) side: Option<Side>,
    /// Amount given: quote of a buy, base of a sell.
    pub(crate) amount_in: Option<f64>,
    /// Amount received: base of a buy, quote of a sell.
    pub(crate) amount_out: Option<f64>,
    /// Whether the strategy is halted at it.
    pub(crate) halted: bool,
    /// Whether other weights took over at it.
    pub(crate) takes_over: bool,
    /// Transaction.
    pub(crate) execution: Execution,
    /// Transaction hash.
    pub(crate) tx_hash: Option<String>,
    /// Gas used.
    pub(crate) gas_used: Option<u64>,
    /// Proof; filled in when shown.
    pub(crate) proof: ProofState,
}

/// A filled order on the price chart.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trade {
    /// Decision.
    pub(crate) step: u32,
    /// Time of the observation, unix seconds.
    pub(crate) time_s: u64,
    /// Price, quote a base.
    pub(crate) price_quote: f64,
    /// Side.
    pub(crate) side: Side,
}

/// Counts and figures.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figures {
    /// Decisions in the journal.
    pub(crate) decided: u32,
    /// Decisions whose transaction is mined.
    pub(crate) on_chain: u32,
    /// Orders filled: buys.
    pub(crate) buys: u32,
    /// Orders filled: sells.
    pub(crate) sells: u32,
    /// Orders that got no fill.
    pub(crate) unfilled: u32,
    /// Decisions in the recursive proof.
    pub(crate) folded: u32,
    /// Decisions in a compressed proof.
    pub(crate) proven: u32,
    /// Decisions in a proof on chain.
    pub(crate) posted: u32,
    /// Decisions that the vault has verified itself; none where it does not.
    pub(crate) settled: Option<u32>,
    /// Last fold, ms.
    pub(crate) fold_ms: Option<f64>,
    /// Last compression, s.
    pub(crate) compress_s: Option<f64>,
    /// Last proof, bytes.
    pub(crate) proof_bytes: Option<usize>,
    /// Gas of the last mined transaction of a decision.
    pub(crate) gas_used_last: Option<u64>,
    /// Gas of all transactions in the journal.
    pub(crate) gas_used_total: u64,
    /// Price, quote a base.
    pub(crate) price_quote: Option<f64>,
    /// Weight of the base asset at the last observation.
    pub(crate) weight_bps: Option<i64>,
    /// Value of the vault at the last observation, quote.
    pub(crate) vault_quote: Option<f64>,
    /// Base asset in the vault.
    pub(crate) base_amount: Option<f64>,
    /// Quote asset in the vault.
    pub(crate) quote_amount: Option<f64>,
    /// Change of value per share since the first decision, bps.
    pub(crate) return_bps: Option<f64>,
    /// The same of the base asset alone.
    pub(crate) hold_return_bps: Option<f64>,
}

/// How the run is.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Health {
    /// `active`, `reducing`, `halted`, `ended`, `sealed` or `fault`.
    pub(crate) state: &'static str,
    /// Why it is not active.
    pub(crate) reason: Option<String>,
    /// Decision at which the mandate's drawdown limit was met: from there on the strategy only sells.
    pub(crate) drawdown_at_step: Option<u32>,
    /// Block of the last observation.
    pub(crate) block_number: Option<u64>,
    /// Wall clock of the node's last observation in this process, unix seconds.
    pub(crate) observed_at_s: Option<u64>,
    /// Wall clock of the last decision in this process, unix seconds.
    pub(crate) decided_at_s: Option<u64>,
}

/// Everything that is shown, at one moment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Shown {
    /// Of this form.
    pub(crate) version: u16,
    /// Wall clock of this moment, unix seconds.
    pub(crate) at_s: u64,
    /// The run.
    pub(crate) about: About,
    /// Figures.
    pub(crate) figures: Figures,
    /// Health.
    pub(crate) health: Health,
    /// The thinned series.
    pub(crate) points: Vec<Point>,
    /// Newest trades, in time.
    pub(crate) trades: Vec<Trade>,
    /// Newest decisions, newest first.
    pub(crate) decisions: Vec<Row>,
}

impl Shown {
    /// Decisions that are not in a proof on chain, posted or settled; on paper, in none at all.
    pub(crate) fn backlog(&self) -> u32 {
        if self.about.paper {
            return self.figures.decided.saturating_sub(self.figures.proven);
        }
        self.figures.decided.saturating_sub(self.figures.posted.max(self.figures.settled.unwrap_or(0)))
    }
}
