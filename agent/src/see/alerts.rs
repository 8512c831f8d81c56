//! Alerts by webhook: halt, fault, proof backlog past its bound, no decision for too long. Each is raised once until it is over.

use crate::see::outbox::Outbox;
use crate::see::{Feed, Shown};
use crate::settings::AlertsSettings;
use anyhow::Result;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Time between two looks where nothing happens.
const LOOK: Duration = Duration::from_secs(5);

/// The task that watches.
pub(crate) struct Alerts {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Alerts {
    /// Starts watching, if there is somewhere to post to.
    pub(crate) fn start(settings: &AlertsSettings, feed: &Feed) -> Result<Option<Self>> {
        if settings.webhook_url.is_empty() {
            return Ok(None);
        }
        let outbox = Outbox::start("alerts.webhook_url", settings.webhook_url.expose())?;
        let (end, mut ended) = oneshot::channel();
        let (settings, feed) = (settings.clone(), feed.clone());
        let task = tokio::spawn(async move {
            let mut changes = feed.changes();
            let mut watch = Watch { started_s: feed.shown().at_s, raised: BTreeSet::new() };
            loop {
                let last = tokio::select! {
                    _ = &mut ended => true,
                    _ = changes.changed() => false,
                    () = tokio::time::sleep(LOOK) => false,
                };
                let shown = feed.shown();
                for alert in watch.look(&shown, &settings) {
                    outbox.send(alert.message(&shown));
                }
                if last {
                    return outbox.finish().await;
                }
            }
        });
        Ok(Some(Self { end, task }))
    }

    /// Posts what is left; waits a bounded time.
    pub(crate) async fn finish(self) {
        // A watcher that is gone has nothing left to post.
        self.end.send(()).unwrap_or_default();
        drop(self.task.await);
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alert {
    event: &'static str,
    text: String,
}

impl Alert {
    fn message(&self, shown: &Shown) -> serde_json::Value {
        let mandate = shown.about.mandate.as_ref();
        serde_json::json!({
            "version": 1, "event": self.event, "text": format!("probity{}: {}", if shown.about.paper { " (on paper)" } else { "" }, self.text), "at_s": shown.at_s,
            "vault": mandate.map(|m| &m.vault), "chain_id": mandate.map(|m| m.chain_id), "decisions": shown.figures.decided,
        })
    }
}

struct Watch {
    started_s: u64,
    raised: BTreeSet<&'static str>,
}

impl Watch {
    /// What is new since the last look.
    fn look(&mut self, shown: &Shown, settings: &AlertsSettings) -> Vec<Alert> {
        let (h, decided) = (&shown.health, shown.figures.decided);
        let reason = || h.reason.clone().unwrap_or_default();
        let silent_s = shown.at_s.saturating_sub(h.decided_at_s.unwrap_or(self.started_s));
        let bound_s = shown.about.mandate.as_ref().map(|m| u64::from(m.interval_s) * u64::from(settings.silent_intervals));
        let running = shown.about.live && matches!(h.state, "active" | "reducing" | "halted");
        let now = [
            ("fault", h.state == "fault", format!("the run ended with an error after {decided} decisions: {}", reason())),
            ("halt", matches!(h.state, "reducing" | "halted"), format!("{}: {}", h.state, reason())),
            (
                "backlog",
                running && shown.backlog() > settings.backlog_decisions,
                format!(
                    "{} decisions are in no proof{}, more than {}",
                    shown.backlog(),
                    if shown.about.paper { "" } else { " on chain" },
                    settings.backlog_decisions
                ),
            ),
            ("no_decision", running && bound_s.is_some_and(|b| silent_s > b), format!("no decision for {silent_s} s")),
        ];
        let mut new = Vec::new();
        for (event, is, text) in now {
            if !is {
                self.raised.remove(event);
            } else if self.raised.insert(event) {
                new.push(Alert { event, text });
            }
        }
        new
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::see::About;

    #[test]
    fn an_alert_is_raised_once_until_it_is_over() {
        let settings = crate::settings::load(None, &[("alerts.backlog_decisions", "10".into())]).unwrap().settings.alerts;
        let feed = Feed::default();
        let mandate = serde_json::from_str(include_str!("../../../docs/formats/golden/mandate.json")).unwrap();
        feed.start(About { live: true, mandate: Some(mandate), ..About::default() });
        let mut shown = feed.shown();
        let interval_s = u64::from(shown.about.mandate.as_ref().unwrap().interval_s);
        let mut watch = Watch { started_s: shown.at_s, raised: BTreeSet::new() };
        let mut events = |shown: &Shown| watch.look(shown, &settings).iter().map(|a| a.event).collect::<Vec<_>>();
        assert_eq!(events(&shown), [""; 0]);
        shown.figures.decided = 11;
        assert_eq!(events(&shown), ["backlog"]);
        assert_eq!(events(&shown), [""; 0], "raised already");
        shown.figures.posted = 5;
        assert_eq!(events(&shown), [""; 0], "over");
        shown.figures.decided = 30;
        assert_eq!(events(&shown), ["backlog"], "again");
        shown.at_s += interval_s * u64::from(settings.silent_intervals) + 1;
        assert_eq!(events(&shown), ["no_decision"]);
        shown.health.decided_at_s = Some(shown.at_s);
        assert_eq!(events(&shown), [""; 0]);
        shown.health.state = "halted";
        assert_eq!(events(&shown), ["halt"]);
        shown.health.state = "fault";
        assert_eq!(events(&shown), ["fault"]);
    }
}
