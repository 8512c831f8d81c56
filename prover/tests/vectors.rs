//! The public vectors of `probity-verify selftest`: a small proven log, and proofs that are not about it.
//!
//! They live in `prover/verifier/vectors/`. After a change of circuit or format, `PROBITY_BLESS=1 cargo nextest run --release -p
//! probity-prover --test vectors` makes them anew; otherwise the test only asks whether they are of this version.
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "shared with the other tests")]
mod common;

use probity_prover::{Params, Session};
use probity_strategy::ModelShape;
use probity_verifier::{CIRCUIT_VERSION, ENVELOPE_VERSION, Envelope, Header, LogWriter};
use std::path::Path;
use std::sync::Arc;

const DECISIONS: u32 = 12;

#[test]
fn the_vectors_are_of_this_version() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/vectors");
    if std::env::var_os("PROBITY_BLESS").is_some() {
        make(&folder);
    }
    for name in ["good.proof", "short.proof", "other.proof"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        Envelope::from_bytes(&bytes).unwrap();
        assert_eq!((&bytes[8..10], &bytes[10..12]), (&ENVELOPE_VERSION.to_be_bytes()[..], &CIRCUIT_VERSION.to_be_bytes()[..]), "{name}");
    }
}

fn make(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mandate = common::mandate(ModelShape { dims: vec![16, 2, 3], shifts: vec![7], recurrent: None }, 2);
    std::fs::write(folder.join("mandate.json"), serde_json::to_string_pretty(&mandate).unwrap() + "\n").unwrap();
    let params = Arc::new(Params::for_mandate(&mandate).unwrap());
    for (seed, name) in [(3, "good"), (4, "other")] {
        let model = common::model(&mandate.model, seed);
        let seen = common::observations(&mandate, &model, DECISIONS);
        let mut session = Session::start(params.clone(), mandate.clone(), model, common::salt()).unwrap();
        let (mut records, mut announced) = (Vec::new(), None);
        for (i, some) in seen.chunks(2).enumerate() {
            if i == 4 && name == "good" {
                std::fs::write(folder.join("short.proof"), session.compress().unwrap()).unwrap();
            }
            // Other weights are announced before the third decision, for after the last one here.
            if i == 1 {
                let other = common::model(&mandate.model, 9);
                announced = Some(session.announce(DECISIONS + 4, other, common::salt()).unwrap());
            }
            records.extend(session.fold(some).unwrap().into_iter().map(|s| s.record));
        }
        let log = folder.join(format!("{name}.jsonl"));
        drop(std::fs::remove_file(&log));
        let mut writer = LogWriter::create(&log, &Header::new(mandate.clone(), session.commitment()), false).unwrap();
        for record in &records {
            if record.observation.step == 2 {
                writer.announce(&announced.unwrap()).unwrap();
            }
            writer.append(record).unwrap();
        }
        writer.seal().unwrap();
        std::fs::write(folder.join(format!("{name}.proof")), session.compress().unwrap()).unwrap();
    }
}
