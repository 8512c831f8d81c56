//! A time series of bounded length: when it is full every other point is dropped, and points come half as often.

use serde::Serialize;

/// Most points that are kept.
const MOST: usize = 1_024;

/// One point of the charts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Point {
    /// Decision.
    pub(crate) step: u32,
    /// Time of the observation, unix seconds.
    pub(crate) time_s: u64,
    /// Price, quote a base.
    pub(crate) price_quote: f64,
    /// What the first portfolio is worth, quote.
    pub(crate) portfolio_quote: f64,
    /// What it would be worth in the base asset alone, quote.
    pub(crate) hold_quote: f64,
}

/// Points at a stride that doubles, the newest always among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    points: Vec<Point>,
    newest: Option<Point>,
    stride: u32,
}

impl Series {
    /// Adds the next point.
    pub(crate) fn push(&mut self, point: Point) {
        let stride = self.stride.max(1);
        if point.step.is_multiple_of(stride) {
            if self.points.len() >= MOST {
                self.stride = stride.saturating_mul(2);
                let wider = self.stride;
                self.points.retain(|p| p.step.is_multiple_of(wider));
            }
            if point.step.is_multiple_of(self.stride.max(1)) {
                self.points.push(point);
            }
        }
        self.newest = Some(point);
    }

    /// The points in time.
    pub(crate) fn points(&self) -> Vec<Point> {
        let mut points = self.points.clone();
        points.extend(self.newest.filter(|n| points.last().is_none_or(|p| p.step != n.step)));
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_stays_short_and_keeps_both_ends() {
        let mut series = Series::default();
        for step in 0..100_001 {
            series.push(Point { step, time_s: u64::from(step), price_quote: 1.0, portfolio_quote: 1.0, hold_quote: 1.0 });
            assert!(series.points.len() <= MOST);
        }
        let points = series.points();
        assert_eq!((points.first().map(|p| p.step), points.last().map(|p| p.step)), (Some(0), Some(100_000)));
        assert!(points.len() > MOST / 2);
        let even = points.windows(2).take(points.len() - 2).all(|w| w[1].step - w[0].step == series.stride);
        assert!(even, "points keep one stride of {}", series.stride);
    }
}
