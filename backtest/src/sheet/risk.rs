//! Rolling Sharpe ratio and the deepest drawdowns.

use super::chart::Point;
use super::{axis::Axis, chart::Chart, chart::Layer, percent, ratio};
use crate::{calendar::utc, metrics::count};
use std::fmt::Write as _;

/// Days of the rolling window, or a third of the run where it is shorter than three of them.
const WINDOW_DAYS: u64 = 90;

/// Annualised Sharpe ratio over the window that ends at each point.
pub(super) fn rolling(curve: &[Point], interval_s: u32) -> (usize, Vec<Point>) {
    let year = (31_536_000.0 / f64::from(interval_s)).sqrt();
    let wanted = usize::try_from(WINDOW_DAYS * 86_400 / u64::from(interval_s.max(1))).unwrap_or(usize::MAX);
    let window = wanted.min(curve.len() / 3).max(2);
    let returns: Vec<f64> = curve.iter().zip(curve.iter().skip(1)).map(|(a, b)| if a.1 > 0.0 { b.1 / a.1 - 1.0 } else { 0.0 }).collect();
    let (mut sum, mut squares, mut out) = (0.0, 0.0, Vec::new());
    for (i, r) in returns.iter().enumerate() {
        (sum, squares) = (sum + r, squares + r * r);
        if let Some(old) = i.checked_sub(window).and_then(|j| returns.get(j)) {
            (sum, squares) = (sum - old, squares - old * old);
        }
        if i + 1 >= window {
            let mean = sum / count(window);
            let deviation = (squares / count(window) - mean * mean).max(0.0).sqrt();
            // Below this the sums' own rounding is all there is: nothing moved.
            let value = if deviation > 1e-9 { mean / deviation * year } else { 0.0 };
            out.extend(curve.get(i + 1).map(|p| (p.0, value)));
        }
    }
    (window, out)
}

/// A fall from a high: when it began, when it was deepest, when it was made good (none: not yet), how deep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fall {
    pub(super) from: u64,
    pub(super) lowest: u64,
    pub(super) made_good: Option<u64>,
    pub(super) depth: f64,
}

/// The deepest falls, deepest first.
pub(super) fn falls(curve: &[Point], most: usize) -> Vec<Fall> {
    let mut out: Vec<Fall> = Vec::new();
    let (mut high, mut now): (Option<Point>, Option<Fall>) = (None, None);
    for (t, v) in curve {
        match high {
            Some((_, h)) if *v < h => {
                let depth = 1.0 - v / h;
                let fall = now.get_or_insert(Fall { from: high.map_or(*t, |p| p.0), lowest: *t, made_good: None, depth });
                if depth >= fall.depth {
                    (fall.lowest, fall.depth) = (*t, depth);
                }
            }
            _ => {
                out.extend(now.take().map(|f| Fall { made_good: Some(*t), ..f }));
                high = Some((*t, *v));
            }
        }
    }
    out.extend(now);
    out.sort_by(|a, b| b.depth.total_cmp(&a.depth));
    out.truncate(most);
    out
}

/// Both as sections of the page.
pub(super) fn section(own: &[Point], hold: &[Point], interval_s: u32, span: (u64, u64)) -> String {
    let ((window, mine), (_, theirs)) = (rolling(own, interval_s), rolling(hold, interval_s));
    let days = count(window) * f64::from(interval_s) / 86_400.0;
    let chart = Chart {
        title: "Rolling Sharpe ratio",
        axis: Axis { log: false, ..Axis::around(mine.iter().chain(&theirs).map(|p| p.1).chain([0.0])) },
        layers: vec![Layer::Line(&theirs, "hold"), Layer::Line(&mine, "own")],
        word: ratio,
        height: 170.0,
        dated: true,
    };
    let mut rows = String::from("<tr><th>Fall</th><th>From</th><th>Lowest</th><th>Made good</th><th>Days</th></tr>");
    for f in falls(own, 6) {
        let day = |t: u64| utc(t).get(..10).unwrap_or("").to_owned();
        let days = (f.made_good.unwrap_or(span.1).saturating_sub(f.from)) / 86_400;
        let good = f.made_good.map_or_else(|| "not yet".to_owned(), day);
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{good}</td><td>{days}</td></tr>",
            percent(-f.depth),
            day(f.from),
            day(f.lowest)
        );
    }
    format!(
        "<section><h2>Sharpe ratio over the last {days:.0} days, annualised</h2><p class=\"legend\"><span><i></i>strategy</span>\
         <span><i class=\"hold\"></i>buy and hold</span></p>{}<h2>Deepest falls from a high</h2><div class=\"scroll\"><table>{rows}</table></div></section>",
        chart.draw(span)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_and_rolling_ratios() {
        let curve: Vec<Point> = [10.0, 9.0, 8.0, 9.0, 10.0, 12.0, 11.0, 12.0, 6.0, 7.0].iter().zip(0u64..).map(|(v, t)| (t, *v)).collect();
        let found = falls(&curve, 2);
        assert_eq!(found[0], Fall { from: 7, lowest: 8, made_good: None, depth: 0.5 });
        assert_eq!((found[1].from, found[1].lowest, found[1].made_good), (0, 2, Some(4)));
        let rising: Vec<Point> = (0..400u64).map(|i| (i * 86_400, if i % 2 == 0 { 100.0 } else { 101.0 })).collect();
        let (window, ratios) = rolling(&rising, 86_400);
        assert_eq!((window, ratios.len()), (90, 310));
        assert!(ratios.iter().all(|(_, v)| v.abs() < 1.0));
        let (_, flat) = rolling(&(0..100u64).map(|i| (i, 5.0)).collect::<Vec<_>>(), 3_600);
        assert!(flat.iter().all(|(_, v)| *v == 0.0));
    }
}
