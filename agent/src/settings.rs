//! Settings: embedded default < file < environment < flags; unknown keys are refused.

use anyhow::{Context, Result};
use config::{Config, Environment, File, FileFormat, Source};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The embedded default, itself the documentation of every key.
pub const DEFAULT: &str = include_str!("settings.default.toml");

/// All settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The process itself.
    pub agent: Agent,
    /// Where it trades.
    pub chain: Chain,
    /// What moves the price on a development chain.
    pub market: Market,
    /// What the agent promises.
    pub mandate: MandateSettings,
    /// When proofs are posted.
    pub post: Post,
    /// Frictions of the backtest.
    pub backtest: BacktestSettings,
}

/// The process itself.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Folder of journal, checkpoint, log and proof.
    pub dir: PathBuf,
    /// Model file, or empty for the shipped one.
    pub model_file: String,
    /// Decisions to make, 0 = until stopped.
    pub decisions: u32,
    /// Compare candle with the integer twin.
    pub check_candle: bool,
}

/// Where the agent trades.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// RPC to fork.
    pub fork_url: String,
    /// Pool on the fork.
    pub pool: String,
    /// Starting quote, whole USDC.
    pub seed_quote_usdc: u64,
    /// Starting base, 1/1000 WETH.
    pub seed_base_milliweth: u64,
    /// Receipt timeout.
    pub receipt_timeout_s: u64,
}

/// What moves the price on a development chain.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// OHLCV file.
    pub file: String,
    /// First bar.
    pub from_unix_s: u64,
    /// Last bar, 0 = end.
    pub to_unix_s: u64,
    /// Seed of the simulated path.
    pub seed: u64,
    /// First price of the simulated path.
    pub start_price_usdc: u64,
    /// Volatility of the simulated path.
    pub step_volatility_bps: u32,
}

/// The mandate's numbers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the mandate's own, documented there")]
pub struct MandateSettings {
    pub interval_s: u32,
    pub decisions_per_fold: u16,
    pub proof_engine: probity_strategy::ProofEngine,
    pub max_weight_bps: u16,
    pub max_trade_bps: u16,
    pub min_trade_bps: u16,
    pub max_turnover_bps: u32,
    pub turnover_window_steps: u16,
    pub max_drawdown_bps: u16,
    pub max_slippage_bps: u16,
    pub max_trade_quote_usdc: u64,
    pub warmup_steps: u16,
}

/// When proofs are posted.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// The policy.
    pub policy: PostPolicy,
    /// Period of `every_n`.
    pub every_n_decisions: u32,
}

/// When proofs are posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PostPolicy {
    /// A trade's own transaction carries its proof.
    EachTrade,
    /// The bytes every n decisions.
    EveryN,
}

/// Frictions of the backtest.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BacktestSettings {
    /// Pool fee.
    pub fee_bps: u16,
    /// Slippage beyond the fee.
    pub slippage_bps: u16,
    /// Gas of one trade, cents of USDC.
    pub gas_usdc_per_trade_cents: u64,
}

/// Loaded settings and where each value came from.
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// `key, value, source`, in the order of the keys.
    pub origins: Vec<(String, String, &'static str)>,
}

/// Loads all layers. `flags` are `section.key`, value.
pub fn load(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Loaded> {
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
    let settings: Settings = all.clone().try_deserialize().context("settings: see `probity config show` for the known keys and their units")?;
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
        // An RPC URL may carry a key in its path: only its host is shown.
        serde_json::Value::String(s) if prefix.ends_with("_url") => vec![(prefix.to_owned(), mask_url(s))],
        serde_json::Value::String(s) => vec![(prefix.to_owned(), s.clone())],
        other => vec![(prefix.to_owned(), other.to_string())],
    }
}

/// Keeps scheme and host of a URL; what follows may be a secret.
#[must_use]
pub fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return if url.is_empty() { String::new() } else { "…".into() } };
    let authority = rest.split('/').next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    let tail = if rest.len() > authority.len() + 1 || authority.contains('@') { "/…" } else { "" };
    format!("{scheme}://{host}{tail}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn layers_win_in_order_and_typos_are_refused() {
        let loaded = load(None, &[("mandate.interval_s", "60".into())]).unwrap();
        assert_eq!(loaded.settings.mandate.interval_s, 60);
        assert!(loaded.origins.iter().any(|(k, v, s)| k == "mandate.interval_s" && v == "60" && *s == "flag"));
        assert!(loaded.origins.iter().any(|(k, _, s)| k == "post.policy" && *s == "default"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("typo.toml");
        std::fs::write(&path, "[mandate]\nintervall_s = 5\n").unwrap();
        let text = format!("{:#}", load(Some(&path), &[]).err().unwrap());
        assert!(text.contains("intervall_s"), "{text}");
    }

    #[test]
    fn urls_are_masked() {
        assert_eq!(mask_url("https://user:pw@host.io/v3/KEY"), "https://host.io/…");
        assert_eq!(mask_url("http://127.0.0.1:8545"), "http://127.0.0.1:8545");
    }
}
