//! The report for people: what it recomputes from a log, and that no log makes it fail or speak in markup.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use probity_verifier::{Evidence, Report, Story, VECTOR_LOG, VECTOR_MANDATE, Verdict, attacks, audit};
use serde_json::Value;

fn report(log: &str) -> Report {
    audit(log.as_bytes(), Evidence::default(), |_| unreachable!("no proof, no keys"))
}

fn story(log: &str) -> Story {
    Story::read(log.as_bytes(), report(log), Some("USDC:6/WETH:18".parse().unwrap()))
}

/// Value of the holdings of a line, by its own arithmetic: floor(base · price / 2^64) + quote, for amounts that fit.
fn nav(line: &Value) -> u128 {
    let number = |name: &str| line["record"]["observation"][name].as_str().unwrap().parse::<u128>().unwrap();
    let (base, price) = (number("base"), number("price_x64"));
    number("quote") + (base >> 32) * price / (1 << 32) + (((base & 0xffff_ffff) * price) >> 64)
}

#[test]
fn performance_is_recomputed_from_the_log() {
    let told = story(VECTOR_LOG);
    let lines: Vec<Value> = VECTOR_LOG.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let records: Vec<&Value> = lines.iter().filter(|l| l.get("record").is_some()).collect();
    let p = told.performance.as_ref().unwrap();
    let orders = records.iter().filter(|l| !l["record"]["decision"]["order"].is_null()).count();
    let fills = records.iter().filter(|l| !l["record"]["observation"]["fill"].is_null()).count();
    assert_eq!((usize::try_from(p.orders).unwrap(), usize::try_from(p.fills).unwrap()), (orders, fills));
    assert!(p.first_nav.abs_diff(nav(records[0])) <= 2 && p.last_nav.abs_diff(nav(records[records.len() - 1])) <= 2);
    // One deposit of 1 USDC at decision 3, and the return without it: the product of the changes of value without the flow.
    assert_eq!((p.put_in, p.taken_out, p.flows), (1_000_000, 0, 1));
    let mut index = 1_000_000_000u128;
    for (k, pair) in records.windows(2).enumerate() {
        let flow = if k + 1 == 3 { 1_000_000 } else { 0 };
        index = index * (nav(pair[1]) - flow) / nav(pair[0]);
    }
    let expected = i64::try_from(index / 1_000).unwrap() - 1_000_000;
    assert!((p.return_ppm - expected).abs() <= 1, "{} and {expected}", p.return_ppm);
    assert_eq!((told.points.len(), told.limits.len()), (records.len(), 8));
    // Every limit of the mandate has a row.
    let mandate: Value = serde_json::from_str(VECTOR_MANDATE).unwrap();
    let fields: Vec<&str> = told.limits.iter().map(|r| r.field).collect();
    for name in mandate["limits"].as_object().unwrap().keys().filter(|n| *n != "turnover_window_steps") {
        assert!(fields.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_page_stands_alone_and_says_its_verdict() {
    let page = story(VECTOR_LOG).page();
    assert!(page.contains("Rejected") && page.contains("proof missing") && page.contains("Not shown"));
    for outside in ["http:", "https:", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg").count(), 2);
}

#[test]
fn no_log_breaks_the_report() {
    for attack in attacks() {
        let told = story(&attack.log);
        let page = told.page();
        assert!(page.contains("</html>"), "{}", attack.name);
        assert_eq!(told.report.verdict, Verdict::Rejected, "{}: there is no proof here", attack.name);
        // As JSON and as a tree: no number is too large for either.
        serde_json::to_value(&told).unwrap();
    }
    let huge = VECTOR_LOG.replace("\"base\":\"1", "\"base\":\"7000000000").replace("\"quote\":\"5", "\"quote\":\"79000000000000000");
    serde_json::to_value(story(&huge)).unwrap();
    let markup = VECTOR_LOG.replacen("\"program_version\":\"", "\"program_version\":\"<script>alert(1)</script>", 1);
    let page = story(&markup).page();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}
