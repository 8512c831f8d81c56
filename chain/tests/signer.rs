//! Who signs and which way a transaction goes: signing services that keep to what they were asked and ones that do not, and
//! private relays, as local servers in front of a development chain. No real relay was at hand.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::common;
use common::{ETHER, OPERATOR, World};
use ethers::providers::Middleware;
use ethers::signers::{LocalWallet, Signer as _};
use ethers::types::Eip1559TransactionRequest;
use ethers::types::transaction::eip2718::TypedTransaction;
use probity_chain::{Address, ChainError, POOL_500, PrivateRelay, Sender, Signer, USDC, Vault, WETH, connect};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A JSON-RPC server: each request's method and parameters to a result, or an error's code and message.
async fn serve<F, R>(answer: F) -> String
where
    F: Fn(String, Value) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, (i64, String)>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/SECRETPATH", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                let body = loop {
                    let mut part = vec![0; 1 << 16];
                    let Ok(n @ 1..) = stream.read(&mut part).await else { return };
                    got.extend_from_slice(&part[..n]);
                    let text = String::from_utf8_lossy(&got).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
                    if body.len() >= length.unwrap() {
                        break serde_json::from_str::<Value>(body).unwrap();
                    }
                };
                let said = match answer(body["method"].as_str().unwrap().to_owned(), body["params"].clone()).await {
                    Ok(result) => json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }),
                    Err((code, message)) => json!({ "jsonrpc": "2.0", "id": body["id"], "error": { "code": code, "message": message } }),
                };
                let said = said.to_string();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}", said.len());
                stream.write_all(format!("{head}\r\n\r\n{said}").as_bytes()).await.unwrap();
            });
        }
    });
    url
}

fn no_method() -> Result<Value, (i64, String)> {
    Err((-32601, "the method does not exist/is not available".into()))
}

/// A clef: what it is asked to sign passes through `spoil` first.
async fn clef(spoil: fn(Eip1559TransactionRequest) -> Eip1559TransactionRequest) -> String {
    serve(move |method, params| async move {
        let wallet: LocalWallet = OPERATOR.parse().unwrap();
        match method.as_str() {
            "account_list" => Ok(json!([wallet.address()])),
            "account_signTransaction" => {
                let asked: Eip1559TransactionRequest = serde_json::from_value(params[0].clone()).unwrap();
                let tx: TypedTransaction = spoil(asked).into();
                let signature = wallet.sign_transaction(&tx).await.unwrap();
                Ok(json!({ "raw": tx.rlp_signed(&signature), "tx": {} }))
            }
            _ => no_method(),
        }
    })
    .await
}

fn operator() -> Address {
    OPERATOR.parse::<LocalWallet>().unwrap().address()
}

async fn funded() -> World {
    let world = World::stand_in().await;
    world.chain.fund_gas(operator(), 10 * ETHER).await.unwrap();
    world
}

async fn sent(world: &World) -> u64 {
    connect(world.chain.url()).unwrap().get_transaction_count(operator(), None).await.unwrap().as_u64()
}

async fn deploy(world: &World, signer: Signer) -> Result<Vault, ChainError> {
    let sender = Sender::signed_by(world.chain.url(), signer, 1, 5).await.unwrap();
    Vault::deploy(sender, USDC, WETH, POOL_500).await
}

#[tokio::test]
async fn a_signing_service_signs_what_it_is_asked_and_nothing_else_leaves() {
    let world = funded().await;
    let signer = Signer::service(&clef(|tx| tx).await, operator()).await.unwrap();
    let vault = deploy(&world, signer).await.unwrap();
    assert_eq!(vault.view().operator().await.unwrap(), operator());
    vault.prepare_oracle(86_400).await.unwrap();
    let before = sent(&world).await;
    let spoils: [fn(Eip1559TransactionRequest) -> Eip1559TransactionRequest; 3] =
        [|tx| tx.value(1), |tx| tx.to(Address::zero()), |tx| tx.gas(29_000_000)];
    for spoil in spoils {
        let signer = Signer::service(&clef(spoil).await, operator()).await.unwrap();
        let error = deploy(&world, signer).await.unwrap_err();
        assert!(matches!(error, ChainError::Signing { .. }), "{error:?}");
        assert!(
            error.to_string().contains("not the transaction that was asked for") && !error.to_string().contains("SECRETPATH"),
            "{error}"
        );
    }
    assert_eq!(sent(&world).await, before, "nothing was sent");
}

/// An anvil that only signs; ended when the test ends.
struct Keeper(std::process::Child, String);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn keeper() -> Keeper {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut command = std::process::Command::new(common::tools().anvil().unwrap());
    command.args(["--quiet", "--chain-id", "1", "--accounts", "1", "--port", &port.to_string()]);
    let keeper = Keeper(command.stdout(std::process::Stdio::null()).spawn().unwrap(), format!("http://127.0.0.1:{port}"));
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    keeper
}

#[tokio::test]
async fn a_node_that_keeps_keys_is_a_signing_service_too() {
    // anvil's own eth_signTransaction: an implementation that is not ours.
    let (world, keeper) = (World::stand_in().await, keeper().await);
    let accounts: Vec<Address> = connect(&keeper.1).unwrap().request("eth_accounts", json!([])).await.unwrap();
    let account = accounts[0];
    world.chain.fund_gas(account, 10 * ETHER).await.unwrap();
    let vault = deploy(&world, Signer::service(&keeper.1, account).await.unwrap()).await.unwrap();
    assert_eq!(vault.view().operator().await.unwrap(), account);
    let error = Signer::service(&keeper.1, operator()).await.unwrap_err();
    assert!(matches!(&error, ChainError::Signing { reason, .. } if reason.contains("is none of them")), "{error:?}");
}

/// A relay that forwards to the chain, or refuses.
async fn relay(world: &World, takes: bool, seen: Arc<AtomicU32>) -> String {
    let url = world.chain.url().to_owned();
    serve(move |method, params| {
        let (url, seen) = (url.clone(), seen.clone());
        async move {
            assert_eq!(method, "eth_sendPrivateTransaction");
            seen.fetch_add(1, Ordering::SeqCst);
            let latest = connect(&url).unwrap().get_block_number().await.unwrap().as_u64();
            assert_eq!(params[0]["maxBlockNumber"], format!("{:#x}", latest + 25));
            if !takes {
                return Err((-32000, "not today".into()));
            }
            Ok(connect(&url).unwrap().request("eth_sendRawTransaction", json!([params[0]["tx"]])).await.unwrap())
        }
    })
    .await
}

#[tokio::test]
async fn a_private_relay_is_used_and_falls_back_only_if_told_to() {
    let world = funded().await;
    let through = async |takes: bool, falls_back: bool| {
        let seen = Arc::new(AtomicU32::new(0));
        let relay = PrivateRelay::at(&relay(&world, takes, seen.clone()).await, falls_back).unwrap();
        assert!(!format!("{relay:?}").contains("SECRETPATH"));
        let sender = Sender::new(world.chain.url(), OPERATOR, 1, 5).await.unwrap().through(relay);
        let done = Vault::deploy(sender, USDC, WETH, POOL_500).await;
        assert_eq!(seen.load(Ordering::SeqCst), 1, "the relay was asked once");
        done
    };
    through(true, false).await.unwrap();
    assert_eq!(sent(&world).await, 1);
    let error = through(false, false).await.unwrap_err();
    assert!(matches!(&error, ChainError::Rpc { reason, .. } if reason.contains("not today")), "{error:?}");
    assert_eq!(sent(&world).await, 1, "what the relay refused is not sent in public");
    through(false, true).await.unwrap();
    assert_eq!(sent(&world).await, 2);
}

#[test]
fn no_key_is_shown() {
    let signer = Signer::from_key(OPERATOR).unwrap();
    assert_eq!(format!("{signer:?}"), format!("Signer({:?})", operator()));
    let error = Signer::from_key("5ec4e7").unwrap_err();
    assert!(format!("{error} {error:?}").contains("not shown") && !format!("{error} {error:?}").contains("5ec4e7"));
}
