//! `probity-verify`: audits a decision log against its proof, with nothing but the two files (and, for a proof of the pairing
//! engine, the powers-of-tau file of its ceremony).
//!
//! Exit status: 0 accepted, 1 rejected, 2 could not tell (files unreadable, wrong usage).

use probity_strategy::Mandate;
use probity_verifier::{
    Digest, Evidence, FileDigest, Keys, LogReader, MAX_ENVELOPE, Outcome, ParamsSource, Report, Reveal, Severity, Story, Units, Verdict,
    audit, audit_disclosure, disclosed_promise, selftest,
};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const USAGE: &str =
    "usage: probity-verify (--log FILE | --disclosure FILE) --proof FILE [--before FILE …] [--segment] [--reveal FILE] [--json]
                      [--mandate FILE] [--commitment DIGEST]
                      [--report FILE [--units QUOTE:DECIMALS/BASE:DECIMALS]]
                      [--ptau FILE [--ptau-digest HEX | --insecure-ptau NAME]]

  --log FILE     decision log (JSON Lines)
  --disclosure FILE     part of a log, with proofs that end at its start and at its end
  --proof FILE   proof envelope
  --before FILE  a proof that ends where the next one starts; repeated in order, all of them before --proof
  --segment      a proof of part of the log is what is wanted: what it leaves out is no error
  --mandate FILE the mandate you were promised (JSON); the log has to keep this one
  --commitment DIGEST   the commitment to the model that you were promised or that is registered on chain; the log has to begin with this one
  --reveal FILE  revealed model and salt (JSON): replays every decision as well
  --ptau FILE    powers-of-tau file, for a proof of the pairing engine; its digest must be pinned in this program
  --ptau-digest HEX     take the file with this BLAKE2b-512 (as b2sum prints it) instead
  --insecure-ptau NAME  take any file; the report calls the parameters insecure, by this name
  --json         one JSON document on standard output
  --report FILE  write a page for people (FILE.html) or the same as data (FILE.json); never over an existing file
  --units WORDS  how the report reads raw units, as USDC:6/WETH:18 (the log does not say)
  --version      print the version

       probity-verify selftest [--json]
  attacks the log and proof inside this program in every field and says whether each attack is found

Exit status: 0 accepted, 1 rejected, 2 could not tell.";

/// Largest reveal file, bytes.
const MAX_REVEAL: u64 = 16 * 1024 * 1024;
/// Largest mandate file, bytes.
const MAX_MANDATE: u64 = 64 * 1024;

/// One byte above the limit: the envelope parser then names the limit itself.
const MAX_PROOF: u64 = MAX_ENVELOPE as u64 + 1;

#[derive(Default)]
struct Args {
    log: Option<PathBuf>,
    disclosure: Option<PathBuf>,
    proof: Option<PathBuf>,
    before: Vec<PathBuf>,
    segment: bool,
    mandate: Option<PathBuf>,
    commitment: Option<Digest>,
    reveal: Option<PathBuf>,
    report: Option<PathBuf>,
    units: Option<Units>,
    ptau: Option<PathBuf>,
    ptau_digest: Option<FileDigest>,
    insecure_ptau: Option<String>,
    json: bool,
    text: Option<String>,
}

impl Args {
    fn parse(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = |name: &str| words.next().ok_or_else(|| format!("{name}: expected a value, got nothing"));
            let mut path = |slot: &mut Option<PathBuf>, name: &str| once(slot, value(name)?.into(), name);
            match word.to_str() {
                Some("--log") => path(&mut args.log, "--log")?,
                Some("--disclosure") => path(&mut args.disclosure, "--disclosure")?,
                Some("--proof") => path(&mut args.proof, "--proof")?,
                Some(name @ "--before") => args.before.push(value(name)?.into()),
                Some("--segment") => args.segment = true,
                Some("--mandate") => path(&mut args.mandate, "--mandate")?,
                Some(name @ "--commitment") => {
                    let digest = value(name)?.to_string_lossy().parse().map_err(|e| format!("{name}: {e}"))?;
                    once(&mut args.commitment, digest, name)?;
                }
                Some("--report") => path(&mut args.report, "--report")?,
                Some(name @ "--units") => {
                    let units = value(name)?.to_string_lossy().parse().map_err(|e| format!("{name}: {e}"))?;
                    once(&mut args.units, units, name)?;
                }
                Some("--reveal") => path(&mut args.reveal, "--reveal")?,
                Some("--ptau") => path(&mut args.ptau, "--ptau")?,
                Some(name @ "--ptau-digest") => {
                    let digest = value(name)?.to_string_lossy().parse().map_err(|e| format!("{name}: {e}"))?;
                    once(&mut args.ptau_digest, digest, name)?;
                }
                Some(name @ "--insecure-ptau") => {
                    let given = value(name)?.into_string().map_err(|_| format!("{name}: expected text, got other bytes"))?;
                    once(&mut args.insecure_ptau, given, name)?;
                }
                Some("--json") => args.json = true,
                Some("--help" | "-h") => args.text = Some(USAGE.to_owned()),
                Some("--version" | "-V") => args.text = Some(format!("probity-verify {}", env!("CARGO_PKG_VERSION"))),
                _ => return Err(format!("{}: not an option\n\n{USAGE}", word.to_string_lossy())),
            }
        }
        Ok(args)
    }

    fn params(&self) -> Result<ParamsSource, String> {
        match (&self.ptau, self.ptau_digest, &self.insecure_ptau) {
            (None, None, None) => Ok(ParamsSource::Transparent),
            (None, ..) => Err("--ptau: expected a file beside --ptau-digest or --insecure-ptau, got nothing".to_owned()),
            (Some(path), None, None) => Ok(ParamsSource::pinned(path)),
            (Some(path), Some(digest), None) => Ok(ParamsSource::with_digest(path, digest)),
            (Some(path), None, Some(name)) => Ok(ParamsSource::insecure(path, name)),
            (Some(_), Some(_), Some(_)) => Err("--insecure-ptau: expected this or --ptau-digest, got both".to_owned()),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    if slot.replace(value).is_some() { Err(format!("{name}: expected once, got twice")) } else { Ok(()) }
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(problem) => {
            // Nothing is left to do if standard error is closed too.
            let _ = writeln!(io::stderr(), "probity-verify: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Every attack on the public vectors; 0 if each gives its finding, 1 if not.
fn check_itself(json: bool) -> Result<ExitCode, String> {
    let outcomes = selftest().map_err(|e| e.to_string())?;
    let missed = outcomes.iter().filter(|o| !o.found).count();
    let mut lines = Vec::new();
    for Outcome { attack, found, report } in &outcomes {
        let codes: Vec<_> = report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect();
        if json {
            lines.push(serde_json::json!({
                "attack": attack.name, "field": attack.field, "expected": attack.expect, "found": found, "verdict": report.verdict, "errors": codes,
            }).to_string());
        } else {
            lines.push(format!("{} {}: {:?} {codes:?}", if *found { "ok    " } else { "MISSED" }, attack.name, report.verdict));
        }
    }
    if !json {
        lines.push(format!("{} vectors, {missed} missed", outcomes.len()));
    }
    print(&lines.join("\n"))?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn run() -> Result<ExitCode, String> {
    let words: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if let Some((first, rest)) = words.split_first()
        && first == "selftest"
    {
        return match rest {
            [] => check_itself(false),
            [word] if word == "--json" => check_itself(true),
            _ => Err(format!("selftest: expected nothing or --json\n\n{USAGE}")),
        };
    }
    let args = Args::parse(words)?;
    if let Some(text) = &args.text {
        print(text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let source = args.params()?;
    let (log, part) = match (args.log, args.disclosure) {
        (Some(log), None) => (log, false),
        (None, Some(disclosure)) => (disclosure, true),
        (Some(_), Some(_)) => return Err(format!("--disclosure: expected this or --log, got both\n\n{USAGE}")),
        (None, None) => return Err(format!("--log: expected a file, got nothing\n\n{USAGE}")),
    };
    let proof = args.proof.ok_or_else(|| format!("--proof: expected a file, got nothing\n\n{USAGE}"))?;
    let proof = read(&proof, MAX_PROOF)?;
    let reveal = match &args.reveal {
        Some(path) => Some(serde_json::from_slice::<Reveal>(&read(path, MAX_REVEAL)?).map_err(|e| format!("{}: {e}", path.display()))?),
        None => None,
    };
    let promised = match &args.mandate {
        Some(path) => Some(serde_json::from_slice::<Mandate>(&read(path, MAX_MANDATE)?).map_err(|e| format!("{}: {e}", path.display()))?),
        None => None,
    };
    if let Some(path) = args.report.as_ref().filter(|p| p.exists()) {
        return Err(format!("--report: expected a new file, {} exists", path.display()));
    }
    let before = args.before.iter().map(|path| read(path, MAX_PROOF)).collect::<Result<Vec<_>, _>>()?;
    if part && (args.segment || reveal.is_some()) {
        return Err(
            "--disclosure: expected neither --segment nor --reveal beside it; part of a log is proven from genesis and not replayed"
                .to_owned(),
        );
    }
    let evidence = Evidence { proof: Some(&proof), reveal: reveal.as_ref(), before: &before, segment: args.segment };
    let keys = |mandate: &Mandate| Keys::for_mandate_with(mandate, &source).map(Arc::new);
    let mut report = if part { audit_disclosure(open(&log)?, evidence, keys) } else { audit(open(&log)?, evidence, keys) };
    let header = if part {
        disclosed_promise(open(&log)?)
    } else {
        LogReader::new(open(&log)?).ok().map(|r| (r.header().mandate.clone(), r.header().model_commitment))
    };
    // A header that does not parse is a finding already.
    if let Some((mandate, commitment)) = header {
        if let Some(promised) = args.commitment {
            report = report.committed(promised, commitment);
        }
        if let Some(promised) = &promised {
            report = report.promised(promised, &mandate);
        }
    }
    if let Some(path) = &args.report {
        let story = Story::read(open(&log)?, report.clone(), args.units);
        let data = path.extension().is_some_and(|e| e == "json");
        let text = if data { serde_json::to_string_pretty(&story).map_err(|e| e.to_string())? } else { story.page() };
        let mut file = File::create_new(path).map_err(|e| format!("--report {}: {e}", path.display()))?;
        file.write_all(text.as_bytes()).map_err(|e| format!("--report {}: {e}", path.display()))?;
    }
    let text = if args.json { serde_json::to_string_pretty(&report).map_err(|e| e.to_string())? } else { render(&report) };
    print(&text)?;
    Ok(match report.verdict {
        Verdict::Accepted => ExitCode::SUCCESS,
        Verdict::Rejected => ExitCode::from(1),
        Verdict::Undecided => ExitCode::from(2),
    })
}

fn open(log: &Path) -> Result<BufReader<File>, String> {
    Ok(BufReader::with_capacity(1 << 16, File::open(log).map_err(|e| format!("{}: {e}", log.display()))?))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    file.take(limit).read_to_end(&mut bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(bytes)
}

fn render(report: &Report) -> String {
    let c = &report.coverage;
    let mut lines = vec![
        format!("{:?}", report.verdict),
        format!(
            "decisions {}, proven {}, replayed {}, orders {}, gaps {}, {}",
            c.decisions,
            c.proven,
            c.replayed,
            c.orders,
            c.gaps,
            if c.sealed { "sealed" } else { "open" }
        ),
    ];
    lines.extend(report.findings.iter().map(ToString::to_string));
    if let Some(statement) = &report.statement {
        lines.push("This shows:".to_owned());
        lines.extend(statement.shows.iter().map(|s| format!("  - {s}")));
        lines.push("This does not show:".to_owned());
        lines.extend(statement.does_not_show.iter().map(|s| format!("  - {s}")));
    }
    lines.join("\n")
}

/// The one place that writes to standard output; a closed pipe is an error, not a panic.
fn print(text: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{text}").map_err(|e| format!("standard output: {e}"))
}
