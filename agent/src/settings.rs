//! Settings: embedded default < file < environment < flags; unknown keys are refused.

mod keys;
mod paper;
mod safety;
mod see;
mod settlement;

pub(crate) use keys::KeysSettings;
pub(crate) use paper::PaperSettings;
pub(crate) use safety::{FoldWhen, SafetySettings};
pub(crate) use see::{AlertsSettings, TelemetrySettings};
pub(crate) use settlement::{SettlementMode, SettlementSettings};

use anyhow::{Context, Result, bail};
use config::{Config, Environment, File, FileFormat, Source};
use probity_prover::Params;
use probity_strategy::{Mandate, ModelShape, ProofEngine};
use probity_verifier::{Accept, ParamsSource};
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
    /// The chain it trades on.
    pub(crate) chain: ChainSettings,
    /// Who signs on a real chain.
    pub(crate) keys: KeysSettings,
    /// The live agent.
    pub(crate) agent: AgentSettings,
    /// Where proof parameters come from.
    pub(crate) proof: ProofSettings,
    /// When proofs are posted.
    pub(crate) posting: PostingSettings,
    /// Trading on paper.
    pub(crate) paper: PaperSettings,
    /// What stops the agent on a bad day.
    pub(crate) safety: SafetySettings,
    /// Whether the vault verifies proofs, and when that is paid for.
    pub(crate) settlement: SettlementSettings,
    /// The simulated market.
    pub(crate) market: MarketSettings,
    /// Frictions of the backtest.
    pub(crate) backtest: BacktestSettings,
    /// The trial ledger.
    pub(crate) trials: TrialsSettings,
    /// Webhook alerts.
    pub(crate) alerts: AlertsSettings,
    /// Telemetry.
    pub(crate) telemetry: TelemetrySettings,
}

/// The mandate's numbers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MandateSettings {
    pub(crate) decisions_per_fold: u16,
    pub(crate) proof_engine: probity_strategy::ProofEngine,
    pub(crate) interval_s: u32,
    pub(crate) max_weight_bps: u16,
    pub(crate) max_trade_bps: u16,
    pub(crate) min_trade_bps: u16,
    pub(crate) max_turnover_bps: u32,
    pub(crate) turnover_window_steps: u16,
    pub(crate) max_drawdown_bps: u16,
    pub(crate) max_slippage_bps: u16,
    pub(crate) max_trade_quote_units: u64,
    pub(crate) warmup_steps: u16,
}

/// The chain and how it is asked.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainSettings {
    /// Node of a real chain; empty for development chains. What follows the host may be a secret and is never shown.
    pub(crate) rpc_url: Url,
    /// EIP-155 chain id that a real chain's node must have; 0: whichever it has.
    pub(crate) chain_id: u64,
    /// Private relay for transactions; empty: they go to the node.
    pub(crate) private_relay_url: Url,
    /// Whether what the relay does not take goes to the node.
    pub(crate) private_relay_fallback: bool,
    /// Pool, `0x` and 40 lowercase hex digits.
    pub(crate) pool: String,
    /// The pool's token that values are counted in.
    pub(crate) quote_token: String,
    /// How long a sent transaction may stay without a receipt.
    pub(crate) receipt_timeout_s: u64,
    /// Time between two looks at a real chain's newest block.
    pub(crate) poll_interval_ms: u64,
    /// Folder of the npm packages; empty: looked for.
    pub(crate) tools_dir: String,
}

/// The live agent.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentSettings {
    /// First deposit into a new vault, whole units of the quote token.
    pub(crate) seed_quote_units: u64,
    /// Model file of a new run where no flag names one; empty: the shipped strategy.
    pub(crate) model: String,
}

/// Parameters of the pairing engine; the transparent one (mandate.proof_engine) needs none.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofSettings {
    /// Powers-of-tau file (`.ptau`); empty for none.
    pub(crate) ptau_file: String,
    /// BLAKE2b-512 of a file that the user vouches for; empty: only the ceremony's pinned files are accepted.
    pub(crate) ptau_blake2b: String,
    /// A name for parameters that are accepted whatever they are; every report repeats it. Empty: refused.
    pub(crate) insecure_params: String,
    /// Private folder where this operator's proof parameters are kept between runs; empty: they are made every time.
    pub(crate) cache_dir: String,
}

impl ProofSettings {
    /// What the settings say of the parameters.
    pub(crate) fn source(&self) -> Result<ParamsSource> {
        if self.ptau_file.is_empty() {
            return Ok(ParamsSource::Transparent);
        }
        let accept = match (self.ptau_blake2b.as_str(), self.insecure_params.as_str()) {
            ("", "") => Accept::Pinned,
            (digest, "") => Accept::Digest(digest.parse().context("setting proof.ptau_blake2b")?),
            ("", name) => Accept::Insecure(name.to_owned()),
            _ => bail!("settings proof.ptau_blake2b, proof.insecure_params: expected one of them at most, got both"),
        };
        Ok(ParamsSource::Ceremony { path: self.ptau_file.clone().into(), accept })
    }

    /// The prover's parameters: from this operator's own folder, if they are there. Audits derive theirs instead.
    pub(crate) fn params(&self, shape: &ModelShape, decisions_per_fold: u16, engine: ProofEngine) -> Result<Params> {
        let source = self.source()?;
        Ok(if self.cache_dir.is_empty() {
            Params::derive(shape, decisions_per_fold, engine, &source)?
        } else {
            Params::cached(Path::new(&self.cache_dir), shape, decisions_per_fold, engine, &source)?
        })
    }

    /// The same for a mandate.
    pub(crate) fn params_for(&self, mandate: &Mandate) -> Result<Params> {
        self.params(&mandate.model, mandate.decisions_per_fold, mandate.proof_engine)
    }
}

/// When the bytes of a proof go on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PostingPolicy {
    /// In the transaction of every trade.
    WithTrade,
    /// Apart, every so many decisions.
    Every,
}

/// Posting.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostingSettings {
    /// The policy.
    pub(crate) policy: PostingPolicy,
    /// Decisions between two posts, at least 1.
    pub(crate) every_decisions: u32,
}

/// The simulated market of a development chain.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarketSettings {
    /// Seed.
    pub(crate) seed: u64,
    /// First price.
    pub(crate) start_quote_units: u64,
    /// Deviation of one step.
    pub(crate) step_bps: u32,
}

/// A URL that shows scheme and host only: what follows may be a key.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Url(String);

impl Url {
    /// The whole URL, for connecting.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may be shown.
    pub(crate) fn host(&self) -> String {
        if self.is_empty() { String::new() } else { probity_chain::host_of(&self.0) }
    }
}

impl From<&str> for Url {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host())
    }
}

impl Serialize for Url {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.host())
    }
}

/// Frictions of the backtest.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestSettings {
    /// Starting capital, whole units of the quote token.
    pub(crate) seed_quote_units: u64,
    /// Pool fee.
    pub(crate) fee_bps: u16,
    /// Slippage beyond the fee.
    pub(crate) slippage_bps: u16,
    /// Gas of one trade, hundredths of a unit of the quote token.
    pub(crate) gas_quote_per_trade_cents: u64,
    /// Where orders execute.
    pub(crate) venue: VenueKind,
    /// Liquidity of the constant-liquidity pool, as the pool counts it.
    pub(crate) liquidity: String,
    /// Snapshot file of the recorded pool.
    pub(crate) snapshot: String,
    /// How orders get there.
    pub(crate) execution: crate::execution::ExecutionSettings,
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
            .map_err(|e| unquoted(&e.to_string()))
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

/// An error of the parser without the lines that it quotes: a settings file may hold a key.
fn unquoted(error: &str) -> anyhow::Error {
    let quotes = |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let lines: Vec<_> = error.lines().filter(|line| !quotes(line)).map(str::trim).collect();
    anyhow::anyhow!("{}", lines.join("; "))
}

/// The settings that a file of this text gives over the default: no environment, no flags.
pub(crate) fn of_text(text: &str) -> Result<Settings> {
    let layers = [DEFAULT, text].into_iter().fold(Config::builder(), |all, text| all.add_source(File::from_str(text, FileFormat::Toml)));
    layers.build().context("settings")?.try_deserialize().context("settings: see `probity config show` for the known keys and their units")
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
        std::fs::write(&path, "[chain]\nrpc_url = \"https://host/a-secret\n").unwrap();
        let text = format!("{:#}", load(Some(&path), &[]).err().unwrap());
        assert!(text.contains("typo.toml") && text.contains("line 2") && !text.contains("secret"), "{text}");
    }
}
