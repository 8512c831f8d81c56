//! A restless series of five minutes and an engine that trades on it.

use super::common::{engine_of, open_limits, series};
use probity_backtest::Dataset;
use probity_strategy::{Amount, Engine, Model, ModelShape, PolicyParams};

/// The engine, for any interval.
pub(crate) fn engine(interval_s: u32) -> Engine {
    let shape = ModelShape { dims: vec![16, 8, 3], shifts: vec![7], recurrent: None };
    let weights = (0..shape.weights()).map(|i| i8::try_from((i * 37 + 11) % 200).unwrap_or(-55)).collect();
    let policy = PolicyParams { gain: 30_000, band_gain: 0, band_bps: 200, max_step_bps: 4_000, cooldown_steps: 0 };
    let model = Model { scales: [300; 16], weights, biases: vec![0; shape.biases()], policy };
    engine_of(shape, model, open_limits(), interval_s)
}

/// The series.
pub(crate) fn waves(bars: u64) -> Dataset {
    series(1_700_000_000, 300, (0..bars).map(|i| format!("{}.{}", 1_500 + (i * i * 7_919 + i * 104_729) % 211, i % 10)))
}

/// A million of six decimals.
pub(crate) fn million() -> Amount {
    Amount::saturating(1_000_000_000_000)
}
