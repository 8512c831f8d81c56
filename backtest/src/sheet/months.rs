//! Returns by calendar month, UTC.

use super::chart::Point;
use crate::calendar::date;
use std::collections::BTreeMap;

/// Return of each month of each year; the year's own in the last place. Months without a point are none.
pub(super) fn months(curve: &[Point]) -> BTreeMap<u64, [Option<f64>; 13]> {
    let mut out: BTreeMap<u64, [Option<f64>; 13]> = BTreeMap::new();
    let Some((_, mut base)) = curve.first().copied() else { return out };
    let (mut year_base, mut last) = (base, None::<(u64, u64, f64)>);
    for (t, v) in curve.iter().skip(1) {
        // A point at a month's first instant closes the month before.
        let (year, month, _) = date(t.saturating_sub(1));
        if let Some((y, m, before)) = last {
            if (y, m) != (year, month) {
                base = before;
            }
            if y != year {
                year_base = before;
            }
        }
        let row = out.entry(year).or_insert([None; 13]);
        if let Some(cell) = usize::try_from(month - 1).ok().and_then(|m| row.get_mut(m)) {
            *cell = Some(if base > 0.0 { v / base - 1.0 } else { 0.0 });
        }
        if let Some(total) = row.last_mut() {
            *total = Some(if year_base > 0.0 { v / year_base - 1.0 } else { 0.0 });
        }
        last = Some((year, month, *v));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_chain_to_the_whole() {
        // Noon of every day from 2023-11-15 on, rising one per cent a day, for 80 days.
        let curve: Vec<Point> =
            (0..80u32).map(|i| (1_700_049_600 + u64::from(i) * 86_400, 1.01f64.powi(i32::try_from(i).unwrap()))).collect();
        let months = months(&curve);
        assert_eq!(months.keys().copied().collect::<Vec<_>>(), [2023, 2024]);
        let close = |v: Option<f64>, days: i32| assert!((v.unwrap() - (1.01f64.powi(days) - 1.0)).abs() < 1e-9, "{v:?} {days}");
        close(months[&2023][10], 15);
        close(months[&2023][11], 31);
        close(months[&2023][12], 46);
        close(months[&2024][0], 31);
        close(months[&2024][1], 2);
        close(months[&2024][12], 33);
        assert_eq!(months[&2023][0], None);
    }
}
