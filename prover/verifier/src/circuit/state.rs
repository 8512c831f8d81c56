//! C3: the state, twin of `State` and of `encode::state_elements`.

use super::integer;
use super::ranges::{AMOUNT, MIN_OUT};
use crate::Scalar;
use crate::gadgets::{Wire, bits, boolean, poseidon, select};
use crate::hash::Domain;
use nova_snark::frontend::{ConstraintSystem, SynthesisError, num::AllocatedNum};
use num_bigint::BigInt;
use probity_strategy::{Side, State};

/// The pending order: two booleans, an amount of 96 bits, a bound of 126.
#[derive(Clone)]
pub(super) struct OpenOrder {
    pub(super) buy: Wire,
    pub(super) sell: Wire,
    pub(super) amount_in: Wire,
    pub(super) min_out: Wire,
}

impl OpenOrder {
    /// amount_in + min_out·2^96 + buy·2^222 + sell·2^223.
    pub(super) fn element(&self) -> Wire {
        self.amount_in.add(&self.min_out.shl(96)).add(&self.buy.shl(222)).add(&self.sell.shl(223))
    }
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
    pub(super) quote: Wire,
    pub(super) base: Wire,
    pub(super) pending: OpenOrder,
    pub(super) high_nav: Wire,
    pub(super) high_shares: Wire,
    pub(super) halted: Wire,
    pub(super) cooldown_left: Wire,
    pub(super) window_left: Wire,
    pub(super) turnover_used_bps: Wire,
}

impl OpenState {
    /// Witnesses the state before a fold. The packed order is range-checked, all else is bound by the digest.
    pub(super) fn open<CS: ConstraintSystem<Scalar>>(cs: &mut CS, s: Option<&State>, step: Wire) -> Result<Self, SynthesisError> {
        let mut w = |v: Option<BigInt>| Wire::witness(cs, v);
        let last_time_s = w(s.map(|s| s.last_time_s.into()))?;
        let x = w(s.map(|s| s.x.into()))?;
        let r1 = w(s.map(|s| s.r1.into()))?;
        let r2 = w(s.map(|s| s.r2.into()))?;
        let mut ema = Vec::with_capacity(6);
        for i in 0..6 {
            ema.push(w(s.and_then(|s| s.ema.get(i)).map(|v| (*v).into()))?);
        }
        let mut vol = Vec::with_capacity(2);
        for i in 0..2 {
            vol.push(w(s.and_then(|s| s.vol.get(i)).map(|v| (*v).into()))?);
        }
        let quote = w(s.map(|s| s.quote.raw().into()))?;
        let base = w(s.map(|s| s.base.raw().into()))?;
        let amount_in = w(s.map(|s| s.pending.map_or(0, |o| o.amount_in.raw()).into()))?;
        let min_out = w(s.map(|s| s.pending.map_or(0, |o| o.min_out).into()))?;
        let high_nav = w(s.map(|s| s.high_water.nav.into()))?;
        let high_shares = w(s.map(|s| s.high_water.shares.raw().into()))?;
        let halted = w(s.map(|s| u8::from(s.halted).into()))?;
        let cooldown_left = w(s.map(|s| s.cooldown_left.into()))?;
        let window_left = w(s.map(|s| s.window_left.into()))?;
        let turnover_used_bps = w(s.map(|s| s.turnover_used_bps.into()))?;
        bits(cs, &amount_in, AMOUNT)?;
        bits(cs, &min_out, MIN_OUT)?;
        let side = |side: Side| s.map(|s| s.pending.is_some_and(|o| o.side == side));
        let buy = boolean(cs, side(Side::Buy))?;
        let sell = boolean(cs, side(Side::Sell))?;
        let pending = OpenOrder { buy, sell, amount_in, min_out };
        Ok(Self {
            step,
            last_time_s,
            x,
            r1,
            r2,
            ema,
            vol,
            quote,
            base,
            pending,
            high_nav,
            high_shares,
            halted,
            cooldown_left,
            window_left,
            turnover_used_bps,
        })
    }

    /// Every field but the step, which is in z itself.
    fn wires(&self) -> Vec<Wire> {
        let mut out = vec![self.last_time_s.clone(), self.x.clone(), self.r1.clone(), self.r2.clone()];
        out.extend(self.ema.iter().chain(&self.vol).cloned());
        out.extend([self.quote.clone(), self.base.clone(), self.pending.element(), self.high_nav.clone(), self.high_shares.clone()]);
        out.extend([self.halted.clone(), self.cooldown_left.clone(), self.window_left.clone(), self.turnover_used_bps.clone()]);
        out
    }

    /// Twin of `encode::state_digest`.
    pub(super) fn digest<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS, blind: &Wire) -> Result<AllocatedNum<Scalar>, SynthesisError> {
        let mut wires = self.wires();
        wires.push(blind.clone());
        poseidon(cs, Domain::State, &wires)
    }

    /// live ? next : self.
    pub(super) fn choose<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS, live: &Wire, next: &Self) -> Result<Self, SynthesisError> {
        let mut pick = |a: &Wire, b: &Wire| select(cs, live, a, b);
        let ema = next.ema.iter().zip(&self.ema).map(|(a, b)| pick(a, b)).collect::<Result<Vec<_>, _>>()?;
        let vol = next.vol.iter().zip(&self.vol).map(|(a, b)| pick(a, b)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            step: pick(&next.step, &self.step)?,
            last_time_s: pick(&next.last_time_s, &self.last_time_s)?,
            x: pick(&next.x, &self.x)?,
            r1: pick(&next.r1, &self.r1)?,
            r2: pick(&next.r2, &self.r2)?,
            ema,
            vol,
            quote: pick(&next.quote, &self.quote)?,
            base: pick(&next.base, &self.base)?,
            pending: OpenOrder {
                buy: pick(&next.pending.buy, &self.pending.buy)?,
                sell: pick(&next.pending.sell, &self.pending.sell)?,
                amount_in: pick(&next.pending.amount_in, &self.pending.amount_in)?,
                min_out: pick(&next.pending.min_out, &self.pending.min_out)?,
            },
            high_nav: pick(&next.high_nav, &self.high_nav)?,
            high_shares: pick(&next.high_shares, &self.high_shares)?,
            halted: pick(&next.halted, &self.halted)?,
            cooldown_left: pick(&next.cooldown_left, &self.cooldown_left)?,
            window_left: pick(&next.window_left, &self.window_left)?,
            turnover_used_bps: pick(&next.turnover_used_bps, &self.turnover_used_bps)?,
        })
    }
}

/// A field element of the record that the circuit does not compute with.
pub(super) fn opaque<CS: ConstraintSystem<Scalar>>(cs: &mut CS, value: Option<Scalar>) -> Result<Wire, SynthesisError> {
    Wire::witness(cs, value.as_ref().map(integer))
}
