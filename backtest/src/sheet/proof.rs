//! What was proven of a run, in the words of its statement, and how to check it.

use super::escape;

/// The proof that goes with a report.
#[derive(Debug)]
pub struct Proof {
    /// What an accepted proof shows.
    pub shows: Vec<String>,
    /// What it leaves open.
    pub does_not_show: Vec<String>,
    /// Files and digests, as rows of words.
    pub rows: Vec<(String, String)>,
    /// The command that checks it.
    pub command: String,
}

/// The section of the page.
pub(super) fn section(proof: &Proof) -> String {
    let list = |lines: &[String]| lines.iter().map(|l| format!("<li>{}</li>", escape(l))).collect::<String>();
    let rows: String = proof
        .rows
        .iter()
        .map(|(k, v)| format!("<tr><td>{}</td><td class=\"wrap\"><code>{}</code></td></tr>", escape(k), escape(v)))
        .collect();
    format!(
        "<section><h2>What is proven</h2><ul>{}</ul><h2>What the proof does not show</h2><ul><li>That any of these trades happened: prices are recorded, fills are this backtest's.</li>{}</ul><table>{rows}</table><p class=\"sub\">To check it without this program's word: <code>{}</code></p></section>",
        list(&proof.shows),
        list(&proof.does_not_show),
        escape(&proof.command)
    )
}
