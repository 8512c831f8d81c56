//! Calls that the client would never make: a contract's interface from its artifact, and unsigned transactions.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ethers::abi::{Abi, Token};
use ethers::providers::Middleware;
use ethers::types::{Address, BlockNumber, Bytes, TransactionReceipt, TransactionRequest, U256};
use probity_chain::{Move, Observed, Rpc};
use serde_json::{Value, json};
use std::path::Path;

/// Call data of a function of an artifact below `chain/contracts`.
pub(crate) fn encode(artifact: &str, function: &str, arguments: &[Token]) -> Bytes {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts").join(artifact)).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let abi: Abi = serde_json::from_value(json["abi"].clone()).unwrap();
    // Of several by one name, the one with so many arguments.
    let found = abi.functions_by_name(function).unwrap().iter().find(|f| f.inputs.len() == arguments.len());
    found.unwrap().encode_input(arguments).unwrap().into()
}

fn uint(v: u128) -> Token {
    Token::Uint(U256::from(v))
}

/// Call data of `decide` with anything in it.
pub(crate) fn decide(seen: &Observed, m: &Move, side: u8, amounts: (u128, u128), digest: [u8; 32], proof: &[u8]) -> Bytes {
    let hash = |h: [u8; 32]| Token::FixedBytes(h.to_vec());
    let decision = Token::Tuple(vec![
        uint(u128::from(seen.step)),
        uint(u128::from(seen.time_s)),
        uint(u128::from(seen.block_number)),
        hash(seen.block_hash),
        hash(seen.digest()),
        hash(m.head_before),
        hash(m.head_after),
        uint(u128::from(side)),
        uint(amounts.0),
        uint(amounts.1),
        hash(digest),
    ]);
    encode("out/ProbityVault.json", "decide", &[decision, Token::Bytes(proof.to_vec())])
}

/// Why a call of `from` in the block to come would be refused (the node's data), or none.
pub(crate) async fn refusal(rpc: &Rpc, from: Address, to: Address, data: Bytes) -> Option<String> {
    let call = TransactionRequest::new().from(from).to(to).data(data).into();
    let error = rpc.call(&call, Some(BlockNumber::Pending.into())).await.err()?;
    Some(error.to_string())
}

/// Sends an unsigned transaction and waits for its block.
pub(crate) async fn send(rpc: &Rpc, from: Address, to: Address, data: Bytes, gas: u64) -> TransactionReceipt {
    let _: Value = rpc.request("anvil_impersonateAccount", json!([from])).await.unwrap();
    let tx = TransactionRequest::new().from(from).to(to).data(data).gas(gas);
    let hash: ethers::types::H256 = rpc.request("eth_sendTransaction", json!([tx])).await.unwrap();
    loop {
        if let Some(receipt) = rpc.get_transaction_receipt(hash).await.unwrap() {
            return receipt;
        }
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
}
