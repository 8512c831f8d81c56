//! Rows 3, 8 and 9 of the bad cases: the inputs of a fold determine every cell of its witness, and each row is needed for that.
//!
//! Inputs are what somebody else fixes: z before the fold (the verifier computes the first, the proof binds each to the one before), the
//! observations of the slots, which slots are live, an announcement of other weights, and the blind of the state after. Everything else — model, policy, mandate, state,
//! features, network, decision, record, z after — must follow by the rules of `rules.rs`.
//!
//! What the test shows, for **every** satisfying assignment and not at one witness:
//! 1. two assignments with the same inputs are equal in every cell but the inverse hints of zeros, under collision resistance of Poseidon
//!    (which is what makes commitment, mandate digest and state digest bind). So nobody can claim a hold where the model trades.
//! 2. without any single row, the argument fails (the rows for which it does not are listed with the reason, exactly). So a row that gets
//!    lost in the source fails this test, whichever it is; so does a whole gadget, unless only a pin (`pins.rs`) or one of the widths
//!    below would notice it.
//!
//! What it does not show: that losing a row opens an attack (the rules are sound, not complete); that the function which the rows
//! determine is the engine's (that is `equal.rs`); that a satisfying assignment exists (`equal.rs`); that Nova and its SNARK are sound.
//!
//! Shapes: a small one, dims [16, 2, 3], the same with two cells of memory, and the shipped one, all with two slots.

use crate::market::{self, Bar, CALM, Run};
use crate::rules::Rules;
use crate::system::{System, eval};
use ff::Field;
use probity_strategy::{ModelShape, Observation};
use probity_verifier::{ARITY, Digest, Rotation, Scalar};
use std::collections::{BTreeMap, BTreeSet};

/// Rows without which everything still follows, and why they may not be left out all the same.
const NOT_NEEDED: [(u8, &str, usize, &str); 6] = [
    (4, "b · (1 − b) = 0", 2, "`filled` is an input; the row keeps an ill-formed one from being proven. One a slot."),
    (4, "a · b = c", 2, "without a fill its amount is 0: both are inputs; the row keeps an ill-formed pair from being proven. One a slot."),
    (10, "b · (1 − b) = 0", 1, "`live` is an input, public as a count; the row keeps it a bit. One a slot but the first."),
    (10, "a · b = c", 1, "live slots are a prefix: a rule between inputs. One a slot but the first."),
    (12, "b · (1 − b) = 0", 1, "whether other weights are announced is an input; the row keeps it a bit."),
    (12, "a · b = c", 2, "one rotation at a time, and not to a commitment of 0: rules between inputs."),
];

struct Fold {
    system: System,
    rules: Rules,
    inputs: Vec<usize>,
    sights: Vec<Vec<usize>>,
}

fn fold(shape: &ModelShape) -> Fold {
    let mandate = market::mandate(market::calm_limits(), shape.clone(), 2);
    let mut run = Run::new(mandate, market::busy_model(shape, 60_000));
    let (state, mandate) = (run.state.clone(), run.engine.mandate().clone());
    let announced = Rotation { commitment: Digest::from_scalar(Scalar::from(77)), at_step: 40 };
    run.announce = Some(announced);
    let (system, _, steps) = run.fold(&[CALM, Bar { fill: Some(u128::MAX), ..CALM }]);
    assert_eq!(system.broken(), None);
    let rules = Rules::of(&system);
    let own = |block: u8, visit: usize| {
        let here = |v: &usize| (system.places[*v].block, system.places[*v].visit) == (block, visit) && system.places[*v].hash.is_none();
        (1..system.w.len()).filter(here).filter(|v| !rules.digits.contains(v)).collect::<Vec<_>>()
    };
    let visits = |block: u8| {
        (1..system.w.len()).filter(|v| system.places[*v].block == block).map(|v| system.places[v].visit).collect::<BTreeSet<_>>()
    };
    let sights: Vec<Vec<usize>> = visits(4).into_iter().map(|visit| own(4, visit)).collect();
    let mut inputs: Vec<usize> = (1..=ARITY).collect();
    assert_eq!(steps[0].record.observation, CALM.observe(&mandate, &state));
    for (sight, step) in sights.iter().zip(&steps) {
        let values: Vec<Scalar> = sight.iter().map(|v| system.w[*v]).collect();
        assert_eq!(values, elements(&step.record.observation), "the inputs of C4, in their order");
        inputs.extend(sight);
    }
    // Two visits to C10 a slot: `live` is made in the first.
    let live: Vec<usize> = visits(10).into_iter().step_by(2).flat_map(|visit| own(10, visit)).collect();
    assert_eq!(live.len(), 1);
    inputs.extend(live);
    let blind = *visits(11).into_iter().flat_map(|visit| own(11, visit)).collect::<Vec<_>>().first().unwrap();
    assert_eq!(system.w[blind], run.blind);
    inputs.push(blind);
    // The announcement: whether, which commitment, when.
    let first = *visits(12).first().unwrap();
    let announcement: Vec<usize> = own(12, first).into_iter().skip(8).take(3).collect();
    let values: Vec<Scalar> = announcement.iter().map(|v| system.w[*v]).collect();
    assert_eq!(values, [Scalar::ONE, announced.commitment.to_scalar(), Scalar::from(40)]);
    inputs.extend(announcement);
    Fold { system, rules, inputs, sights }
}

/// An observation as C4 holds it.
fn elements(o: &Observation) -> Vec<Scalar> {
    let limb = |v: u128| Scalar::from(u64::try_from(v).unwrap());
    let wide = |v: u128| limb(v >> 64) * Scalar::from(2).pow([64u64]) + limb(v & u128::from(u64::MAX));
    let half = |bytes: &[u8]| wide(u128::from_be_bytes(bytes.try_into().unwrap()));
    let tick = Scalar::from(u64::from(o.mean_tick.unsigned_abs()));
    vec![
        wide(o.price_x64.x64()),
        wide(o.quote.raw()),
        wide(o.base.raw()),
        wide(o.shares.raw()),
        wide(o.fill.map_or(0, |f| f.amount_out.raw())),
        Scalar::from(o.time_s),
        if o.mean_tick < 0 { -tick } else { tick },
        Scalar::from(u64::from(o.fill.is_some())),
        Scalar::from(o.block_number) * Scalar::from(2).pow([128u64]) + half(&o.block_hash[..16]),
        half(&o.block_hash[16..]),
    ]
}

/// Both claims for one shape; returns the number of rows.
fn check(shape: &ModelShape) -> usize {
    let fold = fold(shape);
    let (derivation, open) = fold.rules.derive(&fold.inputs);
    let named: Vec<_> = open.iter().take(8).map(|v| (v, &fold.system.places[*v])).collect();
    assert!(open.is_empty(), "{} cells do not follow from the inputs: {named:?}", open.len());

    let rows = fold.system.rows.len();
    let spare: Vec<usize> = (0..rows).filter(|row| fold.rules.follows_without(*row, &derivation)).collect();
    let mut found: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for row in &spare {
        let row = &fold.system.rows[*row];
        *found.entry((row.place.block, &row.label)).or_default() += 1;
    }
    let listed: BTreeMap<(u8, &str), usize> = NOT_NEEDED.iter().map(|(block, label, count, _)| ((*block, *label), *count)).collect();
    assert_eq!(found, listed, "rows that can go without freeing a cell, against the list");
    println!(
        "{:?}: {rows} rows and {} cells; {} rows needed, {} listed",
        shape.dims,
        fold.system.w.len() - 1,
        rows - spare.len(),
        spare.len()
    );
    rows
}

#[test]
fn inputs_determine_every_cell_and_every_row_is_needed() {
    assert!(check(&market::smallest()) > 10_000);
}

#[test]
fn the_same_for_the_default_shape() {
    assert!(check(&ModelShape::default()) > 25_000);
}

#[test]
fn the_same_for_a_memory() {
    assert!(check(&market::recurrent(2, 7, 6)) > 10_000);
}

/// A gadget that is lost as a whole takes its variables with it, so the argument above may not miss it: these widths are named.
#[test]
fn observed_amounts_are_range_checked() {
    let fold = fold(&market::smallest());
    for sight in &fold.sights {
        let widths: Vec<Option<u32>> = sight.iter().map(|v| fold.rules.range(*v)).collect();
        // price, quote, base, shares | fill (bounded by its comparison), time, tick (bounded by its clamp) | filled | block number and hash
        let wide = Some(96);
        assert_eq!(widths, [wide, wide, wide, wide, None, None, None, Some(1), None, None]);
    }
}

/// The listed rows refuse what they are there for: an amount without a fill, a fill that is half true, a hole in the live slots.
#[test]
fn listed_rows_refuse_ill_formed_inputs() {
    let fold = fold(&market::smallest());
    let refused = |changes: &[(usize, Scalar)], block: u8, label: &str| {
        let mut w = fold.system.w.clone();
        changes.iter().for_each(|(v, value)| w[*v] = *value);
        let row = |r: &&crate::system::Row| {
            r.place.block == block && r.label == label && changes.iter().any(|(v, _)| r.a.iter().any(|(u, _)| u == v))
        };
        let rows: Vec<_> = fold.system.rows.iter().filter(row).filter(|r| r.place.hash.is_none()).collect();
        assert!(!rows.is_empty());
        rows.iter().any(|r| eval(&r.a, &w) * eval(&r.b, &w) != eval(&r.c, &w))
    };
    let [_, _, _, _, fill, _, _, filled, ..] = fold.sights[0].as_slice() else { panic!("ten inputs") };
    assert!(refused(&[(*filled, Scalar::ZERO), (*fill, Scalar::ONE)], 4, "a · b = c"));
    assert!(refused(&[(*filled, Scalar::from(2))], 4, "b · (1 − b) = 0"));
    let live = fold.inputs[fold.inputs.len() - 5];
    assert!(refused(&[(live, Scalar::from(2))], 10, "b · (1 − b) = 0"));

    // Three slots, the third live after an unused second: the prefix row is the one that says no.
    let mandate = market::mandate(market::calm_limits(), market::smallest(), 3);
    let mut run = Run::new(mandate, market::busy_model(&market::smallest(), 60_000));
    let (mut system, ..) = run.fold(&[CALM]);
    let prefix: Vec<usize> =
        (0..system.rows.len()).filter(|r| system.rows[*r].place.block == 10 && system.rows[*r].label == "a · b = c").collect();
    let prefix: Vec<usize> = prefix.into_iter().filter(|r| system.rows[*r].c.is_empty()).collect();
    let lives: Vec<usize> = prefix.iter().map(|r| system.rows[*r].a[0].0).collect();
    assert_eq!((prefix.len(), system.w[lives[0]], system.w[lives[1]]), (2, Scalar::ZERO, Scalar::ZERO));
    system.w[lives[1]] = Scalar::ONE;
    assert!(!system.holds(prefix[1]));
}
