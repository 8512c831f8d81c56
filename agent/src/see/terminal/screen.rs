//! Who has the terminal: the lines, or the view on its alternate screen.
//!
//! Frames are written whole and only while the view has it. What was typed meanwhile is not shown and is thrown away; the
//! terminal's modes come back as they were.

use crate::output;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::queue;
use ratatui::crossterm::style::ResetColor;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};
use std::io::{Result, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether a view is to be had.
static WANTED: AtomicBool = AtomicBool::new(false);
/// The modes before the view had the terminal; none: it has not.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// A view is to be had.
pub(super) fn want() {
    WANTED.store(true, Ordering::SeqCst);
}

/// Whether a view is to be had: what else draws on the terminal does not.
pub(crate) fn is_wanted() -> bool {
    WANTED.load(Ordering::SeqCst)
}

/// Whether decisions are in the view's table: it has the terminal, or will have it at its next look.
pub(crate) fn shows_decisions() -> bool {
    is_up() || (is_wanted() && is_ours() && has_room())
}

/// Whether the terminal has a size.
pub(super) fn has_room() -> bool {
    tcgetwinsize(stderr()).is_ok_and(|size| size.ws_row > 0 && size.ws_col > 0)
}

/// Whether this process is in front on it: one in the background may not set its modes.
pub(super) fn is_ours() -> bool {
    tcgetpgrp(stderr()).is_ok_and(|front| front == getpgrp())
}

/// Whether the view has the terminal.
pub(super) fn is_up() -> bool {
    before().is_some()
}

/// Takes the terminal, if it can be had.
pub(super) fn enter() -> Result<bool> {
    let mut before = before();
    if !is_wanted() || !is_ours() || !has_room() {
        return Ok(false);
    }
    let modes = tcgetattr(stderr())?;
    let mut unseen = modes.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    output::hold();
    *before = Some(modes);
    tcsetattr(stderr(), OptionalActions::Now, &unseen)?;
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, Hide, Clear(ClearType::All))?;
    write(&bytes)?;
    Ok(true)
}

/// Gives it back, with the lines that were held back.
pub(super) fn leave() {
    let mut before = before();
    let Some(modes) = before.take() else { return };
    let mut bytes = Vec::new();
    // Nothing more can be done about a terminal that is gone.
    drop(queue!(bytes, ResetColor, Show, LeaveAlternateScreen));
    drop(write(&bytes));
    if is_ours() {
        tcsetattr(stderr(), OptionalActions::Flush, &modes).unwrap_or_default();
    }
    output::release();
}

/// Gives it back and does not take it again.
pub(super) fn leave_for_good() {
    WANTED.store(false, Ordering::SeqCst);
    leave();
}

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut to = stderr().lock();
    to.write_all(bytes)?;
    to.flush()
}

/// Gathers a frame and writes it at once; dropped where the view does not have the terminal.
#[derive(Default)]
pub(super) struct Ink(Vec<u8>);

impl Write for Ink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.0);
        let before = before();
        if before.is_some() { write(&bytes) } else { Ok(()) }
    }
}
