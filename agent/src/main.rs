//! The binary: a table of commands. What they do lives in the modules.

mod attest;
mod audit;
mod backtest;
mod checks;
mod cli;
mod commit;
mod compare;
mod data;
mod demo;
mod deploy;
mod disclose;
mod doctor;
mod execution;
mod fetch;
mod help;
mod init;
mod inspect;
mod journal;
mod keys;
mod layout;
mod ledger;
mod market;
mod model;
mod onchain;
mod output;
mod params;
mod pool_state;
mod prove;
mod report;
mod reprove;
mod rotate;
mod run;
mod secret;
mod see;
mod settings;
mod settle;
mod settle_desk;
mod shares_seen;
mod strategy_file;
mod sweep;
mod time;
mod train;
mod vault_status;
mod walk;
mod whole;

use anyhow::Result;
use clap::Parser;
use cli::{ChainAction, Cli, Command, ConfigAction, DeployArgs, DoctorArgs, ParamsAction, SettlementAction, VaultAction};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(|| output::Log)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("PROBITY_LOG").unwrap_or_else(|_| "warn".into()))
        .init();
    match dispatch(&cli) {
        Ok(code) => code,
        Err(error) => {
            output::talk(format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    let flags = match &cli.command {
        Command::Run(args) => args.settings(),
        Command::Doctor(DoctorArgs { rpc: Some(url), .. }) | Command::Deploy(DeployArgs { rpc: Some(url), .. }) => {
            vec![("chain.rpc_url", url.clone())]
        }
        _ => Vec::new(),
    };
    if let (Command::Run(args), [_, _, ..]) = (&cli.command, cli.config.as_slice()) {
        return run::several(args, &cli.config, cli.json);
    }
    anyhow::ensure!(cli.config.len() < 2, "--config: expected one settings file (`run` alone takes several), got {}", cli.config.len());
    let loaded = settings::load(cli.config.first().map(std::path::PathBuf::as_path), &flags)?;
    match &cli.command {
        Command::Config { action: ConfigAction::Show } => {
            output::data(cli.json, "settings", &loaded.settings, || {
                let rows: Vec<_> = loaded.origins.iter().map(|(k, v, s)| (k.clone(), format!("{v}  ({s})"))).collect();
                output::table(&rows)
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell, dir } => help::completions(*shell, dir.as_deref()),
        Command::Man { dir } => help::man(dir.as_deref()),
        Command::Audit(args) => audit::run(args, &loaded.settings, cli.json),
        Command::Attest { action } => attest::run(action, &loaded.settings, cli.json),
        Command::Backtest(args) => backtest::run(args, &loaded.settings, cli.json),
        Command::Train(args) => train::run(args, &loaded.settings, cli.json),
        Command::WalkForward(args) => walk::run(args, &loaded.settings, cli.json),
        Command::Model { action } => model::run(action, &loaded.settings, cli.json),
        Command::Data { action } => data::run(action, cli.json),
        Command::Trials(args) => ledger::run(args, &loaded.settings, cli.json),
        Command::Commit(args) => commit::run(args, &loaded.settings, cli.json),
        Command::Layout(args) => layout::run(args, &loaded.settings, cli.json),
        Command::Params { action: ParamsAction::Check(args) } => params::run(args, &loaded.settings, cli.json),
        Command::Params { action: ParamsAction::Fetch(args) } => fetch::run(args, cli.json),
        Command::Init(args) => {
            anyhow::ensure!(cli.config.is_empty(), "--config: `init` writes a settings file and reads none; name it with --out");
            init::run(args, &loaded, cli.json)
        }
        Command::Doctor(args) => doctor::run(args, &loaded.settings, cli.json),
        Command::Deploy(args) => deploy::run(args, &loaded.settings, cli.json),
        Command::Keys { action } => keys::run(action, &loaded.settings, cli.json),
        Command::Serve(args) => see::finished::run(args),
        Command::Run(args) => run::run(args, &loaded.settings, cli.json),
        Command::Rotate(args) => rotate::run(args, cli.json),
        Command::Halt(args) => run::halt(args),
        Command::Resume(args) => run::resume(args),
        Command::Disclose(args) => disclose::run(args, cli.json),
        Command::Prove(args) => reprove::run(args, &loaded.settings, cli.json),
        Command::Inspect(args) => inspect::run(args, cli.json),
        Command::Chain { action: ChainAction::Stop { dir } } => run::stop_chains(dir),
        Command::Settle(args) => settle::settle(args, &loaded.settings, cli.json),
        Command::Vault { action: VaultAction::Status(args) } => vault_status::status(args, &loaded.settings, cli.json),
        Command::Settlement { action: SettlementAction::VerifyCode(args) } => settle::verify_code(args, &loaded.settings, cli.json),
        Command::Demo(args) => demo::run(args, &loaded.settings, cli.json),
    }
}
