//! The verifier, step by step as the library's prover absorbs and squeezes.

use super::matrices::vertex;
use super::{Spartan, SpartanKey};
use ff::Field;
use nova_snark::errors::NovaError;
use nova_snark::r1cs::RelaxedR1CSInstance;
use nova_snark::spartan::polys::eq::EqPolynomial;
use nova_snark::traits::evaluation::EvaluationEngineTrait;
use nova_snark::traits::{Engine, TranscriptEngineTrait};

/// Degrees of the sum-checks' polynomials.
const OUTER: usize = 3;
const INNER: usize = 2;
const BATCH: usize = 2;

impl<E: Engine, P: EvaluationEngineTrait<E>> Spartan<E, P> {
    pub(super) fn verified(&self, key: &SpartanKey<E, P>, instance: &RelaxedR1CSInstance<E>) -> Result<(), NovaError> {
        let refused = || NovaError::InvalidSumcheckProof;
        let (rows, columns) = key.matrices.coordinates();
        let mut transcript = E::TE::new(b"RelaxedR1CSSNARK");
        transcript.absorb(b"vk", &key.digest);
        transcript.absorb(b"U", instance);

        // Outer: Σ eq(τ, x) · (Az(x) · Bz(x) − u · Cz(x) − E(x)) = 0.
        let tau = (0..rows).map(|_| transcript.squeeze(b"t")).collect::<Result<Vec<_>, _>>()?;
        let (claim, x) = self.outer.verify(E::Scalar::ZERO, rows, OUTER, &mut transcript)?;
        let (a, b, c) = self.products;
        if claim != EqPolynomial::new(tau).evaluate(&x) * (a * b - instance.u() * c - self.error) {
            return Err(refused());
        }
        transcript.absorb(b"claims_outer", &[a, b, c, self.error].as_slice());

        // Inner: Σ (A + r · B + r² · C)(x, y) · z(y) = Az + r · Bz + r² · Cz.
        let r = transcript.squeeze(b"r")?;
        let (claim, y) = self.inner.verify(a + r * (b + r * c), columns, INNER, &mut transcript)?;
        let (first, rest) = y.split_first().ok_or_else(refused)?;
        // z is the witness, then u and the public values.
        let public: E::Scalar = std::iter::once(&instance.u()).chain(instance.X()).zip(0..).map(|(z, n)| *z * vertex(rest, n)).sum();
        let z = (E::Scalar::ONE - first) * self.witness + *first * public;
        if claim != key.matrices.at(&x, &y, r)? * z {
            return Err(refused());
        }
        transcript.absorb(b"w", &[self.witness].as_slice());

        // Both openings at one point. The shorter polynomial is zero where its missing first coordinates are not zero.
        let [witness, error] = <[E::Scalar; 2]>::try_from(self.openings.as_slice()).map_err(|_| refused())?;
        let rho = transcript.squeeze(b"r")?;
        let lengths = [rest.len(), x.len()];
        let (claim, point) =
            self.batch.verify_batch(&[self.witness, self.error], &lengths, &[E::Scalar::ONE, rho], BATCH, &mut transcript)?;
        let tail = |length: usize| point.len().checked_sub(length).and_then(|from| point.split_at_checked(from)).ok_or_else(refused);
        let ((before_witness, at_witness), (before_error, at_error)) = (tail(rest.len())?, tail(x.len())?);
        let eq = |one: &[E::Scalar], other: &[E::Scalar]| EqPolynomial::new(one.to_vec()).evaluate(other);
        if claim != eq(at_witness, rest) * witness + rho * eq(at_error, &x) * error {
            return Err(refused());
        }
        transcript.absorb(b"l", &self.openings.as_slice());
        let gamma = transcript.squeeze(b"c")?;
        let scaled = |value: E::Scalar, before: &[E::Scalar]| value * before.iter().map(|r| E::Scalar::ONE - r).product::<E::Scalar>();
        let value = scaled(witness, before_witness) + gamma * scaled(error, before_error);
        let commitment = *instance.comm_W() + *instance.comm_E() * gamma;
        P::verify(&key.openings, &mut transcript, &commitment, &point, &value, &self.argument)
    }
}
