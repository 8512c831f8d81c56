//! Settings of what leaves the agent for its operator: webhook alerts and telemetry.

use crate::settings::Url;
use serde::{Deserialize, Serialize};

/// Webhook alerts.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertsSettings {
    /// Where alerts are posted; empty: nowhere. What follows the host may be a secret and is never shown.
    pub(crate) webhook_url: Url,
    /// Decisions in no proof on chain, beyond which an alert is sent.
    pub(crate) backlog_decisions: u32,
    /// Intervals without a decision, after which an alert is sent.
    pub(crate) silent_intervals: u32,
}

/// Telemetry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// Base URL of an OpenTelemetry collector (OTLP over HTTP); empty: none.
    pub(crate) otlp_endpoint: Url,
    /// Time between two exports.
    pub(crate) export_interval_s: u64,
}
