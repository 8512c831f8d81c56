//! Completions and man pages, made from the one definition of the flags.

use crate::cli::Cli;
use crate::output;
use anyhow::{Context, Result};
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::path::Path;
use std::process::ExitCode;

/// Completions of one shell on stdout, or of all in a folder.
pub(crate) fn completions(shell: Option<Shell>, dir: Option<&Path>) -> Result<ExitCode> {
    if let Some(shell) = shell {
        clap_complete::generate(shell, &mut Cli::command(), "probity", &mut std::io::stdout());
    }
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir).with_context(|| format!("--dir {}: expected a folder that can be written", dir.display()))?;
        for shell in Shell::value_variants() {
            let path = clap_complete::generate_to(*shell, &mut Cli::command(), "probity", dir)?;
            output::talk(path.display().to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The man page on stdout, or those of all subcommands in a folder.
pub(crate) fn man(dir: Option<&Path>) -> Result<ExitCode> {
    let Some(dir) = dir else {
        clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(dir).with_context(|| format!("--dir {}: expected a folder that can be written", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(|| format!("man pages into {}", dir.display()))?;
    output::talk(format!("man pages of every subcommand are in {}", dir.display()));
    Ok(ExitCode::SUCCESS)
}
