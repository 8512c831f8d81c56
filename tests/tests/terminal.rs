//! The view on a terminal, through the binary on a pseudo terminal: it comes up, nothing tears it, and whatever ends the run, the
//! terminal is given back as it was.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use probity_tests::{json, run};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SIZE: (u16, u16) = (100, 30);
const SETTINGS: &[(&str, &str)] = &[
    ("PROBITY__MANDATE__WARMUP_STEPS", "1"),
    ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1"),
    ("PROBITY__POSTING__EVERY_DECISIONS", "1000"),
    ("PROBITY_LOG", "info"),
    ("TERM", "xterm-256color"),
    ("NO_TUI", ""),
];
/// Longer than anything takes; what is waited for and does not come fails the test.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program on a terminal of its own.
struct Tty {
    keys: File,
    line: OwnedFd,
    modes: String,
    written: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

/// What is on it.
#[derive(Debug, Default)]
struct Screen {
    /// Everything written beside the alternate screen.
    lines: String,
    /// The alternate screen, as it is or was last.
    view: Vec<Vec<char>>,
    is_up: bool,
    cursor_hidden: bool,
    /// Line breaks while the alternate screen was up: frames have none.
    torn: usize,
}

impl Screen {
    fn of(bytes: &[u8]) -> Self {
        let (width, height) = (usize::from(SIZE.0), usize::from(SIZE.1));
        let mut screen = Self { view: vec![vec![' '; width]; height], ..Self::default() };
        let (mut x, mut y) = (0, 0);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\u{1b}' => {
                    if chars.next() != Some('[') {
                        continue;
                    }
                    let mut numbers = String::new();
                    let end = chars.by_ref().find(|c| {
                        numbers.push(*c);
                        ('@'..='~').contains(c)
                    });
                    numbers.pop();
                    match (numbers.as_str(), end) {
                        ("?1049", Some(end)) => screen.is_up = end == 'h',
                        ("?25", Some(end)) => screen.cursor_hidden = end == 'l',
                        (_, Some('H')) => {
                            let mut to = numbers.split(';').map(|n| n.parse::<usize>().unwrap_or(1) - 1);
                            (y, x) = (to.next().unwrap_or(0), to.next().unwrap_or(0));
                        }
                        (_, Some('J')) => screen.view = vec![vec![' '; width]; height],
                        _ => {}
                    }
                }
                _ if !screen.is_up => screen.lines.push(c),
                '\n' | '\r' => screen.torn += 1,
                _ => {
                    if let Some(cell) = screen.view.get_mut(y).and_then(|row| row.get_mut(x)) {
                        *cell = c;
                    }
                    x += 1;
                }
            }
        }
        screen
    }

    fn text(&self) -> String {
        self.view.iter().map(|row| row.iter().collect::<String>() + "\n").collect()
    }
}

impl Tty {
    fn start(args: &[&str], more: &[(&str, &str)]) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let line = open(ptsname(&keys, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&line, Winsize { ws_row: SIZE.1, ws_col: SIZE.0, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let modes = modes(&line);
        // The terminal becomes the program's own, so that its keys are signals.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(probity_tests::binary("probity").unwrap()).args(args);
        command.envs(SETTINGS.iter().copied()).envs(more.iter().copied());
        let end = || line.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let keys = File::from(keys);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut from, to) = (keys.try_clone().unwrap(), Arc::clone(&written));
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(n) = from.read(&mut bytes) {
                to.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Self { keys, line, modes, written, child }
    }

    fn screen(&self) -> Screen {
        Screen::of(&self.written.lock().unwrap())
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), signal).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn wait(&self, what: &str, is: impl Fn(&Screen) -> bool) -> Screen {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if is(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "{what} did not come; up: {}\n{}\n{}", screen.is_up, screen.text(), screen.lines);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the view shows so many decisions.
    fn decides(&self, decisions: usize) -> Screen {
        let rows = |s: &Screen| s.text().lines().filter_map(|l| l.split_whitespace().next()?.parse::<u32>().ok()).count();
        self.wait("the view with decisions", |s| s.is_up && rows(s) >= decisions)
    }

    /// The exit code, and what is on the terminal then.
    fn ended(&mut self) -> (Option<i32>, Screen) {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if started.elapsed() > PATIENCE => panic!("it did not end\n{}", self.screen().text()),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        // What it wrote last may still be on its way.
        std::thread::sleep(Duration::from_millis(500));
        (status.code(), self.screen())
    }

    fn given_back(&self, screen: &Screen) {
        assert!(!screen.is_up && !screen.cursor_hidden, "the screen is given back\n{}", screen.lines);
        assert_eq!(screen.torn, 0, "something wrote lines over the view\n{}", screen.text());
        assert_eq!(modes(&self.line), self.modes);
        assert!(!screen.lines.contains("so far"), "no progress bar was drawn\n{}", screen.lines);
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn modes(line: &OwnedFd) -> String {
    format!("{:?}", tcgetattr(line).unwrap())
}

fn args(dir: &Path) -> Vec<&str> {
    vec!["run", "--dir", dir.to_str().unwrap(), "--decisions", "400", "--posting", "every"]
}

fn stop_chains(dir: &Path) {
    assert_eq!(run("probity", &["chain", "stop", "--dir", dir.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn ctrl_c_seals_the_run_and_the_terminal_is_as_before() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut tty = Tty::start(&args(&dir), &[("PROBITY__POSTING__EVERY_DECISIONS", "4")]);
    let screen = tty.decides(6);
    assert!(screen.lines.contains("starting a stand-in mainnet"), "what is said before it comes up: {}", screen.lines);
    assert!(!screen.lines.contains("#0"), "decisions are in its table: {}", screen.lines);
    let text = screen.text();
    assert!(text.starts_with("probity  SIMULATED "), "{text}");
    for words in ["ACTIVE", " of 400 decisions, ", "Price", "Weight", "Backlog", "Last gas", "buy and hold", "on chain", "Lines"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(screen.cursor_hidden && !tty.echoes());
    tty.press(b"typed by chance");
    let posted = tty.wait("a posted proof", |s| s.text().contains("posted"));
    assert!(!posted.text().contains("typed"), "{}", posted.text());
    tty.press(b"\x03");
    let (code, screen) = tty.ended();
    assert_eq!(code, Some(0), "{}", screen.lines);
    tty.given_back(&screen);
    assert!(screen.lines.contains("proving all decisions"), "lines that were held back: {}", screen.lines);
    let known = json(&run("probity", &["--json", "inspect", dir.to_str().unwrap()]));
    assert_eq!(known["result"]["sealed"], true, "{known}");
}

#[test]
fn suspended_and_terminated_runs_give_the_terminal_back() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let mut tty = Tty::start(&args(&dir), &[]);
    tty.decides(1);
    tty.press(b"\x1a");
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", tty.child.id())).unwrap();
    let screen = tty.wait("the suspension", |s| !s.is_up && state().rsplit(") ").next().unwrap().starts_with('T'));
    assert!(tty.echoes() && !screen.cursor_hidden);
    tty.signal(Signal::CONT);
    tty.decides(2);
    assert!(!tty.echoes());
    tty.signal(Signal::TERM);
    let (code, screen) = tty.ended();
    assert_eq!(code, Some(0), "{}", screen.lines);
    tty.given_back(&screen);
    // It is not sealed: it goes on, and its error is said after the terminal is given back.
    let mut tty = Tty::start(&args(&dir), &[]);
    let screen = tty.decides(3);
    assert!(screen.text().contains("SIMULATED"), "{}", screen.text());
    stop_chains(&dir);
    let (code, screen) = tty.ended();
    assert_eq!(code, Some(2), "{}", screen.lines);
    tty.given_back(&screen);
    assert!(screen.lines.contains("error: "), "{}", screen.lines);
}

#[test]
fn lines_are_printed_where_they_are_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let flags: [&[&str]; 4] = [&["--plain"], &["--json"], &[], &[]];
    let env: [&[(&str, &str)]; 4] = [&[], &[], &[("NO_TUI", "1")], &[("TERM", "dumb")]];
    for (n, (flags, env)) in flags.into_iter().zip(env).enumerate() {
        let dir = temp.path().join(n.to_string());
        let args = [args(&dir).as_slice(), flags].concat();
        let mut tty = Tty::start(&args, env);
        // Ended before its end: what it would prove then is not asked for here.
        tty.wait("a decision", |s| s.lines.contains("#1 ") || s.is_up);
        tty.signal(Signal::TERM);
        let (code, screen) = tty.ended();
        assert_eq!(code, Some(0), "{flags:?} {env:?}: {}", screen.lines);
        assert!(screen.lines.contains("#1 ") && screen.lines.contains("nav"), "{flags:?} {env:?}: {}", screen.lines);
        assert!(!String::from_utf8_lossy(&tty.written.lock().unwrap()).contains("[?1049"), "{flags:?} {env:?}");
        assert_eq!(modes(&tty.line), tty.modes);
    }
}
