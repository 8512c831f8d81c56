//! What spans crates, and helpers to drive the binaries the way a user does.

pub mod bad_day;
pub mod door;
pub mod listing;
pub mod on_paper;
pub mod own_clock;
pub mod trader;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The real data beside the checkout, or `None` (the caller says so loudly).
#[must_use]
pub fn data() -> Option<PathBuf> {
    root().parent().map(|up| up.join("shared/data")).filter(|dir| dir.is_dir())
}

/// A built binary of this workspace, from the folder the tests run in.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let found = exe.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| anyhow::anyhow!("{name} is not built beside {}: run `make build` first", exe.display()))
}

/// The URL of the fork that a run's folder has its vault on.
#[must_use]
#[expect(clippy::expect_used, reason = "a test may panic")]
pub fn fork_url(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join("chains.json")).expect("a run with development chains");
    let chains: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let fork = chains["nodes"].as_array().into_iter().flatten().find(|n| n["role"] == "fork");
    fork.and_then(|n| n["url"].as_str()).expect("the URL of a fork").to_owned()
}

/// Runs a binary to its end.
#[must_use]
pub fn run(name: &str, args: &[&str]) -> Output {
    run_with(name, args, &[])
}

/// Runs a binary with settings from the environment.
#[must_use]
#[expect(clippy::expect_used, reason = "a test may panic")]
pub fn run_with(name: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let program = binary(name).expect("a built binary");
    Command::new(program).args(args).envs(env.iter().copied()).output().expect("a program that runs")
}

/// Standard output as JSON.
#[must_use]
#[expect(clippy::panic, reason = "a test may panic")]
pub fn json(out: &Output) -> serde_json::Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| {
        panic!("stdout is no JSON ({e}): {}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    })
}

/// Code and decision of every error in a report.
#[must_use]
pub fn codes(report: &serde_json::Value) -> Vec<(String, Option<u64>)> {
    let findings = report["findings"].as_array().into_iter().flatten().filter(|f| f["severity"] == "error");
    findings.map(|f| (f["code"].as_str().unwrap_or_default().to_owned(), f["step"].as_u64())).collect()
}

/// An anvil of a test's own; ended when the test ends.
pub struct Anvil {
    child: Child,
    url: String,
}

impl Anvil {
    /// Starts anvil on a free port with these flags and waits until it listens.
    #[must_use]
    #[expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]
    pub fn start(flags: &[&str]) -> Self {
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let packages = root().join("chain/contracts/node_modules");
        let program = packages.join(format!("@foundry-rs/anvil-{system}-{machine}/bin/anvil"));
        assert!(program.is_file(), "{} is missing: run `make tools`", program.display());
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string()]).args(flags).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("anvil starts");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if started.elapsed() > Duration::from_secs(30) || child.try_wait().ok().flatten().is_some() {
                let mut said = String::new();
                drop(child.kill());
                drop(child.stderr.take().map(|mut e| e.read_to_string(&mut said)));
                panic!("anvil does not listen: {said}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// One JSON-RPC call; the result.
    pub fn call(&self, method: &str, params: &serde_json::Value) -> serde_json::Value {
        Rpc::at(&self.url).call(method, params)
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A node that somebody else started.
pub struct Rpc {
    url: String,
}

impl Rpc {
    /// The node at `http://host:port`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A page that is asked for, head and body.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn get(&self, path: &str) -> String {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("a server that listens");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// One JSON-RPC call; the result.
    #[expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]
    pub fn call(&self, method: &str, params: &serde_json::Value) -> serde_json::Value {
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("anvil listens");
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}",
            body.len()
        );
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).expect("a request that is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let start = answer.find('{').unwrap_or_else(|| panic!("{method}: no JSON in {answer}"));
        let end = answer.rfind('}').unwrap_or(start);
        let parsed: serde_json::Value = serde_json::from_str(&answer[start..=end]).unwrap_or_else(|e| panic!("{method}: {e} in {answer}"));
        assert!(parsed.get("error").is_none(), "{method}: {parsed}");
        parsed["result"].clone()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
