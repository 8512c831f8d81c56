//! Where what is shown stands on the terminal, in whatever size it has.
//!
//! What matters most comes first, and colours say nothing that words do not say.

use crate::see::Shown;
use crate::see::terminal::parts::{charts, decisions, figures};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, LineGauge, Paragraph, Wrap};
use std::time::Duration;

/// Width of one figure.
pub(super) const COLUMN: u16 = 30;
/// Lines of a health's reason at most.
const REASON: u16 = 3;

/// What is drawn.
pub(super) struct Seen<'a> {
    /// The run.
    pub(super) shown: &'a Shown,
    /// Decisions after which it ends.
    pub(super) planned: Option<u32>,
    /// How long this process has run.
    pub(super) running: Duration,
    /// How long it goes on, at the pace so far.
    pub(super) left: Option<Duration>,
    /// Newest lines, oldest first.
    pub(super) lines: &'a [String],
}

/// Draws one frame.
pub(super) fn draw(frame: &mut Frame<'_>, seen: &Seen<'_>) {
    let area = frame.area();
    let health = health(seen.shown);
    // Lines end at words, a little before their end.
    let long = health.width() + health.width() / 8;
    let reason = u16::try_from(long.div_ceil(usize::from(area.width.max(1)))).unwrap_or(REASON).clamp(1, REASON);
    let figures = figures(seen.shown);
    // A small terminal has fewer figures, not fewer decisions.
    let columns = (area.width / COLUMN).max(1);
    let rows = u16::try_from(figures.len()).unwrap_or(u16::MAX).div_ceil(columns).min((area.height / 5).max(2));
    let (drawn, said) = match area.height {
        0..16 => (0, 2),
        16..24 => (4, 3),
        24..36 => (8, 5),
        _ => (14, 9),
    };
    let heights = [Constraint::Length(1), Constraint::Length(reason), Constraint::Length(1), Constraint::Length(rows)];
    let heights = heights.into_iter().chain([Constraint::Length(drawn), Constraint::Min(3), Constraint::Length(said)]);
    let [top, state, progress, numbers, lines, table, log] = Layout::vertical(heights).areas(area);
    frame.render_widget(title(seen.shown), top);
    frame.render_widget(Paragraph::new(health).wrap(Wrap { trim: true }), state);
    frame.render_widget(gauge(seen), progress);
    for (n, (name, value)) in (0u16..).zip(figures) {
        let place = Rect { x: numbers.x + n % columns * COLUMN, y: numbers.y + n / columns, width: COLUMN - 1, height: 1 };
        let text = Line::from(vec![Span::from(format!("{name:<10}")).dim(), Span::from(value)]);
        frame.render_widget(text, place.intersection(numbers));
    }
    charts(frame, lines, seen.shown);
    decisions(frame, table, seen.shown);
    frame.render_widget(newest(seen.lines, log), log);
}

/// A part under its heading.
pub(super) fn headed<'a>(heading: impl Into<Line<'a>>) -> Block<'a> {
    Block::new().borders(Borders::TOP).border_style(Style::new().dim()).title_style(Style::new().bold().not_dim()).title(heading)
}

/// What is run, and whether its market or its trades are made up.
fn title(shown: &Shown) -> Line<'_> {
    let about = &shown.about;
    let mut words = vec![Span::from("probity ").bold()];
    if about.simulated {
        words.push(Span::styled(" SIMULATED ", Style::new().fg(Color::Black).bg(Color::Yellow).bold()));
        words.push(" ".into());
    }
    if about.paper {
        words.push(Span::styled(" PAPER ", Style::new().fg(Color::Black).bg(Color::Magenta).bold()));
        words.push(" ".into());
    }
    words.push(Span::from(about.source.as_str()));
    if let Some(mandate) = about.mandate.as_ref().filter(|_| !about.paper) {
        words.push(Span::from(format!("  vault {}", mandate.vault)).dim());
    }
    Line::from(words)
}

fn health(shown: &Shown) -> Line<'_> {
    let h = &shown.health;
    let colour = match h.state {
        "active" => Color::Green,
        "reducing" | "halted" => Color::Yellow,
        "fault" => Color::Red,
        _ => Color::Reset,
    };
    let mut words = vec![Span::styled(h.state.to_uppercase(), Style::new().fg(colour).add_modifier(Modifier::BOLD))];
    words.extend(h.reason.as_ref().map(|reason| Span::from(format!(": {reason}"))));
    words.extend(shown.about.rotation_ahead.map(|r| Span::from(format!("  new weights at #{}", r.at_step)).dim()));
    Line::from(words)
}

fn gauge<'a>(seen: &Seen<'a>) -> LineGauge<'a> {
    let (decided, running) = (seen.shown.figures.decided, clock(seen.running));
    let ratio = seen.planned.map_or(0.0, |p| f64::from(decided) / f64::from(p));
    let of = seen.planned.map_or_else(String::new, |p| format!(" of {p}"));
    let left = seen.left.map_or_else(String::new, |left| format!(", about {} left", clock(left)));
    let gauge = LineGauge::default().label(format!("{decided}{of} decisions, {running} so far{left}")).ratio(ratio.clamp(0.0, 1.0));
    gauge.filled_style(Style::new().fg(Color::Cyan)).unfilled_style(Style::new().dim())
}

/// The newest lines that have room.
fn newest(lines: &[String], area: Rect) -> Paragraph<'_> {
    let room = usize::from(area.height.saturating_sub(1));
    let shown: Vec<_> = lines.iter().skip(lines.len().saturating_sub(room)).map(|l| Line::from(l.as_str())).collect();
    Paragraph::new(shown).block(headed("Lines "))
}

/// Hours, minutes and seconds.
fn clock(time: Duration) -> String {
    let s = time.as_secs();
    if s < 3_600 { format!("{}:{:02}", s / 60, s % 60) } else { format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60) }
}
