//! Makes settlements of a run: its model, the settlement's parameters, and the proof that is kept until the vault has it.
//!
//! A proof is written down before anybody is asked about it, and what is written down is sent as it is: its mask is used for one
//! settlement. A proof of other decisions than the vault now has (a reorganisation, a decision that came in between) is made anew,
//! with a fresh mask.

use crate::journal::Announced;
use crate::output;
use crate::run::Weights;
use anyhow::{Context, Result, ensure};
use probity_chain::{Address, SettlementVerifier, Standing};
use probity_prover::{Position, Settler};
use probity_strategy::{Model, Observation, Record};
use probity_verifier::{
    Claim, Digest, Header, Rotation, Salt, Scalar, SettlementDomain, SettlementSetup, Trail, genesis_z, verify_settlement,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file that a proof waits in.
pub(crate) const WAITING: &str = "settlement.json";

/// A proof that waits for its transaction (`docs/formats/README.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    version: u32,
    vault: String,
    /// Decisions proven before.
    pub(crate) from: u32,
    /// Decisions proven after.
    pub(crate) to: u32,
    /// What it is held against, hex.
    claim: String,
    /// Where it ends, hex.
    end: String,
    /// What is sent, hex.
    settlement: String,
}

/// Removes the proof that waits in a run's folder if the vault has proven all that it proves: it was sent, and whoever sent it ended
/// before it could tell. A file that cannot be read is left to whoever proves next.
pub(crate) fn forget(dir: &Path, proven: u32) -> Result<()> {
    let path = dir.join(WAITING);
    match waiting(&path) {
        Ok(Some(old)) if old.to <= proven => remove(&path),
        _ => Ok(()),
    }
}

/// The proof that waits for its transaction, if there is one.
fn waiting(path: &Path) -> Result<Option<Waiting>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("{}", path.display())),
    };
    let waiting: Waiting = serde_json::from_slice(&text)
        .with_context(|| format!("{}: expected a settlement that waits; remove the file to make a new one", path.display()))?;
    Ok((waiting.version == 1).then_some(waiting))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).with_context(|| format!("{}", path.display())),
        _ => Ok(()),
    }
}

impl Waiting {
    /// The bytes for the vault.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        hex::decode(&self.settlement).context("settlement.json: settlement: expected hex digits")
    }
}

/// A run's settlements.
pub(crate) struct Desk {
    settler: Settler,
    /// Announcements of other weights, each with the number of decisions before it.
    announced: BTreeMap<u32, Rotation>,
    header: Header,
    vault: Address,
    path: PathBuf,
}

/// The vault of a mandate.
pub(crate) fn vault_of(header: &Header) -> Result<Address> {
    let vault = &header.mandate.vault;
    vault.parse().map_err(|_| anyhow::anyhow!("mandate.vault: expected an address, got {vault}"))
}

/// Digest of a mandate's genesis state.
pub(crate) fn genesis_state(header: &Header) -> Digest {
    let [.., state] = genesis_z(&header.mandate, &header.model_commitment);
    Digest::from_scalar(state)
}

impl Desk {
    /// For a run's folder.
    pub(crate) fn new(dir: &Path, setup: Arc<SettlementSetup>, header: &Header, model: Model, salt: Salt) -> Result<Self> {
        let settler = Settler::new(setup, header.mandate.clone(), model, salt)?;
        ensure!(settler.commitment() == header.model_commitment, "opening: commits to another model than the run's");
        Ok(Self { settler, announced: BTreeMap::new(), header: header.clone(), vault: vault_of(header)?, path: dir.join(WAITING) })
    }

    /// Notes what a run announced, with the weights that open each commitment; what was noted before is passed over.
    pub(crate) fn follow(&mut self, announced: &[Announced], weights: &Weights) -> Result<()> {
        for a in announced.iter().skip(self.announced.len()) {
            let (expected, own) = (a.rotation.commitment, weights.at(a.rotation.at_step));
            let commitment = self.settler.provide(own.model.clone(), own.salt.clone())?;
            ensure!(commitment == expected, "opening: expected the weights behind {expected}, got those behind {commitment}");
            self.announced.insert(a.step, a.rotation);
        }
        Ok(())
    }

    /// Table of constants of the verifier.
    pub(crate) fn table(&self) -> &[u8] {
        self.settler.setup().key.table()
    }

    /// Whether the vault's verifier is the one of these parameters, every byte of it.
    pub(crate) async fn check_verifier(&self, url: &str, verifier: Address) -> Result<()> {
        let matches = SettlementVerifier::at(url, verifier)?.code_matches(self.table()).await?;
        let per_block = self.settler.setup().key.per_block();
        ensure!(
            matches,
            "the vault's verifier {verifier:?} is not that of blocks of {per_block} decisions of this model shape under these parameters; \
             name the settlement.decisions_per_block and the .ptau file it was armed with"
        );
        Ok(())
    }

    fn domain(&self, from: u32, to: u32) -> [u8; 32] {
        let h = &self.header;
        SettlementDomain {
            chain_id: h.mandate.chain_id,
            vault: self.vault.0,
            mandate: h.mandate_digest,
            commitment: h.model_commitment,
            genesis_head: h.genesis_head,
            genesis_state: genesis_state(h),
            from,
            to,
        }
        .digest()
    }

    /// A proof of these decisions after the proven ones, up to where the vault lets one settlement go: the one that waits, or a new one. They
    /// must be what the vault recorded, as far as it has; one more may follow, which its own transaction then brings.
    pub(crate) fn prove(&self, standing: &Standing, records: &[Record]) -> Result<Waiting> {
        let (from, to) = (standing.proven_steps, u32::try_from(records.len())?.min(standing.settles_to));
        let (position, trail, end, observations) = self.replay(standing, records, to)?;
        let claim = self.settler.claim(&position, trail, self.domain(from, to), to - from);
        let expected = hex::encode(claim.to_bytes());
        if let Some(waiting) = waiting(&self.path)? {
            if self.holds(&waiting, &claim, &expected, &end)? {
                return Ok(waiting);
            }
            output::talk("the proof that waited is of other decisions than the vault has now: making a new one");
        }
        let made = self.settler.settle(&position, trail, claim.domain, &observations)?;
        ensure!(made.end.trail == end.value && made.end.fingerprint == end.fingerprint, "the settlement ends elsewhere; this is a bug");
        let waiting = Waiting {
            version: 1,
            vault: self.header.mandate.vault.clone(),
            from,
            to,
            claim: expected,
            end: hex::encode(made.end.to_bytes()),
            settlement: hex::encode(&made.bytes),
        };
        self.keep(&waiting)?;
        Ok(waiting)
    }

    fn holds(&self, waiting: &Waiting, claim: &Claim, expected: &str, end: &Trail) -> Result<bool> {
        if waiting.claim != expected {
            return Ok(false);
        }
        let shown = verify_settlement(&self.settler.setup().key, claim, &waiting.bytes()?);
        Ok(shown.is_ok_and(|shown| shown.trail == end.value && shown.fingerprint == end.fingerprint))
    }

    /// Replays the decisions; the vault's trail must be theirs where it is proven and where it stands. Returns where the proven ones end, the
    /// trail there and after `to` decisions, and the observations in between.
    fn replay(&self, standing: &Standing, records: &[Record], to: u32) -> Result<(Position, Trail, Trail, Vec<Observation>)> {
        let (proven, steps) = (usize::try_from(standing.proven_steps)?, usize::try_from(standing.steps)?);
        ensure!(proven < records.len(), "every one of the {} decisions is settled", records.len());
        ensure!(
            steps <= records.len() && records.len() <= steps + 1,
            "the journal has {} decisions, the vault {steps}: start the agent, which brings them together",
            records.len()
        );
        let settler = &self.settler;
        let mut position = settler.genesis();
        let mut trail = Trail { value: self.domain(0, 0), fingerprint: Scalar::from(0) };
        let (mut start, mut end) = (None, trail);
        let same = |trail: &Trail, head: Digest, place: (&[u8; 32], &[u8; 32], &[u8; 32]), at: u32| {
            ensure!(
                (&trail.value, &Digest::from_scalar(trail.fingerprint).to_bytes(), &head.to_bytes()) == place,
                "the vault recorded other decisions than this journal up to decision {at}: nothing can settle them"
            );
            Ok(())
        };
        for count in 0..=u32::try_from(records.len())? {
            if count == standing.proven_steps {
                let place = (&standing.proven_trail, &standing.proven_fingerprint, &standing.proven_head);
                same(&trail, position.decided(), place, count)?;
            }
            if let Some(rotation) = self.announced.get(&count) {
                position = settler.announce(&position, rotation)?;
            }
            if count == standing.proven_steps {
                start = Some((position.clone(), trail));
            }
            if count == standing.steps {
                same(&trail, position.head(), (&standing.trail, &standing.fingerprint, &standing.head), count)?;
            }
            if count == to {
                end = trail;
            }
            let Some(record) = records.get(usize::try_from(count)?) else { break };
            let (after, made) = settler.advance(&position, std::slice::from_ref(&record.observation))?;
            ensure!(made.first() == Some(record), "decision {count} of the journal is not what the model decides");
            settler.follow(&mut trail, &position, &made);
            position = after;
        }
        let (position, before) = start.context("the proven position; this is a bug")?;
        let stretch = records.iter().take(usize::try_from(to)?).skip(proven);
        Ok((position, before, end, stretch.map(|r| r.observation.clone()).collect()))
    }

    fn keep(&self, waiting: &Waiting) -> Result<()> {
        crate::whole::write(&self.path, &serde_json::to_vec(waiting)?)
    }

    /// The vault has it: nothing waits any more.
    pub(crate) fn settled(&self) -> Result<()> {
        remove(&self.path)
    }
}
