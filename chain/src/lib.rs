//! Everything Ethereum: the only crate that names ethers. Plain integers and bytes at its edge; the agent converts.
//!
//! - The vault: [`Vault`] acts on it, [`VaultView`] reads what it promised, where it stands and what the chain recorded of it.
//! - Its shares: [`ShareTerms`] fixes fees and price guard, [`ShareFacts`] is what a depositor reads.
//! - A pool's past: [`Pull`], its logs out of any node. A pool at one block: [`PoolView`], its oracle and what a swap would meet.
//! - Registries of agents (ERC-8004): [`Validations`] asks for, gives and reads validations; [`Identities`] names agents.
//! - Sending: [`Sender`], one account; a sent transaction is unknown until its receipt. [`Signer`] keeps its key, or knows who does.
//! - Development chains: [`DevChain`], anvil as a fork of a real chain or of a stand-in mainnet with the real Uniswap v3.
//!
//! It does not decide, prove or judge: whether a record is what was decided is the audit's business.

mod attempt;
mod bond;
mod contracts;
mod convert;
mod devchain;
mod epoch;
mod error;
mod events;
mod impersonate;
mod mainnet;
mod market;
mod node;
mod pool;
mod pool_view;
mod private_relay;
mod pull;
mod record;
mod registry;
mod revert;
mod rotation;
mod rpc;
mod send;
mod settlement;
mod shares;
mod signer;
mod standin;
mod state;
mod survey;
mod tools;
mod vault;
mod view;

pub use attempt::{Attempt, Fees, Notes};
pub use bond::Pledge;
pub use devchain::{DevChain, Origin};
pub use epoch::Epoch;
pub use error::ChainError;
pub use ethers::types::Address;
pub use mainnet::{FACTORY, POOL_500, POOL_3000, POSITION_MANAGER, SWAP_ROUTER, USDC, WETH};
pub use market::Moved;
pub use pool::{PoolInfo, TokenInfo};
pub use pool_view::{BlockSeen, PoolView, Reach, SlotsSeen};
pub use private_relay::PrivateRelay;
pub use pull::{PoolLog, Pull};
pub use record::{Balances, Decided, Flow, Move, Observed, Outcome, Posted, Promise, SwapSeen};
pub use registry::{Answer, Identities, Request, Validation, Validations, keccak};
pub use rotation::{Announce, Announced, Rotated, Weights};
pub use rpc::{Bounded, REQUEST_TIMEOUT, RequestError, Rpc, connect, connect_within, host_of};
pub use send::Sender;
pub use settlement::{SettlementVerifier, Standing, Terms, Verdict};
pub use shares::{ShareFacts, ShareTerms};
#[cfg(feature = "ledger")]
pub use signer::KeyPath;
pub use signer::{Cost, Keystore, PATIENCE, Signer};
pub use state::{HeaderPart, HeaderSeen, Place, Proofs, StorageSeen, vault_storage};
pub use survey::{Newest, Survey};
pub use tools::Tools;
pub use vault::Vault;
pub use view::{VaultView, chain_id};
