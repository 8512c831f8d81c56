//! The parts of the view: figures, charts, decisions.

use crate::see::Shown;
use crate::see::series::Point;
use crate::see::shown::{Execution, ProofState, Row};
use crate::see::terminal::drawing::headed;
use probity_strategy::Side;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::{Axis, Cell, Chart, Dataset, GraphType, Paragraph, Table};

/// Width from which an order has room for what came of it.
const FILLED: u16 = 80;
/// Width from which a decision is told in full.
const FULL: u16 = 110;
/// Width from which its transaction's hash has room too.
const HASHED: u16 = 190;

/// Names and values, the most important first; what is not known is a dash.
pub(super) fn figures(shown: &Shown) -> Vec<(&'static str, String)> {
    let (f, h, pair) = (&shown.figures, &shown.health, &shown.about.pair);
    let known = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let quote = |value: Option<f64>| known(value.map(|v| format!("{} {}", number(v), pair.quote)));
    let percent = |bps: Option<f64>| known(bps.map(|bps| format!("{:+.2} %", bps / 100.0)));
    let since = |at: Option<u64>| known(at.map(|at| format!("{} s ago", whole(shown.at_s.saturating_sub(at)))));
    vec![
        ("Price", quote(f.price_quote)),
        ("Weight", known(f.weight_bps.map(|w| format!("{} {}", weight(w), pair.base)))),
        ("Portfolio", quote(f.vault_quote)),
        ("Return", percent(f.return_bps)),
        ("Holding", percent(f.hold_return_bps)),
        ("Backlog", format!("{} decisions", whole(shown.backlog().into()))),
        ("Last gas", known(f.gas_used_last.map(|g| format!("{} gas", whole(g))))),
        ("All gas", format!("{} gas", whole(f.gas_used_total))),
        ("Folded", format!("{} decisions", whole(f.folded.into()))),
        ("Proven", format!("{} decisions", whole(f.proven.into()))),
        ("Posted", format!("{} decisions", whole(f.posted.into()))),
        ("Filled", format!("{} buys, {} sells", f.buys, f.sells)),
        ("No fill", format!("{} orders", f.unfilled)),
        ("Fold", known(f.fold_ms.map(|ms| format!("{ms:.0} ms")))),
        ("Compress", known(f.compress_s.map(|s| format!("{s:.1} s")))),
        ("Block", known(h.block_number.map(whole))),
        ("Observed", since(h.observed_at_s)),
        ("Decided", since(h.decided_at_s)),
    ]
}

/// Price, and portfolio beside holding the base asset.
pub(super) fn charts(frame: &mut Frame<'_>, area: Rect, shown: &Shown) {
    if area.height < 3 {
        return;
    }
    let quote = &shown.about.pair.quote;
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1).areas(area);
    let of = |value: fn(&Point) -> f64| -> Vec<(f64, f64)> { shown.points.iter().map(|p| (f64::from(p.step), value(p))).collect() };
    let (price, portfolio, hold) = (of(|p| p.price_quote), of(|p| p.portfolio_quote), of(|p| p.hold_quote));
    chart(frame, left, &format!("Price, {quote} "), &[(&price, Marker::Braille, Color::Cyan)]);
    // The one drawn last is on top.
    let both = [(hold.as_slice(), Marker::Dot, Color::Yellow), (&portfolio, Marker::Braille, Color::Green)];
    chart(frame, right, &format!("Portfolio ⣿, buy and hold •, {quote} "), &both);
}

/// Points of one line, and how it is drawn.
type Drawn<'a> = (&'a [(f64, f64)], Marker, Color);

fn chart(frame: &mut Frame<'_>, area: Rect, heading: &str, series: &[Drawn<'_>]) {
    let all = || series.iter().flat_map(|(points, ..)| points.iter().copied());
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, y)| (low.min(y), high.max(y)));
    let (first, last) = all().fold((f64::INFINITY, 0.0f64), |(first, last), (x, _)| (first.min(x), last.max(x)));
    if !(low.is_finite() && high.is_finite()) {
        return frame.render_widget(Paragraph::new("no decision yet").block(headed(heading)), area);
    }
    let room = if high > low { (high - low) * 0.05 } else { high.abs().max(1.0) * 0.01 };
    let sets = series.iter().map(|(points, marker, colour)| {
        Dataset::default().data(points).marker(*marker).graph_type(GraphType::Line).style(Style::new().fg(*colour))
    });
    let chart = Chart::new(sets.collect()).block(headed(heading)).legend_position(None);
    let across = Axis::default().bounds([first, last.max(first + 1.0)]);
    let labels = [Span::from(number(low)), Span::from(number(high))];
    let up = Axis::default().bounds([low - room, high + room]).labels(labels).style(Style::new().dim());
    frame.render_widget(chart.x_axis(across).y_axis(up), area);
}

/// The newest decisions, the newest on top.
pub(super) fn decisions(frame: &mut Frame<'_>, area: Rect, shown: &Shown) {
    let pair = &shown.about.pair;
    let (full, hashed) = (area.width >= FULL, area.width >= HASHED);
    let mut columns = vec![("#".to_owned(), Constraint::Length(6))];
    columns.push(if full { ("time (UTC)".into(), Constraint::Length(16)) } else { ("UTC".into(), Constraint::Length(5)) });
    if full {
        columns.push((format!("price {}", pair.quote), Constraint::Length(14)));
        columns.push(("weight".into(), Constraint::Length(7)));
    }
    columns.push(("order".into(), Constraint::Fill(1)));
    columns.push(("transaction".into(), Constraint::Length(11)));
    if full {
        columns.push(("gas".into(), Constraint::Length(9)));
    }
    columns.push(("proof".into(), Constraint::Length(7)));
    if hashed {
        columns.push(("hash".into(), Constraint::Length(66)));
    }
    let rows = shown.decisions.iter().take(area.height.into()).map(|row| {
        let (transaction, proof) = states(row);
        let time = crate::time::utc(row.time_s);
        let mut cells = vec![Cell::from(row.step.to_string())];
        cells.push(Cell::from(if full { time } else { time.chars().skip(11).collect() }));
        if full {
            cells.push(Cell::from(number(row.price_quote)));
            cells.push(Cell::from(weight(row.weight_bps)));
        }
        cells.push(Cell::from(order(row, &pair.base, &pair.quote, area.width >= FILLED)));
        cells.push(transaction);
        if full {
            cells.push(Cell::from(row.gas_used.map_or_else(String::new, whole)));
        }
        cells.push(proof);
        if hashed {
            cells.push(Cell::from(row.tx_hash.clone().unwrap_or_default()).dim());
        }
        ratatui::widgets::Row::new(cells)
    });
    let (names, widths): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let table = Table::new(rows, widths).header(ratatui::widgets::Row::new(names).dim()).column_spacing(1);
    frame.render_widget(table.block(headed("Decisions ")), area);
}

/// What was ordered and what came of it, in units.
fn order(row: &Row, base: &str, quote: &str, filled: bool) -> Span<'static> {
    let halted = match (row.halted, row.takes_over) {
        (true, true) => " HALTED, NEW WEIGHTS",
        (true, false) => " HALTED",
        (false, true) => " NEW WEIGHTS",
        (false, false) => "",
    };
    let (name, given, taken, colour) = match row.side {
        None => return Span::from(format!("hold{halted}")),
        Some(Side::Buy) => ("buy", quote, base, Color::Green),
        Some(Side::Sell) => ("sell", base, quote, Color::Red),
    };
    let given = row.amount_in.map_or_else(String::new, |a| format!(" {} {given}", number(a)));
    let taken = row.amount_out.filter(|_| filled).map_or_else(String::new, |a| format!(" for {} {taken}", number(a)));
    Span::styled(format!("{name}{given}{taken}{halted}"), Style::new().fg(colour))
}

fn states(row: &Row) -> (Cell<'static>, Cell<'static>) {
    let transaction = match row.execution {
        Execution::Journaled => Cell::from("journaled").dim(),
        Execution::Sent => Cell::from("sent"),
        Execution::OnChain => Cell::from("on chain").green(),
        Execution::NotFilled => Cell::from("no fill").yellow(),
        Execution::Paper => Cell::from("paper").magenta(),
        Execution::PaperNotFilled => Cell::from("paper, none").yellow(),
    };
    let proof = match row.proof {
        ProofState::Waiting => Cell::from("waiting").dim(),
        ProofState::Folded => Cell::from("folded"),
        ProofState::Proven => Cell::from("proven").cyan(),
        ProofState::Posted => Cell::from("posted").green(),
        ProofState::Settled => Cell::from("settled").green(),
    };
    (transaction, proof)
}

fn weight(bps: i64) -> String {
    format!("{}.{} %", bps / 100, bps % 100 / 10)
}

/// Digits enough for its size, thousands apart.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 1_000.0 => 2,
        v if v >= 1.0 => 4,
        v if v > 0.0 && v < 0.001 => return format!("{value:.3e}"),
        _ => 6,
    };
    let text = format!("{value:.digits$}");
    let (before, behind) = text.split_once('.').unwrap_or((&text, ""));
    format!("{}.{behind}", apart(before))
}

fn whole(n: u64) -> String {
    apart(&n.to_string())
}

/// Commas between thousands of a row of digits.
fn apart(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
