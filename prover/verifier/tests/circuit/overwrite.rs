//! Rows 1, 4 and 8 of the bad cases: every variable of a fold, one at a time, is overwritten by other values; some row must break.
//!
//! What it shows: at these witnesses no single cell has a second value while all others stay. What it does not show: that no *set* of
//! cells can move together; that is `determined.rs`.

use crate::market::{self, Bar, CALM, MAX, Run};
use crate::system::{System, eval};
use ff::Field;
use probity_strategy::{Limits, PolicyParams, Side, Step};
use probity_verifier::Scalar;
use std::collections::BTreeSet;

/// Five other values for a cell; some may be the old one.
fn others(old: Scalar, variable: usize) -> [Scalar; 5] {
    let random = Scalar::from(0x9e37_79b9_7f4a_7c15).pow_vartime([u64::try_from(variable).unwrap() + 3]);
    [old + Scalar::ONE, old - Scalar::ONE, Scalar::ZERO, random, -old]
}

/// The variables that survive an overwrite, and the number of overwrites tried.
fn survivors(system: &System) -> (BTreeSet<usize>, usize) {
    let values: Vec<[Scalar; 3]> = system.rows.iter().map(|r| r.sides().map(|lc| eval(lc, &system.w))).collect();
    let mut touches: Vec<Vec<(usize, [Scalar; 3])>> = vec![Vec::new(); system.w.len()];
    for (i, row) in system.rows.iter().enumerate() {
        for (side, lc) in row.sides().into_iter().enumerate() {
            for (v, k) in lc {
                match touches[*v].last_mut() {
                    Some((last, ks)) if *last == i => ks[side] = *k,
                    _ => {
                        let mut ks = [Scalar::ZERO; 3];
                        ks[side] = *k;
                        touches[*v].push((i, ks));
                    }
                }
            }
        }
    }
    let (mut out, mut tried) = (BTreeSet::new(), 0);
    for (v, touches) in touches.iter().enumerate().skip(1) {
        let old = system.w[v];
        for new in others(old, v).into_iter().filter(|new| *new != old) {
            tried += 1;
            let delta = new - old;
            let caught = touches.iter().any(|(i, [a, b, c])| {
                let [x, y, z] = values[*i];
                (x + *a * delta) * (y + *b * delta) != z + *c * delta
            });
            if !caught {
                out.insert(v);
            }
        }
    }
    (out, tried)
}

fn wants(outputs: [i32; 3], limits: Limits, slots: u16) -> Run {
    let policy = PolicyParams { gain: 6_000, band_gain: 500, band_bps: 100, max_step_bps: 10_000, cooldown_steps: 1 };
    Run::new(market::mandate(limits, market::smallest(), slots), market::constant_model(&market::smallest(), outputs, policy))
}

const BUY: [i32; 3] = [-200_000, 0, 200_000];
const SELL: [i32; 3] = [200_000, -7, -200_000];
const HOLD: [i32; 3] = [0, 500_000, 0];

/// Cells whose gates are open, shut and half open, with candidates beyond either end and between; outputs that want to buy.
fn remembers(slots: u16) -> Run {
    let shape = market::recurrent(4, 7, 6);
    let policy = PolicyParams { gain: 6_000, band_gain: 500, band_bps: 100, max_step_bps: 10_000, cooldown_steps: 1 };
    let mut model = market::constant_model(&shape, BUY, policy);
    model.biases[..8].copy_from_slice(&[1 << 14, -(1 << 14), 0, 64, 1 << 14, 500, -(1 << 14), 33 * 64]);
    Run::new(market::mandate(market::calm_limits(), shape, slots), model)
}

/// A scenario: a name, an agent, bars before (one fold each), the bars of the fold looked at, what its first step must be.
type Scenario = (&'static str, Run, Vec<Bar>, Vec<Bar>, fn(&Step) -> bool);

fn side(step: &Step) -> Option<Side> {
    step.decision.order.map(|o| o.side)
}

fn scenarios() -> Vec<Scenario> {
    let calm = market::calm_limits;
    let whole = || Limits { max_trade_bps: 10_000, max_weight_bps: 0, ..market::calm_limits() };
    let busy = |slots| Run::new(market::mandate(calm(), market::smallest(), slots), market::busy_model(&market::smallest(), 60_000));
    let shape = || market::recurrent(2, 7, 6);
    let remembering = |slots| Run::new(market::mandate(calm(), shape(), slots), market::busy_model(&shape(), 60_000));
    let crash = Bar { quote: 1_000_000_000, ..CALM };
    let bare = Bar { shares: 0, ..CALM };
    let filled = Bar { fill: Some(u128::MAX), ..CALM };
    let short = Bar { fill: Some(u128::MAX - 1), ..CALM };
    let zero = Bar { quote: 0, base: 0, shares: 0, price: Some(0), ..CALM };
    let full = Bar { quote: MAX, base: MAX, shares: MAX, price: Some(MAX), ..CALM };
    let (low, high) = (Bar { tick: -887_272, ..CALM }, Bar { tick: 887_272, ..CALM });
    vec![
        ("first step, buy", wants(BUY, calm(), 1), vec![], vec![CALM], |s| side(s) == Some(Side::Buy)),
        ("hold", wants(HOLD, calm(), 1), vec![CALM], vec![CALM], |s| side(s).is_none() && !s.decision.halted),
        ("sell a part", wants(SELL, calm(), 1), vec![], vec![CALM], |s| side(s) == Some(Side::Sell)),
        ("sell all", wants(SELL, whole(), 1), vec![], vec![CALM], |s| {
            s.decision.order.is_some_and(|o| o.side == Side::Sell && o.amount_in == s.record.observation.base)
        }),
        ("drawdown halts", wants(BUY, calm(), 1), vec![CALM], vec![crash.clone()], |s| s.decision.halted && side(s) == Some(Side::Sell)),
        ("drawdown after a bar without shares", wants(BUY, calm(), 1), vec![bare.clone(), CALM, bare.clone()], vec![crash.clone()], |s| {
            s.decision.halted
        }),
        ("a bar without shares", busy(1), vec![CALM], vec![bare.clone()], |s| {
            s.next_state.high_water.shares.raw() == CALM.shares && !s.decision.halted
        }),
        ("no shares yet", busy(1), vec![], vec![bare.clone()], |s| s.next_state.high_water.nav == 0),
        ("the first shares", busy(1), vec![bare], vec![CALM], |s| s.next_state.high_water.shares.raw() == CALM.shares),
        ("halted before", wants(BUY, calm(), 1), vec![CALM, crash], vec![CALM], |s| s.decision.halted),
        ("impossible fill", wants(HOLD, calm(), 1), vec![CALM], vec![Bar { fill: Some(0), ..CALM }], |s| s.decision.halted),
        ("fill at the least", wants(BUY, calm(), 1), vec![CALM], vec![filled.clone()], |s| !s.decision.halted),
        ("fill one below the least", wants(BUY, calm(), 1), vec![CALM], vec![short], |s| s.decision.halted),
        ("gap", wants(BUY, calm(), 1), vec![CALM], vec![Bar { seconds: 600, ..CALM }], |s| side(s).is_none()),
        ("cooldown", wants(BUY, calm(), 1), vec![CALM], vec![CALM], |s| side(s).is_none() && s.next_state.cooldown_left == 0),
        ("warm-up", wants(BUY, Limits { warmup_steps: 2, ..calm() }, 1), vec![], vec![CALM], |s| side(s).is_none()),
        ("forced sale in warm-up", wants(BUY, Limits { warmup_steps: 3, max_weight_bps: 1_000, ..calm() }, 1), vec![], vec![CALM], |s| {
            side(s) == Some(Side::Sell) && s.next_state.cooldown_left == 2
        }),
        ("turnover used up", wants(BUY, Limits { max_turnover_bps: 1_000, ..calm() }, 1), vec![CALM, CALM], vec![CALM], |s| {
            side(s).is_none() && s.next_state.turnover_used_bps == 1_000
        }),
        ("turnover window ends", wants(BUY, Limits { turnover_window_steps: 2, ..calm() }, 1), vec![CALM, CALM], vec![CALM], |s| {
            side(s) == Some(Side::Buy) && s.next_state.window_left == 1
        }),
        ("too heavy", wants(BUY, Limits { max_weight_bps: 1_000, ..calm() }, 1), vec![], vec![CALM], |s| side(s) == Some(Side::Sell)),
        ("too small", wants(BUY, Limits { min_trade_bps: 5_000, ..calm() }, 1), vec![], vec![CALM], |s| side(s).is_none()),
        ("tick at its lowest", busy(1), vec![CALM], vec![low.clone()], |s| s.next_state.r1 == -32_767 || s.next_state.r1 == 32_767),
        ("tick at its highest", busy(1), vec![low], vec![high], |s| s.next_state.r1 == -32_767 || s.next_state.r1 == 32_767),
        ("return at the clip", busy(1), vec![CALM], vec![Bar { tick: CALM.tick + 32_767, ..CALM }], |s| s.next_state.r1 == -32_767),
        ("nothing held", busy(1), vec![CALM], vec![zero], |s| side(s).is_none()),
        ("the most that can be held", wants(SELL, calm(), 1), vec![], vec![full], |s| side(s) == Some(Side::Sell)),
        ("cells at and between their ends", remembers(1), vec![], vec![CALM], |s| s.next_state.memory == [127, 0, -64, 16]),
        ("cells that stay", remembers(1), vec![CALM; 12], vec![CALM], |s| s.next_state.memory == [127, 0, -128, 32]),
        ("no-op slots with a memory", remembering(3), vec![CALM], vec![CALM], |s| s.next_state.memory.iter().any(|cell| *cell != 0)),
        ("no-op slots", busy(3), vec![], vec![CALM], |s| side(s).is_some()),
        ("no-op slot after a buy", wants(BUY, calm(), 3), vec![CALM], vec![filled, CALM], |s| !s.decision.halted),
        ("all slots live", busy(3), vec![CALM], vec![CALM, CALM, CALM], |s| !s.decision.halted),
    ]
}

#[test]
fn no_cell_can_be_overwritten() {
    let (mut cells, mut tried, mut harmless) = (0, 0, 0);
    for (name, mut run, before, bars, expected) in scenarios() {
        for bar in before {
            run.fold(&[bar]);
        }
        let (system, out, steps) = run.fold(&bars);
        assert_eq!((system.broken(), &out[..]), (None, &run.z[..]), "{name}");
        assert!(expected(&steps[0]), "{name} is another scenario than its name: {:?}", steps[0].decision);
        // Harmless, and the whole list: the inverse hint of an `is_zero` whose wire is 0. It stands in one row, multiplied by that 0.
        let hints: BTreeSet<usize> =
            system.zero_tests().iter().filter(|(_, w, ..)| eval(w, &system.w) == Scalar::ZERO).map(|t| t.2).collect();
        let (survived, count) = survivors(&system);
        assert_eq!(survived, hints, "{name}: variables that may be overwritten against the hints that are multiplied by 0");
        (cells, tried, harmless) = (cells + system.w.len() - 1, tried + count, harmless + hints.len());
    }
    println!("{cells} cells, {tried} overwrites, {harmless} cells harmless (inverse hints of zeros)");
}
