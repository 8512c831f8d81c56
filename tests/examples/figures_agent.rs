//! A long run of the agent on a development chain, without proving: what a step takes, and whether the process grows; and a run
//! that is killed again and again, held against its chain. Writes `target/figures/agent.json`.
//!
//! `figures_agent [DECISIONS] [KILLS] [OUT]`. A step is from one decision's line to the next: the market moved, observed, decided,
//! journaled, sent, mined, its outcome journaled. `agent_cpu_ms` is what the agent's own process used of it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a bench may panic and says what it does")]

use probity_tests::{Rpc, binary, fork_url, json, run};
use serde_json::{Value, json as object};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Decisions left out of growth and times, while caches fill.
const WARM: usize = 200;
/// Boundaries between two effects that a run without proofs meets.
const BOUNDARIES: [&str; 7] = ["ready", "observed", "journaled", "decide_signed", "decide_sent", "decide_mined", "settled"];

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |or: u32| args.next().map_or(or, |a| a.parse().expect("a number"));
    let (decisions, kills) = (number(10_000), number(300));
    let out = args.next().unwrap_or_else(|| "target/figures/agent.json".to_owned());
    let temp = tempfile::tempdir().unwrap();
    let mut figures = long(&temp.path().join("long"), decisions);
    let killed = killed(&temp.path().join("killed"), kills);
    figures.as_object_mut().unwrap().extend(killed.as_object().unwrap().clone());
    std::fs::create_dir_all(Path::new(&out).parent().unwrap()).unwrap();
    std::fs::write(&out, serde_json::to_string_pretty(&figures).unwrap() + "\n").unwrap();
    eprintln!("{out}: {figures:#}");
}

fn start(dir: &Path, decisions: u32, crash: Option<&str>) -> Child {
    let mut command = Command::new(binary("probity").expect("a built binary"));
    command.args(["run", "--posting", "every", "--keep-chain", "--decisions", &decisions.to_string(), "--dir"]).arg(dir);
    command.env("PROBITY__SAFETY__FOLD", "later").env("PROBITY__POSTING__EVERY_DECISIONS", "1000000");
    command.env("PROBITY__MANDATE__WARMUP_STEPS", "1");
    if let Some(at) = crash {
        command.env("PROBITY_CRASH_AT", at);
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the agent starts")
}

/// One run of so many decisions, looked at after each; ended before it would prove.
fn long(dir: &Path, decisions: u32) -> Value {
    let mut agent = start(dir, decisions + 1, None);
    let pid = agent.id();
    let lines = BufReader::new(agent.stderr.take().unwrap()).lines().map_while(Result::ok).filter(|l| l.contains(" nav "));
    let (mut last, mut times, mut first, mut cpu) = (Instant::now(), Vec::new(), None, 0.0);
    for (n, _) in lines.take(decisions as usize).enumerate() {
        if n >= WARM {
            times.push(last.elapsed().as_secs_f64() * 1_000.0);
        }
        if n == WARM {
            first = Some(held(pid));
            cpu = cpu_ms(pid);
        }
        if n % 500 == 0 {
            let ((rss, files), journal) = (held(pid), bytes(dir));
            eprintln!("{n} decisions: {rss:.1} MB resident, {files} open files, journal of {journal} bytes");
        }
        last = Instant::now();
    }
    let (end, spent) = (held(pid), cpu_ms(pid) - cpu);
    drop(agent.kill());
    drop(agent.wait());
    let journal = bytes(dir);
    let (seen, first) = (inspect(dir), first.expect("more decisions than the warm-up"));
    let on_chain = on_chain(dir);
    stop(dir);
    let half = times.len() / 2;
    let (early, late) = (quantile(&times[..half], 0.5), quantile(&times[half..], 0.5));
    object!({
        "decisions_run": seen["decisions"], "decisions_on_chain": on_chain.len(),
        "rss_mb_start": first.0, "rss_mb_end": end.0, "rss_growth_mb": end.0 - first.0, "open_files_start": first.1, "open_files_end": end.1,
        "journal_bytes_per_decision": journal as f64 / f64::from(decisions),
        "step_ms_p50": quantile(&times, 0.5), "step_ms_p99": quantile(&times, 0.99), "step_ms_p50_first_half": early, "step_ms_p50_second_half": late,
        "agent_cpu_ms": spent / times.len() as f64,
    })
}

/// One run, killed so many times at changing boundaries, and held against its chain.
fn killed(dir: &Path, kills: u32) -> Value {
    let mut survived = 0;
    for n in 0..kills {
        let at = format!("{}:{}", BOUNDARIES[n as usize % BOUNDARIES.len()], if n % 7 == 0 { 1 } else { 1 + n % 2 });
        let mut agent = start(dir, 100_000, Some(&at));
        // The pipe is read away, or the agent would wait for it.
        let said: Vec<_> = BufReader::new(agent.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
        let status = agent.wait().unwrap();
        assert_eq!(status.code(), None, "{at}: it ended by itself:\n{}", said.join("\n"));
        survived += 1;
        if n % 25 == 24 {
            eprintln!("{survived} kills, {} decisions", inspect(dir)["decisions"]);
        }
    }
    // The last start settles what the last kill left unknown.
    let mut agent = start(dir, 100_000, None);
    let lines = BufReader::new(agent.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.filter(|l| l.contains(" nav ")).take(3).count(), 3);
    drop(agent.kill());
    drop(agent.wait());
    let (seen, on_chain) = (inspect(dir), on_chain(dir));
    stop(dir);
    let journaled = seen["decisions"].as_u64().unwrap();
    let doubled: usize = on_chain.values().map(|n| n - 1).sum();
    // A decision that the last kill left in the journal alone is not lost: the next start sends it.
    let missing = on_chain.keys().filter(|step| **step >= journaled).count();
    let gaps = (0..journaled.saturating_sub(1)).filter(|step| !on_chain.contains_key(step)).count();
    object!({ "kills_survived": survived, "decisions_between_kills": journaled, "double_trades": doubled, "lost_records": missing + gaps })
}

/// How often the chain has each decision.
fn on_chain(dir: &Path) -> BTreeMap<u64, usize> {
    let filter = object!([{ "address": inspect(dir)["vault"], "fromBlock": "0x0", "toBlock": "latest" }]);
    let logs = Rpc::at(&fork_url(dir)).call("eth_getLogs", &filter);
    let mut seen = BTreeMap::new();
    for log in logs.as_array().unwrap() {
        // Of the vault's events, only that of a decision has one index and a whole observation.
        let (topics, data) = (log["topics"].as_array().unwrap(), log["data"].as_str().unwrap());
        if topics.len() == 2 && data.len() > 2 + 64 * 8 {
            let step = u64::from_str_radix(&topics[1].as_str().unwrap()[2 + 48..], 16).unwrap();
            *seen.entry(step).or_insert(0) += 1;
        }
    }
    assert!(!seen.is_empty(), "the vault has events of decisions");
    seen
}

/// Resident memory, MB, and open files of a process.
fn held(pid: u32) -> (f64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("its memory");
    let kb: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("kilobytes");
    (kb / 1024.0, std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count))
}

/// Processor time of a process, ms; the kernel counts in hundredths of a second.
fn cpu_ms(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|t| t.parse::<f64>().unwrap() * 10.0).sum()
}

fn bytes(dir: &Path) -> u64 {
    ["journal.sqlite", "journal.sqlite-wal"].iter().map(|f| std::fs::metadata(dir.join(f)).map_or(0, |m| m.len())).sum()
}

fn inspect(dir: &Path) -> Value {
    json(&run("probity", &["--json", "inspect", &dir.to_string_lossy()]))["result"].clone()
}

fn stop(dir: &Path) {
    drop(run("probity", &["chain", "stop", "--dir", &dir.to_string_lossy()]));
}

fn quantile(times: &[f64], q: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q) as usize]
}
