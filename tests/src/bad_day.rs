//! A chain that nobody steers, with an agent on it, and what can be done to either.
//!
//! The chain is a development chain of the agent's own making, set to this machine's clock and given a block every second; the
//! agent meets it as any node behind a URL, through a door that can be shut.

use crate::{Rpc, binary, json, run, run_with};
use serde_json::{Value, json as object};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The account of the private key 0x11…11.
pub const OPERATOR: &str = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";
/// The stand-in's quote token, at its mainnet address.
pub const USDC: &str = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";
/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_secs(180);

/// A chain and a folder for the agent's run.
pub struct BadDay {
    temp: TempDir,
    /// The chain itself, past the door.
    pub chain: Rpc,
    door: Door,
}

impl BadDay {
    /// Starts the chain, set to this machine's clock; the operator has ether and quote tokens.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn start() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let dev = temp.path().join("chain");
        let args = ["run", "--dir", dev.to_str().expect("a path in UTF-8"), "--decisions", "1", "--posting", "every", "--keep-chain"];
        let out = run_with("probity", &args, &[("PROBITY_CRASH_AT", "ready:1")]);
        let text = std::fs::read_to_string(dev.join("chains.json"));
        let text = text.unwrap_or_else(|e| format!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
        let chains: Value = serde_json::from_str(&text).expect("the chains of a run");
        let fork = chains["nodes"].as_array().expect("nodes").iter().find(|n| n["role"] == "fork").expect("a fork");
        let chain = Rpc::at(fork["url"].as_str().expect("a URL"));
        to_now(&chain);
        chain.call("anvil_setBalance", &object!([OPERATOR, "0xde0b6b3a7640000000"]));
        chain.call("anvil_dealERC20", &object!([OPERATOR, USDC, format!("{:#x}", 200_000_000_000u64)]));
        chain.call("evm_setIntervalMining", &object!([1]));
        let door = Door::before(chain.url().trim_start_matches("http://"));
        Self { temp, chain, door }
    }

    /// The folder of the agent's run.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.temp.path().join("run")
    }

    /// The agent on this chain, deciding every five seconds.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn agent(&self, settings: &[(&str, &str)]) -> Running {
        let (dir, key) = (self.dir(), "11".repeat(32));
        let mut command = Command::new(binary("probity").expect("a built binary"));
        command.args(["run", "--posting", "every", "--deploy", "--rpc", &self.door.url(), "--dir"]).arg(&dir);
        command.env("PROBITY_OPERATOR_KEY", key).env("PROBITY__MANDATE__INTERVAL_S", "5").env("PROBITY__MANDATE__WARMUP_STEPS", "1");
        command.env("PROBITY__MANDATE__DECISIONS_PER_FOLD", "2").env("PROBITY__CHAIN__POLL_INTERVAL_MS", "200");
        command.env("PROBITY__POSTING__EVERY_DECISIONS", "1000").env("PROBITY__SAFETY__FOLD", "later");
        command.env("PROBITY__SAFETY__CONFIRMATIONS", "0").env("PROBITY_LOG", "info").envs(settings.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the agent starts");
        let lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let (send, said) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(send.send(line))));
        Running { child, said, heard: Vec::new() }
    }

    /// No blocks come.
    pub fn stand_still(&self) {
        self.chain.call("evm_setIntervalMining", &object!([0]));
    }

    /// Blocks come again, at this machine's time.
    pub fn go_on(&self) {
        to_now(&self.chain);
        self.chain.call("evm_setIntervalMining", &object!([1]));
    }

    /// Shuts or opens the door between agent and node: what is under way is cut off.
    pub fn shut(&self, shut: bool) {
        self.door.shut.store(shut, Ordering::SeqCst);
    }

    /// The run's folder, as `probity inspect` tells it.
    #[must_use]
    pub fn inspect(&self) -> Value {
        json(&run("probity", &["--json", "inspect", &self.dir().to_string_lossy()]))["result"].clone()
    }

    /// State of the run and reason of its last change.
    #[must_use]
    pub fn state(&self) -> (String, String) {
        let seen = self.inspect();
        let last = seen["changes"].as_array().and_then(|c| c.last()).map_or(Value::Null, |c| c["reason"].clone());
        (seen["state"].as_str().unwrap_or_default().to_owned(), last.as_str().unwrap_or_default().to_owned())
    }

    /// `probity resume`.
    pub fn resume(&self) {
        let out = run("probity", &["resume", "--reason", "seen to", "--dir", &self.dir().to_string_lossy()]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// Transactions of the operator that are mined.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn nonce(&self) -> u64 {
        let count = self.chain.call("eth_getTransactionCount", &object!([OPERATOR, "latest"]));
        u64::from_str_radix(count.as_str().unwrap_or_default().trim_start_matches("0x"), 16).expect("a count")
    }
}

/// Mines a block at this machine's time.
#[expect(clippy::expect_used, reason = "a test may panic")]
fn to_now(chain: &Rpc) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    chain.call("evm_setNextBlockTimestamp", &object!([now]));
    chain.call("evm_mine", &object!([]));
}

impl Drop for BadDay {
    fn drop(&mut self) {
        let dev = self.temp.path().join("chain");
        drop(run("probity", &["chain", "stop", "--dir", &dev.to_string_lossy()]));
    }
}

/// A running agent, killed with the test.
pub struct Running {
    child: Child,
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Running {
    /// Waits for a line with these words, and gives it.
    #[expect(clippy::panic, reason = "a test may panic")]
    pub fn says(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("it did not say {words:?}:\n{}", self.heard.join("\n")),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before it said {words:?}:\n{}", self.heard.join("\n")),
            }
        }
    }

    /// Waits until so many more decisions are on chain.
    pub fn decides(&mut self, decisions: usize) {
        for _ in 0..decisions {
            self.says(" nav ");
        }
    }

    /// Waits for its end, and gives exit code and all that it said.
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn ends(mut self) -> (Option<i32>, String) {
        while let Ok(line) = self.said.recv_timeout(PATIENCE) {
            self.heard.push(line);
        }
        (self.child.wait().expect("its end").code(), self.heard.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A TCP relay that can be shut.
struct Door {
    port: u16,
    shut: Arc<AtomicBool>,
}

impl Door {
    #[expect(clippy::expect_used, reason = "a test may panic")]
    fn before(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (shut, host) = (Arc::new(AtomicBool::new(false)), host.to_owned());
        let door = Arc::clone(&shut);
        std::thread::spawn(move || {
            for inside in listener.incoming().map_while(Result::ok) {
                if door.load(Ordering::SeqCst) {
                    drop(inside.shutdown(Shutdown::Both));
                } else if let Ok(outside) = TcpStream::connect(&host) {
                    pass(&inside, &outside, &door);
                    pass(&outside, &inside, &door);
                }
            }
        });
        Self { port, shut }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Passes bytes on until either end closes or the door is shut.
fn pass(from: &TcpStream, to: &TcpStream, door: &Arc<AtomicBool>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    drop(from.set_read_timeout(Some(Duration::from_millis(50))));
    let door = Arc::clone(door);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while !door.load(Ordering::SeqCst) {
            match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(n) => {
                    if to.write_all(bytes.get(..n).unwrap_or_default()).is_err() {
                        break;
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
}
