//! The report of an audit for a person who was not there: one self-contained page, and the same as data.
//!
//! [`Story::read`] goes once more over the log, in bounded memory, and recomputes what the decisions did; [`Story::page`] draws it,
//! [`Story::section`] is its inside, for a page that is already open. Nothing here decides anything: the verdict is the audit's.
//! No clock, no I/O, no floats; text from a log is escaped.

mod html;
mod limits;
mod meaning;
mod svg;
mod text;
mod track;

pub use limits::LimitRow;
pub use text::Units;
pub use track::{Closeness, Closest, Performance, Point, TradeMark};

use crate::{CIRCUIT_VERSION, Coverage, ENVELOPE_VERSION, Header, LOG_VERSION, Line, LogReader, Origin, REPORT_VERSION, Report};
use serde::Serialize;
use std::io::BufRead;

/// Version of the story's JSON.
pub const STORY_VERSION: u16 = 1;
/// The page's style, for whoever embeds a section.
pub const STORY_STYLE: &str = include_str!("style.css");

/// Versions that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// This program.
    pub program: &'static str,
    /// Who wrote the log, by its own word.
    pub log_written_by: String,
    /// Formats and circuit.
    pub log: u16,
    /// Proof envelope.
    pub envelope: u16,
    /// Circuit.
    pub circuit: u16,
    /// Audit report.
    pub report: u16,
}

/// Everything a report shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// [`STORY_VERSION`].
    pub version: u16,
    /// The audit.
    pub report: Report,
    /// The log's header; none if it does not parse.
    pub header: Option<Header>,
    /// How raw units were read.
    pub units: Option<Units>,
    /// What the funds did.
    pub performance: Option<Performance>,
    /// The mandate's limits, and how close each came.
    pub limits: Vec<LimitRow>,
    /// What the drawing shows.
    pub points: Vec<Point>,
    /// Fills that are drawn.
    pub marks: Vec<TradeMark>,
    /// What this audit did not look at.
    pub not_checked: Vec<String>,
    /// Versions.
    pub versions: Versions,
}

impl Story {
    /// Reads a log again, beside the report of its audit.
    pub fn read<R: BufRead>(log: R, report: Report, units: Option<Units>) -> Self {
        let mut story = Self {
            version: STORY_VERSION,
            not_checked: not_checked(&report),
            report,
            header: None,
            units,
            performance: None,
            limits: Vec::new(),
            points: Vec::new(),
            marks: Vec::new(),
            versions: Versions {
                program: env!("CARGO_PKG_VERSION"),
                log_written_by: String::new(),
                log: LOG_VERSION,
                envelope: ENVELOPE_VERSION,
                circuit: CIRCUIT_VERSION,
                report: REPORT_VERSION,
            },
        };
        let Ok(mut reader) = LogReader::new(log) else { return story };
        let header = reader.header().clone();
        story.versions.log_written_by.clone_from(&header.program_version);
        if header.mandate.validate().is_ok() {
            let mut tracker = track::Tracker::new(&header.mandate);
            while let Ok(Some(line)) = reader.next_line() {
                if let Line::Entry(entry) = line {
                    tracker.entry(&entry);
                }
            }
            tracker.finish();
            story.limits = limits::rows(&header.mandate, &tracker.closeness, &tracker.performance, story.units.as_ref());
            if !tracker.points.is_empty() {
                story.performance = Some(tracker.performance);
            }
            (story.points, story.marks) = (tracker.points, tracker.marks);
        }
        story.header = Some(header);
        story
    }

    /// One self-contained page.
    #[must_use]
    pub fn page(&self) -> String {
        html::page(self)
    }

    /// The inside of the page.
    #[must_use]
    pub fn section(&self) -> String {
        html::section(self)
    }
}

/// What an audit with this report left out.
fn not_checked(report: &Report) -> Vec<String> {
    let Coverage { decisions, proven, replayed, .. } = report.coverage;
    let mut out = Vec::new();
    if report.chain.is_none() {
        out.push(
            "The chain: registration, observations, orders, fills and posted proofs were not compared with it (probity audit --rpc does)."
                .to_owned(),
        );
    }
    if let Some(chain) = report.chain.as_ref().filter(|c| c.pool_proven < c.decisions) {
        let left = chain.decisions.saturating_sub(chain.pool_proven);
        out.push(format!("The pool's own state: the mean ticks of {left} of {} decisions were not proven from it in this audit; for those the vault's events, as the node tells them, stand.", chain.decisions));
    }
    if let Some(since) = &report.since {
        out.push(format!("Decisions before {} line by line: the earlier audit's state stands for them.", since.decisions));
    }
    if proven < decisions {
        out.push(format!("By proof: the decisions from {proven} on. For those only the arithmetic that needs no model was checked."));
    }
    if replayed < decisions {
        out.push("By replay: the model was not opened to this audit, so no decision was computed again from its weights (the proof stands for that).".to_owned());
    }
    if !matches!(report.parameters, Some(Origin::Transparent | Origin::KnownCeremony { .. })) && report.parameters.is_some() {
        out.push("The parameters' ceremony: somebody's word stands for it.".to_owned());
    }
    out.push("Gas, taxes, and whatever the operator earns or pays outside the vault: no log holds them.".to_owned());
    out.push("Whether the strategy is any good: past figures below are arithmetic, not advice.".to_owned());
    out
}
