//! The one place that prints: stdout is data, stderr is talk.
//!
//! While a view has the terminal, talk is held back and the newest lines are kept for it; they are printed when it gives the
//! terminal back. Older lines are dropped, so that held talk is of bounded size.

use serde::Serialize;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Newest lines that are held.
const HELD: usize = 64;
/// Longest line that is held, characters.
const LINE: usize = 1_000;

thread_local! {
    /// Whose lines this thread speaks: a run beside others. Empty: nobody else speaks.
    static SPEAKER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lines that are held back; none: talk is printed.
static HELD_BACK: Mutex<Option<Lines>> = Mutex::new(None);

/// Prints a result: one versioned JSON envelope, or the text for people.
#[expect(clippy::print_stdout, reason = "the one place that prints data")]
pub(crate) fn data<T: Serialize>(json: bool, kind: &str, value: &T, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::json!({ "version": 1, "kind": kind, "result": serde_json::to_value(value)? }));
    } else {
        println!("{}", text());
    }
    Ok(())
}

/// Tells people something while it happens.
#[expect(clippy::print_stderr, reason = "the one place that talks")]
pub(crate) fn talk(text: impl AsRef<str>) {
    let text = spoken(text.as_ref());
    if !keep(&text) {
        eprintln!("{text}");
    }
}

/// From now on, lines of this thread begin with a run's name; empty: with none.
pub(crate) fn speak_as(name: &str) {
    SPEAKER.with_borrow_mut(|speaker| name.clone_into(speaker));
}

/// Whose lines this thread speaks; empty: nobody else speaks.
pub(crate) fn speaker() -> String {
    SPEAKER.with_borrow(Clone::clone)
}

fn spoken(text: &str) -> String {
    SPEAKER.with_borrow(|name| if name.is_empty() { text.to_owned() } else { format!("[{name}] {text}") })
}

/// From now on, talk is held back.
pub(crate) fn hold() {
    held_back().get_or_insert_default();
}

/// Prints what was held back, and holds nothing from now on.
#[expect(clippy::print_stderr, reason = "the one place that talks")]
pub(crate) fn release() {
    // Under the lock: what is said meanwhile comes after it.
    let mut held = held_back();
    for line in held.take().into_iter().flat_map(|lines| lines.0) {
        eprintln!("{line}");
    }
}

/// Whether talk is held back.
pub(crate) fn is_held() -> bool {
    held_back().is_some()
}

/// The lines that are held back, oldest first.
pub(crate) fn held() -> Vec<String> {
    held_back().iter().flat_map(|lines| &lines.0).cloned().collect()
}

/// Where the log is written: stderr, or held back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = spoken(&String::from_utf8_lossy(bytes));
        if !keep(&text) {
            std::io::stderr().write_all(text.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn held_back() -> MutexGuard<'static, Option<Lines>> {
    HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the lines of a text, if talk is held back.
fn keep(text: &str) -> bool {
    held_back().as_mut().map(|lines| lines.push(text)).is_some()
}

/// The newest lines, without colours and control characters.
#[derive(Debug, Default)]
struct Lines(VecDeque<String>);

impl Lines {
    fn push(&mut self, text: &str) {
        for line in console::strip_ansi_codes(text).lines() {
            self.0.push_back(line.chars().filter(|c| !c.is_control()).take(LINE).collect());
        }
        self.0.drain(..self.0.len().saturating_sub(HELD));
    }
}

/// A two-column table.
#[must_use]
pub(crate) fn table(rows: &[(String, String)]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    for (key, value) in rows {
        table.add_row([key, value]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_lines_are_the_newest_and_have_no_control_characters() {
        let mut lines = Lines::default();
        for n in 0..HELD {
            lines.push(&format!("line {n}"));
        }
        lines.push("\u{1b}[33mWARN\u{1b}[0m a\u{7}b\nsecond \u{1b}[2J\u{1b}c\u{9b}line\n");
        lines.push(&"x".repeat(2 * LINE));
        assert_eq!((lines.0.len(), lines.0[0].as_str()), (HELD, "line 3"));
        assert_eq!(lines.0[HELD - 3], "WARN ab");
        assert!(lines.0[HELD - 2].starts_with("second ") && !lines.0[HELD - 2].contains(char::is_control), "{:?}", lines.0[HELD - 2]);
        assert_eq!(lines.0[HELD - 1].len(), LINE);
    }
}
