//! One pass over the decisions of a log: chain, clock, price, continuity, limits, halt, seal.

use crate::audit::Coverage;
use crate::bounds::{self, Context};
use crate::finding::{Code, Finding, Severity};
use crate::since::{AuditState, WalkMark};
use crate::{Announcement, Digest, Entry, Header, Proven, Rotation, Seal, Statement, Waypoint};
use probity_strategy::{Mandate, Observation, Order, Portfolio, Side, State, Valuation, oriented, price_x64};

/// What the pass carries from decision to decision.
pub(crate) struct Walk {
    mandate: Mandate,
    /// The public part of the engine's state; recurrent features stay zero.
    state: State,
    head: Digest,
    next_step: u32,
    last_block: u64,
    used_bps: u128,
    first_time_s: u64,
    /// Commitment to the weights in force.
    commitment: Digest,
    /// Announced and not yet due.
    ahead: Option<Rotation>,
    /// Due so far.
    rotations: Vec<Rotation>,
    proven: Option<Proven>,
    /// Whether the log is where a segment's proof starts, at its start.
    met: bool,
    proven_time_s: Option<u64>,
    sealed_at: Option<u64>,
    /// Head after the last decision, the commitment it was made under, and the rotation then ahead.
    decided: (Digest, Digest, Option<Rotation>),
    pub(crate) coverage: Coverage,
}

impl Walk {
    pub(crate) fn new(header: &Header, proven: Option<Proven>) -> Self {
        Self {
            state: State::genesis(&header.mandate),
            mandate: header.mandate.clone(),
            head: header.genesis_head,
            next_step: 0,
            last_block: 0,
            used_bps: 0,
            first_time_s: 0,
            commitment: header.model_commitment,
            ahead: None,
            rotations: Vec::new(),
            met: proven.is_some_and(|p| p.start.is_none()),
            proven,
            proven_time_s: None,
            sealed_at: None,
            decided: (header.genesis_head, header.model_commitment, None),
            coverage: Coverage::default(),
        }
    }

    /// Goes on from where an earlier audit ended. A proof that ends before is only taken if it is the one that was verified then.
    pub(crate) fn resume(&mut self, since: &AuditState, findings: &mut Vec<Finding>) {
        let mark = &since.walk;
        (self.head, self.commitment, self.decided) =
            (mark.head, mark.commitment, (mark.decision_head, mark.decision_commitment, mark.decision_ahead));
        (self.ahead, self.rotations) = (mark.ahead, mark.rotations.clone());
        (self.last_block, self.first_time_s, self.sealed_at) = (mark.last_block, mark.first_time_s, mark.sealed_at);
        // The file's parser has read it.
        self.used_bps = since.used_bps().unwrap_or(u128::MAX);
        self.coverage = Coverage { replayed: 0, ..since.coverage.clone() };
        self.next_step = since.coverage.decisions;
        let state = &mut self.state;
        (state.step, state.last_time_s, state.pending) = (since.coverage.decisions, mark.last_time_s, mark.pending);
        (state.quote, state.base, state.high_water, state.halted) = (mark.quote, mark.base, mark.high_water, mark.halted);
        self.coverage.proven = 0;
        let Some(Proven { start, end, .. }) = self.proven else { return };
        if let Some(start) = start {
            let expected = format!("a proof from genesis or from decision {} at head {}", since.proven.decisions, since.proven.head);
            let got = format!("one from decision {} at head {}", start.decisions, start.head);
            findings.push(Finding::mismatch(Code::ProofsDoNotMeet, expected, got).field("proof.start"));
        } else if end.decisions == since.coverage.decisions {
            self.compare(end, mark.last_time_s, findings);
        } else if end.decisions < since.coverage.decisions {
            if end == since.proven.waypoint() {
                (self.proven_time_s, self.coverage.proven) = (Some(since.proven.time_s), end.decisions);
            } else {
                let expected = format!("a proof of at least {} decisions, or the one verified before", since.coverage.decisions);
                let got = format!("one of {} at head {}", end.decisions, end.head);
                findings.push(Finding::mismatch(Code::ProofOtherHead, expected, got).field("proof.end"));
            }
        }
    }

    /// Where the pass is, for a later one.
    pub(crate) fn mark(&self) -> WalkMark {
        WalkMark {
            head: self.head,
            decision_head: self.decided.0,
            decision_commitment: self.decided.1,
            decision_ahead: self.decided.2,
            commitment: self.commitment,
            ahead: self.ahead,
            rotations: self.rotations.clone(),
            first_time_s: self.first_time_s,
            last_time_s: self.state.last_time_s,
            last_block: self.last_block,
            quote: self.state.quote,
            base: self.state.base,
            pending: self.state.pending,
            high_water: self.state.high_water,
            halted: self.state.halted,
            used_bps: self.used_bps.to_string(),
            sealed_at: self.sealed_at,
        }
    }

    /// Checks one decision; `head` is the hash of the head before and the record.
    pub(crate) fn entry(&mut self, line: u64, entry: &Entry, head: Digest, findings: &mut Vec<Finding>) {
        let (obs, decision) = (&entry.record.observation, entry.record.decision);
        let before = findings.len();
        if let Some(seal) = self.sealed_at {
            findings.push(Finding::error(Code::AfterSeal, format!("expected the end after the seal on line {seal}, got a decision")));
        }
        self.meet(findings);
        self.chain(entry, head, findings);
        self.take_over();
        let gap = self.clock(obs, findings);
        self.market(obs, findings);
        let val = Valuation::of(obs);
        let portfolio = Portfolio::of(&self.mandate.limits, &self.state, obs, &val);
        self.fill(obs, decision.halted, findings);
        flows(&portfolio, findings);
        findings.extend(without_shares(obs));
        let halted = self.state.halted || portfolio.anomaly || portfolio.drawdown;
        if decision.halted != halted {
            findings.push(Finding::mismatch(Code::HaltMismatch, halted, decision.halted).field("decision.halted"));
        }
        if self.state.step.checked_rem(self.mandate.limits.turnover_window_steps.into()) == Some(0) {
            self.used_bps = 0;
        }
        if let Some(order) = &decision.order {
            let context = Context { halted, gap, used_bps: self.used_bps };
            let (broken, spent) = bounds::check(&self.mandate.limits, obs, order, context);
            self.used_bps = self.used_bps.saturating_add(spent);
            findings.extend(broken.into_iter().map(|b| Finding::mismatch(Code::OrderLimit, b.expected, b.got).field(b.field)));
            if !halted && self.warms_up(&val, order) {
                findings.push(Finding::mismatch(Code::OrderLimit, "no order during warm-up", "one").field("limits.warmup_steps"));
            }
            self.coverage.orders = self.coverage.orders.saturating_add(1);
        }
        for finding in findings.iter_mut().skip(before) {
            (finding.line, finding.step) = (Some(line), Some(obs.step));
        }
        let state = &mut self.state;
        state.step = state.step.saturating_add(1);
        state.last_time_s = obs.time_s;
        (state.quote, state.base, state.pending) = (obs.quote, obs.base, decision.order);
        (state.high_water, state.halted) = (portfolio.high_water, decision.halted || halted);
        self.coverage.decisions = self.coverage.decisions.saturating_add(1);
        self.decided = (self.head, self.commitment, self.ahead);
        self.tie(line, obs, findings);
    }

    /// Whether the policy may not trade yet and this is its order: S7 sells what is over the largest weight even then.
    fn warms_up(&self, val: &Valuation, order: &Order) -> bool {
        let limits = &self.mandate.limits;
        let forced = order.side == Side::Sell && val.weight_bps > i64::from(limits.max_weight_bps);
        self.state.step < limits.warmup_steps.into() && !forced
    }

    fn chain(&mut self, entry: &Entry, head: Digest, findings: &mut Vec<Finding>) {
        let step = entry.record.observation.step;
        if step != self.next_step {
            findings.push(Finding::mismatch(Code::StepIndex, self.next_step, step).field("record.observation.step"));
        }
        self.next_step = step.saturating_add(1);
        if head != entry.head {
            findings.push(Finding::mismatch(Code::HeadMismatch, head, entry.head).field("head"));
        }
        // Goes on from the log's own word, so that one break is reported once.
        self.head = entry.head;
    }

    /// Checks the announcement of other weights.
    pub(crate) fn announcement(&mut self, line: u64, announced: &Announcement, head: Digest, findings: &mut Vec<Finding>) {
        // A segment starts before the announcement: its first fold makes it.
        let mut met = Vec::new();
        self.meet(&mut met);
        let mut refuse = |f: Finding| findings.push(f.on_line(line));
        met.into_iter().for_each(&mut refuse);
        if let Some(seal) = self.sealed_at {
            refuse(Finding::error(Code::AfterSeal, format!("expected the end after the seal on line {seal}, got an announcement")));
        }
        if head != announced.head {
            refuse(Finding::mismatch(Code::HeadMismatch, head, announced.head).field("head"));
        }
        self.head = announced.head;
        if let Err(e) = announced.rotation.check(self.state.step) {
            refuse(Finding::mismatch(Code::RotationRefused, e.expected, e.got).field(e.field));
        }
        self.take_over();
        if let Some(ahead) = &self.ahead {
            let message = format!("expected one rotation at a time, got another before that at step {}", ahead.at_step);
            refuse(Finding::error(Code::RotationRefused, message).field("rotation"));
        }
        self.ahead = Some(announced.rotation);
    }

    /// Announced weights take over at their step.
    fn take_over(&mut self) {
        if let Some(rotation) = self.ahead.take_if(|r| r.at_step == self.state.step) {
            self.commitment = rotation.commitment;
            self.rotations.push(rotation);
        }
    }

    /// A segment's proof starts where the log then is.
    fn meet(&mut self, findings: &mut Vec<Finding>) {
        let Some(start) = self.proven.and_then(|p| p.start).filter(|s| s.decisions == self.coverage.decisions && !self.met) else { return };
        self.met = true;
        if start.head != self.head {
            findings.push(Finding::mismatch(Code::ProofOtherHead, self.head, start.head).field("proof.start.head"));
        }
        if start.commitment != self.commitment {
            findings.push(Finding::mismatch(Code::ProofOtherCommitment, self.commitment, start.commitment).field("proof.start.commitment"));
        }
        if start.ahead != self.ahead {
            findings.push(Finding::mismatch(Code::ProofOtherCommitment, named(self.ahead), named(start.ahead)).field("proof.start.ahead"));
        }
    }

    fn clock(&mut self, obs: &Observation, findings: &mut Vec<Finding>) -> bool {
        let (m, last) = (&self.mandate, self.state.last_time_s);
        let interval = u64::from(m.interval_s).max(1);
        if obs.time_s <= last {
            findings.push(Finding::mismatch(Code::TimeNotForward, format!("after {last}"), obs.time_s).field("record.observation.time_s"));
        }
        let since = obs.time_s.saturating_sub(m.genesis_time_s);
        if !since.is_multiple_of(interval) {
            let expected = format!("{} plus a multiple of {interval}", m.genesis_time_s);
            findings.push(Finding::mismatch(Code::TimeOffGrid, expected, obs.time_s).field("record.observation.time_s"));
        }
        let missing = (obs.time_s.saturating_sub(last) / interval).saturating_sub(1);
        if missing > 0 {
            self.coverage.gaps = self.coverage.gaps.saturating_add(missing);
            findings.push(Finding::new(
                Severity::Info,
                Code::Gap,
                format!("{missing} intervals without a decision; nothing was filled in"),
            ));
        }
        obs.time_s.checked_sub(last) != Some(interval)
    }

    fn market(&mut self, obs: &Observation, findings: &mut Vec<Finding>) {
        if obs.block_number < self.last_block {
            let expected = format!("at least {}", self.last_block);
            let mut finding = Finding::mismatch(Code::BlockOrder, expected, obs.block_number).field("record.observation.block_number");
            finding.severity = Severity::Warn;
            findings.push(finding);
        }
        self.last_block = obs.block_number;
        if obs.mean_tick.unsigned_abs() > 887_272 {
            findings.push(Finding::mismatch(Code::TickRange, "within ±887272", obs.mean_tick).field("record.observation.mean_tick"));
        }
        let price = price_x64(oriented(obs.mean_tick, self.mandate.base_is_token1));
        if price != obs.price_x64 {
            findings.push(Finding::mismatch(Code::PriceMismatch, price.x64(), obs.price_x64.x64()).field("record.observation.price_x64"));
        }
    }

    fn fill(&self, obs: &Observation, halted: bool, findings: &mut Vec<Finding>) {
        let Some(fill) = obs.fill else { return };
        // An honest agent halts on an impossible fill; not halting is an error of its own.
        let severity = if halted { Severity::Warn } else { Severity::Error };
        let (code, message) = match self.state.pending {
            None => (Code::FillWithoutOrder, "expected no fill, got one".to_owned()),
            Some(order) if fill.amount_out.raw() < order.min_out => {
                (Code::FillBelowLimit, format!("expected at least {}, got {}", order.min_out, fill.amount_out.raw()))
            }
            Some(_) => return,
        };
        findings.push(Finding::new(severity, code, message).field("record.observation.fill"));
    }

    fn tie(&mut self, line: u64, obs: &Observation, findings: &mut Vec<Finding>) {
        let Some(Proven { start, end, .. }) = self.proven else { return };
        let from = start.map_or(0, |s| s.decisions);
        if self.coverage.decisions == from.saturating_add(1) {
            self.first_time_s = obs.time_s;
        }
        if self.coverage.decisions == end.decisions {
            let before = findings.len();
            self.compare(end, obs.time_s, findings);
            for finding in findings.iter_mut().skip(before) {
                (finding.line, finding.step) = (Some(line), Some(obs.step));
            }
        }
    }

    /// The end of the proof against the decision it should end at.
    fn compare(&mut self, end: Waypoint, time_s: u64, findings: &mut Vec<Finding>) {
        let (head, commitment, ahead) = self.decided;
        if head != end.head {
            findings.push(Finding::mismatch(Code::ProofOtherHead, head, end.head).field("proof.end.head"));
        } else if commitment != end.commitment {
            findings.push(Finding::mismatch(Code::ProofOtherCommitment, commitment, end.commitment).field("proof.end.commitment"));
        } else if ahead != end.ahead {
            findings.push(Finding::mismatch(Code::ProofOtherCommitment, named(ahead), named(end.ahead)).field("proof.end.ahead"));
        } else {
            self.proven_time_s = Some(time_s);
            self.coverage.proven = end.decisions.saturating_sub(self.proven.map_or(0, |p| p.from()));
        }
    }

    /// Checks the seal.
    pub(crate) fn seal(&mut self, line: u64, seal: &Seal, findings: &mut Vec<Finding>) {
        if let Some(first) = self.sealed_at {
            findings.push(
                Finding::error(Code::AfterSeal, format!("expected the end after the seal on line {first}, got another seal")).on_line(line),
            );
        }
        if seal.decisions != self.coverage.decisions {
            findings
                .push(Finding::mismatch(Code::SealMismatch, self.coverage.decisions, seal.decisions).on_line(line).field("seal.decisions"));
        }
        if seal.head != self.head {
            findings.push(Finding::mismatch(Code::SealMismatch, self.head, seal.head).on_line(line).field("seal.head"));
        }
        self.sealed_at = Some(line);
        self.coverage.sealed = true;
    }

    /// Ends the pass. `segment`: a proof of part of the log is what was asked for.
    pub(crate) fn finish(&self, header: &Header, segment: bool, findings: &mut Vec<Finding>) -> Option<Statement> {
        let decisions = self.coverage.decisions;
        if !self.coverage.sealed {
            findings.push(Finding::new(Severity::Warn, Code::Unsealed, "the log has no seal: what follows its last line is unknown"));
        }
        let proven = self.proven?;
        let (from, to) = (proven.from(), proven.end.decisions);
        if from > 0 {
            let severity = if segment { Severity::Info } else { Severity::Error };
            let message = format!("expected a proof from genesis, got one that starts after {from} decisions");
            findings.push(Finding::new(severity, Code::UnprovenStart, message).field("proof.start"));
        }
        if to > decisions {
            findings.push(Finding::mismatch(Code::LogShorterThanProof, format!("{to} decisions, as proven"), decisions));
        } else if to < decisions {
            // A living agent is always ahead of its proof; a closed log has no excuse.
            let severity = match (segment, self.coverage.sealed) {
                (true, _) => Severity::Info,
                (false, true) => Severity::Error,
                (false, false) => Severity::Warn,
            };
            let message = format!("expected a proof of {decisions} decisions, got one of {to}");
            findings.push(Finding::new(severity, Code::UnprovenTail, message));
        }
        if to == decisions && self.proven_time_s.is_some() && self.head != proven.end.head {
            let message = "the announcement after the last decision is in no proof: a proof takes it in with the next decision";
            findings.push(Finding::new(Severity::Warn, Code::UnprovenTail, message));
        }
        if let Some(start) = proven.start.filter(|s| s.adopts(header, Some(&self.rotations))) {
            let message = format!(
                "the weights in force from decision {from} on (committed to as {}, {}) follow from those at genesis by announcements that no proof given here covers: whoever wrote those lines may have made up both; a proof that ends where this one starts shows it",
                start.commitment,
                named(start.ahead)
            );
            findings.push(Finding::new(Severity::Warn, Code::UnprovenStart, message).field("proof.start.commitment"));
        }
        let from_time_s = self.first_time_s;
        self.proven_time_s.filter(|_| self.met).map(|to| Statement::new(header, &proven, Some(&self.rotations), Some((from_time_s, to))))
    }
}

/// A rotation ahead in words.
fn named(ahead: Option<Rotation>) -> String {
    ahead.map_or_else(|| "no rotation ahead".to_owned(), |r| format!("{} ahead at decision {}", r.commitment, r.at_step))
}

/// Whether an observation has shares, which a loss a share is told by.
pub(crate) fn without_shares(obs: &Observation) -> Option<Finding> {
    let message =
        "expected shares, got none: without them no loss a share can be told, and the drawdown limit holds nothing back at this decision";
    (obs.shares.raw() == 0).then(|| Finding::error(Code::NoShares, message).field("record.observation.shares"))
}

fn flows(portfolio: &Portfolio, findings: &mut Vec<Finding>) {
    for (field, flow) in [("record.observation.quote", portfolio.quote_flow), ("record.observation.base", portfolio.base_flow)] {
        if flow != 0 {
            findings.push(Finding::new(Severity::Info, Code::Flow, format!("declared flow of {flow} raw units")).field(field));
        }
    }
}
