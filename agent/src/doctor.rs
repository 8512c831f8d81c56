//! `probity doctor`: looks at everything that a run on a real chain needs, and says what to do about what is missing.
//!
//! Nothing is sent and nothing written. A check that could not be made is a failure, never a pass.

use crate::cli::DoctorArgs;
use crate::journal::Journal;
use crate::run::{Book, Requests, TAKEN, WAITING, on_runtime, units};
use crate::settings::Settings;
use crate::{keys, output};
use anyhow::{Context, Result};
use probity_backtest::v3::{Direction, Exact, Pool, sqrt_ratio_at_tick};
use probity_chain::{Address, FACTORY, PoolInfo, Survey, VaultView, chain_id};
use probity_strategy::{ProofEngine, oriented, price_x64};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Gas of deploying, first deposit and registration, with room.
const FIRST_GAS: u128 = 12_000_000;
/// Gas of a week of hourly trades with a proof each, in thousands of millions: below it a warning.
const WEEK_GAS: u128 = 168 * 700_000;
/// How far this machine's clock and the newest block may be apart, s.
const DRIFT_S: u64 = 60;
/// Intervals of oracle history that the agent keeps.
const ORACLE_INTERVALS: u64 = 8;
/// Shortest time between two blocks, s.
const BLOCK_TIME_S: u64 = 12;
/// Free disk space below which a run is not started, and below which it is warned of, bytes.
const LEAST_DISK: u64 = 1 << 30;
const GOOD_DISK: u64 = 5 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    name: &'static str,
    verdict: Verdict,
    seen: String,
    /// What to do; empty where nothing is.
    fix: String,
}

/// All of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Checkup {
    checks: Vec<Check>,
    pub(crate) warnings: usize,
    pub(crate) failures: usize,
}

impl Checkup {
    fn add(&mut self, name: &'static str, verdict: Verdict, seen: impl Into<String>, fix: impl Into<String>) {
        let fix = if verdict == Verdict::Ok { String::new() } else { fix.into() };
        self.checks.push(Check { name, verdict, seen: seen.into(), fix });
    }

    fn failed(&mut self, name: &'static str, error: &anyhow::Error, fix: impl Into<String>) {
        self.add(name, Verdict::Fail, format!("{error:#}"), fix);
    }
}

/// Runs the command; exit code 1 if something fails.
pub(crate) fn run(args: &DoctorArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let all = look(&args.dir, settings)?;
    output::data(json, "doctor", &all, || all.text())?;
    Ok(if all.failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Looks at everything.
pub(crate) fn look(dir: &Path, settings: &Settings) -> Result<Checkup> {
    let mut all = Checkup::default();
    here(&mut all, dir, settings);
    on_runtime(async {
        there(&mut all, dir, settings).await;
        Ok(())
    })?;
    all.failures = all.checks.iter().filter(|c| c.verdict == Verdict::Fail).count();
    all.warnings = all.checks.iter().filter(|c| c.verdict == Verdict::Warn).count();
    Ok(all)
}

/// What this machine shows.
fn here(all: &mut Checkup, dir: &Path, settings: &Settings) {
    match (settings.mandate.proof_engine, settings.proof.source()) {
        (ProofEngine::Transparent, _) => all.add("parameters", Verdict::Ok, "the transparent engine needs none", ""),
        (_, Err(error)) => all.failed("parameters", &error, "correct section [proof]"),
        (_, Ok(_)) => {
            let there = Path::new(&settings.proof.ptau_file).is_file();
            let (verdict, seen) = if there { (Verdict::Ok, "is there") } else { (Verdict::Fail, "is not there") };
            let fix = "`probity params fetch`, name its file in proof.ptau_file, then `probity params check FILE`";
            all.add("parameters", verdict, format!("file {:?} {seen}", settings.proof.ptau_file), fix);
        }
    }
    match settings.shares.terms() {
        Ok(_) => all.add("share terms", Verdict::Ok, "the contract takes them", ""),
        Err(error) => all.failed("share terms", &error, "correct section [shares]"),
    }
    let place = dir.ancestors().find(|d| d.is_dir()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(place) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let verdict = if free < LEAST_DISK {
                Verdict::Fail
            } else if free < GOOD_DISK {
                Verdict::Warn
            } else {
                Verdict::Ok
            };
            all.add("disk", verdict, format!("{} MiB free at {}", free >> 20, place.display()), "make room, or name another --dir");
        }
        Err(error) => all.add("disk", Verdict::Fail, format!("{}: {error}", place.display()), "name a --dir that can be read"),
    }
    let mut open = Vec::new();
    let secrets =
        ["opening.json", "opening.binding.json", "model.json", "session.ckpt", "operator.key", WAITING, TAKEN].map(|name| dir.join(name));
    let named = [&settings.keys.keystore, &settings.keys.password_file].map(|file| Path::new(file).to_owned());
    for file in secrets.iter().chain(&named) {
        if let Ok(meta) = std::fs::metadata(file)
            && meta.is_file()
            && std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0
        {
            open.push(file.display().to_string());
        }
    }
    let verdict = if open.is_empty() { Verdict::Ok } else { Verdict::Fail };
    let seen =
        if open.is_empty() { "no secret file can be read by others".to_owned() } else { format!("others can read {}", open.join(", ")) };
    all.add("file permissions", verdict, seen, format!("chmod 600 {}", open.join(" ")));
    weights(all, dir);
}

/// The weights of a run that goes on, and which are to take over.
fn weights(all: &mut Checkup, dir: &Path) {
    if !dir.join("journal.sqlite").is_file() || !Journal::existing(dir).and_then(|j| j.meta("mandate")).is_ok_and(|m| m.is_some()) {
        return;
    }
    let seen = Book::open(dir).and_then(|book| {
        let (decisions, announced) = (book.journal.len()?, book.journal.announcements()?);
        let ahead = announced.last().filter(|a| a.is_ahead(decisions));
        let ahead = ahead.map(|a| format!("; {} from decision {} on", a.rotation.commitment, a.rotation.at_step)).unwrap_or_default();
        let asked = if Requests::of(dir).is_any() { "; others are asked for and not yet announced" } else { "" };
        Ok(format!("{} in force{ahead}{asked}", book.weights.at(decisions).commitment))
    });
    match seen {
        Ok(seen) => all.add("weights", Verdict::Ok, seen, ""),
        Err(error) => all.failed("weights", &error, "put back the newest copy of opening.json"),
    }
}

/// What the chain shows.
async fn there(all: &mut Checkup, dir: &Path, settings: &Settings) {
    let url = settings.chain.rpc_url.expose();
    if url.is_empty() {
        all.add("node", Verdict::Fail, "no node is named", "name one: --rpc URL or setting chain.rpc_url");
        return;
    }
    let id = match chain_id(url).await {
        Ok(id) => id,
        Err(error) => return all.failed("node", &error.into(), "correct chain.rpc_url, or start the node"),
    };
    all.add("node", Verdict::Ok, format!("{} answers", settings.chain.rpc_url.host()), "");
    let (verdict, seen) = match settings.chain.chain_id {
        0 => (Verdict::Warn, format!("{id}; the settings name none")),
        wanted if wanted == id => (Verdict::Ok, id.to_string()),
        wanted => (Verdict::Fail, format!("{id}; the settings expect {wanted}")),
    };
    all.add("chain id", verdict, seen, "name a node of the chain that is meant in chain.rpc_url, and that chain's id in chain.chain_id");
    let signer = match keys::operator(settings).await {
        Ok(signer) => {
            all.add("operator", Verdict::Ok, format!("{:?}, key: {}", signer.address(), keys::source(settings)), "");
            Some(signer.address())
        }
        Err(error) => {
            all.failed("operator", &error, "`probity keys new --out FILE`, then setting keys.keystore");
            None
        }
    };
    let survey = match Survey::at(url) {
        Ok(survey) => survey,
        Err(error) => return all.failed("node", &error.into(), "correct chain.rpc_url"),
    };
    if let Err(error) = clock_and_gas(all, &survey, settings, signer).await {
        all.failed("clock", &error, "wait until the node has caught up, or name another");
    }
    let vault = match kept_vault(dir) {
        Ok(vault) => vault,
        Err(error) => return all.failed("run's folder", &error, "name the run's own --dir"),
    };
    if let Err(error) = pool(all, &survey, settings, signer, vault.is_some()).await {
        all.failed("pool", &error, "correct chain.pool and chain.quote_token: a Uniswap v3 pool of this chain and one of its tokens");
    }
    match vault {
        None => all.add("vault", Verdict::Warn, format!("none in {}", dir.display()), "`probity deploy` makes one"),
        Some(address) => {
            if let Err(error) = on_vault(all, url, address, signer, id, dir).await {
                all.failed("vault", &error, "check that chain.rpc_url is the chain that it was deployed on");
            }
        }
    }
}

async fn clock_and_gas(all: &mut Checkup, survey: &Survey, settings: &Settings, account: Option<Address>) -> Result<()> {
    let newest = survey.newest().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("this machine's clock is before 1970")?.as_secs();
    let drift = now.abs_diff(newest.time_s);
    let verdict = if drift <= DRIFT_S {
        Verdict::Ok
    } else if drift < u64::from(settings.mandate.interval_s) && newest.time_s <= now {
        Verdict::Warn
    } else {
        Verdict::Fail
    };
    let seen =
        format!("block {} is {drift} s {} this machine's clock", newest.number, if newest.time_s > now { "ahead of" } else { "behind" });
    all.add("clock", verdict, seen, "set this machine's clock by NTP; if the clock is right the node lags: name another");
    let Some(account) = account else { return Ok(()) };
    let fee = newest.base_fee_wei.saturating_mul(2).saturating_add(1_000_000_000);
    let (have, least, week) = (survey.wei(account).await?, fee.saturating_mul(FIRST_GAS), fee.saturating_mul(WEEK_GAS));
    let verdict = if have < least {
        Verdict::Fail
    } else if have < week {
        Verdict::Warn
    } else {
        Verdict::Ok
    };
    let seen = format!(
        "{} ether; deploying may cost {}, a week of hourly trades with a proof each {}",
        units(have, 18),
        units(least, 18),
        units(week, 18)
    );
    all.add("gas money", verdict, seen, format!("send ether to {account:?}"));
    Ok(())
}

async fn pool(all: &mut Checkup, survey: &Survey, settings: &Settings, account: Option<Address>, deployed: bool) -> Result<()> {
    let url = settings.chain.rpc_url.expose();
    let (address, quote) =
        (keys::address("chain.pool", &settings.chain.pool)?, keys::address("chain.quote_token", &settings.chain.quote_token)?);
    let pool = PoolInfo::read(url, address, quote).await?;
    let what = format!("{}/{} at {} hundredths of a basis point", pool.base.symbol, pool.quote.symbol, pool.fee_pips);
    let (factory, named) = survey.factory(address).await?;
    match (named, factory == FACTORY) {
        (true, true) => all.add("pool", Verdict::Ok, format!("{what}, of Uniswap's factory"), ""),
        (true, false) => all.add(
            "pool",
            Verdict::Warn,
            format!("{what}, of the factory {factory:?}"),
            "make sure that this is Uniswap's factory on this chain",
        ),
        (false, _) => all.add(
            "pool",
            Verdict::Fail,
            format!("{what}, which its factory {factory:?} does not know"),
            "name a pool of Uniswap's factory",
        ),
    }
    let unit = 10u128.checked_pow(pool.quote.decimals.into()).context("quote token: more decimals than 38")?;
    let trade = u128::from(settings.mandate.max_trade_quote_units).checked_mul(unit).context("setting mandate.max_trade_quote_units")?;
    depth(all, &pool, trade, settings.mandate.max_slippage_bps)?;
    let (decisions, shares) = (u64::from(settings.mandate.interval_s) * ORACLE_INTERVALS, u64::from(settings.shares.price_window_s) * 2);
    let (keeps, wanted) = (u64::from(pool.cardinality) * BLOCK_TIME_S, decisions.max(shares));
    let verdict = if keeps >= wanted { Verdict::Ok } else { Verdict::Warn };
    let seen = format!("{} observations: {keeps} s if every block of {BLOCK_TIME_S} s trades, {wanted} s are wanted", pool.cardinality);
    all.add(
        "oracle",
        verdict,
        seen,
        "`probity deploy` lengthens it at your cost (about 22,000 gas an observation); new ones fill as the pool trades",
    );
    if let (Some(account), false) = (account, deployed) {
        let seed = u128::from(settings.agent.seed_quote_units).checked_mul(unit).context("setting agent.seed_quote_units")?;
        let have = survey.raw(quote, account).await?;
        let verdict = if have >= seed { Verdict::Ok } else { Verdict::Fail };
        let seen = format!(
            "{} {}, the first deposit is {}",
            units(have, pool.quote.decimals),
            pool.quote.symbol,
            units(seed, pool.quote.decimals)
        );
        all.add("first deposit", verdict, seen, format!("send {} to {account:?}, or lower agent.seed_quote_units", pool.quote.symbol));
    }
    Ok(())
}

/// What the mandate's largest buy loses to fee and price, through the exact venue with the liquidity that is in range now.
fn depth(all: &mut Checkup, pool: &PoolInfo, trade: u128, most_bps: u16) -> Result<()> {
    let name = "depth";
    let fix = "lower mandate.max_trade_quote_units, raise mandate.max_slippage_bps, or name a deeper pool";
    if pool.liquidity == 0 {
        all.add(name, Verdict::Fail, "no liquidity at the pool's price", fix);
        return Ok(());
    }
    let venue = Pool::constant_liquidity(pool.fee_pips, pool.liquidity, sqrt_ratio_at_tick(pool.tick)?)?;
    let direction = if pool.base_is_token1 { Direction::ZeroForOne } else { Direction::OneForZero };
    let swap = venue.quote(direction, Exact::In(trade), None)?;
    let price = price_x64(oriented(pool.tick, pool.base_is_token1)).x64();
    let worth = probity_backtest::v3::U256::from(swap.amount_out) * probity_backtest::v3::U256::from(price);
    let kept = (worth >> 64) * probity_backtest::v3::U256::from(10_000u32) / probity_backtest::v3::U256::from(swap.amount_in.max(1));
    let lost = 10_000u64.saturating_sub(u64::try_from(kept).unwrap_or(10_000));
    let most = u64::from(most_bps);
    let verdict = if swap.amount_in < trade || lost > most {
        Verdict::Fail
    } else if lost * 2 > most {
        Verdict::Warn
    } else {
        Verdict::Ok
    };
    let seen = format!(
        "the largest trade ({} {}) loses {lost} bps to fee and price with the liquidity in range now; the mandate allows {most}",
        units(trade, pool.quote.decimals),
        pool.quote.symbol
    );
    all.add(name, verdict, seen, fix);
    Ok(())
}

fn kept_vault(dir: &Path) -> Result<Option<Address>> {
    if !dir.join("journal.sqlite").is_file() {
        return Ok(None);
    }
    Journal::open(dir)?.meta("vault")?.map(|text| keys::address("journal: vault", &text)).transpose()
}

async fn on_vault(all: &mut Checkup, url: &str, address: Address, account: Option<Address>, id: u64, dir: &Path) -> Result<()> {
    let view = VaultView::at(url, address)?;
    let name = "vault";
    if !view.exists().await? {
        all.add(
            name,
            Verdict::Fail,
            format!("nothing at {address:?} on chain {id}"),
            "check that chain.rpc_url is the chain that it was deployed on",
        );
        return Ok(());
    }
    let (known, operator, block) = (view.code_matches().await?, view.operator().await?, view.registration().await?.1);
    let (verdict, fix) = match () {
        () if !known => (Verdict::Fail, "another version's vault: run it with the version that deployed it".to_owned()),
        () if account.is_some_and(|a| a != operator) => (Verdict::Fail, format!("its operator is {operator:?}: name that account's key")),
        () if block == 0 => (Verdict::Warn, format!("`probity deploy --dir {}` registers mandate and commitment", dir.display())),
        () => (Verdict::Ok, String::new()),
    };
    let seen = if block == 0 { "not registered".to_owned() } else { format!("registered in block {block}") };
    let code = if known { "this version's code" } else { "UNKNOWN code" };
    all.add(name, verdict, format!("{address:?}: {code}, {seen}"), fix);
    Ok(())
}

impl Checkup {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        table.set_header(["check", "", "seen", "what to do"]);
        for check in &self.checks {
            let verdict = match check.verdict {
                Verdict::Ok => "ok",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            table.add_row([check.name, verdict, &check.seen, &check.fix]);
        }
        format!("{table}\n{} checks, {} warnings, {} failures", self.checks.len(), self.warnings, self.failures)
    }
}
