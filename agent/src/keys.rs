//! `probity keys`, and the account that a command acts with on a real chain.
//!
//! A key is in an encrypted file, in the environment, with a signing service or on a Ledger. Passwords come from a private file, the
//! environment or a prompt. Neither is ever a flag, a setting or a word of output: addresses are shown.

use crate::cli::{KeysAction, NewKeyArgs};
use crate::run::on_runtime;
use crate::settings::Settings;
use crate::{output, secret};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{Address, Cost, Fees, Keystore, PrivateRelay, Sender, Signer};
use serde::Serialize;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Environment variable of a key file's password.
const PASSWORD: &str = "PROBITY_KEYSTORE_PASSWORD";
/// A key file can be tried out offline: this is the least that a password must have.
const LEAST_CHARS: usize = 8;
/// The most that is read of a private file or standard input.
const MOST_BYTES: u64 = 4_096;

/// What a command says of an account.
#[derive(Serialize)]
struct Shown {
    address: String,
    /// Where its key is.
    source: String,
}

/// Runs the command.
pub(crate) fn run(action: &KeysAction, settings: &Settings, json: bool) -> Result<ExitCode> {
    let shown = match action {
        KeysAction::New(args) => seal(args, &Signer::random())?,
        KeysAction::Import(args) => seal(&args.new, &existing(args.key_file.as_deref())?)?,
        KeysAction::Show(args) => match &args.file {
            Some(file) => {
                let signer = unlock(file, args.password_file.as_deref().or_else(|| named(&settings.keys.password_file)))?;
                Shown { address: format!("{:?}", signer.address()), source: source_of_file(file) }
            }
            None => {
                let signer = on_runtime(operator(settings))?;
                Shown { address: format!("{:?}", signer.address()), source: source(settings) }
            }
        },
    };
    output::data(json, "account", &shown, || {
        output::table(&[("address".to_owned(), shown.address.clone()), ("key".to_owned(), shown.source.clone())])
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The account of a key that exists: in a private file, on standard input, or typed unseen.
pub(crate) fn existing(key_file: Option<&Path>) -> Result<Signer> {
    let key = match key_file {
        Some(file) => private_file("--key-file", file)?,
        None => typed_key()?,
    };
    Ok(Signer::from_key(&key)?)
}

/// Whether the environment holds a key file's password.
pub(crate) fn has_password() -> bool {
    std::env::var_os(PASSWORD).is_some()
}

/// Writes a key encrypted into a new file.
fn seal(args: &NewKeyArgs, signer: &Signer) -> Result<Shown> {
    ensure!(!args.out.exists(), "--out {}: expected a new file, this one is there", args.out.display());
    make(&args.out, args.password_file.as_deref(), signer)?;
    Ok(Shown { address: format!("{:?}", signer.address()), source: source_of_file(&args.out) })
}

/// The same for any command.
pub(crate) fn make(out: &Path, password_file: Option<&Path>, signer: &Signer) -> Result<()> {
    let password = new_password(password_file)?;
    output::talk("encrypting the key (about a second) …");
    secret::write_secret(out, Keystore::seal(signer, &password, Cost::Standard)?.text()?.as_bytes())
}

/// The operator's account on a real chain, from where the settings or the environment say.
pub(crate) async fn operator(settings: &Settings) -> Result<Signer> {
    let keys = &settings.keys;
    let from_environment = secret::has_operator_key();
    let sources = [
        (!keys.keystore.is_empty(), "keys.keystore"),
        (!keys.signer_url.is_empty(), "keys.signer_url"),
        (!keys.ledger_path.is_empty(), "keys.ledger_path"),
        (from_environment, secret::KEY),
    ];
    let named: Vec<&str> = sources.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
    ensure!(named.len() <= 1, "the operator's account: expected one source, got {}; remove the others", named.join(" and "));
    if !keys.keystore.is_empty() {
        let (file, password) = (keys.keystore.clone(), keys.password_file.clone());
        let signer = tokio::task::spawn_blocking(move || unlock(Path::new(&file), crate::keys::named(&password)));
        return signer.await.context("unlocking the key file")?;
    }
    if !keys.signer_url.is_empty() {
        let account = address("keys.signer_address", &keys.signer_address)?;
        return Ok(Signer::service(keys.signer_url.expose(), account).await?);
    }
    if !keys.ledger_path.is_empty() {
        return on_ledger(&keys.ledger_path).await;
    }
    ensure!(
        from_environment,
        "no operator's account: name a key file (setting keys.keystore, made by `probity keys new`), a signing service \
         (keys.signer_url) or a Ledger's key (keys.ledger_path), or set {} (32 bytes hex) in the environment",
        secret::KEY
    );
    Ok(Signer::from_key(&secret::operator_key()?)?)
}

/// The account of a Ledger's key.
#[cfg(feature = "ledger")]
async fn on_ledger(path: &str) -> Result<Signer> {
    let path: probity_chain::KeyPath = path.parse().context("setting keys.ledger_path")?;
    output::talk(format!("asking the Ledger for {path}: every transaction is confirmed on it …"));
    Ok(Signer::ledger(&path, probity_chain::PATIENCE).await?)
}

/// The account of a Ledger's key: not in this program.
#[cfg(not(feature = "ledger"))]
async fn on_ledger(_path: &str) -> Result<Signer> {
    bail!("setting keys.ledger_path: this program was built without Ledgers (cargo feature `ledger`); build it with, or use another key")
}

/// The operator's account, ready to send as the settings say.
pub(crate) async fn sender(settings: &Settings, signer: Signer, url: &str, chain_id: u64) -> Result<Sender> {
    let fees = Fees { tip_wei: Some(settings.safety.tip_wei()), ..Fees::default() };
    let sender = Sender::signed_by(url, signer, chain_id, settings.chain.receipt_timeout_s).await?.with_fees(fees);
    let relay = &settings.chain.private_relay_url;
    if relay.is_empty() {
        return Ok(sender);
    }
    Ok(sender.through(PrivateRelay::at(relay.expose(), settings.chain.private_relay_fallback).context("setting chain.private_relay_url")?))
}

/// Where the operator's key is, for people.
pub(crate) fn source(settings: &Settings) -> String {
    let keys = &settings.keys;
    if !keys.keystore.is_empty() {
        source_of_file(Path::new(&keys.keystore))
    } else if !keys.signer_url.is_empty() {
        format!("signing service {}", keys.signer_url.host())
    } else if !keys.ledger_path.is_empty() {
        format!("Ledger, {}", keys.ledger_path)
    } else {
        format!("environment ({})", secret::KEY)
    }
}

fn source_of_file(file: &Path) -> String {
    format!("encrypted file {}", file.display())
}

fn named(setting: &str) -> Option<&Path> {
    (!setting.is_empty()).then(|| Path::new(setting))
}

pub(crate) fn address(field: &str, text: &str) -> Result<Address> {
    text.parse().map_err(|_| anyhow::anyhow!("{field}: expected 0x and 40 hex digits, got {text}"))
}

/// Opens a key file.
fn unlock(file: &Path, password_file: Option<&Path>) -> Result<Signer> {
    let keystore = Keystore::read(file)?;
    let password = match from_elsewhere(password_file)? {
        Some(password) => password,
        None => prompt(&format!("password of {}: ", file.display()), &how_else())?,
    };
    output::talk(format!("unlocking {} …", file.display()));
    keystore.unlock(&password).with_context(|| format!("key file {}", file.display()))
}

/// A password that is not typed.
fn from_elsewhere(password_file: Option<&Path>) -> Result<Option<Zeroizing<String>>> {
    match password_file {
        Some(file) => Ok(Some(private_file("password file", file)?)),
        None => Ok(std::env::var(PASSWORD).ok().map(Zeroizing::new)),
    }
}

fn how_else() -> String {
    format!("a password file (setting keys.password_file, mode 0600) or {PASSWORD} in the environment")
}

fn new_password(password_file: Option<&Path>) -> Result<Zeroizing<String>> {
    let password = match from_elsewhere(password_file)? {
        Some(password) => password,
        None => {
            let password = prompt("new password: ", &how_else())?;
            ensure!(prompt("once more: ", &how_else())? == password, "the two passwords differ: nothing was written");
            password
        }
    };
    ensure!(password.chars().count() >= LEAST_CHARS, "password: expected {LEAST_CHARS} characters or more");
    Ok(password)
}

/// A key from standard input, or typed unseen.
fn typed_key() -> Result<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        return prompt("private key (32 bytes hex, not shown): ", "--key-file");
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(|_| anyhow::anyhow!("standard input: expected a private key in hex"))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Asks on the terminal without showing what is typed.
fn prompt(question: &str, instead: &str) -> Result<Zeroizing<String>> {
    let terminal = console::Term::stderr();
    if !(terminal.is_term() && std::io::stdin().is_terminal()) {
        bail!("{}: there is no terminal to ask on; expected {instead}", question.trim_end_matches(": "));
    }
    terminal.write_str(question)?;
    Ok(Zeroizing::new(terminal.read_secure_line()?))
}

/// The first line of a file that nobody but its owner can read.
fn private_file(what: &str, path: &Path) -> Result<Zeroizing<String>> {
    let file = std::fs::File::open(path).with_context(|| format!("{what} {}", path.display()))?;
    let meta = file.metadata()?;
    ensure!(meta.is_file(), "{what} {}: expected a file", path.display());
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777;
        ensure!(
            mode & 0o077 == 0,
            "{what} {}: expected mode 0600, got {mode:04o}: others can read it; `chmod 600 {0}` and think about changing it",
            path.display()
        );
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MOST_BYTES).read_to_string(&mut text);
    read.map_err(|_| anyhow::anyhow!("{what} {}: expected one line of text", path.display()))?;
    let line = text.lines().next().unwrap_or_default();
    ensure!(!line.is_empty(), "{what} {}: expected one line of text, got nothing", path.display());
    Ok(Zeroizing::new(line.to_owned()))
}
