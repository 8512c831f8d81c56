//! C13: the memory of a recurrent model. Twin of `strategy/src/memory.rs`.
//!
//! Gates and candidates are one matrix, its accumulators summed in groups as those of C7: each adds what it needs for its rounding, a
//! gate also the half that is open when nothing speaks for either side.

use super::model::OpenModel;
use super::network::accumulate;
use super::ranges::{CELL_MOVE, accumulator};
use crate::Scalar;
use crate::gadgets::{cap, clip, floor_shift, mul, pin};
use crate::wire::Wire;
use nova_snark::frontend::{ConstraintSystem, SynthesisError};
use probity_strategy::{GATE_OPEN, Recurrent};

/// The memory after the step: h + floor((candidate − h)·gate / 256).
pub(super) fn remember<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    part: &Recurrent,
    model: &OpenModel,
    features: &[Wire],
    memory: &[Wire],
) -> Result<Vec<Wire>, SynthesisError> {
    let (gate_shift, candidate_shift) = (u32::from(part.gate_shift), u32::from(part.candidate_shift));
    let input: Vec<Wire> = features.iter().chain(memory).cloned().collect();
    let width = accumulator(input.len());
    let half = |shift: u32| 1i64 << shift.saturating_sub(1);
    let open = i64::from(GATE_OPEN / 2) << gate_shift;
    let mut rows = Vec::with_capacity(memory.len().saturating_mul(2));
    for group in &model.memory {
        let before = rows.len();
        let is_gate = |output: u32| usize::try_from(output).is_ok_and(|o| before.saturating_add(o) < memory.len());
        let added = |output| if is_gate(output) { half(gate_shift).saturating_add(open) } else { half(candidate_shift) };
        rows.extend(accumulate(cs, group, &input, width, added)?);
    }
    let (gates, candidates) = rows.split_at(memory.len().min(rows.len()));
    let mut next = Vec::with_capacity(memory.len());
    for ((gate, candidate), cell) in gates.iter().zip(candidates).zip(memory) {
        let gate = cap(cs, gate, gate_shift, 8, GATE_OPEN.into())?;
        let candidate = clip(cs, candidate, candidate_shift)?;
        let way = mul(cs, &candidate.sub(cell), &gate)?;
        let (moved, _) = floor_shift(cs, &way, 8, CELL_MOVE)?;
        next.push(pin(cs, &cell.add(&moved))?);
    }
    Ok(next)
}
