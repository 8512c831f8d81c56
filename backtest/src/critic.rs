//! What speaks against a run, beyond luck: how much was fitted to how little, how it does where it hurts, at other costs, at
//! other sizes, a bar late, and whether its policy was picked for its past.

use crate::metrics::{self, count, float};
use crate::overfit::{Blocks, Overfitting, overfitting};
use crate::{Backtest, BacktestError, Baseline, Dataset, EquityPoint, Frictions, Market, Terms, Timing, calendar, run_in};
use probity_strategy::{Amount, Engine, Mandate, Model};
use serde::Serialize;

/// Everything the critic found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Critic {
    /// Numbers of the model that were fitted: weights, biases, feature scales, policy.
    pub parameters: usize,
    /// Decisions of the run.
    pub observations: usize,
    /// Decisions for one parameter.
    pub observations_per_parameter: f64,
    /// Trades for one parameter.
    pub trades_per_parameter: f64,
    /// The choice of the policy among its neighbours; none where they all act alike.
    pub overfitting: Option<Overfitting>,
    /// Known crises within the run, and the market's worst months.
    pub crises: Vec<Crisis>,
    /// The run at multiples of its costs; empty in a recorded pool, whose fee is its own.
    pub costs: Vec<AtCost>,
    /// Fills.
    pub fills: Fills,
    /// The run at other sizes, through a pool.
    pub capacity: Vec<AtSize>,
    /// The pool the sizes were tried in.
    pub capacity_market: String,
}

/// A stretch of days that hurt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crisis {
    /// Its name.
    pub name: String,
    /// First and last decision within it, unix seconds.
    pub span: (u64, u64),
    /// Return of the run.
    pub strategy: f64,
    /// Largest drawdown of the run within.
    pub strategy_drawdown: f64,
    /// Return of holding.
    pub hold: f64,
    /// Largest drawdown of holding within.
    pub hold_drawdown: f64,
}

/// The run at a multiple of its costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtCost {
    /// Fee, slippage and gas times this.
    pub times: f64,
    /// Return.
    pub total_return: f64,
    /// Annualised Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Trades.
    pub trades: usize,
    /// Orders that missed their bound.
    pub failed: u32,
}

/// The run at a multiple of its size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtSize {
    /// Starting capital, raw quote.
    #[serde(serialize_with = "text")]
    pub quote: u128,
    /// Return.
    pub total_return: f64,
    /// Annualised Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Trades.
    pub trades: usize,
    /// Orders that the pool could not fill within their bound.
    pub failed: u32,
    /// All costs over volume, bps.
    pub cost_bps: f64,
}

/// Whether the fills can be believed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fills {
    /// Trades at a close that is that of the bar before: perhaps nobody traded.
    pub unchanged: usize,
    /// Trades at the first close after absent bars.
    pub after_gap: usize,
    /// Return with every order one bar late, against the same bound.
    pub late_return: f64,
    /// Annualised Sharpe ratio of that.
    pub late_sharpe: Option<f64>,
    /// Orders of that which missed their bound.
    pub late_failed: u32,
}

/// Name, first day and last day (unix days since 1970) of crises of the ether market.
const CRISES: [(&str, u64, u64); 9] = [
    ("crash of January 2018", 17_538, 17_568),
    ("November 2018", 17_849, 17_880),
    ("March 2020", 18_328, 18_337),
    ("May 2021", 18_759, 18_772),
    ("fall of Terra, May 2022", 19_119, 19_130),
    ("June 2022", 19_153, 19_161),
    ("fall of FTX, November 2022", 19_301, 19_310),
    ("bank runs of March 2023", 19_424, 19_430),
    ("5 August 2024", 19_936, 19_942),
];

/// Weighs a run. `liquidity` and the run's fee make the pool that sizes are tried in where the run's own market has no depth.
pub fn critic(
    engine: &Engine,
    data: &Dataset,
    terms: &Terms,
    quote: Amount,
    result: &Backtest,
    hold: &Baseline,
    liquidity: u128,
) -> Result<Critic, BacktestError> {
    let model = engine.model();
    let parameters = model.weights.len() + model.biases.len() + model.scales.len() + 5;
    let observations = result.records.len();
    let again = |engine: &Engine, terms: &Terms, quote: Amount, timing| run_in(engine, data, terms, quote, Amount::ZERO, timing);
    let mut costs = Vec::new();
    if !matches!(terms.market, Market::Snapshot(_)) {
        for (times, over, under) in [(0.0, 0u16, 1u16), (0.5, 1, 2), (1.0, 1, 1), (2.0, 2, 1), (4.0, 4, 1)] {
            let frictions = scaled(&terms.frictions, over, under)?;
            let at = Terms { frictions, market: terms.market.clone(), execution: terms.execution.at_gas(over, under) };
            let r = again(engine, &at, quote, Timing::AtClose)?;
            let m = r.metrics();
            let sharpe = m.sharpe.map(|s| s.annualised);
            costs.push(AtCost { times, total_return: m.total_return, sharpe, trades: m.trades, failed: r.failed });
        }
    }
    let market = match &terms.market {
        Market::Flat => Market::ConstantLiquidity { liquidity },
        other => other.clone(),
    };
    let deep = Terms { market, ..terms.clone() };
    let mut capacity = Vec::new();
    for times in [1u128, 10, 100, 1_000, 10_000] {
        let (Some(size), Ok(engine)) = (quote.raw().checked_mul(times), larger(engine, times)) else { break };
        let Ok(size) = Amount::new(size) else { break };
        let r = again(&engine, &deep, size, Timing::AtClose)?;
        let m = r.metrics();
        let sum = |f: fn(&crate::Trade) -> u128| r.trades.iter().map(|t| float(f(t))).sum::<f64>();
        let volume = sum(|t| t.size_quote);
        capacity.push(AtSize {
            quote: size.raw(),
            total_return: m.total_return,
            sharpe: m.sharpe.map(|s| s.annualised),
            trades: m.trades,
            failed: r.failed,
            cost_bps: if volume > 0.0 { sum(|t| t.cost_quote) / volume * 10_000.0 } else { 0.0 },
        });
    }
    let mut strategies = Vec::new();
    for model in neighbours(model) {
        let r = again(&Engine::new(engine.mandate().clone(), model)?, terms, quote, Timing::AtClose)?;
        strategies.push(Blocks::of(&r.equity.iter().map(|p| float(p.nav)).collect::<Vec<_>>()));
    }
    Ok(Critic {
        parameters,
        observations,
        observations_per_parameter: count(observations) / count(parameters),
        trades_per_parameter: count(result.trades.len()) / count(parameters),
        overfitting: overfitting(&strategies),
        crises: crises(&result.equity, hold.equity.get(1..).unwrap_or(&[]), result.interval_s),
        costs,
        fills: fills(data, result, &again(engine, terms, quote, Timing::NextClose)?),
        capacity,
        capacity_market: deep.market.assumption(),
    })
}

fn scaled(f: &Frictions, over: u16, under: u16) -> Result<Frictions, BacktestError> {
    let bps = |v: u16| (v.saturating_mul(over) / under).min(9_999);
    let gas = f.gas_quote.raw().saturating_mul(over.into()) / u128::from(under);
    Ok(Frictions { fee_bps: bps(f.fee_bps), slippage_bps: bps(f.slippage_bps), gas_quote: Amount::new(gas)? })
}

/// The same engine with room for larger trades.
fn larger(engine: &Engine, times: u128) -> Result<Engine, BacktestError> {
    let mut mandate: Mandate = engine.mandate().clone();
    let most = mandate.limits.max_trade_quote.raw().saturating_mul(times).min((1 << 80) - 1);
    mandate.limits.max_trade_quote = Amount::new(most)?;
    Ok(Engine::new(mandate, engine.model().clone())?)
}

/// The model with policies near its own, itself among them.
fn neighbours(model: &Model) -> Vec<Model> {
    let times = |v: u16, over: u32, under: u32, most: u32| u16::try_from((u32::from(v) * over / under).min(most)).unwrap_or(u16::MAX);
    let mut out = Vec::new();
    for (over, under) in [(1, 2), (1, 1), (2, 1)] {
        for (wider, narrower) in [(1, 2), (1, 1), (2, 1)] {
            for wait in [0u16, 2] {
                let mut next = model.clone();
                let policy = &mut next.policy;
                policy.gain = times(policy.gain, over, under, 65_535);
                policy.band_bps = times(policy.band_bps, wider, narrower, 10_000);
                policy.cooldown_steps = policy.cooldown_steps.saturating_add(wait);
                out.push(next);
            }
        }
    }
    out
}

fn part(curve: &[EquityPoint], from: u64, to: u64) -> &[EquityPoint] {
    // The value before the first moment within is where the return starts.
    let start = curve.partition_point(|p| p.time_s < from).saturating_sub(1);
    curve.get(start..curve.partition_point(|p| p.time_s <= to)).unwrap_or(&[])
}

fn crises(own: &[EquityPoint], hold: &[EquityPoint], interval_s: u32) -> Vec<Crisis> {
    let (Some(first), Some(last)) = (own.first(), own.last()) else { return Vec::new() };
    let one = |name: String, from: u64, to: u64| -> Option<Crisis> {
        let (a, b) = (part(own, from, to), part(hold, from, to));
        if a.len() < 2 || b.len() < 2 {
            return None;
        }
        let (a, b) = (metrics::of(interval_s, a, &[]), metrics::of(interval_s, b, &[]));
        Some(Crisis {
            name,
            span: (from, to),
            strategy: a.total_return,
            strategy_drawdown: a.max_drawdown,
            hold: b.total_return,
            hold_drawdown: b.max_drawdown,
        })
    };
    let mut out: Vec<Crisis> = CRISES
        .iter()
        .map(|(name, from, to)| ((*name).to_owned(), from * 86_400, (to + 1) * 86_400))
        .filter(|(_, from, to)| *from >= first.time_s && *to <= last.time_s)
        .filter_map(|(name, from, to)| one(name, from, to))
        .collect();
    // The three worst thirty days of holding that do not overlap.
    let length = 30 * 86_400u64;
    let mut months: Vec<Crisis> = Vec::new();
    let mut from = first.time_s;
    while from + length <= last.time_s {
        months.extend(one(format!("30 days from {}", calendar::utc(from)), from, from + length));
        from += 86_400;
    }
    months.sort_by(|a, b| a.hold.total_cmp(&b.hold));
    for _ in 0..3 {
        if months.is_empty() {
            break;
        }
        let worst = months.remove(0);
        months.retain(|m| m.span.1 <= worst.span.0 || m.span.0 >= worst.span.1);
        out.push(worst);
    }
    out
}

fn fills(data: &Dataset, result: &Backtest, late: &Backtest) -> Fills {
    let pair = |step: u32| {
        let at = usize::try_from(step).ok()?;
        Some((data.bars.get(at.checked_sub(1)?)?, data.bars.get(at)?))
    };
    let of =
        |f: &dyn Fn(&crate::Bar, &crate::Bar) -> bool| result.trades.iter().filter(|t| pair(t.step).is_some_and(|(a, b)| f(a, b))).count();
    let m = late.metrics();
    Fills {
        unchanged: of(&|a, b| a.close == b.close),
        after_gap: of(&|a, b| b.open_s - a.open_s > u64::from(data.interval_s)),
        late_return: m.total_return,
        late_sharpe: m.sharpe.map(|s| s.annualised),
        late_failed: late.failed,
    }
}

fn text<S: serde::Serializer>(v: &u128, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(v)
}
