//! `probity vault status`: where a vault stands, as the chain has it, beside what the run's folder says of it.

use crate::cli::StatusArgs;
use crate::output;
use crate::run::{Book, on_runtime, units};
use crate::settings::Settings;
use crate::settle::{CodeSeen, code, node};
use crate::settle_desk::{genesis_state, vault_of};
use crate::shares_seen::SharesSeen;
use anyhow::{Result, ensure};
use probity_chain::{Address, Observed, PoolInfo, Standing, VaultView};
use probity_verifier::{Digest, Header};
use serde::Serialize;
use std::process::ExitCode;

/// What `vault status` shows. Amounts are raw, in text where they may pass 2^53.
#[derive(Debug, Serialize)]
struct Status {
    vault: String,
    chain_id: u64,
    /// Whether vault and shares are this program's, made by its own creation code.
    code_matches: bool,
    registered_block: u64,
    mandate_digest: String,
    commitment: String,
    genesis_head: String,
    /// Commitment to the weights that make the next decision.
    commitment_in_force: String,
    /// Other weights, announced and still to take over.
    rotation_ahead: Option<Ahead>,
    /// With a run's folder: whether promise and genesis are the run's.
    promise_matches: Option<bool>,
    decisions: u32,
    head: String,
    quote_raw: String,
    base_raw: String,
    shares: String,
    share_contract: SharesSeen,
    /// Of the last recorded observation, quote raw per base raw × 2^64.
    price_x64: Option<String>,
    /// Value of all shares at that price, raw quote.
    value_quote_raw: Option<String>,
    /// Value of one share (10^6 share units) at that price, raw quote.
    share_value_quote_raw: Option<String>,
    settlement: Option<Settlement>,
    /// With a run's folder: the verifier's code, rebuilt and compared.
    verifier_code: Option<CodeSeen>,
    #[serde(skip)]
    decimals: (u8, u8),
    #[serde(skip)]
    symbols: (String, String),
}

/// Weights that are to take over.
#[derive(Debug, Serialize)]
struct Ahead {
    commitment: String,
    at_step: u32,
}

/// Of a vault that verifies proofs.
#[derive(Debug, Serialize)]
struct Settlement {
    mode: &'static str,
    verifier: String,
    max_unproven_decisions: u32,
    max_unproven_s: u32,
    proven: u32,
    proven_head: String,
    unproven: u32,
    /// Decisions that may still trade before a settlement is needed.
    decisions_left: u32,
    /// Time until trades stop; none while nothing is unproven.
    seconds_left: Option<u64>,
}

fn hex32(bytes: &[u8; 32]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// `probity vault status`.
pub(crate) fn status(args: &StatusArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let book = args.dir.as_deref().map(Book::open).transpose()?;
    let header = book.as_ref().map(|b| &b.header);
    on_runtime(async {
        let url = node(args.rpc.as_deref(), args.dir.as_deref(), settings).await?;
        let vault = match (&args.vault, header) {
            (Some(text), _) => text.parse().map_err(|_| anyhow::anyhow!("--vault: expected an address, got {text}"))?,
            (None, Some(header)) => vault_of(header)?,
            (None, None) => anyhow::bail!("--vault or --dir: expected one of them"),
        };
        let mut status = read(&url, vault, header).await?;
        if let (Some(header), Some(settlement)) = (header, &status.settlement)
            && !settings.proof.ptau_file.is_empty()
        {
            let verifier =
                settlement.verifier.parse().map_err(|_| anyhow::anyhow!("verifier: expected an address, got {}", settlement.verifier))?;
            status.verifier_code = Some(code(&url, verifier, &header.mandate, settings).await?);
        }
        output::data(json, "vault_status", &status, || output::table(&status.rows()))
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn read(url: &str, vault: Address, header: Option<&Header>) -> Result<Status> {
    let view = VaultView::at(url, vault)?;
    ensure!(view.exists().await?, "--rpc {}: no contract at {vault:?}", probity_chain::host_of(url));
    let (promise, registered_block) = view.registration().await?;
    let standing = view.standing().await?;
    let weights = view.weights().await?;
    let balances = view.balances().await?;
    let (quote, _) = view.tokens().await?;
    let pool = PoolInfo::read(url, view.pool().await?, quote).await?;
    let last: Option<Observed> =
        if standing.steps == 0 { None } else { view.decided(registered_block).await?.into_iter().next_back().map(|d| d.observed) };
    let value = last.as_ref().map(|o| value(balances.quote, balances.base, o.price_x64));
    Ok(Status {
        vault: format!("{vault:?}"),
        chain_id: view.chain_id().await?,
        code_matches: view.code_matches().await?,
        registered_block,
        mandate_digest: hex32(&promise.mandate_digest),
        commitment: hex32(&promise.commitment),
        genesis_head: hex32(&promise.genesis_head),
        commitment_in_force: hex32(&weights.commitment),
        rotation_ahead: (weights.ahead_step > 0).then(|| Ahead { commitment: hex32(&weights.ahead), at_step: weights.ahead_step }),
        promise_matches: header.map(|h| {
            let of = Digest::to_bytes;
            promise.mandate_digest == of(h.mandate_digest)
                && promise.commitment == of(h.model_commitment)
                && promise.genesis_head == of(h.genesis_head)
                && (standing.terms.verifier == Address::zero() || standing.terms.genesis_state == of(genesis_state(h)))
        }),
        decisions: standing.steps,
        head: hex32(&standing.head),
        quote_raw: balances.quote.to_string(),
        base_raw: balances.base.to_string(),
        shares: balances.shares.to_string(),
        share_contract: SharesSeen::of(&view).await?,
        price_x64: last.as_ref().map(|o| o.price_x64.to_string()),
        value_quote_raw: value.map(|v| v.to_string()),
        share_value_quote_raw: value.filter(|_| balances.shares > 0).map(|v| (v.saturating_mul(1_000_000) / balances.shares).to_string()),
        settlement: settlement(&standing, view.time_s().await?),
        verifier_code: None,
        decimals: (pool.quote.decimals, pool.base.decimals),
        symbols: (pool.quote.symbol, pool.base.symbol),
    })
}

/// quote + ⌊base · price / 2^64⌋ (as N1 values a portfolio), without overflow for amounts below 2^96.
fn value(quote: u128, base: u128, price_x64: u128) -> u128 {
    let (high, low) = (price_x64 >> 64, price_x64 & u128::from(u64::MAX));
    let part = base.saturating_mul(high);
    let rest = (base >> 64).saturating_mul(low).saturating_add((base & u128::from(u64::MAX)).saturating_mul(low) >> 64);
    quote.saturating_add(part).saturating_add(rest)
}

fn settlement(standing: &Standing, now_s: u64) -> Option<Settlement> {
    let terms = standing.terms;
    (terms.verifier != Address::zero()).then(|| {
        let unproven = standing.steps.saturating_sub(standing.proven_steps);
        let waited_s = now_s.saturating_sub(standing.first_unproven_time_s);
        Settlement {
            mode: if terms.max_unproven_decisions == 0 { "strict" } else { "deferred" },
            verifier: format!("{:?}", terms.verifier),
            max_unproven_decisions: terms.max_unproven_decisions,
            max_unproven_s: terms.max_unproven_seconds,
            proven: standing.proven_steps,
            proven_head: hex32(&standing.proven_head),
            unproven,
            decisions_left: terms.max_unproven_decisions.saturating_sub(unproven),
            seconds_left: (unproven > 0).then(|| u64::from(terms.max_unproven_seconds).saturating_sub(waited_s)),
        }
    })
}

impl Status {
    fn rows(&self) -> Vec<(String, String)> {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |key: &str, value: String| rows.push((key.to_owned(), value));
        row("vault", format!("{} on chain {}", self.vault, self.chain_id));
        row("code of vault and shares", if self.code_matches { "this program's".to_owned() } else { "NOT this program's".to_owned() });
        row(
            "registered in block",
            if self.registered_block == 0 { "not registered".to_owned() } else { self.registered_block.to_string() },
        );
        row("mandate digest", self.mandate_digest.clone());
        row("model commitment", self.commitment.clone());
        if self.commitment_in_force != self.commitment {
            row("weights in force", self.commitment_in_force.clone());
        }
        if let Some(ahead) = &self.rotation_ahead {
            row(&format!("weights from decision {}", ahead.at_step), ahead.commitment.clone());
        }
        if let Some(matches) = self.promise_matches {
            row("promise and genesis", if matches { "the run's".to_owned() } else { "NOT the run's".to_owned() });
        }
        row("decisions", self.decisions.to_string());
        row("head", self.head.clone());
        let amount = |raw: &str, decimals| units(raw.parse().unwrap_or(0), decimals);
        let ((quote, base), (q, b)) = (&self.symbols, self.decimals);
        row("accounts", format!("{} {quote}, {} {base}", amount(&self.quote_raw, q), amount(&self.base_raw, b)));
        row("shares", self.shares.clone());
        if let (Some(value), Some(share)) = (&self.value_quote_raw, &self.share_value_quote_raw) {
            let text = format!("{} {quote}; {} {quote} for 1,000,000 share units", amount(value, q), amount(share, q));
            row("value at the last recorded price", text);
        }
        rows.extend(self.share_contract.rows(quote, q));
        let mut row = |key: &str, value: String| rows.push((key.to_owned(), value));
        match &self.settlement {
            None => row("settlement", "none: this vault trades without verifying proofs itself".to_owned()),
            Some(s) => {
                let mode = if s.mode == "strict" { "strict: no proof, no trade" } else { "deferred: trades first, proofs in time" };
                row("settlement", mode.to_owned());
                row("verifier", s.verifier.clone());
                row("proven", format!("{} of {} decisions", s.proven, self.decisions));
                row("proven head", s.proven_head.clone());
                let left = s.seconds_left.map_or_else(|| "nothing waits".to_owned(), |left| format!("trades stop in {left} s"));
                row(
                    "unproven",
                    format!("{} of at most {} decisions; {left} (at most {} s)", s.unproven, s.max_unproven_decisions, s.max_unproven_s),
                );
                if self.verifier_code.is_none() {
                    row("its code", "not compared: that needs --dir and setting proof.ptau_file".to_owned());
                }
            }
        }
        if let Some(code) = &self.verifier_code {
            rows.extend(code.rows().into_iter().skip(1));
        }
        rows
    }
}
