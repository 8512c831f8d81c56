//! Why a contract refused, in words: custom errors of the vault, its shares and the registries, and plain reason strings.

use crate::contracts::PROBITYVAULT_ABI;
use crate::contracts::registries::VALIDATIONS_ABI;
use crate::contracts::shares::PROBITYSHARES_ABI;
use ethers::abi::{ParamType, Token};
use ethers::providers::{ProviderError, RpcError};
use ethers::types::{Bytes, I256};

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

/// What a revert's data says: a plain reason, or one of the known errors as `Name(field: value, ...)`.
pub(crate) fn words(data: &Bytes) -> String {
    let Some((selector, rest)) = data.split_first_chunk::<4>() else { return "no reason given".to_owned() };
    if *selector == REASON
        && let Ok([Token::String(reason)]) = ethers::abi::decode(&[ParamType::String], rest).as_deref()
    {
        return reason.clone();
    }
    let all = PROBITYVAULT_ABI.errors().chain(PROBITYSHARES_ABI.errors()).chain(VALIDATIONS_ABI.errors());
    let known = all.into_iter().find(|e| e.signature().0.starts_with(selector));
    match known.and_then(|e| e.decode(rest).ok().map(|tokens| (e, tokens))) {
        Some((error, tokens)) => {
            let fields = error.inputs.iter().zip(&tokens).map(|(input, token)| format!("{}: {}", input.name, value(token)));
            match fields.collect::<Vec<_>>() {
                fields if fields.is_empty() => error.name.clone(),
                fields => format!("{}({})", error.name, fields.join(", ")),
            }
        }
        None => format!("data {data}"),
    }
}

fn value(token: &Token) -> String {
    match token {
        Token::Uint(v) => v.to_string(),
        Token::Int(v) => I256::from_raw(*v).to_string(),
        Token::FixedBytes(bytes) | Token::Bytes(bytes) => format!("0x{}", hex::encode(bytes)),
        Token::Tuple(all) | Token::Array(all) | Token::FixedArray(all) => {
            format!("({})", all.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Token::Address(address) => format!("{address:?}"),
        Token::Bool(v) => v.to_string(),
        Token::String(v) => v.clone(),
    }
}
