//! A small agent: mandate, model and observations that make it buy, sell and receive deposits.

use probity_prover::Session;
use probity_strategy::{
    Amount, Engine, Fill, Limits, Mandate, Model, ModelShape, Observation, PolicyParams, ProofEngine, Record, Side, State, oriented,
    price_x64,
};
use probity_verifier::{Header, LogWriter, Salt};
use std::path::Path;

pub(crate) fn mandate(model: ModelShape, decisions_per_fold: u16) -> Mandate {
    Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "11".repeat(20)),
        pool: format!("0x{}", "22".repeat(20)),
        base_is_token1: true,
        interval_s: 3_600,
        genesis_time_s: 1_700_000_000,
        decisions_per_fold,
        proof_engine: ProofEngine::Transparent,
        model,
        limits: Limits {
            max_weight_bps: 9_000,
            max_trade_bps: 2_500,
            min_trade_bps: 10,
            max_turnover_bps: 20_000,
            turnover_window_steps: 24,
            max_drawdown_bps: 3_000,
            max_slippage_bps: 100,
            max_trade_quote: Amount::new(1_000_000_000_000).unwrap(),
            warmup_steps: 1,
        },
    }
}

pub(crate) fn model(shape: &ModelShape, seed: i64) -> Model {
    let scatter = |i: usize| i64::try_from(i).unwrap() * 7_919 + seed * 104_729;
    Model {
        scales: [4_096; 16],
        weights: (0..shape.weights()).map(|i| i8::try_from(scatter(i) % 255 - 127).unwrap()).collect(),
        biases: (0..shape.biases()).map(|i| i32::try_from(scatter(i) % 2_001 - 1_000).unwrap()).collect(),
        policy: PolicyParams { gain: 9_000, band_gain: 10, band_bps: 20, max_step_bps: 2_000, cooldown_steps: 0 },
    }
}

pub(crate) fn salt() -> Salt {
    serde_json::from_value(serde_json::json!(format!("{:064x}", 7)))
        .or_else(|_| serde_json::from_value(serde_json::json!(vec![7; 32])))
        .unwrap()
}

/// Observations of a market that swings, with every order filled one percent above its limit.
pub(crate) fn observations(mandate: &Mandate, model: &Model, count: u32) -> Vec<Observation> {
    let engine = Engine::new(mandate.clone(), model.clone()).unwrap();
    let mut state = State::genesis(mandate);
    let (mut quote, mut base) = (50_000_000_000u128, 10_000_000_000_000_000_000u128);
    let mut out = Vec::new();
    for k in 0..count {
        let mut fill = None;
        if let Some(order) = state.pending {
            let taken = order.min_out + order.min_out / 100;
            match order.side {
                Side::Buy => (quote, base) = (quote - order.amount_in.raw(), base + taken),
                Side::Sell => (quote, base) = (quote + taken, base - order.amount_in.raw()),
            }
            fill = Some(Fill { amount_out: Amount::new(taken).unwrap() });
        }
        if k == 3 {
            quote += 1_000_000;
        }
        let mean_tick = 196_000 + (i32::try_from(k).unwrap() * 137) % 700;
        // Decision 5 comes one interval late: a gap.
        let n = u64::from(k) + 1 + u64::from(k >= 5);
        let obs = Observation {
            step: k,
            time_s: mandate.genesis_time_s + n * u64::from(mandate.interval_s),
            block_number: 18_000_000 + u64::from(k) * 300,
            block_hash: [u8::try_from(k % 256).unwrap(); 32],
            mean_tick,
            price_x64: price_x64(oriented(mean_tick, mandate.base_is_token1)),
            quote: Amount::new(quote).unwrap(),
            base: Amount::new(base).unwrap(),
            shares: Amount::new(1_000_000_000).unwrap(),
            fill,
        };
        state = engine.step(&state, &obs).next_state;
        out.push(obs);
    }
    out
}

/// Folds in chunks of the given sizes.
pub(crate) fn fold(session: &mut Session, observations: &[Observation], sizes: &[usize]) -> Vec<Record> {
    let (mut rest, mut records) = (observations, Vec::new());
    for size in sizes {
        let (now, later) = rest.split_at(*size);
        records.extend(session.fold(now).unwrap().into_iter().map(|s| s.record));
        rest = later;
    }
    records
}

pub(crate) fn write_log(path: &Path, mandate: &Mandate, session: &Session, records: &[Record], seal: bool) {
    let mut log = LogWriter::create(path, &Header::new(mandate.clone(), session.commitment()), false).unwrap();
    for record in records {
        log.append(record).unwrap();
    }
    if seal {
        log.seal().unwrap();
    }
}
