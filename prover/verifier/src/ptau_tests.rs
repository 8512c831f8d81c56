//! Powers-of-tau files that are taken, and everything that is refused.

#[path = "../tests/ptau/mod.rs"]
mod writer;

use super::{CHUNK, PtauError, prune};
use blake2::{Blake2b512, Digest as _};
use halo2curves::bn256::{Fq2, G1Affine, G2Affine};
use halo2curves::group::Curve;
use halo2curves::{CurveAffine, CurveExt};
use std::io::Cursor;
use writer::{Ptau, Section, write};

const POWER: u32 = 4;
const COUNT: usize = 1 << POWER;

fn read(bytes: &[u8], count: usize) -> Result<(String, Vec<u8>), PtauError> {
    let mut out = Vec::new();
    prune(bytes, count, &mut out).map(|digest| (digest.to_string(), out))
}

fn refused(ptau: &Ptau) -> &'static str {
    field(read(&ptau.bytes(), COUNT))
}

fn field<T>(result: Result<T, PtauError>) -> &'static str {
    match result {
        Ok(_) => "nothing",
        Err(PtauError::Malformed { field, .. }) => field,
        Err(PtauError::Truncated { .. }) => "truncated",
        Err(PtauError::TooSmall { .. }) => "too small",
        Err(_) => "other",
    }
}

#[test]
fn the_powers_needed_are_what_the_library_reads() {
    let ptau = Ptau::of(3, POWER);
    let bytes = ptau.bytes();
    for count in [2, 8, COUNT] {
        let (digest, pruned) = read(&bytes, count).unwrap();
        assert_eq!(digest, hex::encode(Blake2b512::digest(&bytes)));
        let (g1, g2): (Vec<G1Affine>, Vec<G2Affine>) = nova_snark::provider::read_ptau(&mut Cursor::new(&pruned), count, 2).unwrap();
        assert_eq!((g1, g2), (ptau.g1[..count].to_vec(), ptau.g2.clone()));
        assert_eq!(read(&pruned, count).unwrap().1, pruned, "what was pruned can be pruned again");
    }
}

#[test]
fn a_file_longer_than_a_chunk_is_checked_across_its_chunks() {
    let ptau = Ptau::of(3, CHUNK.ilog2() + 1);
    assert_eq!(field(read(&ptau.bytes(), 2 * CHUNK)), "nothing");
    for swap in [CHUNK - 1, CHUNK, 2 * CHUNK - 2] {
        let mut other = ptau.clone();
        other.g1.swap(swap, swap + 1);
        assert_eq!(field(read(&other.bytes(), 2 * CHUNK)), "tau G1", "{swap}");
    }
    let mut unused = ptau;
    unused.g1.swap(CHUNK, CHUNK + 1);
    assert_eq!(field(read(&unused.bytes(), CHUNK)), "nothing", "powers beyond those needed are the digest's business");
}

#[test]
fn points_that_are_no_powers_of_one_tau() {
    let good = Ptau::of(3, POWER);
    let case = |change: &dyn Fn(&mut Ptau)| {
        let mut ptau = good.clone();
        change(&mut ptau);
        refused(&ptau)
    };
    assert_eq!(case(&|_| ()), "nothing");
    assert_eq!(case(&|p| p.g1.reverse()), "tau G1");
    assert_eq!(case(&|p| p.g1[1..].reverse()), "tau G1");
    assert_eq!(case(&|p| p.g1.rotate_left(1)), "tau G1", "power 0 is the generator");
    assert_eq!(case(&|p| p.g1[COUNT - 1] = p.g1[COUNT - 2]), "tau G1", "the last one counts too");
    assert_eq!(case(&|p| p.g1 = vec![G1Affine::generator(); COUNT]), "tau G1", "tau 1 in the first group only");
    assert_eq!(case(&|p| *p = Ptau::of(1, POWER)), "tau G1", "tau 1, as before the first contribution");
    assert_eq!(case(&|p| p.g2 = Ptau::of(4, POWER).g2), "tau G1", "another tau in the second group");
    assert_eq!(case(&|p| p.g1[3] = G1Affine::default()), "tau G1", "the neutral element");
    assert_eq!(case(&|p| p.g1[3].x += halo2curves::bn256::Fq::one()), "tau G1", "off the curve");
    assert_eq!(case(&|p| p.g2[0] = p.g2[1]), "tau G2");
    assert_eq!(case(&|p| p.g2[1].x += Fq2::one()), "tau G2", "off the curve");
    assert_eq!(case(&|p| p.g2[1] = G2Affine::default()), "tau G2", "the neutral element");
    assert_eq!(case(&|p| p.g2[1] = outside()), "tau G2", "outside the subgroup");
}

/// A point of the second curve outside its subgroup: almost every point is.
fn outside() -> G2Affine {
    let mut x = Fq2::one();
    loop {
        let square = x * x * x + halo2curves::bn256::G2::b();
        if let Some(y) = Option::<Fq2>::from(ff::Field::sqrt(&square)) {
            let point = G2Affine::from_xy(x, y).unwrap();
            assert!((point * -halo2curves::bn256::Fr::one() + point).to_affine() != G2Affine::default());
            return point;
        }
        x += Fq2::one();
    }
}

#[test]
fn malformed_files_are_refused_wherever_they_are_cut() {
    let ptau = Ptau::of(3, POWER);
    let bytes = ptau.bytes();
    for length in 0..bytes.len() {
        assert_eq!(field(read(&bytes[..length], COUNT)), "truncated", "{length} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(field(read(&longer, COUNT)), "end");
    // Each byte of magic, version, sections and header, and of every section's head; then some of the points.
    for position in (0..72).chain((72..bytes.len()).step_by(31)) {
        let mut changed = bytes.clone();
        changed[position] ^= 0x41;
        let field = field(read(&changed, COUNT));
        // Only the power of the whole ceremony and the names of sections nobody reads are free.
        let free = (64..68).contains(&position) || position >= bytes.len() - 8 * 12;
        assert!(free || field != "nothing", "byte {position} changed");
    }
}

#[test]
fn sections_are_bounded_single_and_complete() {
    let sections = Ptau::of(3, POWER).sections();
    let case = |change: &dyn Fn(&mut Vec<Section>)| {
        let mut sections = sections.clone();
        change(&mut sections);
        field(read(&write(&sections), COUNT))
    };
    assert_eq!(case(&|_| ()), "nothing");
    assert_eq!(case(&|s| s.truncate(3)), "nothing", "a pruned file");
    assert_eq!(case(&|s| s.swap(0, 2)), "nothing", "the order does not matter");
    assert_eq!(case(&|s| s.truncate(2)), "sections");
    for missing in 0..3 {
        assert_eq!(case(&|s| drop(s.remove(missing))), "sections", "{missing}");
        assert_eq!(case(&|s| s.push(s[missing].clone())), "section id", "{missing} twice");
    }
    assert_eq!(case(&|s| s.extend(vec![(9, Vec::new()); 60])), "sections");
    assert_eq!(case(&|s| s[1].1.truncate(64 * (COUNT - 1))), "too small");
    assert_eq!(case(&|s| s[1].1.truncate(64 * COUNT - 1)), "tau G1");
    assert_eq!(case(&|s| s[2].1.truncate(128)), "tau G2");
    let mut huge = b"ptau".to_vec();
    huge.extend(1u32.to_le_bytes());
    huge.extend(11u32.to_le_bytes());
    for id in [2u32, 3, 5] {
        let mut bytes = huge.clone();
        bytes.extend(id.to_le_bytes());
        bytes.extend((u64::MAX - 127).to_le_bytes());
        bytes.extend([0; 100]);
        assert_eq!(field(read(&bytes, COUNT)), "truncated", "section {id} of almost 2^64 bytes");
    }
}

#[test]
fn a_file_that_is_too_small_says_what_is_needed() {
    let error = read(&Ptau::of(3, POWER).bytes(), 1 << 18).unwrap_err();
    assert!(matches!(error, PtauError::TooSmall { needed: 18, count: 262_144, got: 16 }), "{error}");
    assert!(error.to_string().contains("2^18"), "{error}");
}

/// `PROBITY_PTAU=FILE PROBITY_PTAU_POWER=N cargo nextest run --release -p probity-verifier --run-ignored only real_file`
#[test]
#[ignore = "needs a file of snarkjs or of a ceremony, named by PROBITY_PTAU and PROBITY_PTAU_POWER"]
fn real_file() {
    let path = std::env::var("PROBITY_PTAU").unwrap();
    let power: u32 = std::env::var("PROBITY_PTAU_POWER").unwrap().parse().unwrap();
    let digest = prune(std::fs::File::open(path).unwrap(), 1 << power, &mut std::io::sink()).unwrap();
    assert_eq!(digest.to_string().len(), 128);
}
