//! A desk to operate from: what the tests of the first hour stand on.

use probity_tests::own_clock::{KEY, OPERATOR, OwnClock, USDC};
use probity_tests::{binary, json};
use serde_json::{Value, json as j};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const POOL: &str = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640";
pub(crate) const PASSWORD: &str = "correct horse";

/// A folder with a private key, a password and what `init` writes.
pub(crate) struct Desk {
    temp: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self { temp: tempfile::tempdir().unwrap() };
        private(&desk.path("key"), KEY);
        private(&desk.path("password"), PASSWORD);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Every flag that `init` needs without a terminal; the key is imported.
    pub(crate) fn flags(&self, rpc: &str) -> Vec<String> {
        let (out, keystore, key, password, dir) =
            (self.text("probity.toml"), self.text("op.json"), self.text("key"), self.text("password"), self.text("run"));
        [
            ["--out", &out],
            ["--dir", &dir],
            ["--rpc", rpc],
            ["--chain-id", "1"],
            ["--pool", POOL],
            ["--quote-token", USDC],
            ["--max-trade", "5000"],
            ["--first-deposit", "20000"],
            ["--interval", "10"],
            ["--key", "import"],
            ["--keystore", &keystore],
            ["--key-file", &key],
            ["--password-file", &password],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
    }

    pub(crate) fn init(&self, flags: &[String]) -> Output {
        probity(&[&["--json".to_owned(), "init".to_owned()], flags].concat(), &[])
    }

    /// A command with the settings file of this desk.
    pub(crate) fn with_file(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let file = self.text("probity.toml");
        probity(&[&["--json", "--config", &file], args].concat().iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), env)
    }

    pub(crate) fn doctor(&self, env: &[(&str, &str)]) -> (Option<i32>, Value) {
        let dir = self.text("run");
        let out = self.with_file(&["doctor", "--dir", &dir], env);
        (out.status.code(), json(&out)["result"].clone())
    }
}

pub(crate) fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The program without a terminal; no secret is ever told.
pub(crate) fn probity(args: &[String], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary("probity").unwrap());
    let out = command.args(args).envs(env.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let all = format!("{}{}", String::from_utf8_lossy(&out.stdout), said(&out));
    assert!(!all.contains(KEY) && !all.contains(PASSWORD), "a secret is told: {all}");
    out
}

pub(crate) fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

pub(crate) fn changed(flags: &[String], flag: &str, value: &str) -> Vec<String> {
    let mut flags = flags.to_vec();
    let at = flags.iter().position(|f| f == flag).unwrap();
    flags[at + 1] = value.to_owned();
    flags
}

pub(crate) fn without(flags: &[String], flag: &str) -> Vec<String> {
    let mut flags = flags.to_vec();
    let at = flags.iter().position(|f| f == flag).unwrap();
    flags.drain(at..at + 2);
    flags
}

pub(crate) fn check<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str, &'a str) {
    let found = report["checks"].as_array().unwrap().iter().find(|c| c["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no check {name}: {report}"));
    (found["verdict"].as_str().unwrap(), found["seen"].as_str().unwrap(), found["fix"].as_str().unwrap())
}

/// Vaults, and whatever else the operator has created in the blocks that came after `first`.
pub(crate) fn created(chain: &OwnClock, first: u64) -> usize {
    let latest = block(chain);
    let made = |number: u64| {
        let block = chain.rpc.call("eth_getBlockByNumber", &j!([format!("{number:#x}"), true]));
        block["transactions"].as_array().unwrap().iter().filter(|tx| tx["from"] == OPERATOR && tx["to"].is_null()).count()
    };
    (first + 1..=latest).map(made).sum()
}

pub(crate) fn block(chain: &OwnClock) -> u64 {
    let number = chain.rpc.call("eth_blockNumber", &j!([]));
    u64::from_str_radix(number.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}
