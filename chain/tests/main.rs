//! What a chain and the contracts do: one program for all of it, because each would compile most of the client once more.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../prover/tests/common/mod.rs"]
#[expect(dead_code, reason = "shared with the prover's tests")]
mod agent;
#[path = "common/books.rs"]
mod books;
mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/raw.rs"]
mod raw;
#[path = "common/settling.rs"]
mod settling;
#[path = "../../prover/verifier/tests/ptau/mod.rs"]
mod writer;

mod artifacts;
mod devchain;
mod failover;
mod minifork;
mod pool_view;
mod pull;
mod refusals;
mod registry;
mod send;
mod settlement;
mod settlement_figures;
mod share_fees;
mod shares;
mod signer;
mod vault;
mod vault_attacks;
mod vault_epochs;
mod vault_gas;
mod vault_invariants;
mod vault_rotation;
