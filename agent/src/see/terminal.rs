//! The view on the terminal that runs the agent.
//!
//! A thread of its own looks at the feed and draws; the agent waits neither for it nor for a terminal that does not take what is
//! written. It takes no keys: Ctrl-C and Ctrl-Z mean what they always mean. A panic, the end and a stop from the keyboard give
//! the terminal back; a process killed with SIGKILL cannot.

mod drawing;
mod parts;
mod screen;
#[cfg(test)]
mod tests;

use crate::output;
use crate::see::Feed;
use anyhow::{Context, Result};
use drawing::Seen;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use screen::Ink;
use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use screen::{is_wanted, shows_decisions};

/// Time between two looks at the feed: five frames a second at most.
const PACE: Duration = Duration::from_millis(200);
/// Time between two frames where nothing happens: durations go on.
const REST: Duration = Duration::from_secs(1);
/// What a shell says of a process that SIGQUIT ended.
const QUIT: i32 = 131;

/// The view; dropped, it gives the terminal back.
pub(crate) struct Terminal {
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts the view where a person can see it, or does nothing. It comes up with the run's start: until then, lines are
    /// printed and passwords asked for as without it.
    pub(crate) fn start(plain: bool, feed: &Feed) -> Result<Option<Self>> {
        if plain || !is_for_people() {
            return Ok(None);
        }
        screen::want();
        give_back_on_signals()?;
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            screen::leave_for_good();
            before(panic);
        }));
        let (end, ended) = sync_channel(1);
        let feed = feed.clone();
        let thread = std::thread::Builder::new().name("terminal".into()).spawn(move || Showing::of(feed).go_on(&ended));
        Ok(Some(Self { end: Some(end), thread: Some(thread.context("the view's thread")?) }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has given the terminal back.
            drop(thread.join());
        }
        screen::leave_for_good();
    }
}

/// Whether both streams are a terminal in the foreground that can be drawn on, and nobody said otherwise.
fn is_for_people() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let able = set("TERM").is_some_and(|t| t != "dumb") && set("NO_TUI").is_none();
    able && std::io::stdout().is_terminal() && std::io::stderr().is_terminal() && screen::has_room() && screen::is_ours()
}

/// Ctrl-Z and Ctrl-\ do what they do, after the terminal is given back; the view comes up again when the run is back in front.
fn give_back_on_signals() -> Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    let mut suspend = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let mut resumed = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    let mut quit = signal(SignalKind::quit())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = suspend.recv() => {
                    screen::leave();
                    if let Err(error) = kill_process(getpid(), Signal::STOP) {
                        output::talk(format!("cannot be suspended: {error}"));
                    }
                }
                // Others have written on it.
                _ = resumed.recv() => screen::leave(),
                _ = quit.recv() => {
                    screen::leave_for_good();
                    std::process::exit(QUIT);
                }
            }
        }
    });
    Ok(())
}

type Drawn = ratatui::Terminal<CrosstermBackend<Ink>>;

struct Showing {
    feed: Feed,
    started: Instant,
    /// Decisions that were there before this process made its first.
    before: Option<u32>,
    last: Option<Instant>,
    lines: Vec<String>,
    size: Size,
}

impl Showing {
    fn of(feed: Feed) -> Self {
        Self { feed, started: Instant::now(), before: None, last: None, lines: Vec::new(), size: Size::default() }
    }

    /// Draws until it is ended; a terminal that cannot be written to is given up.
    fn go_on(mut self, ended: &Receiver<()>) {
        let mut changes = self.feed.changes();
        let mut terminal = None;
        while ended.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) && is_wanted() {
            let changed = changes.has_changed().unwrap_or(false);
            if changed {
                changes.mark_unchanged();
            }
            if self.draw(&mut terminal, changed).is_err() {
                break;
            }
        }
        screen::leave_for_good();
    }

    fn draw(&mut self, terminal: &mut Option<Drawn>, changed: bool) -> std::io::Result<()> {
        if !screen::is_up() {
            *terminal = None;
            // A run that has a promise is set up.
            let shown = self.feed.shown();
            if shown.about.mandate.is_none() || !screen::enter()? {
                return Ok(());
            }
            self.before.get_or_insert(shown.figures.decided);
        }
        let fresh = terminal.is_none();
        let drawn = match terminal {
            Some(drawn) => drawn,
            None => terminal.insert(Drawn::new(CrosstermBackend::new(Ink::default()))?),
        };
        let (lines, size) = (output::held(), drawn.size()?);
        let due = self.last.is_none_or(|last| last.elapsed() >= REST);
        if fresh || changed || due || size != self.size || lines != self.lines {
            (self.lines, self.size, self.last) = (lines, size, Some(Instant::now()));
            let shown = self.feed.shown();
            let planned = self.feed.planned();
            let (running, made) = (self.started.elapsed(), shown.figures.decided.saturating_sub(self.before.unwrap_or_default()));
            let left = planned.filter(|_| made > 0);
            let left = left.map(|p| running.mul_f64(f64::from(p.saturating_sub(shown.figures.decided)) / f64::from(made)));
            drawn.draw(|frame| drawing::draw(frame, &Seen { shown: &shown, planned, running, left, lines: &self.lines }))?;
        }
        Ok(())
    }
}
