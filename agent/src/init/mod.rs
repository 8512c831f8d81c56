//! `probity init`: from answers to a settings file, a key and the doctor's findings.
//!
//! Everything that can be refused is refused before anything is written. The key comes first, so that no settings name one that was
//! never made. Nothing is sent to the chain. Without a terminal, flags answer, and what is missing is named.

mod ask;
mod file;

use crate::cli::{Engine, InitArgs, KeyChoice, address};
use crate::doctor::{self, Checkup};
use crate::settings::{self, Loaded, Settings};
use crate::{keys, output, secret};
use anyhow::{Context, Result, ensure};
use ask::{Ask, Question, number, word};
use probity_chain::{Keystore, Signer, Survey};
use probity_strategy::{ModelShape, ProofEngine};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where a new key goes for want of another place.
const KEYSTORE: &str = "operator.keystore.json";

/// What was made.
#[derive(Serialize)]
struct Made {
    settings_file: String,
    /// Encrypted key file; none if the settings name none.
    keystore: Option<String>,
    /// Its account, where the file tells.
    address: Option<String>,
    /// Settings that the environment decides now, whatever the file says.
    from_environment: Vec<String>,
    doctor: Checkup,
    /// What to do, in order.
    next: Vec<String>,
}

/// Runs the command. What the doctor finds does not change the exit code: a new key has no ether yet.
pub(crate) fn run(args: &InitArgs, loaded: &Loaded, json: bool) -> Result<ExitCode> {
    let out = full(&args.out)?;
    ensure!(args.force || !out.exists(), "--out {}: expected a new file, this one is there; --force replaces it", out.display());
    folder("--out", &out)?;
    let from_environment: Vec<String> =
        loaded.origins.iter().filter(|(_, _, source)| *source == "environment").map(|(key, ..)| key.clone()).collect();
    let (settings, choice) = asked(args, &from_environment)?;
    let text = file::text(&settings)?;
    let account = key(args, choice, &settings)?;
    write(&out, &text, args.force).with_context(|| match choice {
        KeyChoice::New | KeyChoice::Import => format!("the key is in {}; go on with --key file", settings.keys.keystore),
        KeyChoice::File | KeyChoice::None => "--out".to_owned(),
    })?;
    output::talk(format!("{} is written; looking at what it names …", out.display()));
    let checkup = doctor::look(&args.dir, &settings::load(Some(&out), &[])?.settings)?;
    let made = Made {
        next: next(&out, &args.dir, &settings, &checkup),
        settings_file: out.display().to_string(),
        keystore: (!settings.keys.keystore.is_empty()).then(|| settings.keys.keystore.clone()),
        address: account,
        from_environment,
        doctor: checkup,
    };
    output::data(json, "init", &made, || made.text())?;
    Ok(ExitCode::SUCCESS)
}

/// The settings that flags and answers make over the default, and how the key is had.
fn asked(args: &InitArgs, environment: &[String]) -> Result<(Settings, KeyChoice)> {
    let (mut s, mut ask) = (settings::of_text("")?, Ask::new(environment));
    let whole = number(1, i64::MAX.unsigned_abs());
    let of = Question::of(["chain.rpc_url", "--rpc (or PROBITY__CHAIN__RPC_URL)", "node's URL"], "", &node);
    if let Some(url) = ask.needed(&of, args.rpc.clone())? {
        node(&url).map_err(|e| anyhow::anyhow!("--rpc: {e}"))?;
        s.chain.rpc_url = url.as_str().into();
    }
    let of = Question::of(["chain.chain_id", "--chain-id", "chain id"], "1", &whole);
    s.chain.chain_id = ask.needed(&of, args.chain_id)?.unwrap_or(s.chain.chain_id);
    let default = s.chain.pool.clone();
    let of = Question::of(["chain.pool", "--pool", "Uniswap v3 pool"], &default, &address);
    s.chain.pool = ask.needed(&of, args.pool.clone())?.unwrap_or_else(|| default.clone());
    let default = s.chain.quote_token.clone();
    let of = Question::of(["chain.quote_token", "--quote-token", "token that values are counted in"], &default, &address);
    s.chain.quote_token = ask.needed(&of, args.quote_token.clone())?.unwrap_or_else(|| default.clone());
    let default = s.mandate.max_trade_quote_units.to_string();
    let of = Question::of(["mandate.max_trade_quote_units", "--max-trade", "largest trade, whole units of that token"], &default, &whole);
    s.mandate.max_trade_quote_units = ask.needed(&of, args.max_trade)?.unwrap_or(s.mandate.max_trade_quote_units);
    let default = s.agent.seed_quote_units.to_string();
    let of = Question::of(["agent.seed_quote_units", "--first-deposit", "first deposit, whole units of that token"], &default, &whole);
    s.agent.seed_quote_units = ask.needed(&of, args.first_deposit)?.unwrap_or(s.agent.seed_quote_units);
    let (default, within) = (s.mandate.interval_s.to_string(), number(1, 604_800));
    let of = Question::of(["mandate.interval_s", "--interval", "seconds between two decisions"], &default, &within);
    s.mandate.interval_s = ask.or_default(&of, args.interval)?.unwrap_or(s.mandate.interval_s);
    let (default, within) = (s.mandate.max_slippage_bps.to_string(), number(0, 10_000));
    let words = "most that a trade may lose to fee and price, hundredths of a percent";
    let of = Question::of(["mandate.max_slippage_bps", "--max-slippage", words], &default, &within);
    s.mandate.max_slippage_bps = ask.or_default(&of, args.max_slippage)?.unwrap_or(s.mandate.max_slippage_bps);
    let of = Question::of(["mandate.proof_engine", "--engine", "proof engine, transparent or pairing"], "transparent", &word::<Engine>);
    s.mandate.proof_engine = ask.or_default(&of, args.engine)?.map_or(s.mandate.proof_engine, Into::into);
    if s.mandate.proof_engine == ProofEngine::Pairing {
        let of = Question::of(["proof.ptau_file", "--ptau-file", "powers-of-tau file"], "", &path);
        if let Some(file) = ask.needed(&of, args.ptau_file.clone())? {
            s.proof.ptau_file = text_of("--ptau-file", &file)?;
        }
    } else {
        ensure!(args.ptau_file.is_none(), "--ptau-file: expected with `--engine pairing` only");
    }
    let choice = whose_key(args, &mut ask, &mut s)?;
    ask.finish()?;
    mandate(&s)?;
    Ok((s, choice))
}

/// How the key is had, and where.
fn whose_key(args: &InitArgs, ask: &mut Ask<'_>, s: &mut Settings) -> Result<KeyChoice> {
    let words = "operator's key: new, import, file (an encrypted one that is there) or none (environment, signing service)";
    let question = Question::of(["", "--key", words], "new", &word::<KeyChoice>);
    let choice = ask.needed(&question, args.key)?.unwrap_or(KeyChoice::None);
    ensure!(args.key_file.is_none() || choice == KeyChoice::Import, "--key-file: expected with `--key import` only");
    if choice == KeyChoice::None {
        let named = [(args.keystore.is_some(), "--keystore"), (args.password_file.is_some(), "--password-file")];
        for (is, flag) in named {
            ensure!(!is || args.key.is_none(), "{flag}: expected with `--key new`, `import` or `file` only");
        }
        return Ok(choice);
    }
    let question = Question::of(["keys.keystore", "--keystore", "encrypted key file"], KEYSTORE, &path);
    let keystore = ask.or_default(&question, args.keystore.clone())?.unwrap_or_else(|| PathBuf::from(KEYSTORE));
    s.keys.keystore = text_of("--keystore", &keystore)?;
    let there = Path::new(&s.keys.keystore).exists();
    if choice == KeyChoice::File {
        Keystore::read(Path::new(&s.keys.keystore)).context("--keystore")?;
    } else {
        ensure!(!there, "--keystore {}: expected a new file, this one is there; `--key file` uses it", s.keys.keystore);
        folder("--keystore", Path::new(&s.keys.keystore))?;
    }
    match &args.password_file {
        Some(file) => s.keys.password_file = text_of("--password-file", file)?,
        None if !ask.terminal() && !keys::has_password() => ask.lacks("--password-file (or PROBITY_KEYSTORE_PASSWORD)"),
        None => {}
    }
    Ok(choice)
}

/// Makes or imports the key file; the account.
fn key(args: &InitArgs, choice: KeyChoice, settings: &Settings) -> Result<Option<String>> {
    let file = Path::new(&settings.keys.keystore);
    let signer = match choice {
        KeyChoice::None => return Ok(None),
        KeyChoice::File => return Ok(Keystore::read(file)?.address().map(|a| format!("{a:?}"))),
        KeyChoice::New => Signer::random(),
        KeyChoice::Import => keys::existing(args.key_file.as_deref())?,
    };
    let password = Some(Path::new(&settings.keys.password_file)).filter(|p| !p.as_os_str().is_empty());
    keys::make(file, password, &signer)?;
    Ok(Some(format!("{:?}", signer.address())))
}

/// The numbers together must make a mandate.
fn mandate(settings: &Settings) -> Result<()> {
    crate::strategy_file::backtest_mandate(settings, ModelShape::default(), settings.mandate.interval_s, 0)
        .map(drop)
        .context("--interval, --max-trade, --max-slippage")
}

/// Writes the file whole or not at all.
fn write(out: &Path, text: &str, force: bool) -> Result<()> {
    if !force {
        return secret::write_secret(out, text.as_bytes());
    }
    let mut temporary = out.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    if temporary.exists() {
        std::fs::remove_file(&temporary).with_context(|| format!("{}", temporary.display()))?;
    }
    secret::write_secret(&temporary, text.as_bytes())?;
    std::fs::rename(&temporary, out).with_context(|| format!("{}", out.display()))
}

fn next(out: &Path, dir: &Path, settings: &Settings, checkup: &Checkup) -> Vec<String> {
    let (out, dir) = (out.display(), dir.display());
    let mut all = Vec::new();
    if !settings.keys.keystore.is_empty() {
        all.push(format!("keep a copy of {} and of its password elsewhere: without them the account is lost", settings.keys.keystore));
    }
    if checkup.failures > 0 {
        all.push(format!("do what the checks say, then `probity --config {out} doctor --dir {dir}` until nothing fails"));
    }
    all.push(format!("`probity --config {out} deploy --dir {dir}`: vault, first deposit, registration"));
    all.push(format!("`probity --config {out} run --dir {dir}`"));
    all
}

impl Made {
    fn text(&self) -> String {
        let mut rows = vec![("settings".to_owned(), self.settings_file.clone())];
        let key = self.keystore.as_ref().map(|file| ("key".to_owned(), format!("encrypted file {file}")));
        let account = self.address.as_ref().map(|address| ("operator".to_owned(), address.clone()));
        rows.extend(key.into_iter().chain(account));
        if !self.from_environment.is_empty() {
            rows.push(("decided by the environment".to_owned(), self.from_environment.join(", ")));
        }
        let next: Vec<String> = self.next.iter().enumerate().map(|(n, step)| format!("{}. {step}", n + 1)).collect();
        format!("{}\n{}\nNext:\n{}", output::table(&rows), self.doctor.text(), next.join("\n"))
    }
}

/// A URL that a node can be asked at.
fn node(text: &str) -> Result<String, String> {
    Survey::at(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("expected a file".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn folder(flag: &str, file: &Path) -> Result<()> {
    ensure!(file.parent().is_some_and(Path::is_dir), "{flag} {}: expected a file in a folder that exists", file.display());
    Ok(())
}

/// A path that means the same from every folder.
fn full(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}", path.display()))
}

fn text_of(flag: &str, path: &Path) -> Result<String> {
    let full = full(path)?;
    full.to_str().map(str::to_owned).with_context(|| format!("{flag} {}: expected a name in UTF-8", full.display()))
}
