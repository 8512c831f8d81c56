//! One anvil process: started in its own process group, so that an interrupt of its parent leaves it alone, and ended by id.
//!
//! It outlives its handle on purpose; `DevChain` keeps its id on disk.

use crate::ChainError;
use crate::rpc::{Rpc, connect_within};
use ethers::providers::Middleware;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Rules of the chain, named because a fork would otherwise follow the date of its block.
const HARDFORK: &str = "osaka";
/// States kept in memory; nothing is spilled to disk.
const STATES: &str = "32";
/// Gas in a block.
const GAS_LIMIT: &str = "60000000";
/// Seconds between blocks that no time was set for.
const BLOCK_S: u64 = 1;
/// A node that forks from afar may need this long to come up.
const START: Duration = Duration::from_secs(90);
/// Time given to end in good order.
const END: Duration = Duration::from_secs(5);
/// Ports tried if another program takes the free one first.
const TRIES: usize = 5;
/// Name of the forked endpoint in the node's settings. The URL itself goes by the environment, because arguments are public.
const ORIGIN: &str = "origin";
const ORIGIN_VARIABLE: &str = "PROBITY_FORK_ORIGIN";

/// Where a node runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What it is for.
    pub(crate) role: String,
    /// Process id.
    pub(crate) pid: i32,
    /// Its RPC.
    pub(crate) url: String,
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) rpc: Rpc,
    child: Option<Child>,
}

impl Node {
    /// Starts anvil with `args`, forking `fork` if there is one; its output goes to `dir`/anvil-`role`.log.
    pub(crate) async fn start(anvil: &Path, dir: &Path, role: &str, args: &[String], fork: Option<&str>) -> Result<Self, ChainError> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match Self::try_start(anvil, dir, role, args, fork).await {
                Err(ChainError::Start { reason }) if reason.contains("Address already in use") => last = reason,
                other => return other,
            }
        }
        Err(ChainError::Start { reason: last })
    }

    async fn try_start(anvil: &Path, dir: &Path, role: &str, args: &[String], fork: Option<&str>) -> Result<Self, ChainError> {
        let fail = |reason: String| ChainError::Start { reason };
        let io = |what: &Path, e: std::io::Error| ChainError::Start { reason: format!("{}: {e}", what.display()) };
        let log = dir.join(format!("anvil-{role}.log"));
        let out = private_file(&log).map_err(|e| io(&log, e))?;
        let err = out.try_clone().map_err(|e| io(&log, e))?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.map_err(|e| fail(format!("no free port: {e}")))?.port();
        let mut command = Command::new(anvil);
        command
            .args(["--quiet", "--host", "127.0.0.1", "--no-cors", "--accounts", "0", "--hardfork", HARDFORK])
            .args(["--prune-history", STATES, "--gas-limit", GAS_LIMIT, "--port", &port.to_string()])
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(false);
        if let Some(fork) = fork {
            let settings = dir.join("foundry.toml");
            std::fs::write(&settings, format!("[rpc_endpoints]\n{ORIGIN} = \"${{{ORIGIN_VARIABLE}}}\"\n")).map_err(|e| io(&settings, e))?;
            command.env(ORIGIN_VARIABLE, fork).args(["--fork-url", ORIGIN, "--no-storage-caching"]);
        }
        let mut child = command.spawn().map_err(|e| io(anvil, e))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| fail("it ended at once".into()))?;
        let url = format!("http://127.0.0.1:{port}");
        let rpc = connect_within(&url, crate::rpc::REQUEST_TIMEOUT)?;
        let started = Instant::now();
        while rpc.get_chainid().await.is_err() {
            let ended = child.try_wait().map_err(|e| io(anvil, e))?;
            if ended.is_some() || started.elapsed() > START {
                child.start_kill().ok();
                let said = redact(&std::fs::read_to_string(&log).unwrap_or_default(), fork);
                std::fs::write(&log, &said).map_err(|e| io(&log, e))?;
                let what = ended.map_or_else(|| format!("no answer in {} s", START.as_secs()), |status| status.to_string());
                return Err(fail(format!("{what}; {}", said.trim().replace('\n', "; "))));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let node = Self { place: Place { role: role.to_owned(), pid, url }, rpc, child: Some(child) };
        node.ask::<_, serde_json::Value>("anvil_setBlockTimestampInterval", json!([BLOCK_S])).await?;
        Ok(node)
    }

    /// A node of an earlier start, if it is still the one.
    pub(crate) async fn attach(place: Place) -> Result<Self, String> {
        let pid = Pid::from_raw(place.pid).ok_or("no process id")?;
        test_kill_process(pid).map_err(|e| format!("process {}: {e}", place.pid))?;
        let rpc = connect_within(&place.url, crate::rpc::REQUEST_TIMEOUT).map_err(|e| e.to_string())?;
        let version = rpc.client_version().await.map_err(|e| e.to_string())?;
        if !version.starts_with("anvil") {
            return Err(format!("it is a {version}"));
        }
        Ok(Self { place, rpc, child: None })
    }

    /// Ends the process: asks, waits, then insists.
    pub(crate) async fn stop(mut self) -> Result<(), ChainError> {
        let place = self.place.clone();
        let fail = |reason: String| ChainError::value("development chain", format!("process {} ended", place.pid), reason);
        let pid = Pid::from_raw(place.pid).ok_or_else(|| fail("no process id".into()))?;
        // Its answer shows that the id is still anvil's and not another program's.
        if self.child.is_none() && self.rpc.client_version().await.is_err() {
            return Ok(());
        }
        for (signal, wait) in [(Signal::TERM, END), (Signal::KILL, END)] {
            kill_process(pid, signal).ok();
            let asked = Instant::now();
            while asked.elapsed() < wait {
                let ended = match &mut self.child {
                    Some(child) => child.try_wait().map_err(|e| fail(e.to_string()))?.is_some(),
                    None => test_kill_process(pid).is_err() || self.rpc.client_version().await.is_err(),
                };
                if ended {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Err(fail("it still runs".into()))
    }

    /// A request of anvil's own.
    pub(crate) async fn ask<T, R>(&self, call: &'static str, params: T) -> Result<R, ChainError>
    where
        T: std::fmt::Debug + Serialize + Send + Sync,
        R: serde::de::DeserializeOwned + Serialize + std::fmt::Debug + Send,
    {
        self.rpc.request(call, params).await.map_err(|e| crate::rpc::failure(call, "the development chain", &e))
    }
}

/// A file that only its owner reads: a node's output may name the forked endpoint.
fn private_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).write(true).truncate(true).mode(0o600).open(path)
}

/// A text without the endpoint's path.
fn redact(text: &str, url: Option<&str>) -> String {
    let Some(url) = url else { return text.to_owned() };
    text.replace(url, &crate::rpc::host_of(url)).replace(url.trim_end_matches('/'), &crate::rpc::host_of(url))
}
