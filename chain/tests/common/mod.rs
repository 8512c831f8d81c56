//! A development chain with a vault on it, ended when the test ends, however it ends.
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "each test uses a part of it, and a test may panic"
)]

use probity_chain::{
    Address, ChainError, DevChain, Move, Observed, Origin, PoolInfo, Promise, Sender, ShareTerms, Tools, USDC, Vault, VaultView, WETH,
};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Key of the operator: 32 times 0x11, no secret.
pub(crate) const OPERATOR: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// Key of a depositor.
pub(crate) const DEPOSITOR: &str = "2222222222222222222222222222222222222222222222222222222222222222";
/// 2,000 USDC an ether, as quote raw per base raw × 2^64.
pub(crate) const PRICE: u128 = 36_893_488_147;
/// Time of the stand-in's latest block.
pub(crate) const TIME: u64 = 1_700_000_000;
pub(crate) const INTERVAL: u32 = 300;
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;
pub(crate) const DOLLAR: u128 = 1_000_000;
pub(crate) const GENESIS: [u8; 32] = [0xa0; 32];

/// The packages, installed under a lock if they are absent or older than the lock file.
pub(crate) fn tools() -> Tools {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let lock = std::fs::File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm.lock")).unwrap();
    lock.lock().unwrap();
    let modified = |name: &str| std::fs::metadata(dir.join(name)).and_then(|meta| meta.modified()).ok();
    if modified("node_modules/.package-lock.json") < modified("package-lock.json") {
        let root = dir.ancestors().nth(2).unwrap();
        let done = Command::new("make").arg("tools").current_dir(root).status();
        assert!(done.is_ok_and(|status| status.success()), "the packages are absent and could not be installed: run `make tools`");
    }
    Tools::find(Some(&dir)).unwrap()
}

/// The real data beside the checkout; loud where it is absent.
pub(crate) fn data(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("shared/data").join(what);
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent, so nothing was compared with it", path.display());
        return None;
    }
    Some(path)
}

/// Ends the nodes that `chains.json` in the folder names.
pub(crate) struct Ended(pub(crate) PathBuf);

impl Drop for Ended {
    fn drop(&mut self) {
        let Ok(text) = std::fs::read_to_string(self.0.join("chains.json")) else { return };
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for node in json["nodes"].as_array().unwrap() {
            let pid = i32::try_from(node["pid"].as_i64().unwrap()).unwrap();
            rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).ok();
        }
    }
}

/// A chain of its own folder.
pub(crate) struct World {
    pub(crate) chain: DevChain,
    pub(crate) ended: Ended,
    pub(crate) dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(origin: &Origin) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ended = Ended(dir.path().to_owned());
        let chain = DevChain::start(&tools(), dir.path(), origin).await.unwrap();
        Self { chain, ended, dir }
    }

    pub(crate) async fn stand_in() -> Self {
        Self::start(&Origin::StandIn { time_s: TIME, start_price_x64: PRICE }).await
    }

    /// An account with ether, USDC and WETH.
    pub(crate) async fn account(&self, key: &str) -> Sender {
        let sender = Sender::new(self.chain.url(), key, 1, 10).await.unwrap();
        self.chain.fund_gas(sender.address(), 1_000 * ETHER).await.unwrap();
        self.chain.fund_token(USDC, sender.address(), 10_000_000 * DOLLAR).await.unwrap();
        self.chain.fund_token(WETH, sender.address(), 10_000 * ETHER).await.unwrap();
        sender
    }
}

/// A vault that is seeded and registered, with its chain.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) vault: Vault,
    pub(crate) pool: PoolInfo,
    pub(crate) genesis_s: u64,
}

pub(crate) fn promise(genesis_time_s: u64) -> Promise {
    Promise {
        mandate_digest: [1; 32],
        commitment: [2; 32],
        genesis_head: GENESIS,
        genesis_time_s,
        interval_s: INTERVAL,
        max_trade_quote: 25_000 * DOLLAR,
        max_slippage_bps: 50,
    }
}

impl Desk {
    pub(crate) async fn open(pool: Address) -> Self {
        Self::on(World::stand_in().await, pool, 50).await
    }

    pub(crate) async fn on(world: World, pool: Address, max_slippage_bps: u16) -> Self {
        Self::with(world, pool, max_slippage_bps, &ShareTerms::default()).await
    }

    pub(crate) async fn with(world: World, pool: Address, max_slippage_bps: u16, terms: &ShareTerms) -> Self {
        let operator = world.account(OPERATOR).await;
        let pool = PoolInfo::read(world.chain.url(), pool, USDC).await.unwrap();
        let vault = Vault::deploy_noting(operator, [USDC, WETH, pool.address], terms, Vec::new(), &mut ()).await.unwrap();
        vault.seed(100_000 * DOLLAR, 50 * ETHER).await.unwrap();
        let genesis_s = world.chain.time_s().await.unwrap();
        vault.register(&Promise { max_slippage_bps, ..promise(genesis_s) }).await.unwrap();
        Self { world, vault, pool, genesis_s }
    }

    pub(crate) fn view(&self) -> &VaultView {
        self.vault.view()
    }

    /// Time of the nth decision, from 1.
    pub(crate) fn due(&self, n: u64) -> u64 {
        self.genesis_s + n * u64::from(INTERVAL)
    }

    /// The nth observation, right when it can be made.
    pub(crate) async fn observe(&self, n: u64) -> Observed {
        if self.world.chain.time_s().await.unwrap() < self.due(n) {
            self.world.chain.advance_to(self.due(n)).await.unwrap();
        }
        self.view().observe(self.due(n)).await.unwrap()
    }
}

/// Head after a step.
pub(crate) fn head(after: u32) -> [u8; 32] {
    if after == 0 { GENESIS } else { [u8::try_from(after % 256).unwrap(); 32] }
}

pub(crate) fn hold(step: u32) -> Move {
    Move { order: None, head_before: head(step), head_after: head(step + 1) }
}

/// An order at the observed price less the whole slippage bound.
pub(crate) fn order(seen: &Observed, buy: bool, amount_in: u128, slippage_bps: u128) -> Move {
    let expect = if buy { (amount_in << 64) / seen.price_x64 + 1 } else { (amount_in * seen.price_x64) >> 64 };
    let min_out = (expect * (10_000 - slippage_bps)).div_ceil(10_000);
    Move { order: Some((buy, amount_in, min_out)), ..hold(seen.step) }
}

/// Asserts that a call was refused with exactly this reason.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ChainError>, expected: &str) {
    match result {
        Err(ChainError::Revert { reason, .. }) => assert_eq!(reason, expected),
        other => panic!("expected a refusal with {expected}, got {other:?}"),
    }
}
