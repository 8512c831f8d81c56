//! Everything that the invariants of a vault speak of, read of one block.

use crate::hostile::{ask, deploy, encode};
use ethers::abi::Token;
use ethers::types::{Address, U256};
use probity_chain::{Rpc, Vault};

/// What the tokens and the vault say. `held` begins with the vault and the pool, `shares` with the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) accounts: [u128; 2],
    pub(crate) total: u128,
    pub(crate) bond: u128,
    pub(crate) steps: u128,
    pub(crate) proven: u128,
    pub(crate) withdraw_only: bool,
    /// Of the share token.
    pub(crate) supply: u128,
    pub(crate) held: Vec<[u128; 2]>,
    pub(crate) shares: Vec<u128>,
}

/// Reads the books of a vault, its pool and its parties.
pub(crate) struct Reader {
    rpc: Rpc,
    contract: Address,
    question: ethers::types::Bytes,
}

impl Reader {
    /// The accounts are the vault, its pool, and the parties.
    pub(crate) async fn new(vault: &Vault, accounts: Vec<Address>) -> Self {
        let contract = deploy(vault.sender(), "Books").await;
        let of = Token::Array(accounts.into_iter().map(Token::Address).collect());
        let question = encode("Books", "read", &[Token::Address(vault.view().address()), of]);
        Self { rpc: vault.sender().rpc().clone(), contract, question }
    }

    pub(crate) async fn read(&self) -> Books {
        let answer = ask(&self.rpc, self.contract, self.question.clone()).await;
        let words: Vec<u128> = answer[64..].chunks(32).map(|w| U256::from_big_endian(w).as_u128()).collect();
        let (own, of) = words.split_at(8);
        Books {
            accounts: [own[0], own[1]],
            total: own[2],
            bond: own[3],
            steps: own[4],
            proven: own[5],
            withdraw_only: own[6] != 0,
            supply: own[7],
            held: of.chunks(3).map(|p| [p[0], p[1]]).collect(),
            shares: of.chunks(3).skip(2).map(|p| p[2]).collect(),
        }
    }
}
