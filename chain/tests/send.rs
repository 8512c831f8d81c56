//! Sending when something is wrong: another chain, a node that is dead or falls silent, no money, an unknown outcome.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use crate::common;
use common::{DEPOSITOR, DOLLAR, Desk, OPERATOR, World, hold, order};
use ethers::providers::Middleware;
use probity_chain::{ChainError, POOL_500, Sender, USDC, Vault, WETH, connect, connect_within};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn another_chain_and_a_bad_key_are_refused() {
    let world = World::stand_in().await;
    let error = Sender::new(world.chain.url(), OPERATOR, 5, 5).await.unwrap_err();
    assert!(matches!(error, ChainError::ChainId { expected: 5, got: 1, .. }));
    let error = Sender::new(world.chain.url(), "5ec4e7", 1, 5).await.unwrap_err().to_string();
    assert!(error.contains("operator key: expected 32 bytes hex") && !error.contains("5ec4e7"), "{error}");
    let sender = Sender::new(world.chain.url(), OPERATOR, 1, 5).await.unwrap();
    assert!(!format!("{sender:?}").contains("1111111111"));
}

#[tokio::test]
async fn a_dead_or_silent_node_is_named_in_bounded_time_without_its_path() {
    let error = Sender::new("http://127.0.0.1:1/SECRETKEY", OPERATOR, 1, 5).await.unwrap_err().to_string();
    assert!(error.contains("eth_chainId on http://127.0.0.1:1: ") && !error.contains("SECRETKEY"), "{error}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/SECRETKEY", silent.local_addr().unwrap());
    let started = Instant::now();
    let error = connect_within(&url, Duration::from_millis(300)).unwrap().get_chainid().await.unwrap_err().to_string();
    assert!(error.contains("no answer in 300ms") && !error.contains("SECRETKEY"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_account_without_ether_is_told_so() {
    let world = World::stand_in().await;
    let poor = Sender::new(world.chain.url(), DEPOSITOR, 1, 5).await.unwrap();
    world.chain.fund_gas(poor.address(), 7).await.unwrap();
    match Vault::deploy(poor.clone(), USDC, WETH, POOL_500).await.unwrap_err() {
        ChainError::Funds { account, have_wei, need_wei, .. } => {
            assert_eq!((account, have_wei), (poor.address(), 7.into()));
            assert!(need_wei > have_wei);
        }
        other => panic!("{other:?}"),
    }
}

/// A node in front of another that passes everything on until a transaction was sent, and then falls silent.
async fn falls_silent(behind: &str) -> String {
    let behind = behind.trim_start_matches("http://").to_owned();
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", front.local_addr().unwrap());
    tokio::spawn(async move {
        let silent = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        while let Ok((mut client, _)) = front.accept().await {
            let (behind, silent) = (behind.clone(), silent.clone());
            tokio::spawn(async move {
                let mut server = TcpStream::connect(behind).await.unwrap();
                let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
                loop {
                    tokio::select! {
                        got = client.read(&mut up) => {
                            let Ok(n @ 1..) = got else { return };
                            if silent.load(std::sync::atomic::Ordering::SeqCst) { continue }
                            server.write_all(&up[..n]).await.unwrap();
                            if up[..n].windows(22).any(|w| w == b"eth_sendRawTransaction") { silent.store(true, std::sync::atomic::Ordering::SeqCst) }
                        }
                        got = server.read(&mut down) => {
                            let Ok(n @ 1..) = got else { return };
                            if silent.load(std::sync::atomic::Ordering::SeqCst) { continue }
                            client.write_all(&down[..n]).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_node_that_falls_silent_after_sending_leaves_the_outcome_unknown() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    let url = falls_silent(desk.world.chain.url()).await;
    let operator = Sender::new(&url, OPERATOR, 1, 2).await.unwrap();
    let through = Vault::at(operator, desk.view().address());
    let started = Instant::now();
    let error = through.decide(&seen, &order(&seen, true, 1_000 * DOLLAR, 50), &[]).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    let ChainError::Unknown { tx_hash, waited_s: 2, .. } = error else { panic!("{error:?}") };
    // It did get through: the chain says so, under the hash of the error.
    let decided = desk.view().decided(0).await.unwrap();
    assert_eq!(format!("0x{}", hex::encode(decided[0].outcome.tx_hash)), tx_hash);
    assert!(decided[0].outcome.executed);
}

#[tokio::test]
async fn a_transaction_that_waits_is_unknown_and_is_not_overtaken() {
    let desk = Desk::open(POOL_500).await;
    let seen = desk.observe(1).await;
    let rpc = connect(desk.world.chain.url()).unwrap();
    let operator = Sender::new(desk.world.chain.url(), OPERATOR, 1, 1).await.unwrap();
    let vault = Vault::at(operator, desk.view().address());
    let _: serde_json::Value = rpc.request("evm_setAutomine", [false]).await.unwrap();
    let buy = order(&seen, true, 1_000 * DOLLAR, 50);
    let first = vault.decide(&seen, &buy, &[]).await.unwrap_err();
    assert!(matches!(first, ChainError::Unknown { .. }), "{first:?}");
    // Neither the same again nor another one slips in front of it.
    for m in [&buy, &hold(0)] {
        let error = vault.decide(&seen, m, &[]).await.unwrap_err();
        assert!(matches!(error, ChainError::Waiting { .. }), "{error:?}");
    }
    desk.world.chain.advance_to(desk.due(1) + 60).await.unwrap();
    let decided = desk.view().decided(0).await.unwrap();
    assert_eq!(decided.len(), 1);
    assert!(decided[0].outcome.executed);
    assert_eq!(decided[0].decided, buy);
}
