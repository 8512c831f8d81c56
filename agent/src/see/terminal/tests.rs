//! The view's words in terminals of several sizes, of runs told through the feed.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use super::drawing::{Seen, draw};
use crate::journal::Outcome;
use crate::run::halt::Mode;
use crate::see::{About, Event, Feed, Pair, Shown};
use probity_verifier::{Line, LogReader};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

const GOLDEN: &str = include_str!("../../../../docs/formats/golden/log.jsonl");

fn about(simulated: bool) -> About {
    let log = LogReader::new(GOLDEN.as_bytes()).unwrap();
    let pair = Pair { base: "WETH".into(), base_decimals: 18, quote: "USDC".into(), quote_decimals: 6 };
    About::of(log.header(), "a walk from seed 7".into(), simulated, pair)
}

/// The golden log's run: buys, one that got no fill, the strategy's halt with its sells; the last three are under way.
fn run() -> Feed {
    let feed = Feed::default();
    feed.start(about(true));
    let mut log = LogReader::new(GOLDEN.as_bytes()).unwrap();
    let mut records = Vec::new();
    while let Some(line) = log.next_line().unwrap() {
        if let Line::Entry(entry) = line {
            records.push(entry.record);
        }
    }
    assert_eq!(records.len(), 12, "the golden log");
    for (n, record) in records.iter().enumerate() {
        let step = record.observation.step;
        feed.tell(&Event::Decided(Box::new(record.clone())));
        let fill = records.get(n + 1).and_then(|next| next.observation.fill.as_ref());
        let outcome = Outcome {
            tx_hash: format!("0x{step:064x}"),
            gas_used: 123_456,
            executed: fill.is_some(),
            amount_out: fill.map_or(0, |f| f.amount_out.raw()),
            proof_bytes: 0,
        };
        match step {
            0..10 => feed.tell(&Event::Outcome { step, outcome }),
            10 => feed.tell(&Event::Sent { step }),
            _ => {}
        }
    }
    feed.tell(&Event::Mode { mode: Mode::Reducing, why: "drawdown: the mandate's limit, at decision 10".into() });
    feed.tell(&Event::Folded { decisions: 9, ms: 412.0 });
    feed.tell(&Event::Proved { decisions: 8, bytes: 10_000, seconds: 3.5 });
    feed.tell(&Event::Posted { decisions: 4, gas_used: 1_000_000 });
    feed
}

/// The screen's lines.
fn screen(shown: &Shown, planned: Option<u32>, lines: &[String], (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let (running, left) = (Duration::from_secs(3_725), planned.map(|_| Duration::from_secs(65)));
    terminal.draw(|frame| draw(frame, &Seen { shown, planned, running, left, lines })).unwrap();
    let cells = terminal.backend().buffer().content();
    cells.chunks(width.into()).map(|line| line.iter().map(|c| c.symbol()).collect::<String>().trim_end().to_owned()).collect()
}

fn has(screen: &[String], words: &[&str]) {
    for word in words {
        assert!(screen.iter().any(|line| line.contains(word)), "{word:?} is not in\n{}", screen.join("\n"));
    }
}

fn lacks(screen: &[String], words: &[&str]) {
    for word in words {
        assert!(!screen.iter().any(|line| line.contains(word)), "{word:?} is in\n{}", screen.join("\n"));
    }
}

/// The line of a decision.
fn row<'a>(screen: &'a [String], step: &str) -> &'a str {
    screen.iter().find(|line| line.split_whitespace().next() == Some(step)).unwrap()
}

#[test]
fn an_empty_run_says_what_it_is_and_that_nothing_is_decided() {
    let feed = Feed::default();
    feed.start(about(false));
    let seen = screen(&feed.shown(), None, &[], (100, 30));
    has(&seen, &["probity", "a walk from seed 7", "vault 0x1111", "ACTIVE", "0 decisions, 1:02:05 so far", "no decision yet"]);
    has(&seen, &["Price     –", "Weight    –", "Return    –", "Backlog   0 decisions", "Block     –"]);
    lacks(&seen, &["SIMULATED", "NaN", "inf"]);
}

#[test]
fn a_run_shows_orders_in_units_with_transaction_and_proof() {
    let lines = ["halted for lunch".to_owned(), "it will be tried again: the node is away".to_owned()];
    let seen = screen(&run().shown(), Some(48), &lines, (120, 46));
    assert!(seen[0].starts_with("probity  SIMULATED "), "{}", seen[0]);
    has(&seen, &["REDUCING: drawdown: the mandate's limit, at decision 10"]);
    has(&seen, &["12 of 48 decisions, 1:02:05 so far, about 1:05 left"]);
    has(&seen, &["Backlog   8 decisions", "Folded    9 decisions", "Proven    8 decisions", "Posted    4 decisions"]);
    has(
        &seen,
        &["Last gas  123,456 gas", "All gas   2,234,560 gas", "Filled    4 buys, 0 sells", "No fill   1 orders", "Fold      412 ms"],
    );
    has(&seen, &["Price     2,160.12 USDC", "Portfolio 64,789.52 USDC", "Price, USDC", "Portfolio ⣿, buy and hold •, USDC"]);
    has(&seen, &["Lines", "halted for lunch", "it will be tried again: the node is away"]);
    has(&seen, &["price USDC", "weight", "order", "transaction", "gas", "proof"]);
    let words = |step| row(&seen, step).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words("11"), "11 2023-11-15 12:13 2,160.12 50.6 % sell 2.7776 WETH HALTED journaled waiting");
    assert_eq!(words("10"), "10 2023-11-15 11:13 2,040.65 58.7 % sell 2.9402 WETH HALTED sent waiting");
    assert!(words("9").ends_with("buy 6,000.00 USDC for 1.9944 WETH on chain 123,456 waiting"), "{}", words("9"));
    assert!(words("8").ends_with("hold on chain 123,456 folded"), "{}", words("8"));
    assert!(words("5").ends_with("on chain 123,456 proven"), "{}", words("5"));
    assert!(words("3").ends_with("buy 6,000.00 USDC no fill 123,456 posted"), "{}", words("3"));
    let newest_first: Vec<_> = seen.iter().filter_map(|l| l.split_whitespace().next()?.parse::<u32>().ok()).collect();
    assert!(newest_first.windows(2).all(|w| w[0] > w[1]), "{newest_first:?}");
    // Both lines are drawn, and they differ.
    let drawn: String = seen.concat();
    assert!(drawn.matches('•').count() > 5, "buy and hold");
    assert!(drawn.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count() > 20, "price and portfolio");
}

#[test]
fn a_small_terminal_keeps_what_matters_and_a_large_one_shows_all() {
    let shown = run().shown();
    let lines: Vec<_> = (0..64).map(|n| format!("line {n}")).collect();
    let small = screen(&shown, Some(48), &lines, (60, 20));
    has(
        &small,
        &[
            "SIMULATED",
            "REDUCING: drawdown: the mandate's limit",
            "12 of 48",
            "Price ",
            "Weight ",
            "Return ",
            "Holding ",
            "Backlog ",
            "Last gas ",
        ],
    );
    has(&small, &["sell 2.7776 WETH", "journaled", "waiting", "line 63"]);
    assert!(small.iter().all(|line| line.chars().count() <= 60));
    let large = screen(&shown, Some(48), &lines, (200, 50));
    has(&large, &["SIMULATED", "Decided", "Observed", "Compress", "for 1.9944 WETH", "line 63", "line 58"]);
    has(&large, &["0x0000000000000000000000000000000000000000000000000000000000000009"]);
    for step in 0..12 {
        row(&large, &step.to_string());
    }
    // None is too small to be drawn on.
    for size in [(1, 1), (1, 50), (200, 1), (20, 5), (40, 12)] {
        screen(&shown, Some(48), &lines, size);
    }
    has(&screen(&shown, Some(48), &lines, (30, 8)), &["SIMULATED", "REDUCING"]);
}

#[test]
fn an_end_and_a_fault_say_so() {
    let feed = run();
    feed.tell(&Event::Fault { message: "the disk is full\nand \u{1b}[31mred".into() });
    let seen = screen(&feed.shown(), None, &[], (80, 24));
    has(&seen, &["FAULT: the disk is full"]);
    lacks(&seen, &["\u{1b}"]);
    let feed = Feed::default();
    feed.start(about(true));
    feed.tell(&Event::Ended { sealed: true });
    has(&screen(&feed.shown(), None, &[], (80, 24)), &["SEALED"]);
}
