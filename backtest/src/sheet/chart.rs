//! Charts as inline SVG, drawn twice: for wide and for narrow pages, so that their text stays readable on both.

use super::axis::{Axis, times};
use std::fmt::Write as _;

/// A point: unix time, value.
pub(super) type Point = (u64, f64);

/// What is drawn into a chart.
pub(super) enum Layer<'a> {
    /// A line.
    Line(&'a [Point], &'static str),
    /// The area between the values and 0 (or the lower end).
    Area(&'a [Point], &'static str),
    /// Marks at points; above the point (`true`) or below it.
    Marks(&'a [Point], &'static str, bool),
}

/// A chart over time.
pub(super) struct Chart<'a> {
    pub(super) title: &'static str,
    pub(super) layers: Vec<Layer<'a>>,
    pub(super) axis: Axis,
    /// Words of a mark on the value axis.
    pub(super) word: fn(f64) -> String,
    pub(super) height: f64,
    /// Whether times are written below.
    pub(super) dated: bool,
}

const LEFT: f64 = 56.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 8.0;

impl Chart<'_> {
    /// Both drawings.
    pub(super) fn draw(&self, span: (u64, u64)) -> String {
        format!("{}{}", self.sized(span, 960.0, 8, "wide"), self.sized(span, 400.0, 4, "narrow"))
    }

    fn sized(&self, (from, to): (u64, u64), width: f64, most: usize, class: &str) -> String {
        let bottom = if self.dated { 22.0 } else { 6.0 };
        let height = if class == "narrow" { (self.height * 0.85).max(64.0) } else { self.height };
        let (right, floor) = (width - RIGHT, height - bottom);
        let length = float(to.saturating_sub(from)).max(1.0);
        let x = |t: u64| LEFT + float(t.saturating_sub(from)) / length * (right - LEFT);
        let y = |v: f64| floor - self.axis.at(v) * (floor - TOP);
        let mut svg = format!("<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">", self.title);
        for v in self.axis.marks(((floor - TOP) / 42.0).max(2.0)) {
            let at = y(v);
            put(&mut svg, format_args!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>"));
            put(
                &mut svg,
                format_args!(
                    "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    LEFT - 6.0,
                    at + 3.5,
                    (self.word)(v)
                ),
            );
        }
        let mut free = LEFT - 20.0;
        for (t, word) in times(from, to, most) {
            let at = x(t);
            put(&mut svg, format_args!("<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{floor}\"/>"));
            // Half a word on each side must fit.
            if self.dated && at - 18.0 > free && at + 18.0 < width {
                put(
                    &mut svg,
                    format_args!("<text class=\"tick\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{word}</text>", height - 6.0),
                );
                free = at + 18.0;
            }
        }
        for layer in &self.layers {
            match layer {
                Layer::Line(points, class) => {
                    let path = path(&thin(points, x, y));
                    put(&mut svg, format_args!("<path class=\"line {class}\" d=\"{path}\"/>"));
                }
                Layer::Area(points, class) => {
                    let thin = thin(points, x, y);
                    if let (Some(first), Some(last)) = (thin.first(), thin.last()) {
                        let base = y(0.0f64.clamp(self.axis.low, self.axis.high));
                        put(
                            &mut svg,
                            format_args!(
                                "<path class=\"area {class}\" d=\"{}L{:.1} {base:.1}L{:.1} {base:.1}Z\"/>",
                                path(&thin),
                                last.0,
                                first.0
                            ),
                        );
                    }
                }
                Layer::Marks(points, class, above) => {
                    for (px, py) in grouped(points, x, y) {
                        let (tip, far) = if *above { (py - 5.0, py - 10.5) } else { (py + 5.0, py + 10.5) };
                        put(
                            &mut svg,
                            format_args!(
                                "<path class=\"mark {class}\" d=\"M{px:.1} {tip:.1}L{:.1} {far:.1}L{:.1} {far:.1}Z\"/>",
                                px - 3.0,
                                px + 3.0
                            ),
                        );
                    }
                }
            }
        }
        svg + "</svg>"
    }
}

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = svg.write_fmt(text);
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "times in a drawing")]
fn float(v: u64) -> f64 {
    v as f64
}

#[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "a column of a drawing")]
fn column(x: f64, width: f64) -> i64 {
    (x / width).floor() as i64
}

/// The smallest and the largest value of every pixel column, in their order: what the eye can see of a long series.
fn thin(points: &[Point], x: impl Fn(u64) -> f64, y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::new();
    let mut run: Vec<(f64, f64)> = Vec::new();
    let flush = |run: &mut Vec<(f64, f64)>, out: &mut Vec<(f64, f64)>| {
        let extreme = |better: fn(f64, f64) -> bool| {
            run.iter().enumerate().fold(None, |best: Option<(usize, (f64, f64))>, (i, p)| match best {
                Some((_, b)) if !better(p.1, b.1) => best,
                _ => Some((i, *p)),
            })
        };
        if let (Some((i, low)), Some((j, high))) = (extreme(|a, b| a > b), extreme(|a, b| a < b)) {
            match i.cmp(&j) {
                std::cmp::Ordering::Equal => out.push(low),
                std::cmp::Ordering::Less => out.extend([low, high]),
                std::cmp::Ordering::Greater => out.extend([high, low]),
            }
        }
        run.clear();
    };
    let mut last = i64::MIN;
    for (t, v) in points {
        let p = (x(*t), y(*v));
        if column(p.0, 1.0) != last {
            flush(&mut run, &mut out);
            last = column(p.0, 1.0);
        }
        run.push(p);
    }
    flush(&mut run, &mut out);
    out
}

/// One mark for all points within nine pixels, at their mean.
fn grouped(points: &[Point], x: impl Fn(u64) -> f64, y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let mut groups: Vec<(i64, f64, f64, f64)> = Vec::new();
    for (t, v) in points {
        let (px, py) = (x(*t), y(*v));
        match groups.last_mut() {
            Some(g) if g.0 == column(px, 9.0) => *g = (g.0, g.1 + px, g.2 + py, g.3 + 1.0),
            _ => groups.push((column(px, 9.0), px, py, 1.0)),
        }
    }
    groups.into_iter().map(|(_, px, py, n)| (px / n, py / n)).collect()
}

fn path(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        put(&mut d, format_args!("{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' }));
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_series_keep_their_extremes() {
        let points: Vec<Point> = (0..10_000u64).map(|i| (i, if i == 5_003 { 50.0 } else { float(i % 7) })).collect();
        let thinned = thin(&points, |t| float(t) / 100.0, |v| 100.0 - v);
        assert!(thinned.len() <= 202);
        assert!(thinned.iter().any(|p| (p.1 - 50.0).abs() < 1e-9), "the spike is drawn");
        assert!(thinned.windows(2).all(|w| w[0].0 <= w[1].0));
        assert_eq!(grouped(&[(0, 1.0), (1, 3.0), (60, 5.0)], float, |v| v), vec![(0.5, 2.0), (60.0, 5.0)]);
    }
}
