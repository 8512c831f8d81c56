//! `probity attest`: a run in the registries of agents (ERC-8004): registered, asked about, answered for, and checked.
//!
//! An answer of 100 says no more than that its validator's audit accepted; a consumer audits again (`check`). An audit that does not accept
//! is no answer at all: nothing is sent, since files of the wrong run would condemn an agent as surely as a lie.

mod check;
mod document;
mod vault;

use crate::cli::{AttestAction, RecordArgs, RegisterArgs, RegistriesArgs, RegistryArgs, RequestArgs, RespondArgs};
use crate::run::{lock, on_runtime};
use crate::settings::Settings;
use crate::{audit, keys, output, settle};
use anyhow::{Context, Result, bail, ensure};
use document::{Audited, Claims, Parties, TAG, hex0x};
use probity_chain::{DevChain, Identities, Sender, Validations, chain_id, keccak};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(action: &AttestAction, settings: &Settings, json: bool) -> Result<ExitCode> {
    match action {
        AttestAction::Registries(args) => registries(args, settings, json),
        AttestAction::Register(args) => register(args, settings, json),
        AttestAction::Request(args) => request(args, settings, json),
        AttestAction::Respond(args) => respond(args, settings, json),
        AttestAction::Check(args) => check::run(args, settings, json),
    }
}

/// 32 bytes of a flag.
fn hash(field: &str, text: &str) -> Result<[u8; 32]> {
    let bytes = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok()).and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| format!("{field}: expected 0x and 64 hex digits, got {text}"))
}

fn registry(url: &str, address: &str) -> Result<Validations> {
    Ok(Validations::at(url, keys::address("--registry", address)?)?)
}

/// The account that acts: the run's own on its development chains, else as the settings say.
async fn sender(dir: Option<&Path>, url: &str, settings: &Settings) -> Result<Sender> {
    let chain_id = chain_id(url).await?;
    match dir {
        Some(dir) => settle::sender(dir, url, settings, chain_id).await,
        None => keys::sender(settings, keys::operator(settings).await?, url, chain_id).await,
    }
}

/// Node, registry and account of a command.
async fn desk(at: &RegistryArgs, settings: &Settings) -> Result<(String, Validations, Sender)> {
    let url = settle::node(at.rpc.as_deref(), at.dir.as_deref(), settings).await?;
    let sender = sender(at.dir.as_deref(), &url, settings).await?;
    Ok((url.clone(), registry(&url, &at.registry)?, sender))
}

/// Log and proof: named, or the run's.
fn files(dir: Option<&Path>, record: &RecordArgs) -> Result<(PathBuf, PathBuf)> {
    let of = |named: &Option<PathBuf>, name: &str| named.clone().or_else(|| dir.map(|dir| dir.join(name)));
    let log = of(&record.log, "decisions.jsonl").context("--log: expected a file, or --dir")?;
    let proof = of(&record.proof, "proof.bin").context("--proof: expected a file, or --dir")?;
    Ok((log, proof))
}

/// Writes a document: a new file, or one that holds the same already.
fn keep(named: Option<&Path>, log: &Path, kind: &str, hash: &[u8; 32], text: &[u8]) -> Result<PathBuf> {
    let path = named.map_or_else(|| log.with_file_name(format!("{kind}-{}.json", hex::encode(hash))), Path::to_path_buf);
    if path.exists() {
        let there = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        ensure!(there == text, "{}: expected a new file or the same {kind}, this one holds something else", path.display());
        return Ok(path);
    }
    let mut file = File::create_new(&path).with_context(|| format!("{}: expected a folder that can be written (--out)", path.display()))?;
    file.write_all(text)?;
    file.sync_all()?;
    Ok(path)
}

fn registries(args: &RegistriesArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let _lock = lock(&args.dir)?;
    let (identities, validations) = on_runtime(async {
        let chain = DevChain::attach(&args.dir).await?;
        let chain = chain.with_context(|| {
            format!("--dir {}: expected a run whose development chains are up; real chains have registries", args.dir.display())
        })?;
        let sender = sender(Some(&args.dir), chain.url(), settings).await?;
        let identities = Identities::deploy(&sender).await?.address();
        Ok((identities, Validations::deploy(&sender, identities).await?.address()))
    })?;
    let value = serde_json::json!({ "agent_registry": identities, "validation_registry": validations });
    output::data(json, "registries", &value, || {
        output::table(&[
            ("registry of agents".to_owned(), format!("{identities:?}")),
            ("registry of validations (--registry)".to_owned(), format!("{validations:?}")),
        ])
    })?;
    Ok(ExitCode::SUCCESS)
}

fn register(args: &RegisterArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let _lock = args.at.dir.as_deref().map(lock).transpose()?;
    let (agent_id, owner, identities) = on_runtime(async {
        let (_, registry, sender) = desk(&args.at, settings).await?;
        let identities = registry.identities().await?;
        Ok((identities.register(&sender, &args.uri).await?.to_string(), sender.address(), identities.address()))
    })?;
    let value = serde_json::json!({ "agent_id": agent_id, "owner": owner, "agent_registry": identities });
    output::data(json, "agent", &value, || format!("agent {agent_id} of {owner:?} in {identities:?}"))?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked for (`docs/formats/README.md`).
#[derive(Serialize)]
struct Asked<'a> {
    format: &'static str,
    version: u16,
    validation_registry: String,
    agent_id: String,
    validator: String,
    log_sha256: String,
    proof_keccak256: String,
    uri: &'a str,
}

fn request(args: &RequestArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let _lock = args.at.dir.as_deref().map(lock).transpose()?;
    let validator = keys::address("--validator", &args.validator)?;
    let (log, proof) = files(args.at.dir.as_deref(), &args.record)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut File::open(&log).with_context(|| format!("--log {}", log.display()))?, &mut digest)?;
    let proof_keccak256 = hex0x(&keccak(&audit::read_proof(&proof)?));
    let (hash, path, asked) = on_runtime(async {
        let (url, registry, sender) = desk(&args.at, settings).await?;
        let asked = Asked {
            format: "probity-validation-request",
            version: 1,
            validation_registry: format!("eip155:{}:{:?}", chain_id(&url).await?, registry.address()),
            agent_id: args.agent_id.to_string(),
            validator: format!("{validator:?}"),
            log_sha256: hex::encode(digest.finalize()),
            proof_keccak256,
            uri: &args.uri,
        };
        let mut text = serde_json::to_vec(&asked)?;
        text.push(b'\n');
        let hash = keccak(&text);
        let path = keep(args.out.as_deref(), &log, "request", &hash, &text)?;
        let asked = registry.ask(&sender, validator, args.agent_id.into(), &args.uri, hash).await?;
        Ok((hex0x(&hash), path, asked))
    })?;
    let value = serde_json::json!({
        "request_hash": hash, "request": path, "validator": validator, "tx_hash": hex0x(&asked.tx_hash), "block_number": asked.block_number,
    });
    output::data(json, "validation_request", &value, || format!("request {hash} to {validator:?} ({})", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn respond(args: &RespondArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let request = hash("--request", &args.request)?;
    let (log, proof) = files(args.at.dir.as_deref(), &args.record)?;
    let audited = Audited::of(&log, &proof, &settings.proof.source()?)?;
    if !audited.accepted() {
        output::talk("nothing was sent: only an accepted audit of a log proven from genesis is answered with");
        output::data(json, "audit", &audited.report, || audit::text(&audited.report))?;
        let accepted = audited.report.verdict == probity_verifier::Verdict::Accepted;
        return Ok(if accepted { ExitCode::from(2) } else { audit::code(&audited.report) });
    }
    let _lock = args.at.dir.as_deref().map(lock).transpose()?;
    let (path, digest, answer, again) = on_runtime(async {
        let (url, registry, sender) = desk(&args.at, settings).await?;
        let status = registry.status(request).await?;
        let status = status.with_context(|| format!("--request {}: nobody asked for it in this registry", args.request))?;
        ensure!(
            status.agent_id == args.agent_id.into(),
            "--agent-id: the request is about agent {}, got {}",
            status.agent_id,
            args.agent_id
        );
        let account = sender.address();
        ensure!(status.validator == account, "the request is to the validator {:?}, the account is {account:?}", status.validator);
        let identities = registry.identities().await?;
        let posted = vault::look(args.vault.vault_rpc.as_deref().unwrap_or(&url), audited.mandate.as_ref()).await?;
        operates(&identities, args.agent_id, &posted, args.vault.other_operator).await?;
        let claims = Claims {
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            posted: posted.as_ref().ok().and_then(|seen| seen.place(&audited.proof)),
            uri: args.proof_uri.clone(),
        };
        if claims.posted.is_none() && claims.uri.is_none() {
            bail!("--proof-uri: expected where the proof is, since it was not posted to the vault or that cannot be seen");
        }
        let parties = Parties {
            request_hash: request,
            chain_id: chain_id(&url).await?,
            validations: registry.address(),
            identities: identities.address(),
            agent_id: args.agent_id.to_string(),
            validator: account,
        };
        let text = audited.document(&parties, &claims)?;
        let digest = keccak(&text);
        let path = keep(args.out.as_deref(), &log, "attestation", &request, &text)?;
        // Sent already, by a command that was cut off.
        if status.response_hash == digest
            && let Some(answer) = registry.answers(request, 0).await?.pop().filter(|a| a.hash == digest)
        {
            return Ok((path, digest, answer, true));
        }
        let answer = registry.answer(&sender, request, 100, &args.uri, digest, TAG).await;
        let answer = answer.with_context(|| format!("the document waits in {}; the same command sends it again", path.display()))?;
        ensure!(answer.hash == digest, "the registry recorded the digest {}, sent was {}", hex0x(&answer.hash), hex0x(&digest));
        Ok((path, digest, answer, false))
    })?;
    let value = serde_json::json!({
        "document": path, "response_hash": hex0x(&digest), "response": answer.response, "tag": answer.tag, "uri": answer.uri,
        "validator": answer.validator, "tx_hash": hex0x(&answer.tx_hash), "block_number": answer.block_number, "sent_before": again,
    });
    output::data(json, "validation_response", &value, || {
        format!("answered {} with {} ({}), transaction {}", args.request, hex0x(&digest), path.display(), hex0x(&answer.tx_hash))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses to speak for an agent that is not the vault's operator.
async fn operates(identities: &Identities, agent_id: u64, seen: &Result<vault::Seen, String>, other: bool) -> Result<()> {
    if other {
        return Ok(());
    }
    let operator = match seen {
        Ok(seen) => seen.operator,
        Err(why) => bail!("whether agent {agent_id} is the vault's operator: {why} (or --other-operator)"),
    };
    let [owner, wallet] = identities.accounts(agent_id.into()).await?;
    ensure!(
        [owner, wallet].contains(&operator),
        "agent {agent_id}: expected the vault's operator {operator:?}, got the owner {owner:?} and the wallet {wallet:?} (or --other-operator)"
    );
    Ok(())
}
