//! Mandates, models and markets for the tests of the circuit, calm ones and extreme ones.

use crate::system::System;
use probity_strategy::{
    Amount, Engine, Fill, Limits, MAX_X, MIN_X, Mandate, Model, ModelShape, Observation, PolicyParams, Price, ProofEngine, Recurrent,
    State, Step, oriented, price_x64,
};
use probity_verifier::{
    Digest, FoldCircuit, FoldWitness, Rotation, Salt, Scalar, Z, commit_model, genesis_z, next_head, rotation_head, state_digest, z_at,
};
use proptest::prelude::*;

pub(crate) const MAX: u128 = (1 << 96) - 1;

/// The smallest shape that keeps every block, one hidden layer included.
pub(crate) fn smallest() -> ModelShape {
    ModelShape { dims: vec![16, 2, 3], shifts: vec![7], recurrent: None }
}

/// A shape with so many cells of memory, and every block.
pub(crate) fn recurrent(units: u16, gate_shift: u8, candidate_shift: u8) -> ModelShape {
    ModelShape { dims: vec![16 + units, 2, 3], shifts: vec![7], recurrent: Some(Recurrent { units, gate_shift, candidate_shift }) }
}

pub(crate) fn mandate(limits: Limits, model: ModelShape, slots: u16) -> Mandate {
    Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "11".repeat(20)),
        pool: format!("0x{}", "22".repeat(20)),
        base_is_token1: true,
        interval_s: 300,
        genesis_time_s: 1_700_000_000,
        decisions_per_fold: slots,
        proof_engine: ProofEngine::Transparent,
        model,
        limits,
    }
}

/// What one observation is made of; a fill of `u128::MAX` stands for exactly the least amount, `u128::MAX − 1` for one less.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) tick: i32,
    pub(crate) price: Option<u128>,
    pub(crate) quote: u128,
    pub(crate) base: u128,
    pub(crate) shares: u128,
    pub(crate) fill: Option<u128>,
    pub(crate) seconds: u64,
}

/// A calm bar.
pub(crate) const CALM: Bar = Bar {
    tick: 197_000,
    price: None,
    quote: 60_000_000_000,
    base: 10_000_000_000_000_000_000,
    shares: 90_000_000_000,
    fill: None,
    seconds: 300,
};

impl Bar {
    pub(crate) fn observe(&self, mandate: &Mandate, state: &State) -> Observation {
        let least = state.pending.map(|o| o.min_out);
        let fill = match self.fill {
            Some(u128::MAX) => least.map(|l| l.min(MAX)),
            Some(f) if f == u128::MAX - 1 => least.map(|l| l.min(MAX).saturating_sub(1)),
            other => other,
        };
        Observation {
            step: state.step,
            time_s: state.last_time_s.saturating_add(self.seconds),
            block_number: u64::MAX - u64::from(state.step),
            block_hash: [0xff; 32],
            mean_tick: self.tick,
            price_x64: self.price.map_or_else(|| price_x64(oriented(self.tick, mandate.base_is_token1)), Price::saturating),
            quote: Amount::new(self.quote).unwrap(),
            base: Amount::new(self.base).unwrap(),
            shares: Amount::new(self.shares).unwrap(),
            fill: fill.map(|f| Fill { amount_out: Amount::new(f).unwrap() }),
        }
    }
}

/// An agent and where its chain of folds stands.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) salt: Salt,
    pub(crate) state: State,
    pub(crate) z: Z,
    pub(crate) blind: Scalar,
    /// Announced before the next fold, and about to be.
    pub(crate) ahead: Option<Rotation>,
    pub(crate) announce: Option<Rotation>,
}

impl Run {
    pub(crate) fn new(mandate: Mandate, model: Model) -> Self {
        let engine = Engine::new(mandate, model).unwrap();
        let salt = Salt::new([7; 32]);
        let z = genesis_z(engine.mandate(), &commit_model(&engine.mandate().model, engine.model(), &salt));
        Self { state: State::genesis(engine.mandate()), engine, salt, z, blind: Scalar::from(0), ahead: None, announce: None }
    }

    /// The circuit of the next fold over these observations.
    pub(crate) fn circuit(&self, observations: Vec<Observation>) -> FoldCircuit {
        FoldCircuit {
            shape: self.engine.mandate().model.clone(),
            decisions_per_fold: self.engine.mandate().decisions_per_fold,
            witness: Some(FoldWitness {
                mandate: self.engine.mandate().clone(),
                model: self.engine.model().clone(),
                salt: self.salt.clone(),
                state: self.state.clone(),
                head: Digest::from_scalar(self.z[5]),
                announce: self.announce,
                observations,
                blind_in: self.blind,
                blind_out: self.blind + Scalar::from(5),
            }),
        }
    }

    /// Folds bars: the recorded system, z after it as the circuit says, and the engine's steps. The run moves on.
    pub(crate) fn fold(&mut self, bars: &[Bar]) -> (System, Vec<Scalar>, Vec<Step>) {
        let (mut next, mut head) = (self.state.clone(), Digest::from_scalar(self.z[5]));
        let due = self.ahead.filter(|r| r.at_step == next.step);
        let ahead = self.announce.or(self.ahead.filter(|_| due.is_none()));
        if let Some(rotation) = &self.announce {
            head = rotation_head(&head, rotation);
        }
        let (mut seen, mut steps) = (Vec::new(), Vec::new());
        for bar in bars {
            let obs = bar.observe(self.engine.mandate(), &next);
            let step = self.engine.step(&next, &obs);
            head = next_head(&head, &step.record);
            next = step.next_state.clone();
            seen.push(obs);
            steps.push(step);
        }
        let (system, out) = System::of(&self.circuit(seen), self.z);
        self.blind += Scalar::from(5);
        let in_force = due.map_or(Digest::from_scalar(self.z[0]), |r| r.commitment);
        let mandate = Digest::from_scalar(self.z[1]);
        self.z = z_at(&in_force, &mandate, ahead.as_ref(), next.step, &head, state_digest(&next, &self.blind));
        (self.ahead, self.announce) = (ahead, None);
        self.state = next;
        (system, out, steps)
    }
}

pub(crate) fn calm_limits() -> Limits {
    Limits {
        max_weight_bps: 9_000,
        max_trade_bps: 2_500,
        min_trade_bps: 50,
        max_turnover_bps: 20_000,
        turnover_window_steps: 48,
        max_drawdown_bps: 2_000,
        max_slippage_bps: 50,
        max_trade_quote: Amount::new(50_000_000_000).unwrap(),
        warmup_steps: 0,
    }
}

/// A model without inputs whose outputs are these: what it wants does not depend on the market.
pub(crate) fn constant_model(shape: &ModelShape, outputs: [i32; 3], policy: PolicyParams) -> Model {
    let mut biases = vec![0; shape.biases()];
    let last = biases.len() - 3;
    biases[last..].copy_from_slice(&outputs);
    Model { scales: [500; 16], weights: vec![0; shape.weights()], biases, policy }
}

/// A model with weights of every kind.
pub(crate) fn busy_model(shape: &ModelShape, gain: u16) -> Model {
    let weights = (0..shape.weights()).map(|i| i8::try_from((i * 37) % 200).unwrap_or(i8::MIN)).collect();
    let policy = PolicyParams { gain, band_gain: 1, band_bps: 100, max_step_bps: 3_000, cooldown_steps: 0 };
    Model { scales: [500; 16], weights, biases: vec![3; shape.biases()], policy }
}

prop_compose! {
    pub(crate) fn limits()(w in 0u16..=10_000, t in 1u16..=10_000, least in 2u16..200, turn in 1u32..=30_000, win in 1u16..6,
                dd in 1u16..=10_000, slip in 0u16..=10_000,
                most in prop_oneof![1u128..(1 << 80), Just(50_000_000_000u128), Just((1 << 80) - 1)], warm in 0u16..3) -> Limits {
        Limits { max_weight_bps: w, max_trade_bps: t, min_trade_bps: least, max_turnover_bps: turn, turnover_window_steps: win,
                 max_drawdown_bps: dd, max_slippage_bps: slip, max_trade_quote: Amount::new(most).unwrap(), warmup_steps: warm }
    }
}

/// Shapes without a hidden layer, with the largest and the smallest shift, with two hidden layers, and with a memory: of one cell, of more
/// rows than fit one group, with gates and candidates in one group or not, at the ends of the shifts.
fn shapes() -> impl Strategy<Value = ModelShape> {
    let shape = |dims: &[u16], shifts: &[u8]| Just(ModelShape { dims: dims.to_vec(), shifts: shifts.to_vec(), recurrent: None });
    prop_oneof![
        4 => shape(&[16, 6, 3], &[7]),
        1 => shape(&[16, 3], &[]),
        1 => shape(&[16, 2, 3], &[16]),
        1 => shape(&[16, 2, 2, 3], &[1, 7]),
        2 => Just(recurrent(7, 7, 6)),
        1 => Just(recurrent(1, 12, 1)),
        1 => Just(recurrent(2, 1, 12)),
        1 => Just(recurrent(17, 8, 8)),
    ]
}

/// A model of a shape; one in four has every parameter at its bound.
fn models(shape: ModelShape) -> impl Strategy<Value = Model> {
    let bias = prop_oneof![-524_287i32..=524_287, -20_000i32..20_000];
    let loose = (
        prop::array::uniform16(any::<u16>()),
        prop::collection::vec(any::<i8>(), shape.weights()),
        prop::collection::vec(bias, shape.biases()),
        (any::<u16>(), 0u16..60, 0u16..2_000, 0u16..=10_000, 0u16..3),
    );
    let edge = (
        prop::array::uniform16(prop_oneof![Just(0u16), Just(u16::MAX)]),
        prop::collection::vec(prop_oneof![Just(-128i8), Just(127)], shape.weights()),
        prop::collection::vec(prop_oneof![Just(524_287i32), Just(-524_287)], shape.biases()),
        (Just(u16::MAX), prop_oneof![Just(0u16), Just(u16::MAX)], prop_oneof![Just(0u16), Just(10_000)], Just(10_000u16), Just(0u16)),
    );
    prop_oneof![3 => loose, 1 => edge].prop_map(|(scales, weights, biases, (gain, band_gain, band_bps, max_step_bps, cooldown_steps))| {
        let policy = PolicyParams { gain, band_gain, band_bps, max_step_bps, cooldown_steps };
        Model { scales, weights, biases, policy }
    })
}

/// A valid mandate and a model of its shape.
pub(crate) fn agents() -> impl Strategy<Value = (Mandate, Model)> {
    (limits(), shapes(), 1u16..4, any::<bool>())
        .prop_map(|(limits, shape, slots, token1)| Mandate { base_is_token1: token1, ..mandate(limits, shape, slots) })
        .prop_flat_map(|m| {
            let model = models(m.model.clone());
            (Just(m), model)
        })
}

/// Every recordable observation has a step: ordinary bars, and each field at its bounds.
pub(crate) fn bars() -> impl Strategy<Value = Bar> {
    let edges = prop_oneof![Just(0u128), Just(1), Just(MAX - 1), Just(MAX)];
    let amount = || prop_oneof![3 => 1_000_000u128..500_000_000_000, 1 => edges.clone(), 1 => 0u128..=MAX];
    let eth = prop_oneof![4 => 1_000_000_000_000_000u128..200_000_000_000_000_000_000, 1 => edges.clone()];
    let ticks = [-887_272, 887_272, 0, MIN_X - 1, MIN_X, MIN_X + 1, MAX_X - 1, MAX_X, MAX_X + 1, -MIN_X, -MAX_X, 197_000 + 32_767];
    (
        prop_oneof![4 => 196_000i32..199_000, 1 => -887_272i32..=887_272, 2 => prop::sample::select(ticks.to_vec())],
        prop_oneof![6 => Just(None), 1 => (0u128..=MAX).prop_map(Some), 1 => Just(Some(0)), 1 => Just(Some(MAX))],
        amount(),
        eth,
        amount(),
        prop_oneof![
            3 => Just(None), 2 => Just(Some(u128::MAX)), 1 => Just(Some(u128::MAX - 1)), 1 => Just(Some(0)), 1 => Just(Some(MAX)),
            1 => (0u128..=MAX).prop_map(Some)
        ],
        prop_oneof![6 => Just(300u64), 1 => 1u64..1_000, 1 => Just(u64::from(u32::MAX)), 1 => Just(1 << 63)],
    )
        .prop_map(|(tick, price, quote, base, shares, fill, seconds)| Bar { tick, price, quote, base, shares, fill, seconds })
}
