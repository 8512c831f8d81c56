//! The way to a node: every request has a time limit, and errors name the host only.
//!
//! The path and the user part of an RPC's URL may hold an API key; neither appears in any error, log or `Debug` of this crate.

use crate::ChainError;
use async_trait::async_trait;
use ethers::providers::{Http, HttpClientError, JsonRpcClient, JsonRpcError, Provider, ProviderError, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The provider that calls go through.
pub type Rpc = Provider<Bounded>;

/// Time a request may take if nothing else is said: a fork may have to fetch what it is asked for from afar.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two looks for a receipt.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// JSON-RPC over HTTP with a limit on every request.
#[derive(Clone)]
pub struct Bounded {
    http: Arc<Http>,
    host: String,
    timeout: Duration,
}

impl std::fmt::Debug for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bounded({})", self.host)
    }
}

/// Why a request brought nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nothing came in time.
    #[error("no answer in {0:?}")]
    Timeout(Duration),
    /// The node answered with an error.
    #[error("{0}")]
    Refused(JsonRpcError),
    /// The request did not get through.
    #[error("{0}")]
    Transport(String),
    /// The answer is not what was asked for.
    #[error("answer that does not parse: {0}")]
    Answer(serde_json::Error),
}

impl RpcError for RequestError {
    fn as_error_response(&self) -> Option<&JsonRpcError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }

    fn as_serde_error(&self) -> Option<&serde_json::Error> {
        match self {
            Self::Answer(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RequestError> for ProviderError {
    fn from(error: RequestError) -> Self {
        Self::JsonRpcClientError(Box::new(error))
    }
}

#[async_trait]
impl JsonRpcClient for Bounded {
    type Error = RequestError;

    async fn request<T, R>(&self, method: &str, params: T) -> Result<R, RequestError>
    where
        T: std::fmt::Debug + Serialize + Send + Sync,
        R: DeserializeOwned + Send,
    {
        let asked = tokio::time::timeout(self.timeout, self.http.request(method, params)).await;
        asked.map_err(|_| RequestError::Timeout(self.timeout))?.map_err(|error| match error {
            HttpClientError::ReqwestError(e) => RequestError::Transport(causes(&e.without_url())),
            HttpClientError::JsonRpcError(e) => RequestError::Refused(e),
            HttpClientError::SerdeJson { err, .. } => RequestError::Answer(err),
        })
    }
}

/// An error with its causes on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Many errors already quote their cause.
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Scheme and host of a URL; what follows may be a secret.
#[must_use]
pub fn host_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or(""))
}

/// A provider for a URL; a request may take [`REQUEST_TIMEOUT`].
pub fn connect(url: &str) -> Result<Rpc, ChainError> {
    connect_within(url, REQUEST_TIMEOUT)
}

/// A provider for a URL whose requests may take `timeout`.
pub fn connect_within(url: &str, timeout: Duration) -> Result<Rpc, ChainError> {
    let bad = || ChainError::value("rpc url", "http://host:port or https://host/path", host_of(url));
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(bad());
    }
    let http: Http = url.parse().map_err(|_| bad())?;
    Ok(Provider::new(Bounded { http: Arc::new(http), host: host_of(url), timeout }).interval(POLL))
}

/// An error of a call, decoded where a contract refused.
pub(crate) fn failure(call: &'static str, host: &str, error: &ProviderError) -> ChainError {
    match crate::revert::decode(error) {
        Some(reason) => ChainError::Revert { call, reason },
        None => ChainError::Rpc { call, rpc: host.to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_host_never_shows_user_path_or_query() {
        let url = "https://user:key@node.example:8545/v3/SECRET?x=SECRET";
        assert_eq!(super::host_of(url), "https://node.example:8545");
        assert_eq!(super::host_of("http://h?SECRET"), "http://h");
        assert!(!format!("{:?}", super::connect(url)).contains("SECRET"));
    }
}
