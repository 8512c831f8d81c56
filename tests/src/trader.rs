//! Somebody else who trades, through Uniswap's own router: moves a pool, and says what a swap would get at a block.

use crate::Rpc;
use crate::listing::Listing;
use serde_json::json as object;

/// Its account; nobody has the key.
const TRADER: &str = "0x7000000000000000000000000000000000000007";
/// Uniswap's router, at its mainnet address.
const ROUTER: &str = "0xe592427a0aece92de3edee1f18e0157c05861564";
/// The stand-in's base token, at its mainnet address.
pub const WETH: &str = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2";
/// Raw units that it has of each token.
const WEALTH: u128 = 1 << 100;

/// A trader in one fee tier.
pub struct Trader<'a> {
    rpc: &'a Rpc,
    fee_pips: u32,
}

impl<'a> Trader<'a> {
    /// Gives it ether and these tokens, which it lets the router take.
    #[must_use]
    pub fn on(rpc: &'a Rpc, fee_pips: u32, tokens: [&str; 2]) -> Self {
        let trader = Self { rpc, fee_pips };
        rpc.call("anvil_impersonateAccount", &object!([TRADER]));
        rpc.call("anvil_setBalance", &object!([TRADER, "0xde0b6b3a7640000000"]));
        for token in tokens {
            rpc.call("anvil_dealERC20", &object!([TRADER, token, format!("{WEALTH:#x}")]));
            trader.approve(token);
        }
        trader
    }

    /// One in the pool of a listing, with tokens out of its supply.
    #[must_use]
    pub fn in_listing(rpc: &'a Rpc, fee_pips: u32, listing: &Listing) -> Self {
        let trader = Self { rpc, fee_pips };
        rpc.call("anvil_impersonateAccount", &object!([TRADER]));
        rpc.call("anvil_setBalance", &object!([TRADER, "0xde0b6b3a7640000000"]));
        for token in [&listing.quote, &listing.base] {
            Listing::give(rpc, token, TRADER, WEALTH);
            trader.approve(token);
        }
        trader
    }

    fn approve(&self, token: &str) {
        let approve = format!("0x095ea7b3{}{:064x}", word(ROUTER), u128::MAX);
        self.rpc.call("eth_sendTransaction", &object!([{ "from": TRADER, "to": token, "data": approve, "gas": "0x30d40" }]));
    }

    /// Swaps; the price moves with the next block.
    pub fn swap(&self, given: &str, taken: &str, amount: u128) {
        self.rpc.call("eth_sendTransaction", &object!([self.call(given, taken, amount)]));
    }

    /// What a swap would get as the only one after a block.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test may panic")]
    pub fn would_get(&self, given: &str, taken: &str, amount: u128, block: u64) -> u128 {
        let answer = self.rpc.call("eth_call", &object!([self.call(given, taken, amount), format!("{block:#x}")]));
        let hex = answer.as_str().unwrap_or_default().trim_start_matches("0x").trim_start_matches('0').to_owned();
        u128::from_str_radix(&hex, 16).expect("an amount")
    }

    /// `exactInputSingle` of the router.
    fn call(&self, given: &str, taken: &str, amount: u128) -> serde_json::Value {
        let words = [word(given), word(taken), format!("{:064x}", self.fee_pips), word(TRADER), "f".repeat(64)];
        let data = format!("0x414bf389{}{amount:064x}{:064x}{:064x}", words.concat(), 0, 0);
        object!({ "from": TRADER, "to": ROUTER, "data": data, "gas": "0xf4240" })
    }
}

fn word(address: &str) -> String {
    format!("{:0>64}", address.trim_start_matches("0x"))
}
