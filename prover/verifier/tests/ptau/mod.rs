//! Writes powers-of-tau files in the format of snarkjs, with a tau that everybody knows: insecure by construction, for tests.

use ff::PrimeField;
use halo2curves::bn256::{Fq, Fr, G1, G1Affine, G2Affine};
use halo2curves::group::Curve;
use halo2curves::serde::SerdeObject;

/// Number and content of a section.
pub(crate) type Section = (u32, Vec<u8>);

/// The content of a file; tests change it before they write it.
#[derive(Clone)]
pub(crate) struct Ptau {
    pub(crate) power: u32,
    pub(crate) g1: Vec<G1Affine>,
    pub(crate) g2: Vec<G2Affine>,
}

impl Ptau {
    /// The first `2^power` powers (a real file holds almost twice as many) and two of the second group. A small tau makes
    /// every power from the one before by a few additions.
    pub(crate) fn of(tau: u8, power: u32) -> Self {
        let mut point = G1::from(G1Affine::generator());
        let points: Vec<G1> = (0..1usize << power)
            .map(|_| {
                let now = point;
                for bit in (0..tau.ilog2()).rev() {
                    point = if tau >> bit & 1 == 1 { point + point + now } else { point + point };
                }
                now
            })
            .collect();
        let mut g1 = vec![G1Affine::default(); points.len()];
        G1::batch_normalize(&points, &mut g1);
        let g2 = vec![G2Affine::generator(), (G2Affine::generator() * Fr::from(u64::from(tau))).to_affine()];
        Self { power, g1, g2 }
    }

    /// Sections in the order of snarkjs: header, tau G1, tau G2, and the rest of a prepared file, empty.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut header = 32u32.to_le_bytes().to_vec();
        let modulus = Fq::MODULUS.trim_start_matches("0x");
        header.extend((0..32).rev().map(|i| u8::from_str_radix(&modulus[2 * i..2 * i + 2], 16).unwrap()));
        header.extend(self.power.to_le_bytes());
        header.extend(28u32.to_le_bytes());
        let g1 = self.g1.iter().flat_map(SerdeObject::to_raw_bytes).collect();
        let g2 = self.g2.iter().flat_map(SerdeObject::to_raw_bytes).collect();
        let rest = [4, 5, 6, 7, 12, 13, 14, 15].map(|id| (id, Vec::new()));
        [(1, header), (2, g1), (3, g2)].into_iter().chain(rest).collect()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        write(&self.sections())
    }
}

/// Magic, version, and sections with their lengths.
pub(crate) fn write(sections: &[Section]) -> Vec<u8> {
    let mut out = b"ptau".to_vec();
    out.extend(1u32.to_le_bytes());
    out.extend(u32::try_from(sections.len()).unwrap().to_le_bytes());
    for (id, body) in sections {
        out.extend(id.to_le_bytes());
        out.extend(u64::try_from(body.len()).unwrap().to_le_bytes());
        out.extend(body);
    }
    out
}
