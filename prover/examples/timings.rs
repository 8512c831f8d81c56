//! Times of deriving parameters, folding, compressing and verifying, on this machine: the figures of `docs/performance.md`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the tests")]
mod common;

use probity_prover::Session;
use probity_strategy::ModelShape;
use probity_verifier::{Keys, public_params, verify};
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let mandate = common::mandate(ModelShape::default(), 4);
    let model = common::model(&mandate.model, 3);
    let t = Instant::now();
    let public = public_params(&mandate.model, 4, mandate.proof_engine).unwrap();
    println!("public_params {:?}", t.elapsed());
    let t = Instant::now();
    let _ = Keys::from_params(&mandate.model, 4, &public).unwrap();
    println!("from_params {:?}", t.elapsed());
    let params = Arc::new(probity_prover::Params::for_mandate(&mandate).unwrap());
    let mut session = Session::start(params.clone(), mandate.clone(), model.clone(), common::salt()).unwrap();
    let obs = common::observations(&mandate, &model, 12);
    for c in obs.chunks(4) {
        let t = Instant::now();
        session.fold(c).unwrap();
        println!("fold {:?}", t.elapsed());
    }
    let t = Instant::now();
    let proof = session.compress().unwrap();
    println!("compress {:?} {} bytes", t.elapsed(), proof.len());
    let t = Instant::now();
    verify(&proof, params.keys(), &mandate, &session.commitment()).unwrap();
    println!("verify {:?}", t.elapsed());
}
