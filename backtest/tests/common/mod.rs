//! What the tests of runs share: an engine around a model, and a series around closes.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use probity_backtest::{Bar, Dataset, Gaps, Scale, price_from_decimal};
use probity_strategy::{Amount, Engine, Limits, Mandate, Model, ModelShape, ProofEngine};

/// Limits that leave nearly everything open.
pub(crate) fn open_limits() -> Limits {
    Limits {
        max_weight_bps: 10_000,
        max_trade_bps: 2_500,
        min_trade_bps: 50,
        max_turnover_bps: 20_000,
        turnover_window_steps: 48,
        max_drawdown_bps: 10_000,
        max_slippage_bps: 100,
        max_trade_quote: Amount::new(1 << 79).unwrap(),
        warmup_steps: 12,
    }
}

/// An engine that decides every so many seconds.
pub(crate) fn engine_of(shape: ModelShape, model: Model, limits: Limits, interval_s: u32) -> Engine {
    let mandate = Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "11".repeat(20)),
        pool: format!("0x{}", "22".repeat(20)),
        base_is_token1: true,
        interval_s,
        genesis_time_s: 0,
        decisions_per_fold: 4,
        proof_engine: ProofEngine::Transparent,
        model: shape,
        limits,
    };
    Engine::new(mandate, model).unwrap()
}

/// Bars one after the other with these closes.
pub(crate) fn series(first_s: u64, interval_s: u32, closes: impl Iterator<Item = String>) -> Dataset {
    let bar = |(i, close): (u64, String)| Bar {
        open_s: first_s + i * u64::from(interval_s),
        close: price_from_decimal(&close, Scale::default()).unwrap(),
    };
    Dataset { sha256: "none".into(), interval_s, bars: (0..).zip(closes).map(bar).collect(), gaps: Gaps::default() }
}
