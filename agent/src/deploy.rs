//! `probity deploy`: everything up to the first decision, by the same code as `run`, and what a depositor should check of it.

use crate::cli::{DeployArgs, RunArgs};
use crate::output;
use crate::run::{Beside, establish, on_runtime};
use crate::see::Feed;
use crate::settings::Settings;
use anyhow::{Result, ensure};
use probity_strategy::Limits;
use probity_verifier::{Digest, mandate_digest};
use serde::Serialize;
use std::process::ExitCode;

/// What stands on the chain now.
#[derive(Serialize)]
struct Deployed {
    chain_id: u64,
    vault: String,
    /// keccak-256 of the vault's code on this chain.
    vault_code_hash: String,
    /// Whether the code is this version's vault.
    vault_code_known: bool,
    operator: String,
    pool: String,
    quote_token: String,
    base_token: String,
    registered_block: u64,
    mandate_digest: Digest,
    model_commitment: Digest,
    genesis_head: Digest,
    genesis_time_s: u64,
    interval_s: u32,
    limits: Limits,
}

/// Runs the command.
pub(crate) fn run(args: &DeployArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    ensure!(
        !settings.chain.rpc_url.is_empty(),
        "setting chain.rpc_url (or --rpc): expected the node of a real chain; development chains need no deploying"
    );
    let run_args = RunArgs { dir: args.dir.clone(), deploy: true, model: args.model.clone(), ..RunArgs::plain() };
    let deployed = on_runtime(async {
        let (ready, _lock) = establish(&run_args, settings, &Feed::default(), Beside::alone()?).await?;
        let (agent, header) = (ready.agent, ready.header);
        let (view, mandate) = (agent.account.on_chain()?.view(), &header.mandate);
        let (quote, base) = view.tokens().await?;
        let deployed = Deployed {
            chain_id: mandate.chain_id,
            vault: mandate.vault.clone(),
            vault_code_hash: format!("0x{}", hex::encode(view.code_hash().await?)),
            vault_code_known: view.code_matches().await?,
            operator: format!("{:?}", view.operator().await?),
            pool: format!("{:?}", view.pool().await?),
            quote_token: format!("{quote:?}"),
            base_token: format!("{base:?}"),
            registered_block: agent.registered_block,
            mandate_digest: mandate_digest(mandate),
            model_commitment: header.model_commitment,
            genesis_head: header.genesis_head,
            genesis_time_s: mandate.genesis_time_s,
            interval_s: mandate.interval_s,
            limits: mandate.limits.clone(),
        };
        agent.proving.finish()?;
        Ok(deployed)
    })?;
    output::data(json, "deployed", &deployed, || deployed.text())?;
    output::talk(format!("`probity run --dir {}` with the same settings decides on it", args.dir.display()));
    Ok(ExitCode::SUCCESS)
}

impl Deployed {
    /// What a depositor should check, in words.
    fn text(&self) -> String {
        let limits = &self.limits;
        let rows = [
            ("vault", self.vault.clone()),
            ("chain id", self.chain_id.to_string()),
            (
                "code hash",
                format!(
                    "{}{}",
                    self.vault_code_hash,
                    if self.vault_code_known { ", this version's vault" } else { ", NOT this version's vault" }
                ),
            ),
            ("operator (decides, cannot withdraw)", self.operator.clone()),
            ("pool", self.pool.clone()),
            ("quote token", self.quote_token.clone()),
            ("base token", self.base_token.clone()),
            ("registered in block", self.registered_block.to_string()),
            ("mandate digest", self.mandate_digest.to_string()),
            ("model commitment", self.model_commitment.to_string()),
            ("genesis head", self.genesis_head.to_string()),
            ("decides every", format!("{} s from {}", self.interval_s, crate::time::utc(self.genesis_time_s))),
            ("most in the base token", format!("{} bps", limits.max_weight_bps)),
            ("largest trade", format!("{} bps of the assets, {} quote raw", limits.max_trade_bps, limits.max_trade_quote.raw())),
            ("drawdown that halts", format!("{} bps", limits.max_drawdown_bps)),
            ("slippage of a trade at most", format!("{} bps", limits.max_slippage_bps)),
        ];
        output::table(&rows.map(|(k, v)| (k.to_owned(), v)))
    }
}
