//! A pool as it is read without a vault: the same mean ticks as a vault's observations, and its ticks outward from the price.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use common::{Desk, INTERVAL};
use probity_chain::{POOL_500, PoolView};

#[tokio::test]
async fn mean_ticks_are_the_vaults_and_ticks_are_found_on_both_sides() {
    let desk = Desk::open(POOL_500).await;
    let view = PoolView::at(desk.world.chain.url(), POOL_500).await.unwrap();
    assert_eq!((view.fee_pips(), view.spacing()), (500, 10));
    // Prices that make means between ticks, below and above zero seconds of lateness.
    for (n, percent) in [(1u64, 103u128), (2, 97), (3, 101)] {
        desk.world.chain.move_price(&desk.pool, desk.pool.price_x64 * percent / 100).await.unwrap();
        let seen = desk.observe(n).await;
        for late in 0..2 {
            let block = view.block_under(0).await.unwrap();
            let mean = view.mean_tick(&block, seen.time_s, INTERVAL).await.unwrap();
            assert_eq!(mean, seen.mean_tick, "decision {n}, looked at {late} blocks late");
            if late == 0 {
                assert_eq!((block.number, block.hash), (seen.block_number, seen.block_hash));
                desk.world.chain.advance_to(block.time_s + 7).await.unwrap();
            }
        }
    }
    // One position over the whole range: its ends, and nothing between them and the price.
    let block = view.block_under(0).await.unwrap();
    let slots = view.slots(&block).await.unwrap();
    let near = view.reach(&block, slots.tick, true, 4, 2).await.unwrap();
    let word = slots.tick.div_euclid(10) >> 8;
    assert_eq!((near.ticks, near.known_to), (vec![], Some(((word - 1) << 8) * 10)));
    let liquidity = i128::try_from(slots.liquidity).unwrap();
    let down = view.reach(&block, slots.tick, true, 4, u32::MAX).await.unwrap();
    assert_eq!((down.ticks, down.known_to), (vec![(-887_270, liquidity)], None));
    let up = view.reach(&block, slots.tick, false, 4, u32::MAX).await.unwrap();
    assert_eq!((up.ticks, up.known_to), (vec![(887_270, -liquidity)], None));
    assert_eq!(view.reach(&block, slots.tick, false, 0, u32::MAX).await.unwrap().known_to, Some(887_269));
    // What is asked under a block that is gone is no answer.
    let gone = probity_chain::BlockSeen { hash: [7; 32], ..block };
    assert!(view.slots(&gone).await.is_err());
}
