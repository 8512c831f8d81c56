//! Who may prove: runs of one process take turns, because a fold takes every core by itself.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Proofs that are worked on at a time.
const AT_ONCE: u64 = 1;

#[derive(Default)]
struct Line {
    /// Tickets given out.
    given: u64,
    /// Places given back.
    done: u64,
}

/// The line in front of the cores, first come, first served. Clones are the same line.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<(Mutex<Line>, Condvar)>);

/// A place at work; dropped, the next one has it.
pub(crate) struct Place(Workers);

impl Workers {
    /// Waits for a place. Nobody waits for another while holding one.
    pub(crate) fn turn(&self) -> Place {
        let (line, moved) = &*self.0;
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = line.given;
        line.given += 1;
        while ticket >= line.done + AT_ONCE {
            line = moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        drop(line);
        Place(self.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (line, moved) = &*self.0.0;
        line.lock().unwrap_or_else(PoisonError::into_inner).done += 1;
        moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn nobody_works_beside_another_and_everybody_gets_a_turn() {
        let (workers, at_work, turns) = (Workers::default(), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let place = workers.turn();
                        assert!(at_work.fetch_add(1, Ordering::SeqCst) < AT_ONCE);
                        std::thread::yield_now();
                        at_work.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                        drop(place);
                    }
                });
            }
        });
        assert_eq!(turns.load(Ordering::SeqCst), 1_600);
    }
}
