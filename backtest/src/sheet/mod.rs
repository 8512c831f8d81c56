//! The tear sheet: one self-contained page about a run, with what to hold against it. Nothing is loaded from anywhere.

mod axis;
mod chart;
mod critic;
mod months;
mod proof;
mod risk;

pub use proof::Proof;

use crate::{Backtest, Baseline, Critic, Evidence, Metrics, Scale, calendar::utc};
use axis::Axis;
use chart::{Chart, Layer, Point};
use probity_strategy::Side;
use std::fmt::Write as _;

/// Everything the page says.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// Name of the data.
    pub data: &'a str,
    /// Digests and versions, as rows of words.
    pub identity: &'a [(String, String)],
    /// The run.
    pub run: &'a Backtest,
    /// What the fills assume.
    pub assumption: &'a str,
    /// Decimals.
    pub scale: Scale,
    /// Buy and hold in the same market.
    pub hold: &'a Baseline,
    /// Cash.
    pub cash: &'a Baseline,
    /// Sharpe ratio against luck; none if the run is too short for it.
    pub evidence: Option<&'a Evidence>,
    /// What the critic found; none if it was not asked.
    pub critic: Option<&'a Critic>,
    /// A moving-average rule in the same market: its bars and its curve.
    pub average: Option<(usize, &'a Baseline)>,
    /// Further things to hold against the figures.
    pub cautions: &'a [String],
    /// The proof of the run, if it was made.
    pub proof: Option<&'a Proof>,
}

/// Integer to float, for drawing.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "figures for people")]
fn float(v: u128) -> f64 {
    v as f64
}

fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// `+1.2 %`, with a real minus sign and no sign on what rounds to nothing.
fn percent(v: f64) -> String {
    let size = (v * 100.0).abs();
    let text = if size < 1_000.0 { format!("{size:.1}") } else { format!("{size:.0}") };
    let sign = if text == "0.0" {
        ""
    } else if v < 0.0 {
        "−"
    } else {
        "+"
    };
    format!("{sign}{text}\u{a0}%")
}

fn share(v: f64) -> String {
    format!("{:.1}\u{a0}%", v * 100.0 + 0.0)
}

/// `950`, `12.5 k`, `1.25 M`.
fn money(v: f64) -> String {
    let (size, unit) = match v.abs() {
        a if a >= 1e9 => (v / 1e9, " bn"),
        a if a >= 1e6 => (v / 1e6, " M"),
        a if a >= 1e4 => (v / 1e3, " k"),
        _ => (v, ""),
    };
    let text = if size.abs() >= 100.0 { format!("{size:.0}") } else { format!("{size:.2}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{}{unit}", text.replace('-', "−"))
}

fn ratio(v: f64) -> String {
    format!("{v:.2}").replace('-', "−")
}

fn drawdown(curve: &[Point]) -> Vec<Point> {
    let mut high = f64::MIN;
    curve
        .iter()
        .map(|(t, v)| {
            high = high.max(*v);
            (*t, if high > 0.0 { v / high - 1.0 } else { 0.0 })
        })
        .collect()
}

impl Sheet<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let unit = 10f64.powi(i32::from(self.scale.quote_decimals));
        let curve = |points: &[crate::EquityPoint]| points.iter().map(|p| (p.time_s, float(p.nav) / unit)).collect::<Vec<Point>>();
        let (own, hold, cash) = (curve(&self.run.equity), curve(&self.hold.equity), curve(&self.cash.equity));
        let span = (own.first().map_or(0, |p| p.0), own.last().map_or(1, |p| p.0));
        let m = self.run.metrics();
        let mut page = String::with_capacity(300_000);
        let mut put = |text: String| page.push_str(&text);
        put(format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>Backtest · {}</title><style>{}</style></head><body><main>",
            escape(self.data),
            include_str!("page.css")
        ));
        put(format!(
            "<h1>Backtest, not a track record</h1><p class=\"sub\">{} · {} to {} UTC · {} decisions, one every {}</p>",
            escape(self.data),
            utc(span.0),
            utc(span.1),
            self.run.records.len(),
            interval(self.run.interval_s)
        ));
        put(self.cards(&m));
        put(self.caution_box(&m));
        let average = self.average.map(|(bars, b)| (bars, curve(&b.equity)));
        put(equity_section(&own, &hold, &cash, average.as_ref(), span));
        put(self.trades_section(span));
        put(risk::section(&own, hold.get(1..).unwrap_or(&[]), self.run.interval_s, span));
        put(month_section(&own, &hold));
        put(self.critic.map_or_else(String::new, |c| critic::sections(c, unit)));
        put(self.proof.map_or_else(String::new, proof::section));
        put("<div class=\"pair\">".into());
        put(self.cost_section(&m, unit));
        put(self.identity_section());
        put("</div></main></body></html>\n".into());
        page
    }

    fn cards(&self, m: &Metrics) -> String {
        let h = &self.hold.metrics;
        let sharpe = |m: &Metrics| m.sharpe.map_or_else(|| "–".to_owned(), |s| ratio(s.annualised));
        let card = |name: &str, value: String, beside: String| {
            format!("<div class=\"card\"><span>{name}</span><b>{value}</b><span>{beside}</span></div>")
        };
        let cards = [
            card("Total return", percent(m.total_return), format!("holding {} · cash 0 %", percent(h.total_return))),
            card("Largest drawdown", percent(-m.max_drawdown), format!("holding {}", percent(-h.max_drawdown))),
            card("Sharpe, annualised", sharpe(m), format!("holding {}", sharpe(h))),
            card("Mean weight of base", share(m.mean_weight), format!("{} trades, {} buys", m.trades, m.buys)),
        ];
        format!("<div class=\"cards\">{}</div>", cards.concat())
    }

    fn caution_box(&self, m: &Metrics) -> String {
        let mut items: Vec<String> = self.cautions.iter().map(|c| escape(c)).collect();
        items.push(escape(self.assumption));
        if let Some(e) = self.evidence {
            let bar = if e.trials == 1 {
                "above 0; one trial is on record".to_owned()
            } else {
                let best = ratio(e.best_by_luck);
                format!("above {best}, what the best of {} trials on record would be expected to show without any skill", e.trials)
            };
            items.push(format!(
                "Deflated Sharpe ratio: <b>{}</b>. That is the probability that the true ratio is {bar}. Trials that were not recorded are not in it.",
                share(e.deflated_sharpe)
            ));
            items.push(format!(
                "95 % interval by block bootstrap ({} resamples of blocks of {} returns): Sharpe ratio <b>{} to {}</b>, total return <b>{} to {}</b>. \
                 It returned more than holding in {} of the resamples.",
                e.resamples,
                e.block,
                ratio(e.sharpe_interval.low),
                ratio(e.sharpe_interval.high),
                percent(e.return_interval.low),
                percent(e.return_interval.high),
                share(e.beats_holding)
            ));
        } else {
            items.push("Too short, or nothing ever moved: no interval and no deflated Sharpe ratio can be given.".into());
        }
        items.extend(self.critic.map(critic::objections).into_iter().flatten());
        let missed =
            [(self.run.failed, "missed their bound"), (self.run.late, "came too late for the vault"), (self.run.dropped, "were lost")];
        let missed: Vec<String> = missed.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if !missed.is_empty() {
            items.push(format!("Orders that were not filled: {}.", missed.join(", ")));
        }
        if self.run.refused > 0 {
            items.push(format!(
                "THE VAULT'S LIMITS REFUSE {} ORDERS: engine and vault disagree, and none of this would happen.",
                self.run.refused
            ));
        }
        if let Some(k) = self.run.halted_at {
            items.push(format!("Halted by the mandate's drawdown limit at decision {k}: from there on it held the quote token."));
        }
        if self.run.gaps.missing > 0 {
            let g = self.run.gaps;
            items.push(format!(
                "{} bars absent from the data (places: {}, longest: {}); none was filled in.",
                g.missing, g.count, g.longest
            ));
        }
        if m.total_return < self.hold.metrics.total_return {
            items.push("Buying once and holding returned more.".into());
        }
        items.push("Closes of the recorded market stand for the pool's own oracle; nobody reacts to the trades.".into());
        let list: Vec<String> = items.iter().map(|i| format!("<li>{i}</li>")).collect();
        format!("<section class=\"warn\"><h2>What to hold against it</h2><ul>{}</ul></section>", list.concat())
    }

    fn trades_section(&self, span: (u64, u64)) -> String {
        let decimals = i32::from(self.scale.base_decimals) - i32::from(self.scale.quote_decimals);
        let factor = 10f64.powi(decimals) / 2f64.powi(64);
        let records = &self.run.records;
        let price: Vec<Point> = records.iter().map(|r| (r.observation.time_s, float(r.observation.price_x64.x64()) * factor)).collect();
        let side = |side: Side| -> Vec<Point> {
            let of = self.run.trades.iter().filter(|t| t.side == side);
            of.filter_map(|t| price.get(usize::try_from(t.step).ok()?).copied()).collect()
        };
        let (buys, sells) = (side(Side::Buy), side(Side::Sell));
        let layers = vec![Layer::Line(&price, "price"), Layer::Marks(&buys, "buy", false), Layer::Marks(&sells, "sell", true)];
        let axis = Axis::around(price.iter().map(|p| p.1));
        let chart = Chart { title: "Price with trades", layers, axis, word: money, height: 280.0, dated: true };
        let weight: Vec<Point> = self.run.equity.iter().map(|p| (p.time_s, float(p.weight_bps.unsigned_abs().into()) / 10_000.0)).collect();
        let whole = Axis { low: 0.0, high: 1.0, log: false };
        let strip = Chart {
            title: "Weight of the base token",
            layers: vec![Layer::Area(&weight, "weight")],
            axis: whole,
            word: |v| format!("{:.0} %", v * 100.0),
            height: 96.0,
            dated: true,
        };
        let legend = format!(
            "<p class=\"legend\"><span><i class=\"price\"></i>price</span><span><i class=\"buy\"></i>buys ({})</span><span><i class=\"sell\"></i>sells ({})</span><span>trades close together share a mark</span></p>",
            buys.len(),
            sells.len()
        );
        format!(
            "<section><h2>Trades on the price</h2>{legend}{}<h2>Weight of the base token</h2>{}</section>",
            chart.draw(span),
            strip.draw(span)
        )
    }

    fn cost_section(&self, m: &Metrics, unit: f64) -> String {
        let trades = &self.run.trades;
        let all: f64 = trades.iter().map(|t| float(t.cost_quote)).sum::<f64>() / unit + 0.0;
        let gas = trades.iter().map(|t| float(t.gas_quote)).sum::<f64>() / unit + 0.0;
        let failed_gas = float(self.run.failed_gas_quote) / unit;
        let signed = |v: i128| if v < 0 { -float(v.unsigned_abs()) } else { float(v.unsigned_abs()) };
        let delay = trades.iter().map(|t| signed(t.delay_quote)).sum::<f64>() / unit + 0.0;
        let volume: f64 = trades.iter().map(|t| float(t.size_quote)).sum::<f64>() / unit + 0.0;
        let bps = if volume > 0.0 { all / volume * 10_000.0 } else { 0.0 };
        let rows = [
            ("Fee, slippage and impact", money(all - gas)),
            ("Gas of trades", money(gas)),
            ("All costs of trades", money(all)),
            ("Gas of orders that missed their bound", money(failed_gas)),
            ("Lost by prices moving before execution (−: gained)", money(delay)),
            ("All costs over starting value", share(m.costs)),
            ("All costs over volume", format!("{bps:.1} bps")),
            ("Volume", money(volume)),
            ("Turnover, times the mean value", format!("{:.1}", m.turnover)),
            ("Orders that missed their bound", self.run.failed.to_string()),
            ("Orders that came too late, not traded", self.run.late.to_string()),
            ("Orders that never got into a block", self.run.dropped.to_string()),
            ("Orders that the vault's limits refuse", self.run.refused.to_string()),
        ];
        let rows: Vec<String> = rows.iter().map(|(k, v)| format!("<tr><td>{k}</td><td>{v}</td></tr>")).collect();
        format!("<section><h2>Costs</h2><div class=\"scroll\"><table>{}</table></div></section>", rows.concat())
    }

    fn identity_section(&self) -> String {
        let row = |(k, v): &(String, String)| format!("<tr><td>{}</td><td class=\"wrap\"><code>{}</code></td></tr>", escape(k), escape(v));
        let rows: Vec<String> = self.identity.iter().map(row).collect();
        format!("<section><h2>What was run</h2><table>{}</table></section>", rows.concat())
    }
}

fn interval(seconds: u32) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn equity_section(own: &[Point], hold: &[Point], cash: &[Point], average: Option<&(usize, Vec<Point>)>, span: (u64, u64)) -> String {
    let mean: &[Point] = average.map_or(&[], |(_, curve)| curve);
    let axis = Axis::around(own.iter().chain(hold).chain(cash).chain(mean).map(|p| p.1));
    let scale = if axis.log { " (logarithmic)" } else { "" };
    let layers = vec![Layer::Line(cash, "cash"), Layer::Line(mean, "mean"), Layer::Line(hold, "hold"), Layer::Line(own, "own")];
    let rule = average
        .map_or_else(String::new, |(bars, _)| format!("<span><i class=\"mean\"></i>in base while above the mean of {bars} bars</span>"));
    let equity = Chart { title: "Value of the portfolio", layers, axis, word: money, height: 320.0, dated: true };
    let (a, b) = (drawdown(own), drawdown(hold));
    let axis = Axis { high: 0.0, ..Axis::around(a.iter().chain(&b).map(|p| p.1)) };
    let word = |v: f64| format!("{:.0} %", v * 100.0 + 0.0).replace('-', "−");
    let layers = vec![Layer::Area(&a, "own"), Layer::Line(&b, "hold")];
    let loss = Chart { title: "Loss from the last high", layers, axis: Axis { log: false, ..axis }, word, height: 150.0, dated: true };
    let names = "<p class=\"legend\"><span><i></i>strategy</span><span><i class=\"hold\"></i>buy and hold</span>";
    format!(
        "<section><h2>Value in quote{scale}</h2>{names}{rule}<span><i class=\"cash\"></i>cash</span></p>{}<h2>Loss from the last high</h2>{names}</p>{}</section>",
        equity.draw(span),
        loss.draw(span)
    )
}

fn month_section(own: &[Point], hold: &[Point]) -> String {
    let mut table = String::from("<tr><th>Return, %</th>");
    for name in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] {
        let _ = write!(table, "<th>{name}</th>");
    }
    table.push_str("<th class=\"total\">Year</th><th>Holding</th></tr>");
    // The first point of the holding curve lies before the first bar; the run's first value is that after its first decision.
    let held = months::months(hold);
    for (year, row) in months::months(own) {
        let _ = write!(table, "<tr><td>{year}</td>");
        let yearly = held.get(&year).and_then(|r| r.last().copied().flatten());
        for (i, cell) in row.iter().copied().chain([yearly]).enumerate() {
            let text = cell.map_or_else(String::new, |v| percent(v).trim_end_matches("\u{a0}%").to_owned());
            let tone = match cell {
                Some(v) if v >= 0.000_5 => "up",
                Some(v) if v <= -0.000_5 => "down",
                _ => "",
            };
            let total = if i == 12 { " total" } else { "" };
            // A month of 25 % or more has the full tint.
            let heat = cell.filter(|_| i < 12 && !tone.is_empty()).map_or_else(String::new, |v| {
                format!(" style=\"background: color-mix(in srgb, var(--{tone}) {:.0}%, transparent)\"", (v.abs() / 0.25).min(1.0) * 55.0)
            });
            let _ = write!(table, "<td class=\"{tone}{total}\"{heat}>{text}</td>");
        }
        table.push_str("</tr>");
    }
    format!("<section><h2>Month by month</h2><div class=\"scroll\"><table>{table}</table></div></section>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_people() {
        assert_eq!((percent(-0.0), percent(0.1234), percent(-0.5)), ("0.0\u{a0}%".into(), "+12.3\u{a0}%".into(), "−50.0\u{a0}%".into()));
        assert_eq!(
            (money(100_000.0), money(1_250_000.0), money(950.0), money(2.5)),
            ("100 k".into(), "1.25 M".into(), "950".into(), "2.5".into())
        );
        assert_eq!((money(20_000.0), money(0.0), money(-12_500.0)), ("20 k".into(), "0".into(), "−12.5 k".into()));
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
        assert_eq!((interval(3_600), interval(300), interval(7)), ("1 h".into(), "5 min".into(), "7 s".into()));
    }
}
