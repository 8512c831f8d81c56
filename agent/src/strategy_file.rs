//! The model a command works with, and the mandate its settings make.

use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, ensure};
use probity_backtest::{Dataset, Scale};
use probity_learn::{ModelFile, Series};
use probity_strategy::{Amount, Limits, Mandate, ModelShape, tick_at_price};
use std::path::Path;

/// The strategy that ships with the program; `strategy/learn/models/default.md` says how it was trained and how it did.
const SHIPPED: &str = include_str!("../../strategy/learn/models/default.json");

/// The model file given, or the shipped strategy.
pub(crate) fn model(path: Option<&Path>) -> Result<ModelFile> {
    match path {
        Some(path) => Ok(ModelFile::load(path)?),
        None => {
            let file: ModelFile =
                serde_json::from_str(SHIPPED).map_err(|_| anyhow!("the shipped model is not readable: rebuild the program"))?;
            Ok(ModelFile::new(file.shape, file.model)?)
        }
    }
}

/// The series a model learns from: the same reader, and the same strictness, as a backtest's.
pub(crate) fn series(data: &Path) -> Result<Series> {
    let dataset = Dataset::read(data, Scale::default(), None, None).with_context(|| format!("--data {}", data.display()))?;
    series_of(&dataset)
}

/// Closing times and ticks of bars.
pub(crate) fn series_of(dataset: &Dataset) -> Result<Series> {
    let times = dataset.bars.iter().map(|b| b.open_s + u64::from(dataset.interval_s)).collect();
    let ticks = dataset.bars.iter().map(|b| tick_at_price(b.close)).collect();
    Ok(Series::new(dataset.sha256.clone(), dataset.interval_s, times, ticks)?)
}

/// The shape with these hidden layers.
pub(crate) fn shape(hidden: &[u16], linear: bool) -> Result<ModelShape> {
    let hidden = if linear { &[] } else { hidden };
    ensure!(
        hidden.len() <= 3 && hidden.iter().all(|w| (1..=128).contains(w)),
        "--hidden: expected up to three widths of 1 … 128, got {hidden:?}"
    );
    let dims = std::iter::once(16).chain(hidden.iter().copied()).chain([3]).collect();
    Ok(ModelShape { dims, shifts: vec![7; hidden.len()] })
}

/// Where a mandate holds.
pub(crate) struct Place {
    /// EIP-155 chain id.
    pub(crate) chain_id: u64,
    /// Vault, lowercase hex.
    pub(crate) vault: String,
    /// Pool, lowercase hex.
    pub(crate) pool: String,
    /// Whether base is the pool's token1.
    pub(crate) base_is_token1: bool,
    /// Decimals of the quote token.
    pub(crate) quote_decimals: u8,
}

/// The mandate of a backtest: no chain, so vault and pool are the zero address, which no vault can have.
pub(crate) fn backtest_mandate(settings: &Settings, shape: ModelShape, interval_s: u32, genesis_time_s: u64) -> Result<Mandate> {
    let nowhere = format!("0x{}", "00".repeat(20));
    let place = Place { chain_id: 1, vault: nowhere.clone(), pool: nowhere, base_is_token1: true, quote_decimals: 6 };
    mandate(settings, &place, shape, interval_s, genesis_time_s)
}

/// The mandate that the settings make at a place.
pub(crate) fn mandate(settings: &Settings, place: &Place, shape: ModelShape, interval_s: u32, genesis_time_s: u64) -> Result<Mandate> {
    let m = &settings.mandate;
    let unit = 10u128.checked_pow(place.quote_decimals.into()).context("quote token: expected at most 38 decimals")?;
    let most = u128::from(m.max_trade_quote_units).checked_mul(unit).context("setting mandate.max_trade_quote_units")?;
    let mandate = Mandate {
        version: 1,
        chain_id: place.chain_id,
        vault: place.vault.clone(),
        pool: place.pool.clone(),
        base_is_token1: place.base_is_token1,
        interval_s,
        genesis_time_s,
        decisions_per_fold: m.decisions_per_fold,
        proof_engine: m.proof_engine,
        model: shape,
        limits: Limits {
            max_weight_bps: m.max_weight_bps,
            max_trade_bps: m.max_trade_bps,
            min_trade_bps: m.min_trade_bps,
            max_turnover_bps: m.max_turnover_bps,
            turnover_window_steps: m.turnover_window_steps,
            max_drawdown_bps: m.max_drawdown_bps,
            max_slippage_bps: m.max_slippage_bps,
            max_trade_quote: Amount::new(most).context("setting mandate.max_trade_quote_units")?,
            warmup_steps: m.warmup_steps,
        },
    };
    mandate.validate().context("settings: section [mandate]")?;
    Ok(mandate)
}
