//! Points are written by abscissa and sign, and a square root is most of reading one. Who writes points for itself can have their
//! ordinates recorded beside them; reading then asks whether an ordinate is the one of its point, which takes no root. The points
//! read, and the bytes that are refused, are the same with and without.

use std::cell::RefCell;

/// Bytes of an ordinate.
const LENGTH: usize = 32;

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Off,
    Recording(Vec<u8>),
    /// What is left, last one first.
    Remembering(Vec<[u8; LENGTH]>),
}

thread_local! {
    static MODE: RefCell<Mode> = RefCell::default();
}

/// Sets the mode back, whatever happens meanwhile.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        MODE.take();
    }
}

/// Does the work, and says the ordinates of the affine points that this thread serialises by it, in their order.
pub fn recorded<T>(work: impl FnOnce() -> T) -> (T, Vec<u8>) {
    let _reset = Reset;
    MODE.replace(Mode::Recording(Vec::new()));
    let done = work();
    match MODE.take() {
        Mode::Recording(ordinates) => (done, ordinates),
        Mode::Off | Mode::Remembering(_) => (done, Vec::new()),
    }
}

/// Does the work; affine points that this thread reads by it are looked up among ordinates recorded before. Wrong ones, too few or
/// too many cost time and nothing else.
pub fn remembered<T>(ordinates: &[u8], work: impl FnOnce() -> T) -> T {
    let _reset = Reset;
    let (ordinates, _) = ordinates.as_chunks::<LENGTH>();
    MODE.replace(Mode::Remembering(ordinates.iter().rev().copied().collect()));
    work()
}

pub(crate) fn record(ordinate: impl FnOnce() -> [u8; LENGTH]) {
    MODE.with_borrow_mut(|mode| {
        if let Mode::Recording(ordinates) = mode {
            ordinates.extend(ordinate());
        }
    });
}

pub(crate) fn next() -> Option<[u8; LENGTH]> {
    MODE.with_borrow_mut(|mode| match mode {
        Mode::Remembering(ordinates) => ordinates.pop(),
        Mode::Off | Mode::Recording(_) => None,
    })
}
