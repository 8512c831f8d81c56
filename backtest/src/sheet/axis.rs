//! Scales and where their marks go.

use crate::calendar::date;

/// A value axis, linear or logarithmic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) log: bool,
}

impl Axis {
    /// An axis around the values, with a little room; logarithmic where they span more than a factor of four.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.filter(|v| v.is_finite()).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let log = low > 0.0 && high / low > 4.0;
        let room = if log { (high / low).powf(0.04) } else { ((high - low) * 0.06).max(high.abs() * 1e-4).max(1e-9) };
        if log { Self { low: low / room, high: high * room, log } } else { Self { low: low - room, high: high + room, log } }
    }

    /// 0 at the lower end, 1 at the upper.
    pub(super) fn at(&self, v: f64) -> f64 {
        let f = |v: f64| if self.log { v.max(1e-12).ln() } else { v };
        ((f(v) - f(self.low)) / (f(self.high) - f(self.low)).max(1e-12)).clamp(0.0, 1.0)
    }

    /// Round values to mark, about `most` of them.
    pub(super) fn marks(&self, most: f64) -> Vec<f64> {
        if self.log {
            let all = |steps: &[f64]| -> Vec<f64> {
                let first = self.low.log10().floor();
                let decades = (0..12).map(|i| 10f64.powf(first + f64::from(i)));
                decades
                    .flat_map(|d| steps.iter().map(move |s| d * s).collect::<Vec<_>>())
                    .filter(|v| (self.low..=self.high).contains(v))
                    .collect()
            };
            let fine = all(&[1.0, 2.0, 5.0]);
            return if f64::from(u32::try_from(fine.len()).unwrap_or(99)) <= most + 2.0 { fine } else { all(&[1.0]) };
        }
        let raw = (self.high - self.low) / most.max(1.0);
        let unit = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|s| s * unit).find(|s| *s >= raw).unwrap_or(raw);
        let first = (self.low / step).ceil();
        (0..100).map(|i| (first + f64::from(i)) * step + 0.0).take_while(|v| *v <= self.high).collect()
    }
}

/// Times to mark between two, at most `most`, with their words.
pub(super) fn times(from: u64, to: u64, most: usize) -> Vec<(u64, String)> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = 86_400u64;
    let name = |month: u64| usize::try_from(month).ok().and_then(|m| NAMES.get(m.wrapping_sub(1))).copied().unwrap_or("");
    let word = |t: u64, kind: u8| {
        let (year, month, of_month) = date(t);
        match kind {
            0 => format!("{year}"),
            1 if month == 1 => format!("{year}"),
            1 => format!("{} {:02}", name(month), year % 100),
            2 => format!("{of_month} {}", name(month)),
            _ => format!("{:02}:{:02}", t / 3_600 % 24, t / 60 % 60),
        }
    };
    // From fine to coarse; the first that gives few enough.
    let hours = [1u64, 3, 6, 12].into_iter().map(|h| {
        let step = h * 3_600;
        (from.div_ceil(step)..=to / step).map(|i| (i * step, 3u8)).collect::<Vec<_>>()
    });
    let days =
        [1u64, 2, 7, 14].into_iter().map(|d| (from.div_ceil(d * day)..=to / (d * day)).map(|i| (i * d * day, 2u8)).collect::<Vec<_>>());
    let firsts: Vec<u64> = (from.div_ceil(day)..=to / day).map(|d| d * day).filter(|t| date(*t).2 == 1).collect();
    let months = [1u64, 3, 6]
        .into_iter()
        .map(|m| firsts.iter().filter(|t| (date(**t).1 - 1).is_multiple_of(m)).map(|t| (*t, 1u8)).collect::<Vec<_>>());
    let years = [1u64, 2, 5, 10]
        .into_iter()
        .map(|y| firsts.iter().filter(|t| date(**t).1 == 1 && date(**t).0.is_multiple_of(y)).map(|t| (*t, 0u8)).collect::<Vec<_>>());
    let coarse = hours.chain(days).chain(months).chain(years).find(|marks| marks.len() <= most).unwrap_or_default();
    coarse.into_iter().map(|(t, kind)| (t, word(t, kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_few() {
        let linear = Axis { low: 0.93, high: 1.87, log: false };
        assert_eq!(linear.marks(5.0).iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>(), ["1.00", "1.20", "1.40", "1.60", "1.80"]);
        let log = Axis { low: 80.0, high: 5_000.0, log: true };
        assert_eq!(log.marks(6.0), [100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0]);
        assert!((log.at(80.0)).abs() < 1e-9 && (log.at(5_000.0) - 1.0).abs() < 1e-9);
        let flat = Axis::around([5.0, 5.0].into_iter());
        assert!(flat.low < 5.0 && flat.high > 5.0 && flat.marks(4.0).len() < 12);
        assert!(Axis::around(std::iter::empty()).marks(4.0).len() < 12);
        for (from, to) in [(0u64, 90_000), (1_502_942_400, 1_735_689_600), (1_672_531_200, 1_675_000_000), (1_700_000_000, 1_700_000_600)] {
            let marks = times(from, to, 8);
            assert!(marks.len() <= 8 && marks.iter().all(|(t, _)| (from..=to).contains(t)), "{marks:?}");
        }
        assert_eq!(times(1_672_531_200, 1_735_689_600, 8).first().unwrap().1, "2023");
    }
}
