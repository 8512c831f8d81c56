//! What a powers-of-tau file is, for people who are about to use it: digest, pinned or not, size, faults. It judges no tau.

use crate::ceremony::FileDigest;
use crate::ptau::{PtauError, prune, table_of_contents};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// What was found in a powers-of-tau file.
#[derive(Debug)]
pub struct Inspection {
    /// Length of the file.
    pub bytes: u64,
    /// BLAKE2b-512 of the file.
    pub digest: FileDigest,
    /// Power of two of the pinned ceremony file that it is, if it is one.
    pub pinned_power: Option<u32>,
    /// Power of two in the file's header, if it could be read.
    pub power: Option<u32>,
    /// Powers of tau in the first group, if they could be counted.
    pub powers: Option<u64>,
    /// How many of them were checked: on the curve, and each tau times the one before.
    pub checked: usize,
    /// The first thing wrong with the file.
    pub fault: Option<PtauError>,
}

/// Reads the file twice: for its digest, and for its structure with the first `needed` powers, or as many as it has.
pub fn inspect(path: &Path, needed: Option<usize>) -> io::Result<Inspection> {
    let bytes = std::fs::metadata(path)?.len();
    let digest = FileDigest::of(File::open(path)?)?;
    let mut found = Inspection { bytes, digest, pinned_power: digest.pinned_power(), power: None, powers: None, checked: 0, fault: None };
    match table_of_contents(&mut BufReader::new(File::open(path)?)) {
        Ok((power, powers)) => (found.power, found.powers) = (Some(power), Some(powers)),
        Err(PtauError::Io(e)) => return Err(e),
        Err(fault) => {
            found.fault = Some(fault);
            return Ok(found);
        }
    }
    let there = usize::try_from(found.powers.unwrap_or(0)).unwrap_or(usize::MAX);
    let all = there.checked_ilog2().map_or(0, |k| 1usize << k);
    // Fewer powers than asked for is not a fault of the file: whoever asked compares `powers`.
    let count = needed.map_or(all, |n| n.next_power_of_two().min(all)).max(2);
    match prune(BufReader::with_capacity(1 << 20, File::open(path)?), count, &mut io::sink()) {
        Ok(again) if again == digest => found.checked = count,
        Ok(_) => return Err(io::Error::other("the file changed while it was read")),
        Err(PtauError::Io(e)) => return Err(e),
        Err(fault) => found.fault = Some(fault),
    }
    Ok(found)
}
