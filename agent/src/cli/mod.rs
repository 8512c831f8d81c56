//! Command line: one definition of flags feeds help, man page and completions.

mod attest;
mod audit;
mod backtest;
mod commit;
mod data;
mod first;
mod init;
mod keys;
mod learn;
mod params;
mod rotate;
mod run;
mod see;
mod settle;

pub(crate) use attest::{AttestAction, CheckArgs, RecordArgs, RegisterArgs, RegistriesArgs, RegistryArgs, RequestArgs, RespondArgs};
pub(crate) use audit::{AuditArgs, DiscloseArgs, InspectArgs, ProveArgs};
pub(crate) use backtest::{BacktestArgs, BacktestCheck, CompareArgs, SweepArgs};
pub(crate) use commit::{CommitArgs, Engine, LayoutArgs};
pub(crate) use data::DataAction;
pub(crate) use first::{DeployArgs, DoctorArgs};
pub(crate) use init::{InitArgs, KeyChoice, address};
pub(crate) use keys::{KeysAction, NewKeyArgs};
pub(crate) use learn::{ModelAction, SeriesArgs, TrainArgs, TrialsArgs, WalkForwardArgs};
pub(crate) use params::{ParamsAction, ParamsCheckArgs, ParamsFetchArgs};
pub(crate) use rotate::RotateArgs;
pub(crate) use run::{ChainAction, DemoArgs, HaltArgs, RunArgs};
pub(crate) use see::{ServeArgs, ServeFlags};
pub(crate) use settle::{SettleArgs, SettlementAction, StatusArgs, VaultAction, VerifyCodeArgs};

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// A DeFi trading agent that can prove it kept to its strategy.
#[derive(Debug, Parser)]
#[command(name = "probity", version, about, after_help = "Exit codes: 0 done or accepted, 1 rejected, 2 could not tell or failed.")]
pub(crate) struct Cli {
    /// Settings file (TOML); see `probity config show`. `run` takes several, one a run.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Machine-readable result on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole path on a forked chain: run, prove, post, audit offline and on chain, a forged copy rejected.
    Demo(DemoArgs),
    /// Run the agent: on development chains moved along a market, on a fork, or on a real chain.
    Run(RunArgs),
    /// Stop a run's next decision and transaction, whether it runs or not; it goes on after `probity resume`.
    Halt(HaltArgs),
    /// Let a halted or reducing run act again.
    Resume(HaltArgs),
    /// Ask a run, going on or not, to announce other weights: they take over at a later decision, under the same mandate and proof.
    Rotate(RotateArgs),
    /// Set up a run on a real chain: asks (or takes flags), writes a commented settings file, makes or imports the key, and checks it all.
    Init(InitArgs),
    /// Check everything that a run on a real chain needs: ok, warning or failure, what was seen, what to do. Exit code 1 if something fails.
    Doctor(DoctorArgs),
    /// On a real chain: deploy the vault, make the first deposit, register mandate and commitment, and print what a depositor should check.
    Deploy(DeployArgs),
    /// Show a run's folder as the dashboard: one that has ended, or one that another process drives.
    Serve(ServeArgs),
    /// Verify a decision log against its proof, and with --rpc against the chain.
    Audit(AuditArgs),
    /// Registries of agents (ERC-8004): ask for a validation of a run, answer with what its proof shows, and check such an answer.
    Attest {
        /// What to do with them.
        #[command(subcommand)]
        action: AttestAction,
    },
    /// Make a fresh proof of a decision log from its opening (model and salt).
    Prove(ProveArgs),
    /// Show part of a log without the rest.
    Disclose(DiscloseArgs),
    /// Show what a log, a proof or a run's folder holds, without judging it.
    Inspect(InspectArgs),
    /// Backtest the strategy over a recorded series with the same engine.
    Backtest(BacktestArgs),
    /// Train a model on a recorded series.
    Train(TrainArgs),
    /// Retrain again and again, each time on what was known, and trade what comes after: results out of sample beside baselines.
    WalkForward(WalkForwardArgs),
    /// Float networks in and out of integer models.
    Model {
        /// What to do with them.
        #[command(subcommand)]
        action: ModelAction,
    },
    /// Recorded data: look it over, make it.
    Data {
        /// What to do with it.
        #[command(subcommand)]
        action: DataAction,
    },
    /// List the trial ledger and check its chain; exit code 1 if it is broken.
    Trials(TrialsArgs),
    /// Salt and commit to a model: writes the opening (secret) and prints the commitment (public).
    Commit(CommitArgs),
    /// What each number of decisions a fold costs in proving time, latency and gas, and which to choose for a latency.
    Layout(LayoutArgs),
    /// Powers-of-tau files, the parameters of the pairing engine.
    Params {
        /// What to do with them.
        #[command(subcommand)]
        action: ParamsAction,
    },
    /// Prove to the vault what it recorded and has no proof of yet; an interrupted one goes on with the proof it made.
    Settle(SettleArgs),
    /// The vault.
    Vault {
        /// What to do with it.
        #[command(subcommand)]
        action: VaultAction,
    },
    /// The verifier of settlements.
    Settlement {
        /// What to do with it.
        #[command(subcommand)]
        action: SettlementAction,
    },
    /// The operator's key: made, encrypted, shown by its address.
    Keys {
        /// What to do with it.
        #[command(subcommand)]
        action: KeysAction,
    },
    /// The development chains of a run.
    Chain {
        /// What to do with them.
        #[command(subcommand)]
        action: ChainAction,
    },
    /// Settings.
    Config {
        /// What to do with them.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Shell completions on stdout; with --dir, those of all shells.
    Completions {
        /// Shell.
        #[arg(required_unless_present = "dir")]
        shell: Option<clap_complete::Shell>,
        /// Folder to write the completions for every shell into.
        #[arg(long, value_name = "DIR", conflicts_with = "shell")]
        dir: Option<PathBuf>,
    },
    /// Man page on stdout; with --dir, those of all subcommands.
    Man {
        /// Folder to write the man pages of every subcommand into.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Settings commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Every setting, its value and where the value came from.
    Show,
}
