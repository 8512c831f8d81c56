//! `probity run`: the live agent, on a development chain that it moves along a market, on a real chain, or on paper beside one.

mod account;
mod beside;
mod book;
mod chain;
mod fault;
mod guard;
pub(crate) mod halt;
mod kept;
mod live;
mod paper;
mod proving;
mod request;
mod rotating;
mod sending;
mod settling;
mod setup;
mod several;
mod stop;
mod summary;
mod weights;
mod workers;
mod world;

pub(crate) use beside::Beside;
pub(crate) use book::Book;
pub(crate) use request::{Request, Requests, TAKEN, WAITING};
pub(crate) use rotating::rotation;
pub(crate) use settling::send as send_settlement;
pub(crate) use several::run as several;
pub(crate) use summary::Summary;
pub(crate) use weights::Weights;

use crate::cli::{HaltArgs, RunArgs};
use crate::journal::{Announced, Entry, Journal};
use crate::output;
use crate::see::terminal::{self, Terminal};
use crate::see::{Event, Feed, Seeing};
use crate::settings::Settings;
use crate::whole;
use account::Account;
use anyhow::{Context, Result, ensure};
use guard::Guard;
use halt::Gate;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use live::Line;
use probity_chain::DevChain;
use probity_strategy::{Amount, Observation, Side, Valuation};
use probity_verifier::{Header, LogWriter};
use setup::Ready;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use stop::{Asked, Stop};
use world::{Turn, World};

/// A run that has ended, with its chains still up.
pub(crate) struct Finished {
    pub(crate) summary: Summary,
    pub(crate) url: String,
    chain: Option<Box<DevChain>>,
}

impl Finished {
    /// Ends the development chains of a sealed run, or says where they still are.
    async fn settle_chain(self, args: &RunArgs) -> Result<()> {
        if self.summary.sealed && !args.keep_chain {
            return self.stop_chain().await;
        }
        if self.chain.is_some() {
            let dir = args.dir.display();
            output::talk(format!("the development chain is still up at {}; `probity chain stop --dir {dir}` ends it", self.url));
        }
        Ok(())
    }

    /// Ends the development chains, if the run had any.
    pub(crate) async fn stop_chain(self) -> Result<()> {
        match self.chain {
            Some(chain) => Ok(chain.stop().await?),
            None => Ok(()),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &RunArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    on_runtime(async {
        let feed = Feed::default();
        let view = Terminal::start(args.plain || json, &feed)?;
        let seeing = Seeing::start(&args.serve, settings, &feed).await?;
        let ran =
            execute(args, settings, &feed, Beside::alone()?).await.inspect_err(|e| feed.tell(&Event::Fault { message: format!("{e:#}") }));
        seeing.finish().await;
        drop(view);
        let finished = ran?;
        output::data(json, "run", &finished.summary, || finished.summary.text())?;
        finished.settle_chain(args).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// `probity halt`: from now on, nothing is decided and nothing is sent.
pub(crate) fn halt(args: &HaltArgs) -> Result<ExitCode> {
    Gate::of(&args.dir).halt(&args.dir, &args.reason)?;
    Ok(ExitCode::SUCCESS)
}

/// `probity resume`.
pub(crate) fn resume(args: &HaltArgs) -> Result<ExitCode> {
    Gate::of(&args.dir).resume(&args.dir, &args.reason)?;
    Ok(ExitCode::SUCCESS)
}

/// `probity chain stop`: ends the chains that a run left up.
pub(crate) fn stop_chains(dir: &Path) -> Result<ExitCode> {
    on_runtime(async {
        match DevChain::attach(dir).await? {
            Some(chain) => {
                chain.stop().await?;
                output::talk(format!("{}: its development chains are ended", dir.display()));
            }
            None => output::talk(format!("{}: no development chains are up", dir.display())),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a live command to its end; work that an error left behind is not waited for.
pub(crate) fn on_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// Runs the agent until its market ends, the number of decisions is reached or a stop is asked for.
pub(crate) async fn execute(args: &RunArgs, settings: &Settings, feed: &Feed, beside: Beside) -> Result<Finished> {
    let stop = beside.stop.clone();
    let (mut ready, _lock) = establish(args, settings, feed, beside).await?;
    ready.agent.gate.started(&ready.agent.journal)?;
    ready.agent.replay()?;
    let mut guard = Guard::of(&ready, settings).await?;
    fault::reached(fault::Boundary::Ready);
    let asked = decide_all(args, &mut ready, &mut guard, &stop).await?;
    if asked == Asked::Leave {
        ready.agent.gate.terminated(&ready.agent.journal)?;
    }
    let finished = finish(args, ready, asked != Asked::Leave).await?;
    feed.tell(&Event::Ended { sealed: finished.summary.sealed });
    Ok(finished)
}

/// Everything up to the first decision, and the folder's lock. Made once; found again on later starts.
pub(crate) async fn establish(args: &RunArgs, settings: &Settings, feed: &Feed, beside: Beside) -> Result<(Ready, File)> {
    std::fs::create_dir_all(&args.dir).with_context(|| format!("--dir {}: expected a folder that can be written", args.dir.display()))?;
    let lock = lock(&args.dir)?;
    if let Some(drill) = fault::prepare()? {
        output::talk(drill);
    }
    ensure!(settings.posting.every_decisions > 0, "posting.every_decisions: expected 1 or more, got 0");
    let journal = Journal::open(&args.dir)?;
    ensure!(journal.meta("sealed")?.is_none(), "{}: this run is sealed; start a new one in another --dir", args.dir.display());
    Ok((setup::ready(args, settings, journal, feed, beside).await?, lock))
}

async fn decide_all(args: &RunArgs, ready: &mut Ready, guard: &mut Guard, stop: &Stop) -> Result<Asked> {
    let most = match (args.decisions, &ready.world) {
        (Some(most), _) => Some(most),
        (None, World::Development { market, .. }) => Some(u32::try_from(market.bars.len())?),
        (None, World::Real { .. }) => None,
    };
    let bar = progress(most)?;
    ready.agent.feed.plan(most);
    let mut caught_up = false;
    loop {
        if !guard.may_act(ready, stop).await? || (caught_up && most.is_some_and(|m| ready.agent.state.step >= m)) {
            break;
        }
        match one(ready, &mut caught_up, stop).await {
            Ok(Next::Decided(line)) => {
                guard.went_well();
                if !terminal::shows_decisions() {
                    bar.suspend(|| output::talk(words(&line, ready.quote_decimals, ready.base_decimals)));
                }
            }
            Ok(Next::Passed) => guard.went_well(),
            Ok(Next::Over) => break,
            Err(error) => {
                let words = guard.forgive(error)?;
                bar.suspend(|| output::talk(words));
                caught_up = false;
                tokio::select! {
                    () = tokio::time::sleep(guard.pause()) => {}
                    () = stop.wait() => {}
                }
            }
        }
        bar.set_position(ready.agent.state.step.into());
    }
    bar.finish_and_clear();
    Ok(stop.asked())
}

/// What one turn of the loop brought.
enum Next {
    Decided(Box<Line>),
    /// The interval went by without a decision, or journal and chain were brought together.
    Passed,
    Over,
}

async fn one(ready: &mut Ready, caught_up: &mut bool, stop: &Stop) -> Result<Next> {
    if !*caught_up {
        ready.agent.catch_up().await?;
        *caught_up = true;
        return Ok(Next::Passed);
    }
    ready.agent.announce_if_asked().await?;
    let (m, last_s) = (&ready.header.mandate, ready.agent.passed_s);
    let time_s = match ready.world.next(last_s, m.genesis_time_s, m.interval_s, stop).await? {
        Turn::At(time_s) => time_s,
        Turn::Waiting => return Ok(Next::Passed),
        Turn::Over => return Ok(Next::Over),
    };
    Ok(ready.agent.decide(time_s).await?.map_or(Next::Passed, |line| Next::Decided(Box::new(line))))
}

/// Proves, posts and exports; with `seal`, closes the log for good.
async fn finish(args: &RunArgs, ready: Ready, seal: bool) -> Result<Finished> {
    let Ready { mut agent, world, header, source, simulated, .. } = ready;
    let (log, proof_path) = (args.dir.join("decisions.jsonl"), args.dir.join("proof.bin"));
    if agent.state.step > 0 && seal {
        output::talk(if agent.account.is_paper() {
            "proving all decisions; on paper, nothing is posted …"
        } else {
            "proving all decisions and posting what is not on chain yet …"
        });
        let proof = agent.post().await?;
        whole::write(&proof_path, &proof.bytes)?;
        agent.settle_all().await?;
    }
    let entries = agent.journal.entries()?;
    export(&log, &header, &entries, &agent.journal.announcements()?, seal)?;
    if seal {
        agent.journal.set_meta("sealed", "yes")?;
    }
    let end = match entries.last() {
        Some(entry) => Some(ending(&agent, &entry.record.observation).await?),
        None => None,
    };
    let (posts, stats) = (agent.journal.posts()?, agent.proving.stats());
    let summary = Summary::of(summary::Sources {
        source: &source,
        simulated,
        vault: if agent.account.is_paper() { "none, on paper".to_owned() } else { header.mandate.vault.clone() },
        paper: agent.account.is_paper(),
        gas_cost_wei: agent.journal.paper_gas_wei()?,
        entries: &entries,
        posts: &posts,
        stats: &stats,
        end,
        params_s: stats.params_s,
        sealed: seal,
        log,
        proof: proof_path,
    });
    agent.proving.finish()?;
    let (url, chain) = match world {
        World::Development { chain, .. } => (chain.url().to_owned(), Some(chain)),
        World::Real { .. } => (String::new(), None),
    };
    Ok(Finished { summary, url, chain })
}

/// The accounts now, at the price of the last observation.
async fn ending(agent: &live::Agent, last: &Observation) -> Result<Observation> {
    let vault = match &agent.account {
        Account::Vault(vault) => vault,
        Account::Paper(paper) => return Ok(paper.ending(last)),
    };
    let now = vault.view().balances().await?;
    Ok(Observation { quote: Amount::new(now.quote)?, base: Amount::new(now.base)?, shares: Amount::new(now.shares)?, ..last.clone() })
}

/// Writes the log of the journal's decisions and announcements, all or nothing.
pub(crate) fn export(path: &Path, header: &Header, entries: &[Entry], announced: &[Announced], seal: bool) -> Result<()> {
    let temporary = path.with_extension("jsonl.tmp");
    if temporary.exists() {
        std::fs::remove_file(&temporary)?;
    }
    let mut log = LogWriter::create(&temporary, header, false)?;
    let mut announced = announced.iter().peekable();
    for entry in entries {
        let step = entry.record.observation.step;
        if let Some(a) = announced.next_if(|a| a.step == step) {
            announce(&mut log, a)?;
        }
        let head = log.append(&entry.record)?;
        ensure!(head.to_string() == entry.head, "journal: head of decision {step}: expected {head}, got {}", entry.head);
    }
    for a in announced {
        announce(&mut log, a)?;
    }
    if seal {
        log.seal()?;
    }
    File::open(&temporary)?.sync_all()?;
    std::fs::rename(&temporary, path).with_context(|| format!("{}", path.display()))
}

fn announce(log: &mut LogWriter, a: &Announced) -> Result<()> {
    let head = log.announce(&a.rotation)?;
    ensure!(head == a.head, "journal: head of the announcement before decision {}: expected {head}, got {}", a.step, a.head);
    Ok(())
}

/// One agent a folder: the lock goes with the process, however it ends.
pub(crate) fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(|| format!("{}", path.display()))?;
    file.try_lock().map_err(|_| anyhow::anyhow!("{}: another agent runs in this folder", dir.display()))?;
    Ok(file)
}

fn progress(most: Option<u32>) -> Result<ProgressBar> {
    let bar = most.map_or_else(ProgressBar::no_length, |m| ProgressBar::new(m.into()));
    if terminal::is_wanted() || !output::speaker().is_empty() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    Ok(bar.with_style(ProgressStyle::with_template("{bar:32} {pos}/{len} decisions, {elapsed} so far, {eta} left")?))
}

/// One decision as a line.
fn words(line: &Line, quote_decimals: u8, base_decimals: u8) -> String {
    let (obs, o) = (&line.record.observation, &line.outcome);
    let val = Valuation::of(obs);
    let what = match line.record.decision.order {
        None => "hold".to_owned(),
        Some(order) => {
            let (name, given, taken) = match order.side {
                Side::Buy => ("buy ", quote_decimals, base_decimals),
                Side::Sell => ("sell", base_decimals, quote_decimals),
            };
            let got = if o.executed { format!("for {}", units(o.amount_out, taken)) } else { "NOT FILLED".to_owned() };
            format!("{name} {} {got}", units(order.amount_in.raw(), given))
        }
    };
    let halted = if line.record.decision.halted { " HALTED" } else { "" };
    let (paper, cost) = line.paper.as_ref().map_or(("", String::new()), |p| {
        let wei = p.gas_price_wei.map(|price| price.saturating_mul(o.gas_used.into()));
        ("PAPER ", wei.map_or_else(String::new, |wei| format!(", which would cost {} ether", units(wei, 18))))
    });
    let proof = if o.proof_bytes > 0 { format!(", proof of {} bytes", o.proof_bytes) } else { String::new() };
    format!(
        "{paper}#{:<4} {} tick {:>7} nav {:>14} weight {:>5.1} %  {what}{halted}  ({} gas{cost}{proof})",
        obs.step,
        crate::time::utc(obs.time_s),
        obs.mean_tick,
        units(val.nav, quote_decimals),
        f64::from(u32::try_from(val.weight_bps).unwrap_or(0)) / 100.0,
        o.gas_used
    )
}

/// Raw units as a decimal, cut off: four digits behind the point at most, and of what is less than one as many as show four that count.
pub(crate) fn units(raw: u128, decimals: u8) -> String {
    let digits = raw.to_string();
    let behind = usize::from(decimals);
    let (whole, rest) = digits.split_at_checked(digits.len().saturating_sub(behind)).unwrap_or(("", &digits));
    if behind == 0 {
        return whole.to_owned();
    }
    let rest = format!("{rest:0>behind$}");
    let shown = match rest.find(|c| c != '0') {
        Some(first) if whole.is_empty() => first.saturating_add(4),
        _ => 4,
    };
    let shown: String = rest.chars().take(shown).collect();
    format!("{}.{shown}", if whole.is_empty() { "0" } else { whole })
}

#[cfg(test)]
mod tests {
    use super::units;

    #[test]
    fn amounts_of_any_decimals_are_told() {
        for (raw, decimals, text) in [
            (0, 0, "0"),
            (7, 0, "7"),
            (1_234_567, 2, "12345.67"),
            (5, 2, "0.05"),
            (1_500_000, 6, "1.5000"),
            (999_999_999, 6, "999.9999"),
            (0, 18, "0.0000"),
            (123_456_789, 18, "0.0000000001234"),
            (1_000_000_000_000_000_000_000, 21, "1.0000"),
            (12, 27, "0.000000000000000000000000012"),
            (u128::MAX, 38, "3.4028"),
            (u128::MAX, 39, "0.3402"),
            (u128::MAX, 255, &format!("0.{}3402", "0".repeat(216))),
        ] {
            assert_eq!(units(raw, decimals), text, "{raw} {decimals}");
        }
    }
}
