//! What came back from whoever keeps a key: the very transaction that was asked for, signed by the account, or nothing.

use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Address, Bytes, Signature, U256};
use ethers::utils::rlp::Rlp;

/// Parts of a signed EIP-1559 transaction; the last three are the signature.
const PARTS: usize = 12;

/// Whether these bytes are this transaction, signed by this account.
pub(super) fn check(tx: &TypedTransaction, account: Address, raw: &Bytes) -> Result<(), &'static str> {
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
