//! The trial ledger: every backtest, sweep, check and training leaves a line, failures too, chained by hashes.
//!
//! One line is `{"hash":"…","trial":{…}}`; the hash is SHA-256 over a tag and the bytes of the trial as written, and the
//! trial names the hash before it. A changed, dropped or reordered line breaks the chain. What the chain cannot show: lines
//! cut off at the end, a ledger begun anew, a run that was killed. Note its head down elsewhere to cover the first two.

use crate::cli::TrialsArgs;
use crate::settings::Settings;
use crate::{commit, output};
use anyhow::{Context, Result, ensure};
use probity_learn::ModelFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const TAG: &[u8] = b"probity trial v1\n";
const HEAD: &str = "{\"hash\":\"";
const MIDDLE: &str = "\",\"trial\":";

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// Format version.
    pub(crate) version: u16,
    /// Position in the ledger, from 0.
    pub(crate) index: u64,
    /// When it was written, unix seconds.
    pub(crate) time_s: u64,
    /// Version of the program.
    pub(crate) program: String,
    /// `backtest`, `train`, `walk-forward`, `sweep`, `import`, `lookahead`, `warmup` or `compare`.
    pub(crate) command: String,
    /// The data file, as named.
    pub(crate) data: String,
    /// Its digest; none if it could not be read.
    pub(crate) data_sha256: Option<String>,
    /// First bar and end of the span, unix seconds.
    pub(crate) span: (u64, u64),
    /// Digest of the model file's content: it names a model to whoever has it. Not a commitment, and not registered anywhere.
    pub(crate) model_sha256: Option<String>,
    /// Seed, where chance plays a part.
    pub(crate) seed: Option<u64>,
    /// Costs, market, mandate, training numbers.
    pub(crate) settings: serde_json::Value,
    /// Figures, if it went through.
    pub(crate) result: Option<serde_json::Value>,
    /// What went wrong, if it did not.
    pub(crate) error: Option<String>,
    /// Hash of the line before, or 64 zeros.
    pub(crate) previous: String,
}

/// What the ledger says about a data set: how often it has been looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Tried {
    /// Different backtests over the same file: other models, spans, settings. Repeats count once.
    pub(crate) backtests: usize,
    /// Policies that trainings chose among on the same file.
    pub(crate) policies: u64,
    /// Sharpe ratios (of one interval) of these backtests.
    #[serde(skip)]
    pub(crate) sharpes: Vec<f64>,
}

/// The content of a ledger.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Listing {
    /// Hash of the last line, or 64 zeros.
    pub(crate) head: String,
    /// The trials that could be read.
    pub(crate) trials: Vec<Trial>,
    /// The hash of every line.
    #[serde(skip)]
    pub(crate) hashes: Vec<String>,
    /// Where the chain is broken: line (from 1) and what is wrong.
    pub(crate) broken: Vec<(usize, String)>,
}

/// A ledger file.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    path: PathBuf,
}

/// SHA-256 of a model file's content, hex.
pub(crate) fn model_digest(file: &ModelFile) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(b"probity model v1\n");
    hash.update(serde_json::to_vec(file)?);
    Ok(hex::encode(hash.finalize()))
}

impl Trial {
    /// A trial about to be made.
    pub(crate) fn new(
        command: &str,
        data: &Path,
        span: (u64, u64),
        model: Option<&ModelFile>,
        settings: serde_json::Value,
    ) -> Result<Self> {
        Ok(Self {
            version: 1,
            index: 0,
            time_s: 0,
            program: env!("CARGO_PKG_VERSION").into(),
            command: command.into(),
            data: data.display().to_string(),
            data_sha256: std::fs::read(data).ok().map(|bytes| hex::encode(Sha256::digest(bytes))),
            span,
            model_sha256: model.map(model_digest).transpose()?,
            seed: None,
            settings,
            result: None,
            error: None,
            previous: String::new(),
        })
    }
}

impl Ledger {
    /// The ledger the settings name; made if it is not there, refused now rather than after the run if it cannot be written.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let ledger = Self { path: PathBuf::from(&settings.trials.path) };
        ledger.file()?;
        Ok(ledger)
    }

    fn file(&self) -> Result<File> {
        let place = || format!("setting trials.path {}: expected a file that can be read and appended to", self.path.display());
        if let Some(folder) = self.path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(place)?;
        }
        OpenOptions::new().read(true).append(true).create(true).open(&self.path).with_context(place)
    }

    /// Appends what became of a trial, durably, under a lock that other processes respect. Gives the new head.
    pub(crate) fn append<T>(
        &self,
        mut trial: Trial,
        outcome: &Result<T>,
        figures: impl FnOnce(&T) -> Result<serde_json::Value>,
    ) -> Result<String> {
        match outcome {
            Ok(value) => trial.result = Some(figures(value)?),
            Err(error) => trial.error = Some(format!("{error:#}")),
        }
        let failed = trial.error.clone();
        self.write(trial).with_context(|| match failed {
            Some(error) => format!("the trial could not be recorded, and the run itself failed: {error}"),
            None => "the trial could not be recorded".to_owned(),
        })
    }

    fn write(&self, mut trial: Trial) -> Result<String> {
        let mut file = self.file()?;
        file.lock().with_context(|| format!("{}: could not be locked", self.path.display()))?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(|| format!("{}: expected UTF-8", self.path.display()))?;
        let before = read(&text);
        if let Some((line, problem)) = before.broken.first() {
            output::talk(format!("warning: the trial ledger {} is broken at line {line}: {problem}", self.path.display()));
        }
        trial.index = u64::try_from(text.lines().count())?;
        trial.time_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        trial.previous = before.head;
        let body = serde_json::to_string(&trial)?;
        let hash = digest(&body);
        // A line torn by a crash gets its end here, so that only that line is lost.
        let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        file.write_all(format!("{start}{HEAD}{hash}{MIDDLE}{body}}}\n").as_bytes())?;
        file.sync_all()?;
        Ok(hash)
    }

    /// Reads and checks the whole ledger.
    pub(crate) fn list(&self) -> Result<Listing> {
        let text = std::fs::read_to_string(&self.path).with_context(|| format!("setting trials.path {}", self.path.display()))?;
        Ok(read(&text))
    }
}

fn digest(body: &str) -> String {
    hex::encode(Sha256::new().chain_update(TAG).chain_update(body).finalize())
}

/// The parts of a line: hash and the trial as written.
fn parts(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(HEAD)?;
    let hash = rest.get(..64).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((hash, rest.get(64..)?.strip_prefix(MIDDLE)?.strip_suffix('}')?))
}

fn read(text: &str) -> Listing {
    let mut out = Listing::empty();
    for (i, line) in text.lines().enumerate() {
        let mut broken = |problem: String| out.broken.push((i + 1, problem));
        let Some((hash, body)) = parts(line) else {
            broken("not a line of the ledger".into());
            out.hashes.push(String::new());
            continue;
        };
        if digest(body) != hash {
            broken("its hash is not that of its content".into());
        }
        match serde_json::from_str::<Trial>(body) {
            Ok(trial) => {
                if trial.previous != out.head {
                    broken("it does not follow the line before it".into());
                }
                if usize::try_from(trial.index) != Ok(i) {
                    broken(format!("its index is {}, expected {i}", trial.index));
                }
                out.trials.push(trial);
            }
            Err(error) => broken(format!("not a trial: {error}")),
        }
        hash.clone_into(&mut out.head);
        out.hashes.push(hash.to_owned());
    }
    out
}

impl Listing {
    /// A ledger without a line.
    pub(crate) fn empty() -> Self {
        Self { head: "0".repeat(64), ..Self::default() }
    }

    /// How often a data file has been looked at.
    pub(crate) fn tried(&self, data_sha256: &str) -> Tried {
        let mut out = Tried::default();
        let mut seen = BTreeSet::new();
        for t in self.trials.iter().filter(|t| t.data_sha256.as_deref() == Some(data_sha256)) {
            let field = |name: &str| t.result.as_ref().and_then(|r| r.get(name));
            match t.command.as_str() {
                "backtest" if seen.insert((t.model_sha256.clone(), t.span, t.settings.to_string())) => {
                    out.backtests += 1;
                    out.sharpes.extend(field("sharpe_per_interval").and_then(serde_json::Value::as_f64));
                }
                "train" | "walk-forward" | "sweep" | "import" => {
                    out.policies += field("policies_tried").and_then(serde_json::Value::as_u64).unwrap_or(0)
                }
                _ => {}
            }
        }
        out
    }
}

/// `probity trials`: lists the ledger and checks its chain; exit code 1 if it is broken.
pub(crate) fn run(args: &TrialsArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let path = PathBuf::from(&settings.trials.path);
    ensure!(path.is_file(), "setting trials.path {}: no trial has been made yet", path.display());
    let listing = Ledger { path }.list()?;
    if let Some(commitment) = &args.commitment {
        let wrong = commit::check(commitment, args.opening.as_deref(), &listing)?;
        let value = serde_json::json!({ "commitment": commitment, "opened": args.opening.is_some(), "wrong": wrong });
        output::data(json, "bound", &value, || match wrong.as_slice() {
            [] if args.opening.is_some() => "The commitment was made over this ledger, and its opening proves it.".to_owned(),
            [] => "The commitment names a head that is in this ledger. That it was made over it shows with --opening.".to_owned(),
            wrong => wrong.join("\n"),
        })?;
        return Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    output::data(json, "trials", &listing, || text(&listing))?;
    Ok(if listing.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text(listing: &Listing) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["#", "when, UTC", "command", "data", "model", "seed", "return", "Sharpe, one interval", "outcome"]);
    let short = |v: &Option<String>| v.as_deref().map_or_else(|| "–".to_owned(), |v| v.get(..8).unwrap_or(v).to_owned());
    for t in &listing.trials {
        let figure = |name: &str| t.result.as_ref().and_then(|r| r.get(name)).and_then(serde_json::Value::as_f64);
        table.add_row([
            t.index.to_string(),
            probity_backtest::utc(t.time_s),
            t.command.clone(),
            short(&t.data_sha256),
            short(&t.model_sha256),
            t.seed.map_or_else(|| "–".to_owned(), |s| s.to_string()),
            figure("total_return").map_or_else(|| "–".to_owned(), |v| format!("{:+.2} %", v * 100.0)),
            figure("sharpe_per_interval").map_or_else(|| "–".to_owned(), |v| format!("{v:+.4}")),
            t.error.as_deref().map_or_else(|| "done".to_owned(), |e| format!("failed: {}", e.chars().take(60).collect::<String>())),
        ]);
    }
    let chain = if listing.broken.is_empty() {
        format!("The chain holds; its head is {}. It cannot show lines cut off at its end.", listing.head)
    } else {
        let lines: Vec<String> = listing.broken.iter().map(|(line, problem)| format!("line {line}: {problem}")).collect();
        format!("THE CHAIN IS BROKEN:\n{}", lines.join("\n"))
    };
    format!("{table}\n{} trials. {chain}", listing.trials.len())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn trial(command: &str, settings: u64) -> Trial {
        Trial::new(command, Path::new("nowhere.csv"), (0, 1), None, serde_json::json!({ "fee_bps": settings })).unwrap()
    }

    fn ledger(dir: &Path) -> Ledger {
        Ledger { path: dir.join("deep/trials.jsonl") }
    }

    #[test]
    fn tampering_is_found_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(dir.path());
        for i in 0..5u64 {
            let outcome = if i == 2 { Err(anyhow::anyhow!("no such file")) } else { Ok(i) };
            ledger.append(trial("backtest", i), &outcome, |v| Ok(serde_json::json!({ "total_return": v }))).unwrap();
        }
        let good = std::fs::read_to_string(&ledger.path).unwrap();
        let listing = ledger.list().unwrap();
        assert_eq!((listing.trials.len(), listing.broken.len()), (5, 0));
        assert_eq!(listing.trials[2].error.as_deref(), Some("no such file"));
        let lines: Vec<&str> = good.lines().collect();
        let broken = |lines: &[&str]| read(&(lines.join("\n") + "\n")).broken.iter().map(|(l, _)| *l).collect::<Vec<_>>();
        let edited = lines[3].replace("\"total_return\":3", "\"total_return\":9");
        assert_ne!(edited, lines[3]);
        assert_eq!(broken(&[lines[0], lines[1], lines[2], &edited, lines[4]]), [4]);
        assert_eq!(broken(&[lines[0], lines[1], lines[3], lines[4]])[0], 3);
        assert_eq!(broken(&[lines[0], lines[2], lines[1], lines[3], lines[4]])[0], 2);
        assert_eq!(broken(&[lines[1], lines[2]])[0], 1);
        // A line made up anew with its own right hash still does not follow.
        let body = parts(&edited).unwrap().1;
        let forged = format!("{HEAD}{}{MIDDLE}{body}}}", digest(body));
        assert_eq!(broken(&[lines[0], lines[1], lines[2], &forged, lines[4]]), [5]);
        // A torn line is one broken line; the next append starts a new one.
        std::fs::write(&ledger.path, &good[..good.len() - 30]).unwrap();
        ledger.append(trial("train", 9), &Ok(1u64), |_| Ok(serde_json::Value::Null)).unwrap();
        let listing = ledger.list().unwrap();
        assert_eq!((listing.trials.len(), listing.broken.iter().map(|(l, _)| *l).collect::<Vec<_>>()), (5, vec![5]));
    }

    #[test]
    fn many_write_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(dir.path());
        std::thread::scope(|scope| {
            for t in 0..8u64 {
                let ledger = ledger.clone();
                scope.spawn(move || {
                    for i in 0..10u64 {
                        ledger.append(trial("backtest", t * 100 + i), &Ok(i), |v| Ok(serde_json::json!({ "x": v }))).unwrap();
                    }
                });
            }
        });
        let listing = ledger.list().unwrap();
        assert_eq!((listing.trials.len(), listing.broken.len()), (80, 0));
    }

    #[test]
    fn repeats_count_once_and_policies_all() {
        let mut listing = Listing::default();
        for (command, fee, result) in [
            ("backtest", 1, serde_json::json!({ "sharpe_per_interval": 0.01 })),
            ("backtest", 1, serde_json::json!({ "sharpe_per_interval": 0.01 })),
            ("backtest", 2, serde_json::json!({ "sharpe_per_interval": 0.02 })),
            ("train", 0, serde_json::json!({ "policies_tried": 72 })),
            ("train", 0, serde_json::json!({ "policies_tried": 72 })),
            ("warmup", 0, serde_json::json!({})),
        ] {
            let mut t = trial(command, fee);
            (t.data_sha256, t.result) = (Some("d".into()), Some(result));
            listing.trials.push(t);
        }
        assert_eq!(listing.tried("d"), Tried { backtests: 2, policies: 144, sharpes: vec![0.01, 0.02] });
        assert_eq!(listing.tried("other"), Tried::default());
    }
}
