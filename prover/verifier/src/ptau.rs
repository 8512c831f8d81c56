//! Reads a powers-of-tau file (`.ptau`, the format of snarkjs) once, front to back, in bounded memory: hashes all of it, checks
//! the points that are needed and writes just those, as the proof library wants to read them.
//!
//! Checked: coordinates canonical, points on the curve, tau G2 in the subgroup, `[1]` the generators, and every power used is tau
//! times the one before (one pairing over a random combination; a wrong power passes with probability 2^-64). What no check
//! can see is whether somebody knows tau: that is what the digest is for.

use crate::ceremony::FileDigest;
use blake2::{Blake2b512, Digest as _};
use ff::PrimeField;
use halo2curves::CurveAffine;
use halo2curves::serde::SerdeObject;
use nova_snark::provider::bn256_grumpkin::bn256::{Affine, Base, Point, Scalar};
use nova_snark::provider::traits::{DlogGroup, DlogGroupExt, PairingGroup};
use rand_core::{OsRng, RngCore};
use std::io::{self, Read, Seek, SeekFrom, Write};
use thiserror::Error;

type G2 = <Point as PairingGroup>::G2;
type G2Affine = <G2 as DlogGroup>::AffineGroupElement;

/// Bytes of a point of the first and of the second group.
const G1_BYTES: usize = 64;
const G2_BYTES: usize = 128;
/// Points read at once: one megabyte.
const CHUNK: usize = 1 << 14;
/// Bytes of a coordinate.
const COORDINATE: u32 = 32;
/// Largest power of two: the ceremony's own.
const MAX_POWER: u32 = 28;
/// Most sections; snarkjs writes eleven.
const MAX_SECTIONS: u32 = 64;
/// Sections of the file that is written: header, tau G1, tau G2.
const PRUNED_SECTIONS: u32 = 3;

/// Why a powers-of-tau file is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PtauError {
    /// The file system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file ends too early.
    #[error("{field}: expected more bytes, got the end of the file at byte {at}")]
    Truncated {
        /// What was being read.
        field: &'static str,
        /// Bytes before the end.
        at: u64,
    },
    /// The file is not what it should be.
    #[error("{field}: expected {expected}, got {got}")]
    Malformed {
        /// Part of the file.
        field: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was found.
        got: String,
    },
    /// Too few powers for the circuit.
    #[error("powers: expected a file of at least 2^{needed} ({count} powers for this circuit), got {got} powers")]
    TooSmall {
        /// Power of two of a large enough file.
        needed: u32,
        /// Powers needed.
        count: usize,
        /// Powers in the file.
        got: u64,
    },
    /// Nobody vouches for the file.
    #[error(
        "BLAKE2b-512: expected that of a pinned ceremony file or the one named by the caller, got {got}; use a ceremony's file, name this digest, or name the parameters insecure"
    )]
    NotBelieved {
        /// Digest of the file.
        got: FileDigest,
    },
}

fn malformed(field: &'static str, expected: impl ToString, got: impl ToString) -> PtauError {
    PtauError::Malformed { field, expected: expected.to_string(), got: got.to_string() }
}

/// Copies the first `count` (a power of two, at least two) powers to `output` and digests the whole input.
pub(crate) fn prune(input: impl Read, count: usize, output: &mut impl Write) -> Result<FileDigest, PtauError> {
    let mut file = Hashed { inner: input, hash: Blake2b512::new(), at: 0 };
    if file.array::<4>("magic")? != *b"ptau" {
        return Err(malformed("magic", "ptau", "something else"));
    }
    let version = file.u32("version")?;
    if version != 1 {
        return Err(malformed("version", 1, version));
    }
    let sections = file.u32("sections")?;
    if !(PRUNED_SECTIONS..=MAX_SECTIONS).contains(&sections) {
        return Err(malformed("sections", format!("{PRUNED_SECTIONS} … {MAX_SECTIONS}"), sections));
    }
    output.write_all(b"ptau")?;
    output.write_all(&1u32.to_le_bytes())?;
    output.write_all(&PRUNED_SECTIONS.to_le_bytes())?;
    let (mut header, mut powers, mut tau) = (false, None, None);
    for _ in 0..sections {
        let id = file.u32("section id")?;
        let size = u64::from_le_bytes(file.array("section size")?);
        let seen = match id {
            1 => header,
            2 => powers.is_some(),
            3 => tau.is_some(),
            _ => false,
        };
        if seen {
            return Err(malformed("section id", "each section once", format!("{id} again")));
        }
        match id {
            1 => {
                read_header(&mut file, size, count, output)?;
                header = true;
            }
            2 => powers = Some(read_powers(&mut file, size, count, output)?),
            3 => tau = Some(read_tau(&mut file, size, output)?),
            _ => file.skip(size, "section")?,
        }
    }
    if file.inner.read(&mut [0])? != 0 {
        return Err(malformed("end", "the end of the file after its last section", "more bytes"));
    }
    let (Some((sum, shifted)), Some(tau), true) = (powers, tau, header) else {
        return Err(malformed("sections", "header (1), tau G1 (2) and tau G2 (3)", "not all of them"));
    };
    if Point::pairing(&sum, &G2::from(tau)) != Point::pairing(&shifted, &G2::from(G2Affine::generator())) {
        return Err(malformed("tau G1", "consecutive powers of the tau in tau G2", "others"));
    }
    Ok(FileDigest::new(file.hash.finalize().into()))
}

/// Power of two in the header and number of powers in the first group, from the table of sections alone.
pub(crate) fn table_of_contents(file: &mut (impl Read + Seek)) -> Result<(u32, u64), PtauError> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut file = Hashed { inner: file, hash: Blake2b512::new(), at: 0 };
    if file.array::<4>("magic")? != *b"ptau" {
        return Err(malformed("magic", "ptau", "something else"));
    }
    file.u32("version")?;
    let sections = file.u32("sections")?;
    let (mut power, mut powers) = (None, None);
    for _ in 0..sections.min(MAX_SECTIONS) {
        let id = file.u32("section id")?;
        let size = u64::from_le_bytes(file.array("section size")?);
        let start = file.inner.stream_position()?;
        if size > length.saturating_sub(start) {
            return Err(PtauError::Truncated { field: "section", at: length });
        }
        match id {
            1 => {
                file.array::<36>("header")?;
                power = Some(file.u32("header.power")?);
            }
            2 => powers = Some(size / u64::try_from(G1_BYTES).unwrap_or(u64::MAX)),
            _ => {}
        }
        file.inner.seek(SeekFrom::Start(start.saturating_add(size)))?;
    }
    power.zip(powers).ok_or_else(|| malformed("sections", "header (1) and tau G1 (2)", "not both"))
}

fn read_header<R: Read>(file: &mut Hashed<R>, size: u64, count: usize, output: &mut impl Write) -> Result<(), PtauError> {
    // snarkjs adds the power of the whole ceremony.
    if size != 40 && size != 44 {
        return Err(malformed("header", "40 or 44 bytes", size));
    }
    let width = file.u32("header.n8")?;
    if width != COORDINATE {
        return Err(malformed("header.n8", COORDINATE, width));
    }
    let mut prime: [u8; 32] = file.array("header.prime")?;
    let written = prime;
    prime.reverse();
    let expected = Base::MODULUS.trim_start_matches("0x");
    if hex::encode(prime) != expected {
        return Err(malformed("header.prime", format!("BN254's {expected}"), hex::encode(prime)));
    }
    let power = file.u32("header.power")?;
    if !(1..=MAX_POWER).contains(&power) {
        return Err(malformed("header.power", format!("1 … {MAX_POWER}"), power));
    }
    file.skip(size.saturating_sub(40), "header.ceremony_power")?;
    output.write_all(&1u32.to_le_bytes())?;
    output.write_all(&40u64.to_le_bytes())?;
    output.write_all(&COORDINATE.to_le_bytes())?;
    output.write_all(&written)?;
    output.write_all(&count.ilog2().to_le_bytes())?;
    Ok(())
}

/// Returns the same random combination of the powers 0 … count − 2 and of the powers 1 … count − 1.
fn read_powers<R: Read>(file: &mut Hashed<R>, size: u64, count: usize, output: &mut impl Write) -> Result<(Point, Point), PtauError> {
    let width = u64::try_from(G1_BYTES).unwrap_or(u64::MAX);
    let (points, rest) = (size / width, size % width);
    if rest != 0 {
        return Err(malformed("tau G1", format!("a multiple of {G1_BYTES} bytes"), size));
    }
    let needed = u64::try_from(count).unwrap_or(u64::MAX);
    if points < needed {
        return Err(PtauError::TooSmall { needed: count.ilog2(), count, got: points });
    }
    let used = needed.saturating_mul(width);
    output.write_all(&2u32.to_le_bytes())?;
    output.write_all(&used.to_le_bytes())?;
    let (mut sum, mut shifted) = (Point::zero(), Point::zero());
    let mut bases: Vec<Affine> = Vec::new();
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK);
        let mut bytes = vec![0; now.saturating_mul(G1_BYTES)];
        file.fill(&mut bytes, "tau G1")?;
        output.write_all(&bytes)?;
        let first = bases.is_empty();
        // The last point of the chunk before is the predecessor of this chunk's first.
        bases = bases.pop().into_iter().collect();
        for raw in bytes.chunks_exact(G1_BYTES) {
            bases.push(point::<Affine>(raw, "tau G1")?);
        }
        if first && bases.first() != Some(&Affine::generator()) {
            return Err(malformed("tau G1", "the generator as power 0", "another point"));
        }
        if first && bases.get(1) == Some(&Affine::generator()) {
            return Err(malformed("tau G1", "powers that somebody contributed to", "those of tau 1"));
        }
        let mut random = vec![0; bases.len().saturating_sub(1).saturating_mul(8)];
        OsRng.try_fill_bytes(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let factors: Vec<Scalar> = random.as_chunks::<8>().0.iter().map(|b| Scalar::from(u64::from_le_bytes(*b))).collect();
        if let (Some((_, after)), Some((_, before))) = (bases.split_first(), bases.split_last())
            && !factors.is_empty()
        {
            sum += Point::vartime_multiscalar_mul(&factors, before);
            shifted += Point::vartime_multiscalar_mul(&factors, after);
        }
        left = left.saturating_sub(now);
    }
    file.skip(size.saturating_sub(used), "tau G1")?;
    Ok((sum, shifted))
}

/// Returns tau in the second group.
fn read_tau<R: Read>(file: &mut Hashed<R>, size: u64, output: &mut impl Write) -> Result<G2Affine, PtauError> {
    let width = u64::try_from(G2_BYTES).unwrap_or(u64::MAX);
    let used = width.saturating_mul(2);
    if size < used || !size.is_multiple_of(width) {
        return Err(malformed("tau G2", format!("at least {used} bytes, a multiple of {G2_BYTES}"), size));
    }
    let bytes: [u8; 2 * G2_BYTES] = file.array("tau G2")?;
    output.write_all(&3u32.to_le_bytes())?;
    output.write_all(&used.to_le_bytes())?;
    output.write_all(&bytes)?;
    let (one, tau) = bytes.split_at(G2_BYTES);
    if point::<G2Affine>(one, "tau G2")? != G2Affine::generator() {
        return Err(malformed("tau G2", "the generator as power 0", "another point"));
    }
    let tau = point::<G2Affine>(tau, "tau G2")?;
    // r·Q = (r − 1)·Q + Q: the library's own check of the same prints on standard output.
    if tau * -Scalar::one() + tau != G2::zero() {
        return Err(malformed("tau G2", "a point of the subgroup of prime order", "another point of the curve"));
    }
    file.skip(size.saturating_sub(used), "tau G2")?;
    Ok(tau)
}

/// A point that is canonical, on the curve and not the neutral element.
fn point<C: SerdeObject + CurveAffine>(raw: &[u8], field: &'static str) -> Result<C, PtauError> {
    let point = C::from_raw_bytes(raw).ok_or_else(|| malformed(field, "canonical coordinates", hex::encode(raw)))?;
    if !bool::from(point.is_on_curve()) {
        return Err(malformed(field, "points on the curve", hex::encode(raw)));
    }
    if bool::from(point.is_identity()) {
        return Err(malformed(field, "no neutral element", "one"));
    }
    Ok(point)
}

/// A reader that digests what it reads.
struct Hashed<R> {
    inner: R,
    hash: Blake2b512,
    at: u64,
}

impl<R: Read> Hashed<R> {
    fn fill(&mut self, buffer: &mut [u8], field: &'static str) -> Result<(), PtauError> {
        self.inner.read_exact(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => PtauError::Truncated { field, at: self.at },
            _ => PtauError::Io(e),
        })?;
        self.hash.update(&*buffer);
        self.at = self.at.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], PtauError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, field)?;
        Ok(bytes)
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, PtauError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    fn skip(&mut self, size: u64, field: &'static str) -> Result<(), PtauError> {
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(usize::MAX).min(1 << 20)];
        let mut left = size;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..now).unwrap_or_default();
            self.fill(part, field)?;
            left = left.saturating_sub(u64::try_from(now).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "ptau_tests.rs"]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
