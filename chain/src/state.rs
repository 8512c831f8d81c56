//! What a node hands over so that its word about a vault's storage or its pool's need not be taken: a block header, field by field, and Merkle-Patricia
//! proofs of the vault's account and slots. Fetched here, checked by the verifier.

use crate::ChainError;
use crate::view::VaultView;
use ethers::providers::{Middleware, RpcError};
use ethers::types::{Address, BlockId};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The committed artifact of the vault.
const ARTIFACT: &str = include_str!("../contracts/out/ProbityVault.json");

/// Header fields in consensus order, whether they are numbers, and whether later forks brought them.
const FIELDS: [(&str, bool, bool); 21] = [
    ("parentHash", false, false),
    ("sha3Uncles", false, false),
    ("miner", false, false),
    ("stateRoot", false, false),
    ("transactionsRoot", false, false),
    ("receiptsRoot", false, false),
    ("logsBloom", false, false),
    ("difficulty", true, false),
    ("number", true, false),
    ("gasLimit", true, false),
    ("gasUsed", true, false),
    ("timestamp", true, false),
    ("extraData", false, false),
    ("mixHash", false, false),
    ("nonce", false, false),
    ("baseFeePerGas", true, true),
    ("withdrawalsRoot", false, true),
    ("blobGasUsed", true, true),
    ("excessBlobGas", true, true),
    ("parentBeaconBlockRoot", false, true),
    ("requestsHash", false, true),
];

/// Where a variable of the vault is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// Slot.
    pub slot: u64,
    /// Bytes from the right.
    pub offset: u64,
}

/// Where the vault keeps its variables, by name.
pub fn vault_storage() -> Result<BTreeMap<String, Place>, ChainError> {
    #[derive(Deserialize)]
    struct Artifact {
        storage: BTreeMap<String, Place>,
    }
    let artifact: Artifact = serde_json::from_str(ARTIFACT).map_err(|e| ChainError::value("vault artifact", "a storage layout", e))?;
    Ok(artifact.storage)
}

/// One field of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPart {
    /// Bytes, as the node gave them.
    pub bytes: Vec<u8>,
    /// Whether they are a number.
    pub number: bool,
}

/// A block header as the node tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderSeen {
    /// The hash it should have.
    pub hash: [u8; 32],
    /// Its fields in consensus order.
    pub fields: Vec<HeaderPart>,
}

/// Nodes down to an account, and slots of it with the nodes down to each.
pub type Proofs = (Vec<Vec<u8>>, Vec<([u8; 32], Vec<Vec<u8>>)>);

/// Proofs of the vault's storage at a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSeen {
    /// Nodes down to the account.
    pub account: Vec<Vec<u8>>,
    /// The vault's code at that block.
    pub code: Vec<u8>,
    /// Whether it is this program's vault, immutables aside.
    pub code_matches: bool,
    /// Slot, and the nodes down to it.
    pub slots: Vec<([u8; 32], Vec<Vec<u8>>)>,
}

impl VaultView {
    /// The header of a block.
    pub async fn header(&self, number: u64) -> Result<HeaderSeen, ChainError> {
        let what = "eth_getBlockByNumber";
        let block: Value = self.rpc.request(what, json!([format!("{number:#x}"), false])).await.map_err(|e| self.fail(what, e))?;
        let hash = bytes(&block, "hash")?.try_into().map_err(|_| ChainError::value("block hash", "32 bytes", "another length"))?;
        let mut fields = Vec::new();
        for (name, is_number, later) in FIELDS {
            if later && block.get(name).is_none_or(Value::is_null) {
                continue;
            }
            fields.push(HeaderPart { bytes: bytes(&block, name)?, number: is_number });
        }
        Ok(HeaderSeen { hash, fields })
    }

    /// Proofs of the vault's account and of some of its slots at a block; none if the node makes none.
    pub async fn storage(&self, slots: &[[u8; 32]], number: u64) -> Result<Option<StorageSeen>, ChainError> {
        let Some((account, slots)) = self.proofs_at(self.address(), slots, number).await? else { return Ok(None) };
        let at = BlockId::from(number);
        let code = self.rpc.get_code(self.address(), Some(at)).await.map_err(|e| self.fail("eth_getCode", e))?.to_vec();
        let code_matches = Self::is_vault(code.clone())?;
        Ok(Some(StorageSeen { code, code_matches, account, slots }))
    }

    /// Proofs of an account and of some of its slots at a block: nodes down to the account, and each slot with the nodes down to it; none if
    /// the node makes none.
    pub async fn proofs_at(&self, account: Address, slots: &[[u8; 32]], number: u64) -> Result<Option<Proofs>, ChainError> {
        let what = "eth_getProof";
        let names: Vec<String> = slots.iter().map(|s| format!("0x{}", hex::encode(s))).collect();
        let answer = self.rpc.request::<_, Value>(what, json!([format!("{account:?}"), names, format!("{number:#x}")])).await;
        let answer = match answer {
            Ok(answer) => answer,
            // A node that refuses the question has no proofs; one that does not answer has failed.
            Err(e) if e.as_error_response().is_some() => return Ok(None),
            Err(e) => return Err(self.fail(what, e)),
        };
        let nodes = |value: Option<&Value>| -> Result<Vec<Vec<u8>>, ChainError> {
            let list = value.and_then(Value::as_array).ok_or_else(|| ChainError::value(what, "a list of nodes", "none"))?;
            list.iter().map(decoded).collect()
        };
        let found = answer.get("storageProof").and_then(Value::as_array).ok_or_else(|| ChainError::value(what, "storageProof", "none"))?;
        if found.len() != slots.len() {
            return Err(ChainError::value(what, format!("{} storage proofs", slots.len()), found.len()));
        }
        let slots =
            slots.iter().zip(found).map(|(slot, proof)| Ok((*slot, nodes(proof.get("proof"))?))).collect::<Result<_, ChainError>>()?;
        Ok(Some((nodes(answer.get("accountProof"))?, slots)))
    }

    /// A word of an account's storage at a block, on the node's word; none if it refuses to tell.
    pub async fn word_at(&self, account: Address, slot: [u8; 32], number: u64) -> Result<Option<[u8; 32]>, ChainError> {
        let what = "eth_getStorageAt";
        let name = format!("0x{}", hex::encode(slot));
        match self.rpc.request::<_, Value>(what, json!([format!("{account:?}"), name, format!("{number:#x}")])).await {
            Ok(answer) => {
                let given = decoded(&answer)?;
                let start = 32usize.checked_sub(given.len()).ok_or_else(|| ChainError::value(what, "32 bytes", given.len()))?;
                let mut out = [0; 32];
                if let Some(end) = out.get_mut(start..) {
                    end.copy_from_slice(&given);
                }
                Ok(Some(out))
            }
            Err(e) if e.as_error_response().is_some() => Ok(None),
            Err(e) => Err(self.fail(what, e)),
        }
    }
}

fn bytes(block: &Value, name: &'static str) -> Result<Vec<u8>, ChainError> {
    decoded(block.get(name).ok_or_else(|| ChainError::value(name, "a field of a block", "none"))?)
}

/// `0x` and hex digits, of a number perhaps an odd count of them.
fn decoded(value: &Value) -> Result<Vec<u8>, ChainError> {
    let bad = |got: &dyn std::fmt::Display| ChainError::value("answer of the node", "0x and hex digits", got.to_string());
    let text = value.as_str().and_then(|t| t.strip_prefix("0x")).ok_or_else(|| bad(value))?;
    let even = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    hex::decode(even).map_err(|_| bad(value))
}
