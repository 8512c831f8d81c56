//! How a run is asked to end: Ctrl-C finishes the step and seals the log; SIGTERM finishes the step and leaves it open.

use std::sync::Arc;
use tokio::sync::watch;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing: go on.
    Nothing,
    /// Finish the step and close the log for good.
    Seal,
    /// Finish the step; the run can be continued.
    Leave,
}

/// Listens for signals.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    asked: watch::Receiver<Asked>,
    _keep: Arc<watch::Sender<Asked>>,
}

impl Stop {
    /// Starts listening.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (send, asked) = watch::channel(Asked::Nothing);
        let send = Arc::new(send);
        let of_interrupt = Arc::clone(&send);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                of_interrupt.send_replace(Asked::Seal);
            }
        });
        #[cfg(unix)]
        {
            let of_terminate = Arc::clone(&send);
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            tokio::spawn(async move {
                if terminate.recv().await.is_some() {
                    of_terminate.send_replace(Asked::Leave);
                }
            });
        }
        Ok(Self { asked, _keep: send })
    }

    /// What was asked for so far.
    pub(crate) fn asked(&self) -> Asked {
        *self.asked.borrow()
    }

    /// Returns once something was asked for.
    pub(crate) async fn wait(&self) {
        let mut asked = self.asked.clone();
        // The sender lives as long as this value, so waiting cannot fail.
        drop(asked.wait_for(|a| *a != Asked::Nothing).await);
    }
}
