//! Transactions of accounts whose keys nobody here has: a development chain sends them unsigned.

use crate::ChainError;
use crate::node::Node;
use crate::rpc::failure;
use ethers::providers::Middleware;
use ethers::types::{Address, Bytes, H256, TransactionReceipt, TransactionRequest, U256};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Gas a single transaction may use.
const GAS: u64 = 30_000_000;
/// Ether given to an account that acts.
const WEI: u128 = 1_000_000_000_000_000_000_000_000;
/// A development chain mines at once; longer than this and something is wrong.
const MINED: Duration = Duration::from_secs(60);

/// Lets an account act: gives it ether to pay gas with, if it has little.
pub(crate) async fn assume(node: &Node, account: Address) -> Result<(), ChainError> {
    node.ask::<_, Value>("anvil_impersonateAccount", json!([account])).await?;
    let have = node.rpc.get_balance(account, None).await.map_err(|e| failure("eth_getBalance", "the development chain", &e))?;
    if have < U256::from(WEI / 2) {
        node.ask::<_, Value>("anvil_setBalance", json!([account, U256::from(WEI)])).await?;
    }
    Ok(())
}

/// Sends a call, or a creation with `to` none, and waits for its block.
pub(crate) async fn act(
    node: &Node,
    call: &'static str,
    from: Address,
    to: Option<Address>,
    data: Option<Bytes>,
    wei: u128,
) -> Result<TransactionReceipt, ChainError> {
    let data = data.ok_or_else(|| ChainError::value("calldata", "an encodable call", call))?;
    let mut tx = TransactionRequest::new().from(from).data(data).value(wei).gas(GAS);
    if let Some(to) = to {
        tx = tx.to(to);
    }
    let sent = Instant::now();
    let hash: H256 = loop {
        match node.ask("eth_sendTransaction", json!([tx])).await {
            // The node shows a receipt a moment before it counts its nonce.
            Err(ChainError::Rpc { reason, .. }) if reason.contains("nonce too low") && sent.elapsed() < MINED => {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            answer => break answer?,
        }
    };
    loop {
        let found = node.rpc.get_transaction_receipt(hash).await;
        match found.map_err(|e| failure("eth_getTransactionReceipt", "the development chain", &e))? {
            Some(receipt) if receipt.status == Some(1u64.into()) => return Ok(receipt),
            Some(_) => {
                let again = node.rpc.call(&tx.into(), None).await;
                let why = again.err().and_then(|e| crate::revert::decode(&e)).unwrap_or_else(|| "no reason given".into());
                return Err(ChainError::Revert { call, reason: why });
            }
            None if sent.elapsed() > MINED => {
                let (tx_hash, waited_s) = (format!("{hash:?}"), MINED.as_secs());
                return Err(ChainError::Unknown { tx_hash, waited_s, rpc: "the development chain".into(), last: "none yet".into() });
            }
            None => tokio::time::sleep(Duration::from_millis(3)).await,
        }
    }
}
