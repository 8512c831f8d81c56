//! From nothing, or from the journal of an earlier start, to an agent on a registered vault.
//!
//! Every part is kept in the journal before the next one is made, so that a start that was cut off goes on where it was.

use crate::cli::RunArgs;
use crate::journal::Journal;
use crate::market::{MarketChoice, MarketPath};
use crate::output;
use crate::run::halt::Gate;
use crate::run::live::Agent;
use crate::run::proving::{Proving, Secrets};
use crate::run::sending::{DEPLOYING, Following, What};
use crate::run::settling::{Parts, Settling};
use crate::run::world::World;
use crate::see::{About, Feed, Pair};
use crate::settings::Settings;
use crate::{commit, keys, secret, strategy_file};
use anyhow::{Context, Result, bail, ensure};
use probity_backtest::Scale;
use probity_chain::{DevChain, Fees, Origin, PoolInfo, Promise, Sender, Tools, Vault, VaultView};
use probity_learn::{Candle, ModelFile};
use probity_strategy::{Engine, Mandate, ModelShape, State};
use probity_verifier::{Digest, Header, Reveal, commit_model, mandate_digest};
use std::path::Path;
use std::time::Duration;

/// Gas money of a development operator, wei.
const GAS_MONEY: u128 = 1_000_000_000_000_000_000_000;
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
pub(crate) async fn ready(args: &RunArgs, settings: &Settings, journal: Journal, feed: &Feed) -> Result<Ready> {
    let opening = opening(&args.dir, args.model.as_deref(), settings)?;
    let (file, salt) = (ModelFile::new(opening.shape, opening.reveal.model)?, opening.reveal.salt);
    let chain = chain(args, settings, &journal).await?;
    let pool = pool(&chain, settings).await?;
    let market = match &chain {
        Chain::Development(dev) => Some(market(args, settings, &journal, &pool, dev).await?),
        Chain::Real { .. } => None,
    };
    let sender = sender(&chain, settings, args).await?;
    let vault = vault(&chain, sender.clone(), settings, args, &journal, &pool).await?;
    let mandate = mandate(settings, &journal, &vault, &pool, market.as_ref(), file.shape.clone()).await?;
    let commitment = commit_model(&mandate.model, &file.model, &salt);
    let header = Header::new(mandate.clone(), commitment);
    let registered_block = register(&vault, &mandate, &header).await?;
    let parts = Parts { dir: &args.dir, url: chain.url(), header: &header, model: file.model.clone(), salt: salt.clone(), feed };
    let settling = Settling::start(parts, settings, &vault, &sender, &journal).await?;
    let secrets = Secrets {
        mandate: mandate.clone(),
        model: file.model.clone(),
        salt,
        dir: args.dir.clone(),
        proof: settings.proof.clone(),
        fold: settings.safety.fold,
    };
    let proving = Proving::start(secrets, feed.clone())?;
    let agent = Agent {
        engine: Engine::new(mandate.clone(), file.model.clone())?,
        candle: Candle::new(&file.shape, &file.model)?,
        vault,
        journal,
        gate: Gate::of(&args.dir),
        proving,
        posting: settings.posting.clone(),
        settling,
        feed: feed.clone(),
        registered_block,
        confirmations: if matches!(chain, Chain::Real { .. }) { settings.safety.confirmations } else { 0 },
        genesis_head: header.genesis_head,
        state: State::genesis(&mandate),
        head: header.genesis_head,
        posted: 0,
        passed_s: mandate.genesis_time_s,
    };
    let (base_decimals, quote_decimals) = (pool.base.decimals, pool.quote.decimals);
    let (source, simulated) = market.as_ref().map_or_else(
        || (format!("chain {} at {}", mandate.chain_id, settings.chain.rpc_url.host()), false),
        |m| (m.source.clone(), m.simulated),
    );
    let pair = Pair { base: pool.base.symbol.clone(), base_decimals, quote: pool.quote.symbol.clone(), quote_decimals };
    agent.journal.set_meta("pair", &serde_json::to_string(&pair)?)?;
    agent.journal.set_meta("source", &source)?;
    feed.start(About::of(&header, source.clone(), simulated, pair));
    feed.restore(&agent.journal.entries()?, &agent.journal.posts()?, agent.journal.last_change()?.as_ref());
    let world = match (chain, market) {
        (Chain::Development(chain), Some(market)) => World::Development { chain, pool, market },
        (Chain::Real { url, .. }, _) => {
            let view = VaultView::at(&url, agent.vault.view().address())?;
            World::Real {
                view,
                poll: Duration::from_millis(settings.chain.poll_interval_ms.max(1)),
                confirmations: settings.safety.confirmations,
            }
        }
        (Chain::Development(_), None) => bail!("a development chain has a market; this is a bug"),
    };
    Ok(Ready { agent, world, header, source, simulated, base_decimals, quote_decimals })
}

enum Chain {
    Development(Box<DevChain>),
    Real { url: String, sender: Box<Sender> },
}

impl Chain {
    fn url(&self) -> &str {
        match self {
            Self::Development(dev) => dev.url(),
            Self::Real { url, .. } => url,
        }
    }
}

struct Opening {
    shape: ModelShape,
    reveal: Reveal,
}

/// The model of the run with its salt: kept in the folder from the first start on.
fn opening(dir: &Path, model: Option<&Path>, settings: &Settings) -> Result<Opening> {
    let (model_path, salt_path) = (dir.join("model.json"), dir.join("opening.json"));
    if salt_path.exists() {
        ensure!(model.is_none(), "--model: this run has its model already ({}); another model needs another --dir", model_path.display());
        let shape = ModelFile::load(&model_path)?.shape;
        return Ok(Opening { shape, reveal: secret::read_opening(&salt_path)? });
    }
    let file = strategy_file::model(model)?;
    file.save(&model_path)?;
    let bound = commit::bind(&file, settings)?;
    // The opening comes last: it is what a restart looks for.
    bound.write_in(dir, &salt_path)?;
    Ok(Opening { shape: file.shape, reveal: bound.reveal })
}

async fn chain(args: &RunArgs, settings: &Settings, journal: &Journal) -> Result<Chain> {
    if !settings.chain.rpc_url.is_empty() {
        ensure!(
            args.market.is_none() && args.fork_url.is_none(),
            "chain.rpc_url: a real chain has its own market; leave out --market and --fork-url"
        );
        let (signer, url) = (keys::operator(settings).await?, settings.chain.rpc_url.expose().to_owned());
        let chain_id = probity_chain::chain_id(&url).await?;
        let wanted = settings.chain.chain_id;
        ensure!(
            wanted == 0 || wanted == chain_id,
            "chain.chain_id: expected {wanted}, got {chain_id} from {}; name a node of the chain that is meant",
            settings.chain.rpc_url.host()
        );
        journal.bind("chain", &format!("real, id {chain_id}"))?;
        let sender = keys::sender(settings, signer, &url, chain_id).await?.with_fees(fees(settings));
        return Ok(Chain::Real { sender: Box::new(sender), url });
    }
    journal.bind("chain", "development")?;
    if let Some(running) = DevChain::attach(&args.dir).await? {
        output::talk(format!("going on on the development chains of this folder ({})", running.url()));
        return Ok(Chain::Development(Box::new(running)));
    }
    ensure!(
        journal.meta("vault")?.is_none(),
        "{}: its development chains are gone, and its vault with them; start a new run in another --dir",
        args.dir.display()
    );
    let tools = Tools::find((!settings.chain.tools_dir.is_empty()).then(|| Path::new(&settings.chain.tools_dir)))?;
    let origin = match &args.fork_url {
        Some(url) => Origin::Fork { url: url.clone() },
        None => {
            // The chain's clock starts an hour before the market does, at the market's first price.
            let path = MarketPath::of(&choice(args, settings, journal)?, Scale::default())?;
            let first = path.bars.first().context("--market: expected at least one bar")?;
            Origin::StandIn { time_s: first.open_s.saturating_sub(3_600), start_price_x64: first.price.x64() }
        }
    };
    let what = match &origin {
        Origin::StandIn { .. } => "a stand-in mainnet with the real Uniswap v3 bytecode, and a fork of it".to_owned(),
        Origin::Fork { url } => format!("a fork of {}", probity_chain::host_of(url)),
    };
    output::talk(format!("starting {what} …"));
    Ok(Chain::Development(Box::new(DevChain::start(&tools, &args.dir, &origin).await?)))
}

/// The market of this run: what was chosen at its first start.
fn choice(args: &RunArgs, settings: &Settings, journal: &Journal) -> Result<MarketChoice> {
    let asked = match &args.market {
        Some(file) => {
            let file = std::fs::canonicalize(file).with_context(|| format!("--market {}", file.display()))?;
            MarketChoice::Recorded { file, from_s: args.from.unwrap_or(0), to_s: args.to.unwrap_or(u64::MAX) }
        }
        None => MarketChoice::Simulated {
            seed: args.seed.unwrap_or(settings.market.seed),
            start_usdc: settings.market.start_usdc,
            step_bps: settings.market.step_bps,
            interval_s: settings.mandate.interval_s,
            bars: args.decisions.unwrap_or(96),
        },
    };
    match journal.meta("market")? {
        Some(kept) => {
            let kept: MarketChoice = serde_json::from_str(&kept).context("journal: market")?;
            let named = args.market.is_some() || args.seed.is_some();
            ensure!(
                !named || kept == asked,
                "--market, --from, --to, --seed: this run has its market already ({kept:?}); another one needs another --dir"
            );
            Ok(kept)
        }
        None => {
            journal.set_meta("market", &serde_json::to_string(&asked)?)?;
            Ok(asked)
        }
    }
}

async fn market(args: &RunArgs, settings: &Settings, journal: &Journal, pool: &PoolInfo, dev: &DevChain) -> Result<MarketPath> {
    let scale = Scale { quote_decimals: pool.quote.decimals, base_decimals: pool.base.decimals };
    let path = MarketPath::of(&choice(args, settings, journal)?, scale)?;
    // A chain cannot go back: a market that is over before the chain's time is moved forward by whole intervals.
    let now = match journal.meta("market_from_s")? {
        Some(kept) => kept.parse().context("journal: market_from_s")?,
        None => dev.time_s().await?,
    };
    journal.bind("market_from_s", &now.to_string())?;
    let (path, shift) = path.after(now);
    output::talk(&path.source);
    if shift > 0 {
        output::talk(format!("the chain's clock is past this market: its times are moved forward by {shift} s"));
    }
    // A series that begins later than the chain stands: its clock is set forward, and the vault registers in time.
    let clock = dev.time_s().await?;
    if let Some(first) = path.bars.first().filter(|b| b.open_s > clock + 3_600) {
        dev.advance_to(first.open_s - 600).await?;
    }
    Ok(path)
}

async fn pool(chain: &Chain, settings: &Settings) -> Result<PoolInfo> {
    let (pool, quote) =
        (keys::address("chain.pool", &settings.chain.pool)?, keys::address("chain.quote_token", &settings.chain.quote_token)?);
    Ok(PoolInfo::read(chain.url(), pool, quote).await?)
}

/// What the settings say of gas.
fn fees(settings: &Settings) -> Fees {
    let (cap, after) = (settings.safety.max_gas_price_gwei, settings.safety.replace_after_s);
    Fees {
        cap_wei: (cap > 0).then(|| u128::from(cap).saturating_mul(1_000_000_000)),
        replace_after: (after > 0).then(|| Duration::from_secs(after)),
    }
}

/// The operator's account: from the environment on a real chain, made for the run on a development chain.
async fn sender(chain: &Chain, settings: &Settings, args: &RunArgs) -> Result<Sender> {
    match chain {
        Chain::Development(dev) => {
            let key = secret::development_key(&args.dir.join("operator.key"))?;
            let sender = Sender::new(dev.url(), &key, dev.chain_id(), settings.chain.receipt_timeout_s).await?.with_fees(fees(settings));
            dev.fund_gas(sender.address(), GAS_MONEY).await?;
            Ok(sender)
        }
        Chain::Real { sender, .. } => Ok(sender.as_ref().clone()),
    }
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
            let (earlier, gate) = (journal.attempts(DEPLOYING)?, Gate::of(&args.dir));
            let mut notes = Following { journal, gate: &gate, what: What::Deploy };
            let (places, terms) = ([pool.quote.address, pool.base.address, pool.address], settings.shares.terms()?);
            let vault = Vault::deploy_noting(sender, places, &terms, earlier, &mut notes).await?;
            journal.set_meta("vault", &format!("{:?}", vault.view().address()))?;
            vault
        }
    };
    if vault.view().balances().await?.shares == 0 {
        let unit = 10u128.checked_pow(pool.quote.decimals.into()).context("quote token: more decimals than 38")?;
        let seed = u128::from(settings.agent.seed_quote_usdc).checked_mul(unit).context("setting agent.seed_quote_usdc")?;
        if let Chain::Development(dev) = chain {
            dev.fund_token(pool.quote.address, vault.account(), seed).await?;
        }
        vault.seed(seed, 0).await.context("the first deposit (agent.seed_quote_usdc from the operator's account)")?;
    }
    Ok(vault)
}

/// The mandate: the journal's, or made now for this vault.
async fn mandate(
    settings: &Settings,
    journal: &Journal,
    vault: &Vault,
    pool: &PoolInfo,
    market: Option<&MarketPath>,
    shape: ModelShape,
) -> Result<Mandate> {
    if let Some(kept) = journal.meta("mandate")? {
        return serde_json::from_str(&kept).context("journal: mandate");
    }
    let interval_s = market.map_or(settings.mandate.interval_s, |m| m.interval_s);
    let genesis_time_s = match market.and_then(|m| m.bars.first()) {
        Some(bar) => bar.open_s,
        None => vault.view().time_s().await?,
    };
    let place = strategy_file::Place {
        chain_id: vault.view().chain_id().await?,
        vault: format!("{:?}", vault.view().address()),
        pool: format!("{:?}", pool.address),
        base_is_token1: pool.base_is_token1,
        quote_decimals: pool.quote.decimals,
    };
    let mandate = strategy_file::mandate(settings, &place, shape, interval_s, genesis_time_s)?;
    journal.set_meta("mandate", &serde_json::to_string(&mandate)?)?;
    Ok(mandate)
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
