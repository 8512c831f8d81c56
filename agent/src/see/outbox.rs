//! Posting JSON to an address of the operator's: bounded tries, bounded waiting, never in the agent's way, never with its URL in a message.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Messages that may wait; more are dropped, and said so.
const WAITING: usize = 64;
/// Tries a message.
const TRIES: u32 = 5;
/// Longest a try may take.
const TRY: Duration = Duration::from_secs(5);
/// Longest the end of a run waits for what is left.
const LAST: Duration = Duration::from_secs(20);

/// A queue and the task that empties it.
pub(crate) struct Outbox {
    /// The setting, for messages.
    name: &'static str,
    queue: mpsc::Sender<serde_json::Value>,
    task: JoinHandle<()>,
}

impl Outbox {
    /// Starts the task.
    pub(crate) fn start(name: &'static str, url: &str) -> Result<Self> {
        let url: reqwest::Url = url
            .parse()
            .ok()
            .filter(|u: &reqwest::Url| u.has_host())
            .with_context(|| format!("setting {name}: expected an http or https URL"))?;
        let client = reqwest::Client::builder().timeout(TRY).redirect(reqwest::redirect::Policy::none()).build()?;
        let (queue, mut waiting) = mpsc::channel::<serde_json::Value>(WAITING);
        let task = tokio::spawn(async move {
            while let Some(message) = waiting.recv().await {
                if let Err(error) = deliver(&client, &url, &message).await {
                    tracing::warn!(setting = name, "{error:#}; given up after {TRIES} tries");
                }
            }
        });
        Ok(Self { name, queue, task })
    }

    /// Hands a message over; never waits.
    pub(crate) fn send(&self, message: serde_json::Value) {
        if self.queue.try_send(message).is_err() {
            tracing::warn!(setting = self.name, "too many messages wait: one was dropped");
        }
    }

    /// Waits, for a bounded time, until everything was delivered or given up.
    pub(crate) async fn finish(self) {
        drop(self.queue);
        if tokio::time::timeout(LAST, self.task).await.is_err() {
            tracing::warn!(setting = self.name, "the last messages were not delivered in {} s", LAST.as_secs());
        }
    }
}

async fn deliver(client: &reqwest::Client, url: &reqwest::Url, message: &serde_json::Value) -> Result<()> {
    let mut wait = Duration::from_millis(500);
    let mut last = Ok(());
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        let request = client.post(url.clone()).header("content-type", "application/json").body(message.to_string());
        last = match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => Err(anyhow::anyhow!("expected a status of success, got {}", answer.status())),
            // The URL may hold a secret.
            Err(error) => Err(anyhow::Error::new(error.without_url())),
        };
    }
    last
}
