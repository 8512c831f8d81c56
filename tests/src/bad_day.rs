//! A chain that nobody steers, with an agent on it, and what can be done to either.
//!
//! The agent meets the chain as any node behind a URL, through a door that can be shut.

use crate::door::Door;
use crate::own_clock::{KEY, OwnClock};
use crate::{binary, json, run};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_secs(180);

/// A chain and a folder for the agent's run.
pub struct BadDay {
    temp: TempDir,
    /// The chain itself, past the door.
    pub chain: OwnClock,
    door: Door,
}

impl BadDay {
    /// Starts the chain; the operator has ether and quote tokens.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn start() -> Self {
        let chain = OwnClock::start();
        chain.fund(200_000_000_000);
        let door = Door::before(chain.rpc.url().trim_start_matches("http://"));
        Self { temp: tempfile::tempdir().expect("a temporary folder"), chain, door }
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
        let dir = self.dir();
        let mut command = Command::new(binary("probity").expect("a built binary"));
        command.args(["run", "--posting", "every", "--deploy", "--rpc", &self.door.url(), "--dir"]).arg(&dir);
        command.env("PROBITY_OPERATOR_KEY", KEY).env("PROBITY__MANDATE__INTERVAL_S", "5").env("PROBITY__MANDATE__WARMUP_STEPS", "1");
        command.env("PROBITY__MANDATE__DECISIONS_PER_FOLD", "2").env("PROBITY__CHAIN__POLL_INTERVAL_MS", "200");
        command.env("PROBITY__POSTING__EVERY_DECISIONS", "1000").env("PROBITY__SAFETY__FOLD", "later");
        command.env("PROBITY__SAFETY__CONFIRMATIONS", "0").env("PROBITY_LOG", "info").envs(settings.iter().copied());
        Running::start(&mut command)
    }

    /// Shuts or opens the door between agent and node: what is under way is cut off.
    pub fn shut(&self, shut: bool) {
        self.door.shut(shut);
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
}

/// A running agent, killed with the test.
pub struct Running {
    child: Child,
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Running {
    /// Starts a command whose lines are listened to.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the agent starts");
        let lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let (send, said) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(send.send(line))));
        Self { child, said, heard: Vec::new() }
    }

    /// Sends it a signal by name, as `kill` does.
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "kill -s {name}");
    }

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

    /// What it said so far.
    #[must_use]
    pub fn heard(&self) -> &[String] {
        &self.heard
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
