//! Records of a small agent on a made-up market, for the tests of the audit.

use probity_strategy::{
    Amount, Engine, Fill, Limits, Mandate, Model, ModelShape, Observation, PolicyParams, ProofEngine, Record, Side, State, oriented,
    price_x64,
};

pub(crate) fn mandate() -> Mandate {
    Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "11".repeat(20)),
        pool: format!("0x{}", "22".repeat(20)),
        base_is_token1: true,
        interval_s: 3_600,
        genesis_time_s: 1_700_000_000,
        decisions_per_fold: 4,
        proof_engine: ProofEngine::Transparent,
        model: ModelShape { dims: vec![16, 4, 3], shifts: vec![7], recurrent: None },
        limits: Limits {
            max_weight_bps: 8_000,
            max_trade_bps: 2_000,
            min_trade_bps: 10,
            max_turnover_bps: 6_000,
            turnover_window_steps: 24,
            max_drawdown_bps: 1_500,
            max_slippage_bps: 100,
            max_trade_quote: Amount::new(6_000_000_000).unwrap(),
            warmup_steps: 2,
        },
    }
}

pub(crate) fn model(shape: &ModelShape, seed: usize) -> Model {
    let scatter = |i: usize| i64::try_from(i * 7_919 + seed * 104_729).unwrap();
    Model {
        scales: [4_096; 16],
        weights: (0..shape.weights()).map(|i| i8::try_from(scatter(i) % 255 - 127).unwrap()).collect(),
        biases: (0..shape.biases()).map(|i| i32::try_from(scatter(i) % 2_001 - 1_000).unwrap()).collect(),
        policy: PolicyParams { gain: 9_000, band_gain: 10, band_bps: 20, max_step_bps: 5_000, cooldown_steps: 0 },
    }
}

/// A market with a crash in its second half, so that drawdown halts happen too.
pub(crate) fn run(mandate: &Mandate, model: &Model, count: u32) -> Vec<Record> {
    let engine = Engine::new(mandate.clone(), model.clone()).unwrap();
    let mut state = State::genesis(mandate);
    let (mut quote, mut base) = (50_000_000_000u128, 10_000_000_000_000_000_000u128);
    let mut records = Vec::new();
    let mut n = 0;
    for k in 0..count {
        let mut fill = None;
        if let Some(order) = state.pending.filter(|_| k % 5 != 0) {
            let taken = order.min_out + order.min_out / 200;
            match order.side {
                Side::Buy => (quote, base) = (quote - order.amount_in.raw(), base + taken),
                Side::Sell => (quote, base) = (quote + taken, base - order.amount_in.raw()),
            }
            fill = Some(Fill { amount_out: Amount::new(taken).unwrap() });
        }
        n += if k % 17 == 16 { 3 } else { 1 };
        let wave = (i32::try_from(k).unwrap() * 331) % 900;
        let mean_tick = 196_000 + wave + if k > count / 2 { 2_500 } else { 0 };
        let obs = Observation {
            step: k,
            time_s: mandate.genesis_time_s + n * u64::from(mandate.interval_s),
            block_number: 18_000_000 + u64::from(k) * 300,
            block_hash: [7; 32],
            mean_tick,
            price_x64: price_x64(oriented(mean_tick, mandate.base_is_token1)),
            quote: Amount::new(quote).unwrap(),
            base: Amount::new(base).unwrap(),
            shares: Amount::new(1_000_000_000).unwrap(),
            fill,
        };
        let step = engine.step(&state, &obs);
        state = step.next_state;
        records.push(step.record);
    }
    records
}
