//! The local server: dashboard, its data, server-sent events, `/metrics`. It only reads, and holds no asset of another host.

use crate::see::{Feed, metrics};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Least time between two messages to a listener: a fast run is not shown faster than people read.
const PACE: Duration = Duration::from_millis(400);

/// A server that answers until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens. Beyond this machine only if `beyond_loopback` says so: there is no password.
    pub(crate) async fn start(address: SocketAddr, beyond_loopback: bool, feed: Feed) -> Result<Self> {
        ensure!(
            beyond_loopback || address.ip().is_loopback(),
            "--serve {address}: expected an address of this machine only (127.0.0.1 or [::1]); --serve-beyond-loopback shows the run to everyone who reaches this address"
        );
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("--serve {address}: expected a free port"))?;
        let address = listener.local_addr()?;
        let app = router(feed, beyond_loopback);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the dashboard's server ended");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(feed: Feed, beyond_loopback: bool) -> Router {
    let page = |kind: &'static str, text: &'static str| get(move || async move { ([(header::CONTENT_TYPE, kind)], text) });
    Router::new()
        .route("/", page("text/html; charset=utf-8", include_str!("web/dashboard.html")))
        .route("/dashboard.css", page("text/css; charset=utf-8", include_str!("web/dashboard.css")))
        .route("/dashboard.js", page("text/javascript; charset=utf-8", include_str!("web/dashboard.js")))
        .route("/api/view", get(view))
        .route("/api/events", get(events))
        .route("/metrics", get(scrape))
        .with_state(feed)
        .layer(middleware::from_fn_with_state(beyond_loopback, guard))
}

/// Names can be pointed at this machine by anyone (DNS rebinding): only addresses and `localhost` are answered.
async fn guard(State(beyond_loopback): State<bool>, request: Request, next: Next) -> Response {
    let mut answer = if host_is_ours(request.headers(), beyond_loopback) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "Host: expected an IP address of this server or localhost\n").into_response()
    };
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let only = HeaderValue::from_static("same-origin");
    answer.headers_mut().insert("cross-origin-resource-policy", only.clone());
    answer.headers_mut().insert("cross-origin-opener-policy", only);
    answer
}

fn host_is_ours(headers: &HeaderMap, beyond_loopback: bool) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|h| h.to_str().ok()) else { return false };
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split_once(']').map_or("", |(name, _)| name)
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| beyond_loopback || ip.is_loopback())
}

async fn view(State(feed): State<Feed>) -> axum::response::Result<Response> {
    let text = serde_json::to_string(&feed.shown()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

async fn scrape(State(feed): State<Feed>) -> axum::response::Result<Response> {
    let text = metrics::exposition(feed.shown()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// Every message is the whole view: a listener that reconnects needs nothing else.
async fn events(State(feed): State<Feed>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = feed.changes();
    changes.mark_changed();
    let stream = futures_util::stream::unfold((feed, changes), |(feed, mut changes)| async move {
        changes.changed().await.ok()?;
        let shown = serde_json::to_string(&feed.shown()).ok()?;
        tokio::time::sleep(PACE).await;
        Some((Ok(Event::default().event("view").data(shown)), (feed, changes)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
