//! The circuit's alphabet: wires with integer meaning, and the few relations everything is made of.
//!
//! A [`Wire`] is a linear combination that stands for a (signed) integer. Every relation states the range it needs; bounds
//! are constants of the circuit, never chosen by a witness. Field order p > 2^253, so no bounded sum or product wraps.

use crate::Scalar;
use crate::hash::{Domain, constants, mode};
use ff::Field;
use nova_snark::frontend::{ConstraintSystem, Index, LinearCombination, SynthesisError, Variable, num::AllocatedNum};
use nova_snark::provider::poseidon::PoseidonROCircuit;
use nova_snark::traits::ROCircuitTrait;
use num_bigint::{BigInt, Sign};

type Lc = LinearCombination<Scalar>;

/// The constant one of every constraint system.
fn one() -> Variable {
    Variable::new_unchecked(Index::Input(0))
}

/// A linear combination that stands for an integer; the value is there when there is a witness.
#[derive(Clone)]
pub(crate) struct Wire {
    lc: Lc,
    value: Option<BigInt>,
}

/// An integer as a field element.
pub(crate) fn to_scalar(value: &BigInt) -> Scalar {
    let (sign, digits) = value.to_u64_digits();
    let magnitude = digits.iter().rev().fold(Scalar::ZERO, |acc, d| acc * crate::encode::power(64) + Scalar::from(*d));
    if sign == Sign::Minus { -magnitude } else { magnitude }
}

impl Wire {
    pub(crate) fn constant(value: i64) -> Self {
        Self { lc: Lc::zero() + (crate::encode::signed(value), one()), value: Some(value.into()) }
    }

    /// An unconstrained witness.
    pub(crate) fn witness<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<BigInt>) -> Result<Self, SynthesisError> {
        let scalar = value.as_ref().map(to_scalar);
        let variable = cs.alloc(|| "w", || scalar.ok_or(SynthesisError::AssignmentMissing))?;
        Ok(Self { lc: Lc::zero() + variable, value })
    }

    /// An already allocated number; its integer is given by the caller.
    pub(crate) fn of(num: &AllocatedNum<Scalar>, value: Option<BigInt>) -> Self {
        Self { lc: Lc::zero() + num.get_variable(), value }
    }

    /// The linear combination itself.
    pub(crate) const fn lc(&self) -> &Lc {
        &self.lc
    }

    pub(crate) fn value(&self) -> Option<&BigInt> {
        self.value.as_ref()
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self { lc: self.lc.clone() + &other.lc, value: both(self, other).map(|(a, b)| a + b) }
    }

    pub(crate) fn sub(&self, other: &Self) -> Self {
        Self { lc: self.lc.clone() - &other.lc, value: both(self, other).map(|(a, b)| a - b) }
    }

    pub(crate) fn plus(&self, constant: i64) -> Self {
        self.add(&Self::constant(constant))
    }

    /// Times 2^n.
    pub(crate) fn shl(&self, n: u32) -> Self {
        self.scale(crate::encode::power(n.into()), &(BigInt::from(1) << n))
    }

    pub(crate) fn times(&self, k: i64) -> Self {
        self.scale(crate::encode::signed(k), &BigInt::from(k))
    }

    pub(crate) fn neg(&self) -> Self {
        self.times(-1)
    }

    /// 1 − self, for booleans.
    pub(crate) fn not(&self) -> Self {
        Self::constant(1).sub(self)
    }

    fn scale(&self, k: Scalar, by: &BigInt) -> Self {
        Self { lc: Lc::zero() + (k, &self.lc), value: self.value.as_ref().map(|v| v * by) }
    }
}

fn both<'a>(a: &'a Wire, b: &'a Wire) -> Option<(&'a BigInt, &'a BigInt)> {
    a.value.as_ref().zip(b.value.as_ref())
}

/// a · b = c.
pub(crate) fn enforce<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire, c: &Wire) {
    cs.enforce(|| "a · b = c", |_| a.lc.clone(), |_| b.lc.clone(), |_| c.lc.clone());
}

/// a = b.
pub(crate) fn equal<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire) {
    cs.enforce(|| "a = b", |_| a.lc.clone() - &b.lc, |lc| lc + one(), |lc| lc);
}

/// The product as a new variable.
pub(crate) fn mul<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire) -> Result<Wire, SynthesisError> {
    let out = Wire::witness(cs, both(a, b).map(|(a, b)| a * b))?;
    enforce(cs, a, b, &out);
    Ok(out)
}

/// A long linear combination as one variable.
pub(crate) fn pin<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire) -> Result<Wire, SynthesisError> {
    let out = Wire::witness(cs, a.value.clone())?;
    equal(cs, a, &out);
    Ok(out)
}

/// A boolean: b · (1 − b) = 0.
pub(crate) fn boolean<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<bool>) -> Result<Wire, SynthesisError> {
    let bit = Wire::witness(cs, value.map(|b| BigInt::from(u8::from(b))))?;
    cs.enforce(|| "b · (1 − b) = 0", |_| bit.lc.clone(), |lc| lc + one() - &bit.lc, |lc| lc);
    Ok(bit)
}

/// The n bits of a wire, little-endian; enforces 0 ≤ wire < 2^n (n ≤ 250).
pub(crate) fn bits<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire, n: u32) -> Result<Vec<Wire>, SynthesisError> {
    let bits = (0..n)
        .map(|i| boolean(cs, wire.value.as_ref().map(|v| v.sign() != Sign::Minus && v.bit(i.into()))))
        .collect::<Result<Vec<_>, _>>()?;
    equal(cs, &sum(&bits), wire);
    Ok(bits)
}

/// A new integer 0 … 2^n − 1 that exists as its bits only: in range by construction, without a row for their sum.
pub(crate) fn unsigned<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<BigInt>, n: u32) -> Result<Wire, SynthesisError> {
    let bits =
        (0..n).map(|i| boolean(cs, value.as_ref().map(|v| v.sign() != Sign::Minus && v.bit(i.into())))).collect::<Result<Vec<_>, _>>()?;
    Ok(sum(&bits))
}

/// Σ of wires in disjoint places: (wire, width) from the lowest place up.
pub(crate) fn pack(parts: &[(Wire, u32)]) -> Wire {
    parts.iter().rev().fold(Wire::constant(0), |acc, (wire, width)| acc.shl(*width).add(wire))
}

/// Σ 2^i · bit_i.
pub(crate) fn sum(bits: &[Wire]) -> Wire {
    let mut lc = Lc::zero();
    let mut power = Scalar::ONE;
    let mut value = Some(BigInt::from(0));
    for (i, bit) in bits.iter().enumerate() {
        lc = lc + (power, &bit.lc);
        power = power.double();
        value = value.zip(bit.value.as_ref()).map(|(sum, b)| sum + (b << i));
    }
    Wire { lc, value }
}

/// The bits of wire + 2^n for a wire within −2^n … 2^n − 1 (enforced): n + 1 of them, the last one 1 iff wire ≥ 0.
pub(crate) fn offset_bits<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire, n: u32) -> Result<Vec<Wire>, SynthesisError> {
    bits(cs, &wire.add(&Wire::constant(1).shl(n)), n.saturating_add(1))
}

/// 1 iff the wire is negative, for a wire within −2^n … 2^n − 1 (enforced).
pub(crate) fn negative<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire, n: u32) -> Result<Wire, SynthesisError> {
    let bits = offset_bits(cs, wire, n)?;
    Ok(bits.last().map_or_else(|| Wire::constant(0), Wire::not))
}

/// 1 iff a < b, for |a − b| < 2^n (enforced).
pub(crate) fn less<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire, n: u32) -> Result<Wire, SynthesisError> {
    negative(cs, &a.sub(b), n)
}

/// floor(wire / 2^s) for a wire within −2^n … 2^n − 1 (enforced), and 1 iff the wire is not negative.
pub(crate) fn floor_shift<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire, s: u32, n: u32) -> Result<(Wire, Wire), SynthesisError> {
    let bits = offset_bits(cs, wire, n)?;
    let high = bits.get(usize::try_from(s).unwrap_or(0)..).unwrap_or(&[]);
    let quotient = sum(high).sub(&Wire::constant(1).shl(n.saturating_sub(s)));
    Ok((quotient, bits.last().cloned().unwrap_or_else(|| Wire::constant(0))))
}

/// clamp(floor(v / 2^s), 0, most), most < 2^(low + 1), for the bits of v + 2^n: most if any bit above the low ones is set.
pub(crate) fn cap<CS: ConstraintSystem<Scalar>>(cs: &mut CS, bits: &[Wire], s: u32, low: u32, most: i64) -> Result<Wire, SynthesisError> {
    let (s, low) = (usize::try_from(s).unwrap_or(0), usize::try_from(low).unwrap_or(0));
    let top = bits.len().saturating_sub(1);
    let positive = bits.last().cloned().unwrap_or_else(|| Wire::constant(0));
    let low_end = s.saturating_add(low).min(top);
    let fits = is_zero(cs, &sum(bits.get(low_end..top).unwrap_or(&[])))?;
    let capped = select(cs, &fits, &sum(bits.get(s..low_end).unwrap_or(&[])), &Wire::constant(most))?;
    mul(cs, &positive, &capped)
}

/// clamp(floor(v / 2^s), −128, 127) for the bits of v + 2^n, as one variable: v / 2^s fits iff the bits above the seventh are those of
/// 0 or of −1. With k = n − s: q + 2^k = high·2^7 + low; q is within ±2^7 iff high is 2^(k−7) − 1 (negative) or 2^(k−7).
pub(crate) fn clip<CS: ConstraintSystem<Scalar>>(cs: &mut CS, bits: &[Wire], s: u32) -> Result<Wire, SynthesisError> {
    let k = u32::try_from(bits.len()).unwrap_or(0).saturating_sub(s).saturating_sub(1);
    let s = usize::try_from(s).unwrap_or(0);
    let positive = bits.last().cloned().unwrap_or_else(|| Wire::constant(0));
    let high = sum(bits.get(s.saturating_add(7)..).unwrap_or(&[]));
    let quotient = sum(bits.get(s..).unwrap_or(&[])).sub(&Wire::constant(1).shl(k));
    let middle = Wire::constant(1).shl(k.saturating_sub(7)).plus(-1);
    let fits = is_zero(cs, &high.sub(&middle).sub(&positive))?;
    let edge = positive.times(255).plus(-128);
    let chosen = select(cs, &fits, &quotient, &edge)?;
    pin(cs, &chosen)
}

/// bit ? a : b.
pub(crate) fn select<CS: ConstraintSystem<Scalar>>(cs: &mut CS, bit: &Wire, a: &Wire, b: &Wire) -> Result<Wire, SynthesisError> {
    Ok(mul(cs, bit, &a.sub(b))?.add(b))
}

/// The smaller, for |a − b| < 2^n (enforced).
pub(crate) fn min<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire, n: u32) -> Result<Wire, SynthesisError> {
    let smaller = less(cs, a, b, n)?;
    select(cs, &smaller, a, b)
}

/// clamp(wire, lo, hi) for a distance to either bound below 2^n (enforced).
pub(crate) fn clamp<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire, lo: i64, hi: i64, n: u32) -> Result<Wire, SynthesisError> {
    let (low, high) = (Wire::constant(lo), Wire::constant(hi));
    let below = less(cs, wire, &low, n)?;
    let lifted = select(cs, &below, &low, wire)?;
    min(cs, &lifted, &high, n)
}

/// 1 iff the wire is 0: w · inv = 1 − z and w · z = 0.
pub(crate) fn is_zero<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire) -> Result<Wire, SynthesisError> {
    let zero = Wire::witness(cs, wire.value.as_ref().map(|v| BigInt::from(u8::from(*v == BigInt::from(0)))))?;
    let inverse = wire.value.as_ref().map(|v| Option::<Scalar>::from(to_scalar(v).invert()).unwrap_or(Scalar::ZERO));
    let inverse = cs.alloc(|| "inv", || inverse.ok_or(SynthesisError::AssignmentMissing))?;
    cs.enforce(|| "w · inv = 1 − z", |_| wire.lc.clone(), |lc| lc + inverse, |lc| lc + one() - &zero.lc);
    cs.enforce(|| "w · z = 0", |_| wire.lc.clone(), |_| zero.lc.clone(), |lc| lc);
    Ok(zero)
}

/// floor(num / den) with remainder: num = q · den + r, 0 ≤ q < 2^qn, 0 ≤ r < den ≤ 2^dn (all enforced, qn + dn ≤ 250).
pub(crate) fn divide<CS: ConstraintSystem<Scalar>>(cs: &mut CS, num: &Wire, den: &Wire, qn: u32, dn: u32) -> Result<Wire, SynthesisError> {
    let zero = BigInt::from(0);
    let value = both(num, den).map(|(n, d)| if *d == zero { zero.clone() } else { n / d });
    let quotient = Wire::witness(cs, value)?;
    bits(cs, &quotient, qn)?;
    let rest = Wire::witness(cs, both(num, den).zip(quotient.value.as_ref()).map(|((n, d), q)| n - q * d))?;
    bits(cs, &rest, dn)?;
    bits(cs, &den.sub(&rest).plus(-1), dn)?;
    enforce(cs, &quotient, den, &num.sub(&rest));
    Ok(quotient)
}

/// Poseidon over wires, twin of [`crate::hash::hash`].
pub(crate) fn poseidon<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    domain: Domain,
    wires: &[Wire],
) -> Result<AllocatedNum<Scalar>, SynthesisError> {
    let cs = &mut cs.namespace(|| "hash");
    let mut sponge = PoseidonROCircuit::<Scalar>::new_with_mode(constants().clone(), mode(domain));
    let tag = AllocatedNum::alloc(cs.namespace(|| "tag"), || Ok(domain.tag()))?;
    cs.enforce(|| "tag", |lc| lc + tag.get_variable() - (domain.tag(), one()), |lc| lc + one(), |lc| lc);
    sponge.absorb(&tag);
    for wire in wires {
        let scalar = wire.value.as_ref().map(to_scalar);
        let num = AllocatedNum::alloc(cs.namespace(|| "in"), || scalar.ok_or(SynthesisError::AssignmentMissing))?;
        cs.enforce(|| "in", |_| wire.lc.clone(), |lc| lc + one(), |lc| lc + num.get_variable());
        sponge.absorb(&num);
    }
    sponge.squeeze_scalar(cs.namespace(|| "poseidon"))
}
