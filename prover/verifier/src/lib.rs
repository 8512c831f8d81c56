//! The protocol: what is committed to, hashed, proven, logged and audited. The verifier defines it and sits below the prover.
//!
//! No network, no clock, no candle. Foreign bytes are parsed strictly; a bad log is a [`Finding`], never a panic.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::as_conversions, clippy::indexing_slicing))]

mod audit;
mod bounds;
mod ceremony;
mod circuit;
mod commitment;
mod digest;
mod disclosure;
mod encode;
mod engines;
mod envelope;
mod equivocation;
mod ethstate;
mod finding;
mod gadgets;
mod hash;
mod inspection;
mod keys;
mod log;
mod onchain;
mod onchain_rotations;
mod onchain_state;
mod parts;
mod pool_state;
mod ptau;
mod quiet;
mod replay;
mod rotation;
mod selftest;
mod settlement;
mod since;
mod size;
mod spartan;
mod statement;
mod story;
mod walk;
mod wire;

/// The scalar field of BN254: what the circuit computes in.
pub type Scalar = <nova_snark::provider::Bn256EngineIPA as nova_snark::traits::Engine>::Scalar;

pub use audit::*;
pub use ceremony::*;
pub use circuit::{CIRCUIT_VERSION, FoldCircuit, FoldWitness};
pub use commitment::{Salt, commit_model};
pub use digest::Digest;
pub use disclosure::*;
pub use encode::{ARITY, Z, genesis_head, genesis_z, mandate_digest, next_head, record_elements, rotation_head, state_digest, z_at};
pub use engines::*;
pub use envelope::*;
pub use equivocation::{EQUIVOCATION_VERSION, Equivocation, Histories, histories};
pub use ethstate::*;
pub use finding::*;
pub use hash::{Domain, hash};
pub use inspection::{Inspection, inspect};
pub use keys::*;
pub use log::*;
pub use onchain::*;
pub use onchain_rotations::{AnnouncedSeen, RotatedSeen};
pub use onchain_state::*;
pub use parts::*;
pub use pool_state::*;
pub use ptau::PtauError;
pub use quiet::quietly;
pub use replay::*;
pub use rotation::{ROTATION_NOTICE, Rotation};
pub use selftest::*;
pub use settlement::*;
pub use since::{
    AUDIT_STATE_FORMAT, AUDIT_STATE_VERSION, AuditState, AuditStateError, ChainMark, LogMark, MAX_AUDIT_STATE, ProvenMark, REORG_MARGIN,
    Since, Told, WalkMark,
};
pub use size::CircuitSize;
pub use spartan::{Spartan, SpartanKey};
pub use statement::*;
pub use story::*;
