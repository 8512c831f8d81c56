//! `probity disclose`: part of a log, to show without the rest.

use crate::cli::DiscloseArgs;
use crate::output;
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write};
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(args: &DiscloseArgs, json: bool) -> Result<ExitCode> {
    let log = File::open(&args.log).with_context(|| format!("--log {}", args.log.display()))?;
    let mut text = Vec::new();
    probity_verifier::disclose(BufReader::new(log), args.from, args.to, &mut text)
        .with_context(|| format!("--log {}", args.log.display()))?;
    let mut out =
        OpenOptions::new().write(true).create_new(true).open(&args.out).with_context(|| format!("--out {}", args.out.display()))?;
    out.write_all(&text)?;
    out.sync_all()?;
    let value = serde_json::json!({ "disclosure": args.out, "from_decision": args.from, "to_decision": args.to, "bytes": text.len() });
    output::data(json, "disclosure", &value, || {
        format!("{}: decisions {} … {}, {} bytes", args.out.display(), args.from, args.to.saturating_sub(1), text.len())
    })?;
    Ok(ExitCode::SUCCESS)
}
