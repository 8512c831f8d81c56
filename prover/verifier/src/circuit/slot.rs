//! One slot: the observation as wires, the decision, the record (C4 … C9). Twin of `Engine::step`.

use super::features::Features;
use super::model::OpenModel;
use super::order;
use super::portfolio::{self, Seen};
use super::promise::OpenMandate;
use super::ranges::{AMOUNT, STATE_STEPS, STEPS};
use super::state::{OpenState, Pending, opaque};
use super::{digest_wire, memory, network, risk};
use crate::Scalar;
use crate::encode::{halves, power};
use crate::gadgets::{bits, boolean, enforce, is_zero, less, mul, pin, select};
use crate::hash::Domain;
use crate::wire::{Integer, Wire, pack};
use nova_snark::frontend::{ConstraintSystem, SynthesisError};
use probity_strategy::{ModelShape, Observation};

/// C4: the observation as wires. What is computed with is range-checked here or where it is used; the rest is only hashed.
struct Sight {
    price: Wire,
    quote: Wire,
    base: Wire,
    shares: Wire,
    fill_out: Wire,
    time: Wire,
    tick: Wire,
    filled: Wire,
    block: Wire,
    block_low: Wire,
}

impl Sight {
    fn of<CS: ConstraintSystem<Scalar>>(cs: &mut CS, o: Option<&Observation>) -> Result<Self, SynthesisError> {
        let mut amount = |v: Option<u128>| -> Result<Wire, SynthesisError> {
            let wire = Wire::witness(cs, v.map(Integer::from))?;
            bits(cs, &wire, AMOUNT)?;
            Ok(wire)
        };
        let price = amount(o.map(|o| o.price_x64.x64()))?;
        let quote = amount(o.map(|o| o.quote.raw()))?;
        let base = amount(o.map(|o| o.base.raw()))?;
        let shares = amount(o.map(|o| o.shares.raw()))?;
        // Bounded where it is compared (C5).
        let fill_out = Wire::witness(cs, o.map(|o| o.fill.map_or(0, |f| f.amount_out.raw()).into()))?;
        let time = Wire::witness(cs, o.map(|o| o.time_s.into()))?;
        let tick = Wire::witness(cs, o.map(|o| o.mean_tick.into()))?;
        let filled = boolean(cs, o.map(|o| o.fill.is_some()))?;
        enforce(cs, &filled.not(), &fill_out, &Wire::constant(0));
        let hash = o.map(|o| halves(&o.block_hash));
        let block = opaque(cs, o.zip(hash).map(|(o, [high, _])| Scalar::from(o.block_number) * power(128) + high))?;
        let block_low = opaque(cs, hash.map(|[_, low]| low))?;
        Ok(Self { price, quote, base, shares, fill_out, time, tick, filled, block, block_low })
    }
}

/// What a vault records of a decision, as wires, in the order of `settlement::facts`: the fingerprint of a settlement is over these.
pub(crate) type Facts = [Wire; 11];

/// Runs one decision; returns the state and the log head after it, and what a vault saw of it.
pub(super) fn slot<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    shape: &ModelShape,
    model: &OpenModel,
    mandate: &OpenMandate,
    state: &OpenState,
    head: &Wire,
    o: Option<&Observation>,
) -> Result<(OpenState, Wire, Facts), SynthesisError> {
    let Sight { price, quote, base, shares, fill_out, time, tick, filled, block, block_low } =
        Sight::of(&mut cs.namespace(|| "C4 observation"), o)?;

    let (val, book) = {
        let cs = &mut cs.namespace(|| "C5 book");
        let val = portfolio::value(cs, &quote, &base, &price)?;
        let seen = Seen { shares: &shares, fill_out: &fill_out, filled: &filled };
        let book = portfolio::book(cs, mandate, state, &val, &seen)?;
        (val, book)
    };

    let (features, inputs) = {
        let cs = &mut cs.namespace(|| "C6 features");
        let first = is_zero(cs, &state.step)?;
        let features = Features::of(cs, mandate, state, &tick, &first, &val.weight)?;
        let inputs = features.scaled(cs, model)?;
        (features, inputs)
    };
    // C13: only a recurrent model has rows here.
    let memory = match &shape.recurrent {
        Some(part) => memory::remember(&mut cs.namespace(|| "C13 memory"), part, model, &inputs, &state.memory)?,
        None => Vec::new(),
    };
    let seen = inputs.into_iter().chain(memory.iter().cloned()).collect();
    let outputs = network::forward(&mut cs.namespace(|| "C7 network"), shape, model, seen)?;

    // C8: policy, risk, order.
    let (rested, new_window, used, approved, decided) = {
        let cs = &mut cs.namespace(|| "C8 decision");
        let elapsed = time.sub(&state.last_time_s).sub(&mandate.interval_s);
        let gap = is_zero(cs, &elapsed)?.not();
        let rested = is_zero(cs, &state.cooldown_left)?;
        let active = mul(cs, &gap.not(), &rested)?;
        let proposed = risk::propose(cs, model, &outputs, &val.weight, &active)?;
        let new_window = is_zero(cs, &state.window_left)?;
        let used = mul(cs, &new_window.not(), &state.turnover_used_bps)?;
        let approved = risk::approve(cs, mandate, &proposed, &val.weight, &used, &book.halted, &gap)?;
        let facts = order::Facts { price: &price, base: &base, val: &val };
        let decided = order::order(cs, mandate, &approved, &facts)?;
        (rested, new_window, used, approved, decided)
    };

    // C9: record and head, then what the next step starts from.
    let cs = &mut cs.namespace(|| "C9 record");
    let seen = decided.order.element().add(&filled.shl(225));
    let decision = seen.add(&book.halted.shl(224));
    let facts = [
        head.clone(),
        time.clone(),
        tick.clone(),
        price.clone(),
        quote.clone(),
        base.clone(),
        shares.clone(),
        fill_out.clone(),
        block.clone(),
        block_low.clone(),
        seen,
    ];
    let record = [
        head.clone(),
        pack(&[(price.clone(), AMOUNT), (quote, AMOUNT), (state.step.clone(), STEPS)]),
        pack(&[(base.clone(), AMOUNT), (shares, AMOUNT)]),
        fill_out,
        time.clone(),
        tick,
        block,
        block_low,
        decision,
    ];
    let next_head = digest_wire(cs, Domain::Record, &record)?;

    let waiting = state.cooldown_left.sub(&rested.not());
    let shorter = less(cs, &waiting, &model.cooldown_steps, STATE_STEPS)?;
    let longer = mul(cs, &decided.trade, &shorter)?;
    let cooldown_left = select(cs, &longer, &model.cooldown_steps, &waiting)?;
    let window_left = select(cs, &new_window, &mandate.turnover_window_steps, &state.window_left)?.plus(-1);
    let spent = mul(cs, &decided.trade, &approved.size)?;
    let next = OpenState {
        step: pin(cs, &state.step.plus(1))?,
        last_time_s: time,
        x: features.x,
        r1: features.r0,
        r2: state.r1.clone(),
        ema: features.ema,
        vol: features.vol,
        pending: Pending { trade: decided.trade, min_out: decided.order.min_out },
        high_nav: book.high_nav,
        high_shares: book.high_shares,
        halted: book.halted,
        cooldown_left: pin(cs, &cooldown_left)?,
        window_left: pin(cs, &window_left)?,
        turnover_used_bps: pin(cs, &used.add(&spent))?,
        memory,
    };
    Ok((next, next_head, facts))
}
