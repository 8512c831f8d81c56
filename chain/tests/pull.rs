//! A pool's logs out of a node that drops connections and refuses long spans: every one, once, in order.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use common::{PRICE, World};
use probity_chain::{ChainError, FACTORY, POOL_500, PoolInfo, Pull, USDC};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One HTTP message: head and body.
async fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut seen, mut part) = (Vec::new(), [0u8; 4_096]);
    loop {
        if let Some(at) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..at]).into_owned();
            let length =
                head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse::<usize>().unwrap()));
            if seen.len() >= at + 4 + length.unwrap_or(0) {
                return Some((head, seen[at + 4..at + 4 + length.unwrap_or(0)].to_vec()));
            }
        }
        match stream.read(&mut part).await {
            Ok(n) if n > 0 => seen.extend_from_slice(&part[..n]),
            _ => return None,
        }
    }
}

/// A bad node before a good one: drops every third request, refuses more than four blocks of logs at once.
async fn bad_node(good: String, refused: Arc<AtomicUsize>, dropped: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some((_, body)) = message(&mut stream).await else { continue };
            count += 1;
            if count % 3 == 0 {
                dropped.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            let ask: Value = serde_json::from_slice(&body).unwrap();
            let block = |name: &str| u64::from_str_radix(ask["params"][0][name].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
            let answer = if ask["method"] == "eth_getLogs" && block("toBlock") - block("fromBlock") > 3 {
                refused.fetch_add(1, Ordering::SeqCst);
                json!({ "jsonrpc": "2.0", "id": ask["id"], "error": { "code": -32005, "message": "too many blocks" } })
                    .to_string()
                    .into_bytes()
            } else {
                let mut up = TcpStream::connect(good.trim_start_matches("http://")).await.unwrap();
                let head =
                    format!("POST / HTTP/1.1\r\nHost: good\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
                up.write_all(head.as_bytes()).await.unwrap();
                up.write_all(&body).await.unwrap();
                message(&mut up).await.unwrap().1
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn every_log_once_from_a_node_that_drops_and_refuses() {
    let world = World::stand_in().await;
    let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
    let mut moves = Vec::new();
    for i in 1..13u128 {
        moves.push(world.chain.move_price(&pool, PRICE + PRICE * (i % 5) / 2_000 + PRICE * i / 100_000).await.unwrap());
    }
    let last = moves.last().unwrap().block_number;
    let (refused, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let url = bad_node(world.chain.url().to_owned(), refused.clone(), dropped.clone()).await;
    let gather = async |url: &str, from: u64, most: u64| {
        let mut pull = Pull::new(url, POOL_500, most).await.unwrap();
        assert_eq!((pull.chain_id(), pull.latest() >= last), (1, true));
        let (mut all, mut next, mut chunks) = (Vec::new(), from, 0);
        while next <= last {
            let (logs, after) = pull.chunk(next, last).await.unwrap();
            assert!(after > next && logs.iter().all(|l| (next..after).contains(&l.block_number)));
            all.extend(logs);
            (next, chunks) = (after, chunks + 1);
        }
        (all, chunks)
    };
    let (whole, one) = gather(world.chain.url(), 0, u64::MAX).await;
    assert_eq!(one, 1);
    // From the first log on: the stand-in's blocks are counted from far away.
    let (bad, many) = gather(&url, whole[0].block_number, 1_000).await;
    assert!(many > 3 && refused.load(Ordering::SeqCst) > 0 && dropped.load(Ordering::SeqCst) > 2, "the node was bad");
    assert_eq!(bad, whole);
    // Twelve swaps in twelve blocks, as the market moved them, and the mint of the stand-in's liquidity before.
    let swaps: Vec<_> = whole.iter().filter(|l| l.topics[0][0] == 0xc4).collect();
    assert_eq!(swaps.iter().map(|l| l.block_number).collect::<Vec<_>>(), moves.iter().map(|m| m.block_number).collect::<Vec<_>>());
    let tick = |data: &[u8]| i32::from_be_bytes(data[156..160].try_into().unwrap());
    assert_eq!(swaps.iter().map(|l| tick(&l.data)).collect::<Vec<_>>(), moves.iter().map(|m| m.tick).collect::<Vec<_>>());
    assert!(whole.iter().any(|l| l.topics[0][0] == 0x7a && l.block_number < moves[0].block_number));
    assert!(
        whole.windows(2).all(|w| (w[0].block_number, w[0].log_index) < (w[1].block_number, w[1].log_index) && w[0].time_s <= w[1].time_s)
    );
    assert_eq!(swaps.last().unwrap().time_s, world.chain.time_s().await.unwrap());

    let nowhere = Pull::new(world.chain.url(), probity_chain::Address::repeat_byte(9), 10).await;
    assert!(matches!(nowhere, Err(ChainError::Value { field: "pool", .. })));
    let mut pull = Pull::new(world.chain.url(), FACTORY, 10).await.unwrap();
    assert!(matches!(pull.chunk(5, 4).await, Err(ChainError::Value { field: "blocks", .. })));
}
