//! What a Sharpe ratio is worth: after counting the trials, and with how wide an interval.
//!
//! Deflated Sharpe ratio: Bailey and López de Prado (2014), the probability that the true ratio is above what the best of N
//! trials without skill would show by luck. The interval: a circular block bootstrap of the recorded returns, which keeps
//! what dependence fits into a block and assumes that the future draws from the same past.

use crate::{EquityPoint, metrics::count};
use serde::Serialize;

/// Trials known of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trials {
    /// How many different ones, this one included.
    pub number: usize,
    /// Sharpe ratios of one interval of those that have one.
    pub sharpes: Vec<f64>,
}

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// 2.5 % of the resamples lie below.
    pub low: f64,
    /// 2.5 % lie above.
    pub high: f64,
}

/// What can be said about a run's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Returns it rests on.
    pub returns: usize,
    /// Trials counted.
    pub trials: usize,
    /// Annualised Sharpe ratio of the run.
    pub sharpe: f64,
    /// Annualised Sharpe ratio that the best of as many trials without skill is expected to show.
    pub best_by_luck: f64,
    /// Probability that the true ratio is above that.
    pub deflated_sharpe: f64,
    /// Returns of one block of the bootstrap.
    pub block: usize,
    /// Resamples.
    pub resamples: usize,
    /// Annualised Sharpe ratio.
    pub sharpe_interval: Interval,
    /// Total return.
    pub return_interval: Interval,
    /// Share of the resamples in which the run returns more than holding does in the same blocks.
    pub beats_holding: f64,
}

const RESAMPLES: usize = 2_000;
const EULER: f64 = 0.577_215_664_901_532_9;

/// Weighs a run against luck; none where there are fewer than 32 returns or nothing ever moves.
///
/// `hold` is the curve of buy and hold with one point before the run's first.
#[must_use]
pub fn evidence(interval_s: u32, equity: &[EquityPoint], hold: &[EquityPoint], trials: &Trials, seed: u64) -> Option<Evidence> {
    let own = returns(equity);
    let other = returns(hold.get(1..)?);
    let n = own.len();
    if n < 32 || other.len() != n {
        return None;
    }
    let m = Moments::of(&own)?;
    let year = (31_536_000.0 / f64::from(interval_s)).sqrt();
    let null = 1.0 / (count(n) - 1.0);
    let across = variance(&trials.sharpes).unwrap_or(0.0).max(null);
    let best = across.sqrt() * expected_maximum(trials.number.max(1));
    let deflated_sharpe = m.above(best, n);
    // A day at least, for what repeats daily; and the usual third root.
    let day = usize::try_from(86_400 / interval_s.max(1)).unwrap_or(1);
    let root = (1..).find(|b: &usize| b.saturating_pow(3) >= n).unwrap_or(1);
    let block = day.max(root).clamp(1, n / 4);
    let (mut sharpes, mut totals, mut better) = (Vec::new(), Vec::new(), 0usize);
    let (own_sums, other_sums) = (Sums::of(&own), Sums::of(&other));
    let mut state = seed;
    for _ in 0..RESAMPLES {
        let (mut mine, mut theirs, mut left) = ([0.0; 3], [0.0; 3], n);
        while left > 0 {
            let length = block.min(left);
            let start = usize::try_from(random(&mut state) % u64::try_from(n).unwrap_or(1)).unwrap_or(0);
            own_sums.add(&mut mine, start, length);
            other_sums.add(&mut theirs, start, length);
            left -= length;
        }
        let mean = mine[0] / count(n);
        let deviation = (mine[1] / count(n) - mean * mean).max(0.0).sqrt();
        sharpes.push(if deviation > 0.0 { mean / deviation * year } else { 0.0 });
        totals.push(mine[2].exp_m1());
        better += usize::from(mine[2] > theirs[2]);
    }
    Some(Evidence {
        returns: n,
        trials: trials.number.max(1),
        sharpe: m.sharpe * year,
        best_by_luck: best * year,
        deflated_sharpe,
        block,
        resamples: RESAMPLES,
        sharpe_interval: interval(sharpes),
        return_interval: interval(totals),
        beats_holding: count(better) / count(RESAMPLES),
    })
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a figure for people")]
fn returns(equity: &[EquityPoint]) -> Vec<f64> {
    equity.iter().zip(equity.iter().skip(1)).map(|(a, b)| if a.nav > 0 { b.nav as f64 / a.nav as f64 - 1.0 } else { 0.0 }).collect()
}

struct Moments {
    sharpe: f64,
    skew: f64,
    kurtosis: f64,
}

impl Moments {
    fn of(values: &[f64]) -> Option<Self> {
        let n = count(values.len());
        let mean = values.iter().sum::<f64>() / n;
        let central = |p: i32| values.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / n;
        let deviation = central(2).sqrt();
        (deviation > 0.0).then(|| Self {
            sharpe: mean / deviation,
            skew: central(3) / deviation.powi(3),
            kurtosis: central(4) / deviation.powi(4),
        })
    }
}

impl Moments {
    /// The probability that the true Sharpe ratio of one return lies above another one, from n returns (their equation 2).
    fn above(&self, other: f64, n: usize) -> f64 {
        let spread = (1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe * self.sharpe).max(1e-12).sqrt();
        normal((self.sharpe - other) * (count(n) - 1.0).sqrt() / spread)
    }
}

fn variance(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count(values.len());
    Some(values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count(values.len()) - 1.0))
}

/// Expected largest of `n` standard normal draws (their equation 1), 0 for a single one.
fn expected_maximum(n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    (1.0 - EULER) * quantile(1.0 - 1.0 / count(n)) + EULER * quantile(1.0 - 1.0 / (count(n) * std::f64::consts::E))
}

/// The standard normal distribution function, by its Taylor series about 0 (exact to double precision within ±7).
fn normal(x: f64) -> f64 {
    if x.abs() > 7.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut i) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs().max(1e-300) && i < 400.0 {
        i += 2.0;
        term *= x * x / i;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Its inverse, by halving.
fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-7.0, 7.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if normal(middle) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Running sums over a circle of returns: any block in two look-ups.
struct Sums {
    sums: Vec<[f64; 3]>,
}

impl Sums {
    fn of(returns: &[f64]) -> Self {
        let mut sums = vec![[0.0; 3]];
        let mut now = [0.0; 3];
        for r in returns.iter().chain(returns) {
            for (s, v) in now.iter_mut().zip([*r, r * r, (1.0 + r).max(1e-9).ln()]) {
                *s += v;
            }
            sums.push(now);
        }
        Self { sums }
    }

    fn add(&self, total: &mut [f64; 3], start: usize, length: usize) {
        if let (Some(a), Some(b)) = (self.sums.get(start), self.sums.get(start + length)) {
            for (t, (a, b)) in total.iter_mut().zip(a.iter().zip(b)) {
                *t += b - a;
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |i: usize| values.get(i.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0);
    Interval { low: at(values.len() / 40), high: at(values.len() * 39 / 40) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution() {
        for (x, p) in [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-1.959_963_984_540_054, 0.025), (3.0, 0.998_650_101_968_370)] {
            assert!((normal(x) - p).abs() < 1e-14, "{x}");
            assert!((quantile(p) - x).abs() < 1e-10, "{x}");
        }
        // Expected largest of ten, a hundred: 1.54, 2.51 exactly; the approximation is within 0.04.
        assert!((expected_maximum(10) - 1.54).abs() < 0.04 && (expected_maximum(100) - 2.51).abs() < 0.04);
        assert!(expected_maximum(1).abs() < 1e-12);
    }

    #[test]
    fn the_papers_own_example() {
        // A yearly ratio of 2.5 over 1,250 days, skewness −3, kurtosis 10, the best of 100 trials of yearly variance ½.
        let best = (0.5f64 / 250.0).sqrt() * expected_maximum(100);
        assert!((best - 0.1132).abs() < 5e-5, "{best}");
        let m = Moments { sharpe: 2.5 / 250f64.sqrt(), skew: -3.0, kurtosis: 10.0 };
        assert!((m.above(best, 1_250) - 0.9004).abs() < 5e-4, "{}", m.above(best, 1_250));
    }

    fn curve(drift: f64, seed: u64, n: usize) -> Vec<EquityPoint> {
        let mut state = seed;
        let mut nav = 1e12;
        (0..n)
            .map(|i| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::as_conversions, reason = "a test")]
                let point = EquityPoint { time_s: i as u64, nav: nav as u128, weight_bps: 0 };
                #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a test")]
                let u = (random(&mut state) >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
                nav *= 1.0 + drift + 0.01 * u;
                point
            })
            .collect()
    }

    #[test]
    fn more_trials_are_worth_less_and_no_skill_is_worth_little() {
        let (skilled, lucky) = (curve(0.0004, 3, 4_001), curve(0.0, 5, 4_001));
        let hold = curve(0.0, 9, 4_002);
        let of = |equity: &[EquityPoint], number| evidence(3_600, equity, &hold, &Trials { number, sharpes: vec![] }, 7).unwrap();
        let (one, many) = (of(&skilled, 1), of(&skilled, 1_000));
        assert!(one.deflated_sharpe > 0.999 && one.best_by_luck == 0.0 && one.deflated_sharpe > many.deflated_sharpe);
        assert!(one.sharpe_interval.low < one.sharpe && one.sharpe < one.sharpe_interval.high && one.sharpe_interval.low > 0.0);
        assert!(one.beats_holding > 0.9);
        let none = of(&lucky, 20);
        assert!(none.deflated_sharpe < 0.5 && none.sharpe_interval.low < 0.0 && none.sharpe_interval.high > 0.0, "{none:?}");
        assert_eq!(of(&lucky, 20), none, "the same seed gives the same interval");
        // Trials that differ widely raise the bar.
        let wide = Trials { number: 20, sharpes: vec![-0.2, 0.0, 0.2] };
        assert!(evidence(3_600, &skilled, &hold, &wide, 7).unwrap().deflated_sharpe < of(&skilled, 20).deflated_sharpe);
        assert!(evidence(3_600, &skilled[..20], &hold[..21], &Trials::default(), 7).is_none());
    }
}
