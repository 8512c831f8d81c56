//! What must hold of any pool, whatever its positions: nothing is created, nothing is free, limits hold, debts are paid.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests may panic and report")]

use probity_backtest::v3::{Direction, Exact, MAX_TICK, MIN_TICK, Pool, PoolError, Snapshot, U256, sqrt_ratio_at_tick};
use proptest::prelude::*;
use std::{collections::BTreeMap, path::PathBuf};

type Position = (i32, i32, i128);

/// A pool with positions around its price, and the positions.
fn pool() -> impl Strategy<Value = (Pool, Vec<Position>)> {
    let centre = prop_oneof![-60_000i32..60_000, 190_000i32..200_000, MIN_TICK + 3_000..MAX_TICK - 3_000];
    let fee = prop_oneof![Just(0u32), Just(100), Just(500), Just(3_000), Just(10_000), Just(999_999)];
    let spacing = prop_oneof![Just(1i32), Just(10), Just(60), Just(200)];
    let position = (-400i32..400, 1i32..500, 0u32..80, any::<u64>());
    (centre, fee, spacing, prop::collection::vec(position, 1..8), 0u64..1_000).prop_map(|(centre, fee, spacing, positions, above)| {
        let price = sqrt_ratio_at_tick(centre).unwrap();
        let mut pool = Pool::new(fee, spacing, price + price / U256::from(100_000) * U256::from(above) / U256::from(1_000)).unwrap();
        let ends = MAX_TICK / spacing;
        let mut made = Vec::new();
        for (from, width, bits, size) in positions {
            let lower = (centre / spacing + from).clamp(-ends, ends - 1);
            let upper = (lower + width).clamp(lower + 1, ends);
            let size = i128::from(size) * (1 << bits.min(50)) / 3 + 1;
            if pool.provide(lower * spacing, upper * spacing, size).is_ok() {
                made.push((lower * spacing, upper * spacing, size));
            }
        }
        (pool, made)
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::ZeroForOne), Just(Direction::OneForZero)]
}

fn amount() -> impl Strategy<Value = u128> {
    (0u32..100, any::<u128>()).prop_map(|(bits, v)| (v >> (127 - bits)).max(1))
}

fn exact() -> impl Strategy<Value = Exact> {
    prop_oneof![amount().prop_map(Exact::In), amount().prop_map(Exact::Out)]
}

fn back(direction: Direction) -> Direction {
    if direction == Direction::ZeroForOne { Direction::OneForZero } else { Direction::ZeroForOne }
}

fn held(pool: &Pool, direction: Direction) -> (u128, u128) {
    let [zero, one] = pool.balances();
    if direction == Direction::ZeroForOne { (zero, one) } else { (one, zero) }
}

/// Further in the direction of the swap, or as far.
fn as_far(direction: Direction, a: U256, b: U256) -> bool {
    if direction == Direction::ZeroForOne { b <= a } else { b >= a }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_goes_in_is_accounted_for((mut pool, positions) in pool(), swaps in prop::collection::vec((direction(), exact(), 0i32..4_000), 1..12)) {
        for (direction, exact, reach) in swaps {
            let before = pool.clone();
            let down = direction == Direction::ZeroForOne;
            let stop = if down { pool.tick().saturating_sub(reach).max(MIN_TICK + 1) } else { (pool.tick() + 1 + reach).min(MAX_TICK - 1) };
            let limit = sqrt_ratio_at_tick(stop).unwrap();
            let swap = match pool.swap(direction, exact, Some(limit)) {
                Ok(swap) => swap,
                Err(error) => {
                    let refused = matches!(error, PoolError::Value { field: "sqrt_price_limit", .. } | PoolError::Overflow { .. });
                    prop_assert!(refused, "{error}");
                    prop_assert_eq!(&pool, &before);
                    continue;
                }
            };
            let ((had_in, had_out), (has_in, has_out)) = (held(&before, direction), held(&pool, direction));
            prop_assert_eq!((has_in, has_out), (had_in + swap.amount_in, had_out - swap.amount_out));
            prop_assert!(swap.fee <= swap.amount_in);
            let scaled = |v: u128, by: u32| U256::from(v) * U256::from(by);
            prop_assert!(scaled(swap.fee, 1_000_000) >= scaled(swap.amount_in, pool.fee_pips()), "the fee is rounded up");
            // The limit holds; short of it everything asked for is done.
            prop_assert!(as_far(direction, pool.sqrt_price(), limit));
            prop_assert!(as_far(direction, before.sqrt_price(), pool.sqrt_price()));
            match exact {
                Exact::In(v) => prop_assert!(swap.amount_in == v || (swap.amount_in < v && pool.sqrt_price() == limit)),
                Exact::Out(v) => prop_assert!(swap.amount_out == v || (swap.amount_out < v && pool.sqrt_price() == limit)),
            }
            // Tick, price and liquidity belong together.
            let tick = pool.tick();
            prop_assert!(sqrt_ratio_at_tick(tick).unwrap() <= pool.sqrt_price() && pool.sqrt_price() <= sqrt_ratio_at_tick(tick + 1).unwrap());
            let active: i128 = positions.iter().filter(|(l, u, _)| *l <= tick && tick < *u).map(|(_, _, size)| size).sum();
            prop_assert_eq!(i128::try_from(pool.liquidity()).unwrap(), active);
        }
        // Whatever happened, every position can leave.
        for (lower, upper, size) in positions {
            prop_assert!(pool.provide(lower, upper, -size).is_ok(), "a position cannot be paid out");
        }
        prop_assert_eq!((pool.liquidity(), pool.ticks().ticks().len()), (0, 0));
    }

    #[test]
    fn more_in_never_gives_less((pool, _) in pool(), direction in direction(), a in amount(), more in amount()) {
        if let (Ok(small), Ok(large)) = (pool.quote(direction, Exact::In(a), None), pool.quote(direction, Exact::In(a.saturating_add(more)), None)) {
            prop_assert!(small.amount_out <= large.amount_out);
            prop_assert!(as_far(direction, small.sqrt_price, large.sqrt_price));
            prop_assert!(small.amount_in <= large.amount_in);
        }
    }

    #[test]
    fn a_round_trip_never_gains((mut pool, _) in pool(), direction in direction(), a in amount(), parts in 1u128..5) {
        let mut given = 0;
        let mut got = 0;
        for _ in 0..parts {
            if let Ok(swap) = pool.swap(direction, Exact::In((a / parts).max(1)), None) {
                given += swap.amount_in;
                got += swap.amount_out;
            }
        }
        if got > 0 && let Ok(swap) = pool.swap(back(direction), Exact::In(got), None) {
            prop_assert!(swap.amount_out <= given, "{} for {given}", swap.amount_out);
        }
    }

    #[test]
    fn the_output_costs_no_more_than_what_bought_it((pool, _) in pool(), direction in direction(), a in amount()) {
        if let Ok(swap) = pool.quote(direction, Exact::In(a), None) && swap.amount_out > 0 {
            let other = pool.quote(direction, Exact::Out(swap.amount_out), None).unwrap();
            prop_assert!(other.amount_in <= swap.amount_in && other.amount_out == swap.amount_out);
            prop_assert!(as_far(direction, other.sqrt_price, swap.sqrt_price));
        }
    }

    #[test]
    fn moving_a_pool_there_and_back_keeps_its_liquidity((mut pool, positions) in pool(), by in -3_000i32..3_000) {
        let (start, tick) = (pool.sqrt_price(), pool.tick());
        let there = sqrt_ratio_at_tick((tick + by).clamp(MIN_TICK + 1, MAX_TICK - 1)).unwrap();
        if pool.move_to(there).is_ok() {
            prop_assert_eq!(pool.sqrt_price(), there);
            let back = pool.move_to(start);
            // A fee of nearly everything can ask for more than 128 bits hold.
            prop_assume!(!matches!(back, Err(PoolError::Overflow { .. })));
            prop_assert_eq!(back, Ok(()));
            let active: i128 = positions.iter().filter(|(l, u, _)| *l <= pool.tick() && pool.tick() < *u).map(|(_, _, size)| size).sum();
            prop_assert_eq!((pool.sqrt_price(), i128::try_from(pool.liquidity()).unwrap()), (start, active));
        }
    }
}

#[test]
fn refusals_change_nothing() {
    let price = sqrt_ratio_at_tick(100).unwrap();
    let mut pool = Pool::new(3_000, 60, price).unwrap();
    pool.provide(-600, 600, 1_000_000_000).unwrap();
    let before = pool.clone();
    for (direction, exact, limit, field) in [
        (Direction::ZeroForOne, Exact::In(0), None, "amount"),
        (Direction::OneForZero, Exact::Out(0), None, "amount"),
        (Direction::ZeroForOne, Exact::In(1), Some(price), "sqrt_price_limit"),
        (Direction::OneForZero, Exact::In(1), Some(price), "sqrt_price_limit"),
        (Direction::ZeroForOne, Exact::In(1), Some(U256::ZERO), "sqrt_price_limit"),
        (Direction::OneForZero, Exact::In(1), Some(U256::MAX), "sqrt_price_limit"),
    ] {
        let error = pool.swap(direction, exact, limit).unwrap_err();
        assert!(matches!(&error, PoolError::Value { field: f, .. } if *f == field), "{error}");
        assert_eq!(pool, before);
    }
    assert!(pool.provide(60, 60, 1).is_err() && pool.provide(0, 60, 0).is_err() && pool.provide(1, 60, 1).is_err());
    assert!(pool.provide(-600, 600, -2_000_000_000).is_err());
    assert_eq!(pool, before);
    assert!(Pool::new(1_000_000, 60, price).is_err() && Pool::new(1, 0, price).is_err() && Pool::new(1, 1, U256::ZERO).is_err());
    assert!(Pool::constant_liquidity(500, 0, price).is_err());
}

#[test]
fn eight_thousand_recorded_positions_make_the_recorded_pool() {
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let (events, state) =
        (data.join("uniswap_v3/usdc_weth_3000_2021/liquidity_events.csv"), data.join("chain/minifork_12522061/pool_snapshot.json"));
    if !events.exists() || !state.exists() {
        println!("SKIPPED: {} or {} is absent", events.display(), state.display());
        return;
    }
    let snapshot = Snapshot::parse(&std::fs::read_to_string(state).unwrap()).unwrap();
    // The price of the snapshot all along: liquidity does not depend on the path, one-sided amounts do not on the price.
    let mut pool = Pool::new(3_000, 60, snapshot.pool.sqrt_price()).unwrap();
    let (mut seen, mut one_sided) = (0, 0);
    let mut sizes: BTreeMap<(i32, i32), i128> = BTreeMap::new();
    for row in csv::Reader::from_path(events).unwrap().records() {
        let row = row.unwrap();
        let cell = |i: usize| row.get(i).unwrap();
        if cell(0).parse::<u64>().unwrap() > snapshot.block {
            break;
        }
        seen += 1;
        let (lower, upper, size): (i32, i32, i128) = (cell(5).parse().unwrap(), cell(6).parse().unwrap(), cell(7).parse().unwrap());
        if size == 0 {
            continue;
        }
        let change = if cell(4) == "MINT" { size } else { -size };
        *sizes.entry((lower, upper)).or_default() += change;
        let amounts = pool.provide(lower, upper, change).unwrap();
        let recorded = [cell(8).parse::<u128>().unwrap(), cell(9).parse::<u128>().unwrap()];
        // One-sided then and one-sided now on the same side: the price plays no part, the amounts are the recorded ones.
        if (0..2).any(|i| recorded[i] == 0 && amounts[i] == 0) {
            assert_eq!(amounts, recorded, "{row:?}");
            one_sided += 1;
        }
    }
    assert_eq!(seen, 8_413);
    assert_eq!(pool.liquidity(), snapshot.pool.liquidity());
    assert_eq!(pool.ticks(), snapshot.pool.ticks());
    println!("{seen} events, {one_sided} one-sided amounts to the last unit, {} open ranges", sizes.values().filter(|s| **s > 0).count());
    assert!(one_sided > 1_000, "{one_sided}");
}
