//! The critic's findings as sections of the page.

use super::{escape, float, money, percent, ratio, share};
use crate::{Critic, calendar::utc};
use std::fmt::Write as _;

fn sharpe(v: Option<f64>) -> String {
    v.map_or_else(|| "–".to_owned(), ratio)
}

/// What belongs into the list of objections.
pub(super) fn objections(c: &Critic) -> Vec<String> {
    let mut out = vec![format!(
        "Fitted numbers against what they were tried on: <b>{}</b> parameters, {} decisions ({:.0} a parameter), {:.1} trades a parameter. Hourly decisions are not independent of each other.",
        c.parameters, c.observations, c.observations_per_parameter, c.trades_per_parameter
    )];
    out.push(match &c.overfitting {
        Some(o) => format!(
            "Probability of backtest overfitting: <b>{}</b> among {} neighbouring policies ({} ways to halve {} blocks): how often the policy that was best in one half ranks in the lower half in the other. It lost money there in {} of them.",
            share(o.probability), o.strategies, o.splits, o.blocks, share(o.probability_of_loss)
        ),
        None => "Neighbouring policies all do the same here: nothing can be said about the choice among them.".into(),
    });
    out.push(format!(
        "Every order one bar late, against the same bound: <b>{}</b> (Sharpe {}), {} orders missed their bound. {} trades filled at a close equal to the one before, {} at the first close after absent bars.",
        percent(c.fills.late_return), sharpe(c.fills.late_sharpe), c.fills.late_failed, c.fills.unchanged, c.fills.after_gap
    ));
    out
}

/// The tables.
pub(super) fn sections(c: &Critic, unit: f64) -> String {
    let mut crises = String::from(
        "<tr><th>When it hurt</th><th>From</th><th>To</th><th>Strategy</th><th>Deepest</th><th>Holding</th><th>Deepest</th></tr>",
    );
    for k in &c.crises {
        let day = |t: u64| utc(t).get(..10).unwrap_or("").to_owned();
        let _ = write!(
            crises,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&k.name),
            day(k.span.0),
            day(k.span.1),
            percent(k.strategy),
            percent(-k.strategy_drawdown),
            percent(k.hold),
            percent(-k.hold_drawdown)
        );
    }
    if c.crises.is_empty() {
        crises = "<tr><td>The run is shorter than thirty days and holds no known crisis.</td></tr>".into();
    }
    let mut costs = String::from("<tr><th>Costs times</th><th>Return</th><th>Sharpe</th><th>Trades</th><th>Missed</th></tr>");
    for k in &c.costs {
        let _ = write!(
            costs,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            k.times,
            percent(k.total_return),
            sharpe(k.sharpe),
            k.trades,
            k.failed
        );
    }
    if c.costs.is_empty() {
        costs = "<tr><td>A recorded pool has its own fee: other costs were not tried.</td></tr>".into();
    }
    let mut sizes =
        String::from("<tr><th>Starting with</th><th>Return</th><th>Sharpe</th><th>Cost, bps</th><th>Trades</th><th>Missed</th></tr>");
    for k in &c.capacity {
        let _ = write!(
            sizes,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td></tr>",
            money(float(k.quote) / unit),
            percent(k.total_return),
            sharpe(k.sharpe),
            k.cost_bps,
            k.trades,
            k.failed
        );
    }
    format!(
        "<section><h2>In crises</h2><div class=\"scroll\"><table>{crises}</table></div></section><div class=\"pair\">\
         <section><h2>At other costs</h2><div class=\"scroll\"><table>{costs}</table></div></section>\
         <section><h2>At other sizes</h2><div class=\"scroll\"><table>{sizes}</table></div><p class=\"note\">{} The mandate's largest trade grows with the size; orders that the pool cannot fill within their bound fail.</p></section></div>",
        escape(&c.capacity_market)
    )
}
