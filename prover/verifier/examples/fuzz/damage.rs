//! Damage: bits, bytes, ranges cut, doubled and moved, lines and JSON tokens exchanged, lengths that claim the world.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// What a JSON value is replaced by.
const VALUES: [&str; 16] = [
    "0",
    "-1",
    "1",
    "18446744073709551615",
    "340282366920938463463374607431768211456",
    "-9223372036854775809",
    "1e999",
    "0.5",
    "null",
    "true",
    "\"\"",
    "\"0x\"",
    "[]",
    "{}",
    "\"\\u0000\"",
    "[[[[[[[[[[]]]]]]]]]]",
];

fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(n.max(1)).unwrap()).unwrap()
}

/// A seed with one to six damages; now and then noise.
pub(crate) fn damaged(rng: &mut ChaCha8Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    if below(rng, 50) == 0 {
        let mut noise = vec![0; below(rng, 600)];
        rng.fill_bytes(&mut noise);
        return noise;
    }
    let mut out = seeds[below(rng, seeds.len())].clone();
    for _ in 0..=below(rng, 6) {
        if out.is_empty() {
            break;
        }
        let at = below(rng, out.len());
        let byte = rng.next_u64().to_le_bytes()[0];
        let end = (at + 1 + below(rng, 40)).min(out.len());
        match below(rng, 12) {
            0 => out[at] = byte,
            1 => out[at] ^= 1 << (byte % 8),
            2 => out.insert(at, byte),
            3 => out.truncate(at),
            4 => drop(out.drain(at..end)),
            5 => {
                let part = out[at..end].to_vec();
                let to = below(rng, out.len());
                drop(out.splice(to..to, part));
            }
            6 if at + 8 <= out.len() => out[at..at + 8].fill(0xff),
            7 if at + 8 <= out.len() => out[at..at + 8].copy_from_slice(&(1u64 << (byte % 64)).to_be_bytes()),
            8 => lines(rng, &mut out),
            9 | 10 => token(rng, &mut out, at),
            _ => {
                let other = &seeds[below(rng, seeds.len())];
                out.truncate(at);
                out.extend(&other[below(rng, other.len())..]);
            }
        }
    }
    out
}

/// Swaps, drops or doubles lines.
fn lines(rng: &mut ChaCha8Rng, out: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = out.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let (a, b) = (below(rng, lines.len()), below(rng, lines.len()));
    match below(rng, 3) {
        0 => lines.swap(a, b),
        1 => drop(lines.remove(a)),
        _ => lines.insert(b, lines[a].clone()),
    }
    *out = lines.join(&b'\n');
}

/// Puts another JSON value in the place of the number or string at `at`.
fn token(rng: &mut ChaCha8Rng, out: &mut Vec<u8>, at: usize) {
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'"' | b'_');
    let from = out[..at].iter().rposition(|b| !part(b)).map_or(0, |p| p + 1);
    let to = out[at..].iter().position(|b| !part(b)).map_or(out.len(), |p| at + p);
    drop(out.splice(from..to.max(from), VALUES[below(rng, VALUES.len())].bytes()));
}
