//! Settings: embedded default < file < environment < flags; unknown keys are refused.

use anyhow::{Context, Result};
use config::{Config, Environment, File, FileFormat, Source};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The embedded default, itself the documentation of every key.
pub(crate) const DEFAULT: &str = include_str!("settings.default.toml");

/// All settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// What the agent promises.
    pub(crate) mandate: MandateSettings,
    /// Frictions of the backtest.
    pub(crate) backtest: BacktestSettings,
    /// The trial ledger.
    pub(crate) trials: TrialsSettings,
}

/// The mandate's numbers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MandateSettings {
    pub(crate) decisions_per_fold: u16,
    pub(crate) proof_engine: probity_strategy::ProofEngine,
    pub(crate) max_weight_bps: u16,
    pub(crate) max_trade_bps: u16,
    pub(crate) min_trade_bps: u16,
    pub(crate) max_turnover_bps: u32,
    pub(crate) turnover_window_steps: u16,
    pub(crate) max_drawdown_bps: u16,
    pub(crate) max_slippage_bps: u16,
    pub(crate) max_trade_quote_usdc: u64,
    pub(crate) warmup_steps: u16,
}

/// Frictions of the backtest.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestSettings {
    /// Starting capital, whole USDC.
    pub(crate) seed_quote_usdc: u64,
    /// Pool fee.
    pub(crate) fee_bps: u16,
    /// Slippage beyond the fee.
    pub(crate) slippage_bps: u16,
    /// Gas of one trade, cents of USDC.
    pub(crate) gas_usdc_per_trade_cents: u64,
    /// Where orders execute.
    pub(crate) venue: VenueKind,
    /// Liquidity of the constant-liquidity pool, as the pool counts it.
    pub(crate) liquidity: String,
    /// Snapshot file of the recorded pool.
    pub(crate) snapshot: String,
}

/// The trial ledger.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialsSettings {
    /// Its file.
    pub(crate) path: String,
}

/// Where orders of a backtest execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VenueKind {
    /// At the observed price less fee and slippage, at any size.
    Flat,
    /// Through an exact v3 pool with the same liquidity at every price.
    ConstantLiquidity,
    /// Through a recorded v3 pool.
    Snapshot,
}

/// Loaded settings and where each value came from.
pub(crate) struct Loaded {
    /// The values.
    pub(crate) settings: Settings,
    /// `key, value, source`, in the order of the keys.
    pub(crate) origins: Vec<(String, String, &'static str)>,
}

/// Loads all layers. `flags` are `section.key`, value.
pub(crate) fn load(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Loaded> {
    let default = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml)).build().context("embedded default settings")?;
    let from_file = match file {
        Some(path) => Config::builder()
            .add_source(File::from(path).format(FileFormat::Toml))
            .build()
            .with_context(|| format!("settings file {}: expected TOML with the keys of `probity config show`", path.display()))?,
        None => Config::default(),
    };
    let env = Config::builder()
        .add_source(Environment::with_prefix("PROBITY").prefix_separator("__").separator("__").try_parsing(true))
        .build()
        .context("settings from the environment (PROBITY__SECTION__KEY)")?;
    let mut over = Config::builder();
    for (key, value) in flags {
        over = over.set_override(*key, value.clone()).with_context(|| format!("flag for {key}"))?;
    }
    let flags = over.build().context("settings from flags")?;
    let all = Config::builder()
        .add_source(default.clone())
        .add_source(from_file.clone())
        .add_source(env.clone())
        .add_source(flags.clone())
        .build()
        .context("settings")?;
    let settings: Settings =
        all.clone().try_deserialize().context("settings: see `probity config show` for the known keys and their units")?;
    let mut origins = Vec::new();
    for (key, value) in flatten("", &serde_json::to_value(&settings)?) {
        let source = [(&flags, "flag"), (&env, "environment"), (&from_file, "file")]
            .iter()
            .find(|(layer, _)| layer.collect().is_ok() && layer.get::<config::Value>(&key).is_ok())
            .map_or("default", |(_, name)| name);
        origins.push((key, value, source));
    }
    Ok(Loaded { settings, origins })
}

fn flatten(prefix: &str, value: &serde_json::Value) -> Vec<(String, String)> {
    match value {
        serde_json::Value::Object(map) => {
            map.iter().flat_map(|(k, v)| flatten(&if prefix.is_empty() { k.clone() } else { format!("{prefix}.{k}") }, v)).collect()
        }
        serde_json::Value::String(s) => vec![(prefix.to_owned(), s.clone())],
        other => vec![(prefix.to_owned(), other.to_string())],
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn layers_win_in_order_and_typos_are_refused() {
        let loaded = load(None, &[("mandate.warmup_steps", "60".into())]).unwrap();
        assert_eq!(loaded.settings.mandate.warmup_steps, 60);
        assert!(loaded.origins.iter().any(|(k, v, s)| k == "mandate.warmup_steps" && v == "60" && *s == "flag"));
        assert!(loaded.origins.iter().any(|(k, _, s)| k == "backtest.fee_bps" && *s == "default"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("typo.toml");
        std::fs::write(&path, "[mandate]\nwarmup_stepz = 5\n").unwrap();
        let text = format!("{:#}", load(Some(&path), &[]).err().unwrap());
        assert!(text.contains("warmup_stepz"), "{text}");
    }
}
