//! What a run amounts to: result beside buy-and-hold, cost of proving, gas.

use crate::journal::{Entry, Post};
use crate::output;
use crate::run::proving::ProvingStats;
use probity_strategy::{Observation, Side, Valuation};
use serde::Serialize;
use std::path::PathBuf;

/// The figures of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// Where the prices came from.
    pub(crate) source: String,
    /// Whether they were made up.
    pub(crate) simulated: bool,
    /// Vault.
    pub(crate) vault: String,
    /// Whether nothing of it is on a chain.
    pub(crate) paper: bool,
    /// What the gas of all decisions would have cost on paper, wei, in text.
    pub(crate) gas_cost_wei: Option<String>,
    /// Decisions.
    pub(crate) decisions: usize,
    /// Orders that were filled: buys.
    pub(crate) buys: usize,
    /// Orders that were filled: sells.
    pub(crate) sells: usize,
    /// Orders that were not filled.
    pub(crate) unfilled: usize,
    /// First halted decision.
    pub(crate) halted_at: Option<u32>,
    /// Change of the net asset value per share, at the last observed price.
    pub(crate) return_bps: i64,
    /// The same for the base asset alone.
    pub(crate) buy_and_hold_bps: i64,
    /// Deriving the proof parameters, s.
    pub(crate) params_s: f64,
    /// Folds since the start, median ms.
    pub(crate) fold_ms: Option<f64>,
    /// Compressions since the start, median s.
    pub(crate) compress_s: Option<f64>,
    /// Proof, bytes.
    pub(crate) proof_bytes: usize,
    /// Median gas of a decision that held.
    pub(crate) gas_hold: Option<u64>,
    /// Median gas of a filled trade that carried its proof.
    pub(crate) gas_trade_with_proof: Option<u64>,
    /// Median gas of a filled trade without proof bytes.
    pub(crate) gas_trade: Option<u64>,
    /// Median gas of a post.
    pub(crate) gas_post: Option<u64>,
    /// Proofs on chain.
    pub(crate) proofs_posted: usize,
    /// Whether the log is closed.
    pub(crate) sealed: bool,
    /// Log.
    pub(crate) log: PathBuf,
    /// Proof.
    pub(crate) proof: PathBuf,
}

/// What a summary is made of.
pub(crate) struct Sources<'a> {
    pub(crate) source: &'a str,
    pub(crate) simulated: bool,
    pub(crate) vault: String,
    pub(crate) paper: bool,
    pub(crate) gas_cost_wei: u128,
    pub(crate) entries: &'a [Entry],
    pub(crate) posts: &'a [Post],
    pub(crate) stats: &'a ProvingStats,
    /// The accounts after the last decision, valued at its price.
    pub(crate) end: Option<Observation>,
    pub(crate) params_s: f64,
    pub(crate) sealed: bool,
    pub(crate) log: PathBuf,
    pub(crate) proof: PathBuf,
}

impl Summary {
    /// Counts.
    pub(crate) fn of(s: Sources<'_>) -> Self {
        let filled = |e: &&Entry| e.outcome.as_ref().is_some_and(|o| o.executed);
        let side = |side: Side| s.entries.iter().filter(filled).filter(|e| e.record.decision.order.is_some_and(|o| o.side == side)).count();
        let orders = s.entries.iter().filter(|e| e.record.decision.order.is_some()).count();
        let gas = |keep: &dyn Fn(&Entry, bool, u64) -> bool| {
            let of = |e: &Entry| e.outcome.as_ref().filter(|o| keep(e, o.executed, o.proof_bytes)).map(|o| o.gas_used);
            median(s.entries.iter().filter_map(of).collect())
        };
        let (first, last) = (s.entries.first().map(|e| &e.record.observation), s.end.as_ref());
        let (return_bps, buy_and_hold_bps) = first.zip(last).map_or((0, 0), |(a, b)| {
            let per_share = |o: &Observation| ratio(Valuation::of(o).nav, o.shares.raw());
            (change_bps(per_share(a), per_share(b)), change_bps(ratio(a.price_x64.x64(), 1 << 64), ratio(b.price_x64.x64(), 1 << 64)))
        });
        let (buys, sells) = (side(Side::Buy), side(Side::Sell));
        let carried = s.entries.iter().filter(|e| e.outcome.as_ref().is_some_and(|o| o.proof_bytes > 0)).count();
        Self {
            source: s.source.to_owned(),
            simulated: s.simulated,
            vault: s.vault,
            paper: s.paper,
            gas_cost_wei: s.paper.then(|| s.gas_cost_wei.to_string()),
            decisions: s.entries.len(),
            buys,
            sells,
            unfilled: orders - buys - sells,
            halted_at: s.entries.iter().find(|e| e.record.decision.halted).map(|e| e.record.observation.step),
            return_bps,
            buy_and_hold_bps,
            params_s: s.params_s,
            fold_ms: middle(&s.stats.fold_ms),
            compress_s: middle(&s.stats.compress_s),
            proof_bytes: s.stats.proof_bytes,
            gas_hold: gas(&|e, _, bytes| e.record.decision.order.is_none() && bytes == 0),
            gas_trade_with_proof: gas(&|e, executed, bytes| e.record.decision.order.is_some() && executed && bytes > 0),
            gas_trade: gas(&|e, executed, bytes| e.record.decision.order.is_some() && executed && bytes == 0),
            gas_post: median(s.posts.iter().map(|p| p.gas_used).collect()),
            proofs_posted: carried + s.posts.len(),
            sealed: s.sealed,
            log: s.log,
            proof: s.proof,
        }
    }

    /// Rows for people.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let bps = |v: i64| format!("{}{}.{:02} %", if v < 0 { "−" } else { "+" }, v.abs() / 100, v.abs() % 100);
        let mut rows = vec![
            (if self.paper { "market, traded on PAPER" } else { "market" }.into(), self.source.clone()),
            ("vault".into(), self.vault.clone()),
            ("decisions".into(), self.decisions.to_string()),
            (
                "trades".into(),
                format!("{} ({} buys, {} sells; {} orders not filled)", self.buys + self.sells, self.buys, self.sells, self.unfilled),
            ),
            ("result, per share, after fees".into(), bps(self.return_bps)),
            ("buy and hold".into(), bps(self.buy_and_hold_bps)),
            ("proof parameters derived in".into(), format!("{:.1} s", self.params_s)),
        ];
        let mut add = |name: &str, value: Option<String>| rows.extend(value.map(|v| (name.to_owned(), v)));
        let ether = |wei: &String| wei.parse().map_or_else(|_| wei.clone(), |wei| format!("{} ether", crate::run::units(wei, 18)));
        add("gas of all decisions would have cost", self.gas_cost_wei.as_ref().map(ether));
        add("halted at decision", self.halted_at.map(|k| k.to_string()));
        add("fold, median", self.fold_ms.map(|v| format!("{v:.0} ms")));
        add("compressing, median", self.compress_s.map(|v| format!("{v:.1} s")));
        add(
            "proof",
            Some(if self.paper {
                format!("{} bytes, of the decisions; it does not show that the fills are a chain's", self.proof_bytes)
            } else {
                format!("{} bytes, {} posted on chain", self.proof_bytes, self.proofs_posted)
            }),
        );
        add("gas of a hold, median", self.gas_hold.map(|v| v.to_string()));
        add("gas of a trade with its proof, median", self.gas_trade_with_proof.map(|v| v.to_string()));
        add("gas of a trade without proof bytes, median", self.gas_trade.map(|v| v.to_string()));
        add("gas of a post, median", self.gas_post.map(|v| v.to_string()));
        add("log", Some(format!("{} ({})", self.log.display(), if self.sealed { "sealed" } else { "open: the run can go on" })));
        add("proof file", Some(self.proof.display().to_string()));
        rows
    }

    /// The table for people.
    pub(crate) fn text(&self) -> String {
        output::table(&self.rows())
    }
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(a: u128, b: u128) -> f64 {
    a as f64 / (b.max(1)) as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a figure for people")]
fn change_bps(a: f64, b: f64) -> i64 {
    if a > 0.0 { ((b / a - 1.0) * 10_000.0).round() as i64 } else { 0 }
}
