//! What is wrong with a file of bars: everything at once, with places, and nothing repaired.

use crate::BacktestError;
use crate::dataset::{COLUMNS, fixed, text_of};
use serde::Serialize;
use std::path::Path;

/// A kind of finding and where it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How often.
    pub count: u64,
    /// The first places: line (from 1, header included) and what is there.
    pub first: Vec<(u64, String)>,
}

/// What an examination says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Rows below the header.
    pub rows: u64,
    /// First and last opening time, unix seconds, of the rows that could be read.
    pub span: Option<(u64, u64)>,
    /// Smallest distance of two neighbours in order, seconds.
    pub interval_s: Option<u64>,
    /// Rows that cannot be read: columns, numbers, times.
    pub unreadable: Found,
    /// Times that were there already.
    pub duplicates: Found,
    /// Times before the one above.
    pub backward: Found,
    /// Times off the grid of the interval.
    pub off_grid: Found,
    /// High below open, close or low; low above open or close; prices of 0.
    pub impossible: Found,
    /// Places where bars are absent. Not an error: markets stop. A backtest sees them and never fills them.
    pub gaps: Found,
    /// Bars absent altogether.
    pub missing: u64,
    /// Bars without volume. Not an error.
    pub no_volume: Found,
    /// Closes more than half away from the one before. Not an error, but look.
    pub jumps: Found,
}

impl Examination {
    /// Whether a backtest would take the file.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.rows > 1 && [&self.unreadable, &self.duplicates, &self.backward, &self.off_grid, &self.impossible].iter().all(|f| f.count == 0)
    }
}

/// Places that are told of each kind.
const TOLD: usize = 5;

impl Found {
    const fn none() -> Self {
        Self { count: 0, first: Vec::new() }
    }

    fn add(&mut self, line: u64, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push((line, what()));
        }
    }
}

struct Row {
    line: u64,
    open_s: u64,
    close: u128,
}

/// Examines a `.csv`, `.csv.gz` or `.parquet` file of `ts_ms,open,high,low,close,volume`.
pub fn examine(path: &Path) -> Result<Examination, BacktestError> {
    let (sha256, text) = text_of(path)?;
    let mut out = Examination {
        sha256,
        rows: 0,
        span: None,
        interval_s: None,
        unreadable: Found::none(),
        duplicates: Found::none(),
        backward: Found::none(),
        off_grid: Found::none(),
        impossible: Found::none(),
        gaps: Found::none(),
        missing: 0,
        no_volume: Found::none(),
        jumps: Found::none(),
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_slice());
    let mut rows: Vec<Row> = Vec::new();
    for (i, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                out.unreadable.add(e.position().map_or(0, csv::Position::line), || e.to_string());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if i == 0 {
            if record.iter().ne(COLUMNS) {
                out.unreadable.add(line, || format!("header: expected {}", COLUMNS.join(",")));
            }
            continue;
        }
        out.rows += 1;
        let cell = |i: usize| record.get(i).unwrap_or("");
        if record.len() != COLUMNS.len() {
            out.unreadable.add(line, || format!("{} columns, expected {}", record.len(), COLUMNS.len()));
            continue;
        }
        let Some(open_s) = cell(0).parse::<u64>().ok().filter(|ms| ms.is_multiple_of(1_000)).map(|ms| ms / 1_000) else {
            out.unreadable.add(line, || format!("ts_ms: {:?}, expected whole seconds in milliseconds", cell(0)));
            continue;
        };
        let numbers: Vec<Option<u128>> = (1..6).map(|i| fixed(cell(i))).collect();
        let &[Some(open), Some(high), Some(low), Some(close), Some(volume)] = numbers.as_slice() else {
            let at = numbers.iter().position(Option::is_none).map_or(0, |i| i + 1);
            out.unreadable.add(line, || format!("{}: {:?}, expected a decimal number", COLUMNS.get(at).unwrap_or(&""), cell(at)));
            continue;
        };
        if low == 0 || high < low || high < open.max(close) || low > open.min(close) {
            out.impossible.add(line, || format!("open {}, high {}, low {}, close {}", cell(1), cell(2), cell(3), cell(4)));
        }
        if volume == 0 {
            out.no_volume.add(line, || format!("at {}", crate::utc(open_s)));
        }
        rows.push(Row { line, open_s, close });
    }
    let times = || rows.iter().map(|r| r.open_s);
    out.span = times().min().zip(times().max());
    out.interval_s = rows.iter().zip(rows.iter().skip(1)).filter(|(a, b)| b.open_s > a.open_s).map(|(a, b)| b.open_s - a.open_s).min();
    let step = out.interval_s.unwrap_or(1).max(1);
    let mut last: Option<&Row> = None;
    let mut seen = std::collections::BTreeSet::new();
    for row in &rows {
        if !seen.insert(row.open_s) {
            out.duplicates.add(row.line, || crate::utc(row.open_s));
        } else if let Some(before) = last {
            if row.open_s < before.open_s {
                out.backward.add(row.line, || format!("{} after {}", crate::utc(row.open_s), crate::utc(before.open_s)));
            } else {
                let distance = row.open_s - before.open_s;
                if distance % step != 0 {
                    out.off_grid.add(row.line, || format!("{distance} s after the one above, on a grid of {step} s"));
                } else if distance > step {
                    out.missing += distance / step - 1;
                    out.gaps.add(row.line, || format!("{} bars absent before {}", distance / step - 1, crate::utc(row.open_s)));
                }
                if row.close > before.close.saturating_mul(3) / 2 || row.close < before.close / 2 {
                    out.jumps.add(row.line, || format!("at {}", crate::utc(row.open_s)));
                }
            }
        }
        last = Some(row);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_at_once_where_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let body = "ts_ms,open,high,low,close,volume\n0,1,2,0.5,1.5,10\n60000,1,2,0.5,1.5,0\n60000,1,2,0.5,1.5,1\n240000,1,0.9,0.5,1,1\n\
                    120000,1,2,0.5,1,1\nx,1,2,0.5,1,1\n300000,1,2,0.5,1\n330000,1,9,0.5,9,1\n360000,1,2,1e3,1,1\n";
        std::fs::write(file.path(), body).unwrap();
        let e = examine(file.path()).unwrap();
        assert_eq!((e.rows, e.span, e.interval_s, e.sound()), (9, Some((0, 330)), Some(60), false));
        let lines = |f: &Found| f.first.iter().map(|(l, _)| *l).collect::<Vec<_>>();
        assert_eq!(lines(&e.unreadable), [7, 8, 10]);
        assert_eq!(lines(&e.duplicates), [4]);
        assert_eq!(lines(&e.backward), [6]);
        assert_eq!(lines(&e.impossible), [5]);
        assert_eq!(lines(&e.no_volume), [3]);
        assert_eq!(lines(&e.off_grid), [9]);
        assert_eq!((lines(&e.gaps), e.missing), (vec![5], 2));
        assert_eq!(lines(&e.jumps), [9]);
        std::fs::write(file.path(), "ts_ms,open,high,low,close,volume\n0,1,2,0.5,1.5,10\n60000,1,2,0.5,1.5,0\n180000,1,2,0.5,1.5,1\n")
            .unwrap();
        let e = examine(file.path()).unwrap();
        assert!(e.sound() && e.gaps.count == 1 && e.missing == 1);
    }
}
