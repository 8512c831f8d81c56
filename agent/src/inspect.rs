//! `probity inspect`: what a log, a proof or a run's folder holds. It shows and does not judge: `audit` does.

use crate::cli::InspectArgs;
use crate::journal::{Announced, Journal};
use crate::run::Requests;
use crate::{audit, output, time};
use anyhow::{Context, Result, bail};
use comfy_table::{Table, presets};
use probity_strategy::{Record, Side, Valuation};
use probity_verifier::{Digest, Envelope, Header, Line, LogReader, Waypoint, is_nowhere};
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(args: &InspectArgs, json: bool) -> Result<ExitCode> {
    let path = &args.path;
    if path.is_dir() {
        folder(path, args.last, json)?;
    } else if starts_as_proof(path)? {
        proof(path, json)?;
    } else {
        log(path, args.last, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn starts_as_proof(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    File::open(path).with_context(|| format!("{}", path.display()))?.take(8).read_to_end(&mut start)?;
    Ok(start.starts_with(b"PROBITY"))
}

fn proof(path: &Path, json: bool) -> Result<()> {
    let bytes = audit::read_proof(path)?;
    let envelope = match Envelope::from_bytes(&bytes) {
        Ok(envelope) => envelope,
        Err(finding) => bail!("{}: not a proof of this version: {finding}", path.display()),
    };
    let (mandate, Waypoint { commitment, ahead, decisions: count, head, .. }) = (envelope.mandate, envelope.end);
    let from = envelope.start.map_or(0, |start| start.decisions);
    let value = serde_json::json!({
        "bytes": bytes.len(), "parameters": envelope.parameters, "folds": envelope.folds, "from_decision": from, "decisions": count,
        "model_commitment": commitment, "rotation_ahead": ahead, "mandate_digest": mandate, "head": head,
    });
    output::data(json, "proof", &value, || {
        output::table(&[
            ("proof".into(), format!("{} ({} bytes), not verified here", path.display(), bytes.len())),
            ("claims decisions, in folds".into(), format!("{count} in {}", envelope.folds)),
            ("starting after decisions".into(), from.to_string()),
            ("of the model committed to as".into(), commitment.to_string()),
            (
                "with weights announced".into(),
                ahead.map_or_else(|| "none".into(), |r| format!("{} from decision {}", r.commitment, r.at_step)),
            ),
            ("under the mandate".into(), mandate.to_string()),
            ("ending at head".into(), head.to_string()),
            ("parameters".into(), envelope.parameters.to_string()),
        ])
    })
}

fn log(path: &Path, last: usize, json: bool) -> Result<()> {
    let mut reader = LogReader::open(path).with_context(|| format!("{}", path.display()))?;
    let header = reader.header().clone();
    let (mut records, mut rotations, mut sealed) = (Vec::new(), Vec::new(), false);
    while let Some(line) = reader.next_line().with_context(|| format!("{}", path.display()))? {
        match line {
            Line::Entry(entry) => records.push(entry.record),
            Line::Announcement(announcement) => rotations.push(announcement.rotation),
            Line::Seal(_) => sealed = true,
        }
    }
    let value = serde_json::json!({ "header": header, "decisions": records.len(), "sealed": sealed, "rotations": rotations, "last": tail(&records, last) });
    output::data(json, "log", &value, || {
        let mut rows = head_rows(&header);
        rows.push(("decisions".into(), format!("{} ({})", records.len(), if sealed { "sealed" } else { "open" })));
        rows.extend(rotations.iter().map(|r| (format!("weights from decision {}", r.at_step), r.commitment.to_string())));
        format!("{}\n{}", output::table(&rows), decisions(tail(&records, last).iter().map(|r| (*r, String::new()))))
    })
}

fn folder(path: &Path, last: usize, json: bool) -> Result<()> {
    if !path.join("journal.sqlite").is_file() {
        bail!("{}: expected the folder of a run (with journal.sqlite)", path.display());
    }
    let journal = Journal::open(path)?;
    let entries = journal.entries()?;
    let meta = |key: &str| journal.meta(key).map(Option::unwrap_or_default);
    let unknown = entries.iter().filter(|e| e.outcome.is_none()).count();
    let meta_source = meta("source")?;
    let (vault, market, sealed) = (meta("vault")?, meta("market")?, journal.meta("sealed")?.is_some());
    let paper = journal.is_paper()?;
    let posts = journal.posts()?;
    let changes = journal.changes()?;
    let rotations: Vec<_> = journal.announcements()?.iter().map(rotation).collect();
    let asked = Requests::of(path).is_any();
    let value = serde_json::json!({
        "vault": vault, "paper": paper, "market": market, "decisions": entries.len(), "outcome_unknown": unknown, "posts": posts.len(), "sealed": sealed,
        "state": changes.last().map_or("active", |c| c.state.as_str()), "changes": changes,
        "rotations": rotations, "rotation_asked": asked,
        "last": entries.iter().skip(entries.len().saturating_sub(last)).map(|e| &e.record).collect::<Vec<_>>(),
        "last_outcomes": entries.iter().skip(entries.len().saturating_sub(last)).map(|e| &e.outcome).collect::<Vec<_>>(),
    });
    output::data(json, "run", &value, || {
        let rows = [
            ("run".into(), format!("{} ({})", path.display(), if sealed { "sealed" } else { "open" })),
            ("vault".into(), if paper { "none: ON PAPER, nothing was sent".into() } else { vault.clone() }),
            (if paper { "source" } else { "market" }.into(), if paper { meta_source.clone() } else { market.clone() }),
            ("decisions".into(), format!("{} ({unknown} with unknown outcome)", entries.len())),
            ("proofs posted apart".into(), posts.len().to_string()),
            (
                "state".into(),
                changes.last().map_or_else(|| "active".to_owned(), |c| format!("{} since {} UTC", c.state, time::utc(c.time_s))),
            ),
        ];
        let turned = rotations.iter().map(|r| {
            let (name, sent) = (
                format!("weights from decision {}", r.at_step),
                if paper || r.tx_hash.is_some() { "" } else { ", not known to be on the chain" },
            );
            (name, format!("{}, announced before decision {}{sent}", r.commitment, r.before_decision))
        });
        let asked = asked.then(|| ("other weights".to_owned(), "asked for, not yet announced".to_owned()));
        let rows = rows
            .into_iter()
            .chain(turned)
            .chain(asked)
            .chain(changes.iter().map(|c| (format!("{} {}", time::utc(c.time_s), c.state), format!("{}: {}", c.reason, c.detail))));
        let rows: Vec<_> = rows.collect();
        let lines = entries.iter().skip(entries.len().saturating_sub(last)).map(|e| {
            let what = e.outcome.as_ref().map_or_else(
                || "outcome unknown".to_owned(),
                |o| {
                    format!(
                        "{} {} gas{}",
                        o.tx_hash,
                        o.gas_used,
                        if e.record.decision.order.is_some() && !o.executed { ", not filled" } else { "" }
                    )
                },
            );
            (&e.record, what)
        });
        format!("{}\n{}", output::table(&rows), decisions(lines))
    })
}

/// An announcement as it is told.
#[derive(Serialize)]
struct Turned {
    before_decision: u32,
    commitment: Digest,
    at_step: u32,
    head: Digest,
    tx_hash: Option<String>,
    gas_used: Option<u64>,
}

fn rotation(a: &Announced) -> Turned {
    let (tx_hash, gas_used) = (a.mined.as_ref().map(|m| m.tx_hash.clone()), a.mined.as_ref().and_then(|m| m.gas_used));
    Turned { before_decision: a.step, commitment: a.rotation.commitment, at_step: a.rotation.at_step, head: a.head, tx_hash, gas_used }
}

fn tail(records: &[Record], last: usize) -> Vec<&Record> {
    records.iter().skip(records.len().saturating_sub(last)).collect()
}

fn head_rows(header: &Header) -> Vec<(String, String)> {
    let m = &header.mandate;
    vec![
        (
            "vault".into(),
            if is_nowhere(m) {
                format!("NONE: a run on paper beside chain {}, or a backtest", m.chain_id)
            } else {
                format!("{} on chain {}", m.vault, m.chain_id)
            },
        ),
        ("pool".into(), m.pool.clone()),
        ("interval".into(), format!("{} s from {} UTC", m.interval_s, time::utc(m.genesis_time_s))),
        ("model".into(), format!("{}, committed to as {}", m.model, header.model_commitment)),
        ("mandate digest".into(), header.mandate_digest.to_string()),
        ("written by".into(), format!("probity {}", header.program_version)),
    ]
}

fn decisions<'a>(lines: impl Iterator<Item = (&'a Record, String)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "decision",
        "time, UTC",
        "block",
        "mean tick",
        "value, raw quote",
        "weight, bps",
        "order (in raw, least out raw)",
        "fill before, raw",
        "",
    ]);
    for (record, more) in lines {
        let (o, val) = (&record.observation, Valuation::of(&record.observation));
        let order = record.decision.order.map_or_else(
            || "hold".to_owned(),
            |order| format!("{} {} → {}", if order.side == Side::Buy { "buy" } else { "sell" }, order.amount_in.raw(), order.min_out),
        );
        table.add_row([
            o.step.to_string(),
            time::utc(o.time_s),
            o.block_number.to_string(),
            o.mean_tick.to_string(),
            val.nav.to_string(),
            val.weight_bps.to_string(),
            if record.decision.halted { format!("{order} HALTED") } else { order },
            o.fill.map_or_else(|| "–".to_owned(), |f| f.amount_out.raw().to_string()),
            more,
        ]);
    }
    table.to_string()
}
