//! The chain of a run: a development chain that it starts or finds again, a real one that is traded on, or one that is only looked at.

use crate::cli::RunArgs;
use crate::journal::{Journal, PAPER};
use crate::market::{MarketChoice, MarketPath};
use crate::output;
use crate::settings::Settings;
use crate::{keys, secret};
use anyhow::{Context, Result, ensure};
use probity_backtest::Scale;
use probity_chain::{DevChain, Fees, Origin, PoolInfo, Sender, Signer, Tools, WETH};
use probity_strategy::{MAX_X, MIN_X, price_x64};
use std::path::Path;
use std::time::Duration;

/// Gas money of a development operator, wei.
const GAS_MONEY: u128 = 1_000_000_000_000_000_000_000;

/// Where a run takes place.
pub(super) enum Chain {
    /// Moved along a market by this program.
    Development(Box<DevChain>),
    /// Traded on.
    Real { url: String, chain_id: u64, sender: Box<Sender> },
    /// Looked at; nothing is sent to it.
    Paper { url: String, chain_id: u64 },
}

impl Chain {
    /// Its node.
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Development(dev) => dev.url(),
            Self::Real { url, .. } | Self::Paper { url, .. } => url,
        }
    }

    /// Its id, as it was when the run began.
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::Development(dev) => dev.chain_id(),
            Self::Real { chain_id, .. } | Self::Paper { chain_id, .. } => *chain_id,
        }
    }
}

/// The chain that settings and flags name; the journal keeps which kind it is.
pub(super) async fn chain(args: &RunArgs, settings: &Settings, journal: &Journal, signer: Option<Signer>) -> Result<Chain> {
    if args.paper {
        return paper(args, settings, journal).await;
    }
    ensure!(!journal.is_paper()?, "{}: this run is on paper; --paper goes on with it, a real one needs another --dir", args.dir.display());
    if !settings.chain.rpc_url.is_empty() {
        ensure!(
            args.market.is_none() && args.fork_url.is_none(),
            "chain.rpc_url: a real chain has its own market; leave out --market and --fork-url"
        );
        let signer = match signer {
            Some(signer) => signer,
            None => keys::operator(settings).await?,
        };
        let url = settings.chain.rpc_url.expose().to_owned();
        let chain_id = chain_id(settings).await?;
        journal.bind("chain", &format!("real, id {chain_id}"))?;
        let sender = keys::sender(settings, signer, &url, chain_id).await?.with_fees(fees(settings));
        return Ok(Chain::Real { sender: Box::new(sender), chain_id, url });
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
            let inverse = keys::address("chain.quote_token", &settings.chain.quote_token)? == WETH;
            let scale = if inverse { Scale { quote_decimals: 18, base_decimals: 6 } } else { Scale::default() };
            let path = MarketPath::of(&choice(args, settings, journal)?, scale)?;
            let first = path.bars.first().context("--market: expected at least one bar")?;
            // Its pool's price is told in USDC raw a WETH raw.
            let price = first.price.x64();
            let start_price_x64 = if inverse { u128::MAX / price } else { price };
            Origin::StandIn { time_s: first.open_s.saturating_sub(3_600), start_price_x64 }
        }
    };
    let what = match &origin {
        Origin::StandIn { .. } => "a stand-in mainnet with the real Uniswap v3 bytecode, and a fork of it".to_owned(),
        Origin::Fork { url } => format!("a fork of {}", probity_chain::host_of(url)),
    };
    output::talk(format!("starting {what} …"));
    Ok(Chain::Development(Box::new(DevChain::start(&tools, &args.dir, &origin).await?)))
}

/// A chain that is only looked at: no key is asked for.
async fn paper(args: &RunArgs, settings: &Settings, journal: &Journal) -> Result<Chain> {
    let named = args.market.is_some() || args.fork_url.is_some() || args.seed.is_some() || args.deploy;
    ensure!(!named, "--paper: trades on paper on a real chain as it is; leave out --market, --seed, --fork-url and --deploy");
    ensure!(!settings.chain.rpc_url.is_empty(), "--paper: expected the node of a real chain (--rpc or setting chain.rpc_url)");
    let chain_id = chain_id(settings).await?;
    journal.bind("chain", &format!("{PAPER}, id {chain_id}"))?;
    Ok(Chain::Paper { url: settings.chain.rpc_url.expose().to_owned(), chain_id })
}

/// The chain id of the settings' node, which must be the one that they name, if they do.
async fn chain_id(settings: &Settings) -> Result<u64> {
    let chain_id = probity_chain::chain_id(settings.chain.rpc_url.expose()).await?;
    let wanted = settings.chain.chain_id;
    ensure!(
        wanted == 0 || wanted == chain_id,
        "chain.chain_id: expected {wanted}, got {chain_id} from {}; name a node of the chain that is meant",
        settings.chain.rpc_url.host()
    );
    Ok(chain_id)
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
            start_quote_units: settings.market.start_quote_units,
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

/// The market that a development chain is moved along.
pub(super) async fn market(args: &RunArgs, settings: &Settings, journal: &Journal, pool: &PoolInfo, dev: &DevChain) -> Result<MarketPath> {
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

/// The pool of the settings, seen from the quote token. Its price must be one that the engine can tell.
pub(super) async fn pool(chain: &Chain, settings: &Settings) -> Result<PoolInfo> {
    let (pool, quote) =
        (keys::address("chain.pool", &settings.chain.pool)?, keys::address("chain.quote_token", &settings.chain.quote_token)?);
    let pool = PoolInfo::read(chain.url(), pool, quote).await?;
    let (q, b) = (&pool.quote, &pool.base);
    let told = (price_x64(MIN_X).x64()..=price_x64(MAX_X).x64()).contains(&pool.price_x64);
    ensure!(
        told,
        "chain.pool: {} has {} decimals and {} {}: its price in raw units is beyond what the engine can tell, 2^-44 … 2^32 raw quote \
             a raw base; name another pair, or its other token as chain.quote_token",
        b.symbol,
        b.decimals,
        q.symbol,
        q.decimals
    );
    Ok(pool)
}

/// What the settings say of gas.
fn fees(settings: &Settings) -> Fees {
    let after = settings.safety.replace_after_s;
    Fees {
        cap_wei: settings.safety.cap_wei(),
        tip_wei: Some(settings.safety.tip_wei()),
        replace_after: (after > 0).then(|| Duration::from_secs(after)),
    }
}

/// The operator's account: from the environment on a real chain, made for the run on a development chain; none on paper.
pub(super) async fn sender(chain: &Chain, settings: &Settings, args: &RunArgs) -> Result<Option<Sender>> {
    match chain {
        Chain::Development(dev) => {
            let key = secret::development_key(&args.dir.join("operator.key"))?;
            let sender = Sender::new(dev.url(), &key, dev.chain_id(), settings.chain.receipt_timeout_s).await?.with_fees(fees(settings));
            dev.fund_gas(sender.address(), GAS_MONEY).await?;
            Ok(Some(sender))
        }
        Chain::Real { sender, .. } => Ok(Some(sender.as_ref().clone())),
        Chain::Paper { .. } => Ok(None),
    }
}
