//! The state behind what is shown of a run, kept in bounded memory: the newest decisions, a thinned series, counts.

use crate::journal::Outcome;
use crate::run::halt::Mode;
use crate::see::Event;
use crate::see::series::{Point, Series};
use crate::see::shown::{About, Execution, Figures, Health, Pair, ProofState, Row, Shown, Trade};
use probity_strategy::{Observation, Record, Side, Valuation};
use probity_verifier::Rotation;
use std::collections::VecDeque;

/// Newest decisions that are kept.
const DECISIONS: usize = 128;
/// Newest trades that are kept for the chart.
const TRADES: usize = 512;

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
    /// What the run may do, as it last read it.
    mode: Option<(Mode, String)>,
    first: Option<First>,
    series: Series,
    trades: VecDeque<Trade>,
    rows: VecDeque<Row>,
    /// Announced and still to take over; one but while a journal is shown again.
    ahead: VecDeque<Rotation>,
}

impl View {
    /// A run from its start; what its session already holds and its vault has verified stays.
    pub(super) fn of(about: About, before: &Self) -> Self {
        let Figures { folded, settled, .. } = before.figures;
        let figures = Figures { folded, settled, ..Figures::default() };
        Self { about, figures, ..Self::default() }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Observed { block_number } => {
                self.health.block_number = Some(*block_number);
                self.health.observed_at_s = Some(now_s());
            }
            Event::Decided(record) => self.decided(record),
            Event::Announced { rotation } => {
                self.ahead.push_back(*rotation);
                self.about.rotation_ahead = Some(*rotation);
            }
            Event::AnnouncementMined { gas_used } => self.figures.gas_used_total += gas_used,
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
            Event::Settled { decisions, gas_used } => {
                self.figures.settled = Some(*decisions);
                self.figures.gas_used_total += gas_used;
            }
            Event::Mode { mode, why } => self.mode = Some((*mode, why.clone())),
            Event::Ended { sealed } => self.health.state = if *sealed { "sealed" } else { "ended" },
            Event::Fault { message } => (self.health.state, self.health.reason) = ("fault", Some(message.clone())),
        }
    }

    /// What was told last.
    pub(super) fn mode(&self) -> Option<Mode> {
        self.mode.as_ref().map(|(mode, _)| *mode)
    }

    /// The past has no wall clock of this process.
    pub(super) const fn restored(&mut self) {
        (self.health.decided_at_s, self.health.observed_at_s) = (None, None);
    }

    pub(super) fn shown(&self) -> Shown {
        let f = &self.figures;
        let state = |step: u32| match step {
            s if f.settled.is_some_and(|n| s < n) => ProofState::Settled,
            s if s < f.posted => ProofState::Posted,
            s if s < f.proven => ProofState::Proven,
            s if s < f.folded => ProofState::Folded,
            _ => ProofState::Waiting,
        };
        let mut health = self.health.clone();
        if health.state.is_empty() {
            let (mode, why) = self.mode.as_ref().map_or((Mode::Active, None), |(mode, why)| (*mode, Some(why)));
            health.state = if mode == Mode::Active && !self.about.live { "ended" } else { mode.name() };
            health.reason = why.filter(|_| mode != Mode::Active).cloned();
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
        let taken = self.ahead.pop_front_if(|r| r.at_step == obs.step);
        if let Some(rotation) = &taken {
            self.about.commitment_in_force = rotation.commitment.to_string();
            self.about.rotation_ahead = self.ahead.front().copied();
        }
        let pair = &self.about.pair;
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
            takes_over: taken.is_some(),
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
        if record.decision.halted && self.health.drawdown_at_step.is_none() {
            self.health.drawdown_at_step = Some(obs.step);
        }
        keep(&mut self.rows, row, DECISIONS);
    }

    fn outcome(&mut self, step: u32, outcome: &Outcome) {
        self.forget(step);
        let pair = self.about.pair.clone();
        let paper = self.about.paper;
        self.figures.on_chain += u32::from(!paper);
        self.figures.gas_used_last = Some(outcome.gas_used);
        self.figures.gas_used_total += outcome.gas_used;
        if outcome.proof_bytes > 0 {
            self.posted(step + 1);
        }
        let Some(row) = self.row(step) else { return };
        row.tx_hash = Some(outcome.tx_hash.clone());
        row.gas_used = Some(outcome.gas_used);
        (row.execution, row.amount_out) = (if paper { Execution::Paper } else { Execution::OnChain }, None);
        let Some(side) = row.side else { return };
        if !outcome.executed {
            row.execution = if paper { Execution::PaperNotFilled } else { Execution::NotFilled };
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

    /// A reorganisation took the transaction that was told before.
    fn forget(&mut self, step: u32) {
        let Some(row) = self.row(step) else { return };
        let (execution, side) = (row.execution, row.side);
        let Some(gas_used) = row.gas_used.take() else { return };
        let f = &mut self.figures;
        f.on_chain = f.on_chain.saturating_sub(1);
        f.gas_used_total = f.gas_used_total.saturating_sub(gas_used);
        let count = match (execution, side) {
            (Execution::NotFilled | Execution::PaperNotFilled, _) => &mut f.unfilled,
            (_, Some(Side::Buy)) => &mut f.buys,
            (_, Some(Side::Sell)) => &mut f.sells,
            (_, None) => return,
        };
        *count = count.saturating_sub(1);
        self.trades.retain(|t| t.step != step);
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let log = include_str!("../../../docs/formats/golden/log.jsonl");
        let lines = log.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        lines.filter_map(|l| l.get("record").map(|r| serde_json::from_value(r.clone()).unwrap())).collect()
    }

    fn outcome(executed: bool, gas_used: u64) -> Outcome {
        Outcome { tx_hash: format!("0x{gas_used:064x}"), gas_used, executed, amount_out: 10, proof_bytes: 0 }
    }

    #[test]
    fn an_outcome_that_a_reorganisation_replaced_counts_once() {
        let mut view = View::default();
        let records = records();
        for record in &records {
            view.apply(&Event::Decided(Box::new(record.clone())));
        }
        let step = records.iter().find(|r| r.decision.order.is_some_and(|o| o.side == Side::Buy)).unwrap().observation.step;
        view.apply(&Event::Outcome { step, outcome: outcome(true, 100) });
        view.apply(&Event::Outcome { step, outcome: outcome(false, 70) });
        let shown = view.shown();
        let f = &shown.figures;
        assert_eq!((f.on_chain, f.buys, f.sells, f.unfilled, f.gas_used_total, shown.trades.len()), (1, 0, 0, 1, 70, 0));
        view.apply(&Event::Outcome { step, outcome: outcome(true, 90) });
        let shown = view.shown();
        let f = &shown.figures;
        assert_eq!((f.on_chain, f.buys, f.sells, f.unfilled, f.gas_used_total, shown.trades.len()), (1, 1, 0, 0, 90, 1));
    }

    #[test]
    fn the_state_is_what_the_run_may_do() {
        let mut view = View::of(About { live: true, ..About::default() }, &View::default());
        assert_eq!(view.shown().health.state, "active");
        for (mode, name) in [(Mode::Halted, "halted"), (Mode::Reducing, "reducing"), (Mode::Active, "active")] {
            view.apply(&Event::Mode { mode, why: "kill_file: for lunch".into() });
            let health = view.shown().health;
            assert_eq!((health.state, health.reason.is_some()), (name, mode != Mode::Active));
        }
        // The record's own halt is shown apart: the gate says what the run may do.
        for record in records() {
            view.apply(&Event::Decided(Box::new(record)));
        }
        assert_eq!((view.shown().health.state, view.shown().health.drawdown_at_step), ("active", Some(10)));
        view.apply(&Event::Fault { message: "gone".into() });
        assert_eq!(view.shown().health.state, "fault");
    }

    #[test]
    fn announced_weights_take_over_at_their_decision() {
        let mut view = View::of(About { commitment_in_force: "first".into(), ..About::default() }, &View::default());
        let (records, commitment) = (records(), probity_verifier::Digest::from_scalar(probity_verifier::Scalar::from(7)));
        view.apply(&Event::Announced { rotation: Rotation { commitment, at_step: 5 } });
        view.apply(&Event::AnnouncementMined { gas_used: 11 });
        assert_eq!(view.shown().figures.gas_used_total, 11);
        for record in &records[..5] {
            view.apply(&Event::Decided(Box::new(record.clone())));
        }
        let about = view.shown().about;
        assert_eq!((about.commitment_in_force.as_str(), about.rotation_ahead.map(|r| r.at_step)), ("first", Some(5)));
        view.apply(&Event::Decided(Box::new(records[5].clone())));
        let shown = view.shown();
        assert_eq!((shown.about.commitment_in_force, shown.about.rotation_ahead), (commitment.to_string(), None));
        assert_eq!(shown.decisions.iter().map(|d| d.takes_over).collect::<Vec<_>>(), [true, false, false, false, false, false]);
    }

    #[test]
    fn what_the_vault_verified_is_no_backlog() {
        let mut view = View::default();
        for record in records() {
            view.apply(&Event::Decided(Box::new(record)));
        }
        assert_eq!((view.shown().backlog(), view.shown().figures.settled), (12, None));
        view.apply(&Event::Settled { decisions: 5, gas_used: 9 });
        let shown = view.shown();
        assert_eq!((shown.backlog(), shown.figures.settled, shown.figures.gas_used_total), (7, Some(5), 9));
        assert_eq!((shown.decisions[7].proof, shown.decisions[6].proof), (ProofState::Settled, ProofState::Waiting));
    }
}
