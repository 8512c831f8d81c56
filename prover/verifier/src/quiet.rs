//! Keeps standard output clean while the proof library reads a ceremony's points.
//!
//! halo2curves 0.9 prints a line for every bit of its G2 subgroup check; standard output is data here. While a [`Quiet`] lives,
//! file descriptor 1 leads nowhere, and the thread that made it holds the lock of standard output, so that other threads'
//! lines wait for it instead of being lost. Elsewhere than on Unix it does nothing and those lines stay.

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, StdoutLock, Write};
    use std::os::fd::{AsFd, OwnedFd};

    /// Silence until dropped.
    pub(crate) struct Quiet {
        saved: OwnedFd,
        lock: StdoutLock<'static>,
    }

    impl Quiet {
        pub(crate) fn start() -> io::Result<Self> {
            let mut lock = io::stdout().lock();
            lock.flush()?;
            let saved = lock.as_fd().try_clone_to_owned()?;
            let nowhere = File::options().write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdout(&nowhere)?;
            Ok(Self { saved, lock })
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            // What the library left in the buffer belongs to the silence. A drop has nobody to report a failure to.
            let _ = self.lock.flush();
            let _ = rustix::stdio::dup2_stdout(&self.saved);
        }
    }
}

#[cfg(not(unix))]
mod other {
    /// Nothing.
    pub(crate) struct Quiet;

    impl Quiet {
        pub(crate) fn start() -> std::io::Result<Self> {
            Ok(Self)
        }
    }
}

#[cfg(not(unix))]
pub(crate) use other::Quiet;
#[cfg(unix)]
pub(crate) use unix::Quiet;

/// Runs work of the proof library that reads points, with standard output silent.
pub fn quietly<T>(work: impl FnOnce() -> T) -> std::io::Result<T> {
    let _silence = Quiet::start()?;
    Ok(work())
}
