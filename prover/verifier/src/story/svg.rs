//! Drawings of a log: performance against the price, and the weight of the base asset. Plain SVG, coordinates in integers.

use super::text::{percent, utc};
use super::track::{INDEX, Point, TradeMark};
use probity_strategy::Side;
use std::fmt::Write as _;

const WIDTH: u128 = 920;
const LEFT: u128 = 74;
const RIGHT: u128 = 14;
const TOP: u128 = 30;

/// Maps steps to x and values to y.
struct Frame {
    first: u32,
    last: u32,
    low: u128,
    high: u128,
    height: u128,
}

impl Frame {
    fn x(&self, step: u32) -> u128 {
        let (at, of) = (u128::from(step.saturating_sub(self.first)), u128::from(self.last.saturating_sub(self.first)).max(1));
        LEFT.saturating_add(at.min(of).saturating_mul(WIDTH.saturating_sub(LEFT).saturating_sub(RIGHT)) / of)
    }

    /// In tenths, so that flat series stay smooth.
    fn y(&self, value: u128) -> String {
        let of = self.high.saturating_sub(self.low).max(1);
        let at = value.clamp(self.low, self.high).saturating_sub(self.low).saturating_mul(self.height.saturating_mul(10)) / of;
        let y = TOP.saturating_add(self.height).saturating_mul(10).saturating_sub(at);
        format!("{}.{}", y / 10, y % 10)
    }

    fn line(&self, points: &[Point], value: impl Fn(&Point) -> u128) -> String {
        let mut path = String::new();
        for (i, point) in points.iter().enumerate() {
            let _ = write!(path, "{}{} {}", if i == 0 { 'M' } else { 'L' }, self.x(point.step), self.y(value(point)));
        }
        path
    }

    fn open(&self, id: &str, title: &str, description: &str) -> String {
        let total = self.height.saturating_add(TOP).saturating_add(26);
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {total}\" role=\"img\" aria-labelledby=\"{id}t {id}d\"><title id=\"{id}t\">{title}</title><desc id=\"{id}d\">{description}</desc>"
        )
    }

    fn grid(&self, out: &mut String, value: u128, label: &str) {
        let y = self.y(value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"{}\" y=\"{y}\" dy=\"4\" text-anchor=\"end\">{label}</text>",
            WIDTH.saturating_sub(RIGHT),
            LEFT.saturating_sub(8)
        );
    }

    fn times(&self, out: &mut String, points: &[Point]) {
        let y = TOP.saturating_add(self.height).saturating_add(18);
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let _ = write!(
                out,
                "<text x=\"{LEFT}\" y=\"{y}\">{}</text><text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
                utc(first.time_s),
                WIDTH.saturating_sub(RIGHT),
                utc(last.time_s)
            );
        }
    }
}

/// Performance index, price index and fills.
pub(crate) fn equity(points: &[Point], marks: &[TradeMark]) -> Option<String> {
    let (first, last) = (points.first()?, points.last()?);
    let values = || points.iter().flat_map(|p| [p.index, p.price]);
    let (low, high) = (values().min()?.min(INDEX), values().max()?.max(INDEX));
    let pad = (high.saturating_sub(low) / 16).max(INDEX / 1_000);
    let frame = Frame { first: first.step, last: last.step, low: low.saturating_sub(pad), high: high.saturating_add(pad), height: 260 };
    let change = |v: u128| percent(i64::try_from(v / 1_000).unwrap_or(i64::MAX).saturating_sub(1_000_000));
    let bought = marks.iter().filter(|m| m.side == Side::Buy).count();
    let mut out = frame.open(
        "eq",
        "Performance without deposits and withdrawals, against the price",
        &format!(
            "The fund's index moved by {} and the price by {} between decision {} and decision {}; {bought} buys and {} sells are marked.",
            change(last.index),
            change(last.price),
            first.step,
            last.step,
            marks.len().saturating_sub(bought)
        ),
    );
    let _ = write!(
        out,
        "<line class=\"own swatch\" x1=\"{LEFT}\" x2=\"104\" y1=\"12\" y2=\"12\"/><text x=\"110\" y=\"16\">fund</text><line class=\"price swatch\" x1=\"166\" x2=\"196\" y1=\"12\" y2=\"12\"/><text x=\"202\" y=\"16\">price</text><path class=\"buy\" d=\"M262 17h10l-5-9z\"/><text x=\"277\" y=\"16\">buy filled</text><path class=\"sell\" d=\"M352 8h10l-5 9z\"/><text x=\"367\" y=\"16\">sell filled</text>"
    );
    let middle = low.saturating_add(high) / 2;
    for value in [low, middle, high] {
        frame.grid(&mut out, value, &change(value));
    }
    let _ = write!(out, "<path class=\"price\" d=\"{}\"/>", frame.line(points, |p| p.price));
    let _ = write!(out, "<path class=\"own\" d=\"{}\"/>", frame.line(points, |p| p.index));
    for mark in marks {
        let (x, y) = (frame.x(mark.step), frame.y(mark.index));
        let left = x.saturating_sub(4);
        let _ = match mark.side {
            Side::Buy => write!(out, "<path class=\"buy\" d=\"M{left} {y}m0 13h8l-4-8z\"/>"),
            Side::Sell => write!(out, "<path class=\"sell\" d=\"M{left} {y}m0-13h8l-4 8z\"/>"),
        };
    }
    frame.times(&mut out, points);
    out.push_str("</svg>");
    Some(out)
}

/// Weight of the base asset, under the mandate's largest.
pub(crate) fn weight(points: &[Point], limit_bps: u16) -> Option<String> {
    let (first, last) = (points.first()?, points.last()?);
    let frame = Frame { first: first.step, last: last.step, low: 0, high: 10_000, height: 120 };
    let at = |p: &Point| u128::try_from(p.weight_bps).unwrap_or(0);
    let (least, most) = (points.iter().map(at).min()?, points.iter().map(at).max()?);
    let mut out = frame.open(
        "we",
        "Share of the value held in the base asset, decision by decision",
        &format!("Between {} and {} percent; a buy may not lift it above {} percent.", least / 100, most / 100, limit_bps / 100),
    );
    let _ = write!(
        out,
        "<line class=\"own swatch\" x1=\"{LEFT}\" x2=\"104\" y1=\"12\" y2=\"12\"/><text x=\"110\" y=\"16\">share in the base asset</text><line class=\"limit swatch\" x1=\"270\" x2=\"300\" y1=\"12\" y2=\"12\"/><text x=\"306\" y=\"16\">most after a buy</text>"
    );
    for (value, label) in [(0, "0\u{202f}%"), (5_000, "50\u{202f}%"), (10_000, "100\u{202f}%")] {
        frame.grid(&mut out, value, label);
    }
    let _ = write!(
        out,
        "<path class=\"area\" d=\"{}L{} {}L{} {}Z\"/>",
        frame.line(points, at),
        frame.x(last.step),
        frame.y(0),
        frame.x(first.step),
        frame.y(0)
    );
    let y = frame.y(limit_bps.into());
    let _ = write!(out, "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>", WIDTH.saturating_sub(RIGHT));
    frame.times(&mut out, points);
    out.push_str("</svg>");
    Some(out)
}
