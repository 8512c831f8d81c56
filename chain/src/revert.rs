//! Why a contract refused, in words: the vault's custom errors and plain reason strings.

use crate::contracts::ProbityVaultErrors;
use ethers::abi::{AbiDecode, ParamType, Token};
use ethers::providers::{ProviderError, RpcError};
use ethers::types::Bytes;

/// Selector of `Error(string)`.
const REASON: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];

/// The decoded reason, if the error is a revert.
pub(crate) fn decode(error: &ProviderError) -> Option<String> {
    let response = error.as_error_response()?;
    match response.as_revert_data() {
        Some(data) if !data.is_empty() => Some(words(&data)),
        _ if response.message.contains("revert") => Some(response.message.clone()),
        _ => None,
    }
}

/// What a revert's data says.
pub(crate) fn words(data: &Bytes) -> String {
    if let Some(rest) = data.strip_prefix(&REASON)
        && let Ok([Token::String(reason)]) = ethers::abi::decode(&[ParamType::String], rest).as_deref()
    {
        return reason.clone();
    }
    match ProbityVaultErrors::decode(data) {
        Ok(error) => format!("{error:?}"),
        Err(_) => format!("data {data}"),
    }
}
