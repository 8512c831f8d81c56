//! Settlement from the command line: proves to a vault what it recorded, arms a vault, shows where one stands.
//!
//! A settlement is written to a file before it is sent, and a file that is there is sent again as it is: its mask is never used twice.

use crate::cli::{ArmArgs, SettleArgs, StatusArgs};
use crate::settings::Settings;
use crate::{output, secret};
use anyhow::{Context, Result, bail, ensure};
use probity_chain::{Address, Sender, SettlementVerifier, Standing, Terms, Vault, VaultView};
use probity_prover::{Position, Settlement, Settler};
use probity_strategy::{Mandate, Observation, Record};
use probity_verifier::{Digest, Header, Line, LogReader, Scalar, SettlementDomain, SettlementSetup, Trail, genesis_z};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// A settlement as it is kept and sent.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    vault: String,
    from: u32,
    to: u32,
    bytes: String,
}

/// What `settle` did.
#[derive(Debug, Serialize)]
struct Settled {
    from: u32,
    to: u32,
    bytes: usize,
    gas_used: u64,
    insecure_params: bool,
}

/// What `vault status` shows.
#[derive(Debug, Serialize)]
struct Status {
    vault: String,
    decisions: u32,
    armed: bool,
    verifier: String,
    proven: u32,
    unproven: u32,
    first_unproven_time_s: u64,
    max_unproven_decisions: u32,
    max_unproven_seconds: u32,
    head: String,
    proven_head: String,
    /// With a log: whether what the vault was told is what the log's mandate says.
    genesis_matches: Option<bool>,
}

fn address(mandate: &Mandate) -> Result<Address> {
    mandate.vault.parse().map_err(|_| anyhow::anyhow!("mandate.vault: expected an address, got {}", mandate.vault))
}

fn hex32(bytes: &[u8; 32]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn read_log(path: &Path) -> Result<(Header, Vec<Record>)> {
    let mut reader = LogReader::open(path).with_context(|| format!("--log {}", path.display()))?;
    let (header, mut records) = (reader.header().clone(), Vec::new());
    while let Some(line) = reader.next_line()? {
        if let Line::Entry(entry) = line {
            records.push(entry.record);
        }
    }
    Ok((header, records))
}

fn setup(mandate: &Mandate, per_block: u16, settings: &Settings) -> Result<SettlementSetup> {
    output::talk("deriving the settlement parameters …");
    let setup = SettlementSetup::derive(&mandate.model, per_block, &settings.proof.source()?)?;
    if setup.key.origin().is_insecure() {
        output::talk("INSECURE settlement parameters: whoever made the powers-of-tau file can prove anything to this vault");
    }
    Ok(setup)
}

fn domain(header: &Header, vault: Address, from: u32, to: u32) -> [u8; 32] {
    let [.., state] = genesis_z(&header.mandate, &header.model_commitment);
    SettlementDomain {
        chain_id: header.mandate.chain_id,
        vault: vault.0,
        mandate: header.mandate_digest,
        commitment: header.model_commitment,
        genesis_head: header.genesis_head,
        genesis_state: Digest::from_scalar(state),
        from,
        to,
    }
    .digest()
}

async fn sender(url: &str, settings: &Settings) -> Result<Sender> {
    let chain_id = probity_chain::chain_id(url).await?;
    let key = secret::operator_key()?;
    Ok(Sender::new(url, &key, chain_id, settings.chain.receipt_timeout_s).await?)
}

/// Replays the log up to where the vault stands; its trail must be the vault's at both ends.
fn replay(
    settler: &Settler,
    header: &Header,
    vault: Address,
    records: &[Record],
    standing: &Standing,
) -> Result<(Position, Trail, Vec<Observation>)> {
    let (proven, steps) = (usize::try_from(standing.proven_steps)?, usize::try_from(standing.steps)?);
    ensure!(steps <= records.len(), "--log: expected the vault's {steps} decisions, got {}", records.len());
    let observations: Vec<Observation> = records.iter().take(steps).map(|r| r.observation.clone()).collect();
    let (before, after) = observations.split_at(proven);
    let mut trail = Trail { value: domain(header, vault, 0, 0), fingerprint: Scalar::from(0) };
    let genesis = settler.genesis();
    let (position, done) = settler.advance(&genesis, before)?;
    settler.follow(&mut trail, &genesis, &done);
    let (end, waiting) = settler.advance(&position, after)?;
    for (made, logged) in done.iter().chain(&waiting).zip(records) {
        ensure!(made == logged, "--log: decision {} is not what the model decides", logged.observation.step);
    }
    let same = |trail: &Trail, value: &[u8; 32], fingerprint: &[u8; 32]| {
        trail.value == *value && Digest::from_scalar(trail.fingerprint).to_bytes() == *fingerprint
    };
    ensure!(same(&trail, &standing.proven_trail, &standing.proven_fingerprint), "the vault's proven trail is not this log's");
    let mut now = trail;
    settler.follow(&mut now, &position, &waiting);
    ensure!(
        same(&now, &standing.trail, &standing.fingerprint) && end.head().to_bytes() == standing.head,
        "the vault recorded other decisions than this log: nothing can settle them"
    );
    Ok((position, trail, after.to_vec()))
}

/// `probity settle`.
pub(crate) fn settle(args: &SettleArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let (header, records) = read_log(&args.log)?;
    let vault = address(&header.mandate)?;
    crate::run::on_runtime(async {
        let view = VaultView::at(&args.rpc, vault)?;
        let chain_id = view.chain_id().await?;
        ensure!(chain_id == header.mandate.chain_id, "--rpc: expected chain {}, got {chain_id}", header.mandate.chain_id);
        let standing = view.standing().await?;
        ensure!(standing.terms.verifier != Address::zero(), "the vault {} is not armed: nothing can be settled", header.mandate.vault);
        let mut insecure = false;
        if !args.out.exists() {
            ensure!(standing.steps > standing.proven_steps, "every decision of the vault is settled");
            let setup = Arc::new(setup(&header.mandate, args.per_block, settings)?);
            insecure = setup.key.origin().is_insecure();
            let verifier = SettlementVerifier::at(&args.rpc, standing.terms.verifier)?;
            ensure!(
                verifier.code_matches(setup.key.table()).await?,
                "the vault's verifier {:?} is not that of blocks of {} decisions under these parameters; name the --per-block and the .ptau file it was armed with",
                standing.terms.verifier,
                args.per_block
            );
            let opening = secret::read_opening(&args.opening)?;
            let settler = Settler::new(setup, header.mandate.clone(), opening.model, opening.salt)?;
            ensure!(settler.commitment() == header.model_commitment, "--opening: commits to another model than the log's");
            let (position, trail, observations) = replay(&settler, &header, vault, &records, &standing)?;
            output::talk(format!("proving {} decisions …", observations.len()));
            let range = domain(&header, vault, standing.proven_steps, standing.steps);
            let made = settler.settle(&position, trail, range, &observations)?;
            keep(&args.out, &header, &standing, &made)?;
        }
        let kept: Kept = serde_json::from_slice(&std::fs::read(&args.out)?).with_context(|| format!("--out {}", args.out.display()))?;
        ensure!(kept.version == 1 && kept.vault == header.mandate.vault, "--out {}: a settlement of another vault", args.out.display());
        ensure!(
            (kept.from, kept.to) == (standing.proven_steps, standing.steps),
            "--out {}: settles decisions {} … {}, the vault waits for {} … {}; make a new one in another file",
            args.out.display(),
            kept.from,
            kept.to,
            standing.proven_steps,
            standing.steps
        );
        let bytes = hex::decode(&kept.bytes).with_context(|| format!("--out {}: bytes", args.out.display()))?;
        let gas_used = Vault::at(sender(&args.rpc, settings).await?, vault).settle(&bytes).await?;
        let done = Settled { from: kept.from, to: kept.to, bytes: bytes.len(), gas_used, insecure_params: insecure };
        output::data(json, "settled", &done, || {
            format!("settled decisions {} … {} ({} bytes, {gas_used} gas)", done.from, done.to, done.bytes)
        })
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a settlement before anybody sees it; never over another one.
fn keep(path: &Path, header: &Header, standing: &Standing, made: &Settlement) -> Result<()> {
    let kept = Kept {
        version: 1,
        vault: header.mandate.vault.clone(),
        from: standing.proven_steps,
        to: standing.steps,
        bytes: hex::encode(&made.bytes),
    };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.with_context(|| format!("--out {}: expected a new file in a folder that exists", path.display()))?;
    file.write_all(&serde_json::to_vec(&kept)?)?;
    file.sync_all()?;
    Ok(())
}

/// `probity vault arm`.
pub(crate) fn arm(args: &ArmArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let (header, _) = read_log(&args.log)?;
    let vault = address(&header.mandate)?;
    crate::run::on_runtime(async {
        let setup = setup(&header.mandate, args.per_block, settings)?;
        let sender = sender(&args.rpc, settings).await?;
        let (verifier, _) = SettlementVerifier::deploy(&sender, setup.key.table()).await?;
        if !verifier.code_matches(setup.key.table()).await? {
            bail!("the deployed verifier {:?} has other code than it was sent; the node is not to be believed", verifier.address());
        }
        let [.., state] = genesis_z(&header.mandate, &header.model_commitment);
        let terms = Terms {
            verifier: verifier.address(),
            genesis_state: Digest::from_scalar(state).to_bytes(),
            max_unproven_decisions: args.max_unproven_decisions,
            max_unproven_seconds: args.max_unproven_seconds,
        };
        Vault::at(sender, vault).arm(&terms).await?;
        show(&VaultView::at(&args.rpc, vault)?, Some(&header), json).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `probity vault status`.
pub(crate) fn status(args: &StatusArgs, json: bool) -> Result<ExitCode> {
    let header = args.log.as_ref().map(|log| read_log(log)).transpose()?.map(|(header, _)| header);
    let vault = match (&args.vault, &header) {
        (Some(vault), _) => vault.parse().map_err(|_| anyhow::anyhow!("--vault: expected an address, got {vault}"))?,
        (None, Some(header)) => address(&header.mandate)?,
        (None, None) => bail!("--vault or --log: expected one of them"),
    };
    crate::run::on_runtime(async { show(&VaultView::at(&args.rpc, vault)?, header.as_ref(), json).await })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(view: &VaultView, header: Option<&Header>, json: bool) -> Result<()> {
    let standing = view.standing().await?;
    let (promise, _) = view.registration().await?;
    let genesis_matches = header.map(|h| {
        let [.., state] = genesis_z(&h.mandate, &h.model_commitment);
        promise.mandate_digest == h.mandate_digest.to_bytes()
            && promise.commitment == h.model_commitment.to_bytes()
            && promise.genesis_head == h.genesis_head.to_bytes()
            && standing.terms.genesis_state == Digest::from_scalar(state).to_bytes()
    });
    let status = Status {
        vault: format!("{:?}", view.address()),
        decisions: standing.steps,
        armed: standing.terms.verifier != Address::zero(),
        verifier: format!("{:?}", standing.terms.verifier),
        proven: standing.proven_steps,
        unproven: standing.steps.saturating_sub(standing.proven_steps),
        first_unproven_time_s: standing.first_unproven_time_s,
        max_unproven_decisions: standing.terms.max_unproven_decisions,
        max_unproven_seconds: standing.terms.max_unproven_seconds,
        head: hex32(&standing.head),
        proven_head: hex32(&standing.proven_head),
        genesis_matches,
    };
    output::data(json, "vault_status", &status, || {
        let mut rows = vec![("vault".to_owned(), status.vault.clone()), ("decisions".to_owned(), status.decisions.to_string())];
        if status.armed {
            let mode = if status.max_unproven_decisions == 0 { "strict: no proof, no trade" } else { "deferred" };
            rows.extend([
                ("verifier".to_owned(), status.verifier.clone()),
                ("mode".to_owned(), mode.to_owned()),
                ("proven".to_owned(), status.proven.to_string()),
                ("unproven".to_owned(), format!("{} (trades up to {})", status.unproven, status.max_unproven_decisions)),
                ("proven head".to_owned(), status.proven_head.clone()),
            ]);
        } else {
            rows.push(("armed".to_owned(), "no: this vault trades without verifying proofs itself".to_owned()));
        }
        rows.push(("head".to_owned(), status.head.clone()));
        if let Some(matches) = status.genesis_matches {
            rows.push(("genesis and promise are the log's".to_owned(), matches.to_string()));
        }
        output::table(&rows)
    })
}
