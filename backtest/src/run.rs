//! A run: observe, step, execute, and again.

use crate::execution::Sent;
use crate::venue::to_quote;
use crate::{BacktestError, Dataset, Feed, Gaps, Metrics, Outcome, Quoted, Terms, Venue, metrics, vault};
use probity_strategy::{Amount, Engine, Fill, Inputs, Model, Observation, Order, Price, Record, Side, State, Valuation};
use serde::Serialize;

/// Net asset value after the decision of one step has executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EquityPoint {
    /// Unix time, seconds.
    pub time_s: u64,
    /// Net asset value at the observed price, raw quote.
    #[serde(serialize_with = "text")]
    pub nav: u128,
    /// Weight of the base asset, bps.
    pub weight_bps: i64,
}

/// One executed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trade {
    /// Decision it came from.
    pub step: u32,
    /// Direction.
    pub side: Side,
    /// Amount given, raw.
    pub amount_in: Amount,
    /// Amount received, raw.
    #[serde(serialize_with = "text")]
    pub amount_out: u128,
    /// Size at the observed price, raw quote.
    #[serde(serialize_with = "text")]
    pub size_quote: u128,
    /// Fee, slippage, impact and gas, raw quote.
    #[serde(serialize_with = "text")]
    pub cost_quote: u128,
    /// Of this, gas.
    #[serde(serialize_with = "text")]
    pub gas_quote: u128,
    /// What the price cost by moving between observation and execution, raw quote; below 0 where it helped. Not within
    /// `cost_quote`, which is measured at the price that was met.
    #[serde(serialize_with = "text")]
    pub delay_quote: i128,
}

impl Trade {
    pub(crate) const fn of(step: u32, order: &Order, done: &Outcome) -> Self {
        let cost_quote = done.cost_quote + done.gas_quote;
        let (amount_in, amount_out, size_quote, gas_quote) = (order.amount_in, done.amount_out, done.size_quote, done.gas_quote);
        Self { step, side: order.side, amount_in, amount_out, size_quote, cost_quote, gas_quote, delay_quote: 0 }
    }
}

/// What a run produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backtest {
    /// SHA-256 of the data file.
    pub data_sha256: String,
    /// Seconds between decisions.
    pub interval_s: u32,
    /// Absent bars within the run.
    pub gaps: Gaps,
    /// The public record of every decision.
    pub records: Vec<Record>,
    /// One point a step.
    pub equity: Vec<EquityPoint>,
    /// Executed orders.
    pub trades: Vec<Trade>,
    /// Orders whose `min_out` was not met.
    pub failed: u32,
    /// What their gas cost, raw quote: at recorded gas prices they pay it too.
    #[serde(serialize_with = "text")]
    pub failed_gas_quote: u128,
    /// Orders that came too late: recorded, not traded.
    pub late: u32,
    /// Orders that never got into a block.
    pub dropped: u32,
    /// Orders that the vault refuses by its limits: none, where the engine is right.
    pub refused: u32,
    /// First decision at which the engine was halted.
    pub halted_at: Option<u32>,
    /// Raw quote and base at the end.
    pub balances: (Amount, Amount),
}

/// Runs the engine over the dataset from the given raw balances.
///
/// The engine's interval must be the dataset's. The mandate's genesis is moved to the first bar's open, so that the
/// first decision is at its close.
pub fn run(engine: &Engine, data: &Dataset, terms: &Terms, quote: Amount, base: Amount) -> Result<Backtest, BacktestError> {
    run_in(engine, data, terms, quote, base, Timing::AtClose)
}

/// The same with other weights that take over later: each with its first decision, in order.
pub fn run_turning(
    engine: &Engine,
    later: &[(u32, Model)],
    data: &Dataset,
    terms: &Terms,
    quote: Amount,
    base: Amount,
) -> Result<Backtest, BacktestError> {
    go(engine, later, data, terms, (quote, base), Timing::AtClose)
}

/// When an order meets the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// At the close that was observed.
    AtClose,
    /// At the next close, against the same bound: as late as a decision may be. It fails where the price has moved past it.
    NextClose,
}

/// The same with orders that may be late.
pub fn run_in(
    engine: &Engine,
    data: &Dataset,
    terms: &Terms,
    quote: Amount,
    base: Amount,
    timing: Timing,
) -> Result<Backtest, BacktestError> {
    go(engine, &[], data, terms, (quote, base), timing)
}

fn go(
    engine: &Engine,
    later: &[(u32, Model)],
    data: &Dataset,
    terms: &Terms,
    (quote, base): (Amount, Amount),
    timing: Timing,
) -> Result<Backtest, BacktestError> {
    let mut mandate = engine.mandate().clone();
    if mandate.interval_s != data.interval_s {
        let (expected, got) = (data.interval_s.to_string(), mandate.interval_s.to_string());
        return Err(BacktestError::Series { field: "interval_s", expected, got });
    }
    mandate.genesis_time_s = data.bars.first().map_or(0, |b| b.open_s);
    let mut engine = Engine::new(mandate, engine.model().clone())?;
    let feed = Feed::of(data, engine.mandate().base_is_token1);
    let mut state = State::genesis(engine.mandate());
    let mut venue = Venue::new(terms, engine.mandate().base_is_token1, quote.raw(), base.raw())?;
    let mut fill = None;
    let mut out = Backtest {
        data_sha256: data.sha256.clone(),
        interval_s: data.interval_s,
        gaps: data.gaps,
        records: Vec::with_capacity(feed.quotes.len()),
        equity: Vec::with_capacity(feed.quotes.len()),
        trades: Vec::new(),
        failed: 0,
        failed_gas_quote: 0,
        late: 0,
        dropped: 0,
        refused: 0,
        halted_at: None,
        balances: (quote, base),
    };
    // No deposits during a run: one constant share count makes the value per share the value itself.
    let shares = Amount::saturating(1_000_000);
    let between = terms.execution.between(engine.mandate().base_is_token1);
    let mut on_way: Option<OnWay> = None;
    for quoted in &feed.quotes {
        if let Some((_, model)) = later.iter().find(|(at, _)| *at == state.step) {
            engine = Engine::new(engine.mandate().clone(), model.clone())?;
        }
        if let Some(way) = on_way.take() {
            // The first price known from the order's block on: one between the bars, or this close.
            let met = between.get(between.partition_point(|q| q.time_s < way.from_s)).filter(|q| q.time_s < quoted.time_s);
            let met = met.unwrap_or(quoted);
            venue.settle(met)?;
            fill = out.execute(&mut venue, terms, &way, met)?;
        }
        venue.settle(quoted)?;
        let now = |venue: &Venue, fill| -> Result<Observation, BacktestError> {
            Ok(quoted.observe(state.step, Amount::new(venue.quote)?, Amount::new(venue.base)?, shares, fill))
        };
        let step = engine.step(&state, &now(&venue, fill.take())?);
        if let Some(order) = step.decision.order {
            let mut way = OnWay { step: state.step, order, decided: quoted.price_x64, from_s: quoted.time_s };
            let sent = match timing {
                Timing::NextClose => Sent::From(u64::MAX),
                Timing::AtClose => terms.execution.send(state.step, quoted.time_s, data.interval_s),
            };
            match sent {
                _ if vault::breached(&engine.mandate().limits, &order, quoted.price_x64).is_some() => out.refused += 1,
                Sent::AtOnce => fill = out.execute(&mut venue, terms, &way, quoted)?,
                Sent::From(from_s) => {
                    way.from_s = from_s;
                    on_way = Some(way);
                }
                Sent::Late => out.late += 1,
                Sent::Dropped => out.dropped += 1,
            }
        }
        if step.decision.halted && out.halted_at.is_none() {
            out.halted_at = Some(state.step);
        }
        let after = Valuation::of(&now(&venue, None)?);
        out.equity.push(EquityPoint { time_s: quoted.time_s, nav: after.nav, weight_bps: after.weight_bps });
        out.records.push(step.record);
        state = step.next_state;
    }
    out.balances = (Amount::new(venue.quote)?, Amount::new(venue.base)?);
    Ok(out)
}

/// What the network was given at every decision of a run by this engine.
pub fn inputs(engine: &Engine, result: &Backtest) -> Result<Vec<Inputs>, BacktestError> {
    let mut mandate = engine.mandate().clone();
    let first = result.records.first().map_or(0, |r| r.observation.time_s);
    mandate.genesis_time_s = first.saturating_sub(u64::from(mandate.interval_s));
    let engine = Engine::new(mandate, engine.model().clone())?;
    let mut state = State::genesis(engine.mandate());
    Ok(result
        .records
        .iter()
        .map(|record| {
            let inputs = engine.inputs(&state, &record.observation);
            state = engine.step(&state, &record.observation).next_state;
            inputs
        })
        .collect())
}

impl Backtest {
    /// Executes an order at a price and writes down what became of it.
    fn execute(&mut self, venue: &mut Venue, terms: &Terms, way: &OnWay, met: &Quoted) -> Result<Option<Fill>, BacktestError> {
        let gas = terms.gas(met.time_s, met.price_x64)?;
        let Some(done) = venue.execute_at(&way.order, met.price_x64, gas) else {
            self.failed += 1;
            if terms.execution.gas.is_some() {
                let paid = gas.min(venue.quote);
                venue.quote -= paid;
                self.failed_gas_quote += paid;
            }
            return Ok(None);
        };
        let base = if way.order.side == Side::Buy { done.amount_out } else { way.order.amount_in.raw() };
        let worth = |price| to_quote(base, price).and_then(|v| i128::try_from(v).ok());
        let over = || BacktestError::Series { field: "base value", expected: "below 2^127".into(), got: "more".into() };
        let moved = worth(met.price_x64).zip(worth(way.decided)).map(|(met, decided)| met - decided).ok_or_else(over)?;
        let delay_quote = if way.order.side == Side::Buy { moved } else { -moved };
        self.trades.push(Trade { delay_quote, ..Trade::of(way.step, &way.order, &done) });
        Ok(Some(Fill { amount_out: Amount::new(done.amount_out)? }))
    }

    /// The figures of the run.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        metrics::of(self.interval_s, &self.equity, &self.trades)
    }
}

/// An order on its way to the market.
struct OnWay {
    step: u32,
    order: Order,
    /// Price of the observation it was decided on.
    decided: Price,
    /// It meets the first price known from here on, this close at the latest.
    from_s: u64,
}

fn text<S: serde::Serializer>(v: &impl std::fmt::Display, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(v)
}
