//! The settings file that `init` writes: what an operator decides on, each key with its meaning and unit above it.
//!
//! The text is read back by the agent's own settings code before it is written, and must give the very settings that were asked for.

use crate::settings::{self, Settings};
use anyhow::{Context, Result, ensure};

/// Section, key, meaning and unit. Sections stand together.
const KEYS: &[(&str, &str, &str)] = &[
    (
        "chain",
        "rpc_url",
        "Node of the chain, http or https; several separated by commas: the next one is asked where one fails.\n\
        Empty: the environment has it (PROBITY__CHAIN__RPC_URL). May hold a key: this file is for its owner's eyes.",
    ),
    ("chain", "chain_id", "EIP-155 chain id that the node must have; 0: whichever it has."),
    ("chain", "pool", "Uniswap v3 pool that is traded in: 0x and 40 hex digits."),
    ("chain", "quote_token", "The pool's token that values are counted in: 0x and 40 hex digits."),
    ("chain", "receipt_timeout_s", "Seconds that a sent transaction may stay without a receipt."),
    ("chain", "poll_interval_ms", "Milliseconds between two looks at the newest block."),
    (
        "keys",
        "keystore",
        "Encrypted key file of the operator's account. Empty: the key is in PROBITY_OPERATOR_KEY or with the signing service.",
    ),
    ("keys", "password_file", "File with the key file's password, mode 0600. Empty: PROBITY_KEYSTORE_PASSWORD, or it is asked for."),
    ("keys", "signer_url", "Signing service over JSON-RPC (clef), http or https; then keystore stays empty."),
    ("keys", "signer_address", "The service's account: 0x and 40 hex digits."),
    ("keys", "ledger_path", "Path of the key on a Ledger, as m/44'/60'/0'/0/0; then keystore and signer_url stay empty."),
    ("agent", "seed_quote_units", "First deposit into a new vault, whole units of the quote token (whichever it is)."),
    (
        "agent",
        "model",
        "Model file of a new run where --model names none; empty: the shipped strategy. A run that was begun keeps its own.",
    ),
    ("mandate", "interval_s", "Seconds between two decisions."),
    ("mandate", "max_trade_quote_units", "Largest trade, whole units of the quote token (whichever it is)."),
    ("mandate", "max_slippage_bps", "Most that a trade may lose to fee and price, hundredths of a percent."),
    ("mandate", "max_weight_bps", "Most of the assets in the base token, hundredths of a percent."),
    ("mandate", "max_trade_bps", "Largest trade, hundredths of a percent of the assets."),
    ("mandate", "min_trade_bps", "Smallest trade, hundredths of a percent of the assets."),
    ("mandate", "max_turnover_bps", "Most that is traded in a window, hundredths of a percent of the assets."),
    ("mandate", "turnover_window_steps", "Length of that window, decisions."),
    (
        "mandate",
        "max_drawdown_bps",
        "Fall from the highest value after which everything is sold and nothing bought any more, hundredths of a percent.",
    ),
    ("mandate", "warmup_steps", "Decisions at the start that are made without trading."),
    ("mandate", "decisions_per_fold", "Decisions that one fold of the proof holds, 1 … 64; `probity layout` shows what each costs."),
    ("mandate", "proof_engine", "\"transparent\": nothing to download. \"pairing\": needs a powers-of-tau file, section [proof]."),
    ("proof", "ptau_file", "Powers-of-tau file (.ptau) of the pairing engine; empty: none."),
    ("proof", "ptau_blake2b", "BLAKE2b-512 (b2sum), hex, of a file that you vouch for. Empty: only the ceremony's own files are accepted."),
    ("proof", "cache_dir", "Private folder where proof parameters are kept between runs; empty: they are made every time."),
    ("posting", "policy", "\"with_trade\": a trade's own transaction carries its proof. \"every\": proofs go apart (cheaper, later)."),
    ("posting", "every_decisions", "Decisions between two posts under \"every\", 1 or more."),
    ("safety", "confirmations", "Blocks on top of a block before it is observed: what a reorganisation of that depth cannot change."),
    ("safety", "max_gas_price_gwei", "Most that is offered for gas, gwei; dearer, nothing is decided or sent. 0: no bound."),
    ("safety", "tip_mgwei", "Tip for the block's builder, thousandths of a gwei; on an L2 1 is enough."),
    (
        "settlement",
        "mode",
        "Whether the vault verifies proofs: \"off\", \"deferred\" or \"strict\". Others than \"off\" need proof.ptau_file,\n\
        and cannot be chosen later for the same vault.",
    ),
    (
        "shares",
        "management_fee_bps",
        "Fee in new shares, hundredths of a percent of all shares a year; fixed when the vault is made. 0: none.",
    ),
    (
        "shares",
        "performance_fee_bps",
        "Fee in new shares on what a share gains over its highest charged value, hundredths of a percent. 0: none.",
    ),
    ("shares", "fee_recipient", "Who gets the fees: 0x and 40 hex digits; empty without fees."),
];

/// The file of these settings. Every other setting must be the default.
pub(super) fn text(settings: &Settings) -> Result<String> {
    let values = serde_json::to_value(settings)?;
    let mut text = "# Settings of a run of probity on a real chain, written by `probity init`: `probity --config THIS_FILE …`.\n\
        # Layers: default < this file < environment (PROBITY__SECTION__KEY) < flags. `probity config show` lists every setting.\n\
        # What section [mandate] says is registered on chain by `probity deploy`; later changes need a new vault.\n"
        .to_owned();
    let mut last = "";
    for (section, key, meaning) in KEYS {
        if *section != last {
            text.push_str(&format!("\n[{section}]\n"));
            last = section;
        }
        for line in meaning.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        let value = values.get(section).and_then(|s| s.get(key)).with_context(|| format!("setting {section}.{key}; this is a bug"))?;
        // Shown settings hide what follows a URL's host.
        let value = match (*section, *key) {
            ("chain", "rpc_url") => settings.chain.rpc_url.expose().into(),
            ("keys", "signer_url") => settings.keys.signer_url.expose().into(),
            _ => value.clone(),
        };
        // A JSON string or number is a TOML one too.
        text.push_str(&format!("{key} = {value}\n"));
    }
    let back = settings::of_text(&text).context("the settings file does not load; nothing was written")?;
    ensure!(
        serde_json::to_value(&back)? == values
            && back.chain.rpc_url == settings.chain.rpc_url
            && back.keys.signer_url == settings.keys.signer_url,
        "the settings file does not give what was asked for; nothing was written; this is a bug"
    );
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_words_and_everything_comes_back() {
        let mut settings = settings::of_text("").unwrap();
        settings.chain.rpc_url = "https://host/a-key?\"quoted\"".into();
        settings.chain.chain_id = 5;
        settings.keys.keystore = "/tmp/a \\ strange\n\"place\" é".to_owned();
        settings.mandate.max_trade_quote_units = u64::try_from(i64::MAX).unwrap();
        let text = text(&settings).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let keys = lines.windows(2).filter(|w| w[1].contains(" = "));
        assert_eq!(keys.clone().count(), KEYS.len());
        for pair in keys {
            assert!(pair[0].starts_with("# "), "{} has no words", pair[1]);
        }
        // A number that TOML does not have is an error, not another number.
        settings.mandate.max_trade_quote_units = u64::MAX;
        assert!(super::text(&settings).is_err());
        // A setting that is not written has to be the default.
        settings.mandate.max_trade_quote_units = 1;
        settings.market.seed += 1;
        assert!(super::text(&settings).is_err());
    }

    #[test]
    fn no_key_of_a_mandate_is_left_out() {
        let values = serde_json::to_value(settings::of_text("").unwrap()).unwrap();
        for section in ["mandate", "keys", "agent", "posting"] {
            for key in values[section].as_object().unwrap().keys() {
                assert!(KEYS.iter().any(|(s, k, _)| s == &section && k == key), "{section}.{key}");
            }
        }
    }
}
