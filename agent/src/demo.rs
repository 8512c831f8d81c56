//! `probity demo`: the whole path on a forked chain, with its audits and a forged copy that is rejected.

use crate::cli::{DemoArgs, RunArgs, ServeFlags};
use crate::run::{self, Beside, Summary};
use crate::see::Feed;
use crate::settings::Settings;
use crate::{audit, output};
use anyhow::{Context, Result, ensure};
use probity_verifier::{Code, Evidence, Keys, LogReader, ParamsSource, Report, Verdict};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let started = Instant::now();
    run::on_runtime(async {
        clear(&args.dir).await?;
        let finished = run::execute(&run_args(args), &calmer(settings), &Feed::default(), Beside::alone()?).await?;
        let shown = show(&finished.summary, &finished.url, &args.dir, &settings.proof.source()?).await;
        finished.stop_chain().await?;
        let (rows, value) = shown?;
        output::data(json, "demo", &value, || {
            format!("{}\nall of it in {:.0} s; artefacts in {}", output::table(&rows), started.elapsed().as_secs_f64(), args.dir.display())
        })?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Smallest trade of the demo, bps: every trade waits for its own compressed proof, so it makes fewer and larger ones.
const LEAST_TRADE_BPS: u16 = 250;

fn calmer(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.mandate.min_trade_bps = settings.mandate.min_trade_bps.max(LEAST_TRADE_BPS);
    settings
}

fn run_args(args: &DemoArgs) -> RunArgs {
    RunArgs {
        dir: args.dir.clone(),
        market: args.market.clone(),
        from: args.from,
        to: args.to,
        seed: args.seed,
        decisions: Some(args.decisions),
        fork_url: None,
        pool: None,
        posting: None,
        rpc: None,
        deploy: false,
        paper: false,
        model: None,
        keep_chain: false,
        plain: true,
        serve: ServeFlags::default(),
    }
}

/// Removes an earlier demo, its chains included; anything else is left alone.
async fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        ensure!(dir.join("demo").is_file(), "--dir {}: exists and is not an earlier demo's; name another folder", dir.display());
        if let Ok(Some(chain)) = probity_chain::DevChain::attach(dir).await {
            chain.stop().await?;
        }
        std::fs::remove_dir_all(dir)?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("--dir {}", dir.display()))?;
    Ok(std::fs::write(dir.join("demo"), "made by probity demo; replaced by the next one\n")?)
}

async fn show(summary: &Summary, url: &str, dir: &Path, source: &ParamsSource) -> Result<(Vec<(String, String)>, serde_json::Value)> {
    output::talk("\nAudit of the log against the proof; the keys are derived from the log's own mandate:");
    let proof = audit::read_proof(&summary.proof)?;
    let header = LogReader::open(&summary.log)?.header().clone();
    let (keys, keys_s) = timed(|| Keys::for_mandate_with(&header.mandate, source).map(Arc::new));
    let keys = keys?;
    let (proven, verify_s) = timed(|| probity_verifier::verify(&proof, &keys, &header.mandate, &header.model_commitment));
    proven.context("the fresh proof does not verify")?;
    let evidence = Evidence { proof: Some(&proof), ..Evidence::default() };
    let offline = audit::of(&summary.log, evidence, |_| Ok(Arc::clone(&keys)))?;
    accepted(&offline)?;

    output::talk("\nAudit of the log against the chain, with the newest proof posted there:");
    let on_chain = audit::with_chain(&summary.log, Evidence::default(), url, None, |_| Ok(Arc::clone(&keys))).await?.0;
    accepted(&on_chain)?;

    let forged = dir.join("forged.jsonl");
    let line = forge(&summary.log, &forged)?;
    output::talk(format!("\nAudit of a copy with one byte of line {line} changed (a digit of a balance):"));
    let rejected = audit::of(&forged, evidence, |_| Ok(Arc::clone(&keys)))?;
    output::talk(audit::text(&rejected));
    let found = rejected.findings.iter().find(|f| f.code == Code::HeadMismatch && f.line == Some(u64::try_from(line).unwrap_or(0)));
    ensure!(rejected.verdict == Verdict::Rejected && found.is_some(), "the audit did not find the forged byte");

    let mut rows = summary.rows();
    rows.push(("auditor's keys derived in".into(), format!("{keys_s:.1} s")));
    rows.push(("proof verified in".into(), format!("{:.0} ms", verify_s * 1_000.0)));
    rows.push(("audit of log and proof".into(), format!("{:?}", offline.verdict)));
    rows.push(("audit against the chain".into(), format!("{:?}", on_chain.verdict)));
    rows.push(("forged log".into(), format!("{:?}: {}", rejected.verdict, found.map(ToString::to_string).unwrap_or_default())));
    let value = serde_json::json!({ "run": summary, "keys_s": keys_s, "verify_ms": verify_s * 1_000.0, "audit": offline, "audit_on_chain": on_chain, "forged": rejected });
    Ok((rows, value))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed().as_secs_f64())
}

fn accepted(report: &Report) -> Result<()> {
    output::talk(audit::text(report));
    ensure!(report.verdict == Verdict::Accepted, "the audit did not accept an honest log");
    Ok(())
}

/// Copies a log and changes the last digit of the quote balance of its middle record; returns the line.
fn forge(from: &Path, to: &Path) -> Result<usize> {
    let text = std::fs::read_to_string(from)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let middle = lines.len() / 2;
    let line = lines.get_mut(middle).context("the log has records")?;
    let start = line.find("\"quote\":\"").context("the record has a quote balance")? + 9;
    let end = start + line.get(start..).and_then(|rest| rest.find('"')).context("the balance ends")? - 1;
    let digit = if line.get(end..=end) == Some("1") { "2" } else { "1" };
    line.replace_range(end..=end, digit);
    std::fs::write(to, lines.join("\n") + "\n").with_context(|| format!("{}", to.display()))?;
    Ok(middle + 1)
}
