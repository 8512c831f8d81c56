//! `probity settle` and `probity settlement verify-code`: a run's decisions proven to its vault, and the code that checks them compared.

use crate::cli::{SettleArgs, VerifyCodeArgs};
use crate::run::{Book, lock, on_runtime};
use crate::settings::Settings;
use crate::settle_desk::{Desk, forget, vault_of};
use crate::{keys, output, secret};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{Address, DevChain, Sender, SettlementVerifier, Standing, Vault, VaultView};
use probity_strategy::{Mandate, Record};
use probity_verifier::SettlementSetup;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// What `settle` did.
#[derive(Debug, Serialize)]
struct Settled {
    from: u32,
    to: u32,
    settlement_bytes: usize,
    gas_used: u64,
    insecure_params: bool,
}

/// What `settlement verify-code` found.
#[derive(Debug, Serialize)]
pub(crate) struct CodeSeen {
    verifier: String,
    decisions_per_block: u16,
    code_bytes: usize,
    /// SHA-256 of the code that the source gives.
    rebuilt_sha256: String,
    /// SHA-256 of the code that is deployed.
    deployed_sha256: String,
    matches: bool,
    insecure_params: bool,
}

/// The node to ask: named, or of the run's development chains, or of the settings.
pub(crate) async fn node(named: Option<&str>, dir: Option<&Path>, settings: &Settings) -> Result<String> {
    if let Some(url) = named {
        return Ok(url.to_owned());
    }
    if let Some(dir) = dir
        && let Some(chain) = DevChain::attach(dir).await?
    {
        return Ok(chain.url().to_owned());
    }
    ensure!(!settings.chain.rpc_url.is_empty(), "--rpc: expected a node, since no development chains are up and chain.rpc_url is empty");
    Ok(settings.chain.rpc_url.expose().to_owned())
}

/// The operator's account: the run's own on its development chains, else as the settings say.
pub(crate) async fn sender(dir: &Path, url: &str, settings: &Settings, chain_id: u64) -> Result<Sender> {
    let own = dir.join("operator.key");
    if own.exists() {
        return Ok(Sender::new(url, &secret::development_key(&own)?, chain_id, settings.chain.receipt_timeout_s).await?);
    }
    keys::sender(settings, keys::operator(settings).await?, url, chain_id).await
}

/// Parameters of blocks of a shape.
fn setup(mandate: &Mandate, settings: &Settings) -> Result<SettlementSetup> {
    settings.settlement.check()?;
    output::talk("deriving the settlement parameters …");
    let setup = SettlementSetup::derive(&mandate.model, settings.settlement.decisions_per_block, &settings.proof.source()?)?;
    if setup.key.origin().is_insecure() {
        output::talk("INSECURE settlement parameters: whoever made the powers-of-tau file can prove anything to this vault");
    }
    Ok(setup)
}

/// `probity settle`.
pub(crate) fn settle(args: &SettleArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let _lock = lock(&args.dir)?;
    let book = Book::open(&args.dir)?;
    on_runtime(async {
        let url = node(args.rpc.as_deref(), Some(&args.dir), settings).await?;
        let vault = vault_of(&book.header)?;
        let view = VaultView::at(&url, vault)?;
        let (chain_id, expected) = (view.chain_id().await?, book.header.mandate.chain_id);
        ensure!(chain_id == expected, "--rpc: expected chain {expected}, got {chain_id}");
        let standing = view.standing().await?;
        ensure!(
            standing.terms.verifier != Address::zero(),
            "the vault {vault:?} is not armed: nothing can be settled (setting settlement.mode)"
        );
        if standing.steps == standing.proven_steps {
            forget(&args.dir, standing.proven_steps)?;
        }
        ensure!(standing.steps > standing.proven_steps, "every one of the vault's {} decisions is settled", standing.steps);
        let setup = setup(&book.header.mandate, settings)?;
        let insecure_params = setup.key.origin().is_insecure();
        let first = book.weights.first();
        let mut desk = Desk::new(&args.dir, Arc::new(setup), &book.header, first.model.clone(), first.salt.clone())?;
        desk.follow(&book.journal.announcements()?, &book.weights)?;
        desk.check_verifier(&url, standing.terms.verifier).await?;
        let steps = usize::try_from(standing.steps)?;
        let entries = book.journal.entries()?;
        ensure!(
            entries.len() >= steps,
            "{}: the journal has {} decisions, the vault {steps}: it is an old copy",
            args.dir.display(),
            entries.len()
        );
        let records: Vec<Record> = entries.into_iter().take(steps).map(|e| e.record).collect();
        let (from, to) = (standing.proven_steps, standing.steps);
        let mut done = Settled { from, to, settlement_bytes: 0, gas_used: 0, insecure_params };
        let prove = |standing: &Standing| {
            let end = to.min(standing.settles_to);
            output::talk(format!("proving {} decisions …", end.saturating_sub(standing.proven_steps)));
            tokio::task::block_in_place(|| desk.prove(standing, &records))
        };
        // Before anybody is asked for a key: what is proven waits in the folder.
        let mut waiting = prove(&standing)?;
        let vault = Vault::at(sender(&args.dir, &url, settings, chain_id).await?, vault);
        // Range by range: no settlement goes over an announcement of other weights or their take-over.
        loop {
            let sent = crate::run::send_settlement(&desk, &vault, &waiting, &mut ()).await;
            done.gas_used += sent.context("the proof waits in the run's folder; the same command sends it again")?;
            done.settlement_bytes += waiting.bytes()?.len();
            let standing = view.standing().await?;
            if standing.proven_steps >= to {
                break;
            }
            waiting = prove(&standing)?;
        }
        output::data(json, "settled", &done, || {
            format!("settled decisions {} … {} ({} bytes, {} gas)", done.from, done.to, done.settlement_bytes, done.gas_used)
        })
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `probity settlement verify-code`.
pub(crate) fn verify_code(args: &VerifyCodeArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let mandate = match (&args.mandate, &args.dir) {
        (Some(file), _) => {
            let text = std::fs::read(file).with_context(|| format!("--mandate {}", file.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("--mandate {}: expected a mandate file", file.display()))?
        }
        (None, Some(dir)) => Book::open(dir)?.header.mandate,
        (None, None) => bail!("--mandate or --dir: expected one of them"),
    };
    let seen = on_runtime(async {
        let url = node(args.rpc.as_deref(), args.dir.as_deref(), settings).await?;
        let verifier = match &args.verifier {
            Some(text) => text.parse().map_err(|_| anyhow::anyhow!("--verifier: expected an address, got {text}"))?,
            None => {
                let vault =
                    mandate.vault.parse().map_err(|_| anyhow::anyhow!("mandate.vault: expected an address, got {}", mandate.vault))?;
                VaultView::at(&url, vault)?.standing().await?.terms.verifier
            }
        };
        ensure!(verifier != Address::zero(), "the vault {} is not armed: it has no verifier", mandate.vault);
        code(&url, verifier, &mandate, settings).await
    })?;
    output::data(json, "verifier_code", &seen, || output::table(&seen.rows()))?;
    Ok(if seen.matches { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Rebuilds the verifier's code for a mandate's shape and compares it with what is deployed.
pub(crate) async fn code(url: &str, verifier: Address, mandate: &Mandate, settings: &Settings) -> Result<CodeSeen> {
    let setup = tokio::task::block_in_place(|| setup(mandate, settings))?;
    let rebuilt = SettlementVerifier::code(setup.key.table());
    let deployed = SettlementVerifier::at(url, verifier)?.deployed().await?;
    let hash = |code: &[u8]| hex::encode(Sha256::digest(code));
    Ok(CodeSeen {
        verifier: format!("{verifier:?}"),
        decisions_per_block: settings.settlement.decisions_per_block,
        code_bytes: rebuilt.len(),
        rebuilt_sha256: hash(&rebuilt),
        deployed_sha256: hash(&deployed),
        matches: rebuilt == deployed,
        insecure_params: setup.key.origin().is_insecure(),
    })
}

impl CodeSeen {
    /// As a table.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let verdict = match (self.matches, self.insecure_params) {
            (true, false) => "is this program's source, every byte, for this shape and these parameters".to_owned(),
            (true, true) => "is this program's source, but its parameters are INSECURE: their maker can prove anything".to_owned(),
            (false, _) => {
                format!("is NOT this program's for blocks of {} decisions of this shape and these parameters", self.decisions_per_block)
            }
        };
        vec![
            ("verifier".to_owned(), self.verifier.clone()),
            ("code rebuilt, SHA-256".to_owned(), self.rebuilt_sha256.clone()),
            ("code deployed, SHA-256".to_owned(), self.deployed_sha256.clone()),
            ("its code".to_owned(), verdict),
        ]
    }
}
