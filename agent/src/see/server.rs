//! The local server: dashboard, its data, server-sent events, `/metrics`. It only reads, and holds no asset of another host.

use crate::see::{Feed, metrics};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
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
    /// Listens, for one run without a name or for several with theirs. Beyond this machine only if `beyond_loopback` says so: there is no password.
    pub(crate) async fn start(address: SocketAddr, beyond_loopback: bool, feeds: Vec<(String, Feed)>) -> Result<Self> {
        ensure!(
            beyond_loopback || address.ip().is_loopback(),
            "--serve {address}: expected an address of this machine only (127.0.0.1 or [::1]); --serve-beyond-loopback shows the run to everyone who reaches this address"
        );
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("--serve {address}: expected a free port"))?;
        let address = listener.local_addr()?;
        let app = router(feeds, beyond_loopback);
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

/// One run at the root; several below `/run/NAME/`, with a list of them at the root. Metrics are of all.
fn router(feeds: Vec<(String, Feed)>, beyond_loopback: bool) -> Router {
    let mut all = Router::new().route("/metrics", get(scrape).with_state(feeds.clone()));
    match feeds.as_slice() {
        [(name, feed)] if name.is_empty() => all = all.merge(dashboard("", feed)),
        several => {
            all = all.route("/", get(list).with_state(feeds.clone())).route("/dashboard.css", page("text/css; charset=utf-8", CSS));
            for (name, feed) in several {
                let at = format!("/run/{name}");
                let there = Redirect::permanent(&format!("{at}/"));
                all = all.merge(dashboard(&at, feed)).route(&at, get(move || async move { there }));
            }
        }
    }
    all.layer(middleware::from_fn_with_state(beyond_loopback, guard))
}

const CSS: &str = include_str!("web/dashboard.css");

fn page<S: Clone + Send + Sync + 'static>(kind: &'static str, text: &'static str) -> MethodRouter<S> {
    get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
}

/// The dashboard of one run below a path; its page asks for everything relative to itself.
fn dashboard(at: &str, feed: &Feed) -> Router {
    Router::new()
        .route(&format!("{at}/"), page("text/html; charset=utf-8", include_str!("web/dashboard.html")))
        .route(&format!("{at}/dashboard.css"), page("text/css; charset=utf-8", CSS))
        .route(&format!("{at}/dashboard.js"), page("text/javascript; charset=utf-8", include_str!("web/dashboard.js")))
        .route(&format!("{at}/api/view"), get(view))
        .route(&format!("{at}/api/events"), get(events))
        .with_state(feed.clone())
}

/// The runs of this process, as a page without a script.
async fn list(State(feeds): State<Vec<(String, Feed)>>) -> Html<String> {
    let rows = feeds.iter().map(|(name, feed)| {
        let shown = feed.shown();
        let (pair, state) = (&shown.about.pair, &shown.health.state);
        let paper = if shown.about.paper { ", on paper" } else { "" };
        let (base, quote) = (plain(&pair.base), plain(&pair.quote));
        let decided = shown.figures.decided;
        format!("<tr><td><a href=\"/run/{name}/\">{name}</a></td><td>{base}/{quote}{paper}</td><td>{state}</td><td class=\"n\">{decided}</td></tr>")
    });
    Html(include_str!("web/runs.html").replace("{rows}", &rows.collect::<String>()))
}

/// What a token calls itself, without what a page would take for its own.
fn plain(symbol: &str) -> String {
    symbol.chars().filter(|c| !"<>&\"'".contains(*c)).collect()
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

async fn scrape(State(feeds): State<Vec<(String, Feed)>>) -> axum::response::Result<Response> {
    let text = metrics::exposition(feeds.iter().map(|(name, feed)| (name.clone(), feed.shown())).collect())
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
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
