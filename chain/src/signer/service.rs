//! A signing service over JSON-RPC: clef (`account_*`), or a node or signer with `eth_accounts` and `eth_signTransaction`.
//!
//! The service is trusted with the key and with nothing else: what it signed must be, byte for byte, what it was asked to.

use super::{PATIENCE, signed};
use crate::ChainError;
use crate::rpc::{Rpc, connect_within, host_of};
use ethers::providers::{ProviderError, RpcError};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes};
use serde_json::{Value, json};

/// JSON-RPC's code for a method that is not there.
const NO_SUCH_METHOD: i64 = -32601;

/// What the service calls its methods.
#[derive(Clone, Copy)]
enum Dialect {
    Clef,
    Eth,
}

impl Dialect {
    const fn list(self) -> &'static str {
        match self {
            Self::Clef => "account_list",
            Self::Eth => "eth_accounts",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Clef => "account_signTransaction",
            Self::Eth => "eth_signTransaction",
        }
    }
}

pub(super) struct Service {
    rpc: Rpc,
    host: String,
    account: Address,
    dialect: Dialect,
}

impl Service {
    pub(super) async fn connect(url: &str, account: Address) -> Result<Self, ChainError> {
        let (rpc, host) = (connect_within(url, PATIENCE)?, host_of(url));
        let fail = |reason: String| ChainError::Signing { signer: host.clone(), reason };
        let mut dialect = Dialect::Clef;
        let mut listed = rpc.request::<_, Value>(dialect.list(), json!([])).await;
        if listed.as_ref().is_err_and(is_no_method) {
            dialect = Dialect::Eth;
            listed = rpc.request(dialect.list(), json!([])).await;
        }
        let listed = listed.map_err(|e| fail(format!("{}: {e}", dialect.list())))?;
        let entries = listed.as_array().ok_or_else(|| fail(format!("{}: expected a list of accounts", dialect.list())))?;
        // Older clefs list objects.
        let addresses = entries.iter().filter_map(|entry| entry.as_str().or_else(|| entry.get("address")?.as_str()));
        if !addresses.filter_map(|text| text.parse::<Address>().ok()).any(|address| address == account) {
            return Err(fail(format!("it lists {} accounts, and {account:?} is none of them: unlock or name another", entries.len())));
        }
        Ok(Self { rpc, host, account, dialect })
    }

    pub(super) const fn account(&self) -> Address {
        self.account
    }

    pub(super) async fn sign(&self, tx: &TypedTransaction) -> Result<Bytes, ChainError> {
        let fail = |reason: String| ChainError::Signing { signer: self.host.clone(), reason };
        let fee = tx.as_eip1559_ref().ok_or_else(|| fail("expected an EIP-1559 transaction".into()))?;
        let mut asked = json!({
            "from": self.account,
            "gas": fee.gas,
            "maxFeePerGas": fee.max_fee_per_gas,
            "maxPriorityFeePerGas": fee.max_priority_fee_per_gas,
            "value": fee.value.unwrap_or_default(),
            "nonce": fee.nonce,
            "data": fee.data.clone().unwrap_or_default(),
            "chainId": tx.chain_id(),
        });
        if let (Some(to), Some(map)) = (tx.to_addr(), asked.as_object_mut()) {
            map.insert("to".into(), json!(to));
        }
        let answer: Value = self.rpc.request(self.dialect.sign(), json!([asked])).await.map_err(|e| fail(e.to_string()))?;
        // A string, or the transaction in words beside it.
        let raw = answer.as_str().or_else(|| answer.get("raw")?.as_str());
        let raw: Bytes = raw.and_then(|text| text.parse().ok()).ok_or_else(|| fail("expected the signed transaction in hex".into()))?;
        signed::check(tx, self.account, &raw).map_err(|reason| fail(format!("{reason}; it is not sent")))?;
        Ok(raw)
    }
}

fn is_no_method(error: &ProviderError) -> bool {
    error.as_error_response().is_some_and(|answer| answer.code == NO_SUCH_METHOD || answer.message.contains("does not exist"))
}
