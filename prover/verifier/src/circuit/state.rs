//! C3: the state, twin of `State` and of `encode::state_elements`.

use super::ranges::{CELLS_PER_ELEMENT, STATE_CELL, STATE_EMA, STATE_RETURN, STATE_STEPS, STATE_TURNOVER, STATE_VOL, STATE_X};
use crate::Scalar;
use crate::gadgets::{boolean, is_zero, poseidon, select, unsigned};
use crate::hash::Domain;
use crate::wire::{Integer, Wire, integer, pack};
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use probity_strategy::State;

/// What a fill is measured by: whether an order is pending and its least amount out (0 without one).
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) trade: Wire,
    pub(super) min_out: Wire,
}

/// The state as wires.
#[derive(Clone)]
pub(super) struct OpenState {
    pub(super) step: Wire,
    pub(super) last_time_s: Wire,
    pub(super) x: Wire,
    pub(super) r1: Wire,
    pub(super) r2: Wire,
    pub(super) ema: Vec<Wire>,
    pub(super) vol: Vec<Wire>,
    pub(super) pending: Pending,
    pub(super) high_nav: Wire,
    pub(super) high_shares: Wire,
    pub(super) halted: Wire,
    pub(super) cooldown_left: Wire,
    pub(super) window_left: Wire,
    pub(super) turnover_used_bps: Wire,
    pub(super) memory: Vec<Wire>,
}

impl OpenState {
    /// Witnesses the state before a fold. What the digest holds packed is made of bits; the rest is an element of its own.
    pub(super) fn open<CS: ConstraintSystem<Scalar>>(
        cs: &mut CS,
        units: usize,
        s: Option<&State>,
        step: Wire,
    ) -> Result<Self, SynthesisError> {
        let lifted = |v: Option<i64>, n: u32| v.map(|v| Integer::from(v) + (Integer::ONE << (n - 1)));
        let mut signed = |v: Option<i64>, n: u32| -> Result<Wire, SynthesisError> {
            Ok(unsigned(cs, lifted(v, n), n)?.sub(&Wire::constant(1).shl(n - 1)))
        };
        let x = signed(s.map(|s| s.x.into()), STATE_X)?;
        let r1 = signed(s.map(|s| s.r1.into()), STATE_RETURN)?;
        let r2 = signed(s.map(|s| s.r2.into()), STATE_RETURN)?;
        let mut ema = Vec::with_capacity(6);
        for i in 0..6 {
            ema.push(signed(s.and_then(|s| s.ema.get(i)).map(|v| (*v).into()), STATE_EMA)?);
        }
        let mut memory = Vec::with_capacity(units);
        for i in 0..units {
            memory.push(signed(s.map(|s| s.memory.get(i).copied().unwrap_or(0).into()), STATE_CELL)?);
        }
        let mut vol = Vec::with_capacity(2);
        for i in 0..2 {
            vol.push(unsigned(cs, s.and_then(|s| s.vol.get(i)).map(|v| (*v).into()), STATE_VOL)?);
        }
        let turnover_used_bps = unsigned(cs, s.map(|s| s.turnover_used_bps.into()), STATE_TURNOVER)?;
        let window_left = unsigned(cs, s.map(|s| s.window_left.into()), STATE_STEPS)?;
        let cooldown_left = unsigned(cs, s.map(|s| s.cooldown_left.into()), STATE_STEPS)?;
        let halted = boolean(cs, s.map(|s| s.halted))?;
        let last_time_s = Wire::witness(cs, s.map(|s| s.last_time_s.into()))?;
        let high_nav = Wire::witness(cs, s.map(|s| s.high_water.nav.into()))?;
        let high_shares = Wire::witness(cs, s.map(|s| s.high_water.shares.raw().into()))?;
        let least = Wire::witness(cs, s.map(|s| s.pending.map_or(Integer::ZERO, |o| Integer::from(o.min_out) + Integer::ONE)))?;
        let trade = is_zero(cs, &least)?.not();
        let pending = Pending { min_out: least.sub(&trade), trade };
        Ok(Self {
            step,
            last_time_s,
            x,
            r1,
            r2,
            ema,
            vol,
            pending,
            high_nav,
            high_shares,
            halted,
            cooldown_left,
            window_left,
            turnover_used_bps,
            memory,
        })
    }

    /// Every field but the step, which is in z itself.
    fn elements(&self) -> Vec<Wire> {
        let lift = |v: &Wire, n: u32| (v.add(&Wire::constant(1).shl(n - 1)), n);
        let small = [
            lift(&self.x, STATE_X),
            lift(&self.r1, STATE_RETURN),
            lift(&self.r2, STATE_RETURN),
            (self.turnover_used_bps.clone(), STATE_TURNOVER),
            (self.window_left.clone(), STATE_STEPS),
            (self.cooldown_left.clone(), STATE_STEPS),
            (self.halted.clone(), 1),
        ];
        let averages: Vec<(Wire, u32)> =
            self.ema.iter().map(|e| lift(e, STATE_EMA)).chain(self.vol.iter().map(|v| (v.clone(), STATE_VOL))).collect();
        let mut elements = vec![
            self.last_time_s.clone(),
            pack(&small),
            pack(&averages),
            self.pending.min_out.add(&self.pending.trade),
            self.high_nav.clone(),
            self.high_shares.clone(),
        ];
        let cells: Vec<(Wire, u32)> = self.memory.iter().map(|cell| lift(cell, STATE_CELL)).collect();
        elements.extend(cells.chunks(CELLS_PER_ELEMENT).map(pack));
        elements
    }

    /// Twin of `encode::state_digest`.
    pub(super) fn digest<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS, blind: &Wire) -> Result<AllocatedNum<Scalar>, SynthesisError> {
        let mut elements = self.elements();
        elements.push(blind.clone());
        poseidon(cs, Domain::State, &elements)
    }

    /// live ? next : self.
    pub(super) fn choose<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS, live: &Wire, next: &Self) -> Result<Self, SynthesisError> {
        let mut pick = |a: &Wire, b: &Wire| select(cs, live, a, b);
        let ema = next.ema.iter().zip(&self.ema).map(|(a, b)| pick(a, b)).collect::<Result<Vec<_>, _>>()?;
        let memory = next.memory.iter().zip(&self.memory).map(|(a, b)| pick(a, b)).collect::<Result<Vec<_>, _>>()?;
        let vol = next.vol.iter().zip(&self.vol).map(|(a, b)| pick(a, b)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            step: pick(&next.step, &self.step)?,
            last_time_s: pick(&next.last_time_s, &self.last_time_s)?,
            x: pick(&next.x, &self.x)?,
            r1: pick(&next.r1, &self.r1)?,
            r2: pick(&next.r2, &self.r2)?,
            ema,
            vol,
            pending: Pending {
                trade: pick(&next.pending.trade, &self.pending.trade)?,
                min_out: pick(&next.pending.min_out, &self.pending.min_out)?,
            },
            high_nav: pick(&next.high_nav, &self.high_nav)?,
            high_shares: pick(&next.high_shares, &self.high_shares)?,
            halted: pick(&next.halted, &self.halted)?,
            cooldown_left: pick(&next.cooldown_left, &self.cooldown_left)?,
            window_left: pick(&next.window_left, &self.window_left)?,
            turnover_used_bps: pick(&next.turnover_used_bps, &self.turnover_used_bps)?,
            memory,
        })
    }
}

/// A field element of the record that the circuit does not compute with.
pub(super) fn opaque<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<Scalar>) -> Result<Wire, SynthesisError> {
    Wire::witness(cs, value.as_ref().map(integer))
}
