//! What can go wrong on the way to a chain and back; each names what to do.

use ethers::types::{Address, U256};
use thiserror::Error;

/// A failure of the chain's side of the world.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A program or package that `make tools` installs is missing.
    #[error("{what} was not found ({looked}): run `make tools`")]
    Tool {
        /// What is missing.
        what: &'static str,
        /// Where it was looked for.
        looked: String,
    },
    /// A development chain did not start.
    #[error("anvil did not start: {reason}")]
    Start {
        /// Why, in its own words.
        reason: String,
    },
    /// The RPC did not answer or answered with an error.
    #[error("{call} on {rpc}: {reason}; check that the node runs and answers")]
    Rpc {
        /// The call.
        call: &'static str,
        /// Host of the RPC.
        rpc: String,
        /// The error.
        reason: String,
    },
    /// The node serves another chain.
    #[error("chain id: expected {expected}, got {got} from {rpc}; point the settings at the mandate's chain")]
    ChainId {
        /// The mandate's.
        expected: u64,
        /// The node's.
        got: u64,
        /// Host of the RPC.
        rpc: String,
    },
    /// A contract refused.
    #[error("{call} was refused by the contract: {reason}")]
    Revert {
        /// The call.
        call: &'static str,
        /// Decoded custom error or reason.
        reason: String,
    },
    /// A sent transaction has no receipt yet: its outcome is unknown.
    #[error(
        "transaction {tx_hash} has no receipt after {waited_s} s on {rpc} ({last}): its outcome is unknown, ask the chain before sending again"
    )]
    Unknown {
        /// Hash.
        tx_hash: String,
        /// How long was waited.
        waited_s: u64,
        /// Host of the RPC.
        rpc: String,
        /// What the node said last.
        last: String,
    },
    /// Another transaction of the account waits with the same nonce.
    #[error("{account:?} has a transaction that waits for its block: its outcome is unknown, wait for it before sending again")]
    Waiting {
        /// The account.
        account: Address,
    },
    /// Gas costs more than the settings allow.
    #[error("gas costs {need_wei} wei, the cap is {cap_wei}: nothing is sent until it is cheaper")]
    GasPrice {
        /// What the next block asks for, tip included, wei a gas.
        need_wei: u128,
        /// The most allowed, wei a gas.
        cap_wei: u128,
    },
    /// Another transaction was mined with the nonce of a sent one.
    #[error(
        "nonce {nonce} of {account:?} was used by another transaction: ask the chain before sending again, and find out who else has the key"
    )]
    NonceTaken {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
    },
    /// Whoever follows a transaction's stages stopped it.
    #[error("stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The account cannot pay for gas.
    #[error("{call}: {account:?} has {have_wei} wei and gas may cost {need_wei}; send it ether")]
    Funds {
        /// The call.
        call: &'static str,
        /// The account.
        account: Address,
        /// What gas may cost.
        need_wei: U256,
        /// What it has.
        have_wei: U256,
    },
    /// A key file that cannot be used.
    #[error("key file {file}: {reason}")]
    Keystore {
        /// The file.
        file: String,
        /// Why, without what is in it.
        reason: String,
    },
    /// Whoever keeps the key did not sign what was asked for.
    #[error("signing by {signer}: {reason}; check that the signer runs and approves")]
    Signing {
        /// Host of the signing service.
        signer: String,
        /// Why.
        reason: String,
    },
    /// The development chains of an earlier start do not run any more.
    #[error("{file}: the chain at {url} does not run any more ({reason}); its state is lost: remove the file and start afresh")]
    Gone {
        /// The file that tells of them.
        file: String,
        /// Where it was.
        url: String,
        /// What was found in its place.
        reason: String,
    },
    /// An answer that does not fit.
    #[error("{field}: expected {expected}, got {got}")]
    Value {
        /// The field.
        field: &'static str,
        /// What would fit.
        expected: String,
        /// What came.
        got: String,
    },
}

impl ChainError {
    /// A value that does not fit.
    pub fn value(field: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Value { field, expected: expected.to_string(), got: got.to_string() }
    }
}
