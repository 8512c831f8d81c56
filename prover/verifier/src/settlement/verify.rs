//! The reference verifier: challenges, folding, the proof of the folded instance.

use super::codec::{Proof, Rejected};
use super::key::{E1, SettlementKey};
use super::trail::chained;
use super::{FIXED, TAG_BLOCK, TAG_DOMAIN, TAG_START, abi_word, keccak};
use crate::{Digest, Scalar};
use nova_snark::r1cs::{R1CSInstance, RelaxedR1CSInstance};
use nova_snark::traits::snark::RelaxedR1CSSNARKTrait;

/// Which weights decide, as z has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Commitment in force.
    pub commitment: Scalar,
    /// Commitment of the rotation ahead; 0 without one.
    pub ahead: Scalar,
    /// Its step; 0 without one.
    pub ahead_step: Scalar,
}

/// What the vault says about the decisions that are settled. None of it comes from the prover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Binds chain, vault, promise and range, see [`Domain`].
    pub domain: [u8; 32],
    /// The trail before.
    pub trail: [u8; 32],
    /// Decisions settled.
    pub decisions: u32,
    /// The fingerprint before.
    pub fingerprint: Scalar,
    /// z before.
    pub z: Vec<Scalar>,
    /// The weights after the first block, and from then on: other ones than before only where the range starts with an announcement or a
    /// take-over.
    pub after: Weights,
}

/// What a settlement shows: where the decisions end. The vault compares it with what it recorded itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The trail after.
    pub trail: [u8; 32],
    /// The fingerprint after.
    pub fingerprint: Scalar,
    /// z after.
    pub z: Vec<Scalar>,
}

/// What a settlement is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain {
    /// Chain id.
    pub chain_id: u64,
    /// Vault.
    pub vault: [u8; 20],
    /// Mandate digest.
    pub mandate: Digest,
    /// Model commitment.
    pub commitment: Digest,
    /// Genesis head.
    pub genesis_head: Digest,
    /// Digest of the genesis state.
    pub genesis_state: Digest,
    /// Decisions settled before.
    pub from: u32,
    /// Decisions settled after.
    pub to: u32,
}

impl Domain {
    /// keccak-256 of tag, chain id, vault, mandate, commitment, genesis and range, a word each.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut vault = [0; 32];
        if let Some(low) = vault.last_chunk_mut::<20>() {
            *low = self.vault;
        }
        keccak(&[
            &TAG_DOMAIN,
            &abi_word(self.chain_id.into()),
            &vault,
            &self.mandate.to_bytes(),
            &self.commitment.to_bytes(),
            &self.genesis_head.to_bytes(),
            &self.genesis_state.to_bytes(),
            &abi_word(self.from.into()),
            &abi_word(self.to.into()),
        ])
    }
}

impl Claim {
    /// The claim's bytes: what precedes the settlement's in the contract's call.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.domain.to_vec();
        out.extend(self.trail);
        out.extend(abi_word(self.decisions.into()));
        out.extend(Digest::from_scalar(self.fingerprint).to_bytes());
        for element in self.z.iter().chain([&self.after.commitment, &self.after.ahead, &self.after.ahead_step]) {
            out.extend(Digest::from_scalar(*element).to_bytes());
        }
        out
    }
}

impl Weights {
    /// Those of a z; none if it is too short.
    #[must_use]
    pub fn of(z: &[Scalar]) -> Option<Self> {
        let [commitment, _, ahead, ahead_step, ..] = z else { return None };
        Some(Self { commitment: *commitment, ahead: *ahead, ahead_step: *ahead_step })
    }
}

impl End {
    /// The bytes the contract returns.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.trail.to_vec();
        out.extend(Digest::from_scalar(self.fingerprint).to_bytes());
        for element in &self.z {
            out.extend(Digest::from_scalar(*element).to_bytes());
        }
        out
    }
}

/// The challenges of the folds.
pub struct Challenges {
    hash: [u8; 32],
}

impl std::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Challenges")
    }
}

impl Challenges {
    /// Absorbs configuration, claim and mask.
    #[must_use]
    pub fn start(key: &SettlementKey, claim: &Claim, mask: &[u8]) -> Self {
        Self { hash: keccak(&[&TAG_START, &key.config(), &claim.to_bytes(), mask]) }
    }

    /// Absorbs a block's bytes and draws its challenge.
    pub fn block(&mut self, raw: &[u8]) -> Scalar {
        self.hash = keccak(&[&TAG_BLOCK, &self.hash, raw]);
        super::Mark::of(&self.hash).to_scalar()
    }
}

/// Folds the blocks with the given challenges. The public values are the claim's, chained; the prover chooses neither mandate nor weights.
pub fn fold(key: &SettlementKey, claim: &Claim, proof: &Proof, challenges: &[Scalar]) -> Result<(RelaxedR1CSInstance<E1>, End), Rejected> {
    let internal = |e: nova_snark::errors::NovaError| Rejected::Proof(e.to_string());
    let nothing = vec![Scalar::from(0); key.public_values()];
    let mut running = RelaxedR1CSInstance::new(&key.blank, proof.mask.0, proof.mask.1, Scalar::from(0), nothing).map_err(internal)?;
    let mut end = End { trail: claim.trail, fingerprint: claim.fingerprint, z: claim.z.clone() };
    for (block, challenge) in proof.blocks.iter().zip(challenges) {
        let mut public = end.z.clone();
        public.push(end.fingerprint);
        for slot in 0..key.per_block() {
            public.push(block.marks.get(slot).map_or(Scalar::from(0), |m| m.to_scalar()));
        }
        for mark in &block.marks {
            end.trail = chained(&end.trail, mark);
        }
        let live = Scalar::from(u64::try_from(block.marks.len()).unwrap_or(u64::MAX));
        for (i, element) in end.z.iter_mut().enumerate() {
            *element = match i {
                0 => claim.after.commitment,
                // The mandate.
                1 => *element,
                2 => claim.after.ahead,
                3 => claim.after.ahead_step,
                FIXED => *element + live,
                _ => block.rest.get(i.saturating_sub(FIXED + 1)).copied().unwrap_or_default(),
            };
        }
        end.fingerprint = block.fingerprint;
        public.extend(&end.z);
        public.push(end.fingerprint);
        let instance = R1CSInstance::new(&key.blank, &block.witness, &public).map_err(internal)?;
        running = running.fold(&instance, &block.cross, challenge);
    }
    Ok((running.derandomize(&key.unblind, &proof.blinds.0, &proof.blinds.1), end))
}

/// Checks the proof of a folded instance.
pub fn check(key: &SettlementKey, folded: &RelaxedR1CSInstance<E1>, proof: &Proof) -> Result<(), Rejected> {
    proof.snark.verify(&key.verifier_key, folded).map_err(|e| Rejected::Proof(e.to_string()))
}

/// Verifies a settlement against a claim.
pub fn verify(key: &SettlementKey, claim: &Claim, bytes: &[u8]) -> Result<End, Rejected> {
    if claim.z.len() != key.arity() {
        return Err(Rejected::Arity { expected: key.arity(), got: claim.z.len() });
    }
    let proof = key.parse(claim.decisions, bytes)?;
    let mut transcript = Challenges::start(key, claim, &proof.mask_raw);
    let challenges: Vec<Scalar> = proof.blocks.iter().map(|block| transcript.block(&block.raw)).collect();
    let (folded, end) = fold(key, claim, &proof, &challenges)?;
    check(key, &folded, &proof)?;
    Ok(end)
}
