//! Why a contract refused, in words: the vault's custom errors and plain reason strings.

use crate::contracts::ProbityVaultErrors;
use ethers::abi::AbiDecode;
use ethers::providers::{ProviderError, RpcError};
use ethers::types::Bytes;

/// The decoded reason, if the error is a revert.
pub(crate) fn decode(error: &ProviderError) -> Option<String> {
    let response = error.as_error_response()?;
    let data: Option<Bytes> = response.as_revert_data();
    match data {
        Some(data) if !data.is_empty() => match ProbityVaultErrors::decode(&data) {
            Ok(error) => Some(format!("{error:?}")),
            Err(_) => Some(format!("{} (data {data})", response.message)),
        },
        _ if response.message.contains("revert") => Some(response.message.clone()),
        _ => None,
    }
}
