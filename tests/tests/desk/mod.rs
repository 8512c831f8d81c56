//! A desk to operate from, and a chain that keeps its own time: what the tests of the first hour stand on.

use probity_tests::{Rpc, binary, json, run_with};
use serde_json::{Value, json as j};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const POOL: &str = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640";
pub(crate) const USDC: &str = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";
/// 32 times 0x11, and its account.
pub(crate) const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const ACCOUNT: &str = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";
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

/// A chain whose blocks come every second and show this machine's time: the stand-in mainnet that a run starts, left to itself.
pub(crate) struct Chain {
    temp: tempfile::TempDir,
    pub(crate) rpc: Rpc,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("dev");
        let out = run_with("probity", &["run", "--dir", dir.to_str().unwrap()], &[("PROBITY_CRASH_AT", "ready:1")]);
        assert_eq!(out.status.signal(), Some(9), "{}", said(&out));
        let chains: Value = serde_json::from_slice(&std::fs::read(dir.join("chains.json")).unwrap()).unwrap();
        let fork = chains["nodes"].as_array().unwrap().iter().find(|n| n["role"] == "fork").unwrap();
        let chain = Self { rpc: Rpc::at(fork["url"].as_str().unwrap()), temp };
        chain.rpc.call("anvil_removeBlockTimestampInterval", &j!([]));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        chain.rpc.call("evm_setNextBlockTimestamp", &j!([now]));
        chain.rpc.call("evm_mine", &j!([]));
        chain.rpc.call("evm_setIntervalMining", &j!([1]));
        chain
    }

    pub(crate) fn fund(&self) {
        self.rpc.call("anvil_setBalance", &j!([ACCOUNT, "0xde0b6b3a7640000000"]));
        self.rpc.call("anvil_dealERC20", &j!([ACCOUNT, USDC, format!("{:#x}", 50_000_000_000u64)]));
    }

    /// Vaults, and whatever else the operator has created in the blocks that came after `first`.
    pub(crate) fn created(&self, first: u64) -> usize {
        let latest = self.block();
        let made = |number: u64| {
            let block = self.rpc.call("eth_getBlockByNumber", &j!([format!("{number:#x}"), true]));
            block["transactions"].as_array().unwrap().iter().filter(|tx| tx["from"] == ACCOUNT && tx["to"].is_null()).count()
        };
        (first + 1..=latest).map(made).sum()
    }

    pub(crate) fn block(&self) -> u64 {
        let number = self.rpc.call("eth_blockNumber", &j!([]));
        u64::from_str_radix(number.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    /// Transactions of the operator that are in blocks.
    pub(crate) fn transactions(&self) -> u64 {
        let count = self.rpc.call("eth_getTransactionCount", &j!([ACCOUNT, "latest"]));
        u64::from_str_radix(count.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let dir = self.temp.path().join("dev");
        drop(run_with("probity", &["chain", "stop", "--dir", dir.to_str().unwrap()], &[]));
    }
}
