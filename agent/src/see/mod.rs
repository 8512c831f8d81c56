//! Seeing a run: one feed of events that the agent tells, and everything that listens to it.
//!
//! The agent tells what happened and never waits for a listener. What is shown is a [`view::View`] that each event changes, of
//! bounded size however long the run is; listeners are woken by its revision.

mod alerts;
pub(crate) mod finished;
mod metrics;
mod otlp;
mod outbox;
mod series;
mod server;
mod shown;
pub(crate) mod terminal;
mod view;

pub(crate) use shown::{About, Pair, Shown};

use crate::cli::ServeFlags;
use crate::journal::{Announced, Change, Entry, Outcome, Post};
use crate::output;
use crate::run::halt::Mode;
use crate::settings::Settings;
use alerts::Alerts;
use anyhow::Result;
use otlp::Telemetry;
use probity_strategy::Record;
use probity_verifier::Rotation;
use server::Server;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use view::View;

/// A run among others, for whoever looks.
#[derive(Clone)]
pub(crate) struct Named<'a> {
    /// Its name; empty where it is the only one.
    pub(crate) name: String,
    /// Its settings.
    pub(crate) settings: &'a Settings,
    /// What it tells.
    pub(crate) feed: Feed,
}

/// What listens to the runs of a process: dashboard, alerts, telemetry, each only where it was asked for.
pub(crate) struct Seeing {
    server: Option<Server>,
    alerts: Vec<Alerts>,
    telemetry: Vec<Telemetry>,
}

impl Seeing {
    /// Starts what the flags and settings ask for.
    pub(crate) async fn start(flags: &ServeFlags, settings: &Settings, feed: &Feed) -> Result<Self> {
        Self::start_several(flags, vec![Named { name: String::new(), settings, feed: feed.clone() }]).await
    }

    /// The same for several runs: one server, alerts and telemetry by each one's settings.
    pub(crate) async fn start_several(flags: &ServeFlags, runs: Vec<Named<'_>>) -> Result<Self> {
        let server = match flags.address {
            Some(address) => {
                let feeds = runs.iter().map(|run| (run.name.clone(), run.feed.clone())).collect();
                Some(Server::start(address, flags.beyond_loopback, feeds).await?)
            }
            None => None,
        };
        if let Some(server) = &server {
            output::talk(format!("dashboard at http://{}/, metrics at /metrics", server.address()));
        }
        let (mut alerts, mut telemetry) = (Vec::new(), Vec::new());
        for run in &runs {
            alerts.extend(Alerts::start(&run.settings.alerts, &run.feed)?);
            telemetry.extend(Telemetry::start(&run.settings.telemetry, &run.feed)?);
        }
        Ok(Self { server, alerts, telemetry })
    }

    /// Sends what is left and ends.
    pub(crate) async fn finish(self) {
        futures_util::future::join_all(self.alerts.into_iter().map(Alerts::finish)).await;
        futures_util::future::join_all(self.telemetry.into_iter().map(Telemetry::finish)).await;
        drop(self.server);
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The node answered with this block for the observation of the next decision.
    Observed {
        /// Block the observer stood on.
        block_number: u64,
    },
    /// A decision is in the journal.
    Decided(Box<Record>),
    /// Other weights are announced.
    Announced {
        /// Which, and from when.
        rotation: Rotation,
    },
    /// The announcement is in a block.
    AnnouncementMined {
        /// Gas of its transaction.
        gas_used: u64,
    },
    /// A decision's transaction is being sent.
    Sent {
        /// Decision.
        step: u32,
    },
    /// What became of it on chain.
    Outcome {
        /// Decision.
        step: u32,
        /// The outcome.
        outcome: Outcome,
    },
    /// The proving session holds so many decisions.
    Folded {
        /// Decisions.
        decisions: u32,
        /// Time of the fold.
        ms: f64,
    },
    /// The proving session goes on from a checkpoint of so many decisions.
    Resumed {
        /// Decisions.
        decisions: u32,
    },
    /// A compressed proof of so many decisions was made.
    Proved {
        /// Decisions.
        decisions: u32,
        /// Size.
        bytes: usize,
        /// Time.
        seconds: f64,
    },
    /// A proof of so many decisions is on chain.
    Posted {
        /// Decisions.
        decisions: u32,
        /// Gas of a transaction of its own; zero where a trade carried it.
        gas_used: u64,
    },
    /// The vault has verified so many decisions itself.
    Settled {
        /// Decisions.
        decisions: u32,
        /// Gas of a transaction of its own; zero where a trade carried it, or where the chain was only asked.
        gas_used: u64,
    },
    /// What the run may do.
    Mode {
        /// The state it read.
        mode: Mode,
        /// Reason and detail of the last change.
        why: String,
    },
    /// The run ended by itself or was asked to.
    Ended {
        /// Whether its log is closed for good.
        sealed: bool,
    },
    /// The run ended with an error.
    Fault {
        /// The error, without secrets.
        message: String,
    },
}

struct Shared {
    view: Mutex<View>,
    /// Decisions after which the run ends; 0: not known.
    planned: AtomicU32,
    revision: watch::Sender<u64>,
}

/// Where the agent tells what happens. Clones are the same feed.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

impl Default for Feed {
    fn default() -> Self {
        let shared = Shared { view: Mutex::default(), planned: AtomicU32::new(0), revision: watch::Sender::new(0) };
        Self(Arc::new(shared))
    }
}

impl Feed {
    /// Tells an event; never waits.
    pub(crate) fn tell(&self, event: &Event) {
        self.change(|view| view.apply(event));
    }

    /// Tells what the run may do, if it is not what was told before.
    pub(crate) fn mode(&self, mode: Mode, why: impl FnOnce() -> Result<String>) -> Result<()> {
        let told = self.0.view.lock().unwrap_or_else(PoisonError::into_inner).mode();
        if told != Some(mode) {
            self.tell(&Event::Mode { mode, why: why()? });
        }
        Ok(())
    }

    /// Says what is run; what was shown before is forgotten.
    pub(crate) fn start(&self, about: About) {
        self.change(|view| *view = View::of(about, view));
    }

    /// Shows what a journal holds.
    pub(crate) fn restore(&self, entries: &[Entry], announced: &[Announced], posts: &[Post], last: Option<&Change>) {
        self.change(|view| {
            for a in announced {
                view.apply(&Event::Announced { rotation: a.rotation });
                if let Some(gas_used) = a.mined.as_ref().and_then(|m| m.gas_used) {
                    view.apply(&Event::AnnouncementMined { gas_used });
                }
            }
            for entry in entries {
                view.apply(&Event::Decided(Box::new(entry.record.clone())));
                let step = entry.record.observation.step;
                if let Some(outcome) = entry.outcome.clone() {
                    view.apply(&Event::Outcome { step, outcome });
                }
            }
            for post in posts {
                view.apply(&Event::Posted { decisions: post.steps, gas_used: post.gas_used });
            }
            if let Some((mode, change)) = last.and_then(|c| Mode::parse(&c.state).ok().map(|mode| (mode, c))) {
                view.apply(&Event::Mode { mode, why: change.words() });
            }
            view.restored();
        });
    }

    /// Says after how many decisions the run ends.
    pub(crate) fn plan(&self, decisions: Option<u32>) {
        self.0.planned.store(decisions.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Decisions after which the run ends, if that is known.
    pub(crate) fn planned(&self) -> Option<u32> {
        Some(self.0.planned.load(Ordering::Relaxed)).filter(|p| *p > 0)
    }

    /// What is shown now.
    pub(crate) fn shown(&self) -> Shown {
        self.0.view.lock().unwrap_or_else(PoisonError::into_inner).shown()
    }

    /// Wakes at every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.0.view.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.revision.send_modify(|r| *r = r.wrapping_add(1));
    }
}
