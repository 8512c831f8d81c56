//! The circuit without a proof: it goes where the log goes, and what comes later changes nothing before it.
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

use common::{mandate, model, observations};
use probity_prover::twin_heads;
use probity_strategy::{Engine, ModelShape, State};
use probity_verifier::{Salt, commit_model, genesis_head, mandate_digest, next_head};

#[test]
fn its_heads_are_those_of_the_log_whatever_comes_later() {
    let shape = ModelShape { dims: vec![16, 2, 3], shifts: vec![7], recurrent: None };
    let (mandate, model) = (mandate(shape.clone(), 3), model(&shape, 5));
    let seen = observations(&mandate, &model, 11);
    let engine = Engine::new(mandate.clone(), model.clone()).unwrap();
    let heads = twin_heads(&engine, &seen, 2).unwrap();
    // The chain of heads, as a log is written.
    let commitment = commit_model(&shape, &model, &Salt::new([0; 32]));
    let (mut state, mut head) = (State::genesis(&mandate), genesis_head(&mandate_digest(&mandate), &commitment));
    let mut orders = 0;
    for (obs, got) in seen.iter().zip(&heads) {
        let step = engine.step(&state, obs);
        head = next_head(&head, &step.record);
        orders += usize::from(step.decision.order.is_some());
        assert_eq!(*got, head);
        state = step.next_state;
    }
    assert!(heads.len() == 11 && orders > 3, "{orders}");
    // Cut off in the middle of a fold; and with another price after it.
    assert_eq!(twin_heads(&engine, &seen[..7], 2).unwrap(), heads[..7]);
    let mut other = seen.clone();
    other[7].mean_tick += 300;
    other[7].price_x64 = probity_strategy::price_x64(probity_strategy::oriented(other[7].mean_tick, true));
    let changed = twin_heads(&engine, &other, 2).unwrap();
    assert_eq!(changed[..7], heads[..7]);
    assert_ne!(changed[7], heads[7]);
    // An observation that no circuit takes is refused, not decided on.
    other[9].step += 1;
    assert!(twin_heads(&engine, &other, 2).is_err());
}
