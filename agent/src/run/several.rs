//! Several mandates side by side in one process: a settings file, a folder, a journal and a state each.
//!
//! They share the process, the way it is asked to end, and the line in front of the cores. One that halts or fails stops no other;
//! its error is told at once, and the exit code says at the end that there was one.

use crate::cli::RunArgs;
use crate::keys;
use crate::output;
use crate::run::beside::Beside;
use crate::run::{Summary, execute, on_runtime};
use crate::see::{Event, Feed, Named, Seeing};
use crate::settings::{self, Settings};
use anyhow::{Context, Result, anyhow, ensure};
use probity_chain::Signer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::runtime::Handle;

/// One of them.
struct Run {
    name: String,
    args: RunArgs,
    settings: Settings,
    feed: Feed,
    signer: Option<Signer>,
}

/// How it ended.
#[derive(Serialize)]
struct Ended {
    run: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command with one settings file a run.
pub(crate) fn run(args: &RunArgs, files: &[PathBuf], json: bool) -> Result<ExitCode> {
    ensure!(
        args.pool.is_none() && args.model.is_none(),
        "--pool, --model: several runs have one each; name them in their settings files (chain.pool, agent.model)"
    );
    let mut runs = files.iter().map(|file| Run::of(file, args)).collect::<Result<Vec<_>>>()?;
    let mut named = BTreeMap::new();
    for (run, file) in runs.iter().zip(files) {
        if let Some(other) = named.insert(run.name.clone(), file) {
            anyhow::bail!(
                "--config: {} and {} give two runs one name, {}; rename one of the files",
                other.display(),
                file.display(),
                run.name
            );
        }
    }
    let ended = on_runtime(async {
        unlock(&mut runs).await?;
        let feeds = runs.iter().map(|run| Named { name: run.name.clone(), settings: &run.settings, feed: run.feed.clone() }).collect();
        let seeing = Seeing::start_several(&args.serve, feeds).await?;
        let beside = Beside::alone()?;
        let (mut under_way, mut ended) = (Vec::new(), Vec::new());
        for run in runs {
            let name = run.name.clone();
            let beside = Beside { signer: run.signer.clone(), ..beside.clone() };
            // A thread each: what one computes or writes holds up no other, and if one breaks, the others do not.
            under_way.push((name, tokio::task::spawn_blocking(move || Handle::current().block_on(run.carried_out(beside)))));
        }
        for (name, work) in under_way {
            let result = work.await.unwrap_or_else(|broken| Err(anyhow!("it broke: {broken}; this is a bug")));
            let (summary, error) = match result {
                Ok(summary) => (Some(summary), None),
                Err(error) => (None, Some(format!("{error:#}"))),
            };
            ended.push(Ended { run: name, summary, error });
        }
        seeing.finish().await;
        Ok(ended)
    })?;
    output::data(json, "runs", &ended, || ended.iter().map(Ended::text).collect::<Vec<_>>().join("\n"))?;
    Ok(if ended.iter().all(|e| e.error.is_none()) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Unlocks every operator's account, one after the other. One account has one nonce at a time: two vaults of one would race for it.
async fn unlock(runs: &mut [Run]) -> Result<()> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for run in runs.iter_mut().filter(|run| !run.args.paper && !run.settings.chain.rpc_url.is_empty()) {
        let signer = keys::operator(&run.settings).await.with_context(|| format!("run {}", run.name))?;
        let address = format!("{:?}", signer.address());
        if let Some(other) = seen.insert(address.clone(), run.name.clone()) {
            anyhow::bail!(
                "section [keys] of the runs {other} and {}: both sign with {address}, and two vaults would race for its nonces; give each run an account of \
                 its own",
                run.name
            );
        }
        run.signer = Some(signer);
    }
    Ok(())
}

impl Run {
    /// The run of a settings file, in the folder of its name.
    fn of(file: &Path, args: &RunArgs) -> Result<Self> {
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        ensure!(
            !name.is_empty() && name.chars().all(plain),
            "--config {}: expected a file name of letters, digits, - and _ before its ending: it names the run and its folder",
            file.display()
        );
        let settings = settings::load(Some(file), &args.settings())?.settings;
        let args = RunArgs { dir: args.dir.join(&name), plain: true, ..args.clone() };
        Ok(Self { name, args, settings, feed: Feed::default(), signer: None })
    }

    /// Runs it; its lines bear its name.
    async fn carried_out(self, beside: Beside) -> Result<Summary> {
        output::speak_as(&self.name);
        let ended = self.ended(beside).await.inspect_err(|error| {
            self.feed.tell(&Event::Fault { message: format!("{error:#}") });
            output::talk(format!("error: {error:#}; the other runs go on"));
        });
        output::speak_as("");
        ended
    }

    async fn ended(&self, beside: Beside) -> Result<Summary> {
        let finished = execute(&self.args, &self.settings, &self.feed, beside).await?;
        let summary = finished.summary.clone();
        finished.settle_chain(&self.args).await?;
        Ok(summary)
    }
}

impl Ended {
    fn text(&self) -> String {
        let what = match (&self.summary, &self.error) {
            (Some(summary), _) => summary.text(),
            (None, error) => format!("error: {}", error.as_deref().unwrap_or("it did not end")),
        };
        format!("{}\n{what}", self.run)
    }
}
