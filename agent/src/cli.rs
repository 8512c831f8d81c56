//! Commands and flags: the one definition that feeds help, man pages and completions.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A DeFi trading agent that can prove it kept to its strategy.
#[derive(Debug, Parser)]
#[command(name = "probity", version, about, after_help = "Exit codes: 0 done or accepted, 1 rejected, 2 could not tell or failed.")]
pub(crate) struct Cli {
    /// Settings file (TOML); see `probity config show`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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
    /// Verify a decision log against its proof, and with --rpc against the chain.
    Audit(AuditArgs),
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
    /// Shell completions on stdout.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Man page on stdout.
    Man,
}

/// Settings commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Every setting, its value and where the value came from.
    Show,
}

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

/// `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// Nothing to download, nothing to trust.
    Transparent,
    /// Powers of tau from a ceremony.
    Pairing,
}

impl From<Engine> for probity_strategy::ProofEngine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Transparent => Self::Transparent,
            Engine::Pairing => Self::Pairing,
        }
    }
}

/// Flags of `layout`.
#[derive(Debug, Args)]
pub(crate) struct LayoutArgs {
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Longest time from a decision to its proof.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_latency: Option<u64>,
    /// Engine (setting mandate.proof_engine).
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,
    /// Time between two decisions (setting mandate.interval_s).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) interval: Option<u32>,
}

/// Commands on development chains.
#[derive(Debug, Subcommand)]
pub(crate) enum ChainAction {
    /// Ends the chains that a run left up (`--keep-chain`, SIGTERM, or a killed agent).
    Stop {
        /// Folder of the run.
        #[arg(long, value_name = "DIR", default_value = ".probity/run")]
        dir: PathBuf,
    },
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// OHLCV series (CSV, may be gzipped); a simulated one if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) market: Option<PathBuf>,
    /// First bar of the series: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) from: Option<u64>,
    /// Bars of the series that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) to: Option<u64>,
    /// Seed of the simulated market.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Decisions.
    #[arg(long, default_value_t = 48)]
    pub(crate) decisions: u32,
    /// Folder of the demo; an earlier demo in it is replaced.
    #[arg(long, value_name = "DIR", default_value = ".probity/demo")]
    pub(crate) dir: PathBuf,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Folder of journal, keys, log and proof; an interrupted run in it goes on.
    #[arg(long, value_name = "DIR", default_value = ".probity/run")]
    pub(crate) dir: PathBuf,
    /// Series that moves the development chain's pool (CSV, may be gzipped); a simulated one if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) market: Option<PathBuf>,
    /// First bar of the series: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) from: Option<u64>,
    /// Bars of the series that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub(crate) to: Option<u64>,
    /// Seed of the simulated market.
    #[arg(long, conflicts_with = "market")]
    pub(crate) seed: Option<u64>,
    /// Decisions after which the run is sealed; the market's length if left out.
    #[arg(long)]
    pub(crate) decisions: Option<u32>,
    /// Fork this node instead of the stand-in mainnet.
    #[arg(long, value_name = "URL")]
    pub(crate) fork_url: Option<String>,
    /// Pool (setting chain.pool).
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) pool: Option<String>,
    /// When proofs are posted (setting posting.policy).
    #[arg(long, value_enum)]
    pub(crate) posting: Option<Posting>,
    /// Trade on the real chain behind this node (setting chain.rpc_url); the key comes from PROBITY_OPERATOR_KEY.
    #[arg(long, value_name = "URL", conflicts_with_all = ["fork_url", "market", "seed"])]
    pub(crate) rpc: Option<String>,
    /// On a real chain: deploy a vault and make the first deposit.
    #[arg(long)]
    pub(crate) deploy: bool,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Leave the development chains up after the run.
    #[arg(long)]
    pub(crate) keep_chain: bool,
}

/// `--posting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Posting {
    /// A trade's own transaction carries its proof.
    WithTrade,
    /// Apart, every so many decisions (setting posting.every_decisions).
    Every,
}

impl RunArgs {
    /// The flags that are settings.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let posting = self.posting.map(|p| match p {
            Posting::WithTrade => "with_trade".to_owned(),
            Posting::Every => "every".to_owned(),
        });
        let flags = [("chain.pool", self.pool.clone()), ("posting.policy", posting), ("chain.rpc_url", self.rpc.clone())];
        flags.into_iter().filter_map(|(key, value)| value.map(|v| (key, v))).collect()
    }
}

/// Flags of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The compressed proof; with --rpc it may be left out: the newest one posted on chain is taken.
    #[arg(long, value_name = "FILE", required_unless_present = "rpc")]
    pub(crate) proof: Option<PathBuf>,
    /// A proof that ends where the next one starts; repeated in order, all of them before --proof.
    #[arg(long, value_name = "FILE")]
    pub(crate) before: Vec<PathBuf>,
    /// A proof of part of the log is what is wanted: what it leaves out is no error.
    #[arg(long)]
    pub(crate) segment: bool,
    /// Compare with what the vault recorded, on this node's word.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Opening of the commitment (model and salt): replays every decision natively.
    #[arg(long, value_name = "FILE")]
    pub(crate) reveal: Option<PathBuf>,
    /// The mandate you were promised (JSON): the log has to keep this one.
    #[arg(long, value_name = "FILE")]
    pub(crate) mandate: Option<PathBuf>,
    /// Write a page for people (FILE.html) or the same as data (FILE.json); never over an existing file.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// How the report reads raw units, as USDC:6/WETH:18 (the log does not say).
    #[arg(long, value_name = "QUOTE:DECIMALS/BASE:DECIMALS", requires = "report")]
    pub(crate) units: Option<probity_verifier::Units>,
    /// Another log of the same agent: whether the two tell one history.
    #[arg(long, value_name = "FILE", requires = "other_proof")]
    pub(crate) other_log: Option<PathBuf>,
    /// Its proof.
    #[arg(long, value_name = "FILE", requires = "other_log")]
    pub(crate) other_proof: Option<PathBuf>,
    /// Where the evidence goes if the two logs part (JSON); never over an existing file.
    #[arg(long, value_name = "FILE", requires = "other_log")]
    pub(crate) evidence: Option<PathBuf>,
}

/// Flags of `prove`.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// Its opening: model and salt.
    #[arg(long, value_name = "FILE")]
    pub(crate) opening: PathBuf,
    /// Where the proof goes; never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Cut the proof after so many decisions, repeatable and rising: proofs of consecutive stretches go to FILE.1, FILE.2, …, FILE.
    #[arg(long, value_name = "DECISIONS")]
    pub(crate) cut: Vec<u32>,
}

/// Flags of `disclose`.
#[derive(Debug, Args)]
pub(crate) struct DiscloseArgs {
    /// The decision log.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The first decision to show.
    #[arg(long, value_name = "DECISION")]
    pub(crate) from: u32,
    /// The decision before which to stop.
    #[arg(long, value_name = "DECISION")]
    pub(crate) to: u32,
    /// Where the records go; never overwritten. Proofs that end at both ends of the range go with them: `prove --cut FROM --cut TO`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A decision log, a proof, or the folder of a run.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Last decisions that are listed.
    #[arg(long, default_value_t = 20)]
    pub(crate) last: usize,
}

/// Flags of `backtest`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BacktestArgs {
    /// A check of the backtest itself, in place of a run.
    #[command(subcommand)]
    pub(crate) check: Option<BacktestCheck>,
    /// OHLCV series (CSV, may be gzipped).
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) data: Option<PathBuf>,
    /// First bar: unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC).
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars that open before this time.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = u64::MAX)]
    pub(crate) to: u64,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Fold every decision and write log and proof into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) prove: Option<PathBuf>,
    /// Write a report into this folder: manifest.json, equity.csv, trades.csv, report.html.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Checks of the backtest.
#[derive(Debug, Subcommand)]
pub(crate) enum BacktestCheck {
    /// Cut off, raise, lower and thin out the future after every bar: no decision up to it may change. Exit code 1 if one does.
    Lookahead {
        /// What to run over.
        #[command(flatten)]
        series: SeriesArgs,
        /// Bars of one window; every bar is the last known one of some window.
        #[arg(long, value_name = "BARS", default_value_t = 40)]
        window: usize,
        /// Cuts over the whole run.
        #[arg(long, default_value_t = 24)]
        cuts: usize,
    },
    /// Decide the second half of the series with more and more history before it: what does the result owe to its start?
    Warmup {
        /// What to run over.
        #[command(flatten)]
        series: SeriesArgs,
        /// Exit code 1 if the returns of the starts lie further apart, bps of the starting value.
        #[arg(long, value_name = "BPS")]
        max_spread_bps: Option<u32>,
    },
    /// Many policies, costs and windows in parallel, one JSON line each; an interrupted sweep goes on in its file.
    Sweep(SweepArgs),
    /// The period of a live log, live and backtested: the difference, trade by trade. Exit code 1 if the model did not make the log.
    Compare(CompareArgs),
}

/// Flags of `backtest sweep`. Every list leaves the model's own value where it is left out.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// What to run over.
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Gains of the policy, times the model's own.
    #[arg(long, value_delimiter = ',', value_name = "TIMES")]
    pub(crate) gain: Vec<f64>,
    /// Half-widths of the no-trade zone.
    #[arg(long, value_delimiter = ',', value_name = "BPS")]
    pub(crate) band_bps: Vec<u16>,
    /// Largest moves in one step.
    #[arg(long, value_delimiter = ',', value_name = "BPS")]
    pub(crate) max_step_bps: Vec<u16>,
    /// Steps without trades after an order.
    #[arg(long, value_delimiter = ',', value_name = "STEPS")]
    pub(crate) cooldown_steps: Vec<u16>,
    /// Pool fees.
    #[arg(long, value_delimiter = ',', value_name = "BPS")]
    pub(crate) fee_bps: Vec<u16>,
    /// Windows of equal length that the series is cut into.
    #[arg(long, default_value_t = 1)]
    pub(crate) windows: usize,
    /// JSON lines: a header with the plan, then one line each.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Threads; as many as there are cores if left out.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// Flags of `backtest compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The live decision log.
    #[arg(value_name = "LIVE_LOG")]
    pub(crate) log: PathBuf,
    /// Model file.
    #[arg(long, value_name = "FILE", required_unless_present = "opening")]
    pub(crate) model: Option<PathBuf>,
    /// Opening of the log's commitment, in place of a model file.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(crate) opening: Option<PathBuf>,
    /// OHLCV series to backtest on; the log's own prices if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
}

/// A recorded series and a model.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// OHLCV series (CSV, may be gzipped).
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// First bar, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 0)]
    pub(crate) from: u64,
    /// Bars that open before this time, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = u64::MAX)]
    pub(crate) to: u64,
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

/// Flags of `train`. The defaults are the ones the shipped model was trained with.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// OHLCV series (CSV, may be gzipped); bars after `--validation-to` are never looked at.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Where the model is written, readable by the owner only. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of everything random: the same seed gives the same model.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Bars before this time train, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 1_640_995_200)]
    pub(crate) validation_from: u64,
    /// Bars from `--validation-from` up to this time stop the training and choose the policy, unix seconds.
    #[arg(long, value_name = "UNIX_S", default_value_t = 1_672_531_200)]
    pub(crate) validation_to: u64,
    /// Bars dropped between training and validation.
    #[arg(long, value_name = "BARS", default_value_t = 256)]
    pub(crate) embargo: usize,
    /// Steps of one training window.
    #[arg(long, value_name = "STEPS", default_value_t = 32)]
    pub(crate) window: usize,
    /// Windows in one batch.
    #[arg(long, value_name = "WINDOWS", default_value_t = 192)]
    pub(crate) batch: usize,
    /// Cost of a trade, bps of its size.
    #[arg(long, value_name = "BPS", default_value_t = 5.0)]
    pub(crate) cost_bps: f64,
    /// Most optimiser steps.
    #[arg(long, value_name = "STEPS", default_value_t = 600)]
    pub(crate) max_steps: usize,
    /// Evaluations (one every 20 steps) without improvement before stopping.
    #[arg(long, default_value_t = 8)]
    pub(crate) patience: usize,
    /// Least share of decisions that must buy, and that must sell, for a policy to be chosen; 0 leaves it to the objective.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) min_activity: f64,
    /// Widths of the hidden layers; empty for a linear model.
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS", default_values_t = [32, 16], conflicts_with = "linear")]
    pub(crate) hidden: Vec<u16>,
    /// No hidden layer: the baseline that a network has to beat.
    #[arg(long)]
    pub(crate) linear: bool,
    /// Train through floats and round at the end, in place of through the integer network's own rounding.
    #[arg(long)]
    pub(crate) float_forward: bool,
    /// Keep the state of the training here (private); a training that was interrupted goes on from it, to the same model.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Also write the float network (safetensors, private). Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights_out: Option<PathBuf>,
}

/// Flags of `walk-forward`.
#[derive(Debug, Args)]
pub(crate) struct WalkForwardArgs {
    /// OHLCV series (CSV, may be gzipped, or Parquet).
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Start of the first part that is traded; everything before it is for the first training.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2018-07-01")]
    pub(crate) first: u64,
    /// Days traded with one model.
    #[arg(long, default_value_t = 183)]
    pub(crate) test_days: u64,
    /// Days before them that stop the training and choose the policy.
    #[arg(long, default_value_t = 183)]
    pub(crate) validation_days: u64,
    /// Costs of a trade: each is trained for, and paid.
    #[arg(long, value_delimiter = ',', value_name = "BPS", default_values_t = [5, 30])]
    pub(crate) cost_bps: Vec<u16>,
    /// Bars of the moving average beside it.
    #[arg(long, value_name = "BARS", default_value_t = 720)]
    pub(crate) average: usize,
    /// Least share of decisions that must buy, and that must sell, for a policy to be chosen; 0 leaves it to the objective.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) min_activity: f64,
    /// Random strategies of the same turnover beside it.
    #[arg(long, default_value_t = 200)]
    pub(crate) random: usize,
    /// Seed of everything random.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Widths of the hidden layers.
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS", default_values_t = [32, 16], conflicts_with = "linear")]
    pub(crate) hidden: Vec<u16>,
    /// No hidden layer.
    #[arg(long)]
    pub(crate) linear: bool,
    /// Most optimiser steps of one training.
    #[arg(long, value_name = "STEPS", default_value_t = 600)]
    pub(crate) max_steps: usize,
    /// Write the figures (walk-forward.json) and the curves (equity-COST.csv) into this folder. Nothing is overwritten.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Float networks and integer models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// Make an integer model of a float network trained elsewhere (PyTorch-style state dict in safetensors), and report.
    Import {
        /// The float network.
        #[arg(long, value_name = "FILE")]
        weights: PathBuf,
        /// OHLCV series to measure activations and choose the policy on.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Where the model is written, readable by the owner only. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Bars before this time measure the activations.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2022-01-01")]
        validation_from: u64,
        /// Bars from there to this time choose the policy; later ones are held out for the report.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2023-01-01")]
        validation_to: u64,
        /// Cost of a trade, bps of its size.
        #[arg(long, value_name = "BPS", default_value_t = 5.0)]
        cost_bps: f64,
    },
    /// What quantising costs: decisions that flip, distance of the outputs, on held-out bars.
    Quantisation {
        /// The float network (`train --weights-out`, or from elsewhere).
        #[arg(long, value_name = "FILE")]
        weights: PathBuf,
        /// The integer model made of it.
        #[arg(long, value_name = "FILE")]
        model: PathBuf,
        /// OHLCV series.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// First bar; take one that neither training nor the choice of the policy has seen.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value = "2023-01-01")]
        from: u64,
        /// Bars before this time.
        #[arg(long, value_name = "TIME", value_parser = crate::time::parse, default_value_t = u64::MAX)]
        to: u64,
        /// Exit code 1 if more decisions of 10,000 flip.
        #[arg(long, value_name = "FLIPS")]
        max_flips: Option<f64>,
    },
}

/// Recorded data.
#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// Gaps, duplicates, order, impossible bars: everything at once. Exit code 1 if a backtest would refuse the file.
    Check {
        /// Bars (CSV, may be gzipped, or Parquet).
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Read a pool's Swap, Mint and Burn logs from a node; an interrupted pull goes on.
    Pull {
        /// The node; what follows its host may be a secret and is never shown.
        #[arg(long, value_name = "URL", env = "PROBITY_RPC", hide_env_values = true)]
        rpc: String,
        /// The pool.
        #[arg(long, value_name = "ADDRESS")]
        pool: String,
        /// First block.
        #[arg(long, value_name = "BLOCK")]
        from: u64,
        /// Last block; 64 behind the newest if left out.
        #[arg(long, value_name = "BLOCK")]
        to: Option<u64>,
        /// Most blocks asked for at once.
        #[arg(long, value_name = "BLOCKS", default_value_t = 2_000)]
        chunk: u64,
        /// CSV file. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bars of a pool's recorded swaps; an interval without a swap gets none.
    Bars {
        /// Logs as `data pull` writes them.
        #[arg(long, value_name = "FILE")]
        logs: PathBuf,
        /// Seconds of one bar.
        #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
        interval_s: u32,
        /// Base is the pool's token0 (default: token1, as in USDC/WETH).
        #[arg(long)]
        base_is_token0: bool,
        /// Decimals of the quote token.
        #[arg(long, default_value_t = 6)]
        quote_decimals: u8,
        /// Decimals of the base token.
        #[arg(long, default_value_t = 18)]
        base_decimals: u8,
        /// CSV file. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Flags of `trials`.
#[derive(Debug, Args)]
pub(crate) struct TrialsArgs {
    /// Commitment file whose ledger head must be in this ledger; exit code 1 if it is not.
    #[arg(long, value_name = "FILE")]
    pub(crate) commitment: Option<PathBuf>,
    /// Its opening, with the binding beside it: checks that the commitment was made over that head.
    #[arg(long, value_name = "FILE", requires = "commitment")]
    pub(crate) opening: Option<PathBuf>,
}

/// Flags of `commit`.
#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    /// Model file; the shipped strategy if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Where the opening (model and salt) is written, readable by the owner only. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) opening: PathBuf,
    /// Where the public part (commitment, shape, head of the trial ledger) is written. Never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,
    /// Longest time from a decision to its proof, for the choice in the table of layouts.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_latency: Option<u64>,
    /// Leave the table of layouts out: it measures this machine and counts circuits, which takes seconds.
    #[arg(long, conflicts_with = "max_latency")]
    pub(crate) no_layout: bool,
}
