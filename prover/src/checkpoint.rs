//! Checkpoints: the private state of a session on disk, bound to mandate, model and parameters.
//!
//! All integers big endian: magic (8 bytes), version u16, mandate, commitment in force, parameters, commitment at genesis, head, blind
//! (6 × 32), start of the running proof (decisions u32, z 7 × 32), rotation ahead (u8 0, or 1, commitment 32, step u32), folds u32, state length u32, state (JSON), chain length u64, chain, SHA-256 of all before. Mode 0600: it contains the weights.

use crate::chain::Chain;
use crate::{Params, ProverError, Session};
use probity_strategy::{Mandate, Model, State};
use probity_verifier::{Digest, Rotation, Salt};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const MAGIC: [u8; 8] = *b"PROBITYC";
const VERSION: u16 = 3;

impl Session {
    /// Writes the session to `path`, all or nothing: a temporary file beside it, synced, then renamed over it.
    pub fn checkpoint(&self, path: &Path) -> Result<(), ProverError> {
        if self.spoiled {
            return Err(ProverError::Spoiled);
        }
        if let Some(rotation) = &self.announce {
            let expected = "every announcement folded in with the decision after it";
            return Err(ProverError::checkpoint("rotation", expected, format!("one of step {} that waits", rotation.at_step)));
        }
        let bytes = self.encode()?;
        let mut name = path.file_name().ok_or_else(|| ProverError::checkpoint("path", "a file name", path.display()))?.to_owned();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Reads a session back. A damaged checkpoint, or one of another mandate, model or circuit, is refused.
    pub fn resume(path: &Path, params: Arc<Params>, mandate: Mandate, model: Model, salt: Salt) -> Result<Self, ProverError> {
        let bytes = fs::read(path)?;
        let mut session = Self::start(params, mandate, model, salt)?;
        session.decode(&bytes)?;
        if let Some(chain) = &session.chain {
            let folds = usize::try_from(session.folds).unwrap_or(usize::MAX);
            chain.verify(session.params.public(), folds, &session.z0)?;
        }
        session.check_end()?;
        Ok(session)
    }

    /// Commitment to the weights that were in force when the checkpoint at `path` was written: those to [`Session::resume`] it with. Nothing
    /// else of it is checked here.
    pub fn commitment_in(path: &Path) -> Result<Digest, ProverError> {
        let bytes = fs::read(path)?;
        let mut rest = bytes.as_slice();
        start(&mut rest)?;
        digest(&mut rest, "mandate")?;
        digest(&mut rest, "commitment")
    }

    fn encode(&self) -> Result<Vec<u8>, ProverError> {
        let state = serde_json::to_vec(&self.state).map_err(|e| ProverError::checkpoint("state", "an encodable state", e))?;
        let chain = match &self.chain {
            Some(chain) => chain.encode()?,
            None => Vec::new(),
        };
        let mut out = Vec::with_capacity(256 + state.len() + chain.len());
        out.extend(MAGIC);
        out.extend(VERSION.to_be_bytes());
        let blind = Digest::from_scalar(self.blind);
        for digest in [self.mandate, self.commitment, self.params.digest(), self.first_commitment, self.head, blind] {
            out.extend(digest.to_bytes());
        }
        out.extend(self.from.to_be_bytes());
        for scalar in &self.z0 {
            out.extend(Digest::from_scalar(*scalar).to_bytes());
        }
        out.push(u8::from(self.ahead.is_some()));
        if let Some(rotation) = &self.ahead {
            out.extend(rotation.commitment.to_bytes());
            out.extend(rotation.at_step.to_be_bytes());
        }
        out.extend(self.folds.to_be_bytes());
        out.extend(u32::try_from(state.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(state);
        out.extend(u64::try_from(chain.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend(chain);
        let sum = Sha256::digest(&out);
        out.extend(sum);
        Ok(out)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), ProverError> {
        let damaged = |field: &'static str| ProverError::checkpoint(field, "an undamaged checkpoint", "a damaged or truncated one");
        let (body, sum) = bytes.split_last_chunk::<32>().ok_or_else(|| damaged("length"))?;
        if Sha256::digest(body).as_slice() != sum {
            return Err(damaged("sha256"));
        }
        let mut rest = body;
        start(&mut rest)?;
        for (field, expected) in [("mandate", self.mandate), ("commitment", self.commitment), ("parameters", self.params.digest())] {
            let got = digest(&mut rest, field)?;
            if got != expected {
                return Err(ProverError::checkpoint(field, expected, got));
            }
        }
        self.first_commitment = digest(&mut rest, "commitment at genesis")?;
        self.head = digest(&mut rest, "head")?;
        self.blind = digest(&mut rest, "blind")?.to_scalar();
        self.from = u32::from_be_bytes(take(&mut rest, "start")?);
        for scalar in &mut self.z0 {
            *scalar = digest(&mut rest, "start")?.to_scalar();
        }
        self.ahead = match take(&mut rest, "rotation")? {
            [0] => None,
            [1] => {
                let commitment = digest(&mut rest, "rotation")?;
                Some(Rotation { commitment, at_step: u32::from_be_bytes(take(&mut rest, "rotation")?) })
            }
            [other] => return Err(ProverError::checkpoint("rotation", "0 or 1", other)),
        };
        self.folds = u32::from_be_bytes(take(&mut rest, "folds")?);
        let length = u32::from_be_bytes(take(&mut rest, "state length")?);
        let (state, tail) = usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)).ok_or_else(|| damaged("state"))?;
        self.state = serde_json::from_slice::<State>(state).map_err(|e| ProverError::checkpoint("state", "a state", e))?;
        rest = tail;
        let length = u64::from_be_bytes(take(&mut rest, "chain length")?);
        if usize::try_from(length) != Ok(rest.len()) || rest.is_empty() != (self.folds == 0) {
            return Err(damaged("chain length"));
        }
        if !rest.is_empty() {
            self.chain = Some(Chain::decode(rest, self.params.public().engine())?);
        }
        Ok(())
    }
}

/// Magic and version.
fn start(rest: &mut &[u8]) -> Result<(), ProverError> {
    if take::<8>(rest, "magic")? != MAGIC {
        return Err(ProverError::checkpoint("magic", "a probity checkpoint", "something else"));
    }
    let version = u16::from_be_bytes(take(rest, "version")?);
    if version == VERSION { Ok(()) } else { Err(ProverError::checkpoint("version", VERSION, version)) }
}

fn take<const N: usize>(rest: &mut &[u8], field: &'static str) -> Result<[u8; N], ProverError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or_else(|| ProverError::checkpoint(field, format!("{N} bytes"), rest.len()))?;
    *rest = tail;
    Ok(*head)
}

fn digest(rest: &mut &[u8], field: &'static str) -> Result<Digest, ProverError> {
    Digest::from_bytes(take(rest, field)?).map_err(|e| ProverError::checkpoint(field, "a canonical field element", e))
}
