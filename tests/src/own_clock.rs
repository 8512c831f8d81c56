//! A chain that nobody steers: the stand-in mainnet of a run's own making, left to itself on this machine's clock with a block every second.

use crate::{Rpc, fork_url, run, run_with};
use serde_json::json as object;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// 32 times 0x11, the operator's key in tests.
pub const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// Its account.
pub const OPERATOR: &str = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";
/// The stand-in's quote token, at its mainnet address.
pub const USDC: &str = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";

/// The chain; ended with the test.
pub struct OwnClock {
    temp: TempDir,
    /// Its node.
    pub rpc: Rpc,
}

impl OwnClock {
    /// Starts it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn start() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let dir = temp.path().join("dev");
        let out = run_with("probity", &["run", "--dir", &dir.to_string_lossy()], &[("PROBITY_CRASH_AT", "ready:1")]);
        assert_eq!(out.status.code(), None, "the drill kills it: {}", String::from_utf8_lossy(&out.stderr));
        let chain = Self { rpc: Rpc::at(&fork_url(&dir)), temp };
        chain.rpc.call("anvil_removeBlockTimestampInterval", &object!([]));
        chain.go_on();
        chain
    }

    /// Gives the operator ether and so many raw units of the quote token.
    pub fn fund(&self, quote: u64) {
        self.rpc.call("anvil_setBalance", &object!([OPERATOR, "0xde0b6b3a7640000000"]));
        self.rpc.call("anvil_dealERC20", &object!([OPERATOR, USDC, format!("{quote:#x}")]));
    }

    /// No blocks come.
    pub fn stand_still(&self) {
        self.rpc.call("evm_setIntervalMining", &object!([0]));
    }

    /// A block comes at once, and then every second.
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn go_on(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        self.rpc.call("evm_setNextBlockTimestamp", &object!([now]));
        self.rpc.call("evm_mine", &object!([]));
        self.rpc.call("evm_setIntervalMining", &object!([1]));
    }

    /// Number of the newest block.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn newest(&self) -> u64 {
        let number = self.rpc.call("eth_blockNumber", &object!([]));
        u64::from_str_radix(number.as_str().unwrap_or_default().trim_start_matches("0x"), 16).expect("a block number")
    }

    /// Transactions of the operator that are in blocks.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn transactions(&self) -> u64 {
        let count = self.rpc.call("eth_getTransactionCount", &object!([OPERATOR, "latest"]));
        u64::from_str_radix(count.as_str().unwrap_or_default().trim_start_matches("0x"), 16).expect("a count")
    }
}

impl Drop for OwnClock {
    fn drop(&mut self) {
        drop(run("probity", &["chain", "stop", "--dir", &self.temp.path().join("dev").to_string_lossy()]));
    }
}
