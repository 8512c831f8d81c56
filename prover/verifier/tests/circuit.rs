//! The step circuit against the engine: same z over random markets, and no other decision is satisfiable.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ff::Field;
use nova_snark::frontend::{ConstraintSystem, Index, LinearCombination, SynthesisError, Variable, num::AllocatedNum};
use nova_snark::traits::circuit::StepCircuit;
use probity_strategy::{
    Amount, Engine, Fill, Limits, Mandate, Model, ModelShape, Observation, Order, PolicyParams, Price, ProofEngine, Side, State, oriented,
    price_x64,
};
use probity_verifier::{FoldCircuit, FoldWitness, Salt, Scalar, commit_model, genesis_z, next_head, state_digest};
use proptest::prelude::*;

type Row = (LinearCombination<Scalar>, LinearCombination<Scalar>, LinearCombination<Scalar>);

/// Records every constraint and every variable, so that any cell can be overwritten.
#[derive(Default)]
struct Recorder {
    aux: Vec<Scalar>,
    rows: Vec<Row>,
}

impl Recorder {
    fn eval(&self, lc: &LinearCombination<Scalar>) -> Scalar {
        lc.iter().map(|(v, c)| *c * if let Index::Aux(i) = v.get_unchecked() { self.aux[i] } else { Scalar::ONE }).sum()
    }

    fn broken(&self) -> Option<usize> {
        self.rows.iter().position(|(a, b, c)| self.eval(a) * self.eval(b) != self.eval(c))
    }

    fn nonzeros(&self) -> usize {
        self.rows.iter().map(|(a, b, c)| a.iter().count() + b.iter().count() + c.iter().count()).sum()
    }
}

impl ConstraintSystem<Scalar> for Recorder {
    type Root = Self;

    fn alloc<F, A, AR>(&mut self, _: A, f: F) -> Result<Variable, SynthesisError>
    where
        F: FnOnce() -> Result<Scalar, SynthesisError>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.aux.push(f()?);
        Ok(Variable::new_unchecked(Index::Aux(self.aux.len() - 1)))
    }

    fn alloc_input<F, A, AR>(&mut self, a: A, f: F) -> Result<Variable, SynthesisError>
    where
        F: FnOnce() -> Result<Scalar, SynthesisError>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.alloc(a, f)
    }

    fn enforce<A, AR, LA, LB, LC>(&mut self, _: A, a: LA, b: LB, c: LC)
    where
        A: FnOnce() -> AR,
        AR: Into<String>,
        LA: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
        LB: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
        LC: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
    {
        let zero = LinearCombination::zero;
        self.rows.push((a(zero()), b(zero()), c(zero())));
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self) {}

    fn get_root(&mut self) -> &mut Self::Root {
        self
    }
}

fn run(circuit: &FoldCircuit, z: [Scalar; 5]) -> (Recorder, Vec<Scalar>) {
    let mut cs = Recorder::default();
    let input: Vec<_> = z.iter().map(|v| AllocatedNum::alloc(&mut cs, || Ok(*v)).unwrap()).collect();
    let out = circuit.synthesize(&mut cs, &input).unwrap();
    let out = out.iter().map(|n| n.get_value().unwrap()).collect();
    (cs, out)
}

fn shape() -> ModelShape {
    ModelShape { dims: vec![16, 6, 3], shifts: vec![7] }
}

fn mandate(limits: Limits, slots: u16) -> Mandate {
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
        model: shape(),
        limits,
    }
}

prop_compose! {
    fn limits()(w in 0u16..=10_000, t in 1u16..=10_000, least in 2u16..200, turn in 1u32..=30_000, win in 1u16..6, dd in 1u16..=10_000,
                slip in 0u16..=10_000, most in prop_oneof![1u128..(1 << 80), Just(50_000_000_000u128)], warm in 0u16..3) -> Limits {
        Limits { max_weight_bps: w, max_trade_bps: t, min_trade_bps: least, max_turnover_bps: turn, turnover_window_steps: win,
                 max_drawdown_bps: dd, max_slippage_bps: slip, max_trade_quote: Amount::new(most).unwrap(), warmup_steps: warm }
    }
}

prop_compose! {
    fn model()(scales in prop::array::uniform16(any::<u16>()), weights in prop::collection::vec(any::<i8>(), 16 * 6 + 6 * 3),
               biases in prop::collection::vec(prop_oneof![-4_194_303i32..=4_194_303, -20_000i32..20_000], 9), gain in any::<u16>(), band_gain in 0u16..60,
               band in 0u16..2_000, step in 0u16..=10_000, cool in 0u16..3) -> Model {
        Model { scales, weights, biases, policy: PolicyParams { gain, band_gain, band_bps: band, max_step_bps: step, cooldown_steps: cool } }
    }
}

/// tick, other price, quote, base, shares, fill (share of the least amount in bps, or raw), seconds
type Bar = (i32, Option<u128>, u128, u128, u128, Option<u128>, u64);

fn bar() -> impl Strategy<Value = Bar> {
    let amount = || prop_oneof![3 => 1_000_000u128..500_000_000_000, 1 => Just(0u128), 1 => Just((1 << 96) - 1), 1 => 0u128..(1 << 96)];
    let eth = prop_oneof![4 => 1_000_000_000_000_000u128..200_000_000_000_000_000_000, 1 => Just(0u128), 1 => Just((1 << 96) - 1)];
    (
        prop_oneof![4 => 196_000i32..199_000, 1 => -887_272i32..=887_272],
        prop_oneof![6 => Just(None), 1 => (0u128..(1 << 96)).prop_map(Some), 1 => Just(Some(0)), 1 => Just(Some((1 << 96) - 1))],
        amount(),
        eth,
        amount(),
        prop_oneof![3 => Just(None), 2 => Just(Some(u128::MAX)), 1 => (0u128..(1 << 96)).prop_map(Some)],
        prop_oneof![6 => Just(300u64), 1 => 1u64..1_000],
    )
}

fn observe(state: &State, bar: &Bar) -> Observation {
    let (tick, price, quote, base, shares, fill, dt) = *bar;
    // u128::MAX stands for a fill at exactly the least amount.
    let fill = fill.and_then(|f| if f == u128::MAX { state.pending.map(|o| o.min_out.min(Amount::MAX.raw())) } else { Some(f) });
    Observation {
        step: state.step,
        time_s: state.last_time_s + dt,
        block_number: 18_000_000,
        block_hash: [0xab; 32],
        mean_tick: tick,
        price_x64: price.map_or_else(|| price_x64(oriented(tick, true)), Price::saturating),
        quote: Amount::new(quote).unwrap(),
        base: Amount::new(base).unwrap(),
        shares: Amount::new(shares).unwrap(),
        fill: fill.map(|f| Fill { amount_out: Amount::new(f).unwrap() }),
    }
}

fn fold(engine: &Engine, salt: &Salt, state: &State, z: [Scalar; 5], blind: (u64, u64), observations: Vec<Observation>) -> FoldCircuit {
    FoldCircuit {
        shape: engine.mandate().model.clone(),
        decisions_per_fold: engine.mandate().decisions_per_fold,
        witness: Some(FoldWitness {
            mandate: engine.mandate().clone(),
            model: engine.model().clone(),
            salt: salt.clone(),
            state: state.clone(),
            head: probity_verifier::Digest::from_scalar(z[3]),
            observations,
            blind_in: Scalar::from(blind.0),
            blind_out: Scalar::from(blind.1),
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn circuit_equals_engine(limits in limits(), model in model(), slots in 1u16..4, market in prop::collection::vec(bar(), 4..14), live in 1usize..4) {
        let engine = Engine::new(mandate(limits, slots), model).unwrap();
        let salt = Salt::new([9; 32]);
        let commitment = commit_model(&engine.mandate().model, engine.model(), &salt);
        let (mut z, mut state, mut blind) = (genesis_z(engine.mandate(), &commitment), State::genesis(engine.mandate()), 0u64);
        for bars in market.chunks(live.min(usize::from(slots))) {
            let (mut next, mut head, mut seen) = (state.clone(), probity_verifier::Digest::from_scalar(z[3]), Vec::new());
            for bar in bars {
                let obs = observe(&next, bar);
                let step = engine.step(&next, &obs);
                head = next_head(&head, &step.record);
                next = step.next_state;
                seen.push(obs);
            }
            let (cs, out) = run(&fold(&engine, &salt, &state, z, (blind, blind + 1), seen), z);
            prop_assert_eq!(cs.broken(), None, "a step has no satisfying witness");
            let want = [z[0], z[1], Scalar::from(u64::from(next.step)), head.to_scalar(), state_digest(&next, &Scalar::from(blind + 1))];
            prop_assert_eq!(&out[..], &want[..]);
            (z, state, blind) = (want, next, blind + 1);
        }
    }
}

/// A calm market, a model that buys and a vault with both tokens.
fn example(gain: u16) -> (Engine, Salt, State, [Scalar; 5], Observation) {
    let limits = Limits {
        max_weight_bps: 9_000,
        max_trade_bps: 2_500,
        min_trade_bps: 50,
        max_turnover_bps: 20_000,
        turnover_window_steps: 48,
        max_drawdown_bps: 2_000,
        max_slippage_bps: 50,
        max_trade_quote: Amount::new(50_000_000_000).unwrap(),
        warmup_steps: 0,
    };
    let weights = (0..16 * 6 + 6 * 3).map(|i| i8::try_from((i * 37) % 200 - 100).unwrap()).collect();
    let policy = PolicyParams { gain, band_gain: 1, band_bps: 100, max_step_bps: 3_000, cooldown_steps: 0 };
    let model = Model { scales: [500; 16], weights, biases: vec![3; 9], policy };
    let engine = Engine::new(mandate(limits, 1), model).unwrap();
    let salt = Salt::new([7; 32]);
    let commitment = commit_model(&engine.mandate().model, engine.model(), &salt);
    let state = State::genesis(engine.mandate());
    let z = genesis_z(engine.mandate(), &commitment);
    let bar = (197_000, None, 60_000_000_000, 10_000_000_000_000_000_000, 90_000_000_000, None, 300);
    let obs = observe(&state, &bar);
    (engine, salt, state, z, obs)
}

#[test]
fn no_cell_can_be_overwritten() {
    let (engine, salt, state, z, obs) = example(60_000);
    let decision = engine.step(&state, &obs).decision;
    assert!(decision.order.is_some(), "the example trades");
    let (mut cs, _) = run(&fold(&engine, &salt, &state, z, (0, 5), vec![obs]), z);
    assert_eq!(cs.broken(), None);
    // Constraint rows by variable, so that each overwrite checks only what it touches.
    let mut touches = vec![Vec::new(); cs.aux.len()];
    for (i, (a, b, c)) in cs.rows.iter().enumerate() {
        for (v, _) in a.iter().chain(b.iter()).chain(c.iter()) {
            if let Index::Aux(j) = v.get_unchecked() {
                touches[j].push(i);
            }
        }
    }
    let mut survivors = Vec::new();
    for (j, rows) in touches.iter().enumerate() {
        for delta in [Scalar::ONE, -Scalar::ONE] {
            let old = cs.aux[j];
            cs.aux[j] = old + delta;
            let caught = rows.iter().any(|i| {
                let (a, b, c) = &cs.rows[*i];
                cs.eval(a) * cs.eval(b) != cs.eval(c)
            });
            cs.aux[j] = old;
            if !caught {
                survivors.push(j);
            }
        }
    }
    // Harmless: the inverse hint of an `is_zero` whose wire is 0 is multiplied by 0.
    let hints = survivors.iter().all(|j| touches[*j].len() == 1 && cs.eval(&cs.rows[touches[*j][0]].0) == Scalar::ZERO);
    println!("{} variables, {} constraints, {} survivors (inverse hints of zeros)", cs.aux.len(), cs.rows.len(), survivors.len());
    assert!(hints, "unconstrained variables: {survivors:?}");
}

#[test]
fn another_decision_observation_or_weight_has_another_z() {
    let (engine, salt, state, z, obs) = example(60_000);
    let (_, honest) = run(&fold(&engine, &salt, &state, z, (0, 5), vec![obs.clone()]), z);
    // Claimed holds and trades are other records: the circuit's head never equals theirs.
    let record = engine.step(&state, &obs).record;
    let head = probity_verifier::Digest::from_scalar(z[3]);
    assert_eq!(next_head(&head, &record).to_scalar(), honest[3]);
    let mut hold = record.clone();
    hold.decision.order = None;
    assert_ne!(next_head(&head, &hold).to_scalar(), honest[3]);
    let order = record.decision.order.unwrap();
    let other = Order { side: if order.side == Side::Buy { Side::Sell } else { Side::Buy }, ..order };
    let mut flipped = record.clone();
    flipped.decision.order = Some(other);
    assert_ne!(next_head(&head, &flipped).to_scalar(), honest[3]);
    // One weight off by one does not open the commitment.
    let mut weights = engine.model().weights.clone();
    weights[3] = weights[3].wrapping_add(1);
    let forged = Engine::new(engine.mandate().clone(), Model { weights, ..engine.model().clone() }).unwrap();
    let (cs, _) = run(&fold(&forged, &salt, &state, z, (0, 5), vec![obs.clone()]), z);
    assert!(cs.broken().is_some());
    // Another salt, another mandate and another state do not open theirs.
    let (cs, _) = run(&fold(&engine, &Salt::new([8; 32]), &state, z, (0, 5), vec![obs.clone()]), z);
    assert!(cs.broken().is_some());
    let mut wide = engine.mandate().clone();
    wide.limits.max_trade_bps += 1;
    let wide = Engine::new(wide, engine.model().clone()).unwrap();
    let (cs, _) = run(&fold(&wide, &salt, &state, z, (0, 5), vec![obs.clone()]), z);
    assert!(cs.broken().is_some());
    let richer = State { cooldown_left: 1, ..state };
    let (cs, _) = run(&fold(&engine, &salt, &richer, z, (0, 5), vec![obs]), z);
    assert!(cs.broken().is_some());
}

#[test]
fn size_of_the_default_circuit() {
    let (engine, salt, _, _, obs) = example(60_000);
    for slots in [1u16, 4, 16] {
        let mut m = engine.mandate().clone();
        (m.decisions_per_fold, m.model) = (slots, ModelShape::default());
        let model = Model { weights: vec![1; m.model.weights()], biases: vec![0; m.model.biases()], ..engine.model().clone() };
        let engine = Engine::new(m, model).unwrap();
        let commitment = commit_model(&engine.mandate().model, engine.model(), &salt);
        let (z, state) = (genesis_z(engine.mandate(), &commitment), State::genesis(engine.mandate()));
        let (cs, _) = run(&fold(&engine, &salt, &state, z, (0, 1), vec![obs.clone()]), z);
        assert_eq!(cs.broken(), None);
        println!("{slots} slots: {} constraints, {} variables, {} non-zeros", cs.rows.len(), cs.aux.len(), cs.nonzeros());
    }
}
