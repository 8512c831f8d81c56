//! `probity params fetch`: downloads a powers-of-tau file whose digest is known before the first byte.
//!
//! The server is trusted for nothing. The bytes go to a part file beside the target, named by the digest; an interrupted download
//! goes on from there. Only a file with the right digest gets the target's name; a complete one with another is set aside.

use crate::cli::ParamsFetchArgs;
use crate::output;
use anyhow::{Context, Result, anyhow, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use probity_verifier::FileDigest;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long a server may take to answer or to send more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a broken download is taken up again within one call.
const ATTEMPTS: u32 = 4;
/// Bytes of a prepared file for each power of two: 1,152, and some room; the contributions come on top.
const BYTES_PER_POWER: u64 = 1_280;
const BYTES_BESIDES: u64 = 16 << 20;
/// Limit where the file's power is not known.
const UNKNOWN_LIMIT: u64 = 2 << 30;

/// What was fetched.
#[derive(Debug, Serialize)]
struct Fetched {
    file: PathBuf,
    bytes: u64,
    blake2b: FileDigest,
    pinned_power: Option<u32>,
    /// Bytes that an earlier call had left.
    resumed_from: u64,
}

/// Why an attempt ended.
enum Broken {
    /// Trying again may help.
    Transfer(anyhow::Error),
    /// It may not.
    Final(anyhow::Error),
}

struct Download {
    client: Client,
    url: Url,
    part: PathBuf,
    limit: u64,
    bar: ProgressBar,
}

/// Runs the command.
pub(crate) fn run(args: &ParamsFetchArgs, json: bool) -> Result<ExitCode> {
    let (expected, limit) = match (&args.digest, args.power) {
        (Some(digest), _) => (digest.parse().context("--digest")?, UNKNOWN_LIMIT),
        (None, Some(power)) => (
            FileDigest::pinned(power).with_context(|| format!("--power {power}: expected the power of a pinned file"))?,
            BYTES_PER_POWER.saturating_mul(1 << power).saturating_add(BYTES_BESIDES),
        ),
        (None, None) => bail!("--power, --digest: expected one of them, got none"),
    };
    ensure!(!args.out.exists(), "--out {}: a file is never overwritten; `probity params check` tells what this one is", args.out.display());
    let url = Url::parse(&args.url).map_err(|e| anyhow!("--url: expected http:// or https://, got something else ({e})"))?;
    ensure!(matches!(url.scheme(), "http" | "https"), "--url: expected http:// or https://, got {}://", url.scheme());
    let style = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")?;
    let download = Download {
        client: Client::builder().connect_timeout(PATIENCE).build().map_err(|e| anyhow!("http client: {}", e.without_url()))?,
        url,
        part: beside(&args.out, &format!("{}.part", expected.to_string().get(..16).unwrap_or_default()))?,
        limit: args.max_bytes.unwrap_or(limit),
        bar: ProgressBar::no_length().with_style(style),
    };
    let resumed_from = length(&download.part)?;
    if resumed_from > 0 {
        output::talk(format!("{}: going on after {resumed_from} bytes", download.part.display()));
    }
    crate::run::on_runtime(download.complete())?;
    download.bar.finish_and_clear();
    output::talk("comparing the digest …");
    let got = File::open(&download.part).and_then(FileDigest::of).with_context(|| format!("{}", download.part.display()))?;
    if got != expected {
        let aside = beside(&args.out, "refused")?;
        std::fs::rename(&download.part, &aside)?;
        bail!("--url: expected a file with BLAKE2b-512 {expected}, got {got}; it is set aside as {}", aside.display());
    }
    File::open(&download.part)?.sync_all()?;
    // A link fails where a rename would replace a file that came up meanwhile.
    std::fs::hard_link(&download.part, &args.out)
        .or_else(|_| {
            if args.out.exists() { Err(std::io::Error::other("came up meanwhile")) } else { std::fs::rename(&download.part, &args.out) }
        })
        .with_context(|| format!("--out {}: the file is complete in {}", args.out.display(), download.part.display()))?;
    if download.part.exists() {
        std::fs::remove_file(&download.part)?;
    }
    let bytes = length(&args.out)?;
    let fetched = Fetched { file: args.out.clone(), bytes, blake2b: got, pinned_power: got.pinned_power(), resumed_from };
    output::data(json, "params_fetch", &fetched, || {
        let why = fetched.pinned_power.map_or_else(|| "the digest you named".to_owned(), |p| format!("the pinned file of 2^{p}"));
        format!("{}: {} bytes, {why}", fetched.file.display(), fetched.bytes)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `FILE.ending` in the same folder.
fn beside(file: &Path, ending: &str) -> Result<PathBuf> {
    let mut name = file.file_name().with_context(|| format!("--out {}: expected a file name", file.display()))?.to_owned();
    name.push(".");
    name.push(ending);
    Ok(file.with_file_name(name))
}

fn length(path: &Path) -> Result<u64> {
    match std::fs::metadata(path) {
        Ok(about) => Ok(about.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e).with_context(|| format!("{}", path.display())),
    }
}

impl Download {
    /// Fills the part file; what it has stays, whatever happens.
    async fn complete(&self) -> Result<()> {
        let mut attempt = 0;
        loop {
            let before = length(&self.part)?;
            match self.attempt(before).await {
                Ok(()) => return Ok(()),
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Transfer(error)) => {
                    let after = length(&self.part)?;
                    attempt = if after > before { 1 } else { attempt + 1 };
                    if attempt >= ATTEMPTS {
                        return Err(error.context(format!("{after} bytes are kept in {}: call again to go on", self.part.display())));
                    }
                    output::talk(format!("{error:#}; trying again after {after} bytes …"));
                    tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
                }
            }
        }
    }

    async fn attempt(&self, have: u64) -> Result<(), Broken> {
        // Compressed on the way, a range would mean other bytes.
        let mut request = self.client.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut response = within(request.send()).await?;
        // Where this answer starts, and how long the whole file is.
        let (start, total) = match response.status() {
            StatusCode::OK => (0, response.content_length()),
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((start, total)) if start == have => (start, total),
                _ => return Err(Broken::Final(anyhow!("--url: expected the bytes from {have} on, got other ones"))),
            },
            // Nothing lies behind what is there: the digest decides.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => return Ok(()),
            status if status.is_server_error() => return Err(Broken::Transfer(anyhow!("--url: expected the file, got {status}"))),
            status => return Err(Broken::Final(anyhow!("--url: expected the file, got {status}"))),
        };
        if let Some(total) = total {
            self.bar.set_length(total);
            self.within_limit(total)?;
        }
        let mut part = File::options().create(true).append(true).open(&self.part).map_err(|e| self.disk(&e))?;
        // A server that knows no ranges starts over: what is there already is passed over, not lost.
        let (mut at, mut have) = (start, have);
        while let Some(chunk) = within(response.chunk()).await? {
            let skip = usize::try_from(have.saturating_sub(at)).unwrap_or(usize::MAX).min(chunk.len());
            at = at.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            self.within_limit(at)?;
            part.write_all(chunk.get(skip..).unwrap_or_default()).map_err(|e| self.disk(&e))?;
            have = have.max(at);
            self.bar.set_position(at);
        }
        match total {
            Some(total) if at < total => Err(Broken::Transfer(anyhow!("--url: expected {total} bytes, got {at}"))),
            _ => Ok(()),
        }
    }

    fn within_limit(&self, bytes: u64) -> Result<(), Broken> {
        if bytes <= self.limit {
            return Ok(());
        }
        Err(Broken::Final(anyhow!("--url: expected at most {} bytes (--max-bytes), got {bytes} or more", self.limit)))
    }

    fn disk(&self, error: &std::io::Error) -> Broken {
        Broken::Final(anyhow!("{}: {error}", self.part.display()))
    }
}

/// An answer within the time a server has for it. Errors do not repeat the URL: what follows its host may be a secret.
async fn within<T>(answer: impl Future<Output = reqwest::Result<T>>) -> Result<T, Broken> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(Broken::Transfer(anyhow::Error::new(e.without_url()).context("--url"))),
        Err(_) => Err(Broken::Transfer(anyhow!("--url: expected more bytes within {} s, got none", PATIENCE.as_secs()))),
    }
}

/// First byte and whole length of `bytes FIRST-LAST/LENGTH`.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}
