//! A signing service over JSON-RPC: clef (`account_*`), or a node or signer with `eth_accounts` and `eth_signTransaction`.
//!
//! The service is trusted with the key and with nothing else: what it signed must be, byte for byte, what it was asked to.

use crate::ChainError;
use crate::rpc::{Rpc, connect_within, host_of};
use ethers::providers::{ProviderError, RpcError};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes, Signature, U256};
use ethers::utils::rlp::Rlp;
use serde_json::{Value, json};
use std::time::Duration;

/// A person may have to approve.
const TIMEOUT: Duration = Duration::from_secs(120);
/// JSON-RPC's code for a method that is not there.
const NO_SUCH_METHOD: i64 = -32601;
/// Parts of a signed EIP-1559 transaction; the last three are the signature.
const PARTS: usize = 12;

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
        let (rpc, host) = (connect_within(url, TIMEOUT)?, host_of(url));
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
        check(tx, self.account, &raw).map_err(|reason| fail(format!("{reason}; it is not sent")))?;
        Ok(raw)
    }
}

fn is_no_method(error: &ProviderError) -> bool {
    error.as_error_response().is_some_and(|answer| answer.code == NO_SUCH_METHOD || answer.message.contains("does not exist"))
}

/// Whether these bytes are this transaction, signed by this account.
fn check(tx: &TypedTransaction, account: Address, raw: &Bytes) -> Result<(), &'static str> {
    const OTHER: &str = "what it signed is not the transaction that was asked for";
    let Some((2, body)) = raw.split_first() else { return Err(OTHER) };
    let parts = Rlp::new(body);
    if parts.item_count() != Ok(PARTS) {
        return Err(OTHER);
    }
    let part = |i: usize| parts.val_at::<U256>(PARTS - 3 + i).map_err(|_| OTHER);
    let (v, r, s) = (part(0)?, part(1)?, part(2)?);
    if v > U256::one() {
        return Err(OTHER);
    }
    let signature = Signature { r, s, v: v.low_u64() };
    if tx.rlp_signed(&signature) != *raw {
        return Err(OTHER);
    }
    match signature.recover(tx.sighash()) {
        Ok(signed) if signed == account => Ok(()),
        _ => Err("the signature is not the account's"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::check;
    use ethers::signers::{LocalWallet, Signer};
    use ethers::types::transaction::eip2718::TypedTransaction;
    use ethers::types::{Bytes, Eip1559TransactionRequest};

    fn transaction() -> Eip1559TransactionRequest {
        let to = "0x00000000000000000000000000000000000000aa".parse::<ethers::types::Address>().unwrap();
        Eip1559TransactionRequest::new()
            .to(to)
            .nonce(7)
            .gas(21_000)
            .max_fee_per_gas(9)
            .max_priority_fee_per_gas(1)
            .chain_id(1)
            .data(vec![1, 2])
    }

    #[tokio::test]
    async fn only_the_very_transaction_signed_by_the_account_passes() {
        let wallet: LocalWallet = "11".repeat(32).parse().unwrap();
        let sign = async |tx: &TypedTransaction, wallet: &LocalWallet| tx.rlp_signed(&wallet.sign_transaction(tx).await.unwrap());
        let asked: TypedTransaction = transaction().into();
        let good = sign(&asked, &wallet).await;
        assert_eq!(check(&asked, wallet.address(), &good), Ok(()));

        let other = "what it signed is not the transaction that was asked for";
        let elsewhere = "0x00000000000000000000000000000000000000bb".parse::<ethers::types::Address>().unwrap();
        for forged in [
            transaction().to(elsewhere),
            transaction().nonce(8),
            transaction().gas(21_001),
            transaction().max_fee_per_gas(10),
            transaction().max_priority_fee_per_gas(2),
            transaction().chain_id(5),
            transaction().data(vec![1, 3]),
            transaction().value(1),
        ] {
            assert_eq!(check(&asked, wallet.address(), &sign(&forged.into(), &wallet).await), Err(other));
        }
        let stranger: LocalWallet = "22".repeat(32).parse().unwrap();
        assert_eq!(check(&asked, wallet.address(), &sign(&asked, &stranger).await), Err("the signature is not the account's"));
        for end in 0..good.len() {
            assert_eq!(check(&asked, wallet.address(), &Bytes::from(good[..end].to_vec())), Err(other));
        }
        let longer: Bytes = good.iter().copied().chain([0]).collect::<Vec<u8>>().into();
        assert_eq!(check(&asked, wallet.address(), &longer), Err(other));
    }
}
