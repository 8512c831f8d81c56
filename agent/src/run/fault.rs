//! Drills: named boundaries between every two effects, where a run can be told to die as in a power cut.
//!
//! Inert unless `PROBITY_CRASH_AT=BOUNDARY:COUNT` asks for it: at the COUNT-th time the boundary is reached, the process kills
//! itself with SIGKILL. Nothing is flushed, nothing is told. `docs/operators/faults.md` says how to use it.

use anyhow::{Result, bail};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that asks for a drill.
const VARIABLE: &str = "PROBITY_CRASH_AT";

/// Between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// The transaction that deploys the vault is signed and noted, it has not left.
    DeploySigned,
    /// It left.
    DeploySent,
    /// It has a receipt, the journal knows no vault.
    DeployMined,
    /// The run is set up, nothing is decided.
    Ready,
    /// The observation was read, nothing is written.
    Observed,
    /// The decision is in the journal, nothing is signed.
    Journaled,
    /// The decision's transaction is signed and noted, it has not left.
    DecideSigned,
    /// It left.
    DecideSent,
    /// It has a receipt, the journal has no outcome.
    DecideMined,
    /// The outcome is in the journal.
    Settled,
    /// A fold is made, its checkpoint is not.
    Folded,
    /// The checkpoint is on disk.
    Checkpointed,
    /// A proof is compressed, nothing is done with it.
    Compressed,
    /// The post's transaction is signed, it has not left.
    PostSigned,
    /// It left.
    PostSent,
    /// It has a receipt, the journal does not know.
    PostMined,
    /// The journal knows.
    Posted,
    /// A settlement's proof is on disk, its transaction is not signed.
    SettleProven,
    /// It is signed, it has not left.
    SettleSigned,
    /// It left.
    SettleSent,
    /// It has a receipt, the proof still lies on disk.
    SettleMined,
    /// A request for other weights is taken up, nothing is written.
    AnnounceTaken,
    /// The opening holds the other weights, the journal has no announcement.
    AnnounceOpened,
    /// The announcement is in the journal, its request is still there.
    AnnounceJournaled,
    /// The request is gone, nothing is signed.
    AnnounceCleared,
    /// The announcement's transaction is signed and noted, it has not left.
    AnnounceSigned,
    /// It left.
    AnnounceSent,
    /// It has a receipt, the journal does not know.
    AnnounceMined,
}

/// All of them with their names.
const NAMES: [(Boundary, &str); 28] = [
    (Boundary::DeploySigned, "deploy_signed"),
    (Boundary::DeploySent, "deploy_sent"),
    (Boundary::DeployMined, "deploy_mined"),
    (Boundary::Ready, "ready"),
    (Boundary::Observed, "observed"),
    (Boundary::Journaled, "journaled"),
    (Boundary::DecideSigned, "decide_signed"),
    (Boundary::DecideSent, "decide_sent"),
    (Boundary::DecideMined, "decide_mined"),
    (Boundary::Settled, "settled"),
    (Boundary::Folded, "folded"),
    (Boundary::Checkpointed, "checkpointed"),
    (Boundary::Compressed, "compressed"),
    (Boundary::PostSigned, "post_signed"),
    (Boundary::PostSent, "post_sent"),
    (Boundary::PostMined, "post_mined"),
    (Boundary::Posted, "posted"),
    (Boundary::SettleProven, "settle_proven"),
    (Boundary::SettleSigned, "settle_signed"),
    (Boundary::SettleSent, "settle_sent"),
    (Boundary::SettleMined, "settle_mined"),
    (Boundary::AnnounceTaken, "announce_taken"),
    (Boundary::AnnounceOpened, "announce_opened"),
    (Boundary::AnnounceJournaled, "announce_journaled"),
    (Boundary::AnnounceCleared, "announce_cleared"),
    (Boundary::AnnounceSigned, "announce_signed"),
    (Boundary::AnnounceSent, "announce_sent"),
    (Boundary::AnnounceMined, "announce_mined"),
];

struct Drill {
    at: Boundary,
    left: AtomicU32,
}

static DRILL: OnceLock<Option<Drill>> = OnceLock::new();

/// Reads the variable; the drill that it asks for, in words.
pub(crate) fn prepare() -> Result<Option<String>> {
    let Ok(asked) = std::env::var(VARIABLE) else { return Ok(None) };
    let drill = parse(&asked)?;
    let words = format!("DRILL: this process kills itself at {asked} ({VARIABLE})");
    DRILL.get_or_init(|| Some(drill));
    Ok(Some(words))
}

fn parse(asked: &str) -> Result<Drill> {
    let found = asked.split_once(':').and_then(|(name, count)| {
        let at = NAMES.iter().find(|(_, n)| *n == name)?.0;
        Some((at, count.parse().ok().filter(|c| *c > 0)?))
    });
    match found {
        Some((at, count)) => Ok(Drill { at, left: AtomicU32::new(count) }),
        None => {
            let names: Vec<_> = NAMES.iter().map(|(_, n)| *n).collect();
            bail!("{VARIABLE}: expected BOUNDARY:COUNT with a count from 1 and a boundary of {}; got {asked:?}", names.join(", "))
        }
    }
}

/// Says that a boundary is reached; does not return if a drill asked for it.
pub(crate) fn reached(boundary: Boundary) {
    let Some(Some(drill)) = DRILL.get() else { return };
    if drill.at == boundary && drill.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).is_err() {
            std::process::abort();
        }
        std::thread::park();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_drill_is_a_known_boundary_and_a_count() {
        assert_eq!(parse("decide_sent:3").unwrap().at, Boundary::DecideSent);
        for bad in ["", "decide_sent", "decide_sent:0", "nowhere:1", "decide_sent:x"] {
            let text = parse(bad).err().unwrap().to_string();
            assert!(text.contains("expected BOUNDARY:COUNT") && text.contains("post_mined"), "{text}");
        }
    }
}
