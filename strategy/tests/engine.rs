//! `Engine::step` over random and extreme markets: total, deterministic, within the mandate.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_strategy::{
    Amount, Engine, FEATURES, Fill, Limits, MAX_X, MIN_X, Mandate, Model, ModelShape, Observation, PolicyParams, Price, ProofEngine, Side,
    State, Valuation, price_x64,
};
use proptest::prelude::*;

fn mandate(limits: Limits) -> Mandate {
    Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "11".repeat(20)),
        pool: format!("0x{}", "22".repeat(20)),
        base_is_token1: true,
        interval_s: 300,
        genesis_time_s: 1_700_000_000,
        decisions_per_fold: 4,
        proof_engine: ProofEngine::Transparent,
        model: ModelShape { dims: vec![16, 8, 3], shifts: vec![7], recurrent: None },
        limits,
    }
}

prop_compose! {
    fn limits()(w in 0u16..=10_000, t in 1u16..=10_000, least in 2u16..200, turn in 1u32..=30_000, win in 1u16..20, dd in 1u16..=10_000,
                slip in 0u16..=10_000, most in 1u128..(1 << 80), warm in 0u16..4) -> Limits {
        Limits { max_weight_bps: w, max_trade_bps: t, min_trade_bps: least, max_turnover_bps: turn, turnover_window_steps: win,
                 max_drawdown_bps: dd, max_slippage_bps: slip, max_trade_quote: Amount::new(most).unwrap(), warmup_steps: warm }
    }
}

prop_compose! {
    fn model()(scales in prop::array::uniform16(any::<u16>()), weights in prop::collection::vec(any::<i8>(), 16 * 8 + 8 * 3),
               biases in prop::collection::vec(-524_287i32..=524_287, 11), gain in any::<u16>(), band_gain in 0u16..100, band in 0u16..2_000,
               step in 0u16..=10_000, cool in 0u16..3) -> Model {
        assert_eq!(scales.len(), FEATURES);
        Model { scales, weights, biases, policy: PolicyParams { gain, band_gain, band_bps: band, max_step_bps: step, cooldown_steps: cool } }
    }
}

fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![Just(0u128), Just((1 << 96) - 1), 0u128..(1 << 96), 0u128..10_000_000_000, 0u128..10]
}

type Tick = (i32, Option<Price>, u128, u128, u128, Option<u128>, u64);

fn tick() -> impl Strategy<Value = Tick> {
    (
        prop_oneof![-887_272i32..=887_272, 190_000i32..200_000],
        prop_oneof![Just(None), (0u128..(1 << 96)).prop_map(|p| Some(Price::saturating(p)))],
        amount(),
        amount(),
        amount(),
        prop_oneof![Just(None), amount().prop_map(Some)],
        prop_oneof![Just(300u64), Just(300), Just(300), 1u64..1_000],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_observation_has_a_step_within_the_mandate(limits in limits(), model in model(), market in prop::collection::vec(tick(), 1..24)) {
        let engine = Engine::new(mandate(limits.clone()), model).unwrap();
        let mut state = State::genesis(engine.mandate());
        for (tick, price, quote, base, shares, fill, dt) in market {
            let x = probity_strategy::oriented(tick, true);
            prop_assert!((MIN_X..=MAX_X).contains(&x));
            let obs = Observation {
                step: state.step, time_s: state.last_time_s + dt, block_number: 1, block_hash: [7; 32], mean_tick: tick,
                price_x64: price.unwrap_or_else(|| price_x64(x)), quote: Amount::new(quote).unwrap(), base: Amount::new(base).unwrap(),
                shares: Amount::new(shares).unwrap(), fill: fill.map(|f| Fill { amount_out: Amount::new(f).unwrap() }),
            };
            let step = engine.step(&state, &obs);
            prop_assert_eq!(&step, &engine.step(&state, &obs));
            let val = Valuation::of(&obs);
            prop_assert!((1..=10_000).contains(&val.weight_bps));
            if let Some(order) = step.decision.order {
                prop_assert_eq!(dt, 300, "a gap never trades");
                let forced = order.side == Side::Sell && val.weight_bps > i64::from(limits.max_weight_bps);
                prop_assert!(state.step >= limits.warmup_steps.into() || step.decision.halted || forced, "the policy waits for the warm-up");
                prop_assert!(order.min_out < 1 << 125);
                match order.side {
                    Side::Buy => {
                        prop_assert!(!step.decision.halted);
                        prop_assert!(order.amount_in <= obs.quote && order.amount_in <= limits.max_trade_quote);
                        prop_assert!(val.weight_bps < i64::from(limits.max_weight_bps));
                    }
                    Side::Sell => prop_assert!(order.amount_in <= obs.base),
                }
                prop_assert!(step.next_state.turnover_used_bps <= limits.max_turnover_bps);
            }
            prop_assert!(!state.halted || step.next_state.halted, "a halt is latched");
            prop_assert!(step.next_state.high_water.nav < 1 << 97);
            let mark = step.next_state.high_water;
            prop_assert!(mark.shares > Amount::ZERO || (shares == 0 && mark.nav == 0), "a mark is made of shares");
            prop_assert!(shares > 0 || mark == state.high_water, "no shares make no mark");
            state = step.next_state;
        }
    }
}

#[test]
fn out_of_range_mandates_are_refused_by_field() {
    let base = Limits {
        max_weight_bps: 10_000,
        max_trade_bps: 2_500,
        min_trade_bps: 50,
        max_turnover_bps: 20_000,
        turnover_window_steps: 48,
        max_drawdown_bps: 2_000,
        max_slippage_bps: 50,
        max_trade_quote: Amount::new(1 << 60).unwrap(),
        warmup_steps: 16,
    };
    mandate(base.clone()).validate().unwrap();
    let field = |m: Mandate| m.validate().unwrap_err().field;
    assert_eq!(field(mandate(Limits { min_trade_bps: 1, ..base.clone() })), "limits.min_trade_bps");
    assert_eq!(field(mandate(Limits { max_trade_quote: Amount::new(1 << 80).unwrap(), ..base.clone() })), "limits.max_trade_quote");
    assert_eq!(field(Mandate { vault: "0xABC".into(), ..mandate(base.clone()) }), "vault");
    assert_eq!(field(Mandate { decisions_per_fold: 0, ..mandate(base.clone()) }), "decisions_per_fold");
    assert_eq!(
        field(Mandate { model: ModelShape { dims: vec![16, 8, 2], shifts: vec![7], recurrent: None }, ..mandate(base) }),
        "model.dims"
    );
}

#[test]
fn private_parts_do_not_print() {
    let model = Model {
        scales: [12_345; FEATURES],
        weights: vec![77; 3],
        biases: vec![54_321],
        policy: PolicyParams { gain: 11, band_gain: 12, band_bps: 13, max_step_bps: 14, cooldown_steps: 15 },
    };
    let text = format!("{model:?} {:?}", model.policy);
    assert!(!text.contains("77") && !text.contains("12345") && !text.contains("54321") && !text.contains("11"));
}
