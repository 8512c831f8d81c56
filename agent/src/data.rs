//! `probity data`: look a file over, read a pool's past from a node, make bars of it. Nothing is filled in or repaired.

use crate::cli::DataAction;
use crate::{output, report};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use probity_backtest::{Examination, Found, Scale, bars_of_logs, examine, utc};
use probity_chain::{PoolLog, Pull};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HEADER: &str = "block_number,block_timestamp,transaction_hash,transaction_index,log_index,topics,data\n";
/// Blocks left alone behind the newest one: they may still change.
const BEHIND: u64 = 64;

/// Runs the command.
pub(crate) fn run(action: &DataAction, json: bool) -> Result<ExitCode> {
    match action {
        DataAction::Check { file } => {
            let found = examine(file)?;
            output::data(json, "data", &found, || text(&found))?;
            Ok(if found.sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        DataAction::Pull { rpc, pool, from, to, chunk, out } => {
            ensure!(!out.exists(), "--out {}: exists and is never overwritten; name another file", out.display());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let pulled = runtime.block_on(pull(rpc, pool, (*from, *to), *chunk, out))?;
            output::data(json, "pull", &pulled, || {
                output::table(&[
                    ("file".into(), pulled.file.display().to_string()),
                    ("sha256".into(), pulled.sha256.clone()),
                    ("pool, chain".into(), format!("{}, {}", pulled.pool, pulled.chain_id)),
                    ("blocks".into(), format!("{} … {}", pulled.from, pulled.to)),
                    ("logs".into(), pulled.logs.to_string()),
                ])
            })?;
            Ok(ExitCode::SUCCESS)
        }
        DataAction::Bars { logs, interval_s, base_is_token0, quote_decimals, base_decimals, out } => {
            ensure!(
                *quote_decimals <= 30 && *base_decimals <= 30,
                "--quote-decimals, --base-decimals: expected at most 30, got {quote_decimals}, {base_decimals}"
            );
            let scale = Scale { quote_decimals: *quote_decimals, base_decimals: *base_decimals };
            let made = bars_of_logs(logs, *interval_s, !base_is_token0, scale).with_context(|| format!("--logs {}", logs.display()))?;
            report::create(out, &made.csv)?;
            let value =
                serde_json::json!({ "file": out, "bars": made.bars, "empty": made.empty, "swaps": made.swaps, "others": made.others });
            output::data(json, "bars", &value, || {
                format!("{}: {} bars of {} swaps; {} intervals had none and have no bar", out.display(), made.bars, made.swaps, made.empty)
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn text(e: &Examination) -> String {
    let mut rows = vec![
        ("rows".to_owned(), e.rows.to_string()),
        ("sha256".to_owned(), e.sha256.clone()),
        ("span, UTC".to_owned(), e.span.map_or_else(|| "none".to_owned(), |(a, b)| format!("{} to {}", utc(a), utc(b)))),
        ("interval".to_owned(), e.interval_s.map_or_else(|| "none".to_owned(), |s| format!("{s} s"))),
    ];
    let kinds: [(&str, &Found); 8] = [
        ("unreadable", &e.unreadable),
        ("duplicates", &e.duplicates),
        ("backward", &e.backward),
        ("off the grid", &e.off_grid),
        ("impossible bars", &e.impossible),
        ("gaps (allowed, never filled)", &e.gaps),
        ("without volume (allowed)", &e.no_volume),
        ("jumps by half or more (allowed)", &e.jumps),
    ];
    for (name, found) in kinds {
        let places: Vec<String> = found.first.iter().map(|(line, what)| format!("line {line}: {what}")).collect();
        rows.push((name.to_owned(), format!("{}\n{}", found.count, places.join("\n")).trim_end().to_owned()));
    }
    rows.push(("bars absent".to_owned(), e.missing.to_string()));
    rows.push(("a backtest takes it".to_owned(), if e.sound() { "yes" } else { "NO" }.to_owned()));
    output::table(&rows)
}

/// What a pull gave.
#[derive(Debug, Serialize)]
struct Pulled {
    file: PathBuf,
    sha256: String,
    pool: String,
    chain_id: u64,
    from: u64,
    to: u64,
    logs: u64,
}

/// Where an interrupted pull goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    version: u16,
    chain_id: u64,
    pool: String,
    from: u64,
    to: u64,
    next: u64,
    bytes: u64,
    logs: u64,
}

async fn pull(rpc: &str, pool: &str, (from, to): (u64, Option<u64>), chunk: u64, out: &Path) -> Result<Pulled> {
    let address: probity_chain::Address =
        pool.parse().map_err(|_| anyhow::anyhow!("--pool: expected 0x and 40 hex digits, got {pool:?}"))?;
    let mut source = Pull::new(rpc, address, chunk).await.context("--rpc")?;
    let (partial, place) = (out.with_extension("partial"), out.with_extension("resume.json"));
    let before: Option<Resume> = match std::fs::read(&place) {
        Ok(text) => Some(serde_json::from_slice(&text).with_context(|| format!("{}: expected what a pull leaves", place.display()))?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(e).with_context(|| place.display().to_string()),
    };
    // A pull that goes on keeps the end it had, where none is named.
    let to = to.or_else(|| before.as_ref().map(|r| r.to)).unwrap_or_else(|| source.latest().saturating_sub(BEHIND));
    ensure!(from <= to && to <= source.latest(), "--from, --to: expected blocks up to the node's {}, got {from} … {to}", source.latest());
    let pool = format!("{address:?}");
    let mut at = Resume { version: 1, chain_id: source.chain_id(), pool: pool.clone(), from, to, next: from, bytes: 0, logs: 0 };
    if let Some(r) = before {
        let same = Resume { next: r.next, bytes: r.bytes, logs: r.logs, ..at.clone() };
        ensure!(
            r == same,
            "{}: a pull of other blocks, pool or chain was interrupted here; remove it or name another --out",
            place.display()
        );
        at = r;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&partial)
        .with_context(|| partial.display().to_string())?;
    ensure!(
        file.metadata()?.len() >= at.bytes,
        "{}: shorter than when the pull was interrupted; remove it and {}",
        partial.display(),
        place.display()
    );
    // What was written after the last mark is asked for again.
    file.set_len(at.bytes)?;
    file.seek(SeekFrom::End(0))?;
    if at.bytes == 0 {
        file.write_all(HEADER.as_bytes())?;
        at.bytes = u64::try_from(HEADER.len())?;
    }
    let bar = ProgressBar::new(to - from + 1);
    if let Ok(style) = ProgressStyle::with_template("blocks {bar:30} {pos}/{len} {elapsed}, {eta} left, {msg}") {
        bar.set_style(style);
    }
    while at.next <= to {
        bar.set_position(at.next - from);
        bar.set_message(format!("{} logs", at.logs));
        let (logs, next) = source.chunk(at.next, to).await?;
        let mut text = String::new();
        for log in &logs {
            line(&mut text, log);
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        at = Resume { next, bytes: at.bytes + u64::try_from(text.len())?, logs: at.logs + u64::try_from(logs.len())?, ..at };
        mark(&place, &at)?;
    }
    bar.finish_and_clear();
    file.seek(SeekFrom::Start(0))?;
    let sha256 = digest(&mut file)?;
    std::fs::rename(&partial, out).with_context(|| out.display().to_string())?;
    std::fs::remove_file(&place).with_context(|| place.display().to_string())?;
    Ok(Pulled { file: out.to_owned(), sha256, pool, chain_id: at.chain_id, from, to, logs: at.logs })
}

fn mark(place: &Path, at: &Resume) -> Result<()> {
    crate::whole::write(place, &serde_json::to_vec(at)?)
}

fn digest(file: &mut File) -> Result<String> {
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let n = file.read(&mut part)?;
        if n == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(part.get(..n).unwrap_or(&[]));
    }
}

fn line(text: &mut String, log: &PoolLog) {
    use std::fmt::Write as _;
    let topics: Vec<String> = log.topics.iter().map(|t| format!("'0x{}'", hex::encode(t))).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{},{}:{:02},0x{},{},{},\"[{}]\",0x{}",
        log.block_number,
        utc(log.time_s),
        log.time_s % 60,
        hex::encode(log.tx_hash),
        log.tx_index,
        log.log_index,
        topics.join(", "),
        hex::encode(&log.data)
    );
}
