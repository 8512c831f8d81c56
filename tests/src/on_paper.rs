//! An agent on paper beside a chain that it only looks at.

use crate::bad_day::Running;
use crate::{binary, json, run};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The agent on paper, deciding every four seconds until it has so many decisions; no key is named anywhere.
#[must_use]
#[expect(clippy::expect_used, reason = "a test may panic")]
pub fn agent(dir: &Path, url: &str, decisions: usize, more: &[&str], env: &[(&str, &str)]) -> Running {
    let mut command = Command::new(binary("probity").expect("a built binary"));
    command
        .args(["run", "--paper", "--posting", "every", "--decisions", &decisions.to_string(), "--rpc", url, "--dir"])
        .arg(dir)
        .args(more);
    command.env_remove("PROBITY_OPERATOR_KEY").env("PROBITY__MANDATE__INTERVAL_S", "4").env("PROBITY__MANDATE__WARMUP_STEPS", "1");
    command.env("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1").env("PROBITY__CHAIN__POLL_INTERVAL_MS", "200");
    command.env("PROBITY__POSTING__EVERY_DECISIONS", "1000").env("PROBITY__SAFETY__FOLD", "later");
    command.env("PROBITY__SAFETY__CONFIRMATIONS", "1").env("PROBITY__MANDATE__MIN_TRADE_BPS", "2").envs(env.iter().copied());
    Running::start(&mut command)
}

/// The run's folder with its last hundred decisions, as `probity inspect` tells it.
#[must_use]
pub fn inspect(dir: &Path) -> Value {
    json(&run("probity", &["--json", "inspect", "--last", "100", &dir.to_string_lossy()]))["result"].clone()
}
