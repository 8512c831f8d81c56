//! C2: the mandate's numbers open its digest. No range checks: the verifier computes the digest from a checked mandate.

use super::FoldWitness;
use crate::Scalar;
use crate::encode::{mandate_numbers, mandate_text};
use crate::gadgets::poseidon;
use crate::hash::Domain;
use crate::wire::{Wire, integer};
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};

/// The opened mandate.
pub(super) struct OpenMandate {
    pub(super) base_is_token1: Wire,
    pub(super) interval_s: Wire,
    pub(super) max_weight_bps: Wire,
    pub(super) max_trade_bps: Wire,
    pub(super) min_trade_bps: Wire,
    pub(super) max_turnover_bps: Wire,
    pub(super) turnover_window_steps: Wire,
    pub(super) max_drawdown_bps: Wire,
    pub(super) max_slippage_bps: Wire,
    pub(super) max_trade_quote: Wire,
    pub(super) digest: AllocatedNum<Scalar>,
}

impl OpenMandate {
    pub(super) fn open<CS: ConstraintSystem<Scalar>>(cs: &mut CS, w: Option<&FoldWitness>) -> Result<Self, SynthesisError> {
        let text = w.map(|w| mandate_text(&w.mandate));
        let numbers = w.map(|w| mandate_numbers(&w.mandate));
        let mut wires = Vec::with_capacity(13);
        for i in 0..2 {
            wires.push(Wire::witness(cs, text.as_ref().and_then(|t| t.get(i)).map(integer))?);
        }
        for i in 0..11 {
            wires.push(Wire::witness(cs, numbers.as_ref().and_then(|n| n.get(i)).map(integer))?);
        }
        let digest = poseidon(cs, Domain::Mandate, &wires)?;
        let mut rest = wires.into_iter().skip(2);
        let mut next = || rest.next().ok_or(SynthesisError::AssignmentMissing);
        Ok(Self {
            base_is_token1: next()?,
            interval_s: next()?,
            max_weight_bps: next()?,
            max_trade_bps: next()?,
            min_trade_bps: next()?,
            max_turnover_bps: next()?,
            turnover_window_steps: next()?,
            max_drawdown_bps: next()?,
            max_slippage_bps: next()?,
            max_trade_quote: next()?,
            digest,
        })
    }
}
