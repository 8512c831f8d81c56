//! Settings of a backtest's orders: latency, losses, gas at recorded prices (`[backtest.execution]`).

use crate::settings::Settings;
use anyhow::{Context, Result, ensure};
use probity_backtest::{Dataset, Execution, Gas, GasPrices, Scale};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// How orders of a backtest reach the market; the default is the ideal.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecutionSettings {
    /// Blocks from the observation's to the order's.
    pub(crate) latency_blocks: u32,
    /// Seconds of a block.
    pub(crate) block_s: u32,
    /// Series with the prices between the bars; empty: none is known.
    pub(crate) path_data: String,
    /// Orders out of 10,000 that never get into a block.
    pub(crate) failure_bps: u16,
    /// Which ones.
    pub(crate) failure_seed: u64,
    /// Base fees; empty: the flat sum.
    pub(crate) gas_prices: String,
    /// Gas of an order's transaction.
    pub(crate) gas_units: u64,
    /// Above the base fee.
    pub(crate) priority_fee_wei: u64,
}

/// Digests of the files that an execution was made of.
#[derive(Debug, Serialize)]
pub(crate) struct Inputs {
    path_sha256: Option<String>,
    gas_prices_sha256: Option<String>,
}

/// The execution that the settings name, for a series.
pub(crate) fn execution(settings: &Settings, dataset: &Dataset) -> Result<Execution> {
    let s = &settings.backtest.execution;
    ensure!(s.failure_bps <= 10_000, "setting backtest.execution.failure_bps: expected 0 … 10000, got {}", s.failure_bps);
    ensure!(
        s.latency_blocks == 0 || s.block_s > 0,
        "setting backtest.execution.block_s: expected at least 1 where latency_blocks is not 0, got 0"
    );
    let path = (!s.path_data.is_empty()).then(|| between(&s.path_data, dataset)).transpose()?;
    let gas = (!s.gas_prices.is_empty())
        .then(|| -> Result<Gas> {
            let prices = GasPrices::read(Path::new(&s.gas_prices))
                .with_context(|| format!("setting backtest.execution.gas_prices {:?}", s.gas_prices))?;
            Ok(Gas { units: s.gas_units, tip_wei: s.priority_fee_wei, prices: Arc::new(prices) })
        })
        .transpose()?;
    let (latency_blocks, block_s, failure_bps, failure_seed) = (s.latency_blocks, s.block_s, s.failure_bps, s.failure_seed);
    Ok(Execution { latency_blocks, block_s, path: path.map(Arc::new), failure_bps, failure_seed, gas })
}

/// Reads the finer series over the span of the bars.
fn between(path: &str, dataset: &Dataset) -> Result<Dataset> {
    let place = || format!("setting backtest.execution.path_data {path:?}");
    let first = dataset.bars.first().map(|b| b.open_s);
    let last = dataset.bars.last().map(|b| b.open_s.saturating_add(u64::from(dataset.interval_s)));
    let finer = Dataset::read(Path::new(path), Scale::default(), first, last).with_context(place)?;
    ensure!(
        finer.interval_s < dataset.interval_s,
        "{}: expected bars shorter than the {} s of the series, got {} s",
        place(),
        dataset.interval_s,
        finer.interval_s
    );
    Ok(finer)
}

/// Digests of its files.
pub(crate) fn inputs(execution: &Execution) -> Inputs {
    Inputs {
        path_sha256: execution.path.as_ref().map(|p| p.sha256.clone()),
        gas_prices_sha256: execution.gas.as_ref().map(|g| g.prices.sha256.clone()),
    }
}
