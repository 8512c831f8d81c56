//! What is shown of a run, kept in bounded memory: the newest decisions, a thinned series, counts.

use crate::journal::Outcome;
use crate::see::Event;
use crate::see::series::{Point, Series};
use probity_strategy::{Mandate, Observation, Record, Side, Valuation};
use probity_verifier::Header;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Newest decisions that are kept.
const DECISIONS: usize = 128;
/// Newest trades that are kept for the chart.
const TRADES: usize = 512;

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
    /// The assets.
    pub(crate) pair: Pair,
    /// The promise.
    pub(crate) mandate: Option<Mandate>,
    /// Commitment to the model, hex.
    pub(crate) model_commitment: String,
    /// Digest of the mandate, hex.
    pub(crate) mandate_digest: String,
    /// Whether a program runs it; else its journal is shown.
    pub(crate) live: bool,
}

impl About {
    /// A run of this process, under a log's header.
    pub(crate) fn of(header: &Header, source: String, simulated: bool, pair: Pair) -> Self {
        let (mandate_digest, model_commitment) = (header.mandate_digest.to_string(), header.model_commitment.to_string());
        Self { source, simulated, pair, mandate: Some(header.mandate.clone()), model_commitment, mandate_digest, live: true }
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
    /// `active`, `halted`, `ended`, `sealed` or `fault`.
    pub(crate) state: &'static str,
    /// Why it is not active.
    pub(crate) reason: Option<String>,
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
    /// Decisions that are not in a proof on chain.
    pub(crate) const fn backlog(&self) -> u32 {
        self.figures.decided.saturating_sub(self.figures.posted)
    }
}

struct First {
    price: f64,
    per_share: f64,
    value: f64,
}

/// The state behind what is shown.
#[derive(Default)]
pub(super) struct View {
    about: About,
    figures: Figures,
    health: Health,
    first: Option<First>,
    series: Series,
    trades: VecDeque<Trade>,
    rows: VecDeque<Row>,
}

impl View {
    /// A run from its start; what its session already holds stays.
    pub(super) fn of(about: About, before: &Self) -> Self {
        let figures = Figures { folded: before.figures.folded, ..Figures::default() };
        Self { about, figures, ..Self::default() }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Observed { block_number } => {
                self.health.block_number = Some(*block_number);
                self.health.observed_at_s = Some(now_s());
            }
            Event::Decided(record) => self.decided(record),
            Event::Sent { step } => {
                if let Some(row) = self.row(*step) {
                    row.execution = Execution::Sent;
                }
            }
            Event::Outcome { step, outcome } => self.outcome(*step, outcome),
            Event::Folded { decisions, ms } => {
                self.figures.folded = self.figures.folded.max(*decisions);
                self.figures.fold_ms = Some(*ms);
            }
            Event::Resumed { decisions } => self.figures.folded = self.figures.folded.max(*decisions),
            Event::Proved { decisions, bytes, seconds } => {
                self.figures.proven = self.figures.proven.max(*decisions);
                (self.figures.proof_bytes, self.figures.compress_s) = (Some(*bytes), Some(*seconds));
            }
            Event::Posted { decisions, gas_used } => {
                self.posted(*decisions);
                self.figures.gas_used_total += gas_used;
            }
            Event::Ended { sealed } => self.health.state = if *sealed { "sealed" } else { "ended" },
            Event::Fault { message } => (self.health.state, self.health.reason) = ("fault", Some(message.clone())),
        }
    }

    /// The past has no wall clock of this process.
    pub(super) const fn restored(&mut self) {
        (self.health.decided_at_s, self.health.observed_at_s) = (None, None);
    }

    pub(super) fn shown(&self) -> Shown {
        let f = &self.figures;
        let state = |step: u32| match step {
            s if s < f.posted => ProofState::Posted,
            s if s < f.proven => ProofState::Proven,
            s if s < f.folded => ProofState::Folded,
            _ => ProofState::Waiting,
        };
        let mut health = self.health.clone();
        if health.state.is_empty() {
            health.state = if self.about.live { "active" } else { "ended" };
        }
        Shown {
            version: 1,
            at_s: now_s(),
            about: self.about.clone(),
            figures: f.clone(),
            health,
            points: self.series.points(),
            trades: self.trades.iter().cloned().collect(),
            decisions: self.rows.iter().rev().map(|r| Row { proof: state(r.step), ..r.clone() }).collect(),
        }
    }

    fn decided(&mut self, record: &Record) {
        let (obs, pair) = (&record.observation, &self.about.pair);
        let (price, value) = (price(obs, pair), amount(Valuation::of(obs).nav, pair.quote_decimals));
        let per_share = value / amount(obs.shares.raw(), 0).max(1.0);
        let first = self.first.get_or_insert(First { price, per_share, value });
        let (grown, held) = (ratio(per_share, first.per_share), ratio(price, first.price));
        let point = Point {
            step: obs.step,
            time_s: obs.time_s,
            price_quote: price,
            portfolio_quote: first.value * grown,
            hold_quote: first.value * held,
        };
        self.series.push(point);
        let given = |order: &probity_strategy::Order| match order.side {
            Side::Buy => amount(order.amount_in.raw(), pair.quote_decimals),
            Side::Sell => amount(order.amount_in.raw(), pair.base_decimals),
        };
        let weight_bps = Valuation::of(obs).weight_bps;
        let row = Row {
            step: obs.step,
            time_s: obs.time_s,
            price_quote: price,
            weight_bps,
            vault_quote: value,
            side: record.decision.order.map(|o| o.side),
            amount_in: record.decision.order.as_ref().map(given),
            amount_out: None,
            halted: record.decision.halted,
            execution: Execution::Journaled,
            tx_hash: None,
            gas_used: None,
            proof: ProofState::Waiting,
        };
        let f = &mut self.figures;
        f.decided = obs.step + 1;
        (f.price_quote, f.weight_bps, f.vault_quote) = (Some(price), Some(weight_bps), Some(value));
        f.base_amount = Some(amount(obs.base.raw(), pair.base_decimals));
        f.quote_amount = Some(amount(obs.quote.raw(), pair.quote_decimals));
        (f.return_bps, f.hold_return_bps) = (Some((grown - 1.0) * 10_000.0), Some((held - 1.0) * 10_000.0));
        self.health.block_number = Some(obs.block_number);
        self.health.decided_at_s = Some(now_s());
        if record.decision.halted && self.health.state.is_empty() {
            self.health.state = "halted";
            self.health.reason = Some(format!("the mandate's drawdown limit was met at decision {}: all is sold", obs.step));
        }
        keep(&mut self.rows, row, DECISIONS);
    }

    fn outcome(&mut self, step: u32, outcome: &Outcome) {
        let pair = self.about.pair.clone();
        self.figures.on_chain += 1;
        self.figures.gas_used_last = Some(outcome.gas_used);
        self.figures.gas_used_total += outcome.gas_used;
        if outcome.proof_bytes > 0 {
            self.posted(step + 1);
        }
        let Some(row) = self.row(step) else { return };
        row.tx_hash = Some(outcome.tx_hash.clone());
        row.gas_used = Some(outcome.gas_used);
        row.execution = Execution::OnChain;
        let Some(side) = row.side else { return };
        if !outcome.executed {
            row.execution = Execution::NotFilled;
            self.figures.unfilled += 1;
            return;
        }
        let decimals = if side == Side::Buy { pair.base_decimals } else { pair.quote_decimals };
        row.amount_out = Some(amount(outcome.amount_out, decimals));
        let trade = Trade { step, time_s: row.time_s, price_quote: row.price_quote, side };
        match side {
            Side::Buy => self.figures.buys += 1,
            Side::Sell => self.figures.sells += 1,
        }
        keep(&mut self.trades, trade, TRADES);
    }

    /// What is posted was proven, and what was proven is folded.
    fn posted(&mut self, decisions: u32) {
        let f = &mut self.figures;
        f.posted = f.posted.max(decisions);
        (f.proven, f.folded) = (f.proven.max(decisions), f.folded.max(decisions));
    }

    fn row(&mut self, step: u32) -> Option<&mut Row> {
        self.rows.iter_mut().rev().find(|r| r.step == step)
    }
}

fn keep<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn amount(raw: u128, decimals: u8) -> f64 {
    raw as f64 / 10f64.powi(decimals.into())
}

/// Price as people write it: whole units of quote for one base.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn price(obs: &Observation, pair: &Pair) -> f64 {
    obs.price_x64.x64() as f64 / 2f64.powi(64) * 10f64.powi(i32::from(pair.base_decimals) - i32::from(pair.quote_decimals))
}

/// The wall clock, unix seconds; for showing ages only.
fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
