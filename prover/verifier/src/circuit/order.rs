//! C8: the order. Twin of `strategy/src/order.rs`.

use super::portfolio::Value;
use super::promise::OpenMandate;
use super::ranges::{AMOUNT, GROSS, MIN_OUT, UNITS, WEIGHT};
use super::risk::Approved;
use crate::Scalar;
use crate::gadgets::{divide, is_zero, less, min, mul, pin, select};
use crate::wire::Wire;
use nova_snark::frontend::{ConstraintSystem, SynthesisError};

/// An order: two booleans, an amount of 96 bits, a bound of 126; all zero for a hold.
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

/// What the order is computed from.
pub(super) struct Facts<'a> {
    pub(super) price: &'a Wire,
    pub(super) base: &'a Wire,
    pub(super) val: &'a Value,
}

/// The order (all zero for a hold) and whether there is one.
pub(super) struct Decided {
    pub(super) order: OpenOrder,
    pub(super) trade: Wire,
}

/// v < 2^80 (the mandate's bound), qb < 2^125, expect ≤ 2^125, min_out ≤ 2^125.
pub(super) fn order<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    mandate: &OpenMandate,
    approved: &Approved,
    facts: &Facts<'_>,
) -> Result<Decided, SynthesisError> {
    let gross = mul(cs, &approved.size, &facts.val.nav)?;
    let gross = divide(cs, &gross, &Wire::constant(10_000), GROSS, WEIGHT)?;
    let capped = min(cs, &gross, &mandate.max_trade_quote, GROSS)?;
    let v = pin(cs, &capped)?;
    let qb = divide(cs, &v.shl(64), facts.price, UNITS, AMOUNT)?;
    let all = less(cs, facts.base, &qb, UNITS)?;
    let sell_in = select(cs, &all, facts.base, &qb)?;
    let sell_expect = select(cs, &all, &facts.val.base_value, &v)?;
    let amount_in = select(cs, &approved.sell, &sell_in, &v)?;
    let amount_in = pin(cs, &amount_in)?;
    let expect = select(cs, &approved.sell, &sell_expect, &qb.plus(1))?;
    let keep = Wire::constant(10_000).sub(&mandate.max_slippage_bps);
    let kept = mul(cs, &expect, &keep)?.plus(9_999);
    let min_out = divide(cs, &kept, &Wire::constant(10_000), MIN_OUT, WEIGHT)?;
    let trade = is_zero(cs, &amount_in)?.not();
    let sell = mul(cs, &trade, &approved.sell)?;
    let buy = trade.sub(&sell);
    let min_out = mul(cs, &trade, &min_out)?;
    Ok(Decided { order: OpenOrder { buy, sell, amount_in, min_out }, trade })
}
