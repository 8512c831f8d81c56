//! The step circuit against the engine: same z over random and extreme markets, integers that never wrap, other decisions refused.

use crate::market::{self, Bar, CALM, MAX, Run};
use crate::system::{System, eval};
use num_bigint::{BigInt, Sign};
use probity_strategy::{Engine, MAX_X, MIN_X, Model, Order, PolicyParams, Side, State};
use probity_verifier::{ARITY, Digest, Salt, Scalar, next_head};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 64, ..ProptestConfig::default() })]

    /// Every recordable observation has a satisfying witness, and z after the fold is the engine's.
    #[test]
    fn circuit_equals_engine((mandate, model) in market::agents(), bars in prop::collection::vec(market::bars(), 4..12), live in 1usize..4) {
        let slots = usize::from(mandate.decisions_per_fold);
        let mut run = Run::new(mandate, model);
        for bars in bars.chunks(live.min(slots)) {
            let (system, out, _) = run.fold(bars);
            prop_assert_eq!(system.broken(), None, "a step has no satisfying witness");
            prop_assert_eq!(&out[..], &run.z[..]);
        }
    }
}

/// Each field at its bounds, in one run of single folds: nothing that a vault can record blocks proving.
#[test]
fn every_extreme_has_a_step() {
    let policy = PolicyParams { gain: u16::MAX, band_gain: 0, band_bps: 0, max_step_bps: 10_000, cooldown_steps: 0 };
    let model = market::constant_model(&market::smallest(), [-500_000, 0, 500_000], policy);
    for token1 in [false, true] {
        let mandate = market::mandate(market::calm_limits(), market::smallest(), 1);
        let mut run = Run::new(probity_strategy::Mandate { base_is_token1: token1, ..mandate }, model.clone());
        let mut bars = vec![CALM];
        bars.extend([-887_272, 887_272, MIN_X - 1, MAX_X + 1, -MIN_X, -MAX_X, 0].map(|tick| Bar { tick, ..CALM }));
        bars.extend([0, 1, MAX - 1, MAX].map(|v| Bar { quote: v, ..CALM }));
        bars.extend([0, 1, MAX - 1, MAX].map(|v| Bar { base: v, ..CALM }));
        bars.extend([0, 1, MAX].map(|v| Bar { shares: v, ..CALM }));
        bars.extend([0, MAX].map(|p| Bar { price: Some(p), ..CALM }));
        bars.extend([0, MAX].map(|p| Bar { price: Some(p), quote: MAX, base: MAX, ..CALM }));
        bars.extend([0, MAX, u128::MAX, u128::MAX - 1].map(|f| Bar { fill: Some(f), ..CALM }));
        bars.extend([Bar { quote: 0, base: 0, shares: 0, fill: Some(0), ..CALM }, CALM]);
        // The clock at the end of 64 bits: the last two observations have one time, which is a gap and not an interval.
        bars.extend([1, u64::from(u32::MAX), 1 << 63, u64::MAX, 300].map(|seconds| Bar { seconds, ..CALM }));
        for bar in bars {
            let (system, out, _) = run.fold(std::slice::from_ref(&bar));
            assert_eq!((system.broken(), &out[..]), (None, &run.z[..]), "{bar:?}");
        }
    }
}

/// The signed integer that a field element stands for: the one nearest to 0.
fn lifted(v: &Scalar) -> BigInt {
    let bytes = |s: &Scalar| BigInt::from_bytes_le(Sign::Plus, ff::PrimeField::to_repr(s).as_ref());
    let (plus, minus) = (bytes(v), bytes(&-*v));
    if plus <= minus { plus } else { -minus }
}

/// Outside the hashes, the inverse hints and the digests, every row is an equation of integers: lifted to the integers nearest to 0 it
/// still holds, and both sides stay below 2^250, far from p/2. Largest weights, inputs, balances and prices included.
#[test]
fn no_row_wraps_at_the_bounds() {
    let policy = PolicyParams { gain: u16::MAX, band_gain: u16::MAX, band_bps: 10_000, max_step_bps: 10_000, cooldown_steps: u16::MAX };
    let mut widest = 0;
    for shape in [market::smallest(), market::recurrent(32, 12, 12), market::recurrent(16, 1, 1)] {
        for (weight, bias) in [(-128i8, -524_287i32), (127, 524_287), (127, -524_287), (-128, 524_287)] {
            for (quote, base, price) in [(MAX, MAX, MAX), (0, MAX, MAX), (MAX, 0, 0), (0, 0, 0), (MAX, MAX, 0), (1, 1, MAX)] {
                let mut limits = market::calm_limits();
                (limits.max_trade_quote, limits.max_slippage_bps) = (probity_strategy::Amount::new((1 << 80) - 1).unwrap(), 0);
                let (weights, biases) = (vec![weight; shape.weights()], vec![bias; shape.biases()]);
                let model = Model { scales: [u16::MAX; 16], weights, biases, policy: policy.clone() };
                let mut run = Run::new(market::mandate(limits, shape.clone(), 2), model);
                let bar = Bar { quote, base, price: Some(price), shares: MAX, ..CALM };
                let ends = [Bar { tick: -887_272, ..bar.clone() }, Bar { tick: 887_272, fill: Some(MAX), ..bar }];
                for _ in 0..2 {
                    let (system, _, _) = run.fold(&ends);
                    assert_eq!(system.broken(), None);
                    widest = widest.max(widest_row(&system));
                }
                if shape.recurrent.is_some() && (quote, base) != (MAX, MAX) {
                    break;
                }
            }
        }
    }
    println!("widest product or sum outside the hashes: {widest} bits");
    assert!(widest <= 250);
}

fn widest_row(system: &System) -> u64 {
    let hints = system.zero_tests();
    let mut widest = 0;
    for (i, row) in system.rows.iter().enumerate() {
        // A row that touches a hash's element or a digest is an equation of field elements, not of integers.
        let field = |v: usize| v <= ARITY && v > 0 || system.places[v].hash.is_some() || [10, 12].contains(&system.places[v].block);
        let opaque = row.sides().iter().any(|lc| lc.iter().any(|(v, _)| field(*v)));
        let tests = hints.iter().any(|(first, ..)| *first == i);
        if row.place.hash.is_some() || opaque || tests || [11, 12].contains(&row.place.block) {
            continue;
        }
        let [a, b, c] = row.sides().map(|lc| lifted(&eval(lc, &system.w)));
        let terms = row.sides().into_iter().flatten().map(|(v, k)| (lifted(k) * lifted(&system.w[*v])).bits()).max().unwrap_or(0);
        assert_eq!(&a * &b, c, "row {i} ({}, {}) holds mod p only", row.place.block, row.label);
        widest = widest.max((a * b).bits()).max(terms);
    }
    widest
}

#[test]
fn another_decision_observation_or_weight_has_another_z() {
    let run = Run::new(market::mandate(market::calm_limits(), market::smallest(), 1), market::busy_model(&market::smallest(), 60_000));
    let (engine, state) = (&run.engine, &run.state);
    let obs = CALM.observe(engine.mandate(), state);
    let honest = run.clone().fold(&[CALM]).1;
    // Claimed holds and trades are other records: the circuit's head never equals theirs.
    let record = engine.step(state, &obs).record;
    let head = Digest::from_scalar(run.z[5]);
    assert_eq!(next_head(&head, &record).to_scalar(), honest[5]);
    let mut hold = record.clone();
    hold.decision.order = None;
    assert_ne!(next_head(&head, &hold).to_scalar(), honest[5]);
    let order = record.decision.order.unwrap();
    let other = Order { side: if order.side == Side::Buy { Side::Sell } else { Side::Buy }, ..order };
    let mut flipped = record;
    flipped.decision.order = Some(other);
    assert_ne!(next_head(&head, &flipped).to_scalar(), honest[5]);
    // One weight off by one, another salt, another mandate and another state do not open theirs.
    // So it is at the first fold and at a later one.
    let mut later = run.clone();
    later.fold(&[CALM]);
    let refused = |change: &dyn Fn(&mut Run)| {
        let blocks = [&run, &later].map(|honest| {
            let mut forged = honest.clone();
            change(&mut forged);
            let obs = CALM.observe(forged.engine.mandate(), &forged.state);
            let (system, _) = System::of(&forged.circuit(vec![obs]), honest.z);
            system.rows[system.broken().unwrap()].place.block
        });
        assert_eq!(blocks[0], blocks[1]);
        blocks[0]
    };
    let weights = |r: &mut Run| {
        let mut weights = r.engine.model().weights.clone();
        weights[3] = weights[3].wrapping_add(1);
        r.engine = Engine::new(r.engine.mandate().clone(), Model { weights, ..r.engine.model().clone() }).unwrap();
    };
    let limits = |r: &mut Run| {
        let mut wide = r.engine.mandate().clone();
        wide.limits.max_trade_bps += 1;
        r.engine = Engine::new(wide, r.engine.model().clone()).unwrap();
    };
    assert_eq!(refused(&weights), 1);
    assert_eq!(refused(&|r| r.salt = Salt::new([8; 32])), 1);
    assert_eq!(refused(&limits), 2);
    assert_eq!(refused(&|r| r.state = State { cooldown_left: 9, ..r.state.clone() }), 3);
    assert_eq!(refused(&|r| r.blind += Scalar::from(1)), 3);
}

/// A memory is bound by the state digest: another cell does not open it, and what the engine leaves is what the next fold starts from.
#[test]
fn another_memory_does_not_open_the_state() {
    let shape = market::recurrent(2, 7, 6);
    let mut run = Run::new(market::mandate(market::calm_limits(), shape.clone(), 1), market::busy_model(&shape, 60_000));
    run.fold(&[CALM]);
    assert!(run.state.memory.iter().any(|cell| *cell != 0), "the model remembers something");
    for cell in 0..2 {
        let mut forged = run.clone();
        forged.state.memory[cell] = forged.state.memory[cell].wrapping_add(1);
        let obs = CALM.observe(forged.engine.mandate(), &forged.state);
        let (system, _) = System::of(&forged.circuit(vec![obs]), run.z);
        assert_eq!(system.rows[system.broken().unwrap()].place.block, 3);
    }
    let (system, out, _) = run.fold(&[CALM]);
    assert_eq!((system.broken(), &out[..]), (None, &run.z[..]));
}
