//! C5: value, weight, anomaly, high-water mark. Twin of `strategy/src/portfolio.rs`.

use super::promise::OpenMandate;
use super::ranges::{DRAWDOWN, MARK, NAV, PRODUCT, UNITS, WEIGHT};
use super::state::OpenState;
use crate::Scalar;
use crate::gadgets::{bits, divide, is_zero, less, mul, pin, select};
use crate::wire::{Wire, sum};
use nova_snark::frontend::{ConstraintSystem, SynthesisError};

/// Twin of `Valuation`.
pub(super) struct Value {
    pub(super) base_value: Wire,
    pub(super) nav: Wire,
    pub(super) weight: Wire,
}

/// base_value = min(floor(base·price / 2^64), 2^96 − 1); nav < 2^97; weight = floor(base_value·10^4 / (nav + 1)) + 1.
pub(super) fn value<CS: ConstraintSystem<Scalar>>(cs: &mut CS, quote: &Wire, base: &Wire, price: &Wire) -> Result<Value, SynthesisError> {
    let product = mul(cs, base, price)?;
    let product = bits(cs, &product, PRODUCT)?;
    let over = sum(product.get(160..).unwrap_or(&[]));
    let fits = is_zero(cs, &over)?;
    let low = sum(product.get(64..160).unwrap_or(&[]));
    let most = Wire::constant(1).shl(96).plus(-1);
    let chosen = select(cs, &fits, &low, &most)?;
    let base_value = pin(cs, &chosen)?;
    let nav = pin(cs, &quote.add(&base_value))?;
    let weight = divide(cs, &base_value.times(10_000), &nav.plus(1), WEIGHT, NAV)?.plus(1);
    Ok(Value { base_value, nav, weight })
}

/// The part of the observation that concerns the book.
pub(super) struct Seen<'a> {
    pub(super) shares: &'a Wire,
    pub(super) fill_out: &'a Wire,
    pub(super) filled: &'a Wire,
}

/// What the step finds out.
pub(super) struct Book {
    pub(super) high_nav: Wire,
    pub(super) high_shares: Wire,
    pub(super) halted: Wire,
}

/// Anomaly, drawdown and the new high-water mark: a = nav·hwm_shares, b = hwm_nav·shares, both below 2^193.
pub(super) fn book<CS: ConstraintSystem<Scalar>>(
    cs: &mut CS,
    mandate: &OpenMandate,
    state: &OpenState,
    val: &Value,
    seen: &Seen<'_>,
) -> Result<Book, SynthesisError> {
    let short = less(cs, seen.fill_out, &state.pending.min_out, UNITS)?;
    let good = mul(cs, &state.pending.trade, &short.not())?;
    let anomaly = mul(cs, seen.filled, &good.not())?;

    let a = mul(cs, &val.nav, &state.high_shares)?;
    let b = mul(cs, &state.high_nav, seen.shares)?;
    let above = less(cs, &b, &a, MARK)?;
    let (unmarked, worthless) = (is_zero(cs, &state.high_shares)?, is_zero(cs, seen.shares)?);
    let above = unmarked.add(&mul(cs, &unmarked.not(), &above)?);
    let high = mul(cs, &worthless.not(), &above)?;
    let keep = Wire::constant(10_000).sub(&mandate.max_drawdown_bps);
    let floor = mul(cs, &b, &keep)?;
    let drawdown = less(cs, &a.times(10_000), &floor, DRAWDOWN)?;

    let calm = mul(cs, &state.halted.not(), &anomaly.not())?;
    let calm = mul(cs, &calm, &drawdown.not())?;
    let high_nav = select(cs, &high, &val.nav, &state.high_nav)?;
    let high_shares = select(cs, &high, seen.shares, &state.high_shares)?;
    Ok(Book { high_nav: pin(cs, &high_nav)?, high_shares: pin(cs, &high_shares)?, halted: calm.not() })
}
