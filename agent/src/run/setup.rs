//! From nothing, or from the journal of an earlier start, to an agent on a registered vault.
//!
//! Every part is kept in the journal before the next one is made, so that a start that was cut off goes on where it was.

use crate::cli::RunArgs;
use crate::journal::Journal;
use crate::market::MarketPath;
use crate::output;
use crate::run::account::Account;
use crate::run::beside::Beside;
use crate::run::chain::{Chain, chain, market, pool, sender};
use crate::run::halt::Gate;
use crate::run::live::Agent;
use crate::run::paper::{NOWHERE, Paper};
use crate::run::proving::{Proving, Secrets};
use crate::run::rotating::Turning;
use crate::run::sending::{Following, What};
use crate::run::settling::{Parts, Settling};
use crate::run::weights::{OPENING, Weights};
use crate::run::world::World;
use crate::see::{About, Feed, Pair};
use crate::settings::Settings;
use crate::{commit, keys, secret, strategy_file};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{Address, PoolInfo, Promise, Sender, Survey, Vault, VaultView};
use probity_learn::{Candle, ModelFile};
use probity_strategy::{Amount, Engine, Mandate, ModelShape, State};
use probity_verifier::{Digest, Header, Reveal, commit_model, mandate_digest};
use std::path::Path;
use std::time::Duration;

/// Intervals of oracle history that the pool has to keep.
const ORACLE_INTERVALS: u64 = 8;

/// A run that is ready to decide.
pub(crate) struct Ready {
    pub(crate) agent: Agent,
    pub(crate) world: World,
    pub(crate) header: Header,
    /// Where the prices come from, for people.
    pub(crate) source: String,
    pub(crate) simulated: bool,
    pub(crate) base_decimals: u8,
    pub(crate) quote_decimals: u8,
}

/// Makes a run ready in its folder.
pub(crate) async fn ready(args: &RunArgs, settings: &Settings, journal: Journal, feed: &Feed, beside: Beside) -> Result<Ready> {
    let opening = opening(&args.dir, args.model.as_deref(), settings)?;
    // What was announced is in there too, once the journal says so.
    let whole = opening.reveal.clone();
    let (file, salt) = (ModelFile::new(opening.shape, opening.reveal.model)?, opening.reveal.salt);
    let chain = chain(args, settings, &journal, beside.signer).await?;
    let pool = pool(&chain, settings).await?;
    let market = match &chain {
        Chain::Development(dev) => Some(market(args, settings, &journal, &pool, dev).await?),
        Chain::Real { .. } | Chain::Paper { .. } => None,
    };
    let sender = sender(&chain, settings, args).await?;
    let vault = match sender.clone() {
        Some(sender) => Some(vault(&chain, sender, settings, args, &journal, &pool).await?),
        None => None,
    };
    let mandate = mandate(settings, &journal, &chain, vault.as_ref(), &pool, market.as_ref(), file.shape.clone()).await?;
    let commitment = commit_model(&mandate.model, &file.model, &salt);
    let header = Header::new(mandate.clone(), commitment);
    let weights = Weights::opened(whole, &mandate, &journal.announcements()?)?;
    let parts = Parts { dir: &args.dir, url: chain.url(), header: &header, weights: &weights, feed, workers: beside.workers.clone() };
    let (account, registered_block, settling) = match (vault, &sender) {
        (Some(vault), Some(sender)) => {
            keep(&journal, &mandate)?;
            let registered_block = register(&vault, &mandate, &header).await?;
            let settling = Settling::start(parts, settings, &vault, sender, &journal).await?;
            (Account::Vault(Box::new(vault)), registered_block, settling)
        }
        _ => {
            if settings.settlement.on() {
                output::talk("settlement.mode: nothing is settled on paper");
            }
            let paper = Paper::open(settings, &mandate, &pool).await?;
            // Not before: one that the pool is no good for binds no later start.
            keep(&journal, &mandate)?;
            (Account::Paper(Box::new(paper)), 0, None)
        }
    };
    let secrets = Secrets {
        mandate: mandate.clone(),
        dir: args.dir.clone(),
        proof: settings.proof.clone(),
        fold: settings.safety.fold,
        workers: beside.workers,
    };
    let proving = Proving::start(secrets, feed.clone())?;
    let agent = Agent {
        engine: Engine::new(mandate.clone(), file.model.clone())?,
        candle: Candle::new(&file.shape, &file.model)?,
        turning: Turning::of(args.dir.clone(), weights),
        account,
        journal,
        gate: Gate::of(&args.dir),
        proving,
        posting: settings.posting.clone(),
        settling,
        feed: feed.clone(),
        registered_block,
        confirmations: if matches!(chain, Chain::Development(_)) { 0 } else { settings.safety.confirmations },
        genesis_head: header.genesis_head,
        state: State::genesis(&mandate),
        head: header.genesis_head,
        decided: header.genesis_head,
        posted: 0,
        proven: 0,
        passed_s: mandate.genesis_time_s,
    };
    let (base_decimals, quote_decimals) = (pool.base.decimals, pool.quote.decimals);
    let (source, simulated) = market.as_ref().map_or_else(
        || {
            let paper = if agent.account.is_paper() { "ON PAPER: " } else { "" };
            (format!("{paper}chain {} at {}", mandate.chain_id, settings.chain.rpc_url.host()), false)
        },
        |m| (m.source.clone(), m.simulated),
    );
    let pair = Pair { base: pool.base.symbol.clone(), base_decimals, quote: pool.quote.symbol.clone(), quote_decimals };
    agent.journal.set_meta("pair", &serde_json::to_string(&pair)?)?;
    agent.journal.set_meta("source", &source)?;
    feed.start(About { paper: agent.account.is_paper(), ..About::of(&header, source.clone(), simulated, pair) });
    feed.restore(
        &agent.journal.entries()?,
        &agent.journal.announcements()?,
        &agent.journal.posts()?,
        agent.journal.last_change()?.as_ref(),
    );
    let world = match (chain, market) {
        (Chain::Development(chain), Some(market)) => World::Development { chain, pool, market },
        (Chain::Real { url, .. } | Chain::Paper { url, .. }, _) => {
            let vault = agent.account.vault().map_or(Address::zero(), |v| v.view().address());
            World::Real {
                view: VaultView::at(&url, vault)?,
                poll: Duration::from_millis(settings.chain.poll_interval_ms.max(1)),
                confirmations: settings.safety.confirmations,
            }
        }
        (Chain::Development(_), None) => bail!("a development chain has a market; this is a bug"),
    };
    Ok(Ready { agent, world, header, source, simulated, base_decimals, quote_decimals })
}

struct Opening {
    shape: ModelShape,
    reveal: Reveal,
}

/// The model of the run with its salt: kept in the folder from the first start on.
fn opening(dir: &Path, model: Option<&Path>, settings: &Settings) -> Result<Opening> {
    let (model_path, salt_path) = (dir.join("model.json"), dir.join(OPENING));
    if salt_path.exists() {
        ensure!(model.is_none(), "--model: this run has its model already ({}); another model needs another --dir", model_path.display());
        let shape = ModelFile::load(&model_path)?.shape;
        return Ok(Opening { shape, reveal: secret::read_opening(&salt_path)? });
    }
    let named = Some(Path::new(&settings.agent.model)).filter(|path| !path.as_os_str().is_empty());
    let file = strategy_file::model(model.or(named))?;
    file.save(&model_path)?;
    let bound = commit::bind(&file, settings)?;
    // The opening comes last: it is what a restart looks for.
    bound.write_in(dir, &salt_path)?;
    Ok(Opening { shape: file.shape, reveal: bound.reveal })
}

/// The vault of this run: the journal's, or a new one with its first deposit.
async fn vault(chain: &Chain, sender: Sender, settings: &Settings, args: &RunArgs, journal: &Journal, pool: &PoolInfo) -> Result<Vault> {
    let vault = match journal.meta("vault")? {
        Some(kept) => Vault::at(sender, keys::address("journal: vault", &kept)?),
        None => {
            let real = matches!(chain, Chain::Real { .. });
            ensure!(
                !real || args.deploy,
                "no vault in {}: `--deploy` deploys one on this chain and makes the first deposit",
                args.dir.display()
            );
            // One that was signed before is looked for first: cut off between its receipt and the journal, there is no second vault.
            let (earlier, gate) = (What::Deploy.attempts(journal)?, Gate::of(&args.dir));
            let mut notes = Following { journal, gate: &gate, what: What::Deploy };
            let (places, terms) = ([pool.quote.address, pool.base.address, pool.address], settings.shares.terms()?);
            let vault = Vault::deploy_noting(sender, places, &terms, earlier, &mut notes).await?;
            journal.set_meta("vault", &format!("{:?}", vault.view().address()))?;
            vault
        }
    };
    if vault.view().balances().await?.shares == 0 {
        let seed = first_deposit(settings, pool)?.raw();
        if let Chain::Development(dev) = chain {
            dev.fund_token(pool.quote.address, vault.account(), seed).await?;
        }
        vault.seed(seed, 0).await.context("the first deposit (agent.seed_quote_units from the operator's account)")?;
    }
    Ok(vault)
}

/// The first deposit of the settings, raw.
pub(super) fn first_deposit(settings: &Settings, pool: &PoolInfo) -> Result<Amount> {
    let unit = 10u128.checked_pow(pool.quote.decimals.into()).context("quote token: more decimals than 38")?;
    let raw = u128::from(settings.agent.seed_quote_units).checked_mul(unit).context("setting agent.seed_quote_units")?;
    Amount::new(raw).context("setting agent.seed_quote_units")
}

/// The mandate: the journal's, or made now for this vault; on paper, for none.
async fn mandate(
    settings: &Settings,
    journal: &Journal,
    chain: &Chain,
    vault: Option<&Vault>,
    pool: &PoolInfo,
    market: Option<&MarketPath>,
    shape: ModelShape,
) -> Result<Mandate> {
    let here = format!("{:?}", pool.address);
    if let Some(kept) = journal.meta("mandate")? {
        let mandate: Mandate = serde_json::from_str(&kept).context("journal: mandate")?;
        ensure!(
            mandate.pool == here,
            "setting chain.pool: expected this run's own, {}, got {here}; a run never changes its pool",
            mandate.pool
        );
        return Ok(mandate);
    }
    let interval_s = market.map_or(settings.mandate.interval_s, |m| m.interval_s);
    let genesis_time_s = match market.and_then(|m| m.bars.first()) {
        Some(bar) => bar.open_s,
        None => Survey::at(chain.url())?.newest().await?.time_s,
    };
    let place = strategy_file::Place {
        chain_id: chain.id(),
        vault: vault.map_or_else(|| NOWHERE.to_owned(), |v| format!("{:?}", v.view().address())),
        pool: here,
        base_is_token1: pool.base_is_token1,
        quote_decimals: pool.quote.decimals,
    };
    strategy_file::mandate(settings, &place, shape, interval_s, genesis_time_s)
}

/// From now on the journal's mandate is this one; it has it already where the run goes on.
fn keep(journal: &Journal, mandate: &Mandate) -> Result<()> {
    match journal.meta("mandate")? {
        Some(_) => Ok(()),
        None => journal.set_meta("mandate", &serde_json::to_string(mandate)?),
    }
}

/// Registers mandate and commitment unless that was done; what is registered must be ours. Returns its block.
async fn register(vault: &Vault, mandate: &Mandate, header: &Header) -> Result<u64> {
    let bytes = Digest::to_bytes;
    let promise = Promise {
        mandate_digest: bytes(mandate_digest(mandate)),
        commitment: bytes(header.model_commitment),
        genesis_head: bytes(header.genesis_head),
        genesis_time_s: mandate.genesis_time_s,
        interval_s: mandate.interval_s,
        max_trade_quote: mandate.limits.max_trade_quote.raw(),
        max_slippage_bps: mandate.limits.max_slippage_bps,
    };
    if vault.view().registration().await?.1 == 0 {
        let window_s = vault.view().share_facts().await?.terms.window_s;
        let history_s = (u64::from(mandate.interval_s) * ORACLE_INTERVALS).max(u64::from(window_s) * 2);
        vault.prepare_oracle(history_s).await.context("the pool's oracle history")?;
        vault.register(&promise).await?;
    }
    let (seen, block) = vault.view().registration().await?;
    ensure!(seen == promise, "the vault {:?} is registered for another mandate or model", vault.view().address());
    Ok(block)
}
