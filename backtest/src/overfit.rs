//! Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and
//! Zhu, 2017): the series is cut into blocks, every half of the blocks chooses the best of all strategies by Sharpe ratio,
//! and the other half says where that choice ranks.

use crate::metrics::count;
use serde::{Deserialize, Serialize};

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overfitting {
    /// Strategies compared.
    pub strategies: usize,
    /// Blocks of the series.
    pub blocks: usize,
    /// Ways to halve them.
    pub splits: usize,
    /// Share of the splits in which the choice of one half ranks in the lower half of the other, 0 … 1.
    pub probability: f64,
    /// Share of the splits in which the choice of one half has a Sharpe ratio below 0 in the other.
    pub probability_of_loss: f64,
    /// Slope of the other half's Sharpe ratio on the choosing half's: below 0, the better it looks the worse it does.
    pub degradation: f64,
}

/// Sum, sum of squares and number of the returns of each block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blocks(Vec<[f64; 3]>);

/// Blocks of a series, an even number.
const BLOCKS: usize = 12;

impl Blocks {
    /// The blocks of the returns of a curve of values.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let returns: Vec<f64> = values.iter().zip(values.iter().skip(1)).map(|(a, b)| if *a > 0.0 { b / a - 1.0 } else { 0.0 }).collect();
        let n = returns.len();
        let cut = |i: usize| i * n / BLOCKS;
        let blocks = (0..BLOCKS).map(|i| {
            let part = returns.get(cut(i)..cut(i + 1)).unwrap_or(&[]);
            [part.iter().sum(), part.iter().map(|r| r * r).sum(), count(part.len())]
        });
        Self(blocks.collect())
    }

    /// Sharpe ratio of one return over the blocks of a set (its bits).
    fn sharpe(&self, set: u32) -> f64 {
        let mut all = [0.0; 3];
        for (_, block) in self.0.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1) {
            for (a, b) in all.iter_mut().zip(block) {
                *a += b;
            }
        }
        let [sum, squares, n] = all;
        let mean = sum / n.max(1.0);
        let deviation = (squares / n.max(1.0) - mean * mean).max(0.0).sqrt();
        if deviation > 0.0 { mean / deviation } else { 0.0 }
    }
}

/// Weighs the choice among strategies; none with fewer than two of them, or where all are one and the same.
#[must_use]
pub fn overfitting(strategies: &[Blocks]) -> Option<Overfitting> {
    let first = strategies.first()?;
    if strategies.len() < 2 || strategies.iter().all(|s| s == first) {
        return None;
    }
    let half = u32::try_from(BLOCKS / 2).ok()?;
    let whole = (1u32 << BLOCKS) - 1;
    let (mut low, mut lost, mut pairs) = (0usize, 0usize, Vec::new());
    for set in (0..=whole).filter(|s| s.count_ones() == half) {
        let inside: Vec<f64> = strategies.iter().map(|s| s.sharpe(set)).collect();
        let outside: Vec<f64> = strategies.iter().map(|s| s.sharpe(whole & !set)).collect();
        let (chosen, best) = inside.iter().enumerate().fold((0, f64::MIN), |b, (i, v)| if *v > b.1 { (i, *v) } else { b });
        let other = outside.get(chosen).copied().unwrap_or(0.0);
        // Its rank from below; strategies that do as well count half.
        let rank = outside
            .iter()
            .map(|v| {
                if *v < other {
                    1.0
                } else if *v > other {
                    0.0
                } else {
                    0.5
                }
            })
            .sum::<f64>()
            + 0.5;
        low += usize::from(rank / (count(strategies.len()) + 1.0) <= 0.5);
        lost += usize::from(other < 0.0);
        pairs.push((best, other));
    }
    let n = count(pairs.len());
    let mean = |f: fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = pairs.iter().map(|p| (p.0 - x).powi(2)).sum();
    let together: f64 = pairs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    Some(Overfitting {
        strategies: strategies.len(),
        blocks: BLOCKS,
        splits: pairs.len(),
        probability: count(low) / n,
        probability_of_loss: count(lost) / n,
        degradation: if spread > 0.0 { together / spread } else { 0.0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(*state >> 32).unwrap()) / 4_294_967_296.0 - 0.5
    }

    fn curve(drift: f64, state: &mut u64) -> Blocks {
        let mut v = 1.0;
        Blocks::of(
            &(0..1_201)
                .map(|_| {
                    v *= 1.0 + drift + 0.01 * uniform(state);
                    v
                })
                .collect::<Vec<f64>>(),
        )
    }

    #[test]
    fn skill_is_told_from_luck() {
        let mut state = 1;
        let luck: Vec<f64> = (0..20)
            .map(|_| {
                let all: Vec<Blocks> = (0..20).map(|_| curve(0.0, &mut state)).collect();
                overfitting(&all).unwrap().probability
            })
            .collect();
        // Symmetric: without skill the choice ranks low in about half of the splits (a little more: what it gained in one
        // half is missing in the other where both halves must add up).
        let mean = luck.iter().sum::<f64>() / 20.0;
        assert!((0.35..0.75).contains(&mean), "{mean}");
        let mut all: Vec<Blocks> = (0..19).map(|_| curve(0.0, &mut state)).collect();
        all.push(curve(0.001, &mut state));
        let skilled = overfitting(&all).unwrap();
        assert_eq!((skilled.strategies, skilled.blocks, skilled.splits), (20, 12, 924));
        assert!(skilled.probability < 0.05 && skilled.probability_of_loss < 0.05, "{skilled:?}");
        // One that does its best in one half and its worst in the other is chosen for its past.
        let wave = |sign: f64| {
            Blocks(
                (0..BLOCKS)
                    .map(|i| {
                        let m = sign * if i % 2 == 0 { 1.0 } else { -1.0 };
                        [m, 2.0, 100.0]
                    })
                    .collect(),
            )
        };
        let bad = overfitting(&[wave(1.0), wave(-1.0)]).unwrap();
        assert!(bad.probability > 0.9 && bad.degradation < 0.0, "{bad:?}");
        assert!(overfitting(&[curve(0.0, &mut state)]).is_none());
        assert!(overfitting(&[wave(1.0), wave(1.0)]).is_none());
    }
}
