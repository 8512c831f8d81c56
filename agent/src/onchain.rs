//! What a node says about a vault, gathered for the verifier's comparison.

use anyhow::{Context, Result, ensure};
use probity_chain::{Decided, HeaderPart, HeaderSeen, Posted, VaultView, vault_storage};
use probity_strategy::Side;
use probity_verifier::{
    AnnouncedSeen, ChainFacts, ChainMark, DecisionSeen, FeeSeen, Header, HeaderField, PoolSeen, PostedSeen, REORG_MARGIN, RegistrationSeen,
    RotatedSeen, StateSeen, SwapSeen, VaultSlots, is_nowhere,
};

/// Facts, and the proof bytes of the post that reaches farthest.
pub(crate) struct Seen {
    pub(crate) facts: ChainFacts,
    pub(crate) posted: Option<Posted>,
    /// The hash that the node gives now for the block that an earlier audit reached.
    pub(crate) mark_hash: Option<[u8; 32]>,
    registered: u64,
    view: VaultView,
}

impl Seen {
    /// Asks the node about the vault that a log names: about decisions and swaps only behind the block that an earlier audit reached.
    pub(crate) async fn of(url: &str, header: &Header, since: Option<&ChainMark>) -> Result<Self> {
        let address = header
            .mandate
            .vault
            .parse()
            .map_err(|_| anyhow::anyhow!("mandate.vault: expected an address, got {}", header.mandate.vault))?;
        ensure!(
            !is_nowhere(&header.mandate),
            "--rpc {}: the log's vault is the zero address: it is of a run on paper or a backtest, and no chain has anything to hold it against; audit it without --rpc",
            probity_chain::host_of(url)
        );
        let view = VaultView::at(url, address)?;
        let chain_id = view.chain_id().await?;
        ensure!(view.exists().await?, "--rpc {}: no contract at the log's vault {}", probity_chain::host_of(url), header.mandate.vault);
        let block_number = view.block_number().await?;
        let (promise, block) = view.registration().await.context("the vault's registration")?;
        let registration = (block > 0).then_some(RegistrationSeen {
            mandate_digest: promise.mandate_digest,
            commitment: promise.commitment,
            genesis_head: promise.genesis_head,
            genesis_time_s: promise.genesis_time_s,
            interval_s: promise.interval_s,
            max_trade_quote: promise.max_trade_quote,
            max_slippage_bps: promise.max_slippage_bps,
            block_number: block,
        });
        let mark_hash = match since {
            Some(mark) => view.block_hash(mark.block_number).await?,
            None => None,
        };
        let from = since.map_or(block, |mark| mark.block_number.saturating_add(1));
        let mut decisions = Vec::new();
        for decided in view.decided(from).await? {
            let anchor = view.block_hash(decided.observed.block_number).await?;
            decisions.push(decision(&decided, anchor)?);
        }
        let swaps = view.swaps(from).await?.into_iter().filter(|s| s.by_vault).collect::<Vec<_>>();
        let posted = view.posted(block).await?;
        let fees = view.flows(from).await?.into_iter().filter(probity_chain::Flow::is_fee);
        let fees = fees.map(|f| FeeSeen { account: format!("{:?}", f.account), shares: f.shares }).collect();
        let announced = view.announced(block).await?.into_iter().map(|a| AnnouncedSeen {
            step: a.step,
            commitment: a.announce.commitment,
            at_step: a.announce.at_step,
            head_before: a.announce.head_before,
            head_after: a.announce.head_after,
            tx_hash: a.tx_hash,
        });
        let rotated = view.rotated(block).await?.into_iter();
        let rotated = rotated.map(|r| RotatedSeen { step: r.step, commitment: r.commitment, tx_hash: r.tx_hash });
        let (_, head) = view.position().await?;
        let facts = ChainFacts {
            node: probity_chain::host_of(url),
            chain_id,
            pool: format!("{:?}", view.pool().await?),
            block_number,
            code_matches: view.code_matches().await?,
            registration,
            decisions,
            announced: announced.collect(),
            rotated: rotated.collect(),
            swaps: swaps.iter().map(|s| SwapSeen { tx_hash: s.tx_hash, amount0: s.amount0, amount1: s.amount1 }).collect(),
            posted: posted.iter().map(|p| PostedSeen { steps: p.steps, head: p.head, tx_hash: p.tx_hash }).collect(),
            fees,
            head,
        };
        Ok(Self { facts, posted: posted.into_iter().max_by_key(|p| p.steps), mark_hash, registered: block, view })
    }

    /// Where the next audit can go on: a block that an ordinary reorganisation does not reach; none if the vault is younger than that.
    pub(crate) async fn mark(&self, since: Option<&ChainMark>) -> Result<Option<ChainMark>> {
        let number = self.facts.block_number.saturating_sub(REORG_MARGIN);
        let earlier = since.map_or(self.registered, |mark| mark.block_number);
        if self.registered == 0 || number <= earlier {
            return Ok(since.cloned());
        }
        let hash = self.view.block_hash(number).await?.with_context(|| format!("block {number}: the node has it no more"))?;
        let within: Vec<&DecisionSeen> = self.facts.decisions.iter().filter(|d| d.block_number <= number).collect();
        let count =
            |n: usize, before: fn(&ChainMark) -> u32| -> Result<u32> { Ok(u32::try_from(n)?.saturating_add(since.map_or(0, before))) };
        let filled = within.iter().filter(|d| d.order.is_some() && d.filled.is_some()).count();
        let unfilled = within.iter().filter(|d| d.order.is_some() && d.filled.is_none()).count();
        Ok(Some(ChainMark {
            block_number: number,
            block_hash: format!("0x{}", hex::encode(hash)),
            decisions: count(within.len(), |m| m.decisions)?,
            filled: count(filled, |m| m.filled)?,
            unfilled: count(unfilled, |m| m.unfilled)?,
        }))
    }

    /// The vault's storage by proofs under the header of the block that the facts were read at; none if the node makes no proofs or its
    /// blocks have no state root.
    pub(crate) async fn state(&self) -> Result<Option<(VaultSlots, StateSeen)>> {
        let storage = vault_storage()?;
        let place = |name: &str| storage.get(name).copied().with_context(|| format!("vault artifact: no variable {name}"));
        let next = place("nextStep")?;
        let slots =
            VaultSlots { registration: place("_registration")?.slot, head: place("head")?.slot, next_step: (next.slot, next.offset) };
        let number = self.facts.block_number;
        let Some(found) = self.view.storage(&slots.wanted(), number).await? else { return Ok(None) };
        ensure!(found.code_matches, "the code at the vault's address in block {number} is not this program's vault");
        let header = self.view.header(number).await?;
        // Forks of a development chain have no state roots: nothing can be proven under zero.
        if header.fields.get(3).is_none_or(|root| root.bytes.iter().all(|b| *b == 0)) {
            return Ok(None);
        }
        Ok(Some((
            slots,
            StateSeen {
                header_hash: header.hash,
                header: header_fields(header),
                vault: self.view.address().0,
                account: found.account,
                code: found.code,
                slots: found.slots,
            },
        )))
    }

    /// The pool's state at the blocks of the decisions, as far back as the node proves it.
    pub(crate) async fn pool(&self, interval_s: u32) -> Result<Vec<PoolSeen>> {
        crate::pool_state::gather(&self.view, self.view.pool().await?, interval_s, &self.facts.decisions).await
    }

    /// The bytes of the posted proof that reaches farthest.
    pub(crate) async fn proof(&self) -> Result<Vec<u8>> {
        let posted = self.posted.as_ref().context("--proof: the vault has no posted proof; name a file")?;
        Ok(self.view.posted_proof(posted).await?)
    }
}

/// A header's fields in the verifier's words.
pub(crate) fn header_fields(header: HeaderSeen) -> Vec<HeaderField> {
    let field = |part: HeaderPart| if part.number { HeaderField::Number(part.bytes) } else { HeaderField::Bytes(part.bytes) };
    header.fields.into_iter().map(field).collect()
}

fn decision(d: &Decided, anchor: Option<[u8; 32]>) -> Result<DecisionSeen> {
    let side = |buy| if buy { Side::Buy } else { Side::Sell };
    Ok(DecisionSeen {
        observation: d.observed.observation()?,
        order: d.decided.order.map(|(buy, amount_in, min_out)| (side(buy), amount_in, min_out)),
        head_before: d.decided.head_before,
        head_after: d.decided.head_after,
        tx_hash: d.outcome.tx_hash,
        block_number: d.outcome.block_number,
        anchor,
        filled: d.outcome.executed.then_some(d.outcome.amount_out),
    })
}
