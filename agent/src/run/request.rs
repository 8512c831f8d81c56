//! A request for other weights: the file in a run's folder by which `probity rotate` tells the agent, running or not.
//!
//! It holds the weights, so only its owner may read it. The agent takes it by renaming it: what was taken can no longer be withdrawn, what
//! was withdrawn can no longer be taken, whoever is faster.

use crate::{secret, whole};
use anyhow::{Context, Result, bail, ensure};
use probity_verifier::Reveal;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file that waits, and what it is called once the agent has taken it.
pub(crate) const WAITING: &str = "rotation.json";
pub(crate) const TAKEN: &str = "rotation.taken.json";

const VERSION: u16 = 1;

/// Other weights, asked for. Private: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    version: u16,
    /// First decision of the new weights; none: as soon as the notice allows.
    pub(crate) at_step: Option<u32>,
    /// The weights, without others after them.
    pub(crate) opening: Reveal,
}

impl Request {
    /// For these weights, from a decision on or as soon as can be.
    pub(crate) const fn new(opening: Reveal, at_step: Option<u32>) -> Self {
        Self { version: VERSION, at_step, opening }
    }
}

/// Where a run's requests are.
pub(crate) struct Requests {
    waiting: PathBuf,
    taken: PathBuf,
}

impl Requests {
    /// In the folder of a run.
    pub(crate) fn of(dir: &Path) -> Self {
        Self { waiting: dir.join(WAITING), taken: dir.join(TAKEN) }
    }

    /// Whether one waits or is being announced.
    pub(crate) fn is_any(&self) -> bool {
        self.waiting.exists() || self.taken.exists()
    }

    /// Leaves one for the agent, durably; refused if one is there.
    pub(crate) fn leave(&self, request: &Request) -> Result<()> {
        let taken = || {
            format!(
                "{}: expected no request before this one, got one that waits; `probity rotate --withdraw` takes it back",
                self.waiting.display()
            )
        };
        ensure!(!self.is_any(), taken());
        let mut written = self.waiting.clone().into_os_string();
        written.push(format!(".{}.tmp", std::process::id()));
        let written = PathBuf::from(written);
        secret::write_secret(&written, &serde_json::to_vec(request)?)?;
        // A link, because a rename would replace what another one left meanwhile.
        let left = std::fs::hard_link(&written, &self.waiting);
        std::fs::remove_file(&written).with_context(|| written.display().to_string())?;
        match left {
            Ok(()) => whole::sync_folder_of(&self.waiting),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(taken()),
            Err(error) => Err(error).with_context(|| self.waiting.display().to_string()),
        }
    }

    /// Takes back the one that waits.
    pub(crate) fn withdraw(&self) -> Result<()> {
        match std::fs::remove_file(&self.waiting) {
            Ok(()) => whole::sync_folder_of(&self.waiting),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let got = if self.taken.exists() {
                    "one that the agent has taken: it is announced, or will be at the next start"
                } else {
                    "none"
                };
                bail!("{}: expected a request that waits, got {got}", self.waiting.display())
            }
            Err(error) => Err(error).with_context(|| self.waiting.display().to_string()),
        }
    }

    /// Takes the one that waits, or the one that an earlier start took and did not finish with.
    pub(crate) fn take(&self) -> Result<Option<Request>> {
        if !self.taken.exists() {
            match std::fs::rename(&self.waiting, &self.taken) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                moved => moved.with_context(|| self.waiting.display().to_string())?,
            }
            whole::sync_folder_of(&self.taken)?;
        }
        let text = std::fs::read(&self.taken).with_context(|| self.taken.display().to_string())?;
        // serde's own message could quote a weight: only the place is told.
        let request: Request = serde_json::from_slice(&text).map_err(|e| {
            anyhow::anyhow!(
                "{}: expected version, at_step and opening, stopped at line {}, column {}; remove it and ask again",
                self.taken.display(),
                e.line(),
                e.column()
            )
        })?;
        ensure!(
            request.version == VERSION,
            "{}, version: expected {VERSION}, got {}; remove it and ask again",
            self.taken.display(),
            request.version
        );
        Ok(Some(request))
    }

    /// The one that was taken is done with.
    pub(crate) fn clear(&self) -> Result<()> {
        std::fs::remove_file(&self.taken).with_context(|| self.taken.display().to_string())?;
        whole::sync_folder_of(&self.taken)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn some(at_step: Option<u32>) -> Request {
        let policy = serde_json::json!({ "gain": 1, "band_gain": 0, "cooldown_steps": 0, "band_bps": 0, "max_step_bps": 1 });
        let model = serde_json::json!({ "scales": vec![1; 16], "weights": [], "biases": [], "policy": policy });
        let opening = serde_json::json!({ "model": model, "salt": "11".repeat(32) });
        Request::new(serde_json::from_value(opening).unwrap(), at_step)
    }

    #[test]
    fn one_waits_at_a_time_and_what_is_taken_is_not_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let requests = Requests::of(dir.path());
        assert!(requests.take().unwrap().is_none());
        let text = requests.withdraw().unwrap_err().to_string();
        assert!(text.contains("rotation.json: expected a request that waits, got none"), "{text}");
        requests.leave(&some(Some(30))).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.path().join(WAITING)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert!(requests.leave(&some(None)).unwrap_err().to_string().contains("got one that waits"));
        requests.withdraw().unwrap();
        requests.leave(&some(None)).unwrap();
        assert_eq!(requests.take().unwrap().unwrap().at_step, None);
        assert!(requests.withdraw().unwrap_err().to_string().contains("one that the agent has taken"));
        // Cut off before it was done with, it is taken again.
        assert!(requests.take().unwrap().is_some() && requests.is_any());
        requests.clear().unwrap();
        assert!(!requests.is_any());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }
}
