//! A run: observe, step, execute, and again.

use crate::{BacktestError, Dataset, Feed, Gaps, Metrics, Outcome, Terms, Venue, metrics};
use probity_strategy::{Amount, Engine, FEATURES, Fill, Observation, Order, Price, Record, Side, State, Valuation};
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
    /// Fee, slippage and gas, raw quote.
    #[serde(serialize_with = "text")]
    pub cost_quote: u128,
}

impl Trade {
    pub(crate) const fn of(step: u32, order: &Order, done: &Outcome) -> Self {
        let cost_quote = done.cost_quote + done.gas_quote;
        Self { step, side: order.side, amount_in: order.amount_in, amount_out: done.amount_out, size_quote: done.size_quote, cost_quote }
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
    let mut mandate = engine.mandate().clone();
    if mandate.interval_s != data.interval_s {
        let (expected, got) = (data.interval_s.to_string(), mandate.interval_s.to_string());
        return Err(BacktestError::Series { field: "interval_s", expected, got });
    }
    mandate.genesis_time_s = data.bars.first().map_or(0, |b| b.open_s);
    let engine = Engine::new(mandate, engine.model().clone())?;
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
        halted_at: None,
        balances: (quote, base),
    };
    // No deposits during a run: one constant share count makes the value per share the value itself.
    let shares = Amount::saturating(1_000_000);
    let mut late: Option<Order> = None;
    for quoted in &feed.quotes {
        venue.settle(quoted)?;
        if let Some(order) = late.take() {
            fill = out.execute(&mut venue, state.step.saturating_sub(1), &order, quoted.price_x64)?;
        }
        let now = |venue: &Venue, fill| -> Result<Observation, BacktestError> {
            Ok(quoted.observe(state.step, Amount::new(venue.quote)?, Amount::new(venue.base)?, shares, fill))
        };
        let step = engine.step(&state, &now(&venue, fill.take())?);
        if let Some(order) = step.decision.order {
            match timing {
                Timing::AtClose => fill = out.execute(&mut venue, state.step, &order, quoted.price_x64)?,
                Timing::NextClose => late = Some(order),
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
pub fn inputs(engine: &Engine, result: &Backtest) -> Result<Vec<[i32; FEATURES]>, BacktestError> {
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
    /// Executes an order and writes down what became of it.
    fn execute(&mut self, venue: &mut Venue, step: u32, order: &Order, price: Price) -> Result<Option<Fill>, BacktestError> {
        let Some(done) = venue.execute(order, price) else {
            self.failed += 1;
            return Ok(None);
        };
        self.trades.push(Trade::of(step, order, &done));
        Ok(Some(Fill { amount_out: Amount::new(done.amount_out)? }))
    }

    /// The figures of the run.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        metrics::of(self.interval_s, &self.equity, &self.trades)
    }
}

fn text<S: serde::Serializer>(v: &u128, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(v)
}
