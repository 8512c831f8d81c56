//! A pair of tokens of any decimals, and its Uniswap v3 pool, made on a chain of the stand-in's contracts.

use crate::{Rpc, root};
use serde_json::{Value, json as object};
use std::time::{Duration, Instant};

/// Who makes it; nobody has the key.
const LISTER: &str = "0x6000000000000000000000000000000000000006";
/// Uniswap's factory, its owner on the stand-in, and its position manager, at their mainnet addresses.
const FACTORY: &str = "0x1f98431c8ad98523631ae4a59f267346ea31f984";
const OWNER: &str = "0x6c9fc64a53c1b71fb3f9af64d1ae3a4931a5f4e9";
const MANAGER: &str = "0xc36442b4a4522e871399cd717abdd847ab11fe88";

/// A pair that is listed.
pub struct Listing {
    /// Token that prices are counted in.
    pub quote: String,
    /// Token that is priced.
    pub base: String,
    /// Their pool.
    pub pool: String,
    /// Decimals of quote and base.
    pub decimals: (u8, u8),
}

/// What is listed.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Decimals of quote and base.
    pub decimals: (u8, u8),
    /// Whether base is the pool's token1.
    pub base_is_token1: bool,
    /// Fee in millionths, and the ticks between two usable ones.
    pub tier: (u32, u32),
    /// Price, quote units a base unit.
    pub price: f64,
    /// Quote units in the pool.
    pub depth: f64,
}

impl Listing {
    /// Gives an account so many raw units of a listed token.
    pub fn give(rpc: &Rpc, token: &str, account: &str, raw: u128) {
        send(rpc, LISTER, Some(token), &format!("0xa9059cbb{}{raw:064x}", word(account)));
    }

    /// Makes it on a node that mines by itself.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn make(rpc: &Rpc, wanted: Wanted) -> Self {
        for who in [LISTER, OWNER] {
            rpc.call("anvil_impersonateAccount", &object!([who]));
            rpc.call("anvil_setBalance", &object!([who, "0xd3c21bcecceda1000000"]));
        }
        let quote = token(rpc, "QUO", wanted.decimals.0);
        let base = loop {
            let base = token(rpc, "BAS", wanted.decimals.1);
            if (quote < base) == wanted.base_is_token1 {
                break base;
            }
        };
        let (fee, spacing) = wanted.tier;
        // Mainnet's factory has tiers that were added later.
        let known = rpc.call("eth_call", &object!([{ "to": FACTORY, "data": format!("0x22afcccb{fee:064x}") }, "latest"]));
        if known.as_str().is_some_and(|hex| hex.trim_start_matches(['0', 'x']).is_empty()) {
            send(rpc, OWNER, Some(FACTORY), &format!("0x8a7c195f{fee:064x}{spacing:064x}"));
        }
        send(rpc, LISTER, Some(FACTORY), &format!("0xa1671295{}{}{fee:064x}", word(&quote), word(&base)));
        let found = rpc.call(
            "eth_call",
            &object!([{ "to": FACTORY, "data": format!("0x1698ee82{}{}{fee:064x}", word(&quote), word(&base)) }, "latest"]),
        );
        let pool = format!("0x{}", &found.as_str().expect("an address")[26..]);

        let scale = 10f64.powi(i32::from(wanted.decimals.0) - i32::from(wanted.decimals.1));
        let (raw_price, quote_raw) = (wanted.price * scale, wanted.depth * 10f64.powi(wanted.decimals.0.into()));
        let base_raw = quote_raw / raw_price;
        // Token1 for one token0.
        let of_pool = if wanted.base_is_token1 { 1.0 / raw_price } else { raw_price };
        // In one block, in this order.
        hand_over(rpc, LISTER, Some(&pool), &format!("0xf637731d{}", hex(of_pool.sqrt() * 2f64.powi(96))));
        hand_over(rpc, LISTER, Some(&pool), &format!("0x32148f67{:064x}", 100));
        for token in [&quote, &base] {
            hand_over(rpc, LISTER, Some(token), &format!("0x095ea7b3{}{:064x}", word(MANAGER), u128::MAX));
        }
        let (token0, token1, amount0, amount1) =
            if wanted.base_is_token1 { (&quote, &base, quote_raw, base_raw) } else { (&base, &quote, base_raw, quote_raw) };
        let end = i64::from(887_272 / spacing * spacing);
        let below = format!("{}{:016x}", "f".repeat(48), -end);
        let words = [word(token0), word(token1), format!("{fee:064x}"), below, format!("{end:064x}"), hex(amount0), hex(amount1)];
        let rest = [format!("{:064x}", 0), format!("{:064x}", 0), word(LISTER), "f".repeat(64)];
        send(rpc, LISTER, Some(MANAGER), &format!("0x88316456{}{}", words.concat(), rest.concat()));
        Self { quote, base, pool, decimals: wanted.decimals }
    }
}

/// Puts a token on the chain.
#[expect(clippy::expect_used, reason = "a test may panic")]
fn token(rpc: &Rpc, symbol: &str, decimals: u8) -> String {
    let path = root().join("chain/contracts/out/test/OddToken.json");
    let artifact: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("the artifact")).expect("JSON");
    let code = artifact["bytecode"].as_str().expect("its code").trim_start_matches("0x");
    let name: String = symbol.bytes().map(|b| format!("{b:02x}")).collect();
    let arguments = format!("{:064x}{decimals:064x}{:064x}{name:0<64}", 64, symbol.len());
    let receipt = send(rpc, LISTER, None, &format!("0x{code}{arguments}"));
    receipt["contractAddress"].as_str().expect("its address").to_lowercase()
}

/// Sends unsigned; its hash.
fn hand_over(rpc: &Rpc, from: &str, to: Option<&str>, data: &str) -> Value {
    // Several fit into a block.
    let mut call = object!({ "from": from, "data": data, "gas": "0x700000" });
    if let Some(to) = to {
        call["to"] = to.into();
    }
    rpc.call("eth_sendTransaction", &object!([call]))
}

/// Sends unsigned and waits for the block.
#[expect(clippy::panic, reason = "a test may panic")]
fn send(rpc: &Rpc, from: &str, to: Option<&str>, data: &str) -> Value {
    let hash = hand_over(rpc, from, to, data);
    let sent = Instant::now();
    loop {
        let receipt = rpc.call("eth_getTransactionReceipt", &object!([hash]));
        if !receipt.is_null() {
            assert_eq!(receipt["status"], "0x1", "{to:?} {data}");
            return receipt;
        }
        if sent.elapsed() > Duration::from_secs(60) {
            panic!("no block took {hash}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn word(address: &str) -> String {
    format!("{:0>64}", address.trim_start_matches("0x"))
}

/// A number that needs no exactness, as a word.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::as_conversions, reason = "no exactness is needed")]
fn hex(value: f64) -> String {
    let mut digits = 0;
    let mut small = value;
    while small >= 2f64.powi(64) {
        small /= 16.0;
        digits += 1;
    }
    format!("{:0>64}", format!("{:x}{}", small as u64, "0".repeat(digits)))
}
