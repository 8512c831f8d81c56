//! The checks of the backtest find what they are there to find.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod common;
#[path = "common/waves.rs"]
mod restless;

use probity_backtest::{BacktestError, Dataset, Frictions, Future, LookaheadPlan, Terms, lookahead, run, warmup};
use probity_strategy::Amount;
use restless::{engine, million, waves};

fn terms() -> Terms {
    Frictions { fee_bps: 5, slippage_bps: 2, gas_quote: Amount::ZERO }.into()
}

type Checked<T> = Result<T, BacktestError>;

#[test]
fn the_engine_does_not_look_ahead() {
    let engine = engine(300);
    let records = |part: &Dataset| -> Checked<_> { Ok(run(&engine, part, &terms(), million(), Amount::ZERO)?.records) };
    let found = lookahead(&waves(500), LookaheadPlan::default(), records).unwrap();
    assert_eq!((found.decisions, found.leaked), (500, 0));
    assert!(found.compared > 500 * 20, "{found:?}");
}

#[test]
fn every_kind_of_look_ahead_is_found() {
    let plan = LookaheadPlan::default();
    let closes = |d: &Dataset| d.bars.iter().map(|b| b.close.x64()).collect::<Vec<u128>>();
    // The next bar.
    let next = |d: &Dataset| -> Checked<Vec<u128>> {
        let c = closes(d);
        Ok((0..c.len()).map(|i| c[i] + c.get(i + 1).copied().unwrap_or(0)).collect())
    };
    let found = lookahead(&waves(300), plan, next).unwrap();
    let cut = |k: usize| found.leaks.iter().any(|l| l.known_to == k && l.decision == k);
    assert!(found.leaked > 300 && found.leaks.len() == 100 && cut(found.leaks[0].known_to));
    // The mean of everything, as a scaler fitted on the whole series would have it.
    let mean = |d: &Dataset| -> Checked<Vec<bool>> {
        let c = closes(d);
        let mean = c.iter().sum::<u128>() / u128::try_from(c.len()).unwrap();
        Ok(c.iter().map(|v| *v > mean).collect())
    };
    assert!(lookahead(&waves(300), plan, mean).unwrap().leaked > 0);
    // One single decision of the series that peeks one bar: found by the windows, exactly there.
    let at = waves(300).bars[217].open_s;
    let once = |d: &Dataset| -> Checked<Vec<u128>> {
        let c = closes(d);
        let peek = |i: usize| if d.bars[i].open_s == at { c.get(i + 1).copied().unwrap_or(0) } else { 0 };
        Ok((0..c.len()).map(|i| c[i] + peek(i)).collect())
    };
    let found = lookahead(&waves(300), plan, once).unwrap();
    assert!(found.leaked > 0 && found.leaks.iter().all(|l| l.decision == 217 && l.known_to == 217));
    // Whether a bar is absent later on.
    let gap = |d: &Dataset| -> Checked<Vec<bool>> {
        let gap = |i: usize| d.bars.get(i + 1).is_some_and(|b| b.open_s - d.bars[i].open_s > 300);
        Ok((0..d.bars.len()).map(gap).collect())
    };
    let found = lookahead(&waves(300), plan, gap).unwrap();
    assert!(found.leaked > 0 && found.leaks.iter().all(|l| l.future == Future::Thinned));
    // Not one value a bar: refused.
    assert!(lookahead(&waves(30), plan, |_: &Dataset| -> Checked<Vec<u8>> { Ok(vec![1]) }).is_err());
    assert!(lookahead(&waves(30), LookaheadPlan { window: 1, cuts: 1 }, next).is_err());
}

#[test]
fn warmup_shows_what_the_start_is_worth() {
    let found = warmup(&engine(300), &waves(1_400), &terms(), million()).unwrap();
    let histories: Vec<usize> = found.starts.iter().map(|s| s.history).collect();
    assert_eq!((histories, found.decisions), (vec![0, 16, 64, 256, 700], 700));
    let (cold, reference) = (found.starts.first().unwrap(), found.starts.last().unwrap());
    assert!(cold.differing_features > 0 && cold.other_decisions > 0.0 && cold.settled_after != Some(0));
    assert_eq!((reference.differing_features, reference.settled_after, reference.other_decisions), (0, Some(0), 0.0));
    assert!(found.spread >= 0.0);
    assert!(warmup(&engine(300), &waves(3), &terms(), million()).is_err());
}
