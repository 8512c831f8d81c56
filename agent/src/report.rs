//! `probity backtest --out DIR`: manifest, curves, trades, figures and one page, into a folder of its own. Nothing is overwritten.
//!
//! `manifest.json`, `equity.csv`, `trades.csv` and `critic.json` depend on data, model, settings and program alone: the same
//! inputs give the same bytes. `report.json` and `report.html` also depend on the trial ledger, which every run makes longer.

use crate::backtest::Ran;
use crate::execution;
use crate::ledger::{Ledger, Listing, model_digest};
use crate::prove::Proved;
use crate::settings::Settings;
use anyhow::{Context, Result, ensure};
use probity_backtest::{Baseline, Critic, Evidence, Metrics, Proof, Scale, Sheet, Trials, critic, evidence, moving_average, utc};
use probity_verifier::mandate_digest;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What the folder's files rest on.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    version: u16,
    program: &'static str,
    data: Data<'a>,
    model_sha256: String,
    mandate_digest: String,
    mandate: &'a probity_strategy::Mandate,
    settings: serde_json::Value,
    assumption: String,
    /// Further files.
    inputs: execution::Inputs,
    /// Seed of the bootstrap; the run itself has no chance in it.
    seed: u64,
    /// SHA-256 of the files beside the manifest that depend on nothing else.
    files: Vec<(&'static str, String)>,
}

/// What the ledger adds.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: u16,
    /// Of manifest.json.
    manifest_sha256: String,
    /// Hash of the last line of the trial ledger, this run's.
    trial: String,
    strategy: Metrics,
    buy_and_hold: &'a Metrics,
    cash: &'a Metrics,
    moving_average: &'a Metrics,
    moving_average_bars: usize,
    evidence: &'a Option<Evidence>,
    critic: &'a Critic,
    cautions: &'a [String],
    /// The proof beside this file, if the run was proven.
    proved: Option<&'a Proved>,
}

/// Seed of the bootstrap.
const SEED: u64 = 7;
/// Bars of the moving average beside the run: a month of hours.
const AVERAGE: usize = 720;

#[derive(Debug, Serialize)]
struct Data<'a> {
    file: String,
    sha256: &'a str,
    interval_s: u32,
    first_s: u64,
    last_s: u64,
    decisions: usize,
    gaps: probity_backtest::Gaps,
}

/// Refuses a folder that already holds a report, before the run rather than after it.
pub(crate) fn check(dir: &Path) -> Result<()> {
    ensure!(!dir.join("manifest.json").exists(), "--out {}: holds a report already; name another folder", dir.display());
    std::fs::create_dir_all(dir).with_context(|| format!("--out {}: expected a folder that can be written", dir.display()))
}

/// Writes the report of a run whose trial is the ledger's last line; gives the page's path.
pub(crate) fn write(dir: &Path, data: &Path, ran: &Ran, settings: &Settings) -> Result<PathBuf> {
    let listing = Ledger::open(settings)?.list()?;
    let model = model_digest(&ran.setup.file)?;
    let tried = listing.tried(&ran.result.data_sha256);
    let number = tried.backtests.max(1).saturating_add(usize::try_from(tried.policies)?);
    let trials = Trials { number, sharpes: tried.sharpes.clone() };
    let weighed = evidence(ran.result.interval_s, &ran.result.equity, &ran.hold.equity, &trials, SEED);
    let mandate = ran.setup.engine.mandate();
    let digest = mandate_digest(mandate).to_string();
    let name = data.file_name().map_or_else(|| data.display().to_string(), |n| n.to_string_lossy().into_owned());
    let assumption = ran.setup.terms.assumption();
    let identity: Vec<(String, String)> = [
        ("Data, sha256", ran.result.data_sha256.clone()),
        ("Model, sha256", model.clone()),
        ("Mandate digest", digest.clone()),
        ("Trial ledger, head", listing.head.clone()),
        ("Trials on this data", format!("{} backtests, {} policies tried in trainings", tried.backtests, tried.policies)),
        ("Program", format!("probity {}", env!("CARGO_PKG_VERSION"))),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .to_vec();
    let cautions = cautions(&listing, &model, ran);
    let s = &ran.setup;
    let liquidity = settings.backtest.liquidity.parse().ok().filter(|l| *l > 0);
    let liquidity = liquidity
        .with_context(|| format!("setting backtest.liquidity: expected a whole number above 0, got {:?}", settings.backtest.liquidity))?;
    let critic = critic(&s.engine, &s.dataset, &s.terms, s.quote, &ran.result, &ran.hold, liquidity)?;
    let average = moving_average(&s.dataset, &s.terms, s.quote, AVERAGE)?;
    let proof = ran.summary.proved.as_ref().map(|p| proof(dir, p)).transpose()?;
    let page = Sheet {
        data: &name,
        identity: &identity,
        run: &ran.result,
        assumption: &assumption,
        scale: Scale::default(),
        hold: &ran.hold,
        cash: &ran.cash,
        evidence: weighed.as_ref(),
        critic: Some(&critic),
        average: Some((AVERAGE, &average.baseline)),
        cautions: &cautions,
        proof: proof.as_ref(),
    }
    .html();
    let mut files = Vec::new();
    let found = serde_json::to_string_pretty(&critic)? + "\n";
    for (file, text) in [("equity.csv", equity(ran, &average.baseline)?), ("trades.csv", trades(ran)?), ("critic.json", found)] {
        files.push((file, hex::encode(Sha256::digest(&text))));
        create(&dir.join(file), &text)?;
    }
    let manifest = Manifest {
        version: 1,
        program: env!("CARGO_PKG_VERSION"),
        data: Data {
            file: name,
            sha256: &ran.result.data_sha256,
            interval_s: ran.result.interval_s,
            first_s: ran.result.equity.first().map_or(0, |p| p.time_s),
            last_s: ran.result.equity.last().map_or(0, |p| p.time_s),
            decisions: ran.result.records.len(),
            gaps: ran.result.gaps,
        },
        model_sha256: model,
        mandate_digest: digest,
        mandate,
        settings: serde_json::json!({ "backtest": settings.backtest, "mandate": settings.mandate }),
        assumption,
        inputs: execution::inputs(&ran.setup.terms.execution),
        seed: SEED,
        files,
    };
    let manifest = serde_json::to_string_pretty(&manifest)? + "\n";
    let report = Report {
        version: 1,
        manifest_sha256: hex::encode(Sha256::digest(&manifest)),
        trial: listing.head,
        strategy: ran.result.metrics(),
        buy_and_hold: &ran.hold.metrics,
        cash: &ran.cash.metrics,
        moving_average: &average.baseline.metrics,
        moving_average_bars: AVERAGE,
        evidence: &weighed,
        critic: &critic,
        cautions: &cautions,
        proved: ran.summary.proved.as_ref(),
    };
    create(&dir.join("report.json"), &(serde_json::to_string_pretty(&report)? + "\n"))?;
    create(&dir.join("report.html"), &page)?;
    create(&dir.join("manifest.json"), &manifest)?;
    Ok(dir.join("report.html"))
}

/// Copies log and proof beside the report, and says what they show.
fn proof(dir: &Path, proved: &Proved) -> Result<Proof> {
    for from in [&proved.log, &proved.proof] {
        let to = dir.join(from.file_name().context("a name")?);
        ensure!(!to.exists(), "{}: expected a new file", to.display());
        std::fs::copy(from, &to).with_context(|| format!("{}: expected a new file", to.display()))?;
    }
    let s = &proved.statement;
    let rows = [
        ("Commitment to the model", s.model_commitment.to_string()),
        ("Mandate digest", s.mandate_digest.to_string()),
        ("Head of the log", s.head.to_string()),
        ("Decisions proven", format!("{} in {} folds", s.decisions, s.folds)),
        ("Proof", format!("proof.bin, {} bytes, sha256 {}", proved.proof_bytes, proved.proof_sha256)),
    ];
    Ok(Proof {
        shows: s.shows.clone(),
        does_not_show: s.does_not_show.clone(),
        rows: rows.map(|(k, v)| (k.to_owned(), v)).to_vec(),
        command: "probity-verify --log decisions.jsonl --proof proof.bin".to_owned(),
    })
}

/// Writes a new file; never over another one.
pub(crate) fn create(path: &Path, text: &str) -> Result<()> {
    let place = || format!("{}: expected a new file", path.display());
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).with_context(place)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(place)
}

/// What the ledger knows against the figures.
fn cautions(listing: &Listing, model: &str, ran: &Ran) -> Vec<String> {
    let mut out = Vec::new();
    let first = ran.result.equity.first().map_or(0, |p| p.time_s);
    let trainings = || listing.trials.iter().filter(|t| t.command == "train" && t.model_sha256.as_deref() == Some(model));
    let known = trainings().filter(|t| t.data_sha256.as_deref() == Some(ran.result.data_sha256.as_str())).map(|t| t.span.1).max();
    match known {
        Some(until) if first < until => {
            let seen = ran.result.equity.iter().filter(|p| p.time_s <= until).count();
            out.push(format!(
                "NOT OUT OF SAMPLE: this model was trained and chosen on this file up to {}; {seen} of the {} decisions lie before that.",
                utc(until),
                ran.result.records.len()
            ));
        }
        Some(until) => {
            out.push(format!("By the ledger this model was trained on this file up to {}, and these decisions come after.", utc(until)))
        }
        None if trainings().next().is_some() => {
            out.push("By the ledger this model was trained on another file; whether it covers the same days is not checked.".into());
        }
        None => out.push("The ledger holds no training of this model: whether it was trained on these bars is not known here.".into()),
    }
    if !listing.broken.is_empty() {
        out.push(format!("The trial ledger is BROKEN in {} places: the number of trials cannot be trusted.", listing.broken.len()));
    }
    out
}

fn equity(ran: &Ran, average: &Baseline) -> Result<String> {
    let mut text = String::from("time_s,nav_quote_raw,weight_bps,buy_and_hold_quote_raw,cash_quote_raw,moving_average_quote_raw\n");
    // The baselines have one point before the first bar.
    let beside = ran.hold.equity.iter().skip(1).zip(ran.cash.equity.iter().skip(1)).zip(&average.equity);
    for (own, ((hold, cash), mean)) in ran.result.equity.iter().zip(beside) {
        writeln!(text, "{},{},{},{},{},{}", own.time_s, own.nav, own.weight_bps, hold.nav, cash.nav, mean.nav)?;
    }
    Ok(text)
}

fn trades(ran: &Ran) -> Result<String> {
    let mut text =
        String::from("step,time_s,side,amount_in_raw,amount_out_raw,size_quote_raw,cost_quote_raw,gas_quote_raw,delay_quote_raw\n");
    for t in &ran.result.trades {
        let time = usize::try_from(t.step).ok().and_then(|k| ran.result.equity.get(k)).map_or(0, |p| p.time_s);
        let side = format!("{:?}", t.side).to_lowercase();
        let (given, got) = (t.amount_in.raw(), t.amount_out);
        writeln!(text, "{},{time},{side},{given},{got},{},{},{},{}", t.step, t.size_quote, t.cost_quote, t.gas_quote, t.delay_quote)?;
    }
    Ok(text)
}
