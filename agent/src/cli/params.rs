//! Flags of `params`: the ceremony files of the pairing engine.

use crate::cli::Engine;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands on parameter files.
#[derive(Debug, Subcommand)]
pub(crate) enum ParamsAction {
    /// Tell what a powers-of-tau file is and whether it serves. Exit code 1 if it does not.
    Check(ParamsCheckArgs),
    /// Download a powers-of-tau file; one that is not what was asked for is never put in place.
    Fetch(ParamsFetchArgs),
}

/// Flags of `params check`.
#[derive(Debug, Args)]
pub(crate) struct ParamsCheckArgs {
    /// The file (`.ptau`).
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Engine it is for; the transparent one needs no file.
    #[arg(long, value_enum, default_value = "pairing")]
    pub(crate) engine: Engine,
    /// Decision log or mandate (JSON) that it must serve; the settings' mandate if left out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "decisions_per_fold"])]
    pub(crate) mandate: Option<PathBuf>,
    /// Model file whose shape it must serve; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Decisions a fold (setting mandate.decisions_per_fold).
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) decisions_per_fold: Option<u16>,
}

/// Flags of `params fetch`.
#[derive(Debug, Args)]
pub(crate) struct ParamsFetchArgs {
    /// Where it lies (http or https): nobody is trusted for it, only the digest is.
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// The pinned ceremony file of 2^N powers.
    #[arg(long, value_name = "N", required_unless_present = "digest", value_parser = clap::value_parser!(u32).range(8..=28))]
    pub(crate) power: Option<u32>,
    /// BLAKE2b-512 (hex, as b2sum prints it) of a file that you vouch for, in place of a pinned one.
    #[arg(long, value_name = "HEX", conflicts_with = "power")]
    pub(crate) digest: Option<String>,
    /// Where the file goes; never overwritten. A part of it lies beside it, and the next call goes on from there.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Most bytes that are taken; by default what a file of that power can have, or 2 GiB with --digest.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
}
