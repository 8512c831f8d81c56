//! Row 36 of the bad cases: other weights take over at the step that was announced, not before, and the retired ones have no witness after it.

use crate::market::{self, CALM, Run};
use crate::system::System;
use probity_strategy::{Engine, Model};
use probity_verifier::{Digest, ROTATION_NOTICE, Rotation, Salt, Scalar, commit_model};

fn agent(slots: u16) -> Run {
    Run::new(market::mandate(market::calm_limits(), market::smallest(), slots), market::busy_model(&market::smallest(), 60_000))
}

fn other(run: &Run) -> (Model, Salt, Digest) {
    let (model, salt) = (market::busy_model(&market::smallest(), 3), Salt::new([9; 32]));
    let commitment = commit_model(&run.engine.mandate().model, &model, &salt);
    (model, salt, commitment)
}

fn with(run: &Run, model: Model, salt: Salt) -> Run {
    Run { engine: Engine::new(run.engine.mandate().clone(), model).unwrap(), salt, ..run.clone() }
}

/// The block of the first row that does not hold in a fold of `count` calm bars.
fn broken(run: &Run, count: usize) -> Option<u8> {
    let system = run.clone().fold(&vec![CALM; count]).0;
    system.broken().map(|row| system.rows[row].place.block)
}

#[test]
fn announced_weights_take_over_at_their_step_and_not_before() {
    let mut run = agent(2);
    let (model, salt, commitment) = other(&run);
    run.announce = Some(Rotation { commitment, at_step: ROTATION_NOTICE });
    let old = run.z[0];
    for step in 0..ROTATION_NOTICE {
        // The new weights are too early, the old ones right.
        assert_eq!(broken(&with(&run, model.clone(), salt.clone()), 1), Some(1), "step {step}");
        // No fold reaches over the step with the old weights.
        if step + 1 == ROTATION_NOTICE {
            assert_eq!(broken(&run, 2), Some(12));
        }
        let (system, out, _) = run.fold(&[CALM]);
        assert_eq!((system.broken(), &out[..]), (None, &run.z[..]), "step {step}");
        assert_eq!(run.z[0], old);
    }
    // Now the old ones are refused. They could only go on from a z in which nothing is ahead, and z is public.
    assert_eq!(broken(&run, 1), Some(1));
    let mut silent = run.clone();
    (silent.ahead, silent.z[2], silent.z[3]) = (None, Scalar::from(0), Scalar::from(0));
    assert_eq!(broken(&silent, 1), None);
    let mut run = with(&run, model, salt);
    for _ in 0..2 {
        let (system, out, _) = run.fold(&[CALM, CALM]);
        assert_eq!((system.broken(), &out[..]), (None, &run.z[..]));
        assert_eq!((run.z[0], run.ahead), (commitment.to_scalar(), None));
    }
    // And they may be followed in their turn.
    run.announce = Some(Rotation { commitment: Digest::from_scalar(old), at_step: run.state.step + ROTATION_NOTICE });
    assert_eq!(broken(&run, 1), None);
}

#[test]
fn an_announcement_needs_notice_and_comes_alone() {
    let mut run = agent(1);
    let commitment = other(&run).2;
    run.fold(&[CALM]);
    for (at_step, expected) in [(0, Some(12)), (1, Some(12)), (ROTATION_NOTICE, Some(12)), (ROTATION_NOTICE + 1, None), (u32::MAX, None)] {
        run.announce = Some(Rotation { commitment, at_step });
        assert_eq!(run.announce.unwrap().check(1).is_err(), expected.is_some());
        assert_eq!(broken(&run, 1), expected, "at step {at_step}");
    }
    run.announce = Some(Rotation { commitment: Digest::from_scalar(Scalar::from(0)), at_step: 100 });
    assert_eq!(broken(&run, 1), Some(12), "0 is no commitment");
    run.announce = Some(Rotation { commitment, at_step: 100 });
    run.fold(&[CALM]);
    run.announce = Some(Rotation { commitment, at_step: 100 });
    assert_eq!(broken(&run, 1), Some(12), "one is ahead already");
}

/// The announcement is in the head: two logs that differ in it differ in every head after it.
#[test]
fn an_announcement_moves_the_head() {
    let run = agent(1);
    let commitment = other(&run).2;
    let head = |announce: Option<Rotation>| {
        let mut run = Run { announce, ..run.clone() };
        let (system, out, _): (System, Vec<Scalar>, _) = run.fold(&[CALM]);
        assert_eq!(system.broken(), None);
        assert_eq!(out[..], run.z);
        out[5]
    };
    let heads = [None, Some(Rotation { commitment, at_step: 12 }), Some(Rotation { commitment, at_step: 13 })].map(head);
    assert!(heads[0] != heads[1] && heads[1] != heads[2] && heads[0] != heads[2]);
}
