//! `probity demo`: a proven backtest, its audit, and a tampered copy that is rejected.

use crate::cli::DemoArgs;
use crate::market::MarketPath;
use crate::settings::Settings;
use crate::{audit, backtest, output, strategy_file};
use anyhow::{Context, Result, ensure};
use probity_verifier::Verdict;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// Seconds between simulated bars, and the time of the first one.
const INTERVAL_S: u64 = 300;
/// Time of the first simulated bar.
const START_S: u64 = 1_700_000_100;

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    if args.dir.exists() {
        ensure!(args.dir.join("demo").is_file(), "--dir {}: exists and is not an earlier demo's; name another folder", args.dir.display());
        std::fs::remove_dir_all(&args.dir)?;
    }
    std::fs::create_dir_all(&args.dir).with_context(|| format!("--dir {}", args.dir.display()))?;
    std::fs::write(args.dir.join("demo"), "made by probity demo; replaced by the next one\n")?;
    let (data, span) = match &args.market {
        Some(path) => (path.clone(), (args.from, args.to)),
        None => {
            let path = MarketPath::simulated(args.seed, 2_000, 60, args.decisions);
            output::talk(&path.source);
            let file = args.dir.join("simulated-market.csv");
            write_csv(&file, &path)?;
            (file, (0, u64::MAX))
        }
    };
    let (_, summary) = backtest::over(&data, span, strategy_file::model(None)?, settings, Some(&args.dir))?;
    output::talk(backtest::text(&summary));
    let proved = summary.proved.as_ref().context("the run was proven")?;

    output::talk("\nAudit of the log against the proof, keys derived from the mandate:");
    let started = Instant::now();
    let honest = audit::of(&proved.log, &proved.proof, None)?;
    let audit_s = started.elapsed().as_secs_f64();
    output::talk(audit::text(&honest));
    ensure!(honest.verdict == Verdict::Accepted, "the audit did not accept an honest log");

    let forged = args.dir.join("forged.jsonl");
    forge(&proved.log, &forged)?;
    output::talk("\nAudit of a copy with one digit of one balance changed:");
    let rejected = audit::of(&forged, &proved.proof, None)?;
    output::talk(audit::text(&rejected));
    ensure!(rejected.verdict == Verdict::Rejected, "the audit accepted a forged log");

    let value = serde_json::json!({ "summary": summary, "audit_s": audit_s, "simulated": args.market.is_none(), "forged_findings": rejected.findings });
    output::data(json, "demo", &value, || {
        format!("\nhonest log accepted ({audit_s:.1} s with deriving the keys), forged log rejected; artefacts in {}", args.dir.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The simulated path as bars that open and close at one price.
fn write_csv(path: &Path, market: &MarketPath) -> Result<()> {
    let mut text = String::from("ts_ms,open,high,low,close,volume\n");
    for (price, time_s) in market.micro_usdc.iter().zip((START_S..).step_by(usize::try_from(INTERVAL_S)?)) {
        let p = format!("{}.{:06}", price / 1_000_000, price % 1_000_000);
        writeln!(text, "{}000,{p},{p},{p},{p},0", time_s - START_S % INTERVAL_S)?;
    }
    std::fs::write(path, text).with_context(|| format!("{}", path.display()))
}

/// Copies a log and changes the last digit of the quote balance of its middle record.
fn forge(from: &Path, to: &Path) -> Result<()> {
    let text = std::fs::read_to_string(from)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let middle = lines.len() / 2;
    let line = lines.get_mut(middle).context("the log has records")?;
    let start = line.find("\"quote\":\"").context("the record has a quote balance")? + 9;
    let end = start + line.get(start..).and_then(|rest| rest.find('"')).context("the balance ends")? - 1;
    let digit = if line.get(end..=end) == Some("1") { "2" } else { "1" };
    line.replace_range(end..=end, digit);
    std::fs::write(to, lines.join("\n") + "\n").with_context(|| format!("{}", to.display()))
}
