//! Registries of agents after ERC-8004 (draft of January 2026): who an agent is, who was asked to validate it, and what was answered.
//!
//! An answer is the word of a validator that the agent's owner chose. What it says is not judged here, and its URI is not followed.

use crate::ChainError;
use crate::contracts::registries::{
    Identities as IdentitiesContract, RegisteredFilter, ValidationRequestFilter, ValidationResponseFilter,
    Validations as ValidationsContract,
};
use crate::events::{Place, event, logs};
use crate::rpc::{Rpc, connect, failure, host_of};
use crate::send::Sender;
use crate::vault::encoded;
use ethers::abi::AbiEncode;
use ethers::contract::{ContractError, EthEvent};
use ethers::providers::Middleware;
use ethers::types::{Address, Bytes, H256, TransactionReceipt, U256};
use ethers::utils::keccak256;
use serde::Deserialize;
use std::sync::Arc;

/// The committed artifacts of the project's own registries.
const OWN_IDENTITIES: &str = include_str!("../contracts/out/registry/IdentityRegistry.json");
const OWN_VALIDATIONS: &str = include_str!("../contracts/out/registry/ValidationRegistry.json");

/// keccak-256, by which ERC-8004 commits to documents.
#[must_use]
pub fn keccak(bytes: &[u8]) -> [u8; 32] {
    keccak256(bytes)
}

/// A registry of agents.
#[derive(Debug, Clone)]
pub struct Identities {
    contract: IdentitiesContract<Rpc>,
    host: String,
}

/// A registry of validations.
#[derive(Debug, Clone)]
pub struct Validations {
    contract: ValidationsContract<Rpc>,
    rpc: Rpc,
    host: String,
}

/// Who was asked, as the registry keeps it, with the newest answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Who may answer.
    pub validator: Address,
    /// About which agent.
    pub agent_id: U256,
    /// 0 … 100; 0 also before any answer.
    pub response: u8,
    /// What the answer commits to.
    pub response_hash: [u8; 32],
    /// Its tag.
    pub tag: String,
    /// Time of request or answer, unix seconds.
    pub last_update_s: u64,
}

/// A request as its event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who may answer.
    pub validator: Address,
    /// About which agent.
    pub agent_id: U256,
    /// Where the asked document is, if anywhere.
    pub uri: String,
    /// Block.
    pub block_number: u64,
    /// Transaction.
    pub tx_hash: [u8; 32],
}

/// An answer as its event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub validator: Address,
    /// About which agent.
    pub agent_id: U256,
    /// 0 … 100.
    pub response: u8,
    /// Where the document is, if anywhere.
    pub uri: String,
    /// keccak-256 of the document.
    pub hash: [u8; 32],
    /// Tag.
    pub tag: String,
    /// Block.
    pub block_number: u64,
    /// Transaction.
    pub tx_hash: [u8; 32],
}

#[derive(Deserialize)]
struct Artifact {
    bytecode: Bytes,
}

/// Deploys one of the project's own registries.
async fn deploy(sender: &Sender, artifact: &'static str, arguments: Vec<u8>) -> Result<Address, ChainError> {
    let artifact: Artifact = serde_json::from_str(artifact).map_err(|e| ChainError::value("registry artifact", "bytecode", e))?;
    let data: Vec<u8> = artifact.bytecode.iter().copied().chain(arguments).collect();
    let receipt = sender.send("deploy", None, data.into()).await?;
    receipt.contract_address.ok_or_else(|| ChainError::value("contractAddress", "an address", "none"))
}

fn refused(call: &'static str, host: &str, address: Address, error: &ContractError<Rpc>) -> ChainError {
    match error {
        ContractError::Revert(data) => ChainError::Revert { call, reason: crate::revert::words(data) },
        ContractError::ProviderError { e } => failure(call, host, e),
        other => ChainError::Rpc { call, rpc: host.to_owned(), reason: format!("{other}; is {address:?} such a registry on this chain?") },
    }
}

/// The event of one kind that a transaction left at an address.
fn told<E: EthEvent>(receipt: &TransactionReceipt, at: Address) -> Result<(E, Place), ChainError> {
    let found = receipt.logs.iter().find(|log| log.address == at && log.topics.first() == Some(&E::signature()));
    let log = found.ok_or_else(|| ChainError::value("receipt", format!("an event {}", E::abi_signature()), "none"))?;
    Ok((event(log)?, Place::of(log)?))
}

impl Identities {
    /// The registry at an address on the node at a URL.
    pub fn at(url: &str, address: Address) -> Result<Self, ChainError> {
        Ok(Self { contract: IdentitiesContract::new(address, Arc::new(connect(url)?)), host: host_of(url) })
    }

    /// Deploys the project's own registry: for development chains.
    pub async fn deploy(sender: &Sender) -> Result<Self, ChainError> {
        let address = deploy(sender, OWN_IDENTITIES, Vec::new()).await?;
        Ok(Self { contract: IdentitiesContract::new(address, Arc::new(sender.rpc().clone())), host: sender.host().to_owned() })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.contract.address()
    }

    fn refused(&self, call: &'static str, error: &ContractError<Rpc>) -> ChainError {
        refused(call, &self.host, self.address(), error)
    }

    /// Registers an agent of the sender's; its number.
    pub async fn register(&self, sender: &Sender, uri: &str) -> Result<U256, ChainError> {
        let data = encoded("register", self.contract.register(uri.to_owned()).calldata())?;
        let receipt = sender.send("register", Some(self.address()), data).await?;
        Ok(told::<RegisteredFilter>(&receipt, self.address())?.0.agent_id)
    }

    /// Whose the agent is.
    pub async fn owner(&self, agent_id: U256) -> Result<Address, ChainError> {
        self.contract.owner_of(agent_id).call().await.map_err(|e| self.refused("ownerOf", &e))
    }

    /// Its registration file.
    pub async fn uri(&self, agent_id: U256) -> Result<String, ChainError> {
        self.contract.token_uri(agent_id).call().await.map_err(|e| self.refused("tokenURI", &e))
    }

    /// The account that it acts with; zero if it names none.
    pub async fn wallet(&self, agent_id: U256) -> Result<Address, ChainError> {
        self.contract.get_agent_wallet(agent_id).call().await.map_err(|e| self.refused("getAgentWallet", &e))
    }

    /// Owner and wallet; the wallet is zero where the registry does not tell one.
    pub async fn accounts(&self, agent_id: U256) -> Result<[Address; 2], ChainError> {
        Ok([self.owner(agent_id).await?, self.wallet(agent_id).await.unwrap_or_default()])
    }
}

impl Validations {
    /// The registry at an address on the node at a URL.
    pub fn at(url: &str, address: Address) -> Result<Self, ChainError> {
        Ok(Self::on(connect(url)?, host_of(url), address))
    }

    fn on(rpc: Rpc, host: String, address: Address) -> Self {
        Self { contract: ValidationsContract::new(address, Arc::new(rpc.clone())), rpc, host }
    }

    /// Deploys the project's own registry over a registry of agents: for development chains.
    pub async fn deploy(sender: &Sender, identities: Address) -> Result<Self, ChainError> {
        let address = deploy(sender, OWN_VALIDATIONS, identities.encode()).await?;
        Ok(Self::on(sender.rpc().clone(), sender.host().to_owned(), address))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.contract.address()
    }

    fn refused(&self, call: &'static str, error: &ContractError<Rpc>) -> ChainError {
        refused(call, &self.host, self.address(), error)
    }

    /// The registry of the agents that this one is about.
    pub async fn identities(&self) -> Result<Identities, ChainError> {
        let address = self.contract.get_identity_registry().call().await.map_err(|e| self.refused("getIdentityRegistry", &e))?;
        Ok(Identities { contract: IdentitiesContract::new(address, Arc::new(self.rpc.clone())), host: self.host.clone() })
    }

    /// Asks a validator about an agent. Only the agent's owner and operators can, and each hash once.
    pub async fn ask(&self, sender: &Sender, validator: Address, agent_id: U256, uri: &str, hash: [u8; 32]) -> Result<Request, ChainError> {
        let call = self.contract.validation_request(validator, agent_id, uri.to_owned(), hash);
        let receipt = sender.send("validationRequest", Some(self.address()), encoded("validationRequest", call.calldata())?).await?;
        let (e, at) = told::<ValidationRequestFilter>(&receipt, self.address())?;
        Ok(request(e, at))
    }

    /// Answers a request. Only its validator can; the newest answer counts.
    pub async fn answer(
        &self,
        sender: &Sender,
        hash: [u8; 32],
        response: u8,
        uri: &str,
        document: [u8; 32],
        tag: &str,
    ) -> Result<Answer, ChainError> {
        let call = self.contract.validation_response(hash, response, uri.to_owned(), document, tag.to_owned());
        let receipt = sender.send("validationResponse", Some(self.address()), encoded("validationResponse", call.calldata())?).await?;
        let (e, at) = told::<ValidationResponseFilter>(&receipt, self.address())?;
        Ok(answer(e, at))
    }

    /// What the registry keeps of a request; none if nobody asked.
    pub async fn status(&self, hash: [u8; 32]) -> Result<Option<Validation>, ChainError> {
        let code = self.rpc.get_code(self.address(), None).await.map_err(|e| failure("eth_getCode", &self.host, &e))?;
        if code.is_empty() {
            return Err(ChainError::value("registry", "a contract", format!("none at {:?}", self.address())));
        }
        match self.contract.get_validation_status(hash).call().await.map_err(|e| self.refused("getValidationStatus", &e)) {
            Ok((validator, ..)) if validator.is_zero() => Ok(None),
            Ok((validator, agent_id, response, response_hash, tag, time)) => {
                let last_update_s = u64::try_from(time).map_err(|_| ChainError::value("lastUpdate", "64 bits", time))?;
                Ok(Some(Validation { validator, agent_id, response, response_hash, tag, last_update_s }))
            }
            // Registries refuse to tell of what they do not know.
            Err(ChainError::Revert { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The request as its event tells it, from a block on.
    pub async fn requested(&self, hash: [u8; 32], from_block: u64) -> Result<Option<Request>, ChainError> {
        let topics = [None, None, Some(H256(hash))];
        let found = logs::<ValidationRequestFilter>(&self.rpc, &self.host, self.address(), from_block, topics).await?;
        Ok(found.into_iter().map(|(e, at)| request(e, at)).next())
    }

    /// Every answer to a request from a block on, oldest first.
    pub async fn answers(&self, hash: [u8; 32], from_block: u64) -> Result<Vec<Answer>, ChainError> {
        let topics = [None, None, Some(H256(hash))];
        let found = logs::<ValidationResponseFilter>(&self.rpc, &self.host, self.address(), from_block, topics).await?;
        Ok(found.into_iter().map(|(e, at)| answer(e, at)).collect())
    }
}

fn request(e: ValidationRequestFilter, at: Place) -> Request {
    Request { validator: e.validator_address, agent_id: e.agent_id, uri: e.request_uri, block_number: at.block, tx_hash: at.tx.0 }
}

fn answer(e: ValidationResponseFilter, at: Place) -> Answer {
    Answer {
        validator: e.validator_address,
        agent_id: e.agent_id,
        response: e.response,
        uri: e.response_uri,
        hash: e.response_hash,
        tag: e.tag,
        block_number: at.block,
        tx_hash: at.tx.0,
    }
}
