//! The same vault over a fragment of the real mainnet of 2021: real USDC and WETH9, the real 0.3 % pool with its ticks.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use crate::common;
use common::{DOLLAR, Desk, ETHER, World, data, hold, order, tools};
use ethers::providers::Middleware;
use probity_chain::{Origin, POOL_3000, PoolInfo, USDC, connect};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn fragment() -> Option<(Killed, String)> {
    let state = data("chain/minifork_12522061/anvil_state.json")?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut command = Command::new(tools().anvil().unwrap());
    command.args(["--quiet", "--chain-id", "1", "--prune-history", "--port", &port, "--load-state"]).arg(state);
    let node = Killed(command.stdout(Stdio::null()).spawn().unwrap());
    let url = format!("http://127.0.0.1:{port}");
    let rpc = connect(&url).unwrap();
    for _ in 0..500 {
        if rpc.get_chainid().await.is_ok() {
            return Some((node, url));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the fragment's node did not start");
}

#[tokio::test]
async fn the_vault_trades_on_a_fork_of_the_real_fragment() {
    let Some((_node, url)) = fragment().await else { return };
    let world = World::start(&Origin::Fork { url: url.clone() }).await;
    assert_eq!(world.chain.chain_id(), 1);
    let pool = PoolInfo::read(world.chain.url(), POOL_3000, USDC).await.unwrap();
    assert_eq!((pool.quote.symbol.as_str(), pool.base.symbol.as_str(), pool.fee_pips), ("USDC", "WETH", 3_000));

    // Fee 0.3 % and a mean that lags the price: 200 bps.
    let desk = Desk::on(world, POOL_3000, 200).await;
    assert!(desk.view().code_matches().await.unwrap());
    assert!(desk.vault.prepare_oracle(4 * 300).await.unwrap() >= 100);
    let seen = desk.observe(1).await;
    let bought = desk.vault.decide(&seen, &order(&seen, true, 10_000 * DOLLAR, 200), &[]).await.unwrap();
    assert!(bought.executed, "{bought:?}");

    let chain = &desk.world.chain;
    for (n, percent) in [(2u64, 110u128), (3, 95), (4, 100)] {
        let price = pool.price_x64 * percent / 100;
        let moved = chain.move_price(&desk.pool, price).await.unwrap();
        let now = PoolInfo::read(chain.url(), POOL_3000, USDC).await.unwrap();
        assert!(now.price_x64.abs_diff(price) <= 1 && now.tick == moved.tick);
        let seen = desk.observe(n).await;
        let step = u32::try_from(n - 1).unwrap();
        let m = if n == 4 { order(&seen, false, 2 * ETHER, 200) } else { hold(step) };
        let outcome = desk.vault.decide(&seen, &m, &[]).await.unwrap();
        assert_eq!(outcome.executed, n == 4, "{outcome:?}");
    }
    assert_eq!(desk.view().swaps(0).await.unwrap().len(), 2);
    let last = desk.observe(5).await;
    assert!(last.fill.is_some());
    // A depositor of the real tokens leaves.
    desk.vault.redeem_in_kind(1_000 * DOLLAR).await.unwrap();
    desk.vault.decide(&last, &hold(4), &[]).await.unwrap();
}
