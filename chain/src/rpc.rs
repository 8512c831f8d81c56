//! The way to a node: every request has a time limit, and errors name the host only.
//!
//! Several nodes may serve one chain: where one does not answer, the next is asked, once it has shown that it serves the same
//! chain (chain id and genesis block) and is not behind what was already seen. An answer of the chain itself, a revert say, is
//! never asked for twice.
//!
//! The path and the user part of an RPC's URL may hold an API key; neither appears in any error, log or `Debug` of this crate.

use crate::ChainError;
use async_trait::async_trait;
use ethers::providers::{Http, HttpClientError, JsonRpcClient, JsonRpcError, Provider, ProviderError, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use thiserror::Error;

/// The provider that calls go through.
pub type Rpc = Provider<Bounded>;

/// Time a request may take if nothing else is said: a fork may have to fetch what it is asked for from afar.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two looks for a receipt.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// Blocks that a node may be behind the newest one seen, a reorganisation included.
const MOST_BEHIND: u64 = 16;

/// JSON-RPC over HTTP with a limit on every request, to the first of several nodes that answers.
#[derive(Clone)]
pub struct Bounded {
    ways: Arc<Ways>,
    host: String,
    timeout: Duration,
}

/// The nodes of one chain.
struct Ways {
    all: Vec<Way>,
    /// The one that is asked first.
    now: AtomicUsize,
    /// Newest block seen.
    newest: AtomicU64,
    /// Chain id and genesis hash of the first node that answered.
    chain: OnceLock<(Value, Value)>,
}

struct Way {
    http: Http,
    host: String,
    /// Whether it has shown since its last failure which chain it serves.
    known: AtomicBool,
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
    /// One of several nodes serves another chain.
    #[error(
        "{host} serves another chain than the first node: chain id and genesis block {got}, expected {expected}; leave it out of chain.rpc_url"
    )]
    OtherChain {
        /// The node.
        host: String,
        /// Of the first node.
        expected: String,
        /// Of this one.
        got: String,
    },
    /// One of several nodes is behind.
    #[error("{host} is at block {at}, block {newest} was seen already: it lags, its answers are not used")]
    Lags {
        /// The node.
        host: String,
        /// Where it is.
        at: u64,
        /// What was seen.
        newest: u64,
    },
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
        if let [only] = self.ways.all.as_slice() {
            return self.limited(only.http.request(method, params)).await;
        }
        let params = serde_json::to_value(&params).map_err(RequestError::Answer)?;
        let value = self.first_answer(method, &params).await?;
        serde_json::from_value(value).map_err(RequestError::Answer)
    }
}

impl Bounded {
    async fn limited<R>(&self, request: impl Future<Output = Result<R, HttpClientError>>) -> Result<R, RequestError> {
        let asked = tokio::time::timeout(self.timeout, request).await;
        asked.map_err(|_| RequestError::Timeout(self.timeout))?.map_err(|error| match error {
            HttpClientError::ReqwestError(e) => RequestError::Transport(causes(&e.without_url())),
            HttpClientError::JsonRpcError(e) => RequestError::Refused(e),
            HttpClientError::SerdeJson { err, .. } => RequestError::Answer(err),
        })
    }

    /// Asks one node after the other, beginning with the one that answered last.
    async fn first_answer(&self, method: &str, params: &Value) -> Result<Value, RequestError> {
        let (count, first) = (self.ways.all.len(), self.ways.now.load(Ordering::SeqCst));
        let mut last = RequestError::Transport("no node".into());
        for index in (0..count).map(|k| (first + k) % count) {
            let Some(way) = self.ways.all.get(index) else { continue };
            match self.ask(way, method, params).await {
                Ok(value) => {
                    if index != first {
                        self.ways.now.store(index, Ordering::SeqCst);
                        tracing::warn!(rpc = way.host, "this node is asked from now on");
                    }
                    return Ok(value);
                }
                Err(RequestError::Refused(answer)) if !is_the_nodes_own(&answer) => return Err(RequestError::Refused(answer)),
                Err(error) => {
                    way.known.store(false, Ordering::SeqCst);
                    tracing::warn!(rpc = way.host, method, %error, "no answer that can be used");
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn ask(&self, way: &Way, method: &str, params: &Value) -> Result<Value, RequestError> {
        if !way.known.load(Ordering::SeqCst) {
            let id = self.limited(way.http.request::<_, Value>("eth_chainId", ())).await?;
            let genesis = self.limited(way.http.request::<_, Value>("eth_getBlockByNumber", ("0x0", false))).await?;
            let got = (id, genesis.get("hash").cloned().unwrap_or(Value::Null));
            let expected = self.ways.chain.get_or_init(|| got.clone());
            if *expected != got {
                let words = |(id, hash): &(Value, Value)| format!("{id}, {hash}");
                return Err(RequestError::OtherChain { host: way.host.clone(), expected: words(expected), got: words(&got) });
            }
            let at = self.limited(way.http.request::<_, Value>("eth_blockNumber", ())).await?;
            self.not_behind(way, &at)?;
            way.known.store(true, Ordering::SeqCst);
        }
        let value = match params {
            Value::Null => self.limited(way.http.request::<_, Value>(method, ())).await?,
            some => self.limited(way.http.request::<_, Value>(method, some)).await?,
        };
        let latest = method == "eth_getBlockByNumber" && params.get(0).is_some_and(|p| p == "latest");
        if method == "eth_blockNumber" {
            self.not_behind(way, &value)?;
        } else if let Some(number) = value.get("number").filter(|_| latest) {
            self.not_behind(way, number)?;
        }
        Ok(value)
    }

    fn not_behind(&self, way: &Way, at: &Value) -> Result<(), RequestError> {
        let at = at.as_str().and_then(|hex| u64::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
        let at = at.ok_or_else(|| RequestError::Transport(format!("{}: a block number that is none", way.host)))?;
        let newest = self.ways.newest.fetch_max(at, Ordering::SeqCst);
        if at.saturating_add(MOST_BEHIND) < newest {
            return Err(RequestError::Lags { host: way.host.clone(), at, newest });
        }
        Ok(())
    }
}

/// Whether an error answer tells of the node and not of the chain: too many requests, no such method, no resources.
fn is_the_nodes_own(answer: &JsonRpcError) -> bool {
    matches!(answer.code, 429 | -32001 | -32002 | -32005 | -32601)
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

/// Scheme and host of a URL, or of several separated by commas; what follows may be a secret.
#[must_use]
pub fn host_of(url: &str) -> String {
    let one = |url: &str| {
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("", url.trim()));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or(""))
    };
    url.split(',').map(one).collect::<Vec<_>>().join(", ")
}

/// A provider for a URL; a request may take [`REQUEST_TIMEOUT`].
pub fn connect(url: &str) -> Result<Rpc, ChainError> {
    connect_within(url, REQUEST_TIMEOUT)
}

/// A provider for a URL whose requests may take `timeout`.
pub fn connect_within(url: &str, timeout: Duration) -> Result<Rpc, ChainError> {
    let way = |url: &str| {
        let bad = || ChainError::value("rpc url", "http://host:port or https://host/path, several separated by commas", host_of(url));
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(bad());
        }
        let http: Http = url.parse().map_err(|_| bad())?;
        Ok(Way { http, host: host_of(url), known: AtomicBool::new(false) })
    };
    let all = url.split(',').map(|url| way(url.trim())).collect::<Result<Vec<_>, _>>()?;
    let ways = Ways { all, now: AtomicUsize::new(0), newest: AtomicU64::new(0), chain: OnceLock::new() };
    Ok(Provider::new(Bounded { ways: Arc::new(ways), host: host_of(url), timeout }).interval(POLL))
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
        assert_eq!(super::host_of("https://a/SECRET, https://k:SECRET@b/"), "https://a, https://b");
        assert!(!format!("{:?}", super::connect(url)).contains("SECRET"));
    }
}
