//! Wires: linear combinations of a circuit's variables that stand for integers.

use crate::Scalar;
use ethnum::{I256, U256};
use ff::{Field, PrimeField};
use nova_snark::frontend::{ConstraintSystem, Index, LinearCombination, SynthesisError, Variable, num::AllocatedNum};

pub(crate) type Lc = LinearCombination<Scalar>;

/// What a wire stands for. The circuit's bounds (`circuit/ranges.rs`) and the field keep every honest value and every product of two below
/// 2^255 in magnitude; what other values wrap to is a witness that some range check refuses, as it refuses the values themselves.
pub(crate) type Integer = I256;

/// The constant one of every constraint system.
pub(crate) fn one() -> Variable {
    Variable::new_unchecked(Index::Input(0))
}

/// A field element as the integer 0 … p − 1.
pub(crate) fn integer(scalar: &Scalar) -> Integer {
    Integer::from_le_bytes(scalar.to_repr().into())
}

/// An integer as a field element.
pub(crate) fn to_scalar(value: Integer) -> Scalar {
    match value {
        Integer::ZERO => return Scalar::ZERO,
        Integer::ONE => return Scalar::ONE,
        _ => {}
    }
    let bytes = value.unsigned_abs().to_le_bytes();
    let mut limbs = [0; 4];
    for (limb, part) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*part);
    }
    let magnitude = Scalar::from_raw(limbs);
    if value.is_negative() { -magnitude } else { magnitude }
}

/// Bit n of an integer; none is set in a negative one.
pub(crate) fn bit(value: Integer, n: u32) -> bool {
    !value.is_negative() && n < 256 && (value.as_u256() >> n) & U256::ONE == U256::ONE
}

/// A linear combination that stands for an integer; the value is there when there is a witness.
#[derive(Clone)]
pub(crate) struct Wire {
    form: Form,
    value: Option<Integer>,
}

/// The linear combination of a wire.
#[derive(Clone)]
enum Form {
    /// The value times the constant one.
    Constant,
    /// A combination of variables.
    Sum(Box<Lc>),
    /// One that nobody will ask for: the constraint system only collects a witness and writes no rows. Combining lists of coefficients
    /// would be most of the work of making a witness.
    Unkept,
}

impl Wire {
    pub(crate) fn constant(value: i64) -> Self {
        Self { form: Form::Constant, value: Some(value.into()) }
    }

    /// An unconstrained witness.
    pub(crate) fn witness<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<Integer>) -> Result<Self, SynthesisError> {
        let variable = cs.alloc(|| "w", || value.map(to_scalar).ok_or(SynthesisError::AssignmentMissing))?;
        Ok(Self { form: Form::of(cs, variable), value })
    }

    /// An already allocated number of `cs`, as the integer 0 … p − 1.
    pub(crate) fn of<CS: ConstraintSystem<Scalar>>(cs: &CS, num: &AllocatedNum<Scalar>) -> Self {
        Self { form: Form::of(cs, num.get_variable()), value: num.get_value().as_ref().map(integer) }
    }

    /// The linear combination itself, for a row.
    ///
    /// # Panics
    /// If the constraint system said that it writes none: better than a row without its terms.
    pub(crate) fn lc(&self) -> Lc {
        match &self.form {
            Form::Constant => Lc::zero() + (self.value.map_or(Scalar::ZERO, to_scalar), one()),
            Form::Sum(lc) => Lc::clone(lc),
            Form::Unkept => unreachable!("a system that only collects a witness asks for no rows"),
        }
    }

    pub(crate) const fn value(&self) -> Option<Integer> {
        self.value
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let value = both(self, other).map(|(a, b)| a.wrapping_add(b));
        Self { form: self.joined(other, |a, b| a + b), value }
    }

    pub(crate) fn sub(&self, other: &Self) -> Self {
        let value = both(self, other).map(|(a, b)| a.wrapping_sub(b));
        Self { form: self.joined(other, |a, b| a - b), value }
    }

    pub(crate) fn plus(&self, constant: i64) -> Self {
        self.add(&Self::constant(constant))
    }

    /// Times 2^n.
    pub(crate) fn shl(&self, n: u32) -> Self {
        self.scale(Integer::ONE << n)
    }

    pub(crate) fn times(&self, k: i64) -> Self {
        self.scale(k.into())
    }

    pub(crate) fn neg(&self) -> Self {
        self.times(-1)
    }

    /// 1 − self, for booleans.
    pub(crate) fn not(&self) -> Self {
        Self::constant(1).sub(self)
    }

    fn scale(&self, by: Integer) -> Self {
        let form = match &self.form {
            Form::Sum(lc) => Form::Sum(Box::new(Lc::zero() + (to_scalar(by), &**lc))),
            other => other.clone(),
        };
        Self { form, value: self.value.map(|v| v.wrapping_mul(by)) }
    }

    fn joined(&self, other: &Self, join: impl FnOnce(Lc, &Lc) -> Lc) -> Form {
        match (&self.form, &other.form) {
            (Form::Unkept, _) | (_, Form::Unkept) => Form::Unkept,
            (Form::Constant, Form::Constant) => Form::Constant,
            _ => Form::Sum(Box::new(join(self.lc(), &other.lc()))),
        }
    }
}

impl Form {
    /// A variable of `cs`.
    fn of<CS: ConstraintSystem<Scalar>>(cs: &CS, variable: Variable) -> Self {
        if cs.is_witness_generator() { Self::Unkept } else { Self::Sum(Box::new(Lc::zero() + variable)) }
    }
}

pub(crate) fn both(a: &Wire, b: &Wire) -> Option<(Integer, Integer)> {
    a.value.zip(b.value)
}

/// Σ 2^i · bit_i.
pub(crate) fn sum(bits: &[Wire]) -> Wire {
    let value = (0..).zip(bits).try_fold(Integer::ZERO, |sum, (i, bit)| Some(sum.wrapping_add(bit.value?.wrapping_shl(i))));
    if bits.iter().any(|bit| matches!(bit.form, Form::Unkept)) {
        return Wire { form: Form::Unkept, value };
    }
    let (mut lc, mut power) = (Lc::zero(), Scalar::ONE);
    for bit in bits {
        lc = lc + (power, &bit.lc());
        power = power.double();
    }
    Wire { form: Form::Sum(Box::new(lc)), value }
}

/// Σ of wires in disjoint places: (wire, width) from the lowest place up.
pub(crate) fn pack(parts: &[(Wire, u32)]) -> Wire {
    parts.iter().rev().fold(Wire::constant(0), |acc, (wire, width)| acc.shl(*width).add(wire))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::power;

    #[test]
    fn integers_and_field_elements() {
        let p = integer(&-Scalar::ONE).wrapping_add(Integer::ONE);
        for small in [0, 1, 2, -1, -2, i64::MAX, i64::MIN] {
            assert_eq!(to_scalar(small.into()), crate::encode::signed(small));
        }
        for n in 0..255_u32 {
            let (value, expected) = (Integer::ONE << n, power(n.into()));
            assert_eq!((to_scalar(value), to_scalar(-value)), (expected, -expected), "2^{n}");
            assert_eq!(to_scalar(integer(&expected)), expected, "2^{n}");
            assert!((0..300).all(|i| bit(value, i) == (i == n) && !bit(-value, i)), "2^{n}");
        }
        for value in [p - 1, p, p + 1, Integer::MAX] {
            assert_eq!(to_scalar(value), to_scalar(value - p), "{value}");
            assert_eq!(to_scalar(-value), -to_scalar(value), "{value}");
        }
    }
}
