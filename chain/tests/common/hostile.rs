//! The contracts of the tests: put on the chain and asked.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::raw;
use ethers::abi::Token;
use ethers::providers::Middleware;
use ethers::types::{Address, BlockNumber, Bytes, TransactionReceipt, TransactionRequest, U256};
use probity_chain::{Rpc, Sender};
use serde_json::{Value, json};
use std::path::Path;

/// Puts a contract on the chain whose constructor takes nothing.
pub(crate) async fn deploy(sender: &Sender, name: &str) -> Address {
    deploy_with(sender, &format!("test/{name}"), &[]).await
}

/// Puts a contract of the artifacts on the chain.
pub(crate) async fn deploy_with(sender: &Sender, name: &str, arguments: &[Token]) -> Address {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("contracts/out/{name}.json"));
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let code: Bytes = json["bytecode"].as_str().unwrap().parse().unwrap();
    deploy_code(sender, [code.to_vec(), ethers::abi::encode(arguments)].concat().into()).await
}

/// Puts on the chain whatever this creation code makes.
pub(crate) async fn deploy_code(sender: &Sender, code: Bytes) -> Address {
    let rpc = sender.rpc();
    let _: Value = rpc.request("anvil_impersonateAccount", json!([sender.address()])).await.unwrap();
    let tx = TransactionRequest::new().from(sender.address()).data(code).gas(15_000_000);
    let hash: ethers::types::H256 = rpc.request("eth_sendTransaction", json!([tx])).await.unwrap();
    loop {
        if let Some(receipt) = rpc.get_transaction_receipt(hash).await.unwrap() {
            assert_eq!(receipt.status, Some(1.into()));
            return receipt.contract_address.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
}

/// Sends a call unsigned and takes it for done.
pub(crate) async fn done(rpc: &Rpc, from: Address, to: Address, data: Bytes) -> TransactionReceipt {
    let receipt = raw::send(rpc, from, to, data.clone(), 8_000_000).await;
    assert_eq!(receipt.status, Some(1.into()), "{:?}", raw::refusal(rpc, from, to, data).await);
    receipt
}

/// First bytes of a custom error, without fields unless they are named, as a node shows them.
pub(crate) fn error(name: &str) -> String {
    let name = if name.contains('(') { name.to_owned() } else { format!("{name}()") };
    format!("0x{}", hex::encode(&ethers::utils::keccak256(name)[..4]))
}

/// Call data of a function of a contract of the tests.
pub(crate) fn encode(name: &str, function: &str, arguments: &[Token]) -> Bytes {
    raw::encode(&format!("out/test/{name}.json"), function, arguments)
}

/// Call data of a function of the vault.
pub(crate) fn of_vault(function: &str, arguments: &[Token]) -> Bytes {
    raw::encode("out/ProbityVault.json", function, arguments)
}

/// Call data of a function of the share contract.
pub(crate) fn of_shares(function: &str, arguments: &[Token]) -> Bytes {
    raw::encode("out/ProbityShares.json", function, arguments)
}

/// Call data of a function of an ERC20.
pub(crate) fn of_token(function: &str, arguments: &[Token]) -> Bytes {
    raw::encode("node_modules/@openzeppelin/contracts/build/contracts/ERC20.json", function, arguments)
}

/// Answer of a call on the latest block.
pub(crate) async fn ask(rpc: &Rpc, to: Address, data: Bytes) -> Bytes {
    let call = TransactionRequest::new().to(to).data(data).into();
    rpc.call(&call, Some(BlockNumber::Latest.into())).await.unwrap()
}

pub(crate) fn uint(v: u128) -> Token {
    Token::Uint(U256::from(v))
}
