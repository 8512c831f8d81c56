//! The few relations everything is made of.
//!
//! A [`Wire`] is a linear combination that stands for a (signed) integer. Every relation states the range it needs; bounds
//! are constants of the circuit, never chosen by a witness. Field order p > 2^253, so no bounded sum or product wraps.

use crate::Scalar;
use crate::hash::{Domain, mode, narrow, squeezed, wide};
use crate::wire::{Integer, Wire, bit, both, one, sum, to_scalar};
use ff::Field;
use nova_snark::frontend::gadgets::poseidon::{Elt, Simplex, SpongeCircuit, SpongeTrait};
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use nova_snark::traits::ROMode;
use std::sync::LazyLock;

/// a · b = c.
pub(crate) fn enforce<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire, c: &Wire) {
    cs.enforce(|| "a · b = c", |_| a.lc(), |_| b.lc(), |_| c.lc());
}

/// a = b.
pub(crate) fn equal<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire) {
    cs.enforce(|| "a = b", |_| a.lc() - &b.lc(), |lc| lc + one(), |lc| lc);
}

/// The product as a new variable.
pub(crate) fn mul<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire, b: &Wire) -> Result<Wire, SynthesisError> {
    let out = Wire::witness(cs, both(a, b).map(|(a, b)| a.wrapping_mul(b)))?;
    enforce(cs, a, b, &out);
    Ok(out)
}

/// A long linear combination as one variable.
pub(crate) fn pin<CS: ConstraintSystem<Scalar>>(cs: &mut CS, a: &Wire) -> Result<Wire, SynthesisError> {
    let out = Wire::witness(cs, a.value())?;
    equal(cs, a, &out);
    Ok(out)
}

/// A boolean: b · (1 − b) = 0.
pub(crate) fn boolean<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<bool>) -> Result<Wire, SynthesisError> {
    let bit = Wire::witness(cs, value.map(|b| Integer::from(u8::from(b))))?;
    cs.enforce(|| "b · (1 − b) = 0", |_| bit.lc(), |lc| lc + one() - &bit.lc(), |lc| lc);
    Ok(bit)
}

/// n booleans, little-endian: the bits of a value.
fn digits<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<Integer>, n: u32) -> Result<Vec<Wire>, SynthesisError> {
    (0..n).map(|i| boolean(cs, value.map(|v| bit(v, i)))).collect()
}

/// The n bits of a wire, little-endian; enforces 0 ≤ wire < 2^n (n ≤ 250).
pub(crate) fn bits<CS: ConstraintSystem<Scalar>>(cs: &mut CS, wire: &Wire, n: u32) -> Result<Vec<Wire>, SynthesisError> {
    let bits = digits(cs, wire.value(), n)?;
    equal(cs, &sum(&bits), wire);
    Ok(bits)
}

/// A new integer 0 … 2^n − 1 that exists as its bits only: in range by construction, without a row for their sum.
pub(crate) fn unsigned<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<Integer>, n: u32) -> Result<Wire, SynthesisError> {
    Ok(sum(&digits(cs, value, n)?))
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
    let zero = Wire::witness(cs, wire.value().map(|v| Integer::from(u8::from(v == Integer::ZERO))))?;
    let inverse = cs.alloc(|| "inv", || wire.value().map(inverse).ok_or(SynthesisError::AssignmentMissing))?;
    cs.enforce(|| "w · inv = 1 − z", |_| wire.lc(), |lc| lc + inverse, |lc| lc + one() - &zero.lc());
    cs.enforce(|| "w · z = 0", |_| wire.lc(), |_| zero.lc(), |lc| lc);
    Ok(zero)
}

/// The inverse of an integer in the field, 0 for 0. Most that are asked for are small: those are looked up.
fn inverse(value: Integer) -> Scalar {
    static SMALL: LazyLock<Vec<Scalar>> = LazyLock::new(|| (0..256).map(|v| Scalar::from(v).invert().unwrap_or(Scalar::ZERO)).collect());
    let small = usize::try_from(value.unsigned_abs()).ok().and_then(|v| SMALL.get(v));
    match small {
        Some(inverse) if value.is_negative() => -inverse,
        Some(inverse) => *inverse,
        None => to_scalar(value).invert().unwrap_or(Scalar::ZERO),
    }
}

/// floor(num / den) with remainder: num = q · den + r, 0 ≤ q < 2^qn, 0 ≤ r < den ≤ 2^dn (all enforced, qn + dn ≤ 250).
pub(crate) fn divide<CS: ConstraintSystem<Scalar>>(cs: &mut CS, num: &Wire, den: &Wire, qn: u32, dn: u32) -> Result<Wire, SynthesisError> {
    let values = both(num, den).map(|(n, d)| match d {
        Integer::ZERO => (Integer::ZERO, n),
        _ => (n.wrapping_div(d), n.wrapping_rem(d)),
    });
    let quotient = Wire::witness(cs, values.map(|(quotient, _)| quotient))?;
    bits(cs, &quotient, qn)?;
    let rest = Wire::witness(cs, values.map(|(_, rest)| rest))?;
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
    let mut elements = Vec::with_capacity(wires.len().saturating_add(1));
    let tag = AllocatedNum::alloc(cs.namespace(|| "tag"), || Ok(domain.tag()))?;
    cs.enforce(|| "tag", |lc| lc + tag.get_variable() - (domain.tag(), one()), |lc| lc + one(), |lc| lc);
    elements.push(Elt::Allocated(tag));
    for wire in wires {
        let num = AllocatedNum::alloc(cs.namespace(|| "in"), || wire.value().map(to_scalar).ok_or(SynthesisError::AssignmentMissing))?;
        cs.enforce(|| "in", |_| wire.lc(), |lc| lc + one(), |lc| lc + num.get_variable());
        elements.push(Elt::Allocated(num));
    }
    let mut poseidon = cs.namespace(|| "poseidon");
    let ns = &mut poseidon.namespace(|| "ns");
    let out = match mode(domain) {
        ROMode::Wide => squeezed!(SpongeCircuit::new_with_constants(wide(), Simplex), &elements, &mut *ns),
        ROMode::Narrow => squeezed!(SpongeCircuit::new_with_constants(narrow(), Simplex), &elements, &mut *ns),
    };
    let out = out.first().ok_or(SynthesisError::AssignmentMissing)?;
    out.ensure_allocated(&mut ns.namespace(|| "ensure allocated"))
}
