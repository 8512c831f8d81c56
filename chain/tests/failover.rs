//! Several nodes of one chain: a dead, a silent, a lying, a lagging one, and what the chain itself refuses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use ethers::providers::{Middleware, ProviderError};
use probity_chain::{Rpc, connect_within};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A node that says of itself what a test tells it to.
struct Node {
    url: String,
    block: Arc<AtomicU64>,
    asked: Arc<AtomicUsize>,
}

/// `chain_id`, `genesis`: what it serves; `fails`: what it answers to `eth_gasPrice`.
async fn node(chain_id: u64, genesis: &'static str, block: u64, fails: Option<Value>) -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/SECRET", listener.local_addr().unwrap());
    let (block, asked) = (Arc::new(AtomicU64::new(block)), Arc::new(AtomicUsize::new(0)));
    let (at, count) = (block.clone(), asked.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (at, count, fails) = (at.clone(), count.clone(), fails.clone());
            tokio::spawn(async move {
                let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    got.extend_from_slice(&buffer[..n]);
                    let text = String::from_utf8_lossy(&got).into_owned();
                    let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
                    let Ok(request) = serde_json::from_str::<Value>(body) else { continue };
                    got.clear();
                    count.fetch_add(1, Ordering::SeqCst);
                    let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
                    match (request["method"].as_str().unwrap(), &fails) {
                        ("eth_chainId", _) => answer["result"] = json!(format!("{chain_id:#x}")),
                        ("eth_getBlockByNumber", _) => answer["result"] = json!({ "hash": genesis }),
                        ("eth_blockNumber", _) => answer["result"] = json!(format!("{:#x}", at.load(Ordering::SeqCst))),
                        ("eth_gasPrice", Some(error)) => answer["error"] = error.clone(),
                        ("eth_gasPrice", None) => answer["result"] = json!("0x7"),
                        (other, _) => panic!("{other}"),
                    }
                    let body = answer.to_string();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
                    if stream.write_all((head + &body).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Node { url, block, asked }
}

fn both(first: &str, second: &str) -> Rpc {
    connect_within(&format!("{first},{second}"), Duration::from_millis(500)).unwrap()
}

#[tokio::test]
async fn where_one_node_is_dead_or_overrun_the_next_is_asked_and_stays() {
    let good = node(1, "0xa", 100, None).await;
    assert_eq!(both("http://127.0.0.1:1", &good.url).get_gas_price().await.unwrap(), 7.into());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rpc = both(&format!("http://{}", silent.local_addr().unwrap()), &good.url);
    assert_eq!(rpc.get_gas_price().await.unwrap(), 7.into());
    let overrun = node(1, "0xa", 100, Some(json!({ "code": -32005, "message": "too many requests" }))).await;
    let rpc = both(&overrun.url, &good.url);
    assert_eq!(rpc.get_gas_price().await.unwrap(), 7.into());
    let asked = overrun.asked.load(Ordering::SeqCst);
    assert_eq!(rpc.get_gas_price().await.unwrap(), 7.into());
    assert_eq!(overrun.asked.load(Ordering::SeqCst), asked, "the one that answered is asked first from now on");
}

#[tokio::test]
async fn what_the_chain_refuses_is_not_asked_again_elsewhere() {
    let refuses = node(1, "0xa", 100, Some(json!({ "code": 3, "message": "execution reverted" }))).await;
    let other = node(1, "0xa", 100, None).await;
    let error = both(&refuses.url, &other.url).get_gas_price().await.unwrap_err().to_string();
    assert!(error.contains("execution reverted"), "{error}");
    assert_eq!(other.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_node_of_another_chain_or_another_genesis_is_never_used() {
    for (id, genesis) in [(2, "0xa"), (1, "0xb")] {
        let first = node(1, "0xa", 100, Some(json!({ "code": -32005, "message": "too many requests" }))).await;
        let other = node(id, genesis, 100, None).await;
        let error = both(&first.url, &other.url).get_gas_price().await.unwrap_err();
        assert!(matches!(error, ProviderError::JsonRpcClientError(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("serves another chain") && !text.contains("SECRET"), "{text}");
    }
}

#[tokio::test]
async fn a_node_that_lags_or_goes_back_is_not_believed() {
    let (first, second) = (node(1, "0xa", 100, None).await, node(1, "0xa", 100, None).await);
    let rpc = both(&first.url, &second.url);
    assert_eq!(rpc.get_block_number().await.unwrap(), 100.into());
    // Within a reorganisation's reach it is believed; further back the other one is asked.
    first.block.store(84, Ordering::SeqCst);
    assert_eq!(rpc.get_block_number().await.unwrap(), 84.into());
    first.block.store(83, Ordering::SeqCst);
    assert_eq!(rpc.get_block_number().await.unwrap(), 100.into());
    second.block.store(10, Ordering::SeqCst);
    let error = rpc.get_block_number().await.unwrap_err().to_string();
    assert!(error.contains("was seen already: it lags"), "{error}");
}
