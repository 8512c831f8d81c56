//! `probity params check`: tells what a powers-of-tau file is and whether it serves a mandate under the settings.

use crate::cli::{Engine, ParamsCheckArgs};
use crate::settings::Settings;
use crate::{output, strategy_file};
use anyhow::{Context, Result, bail, ensure};
use probity_strategy::{Mandate, ModelShape};
use probity_verifier::{CircuitSize, FileDigest, LogReader, Origin, ParamsSource, ceremony, inspect};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `params check` tells.
#[derive(Debug, Serialize)]
struct Check {
    file: PathBuf,
    bytes: u64,
    blake2b: FileDigest,
    /// The pinned ceremony file that it is.
    pinned: Option<Pinned>,
    /// How reports would call parameters from it; none if they would be refused.
    origin: Option<Origin>,
    /// Power of two in its header.
    power: Option<u32>,
    /// Powers of tau in it.
    powers: Option<u64>,
    /// How many were checked.
    powers_checked: usize,
    needed: Needed,
    large_enough: bool,
    /// First thing wrong with its structure.
    fault: Option<String>,
    serves: bool,
}

#[derive(Debug, Serialize)]
struct Pinned {
    ceremony: &'static str,
    power: u32,
}

#[derive(Debug, Serialize)]
struct Needed {
    shape: ModelShape,
    decisions_per_fold: u16,
    constraints: usize,
    powers: usize,
    power: u32,
}

/// Runs the command.
pub(crate) fn run(args: &ParamsCheckArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    ensure!(
        args.engine == Engine::Pairing,
        "--engine transparent: expected pairing; the transparent engine reads no parameter file, there is nothing to check"
    );
    let (shape, decisions_per_fold) = asked(args, settings)?;
    let size = CircuitSize::of(&shape, decisions_per_fold)?;
    let found = inspect(&args.file, Some(size.powers)).with_context(|| format!("{}", args.file.display()))?;
    let large_enough = found.powers.is_some_and(|n| n >= u64::try_from(size.powers).unwrap_or(u64::MAX));
    let origin = origin(settings, &args.file, found.digest)?;
    let check = Check {
        file: args.file.clone(),
        bytes: found.bytes,
        blake2b: found.digest,
        pinned: found.pinned_power.map(|power| Pinned { ceremony: ceremony(), power }),
        serves: large_enough && origin.is_some() && found.fault.is_none(),
        origin,
        power: found.power,
        powers: found.powers,
        powers_checked: found.checked,
        needed: Needed { shape, decisions_per_fold, constraints: size.constraints, powers: size.powers, power: size.powers.ilog2() },
        large_enough,
        fault: found.fault.map(|f| f.to_string()),
    };
    output::data(json, "params_check", &check, || text(&check))?;
    Ok(ExitCode::from(u8::from(!check.serves)))
}

/// The circuit that the file must serve.
fn asked(args: &ParamsCheckArgs, settings: &Settings) -> Result<(ModelShape, u16)> {
    if let Some(path) = &args.mandate {
        let mandate = mandate(path)?;
        return Ok((mandate.model, mandate.decisions_per_fold));
    }
    let shape = strategy_file::model(args.model.as_deref())?.shape;
    Ok((shape, args.decisions_per_fold.unwrap_or(settings.mandate.decisions_per_fold)))
}

/// The mandate of a log's header, or of a file that is one.
fn mandate(path: &Path) -> Result<Mandate> {
    const MOST: u64 = 1 << 20;
    let from_log = LogReader::open(path).map(|reader| reader.header().mandate.clone());
    if let Ok(mandate) = from_log {
        return Ok(mandate);
    }
    let length = std::fs::metadata(path).with_context(|| format!("--mandate {}", path.display()))?.len();
    let parsed = if length <= MOST { serde_json::from_slice::<Mandate>(&std::fs::read(path)?).ok() } else { None };
    match parsed {
        Some(mandate) => {
            mandate.validate().with_context(|| format!("--mandate {}", path.display()))?;
            Ok(mandate)
        }
        None => bail!("--mandate {}: expected a decision log or a mandate (JSON), got something else", path.display()),
    }
}

/// How the settings take the file, whatever file they name.
fn origin(settings: &Settings, file: &Path, digest: FileDigest) -> Result<Option<Origin>> {
    let mut proof = settings.proof.clone();
    proof.ptau_file = file.to_str().context("FILE: expected a path in UTF-8")?.to_owned();
    Ok(match proof.source()? {
        ParamsSource::Ceremony { accept, .. } => Origin::of(digest, &accept),
        ParamsSource::Transparent => None,
    })
}

fn text(check: &Check) -> String {
    let taken = match &check.origin {
        Some(Origin::KnownCeremony { ceremony, power, .. }) => format!("yes: the file of 2^{power} of {ceremony}"),
        Some(Origin::NamedByDigest { .. }) => "yes, on your word: setting proof.ptau_blake2b names this digest".to_owned(),
        Some(Origin::Insecure { name, .. }) => format!("INSECURE, as setting proof.insecure_params calls it: {name:?}"),
        _ => "no: not a pinned file, and no setting names its digest (proof.ptau_blake2b) or calls it insecure".to_owned(),
    };
    let or_unread = |n: Option<u64>| n.map_or_else(|| "not readable".to_owned(), |n| n.to_string());
    let n = &check.needed;
    let rows = [
        ("file", format!("{}, {} bytes", check.file.display(), check.bytes)),
        ("BLAKE2b-512", check.blake2b.to_string()),
        ("believed", taken),
        ("power in the header", or_unread(check.power.map(u64::from))),
        ("powers of tau", format!("{}, {} checked", or_unread(check.powers), check.powers_checked)),
        (
            "needed",
            format!(
                "2^{} for {} constraints (model {:?}, {} decisions a fold){}",
                n.power,
                n.constraints,
                n.shape.dims,
                n.decisions_per_fold,
                if check.large_enough { "" } else { ": TOO SMALL" }
            ),
        ),
        ("structure", check.fault.clone().unwrap_or_else(|| "sound".to_owned())),
        ("serves", if check.serves { "yes" } else { "NO" }.to_owned()),
    ];
    output::table(&rows.map(|(key, value)| (key.to_owned(), value)))
}
