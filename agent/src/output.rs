//! The one place that prints: stdout is data, stderr is talk.

use serde::Serialize;

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
    eprintln!("{}", text.as_ref());
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
