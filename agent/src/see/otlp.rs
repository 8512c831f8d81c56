//! OpenTelemetry export of the metrics: OTLP over HTTP in its JSON encoding, to `ENDPOINT/v1/metrics`.
//!
//! Why not the opentelemetry crates: `docs/decisions/0007-otlp-as-json.md`.

use crate::see::outbox::Outbox;
use crate::see::{Feed, Shown, metrics};
use crate::settings::TelemetrySettings;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The task that exports.
pub(crate) struct Telemetry {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Telemetry {
    /// Starts exporting, if there is a collector.
    pub(crate) fn start(settings: &TelemetrySettings, feed: &Feed) -> Result<Option<Self>> {
        if settings.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        ensure!(settings.export_interval_s > 0, "telemetry.export_interval_s: expected 1 or more, got 0");
        let url = format!("{}/v1/metrics", settings.otlp_endpoint.expose().trim_end_matches('/'));
        let outbox = Outbox::start("telemetry.otlp_endpoint", &url)?;
        let (end, mut ended) = oneshot::channel();
        let (feed, pause) = (feed.clone(), Duration::from_secs(settings.export_interval_s));
        let task = tokio::spawn(async move {
            let started_s = feed.shown().at_s;
            loop {
                let last = tokio::select! {
                    _ = &mut ended => true,
                    () = tokio::time::sleep(pause) => false,
                };
                outbox.send(message(&feed.shown(), started_s));
                if last {
                    return outbox.finish().await;
                }
            }
        });
        Ok(Some(Self { end, task }))
    }

    /// Exports a last time; waits a bounded time.
    pub(crate) async fn finish(self) {
        // An exporter that is gone has nothing left to send.
        self.end.send(()).unwrap_or_default();
        drop(self.task.await);
    }
}

/// An `ExportMetricsServiceRequest`; 64-bit integers are strings there.
fn message(shown: &Shown, started_s: u64) -> Value {
    let nanos = |s: u64| format!("{s}000000000");
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let labels = metrics::labels(shown);
    let mut resource = vec![attribute("service.name", "probity"), attribute("service.version", env!("CARGO_PKG_VERSION"))];
    resource.extend(labels.iter().map(|(key, value)| attribute(&format!("probity.{key}"), value)));
    let counters = metrics::counters(shown).into_iter().map(|(name, help, value)| {
        let point = json!({ "startTimeUnixNano": nanos(started_s), "timeUnixNano": nanos(shown.at_s), "asInt": value.to_string() });
        json!({ "name": format!("probity_{name}"), "description": help, "sum": { "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [point] } })
    });
    let gauges = metrics::gauges(shown).into_iter().map(|(name, help, value)| {
        let point = json!({ "timeUnixNano": nanos(shown.at_s), "asDouble": value });
        json!({ "name": format!("probity_{name}"), "description": help, "gauge": { "dataPoints": [point] } })
    });
    let all: Vec<Value> = counters.chain(gauges).collect();
    let scope = json!({ "scope": { "name": "probity" }, "metrics": all });
    json!({ "resourceMetrics": [{ "resource": { "attributes": resource }, "scopeMetrics": [scope] }] })
}
