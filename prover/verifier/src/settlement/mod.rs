//! Settlement: many blocks of decisions in one proof that a contract can check (`docs/design/settlement.md` is the specification).
//!
//! Each block is a plain R1CS instance of the step circuit with the vault's own records bound in by a fingerprint. The verifier
//! folds the blocks into a random relaxed instance (Nova's folding, the verifier's side) and checks one proof of the result.
//! This is the reference; `chain/contracts/SettlementVerifier.yul` is its twin and must give the same answer on every input.

mod circuit;
mod codec;
mod key;
mod sums;
mod trail;
mod verify;

pub use circuit::SettleCircuit;
pub use codec::{Block, Proof, Rejected, Snark as SettlementSnark};
pub use key::{SettleInstance, SettlePoint, SettleShape, SettleWitness, SettlementKey, SettlementSetup};
pub use sums::Sums;
pub use trail::{Mark, Trail};
pub use verify::{
    Challenges, Claim, Domain as SettlementDomain, End, Weights as SettlementWeights, check, fold, verify as verify_settlement,
};

/// Most decisions in one settlement.
pub const MAX_DECISIONS: u32 = 4096;
/// Elements of z that no block of a settlement brings: model commitment, mandate digest, commitment and step of the rotation ahead. The claim says
/// them before the first block and after it. Then the step, then what each block brings, the head first.
pub const FIXED: usize = 4;
/// Protocol, commitment scheme and version, as the key's table carries them.
pub const PROTOCOL: [u8; 32] = *b"probity.settlement.3.mercury\0\0\0\0";
/// First bytes of the first challenge's hash.
pub const TAG_START: [u8; 32] = *b"probity.settlement.3.start\0\0\0\0\0\0";
/// First bytes of each block's hash.
pub const TAG_BLOCK: [u8; 32] = *b"probity.settlement.3.block\0\0\0\0\0\0";
/// First bytes of the domain's hash.
pub const TAG_DOMAIN: [u8; 32] = *b"probity.settlement.1.domain\0\0\0\0\0";

pub(crate) fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    use sha3::{Digest as _, Keccak256};
    let mut hash = Keccak256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// A number as a word of the chain.
pub(crate) fn abi_word(value: u128) -> [u8; 32] {
    let mut out = [0; 32];
    if let Some(low) = out.last_chunk_mut::<16>() {
        *low = value.to_be_bytes();
    }
    out
}
