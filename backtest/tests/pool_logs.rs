//! A recorded day of logs becomes bars that agree with the minutes somebody else made of the same day.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests may panic and report")]

use probity_backtest::{Dataset, Scale, bars_of_logs, examine};
use probity_strategy::tick_at_price;
use std::path::PathBuf;

#[test]
fn a_day_of_logs_gives_its_minutes() {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/uniswap_v3/usdc_weth_2024-01-05"));
    let name = "ethereum-0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640-2024-01-05";
    if !dir.exists() {
        println!("SKIPPED: {} is absent, no recorded log was read", dir.display());
        return;
    }
    let made = bars_of_logs(&dir.join(format!("{name}.raw.csv")), 60, true, Scale::default()).unwrap();
    assert_eq!((made.swaps, made.others), (6_046, 188));
    assert_eq!(made.bars + made.empty, 1_440);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.csv");
    std::fs::write(&path, &made.csv).unwrap();
    assert!(examine(&path).unwrap().sound());
    let data = Dataset::read(&path, Scale::default(), None, None).unwrap();
    // Their closing tick of each minute with a swap is ours: mirrored, and a tick apart at most (floor of the inverse).
    let mut reader = csv::Reader::from_path(dir.join(format!("{name}.minute.csv"))).unwrap();
    let theirs: Vec<i32> = reader.records().map(|r| r.unwrap().get(3).unwrap().trim_end_matches(".0").parse().unwrap()).collect();
    let midnight = 1_704_412_800;
    for bar in &data.bars {
        let tick = theirs[usize::try_from((bar.open_s - midnight) / 60).unwrap()];
        assert!((-tick_at_price(bar.close) - tick).abs() <= 1, "{} {tick}", bar.open_s);
    }
    let hourly = bars_of_logs(&dir.join(format!("{name}.raw.csv")), 3_600, true, Scale::default()).unwrap();
    assert_eq!((hourly.bars, hourly.empty), (24, 0));
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "block_number,block_timestamp\n1,2\n").unwrap();
    assert!(bars_of_logs(&bad, 60, true, Scale::default()).unwrap_err().to_string().starts_with("line 1, header"));
}
