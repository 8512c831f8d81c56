//! One step: pure, total, integers only.

use crate::{
    Decision, Features, Mandate, Model, Observation, Order, Portfolio, Record, State, Valuation, memory, network, oriented, policy, risk,
};

/// What the network is given at one step.
#[derive(Clone, PartialEq, Eq)]
pub struct Inputs {
    /// The features, each −128 … 127.
    pub features: [i32; crate::FEATURES],
    /// The memory that the step before left; empty for a model without one.
    pub memory: Vec<i8>,
}

/// What the network makes of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signal {
    /// Sell, hold, buy: raw accumulators.
    pub outputs: [i32; 3],
    /// The memory that the step leaves.
    pub memory: Vec<i8>,
}

/// What a step produces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The decision (also in the record).
    pub decision: Decision,
    /// The public record.
    pub record: Record,
    /// The state after it.
    pub next_state: State,
}

/// The engine. Construction checks mandate and model once, so that stepping cannot fail.
#[derive(Debug, Clone)]
pub struct Engine {
    mandate: Mandate,
    model: Model,
}

impl Engine {
    /// An engine for a valid mandate and a model of its shape.
    pub fn new(mandate: Mandate, model: Model) -> Result<Self, crate::DomainError> {
        mandate.validate()?;
        model.validate(&mandate.model)?;
        Ok(Self { mandate, model })
    }

    /// The mandate.
    #[must_use]
    pub const fn mandate(&self) -> &Mandate {
        &self.mandate
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The network's inputs at this step: what candle is given.
    #[must_use]
    pub fn inputs(&self, state: &State, obs: &Observation) -> Inputs {
        Inputs { features: self.seen(state, obs).1.scaled(&self.model), memory: state.memory.clone() }
    }

    /// What the integer network makes of its inputs.
    #[must_use]
    pub fn signal(&self, inputs: &Inputs) -> Signal {
        self.signal_of(&inputs.features, &inputs.memory)
    }

    fn signal_of(&self, features: &[i32; crate::FEATURES], memory: &[i8]) -> Signal {
        let memory = memory::remember(&self.mandate.model, &self.model, features, memory);
        Signal { outputs: network::outputs(&self.mandate.model, &self.model, features, &memory), memory }
    }

    /// One step with the engine's own signal.
    #[must_use]
    pub fn step(&self, state: &State, obs: &Observation) -> Step {
        let (val, features) = self.seen(state, obs);
        self.decide(state, obs, &val, &features, self.signal_of(&features.scaled(&self.model), &state.memory))
    }

    /// One step with a given signal (candle's, after the caller has compared it with [`Engine::signal`]).
    #[must_use]
    pub fn step_with(&self, state: &State, obs: &Observation, signal: Signal) -> Step {
        let (val, features) = self.seen(state, obs);
        self.decide(state, obs, &val, &features, signal)
    }

    /// S5's value and S3's features of an observation.
    fn seen(&self, state: &State, obs: &Observation) -> (Valuation, Features) {
        let val = Valuation::of(obs);
        (val, Features::of(state, oriented(obs.mean_tick, self.mandate.base_is_token1), val.weight_bps))
    }

    /// S5 to S9.
    fn decide(&self, state: &State, obs: &Observation, val: &Valuation, features: &Features, signal: Signal) -> Step {
        let (m, limits) = (&self.mandate, &self.mandate.limits);
        let portfolio = Portfolio::of(limits, state, obs, val);
        let halted = state.halted || portfolio.anomaly || portfolio.drawdown;
        let gap = obs.time_s.checked_sub(state.last_time_s) != Some(u64::from(m.interval_s));
        let idle = gap || state.cooldown_left > 0;
        let proposed = policy::propose(&self.model.policy, signal.outputs, val.weight_bps, idle);
        let (window_left, used) = risk::window(limits, state);
        let approved = risk::approve(limits, proposed, val.weight_bps, used, halted, gap);
        // A move of nothing is no order; the divisions can be spared.
        let order = if approved.bps() == 0 { None } else { Order::of(approved, limits, obs, val) };
        let spent = if order.is_some() { u32::try_from(approved.bps().unsigned_abs()).unwrap_or(u32::MAX) } else { 0 };
        let decision = Decision { order, halted };
        let next_state = State {
            step: state.step.saturating_add(1),
            last_time_s: obs.time_s,
            x: oriented(obs.mean_tick, m.base_is_token1),
            r1: features.r0,
            r2: state.r1,
            ema: features.ema,
            vol: features.vol,
            quote: obs.quote,
            base: obs.base,
            pending: order,
            high_water: portfolio.high_water,
            halted,
            cooldown_left: state.cooldown_left.saturating_sub(1).max(if order.is_some() { self.model.policy.cooldown_steps } else { 0 }),
            window_left,
            turnover_used_bps: used.saturating_add(spent),
            memory: signal.memory,
        };
        Step { decision, record: Record { observation: obs.clone(), decision }, next_state }
    }
}
