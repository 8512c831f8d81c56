//! The claim that an accepted audit supports, in words, with what it does not show.

use crate::{ChainCoverage, Digest, Header, Origin, Proven, Rotation, Waypoint};
use serde::Serialize;

const NOT_TRUE: &str = "That the observations are true: prices, balances and fills have to be compared with the chain.";
const NOT_SENT: &str = "That orders were sent or executed as decided: the vault's events show that.";
const NOT_ONLY: &str =
    "That this is the only log of this agent, or that the commitment came before the first decision: the registry on chain shows that.";
const NOT_THEN: &str = "That other weights were announced when the log says, and not fitted to what had happened since: heads on chain, and the times of the blocks that hold them, show that.";
const NOT_THEN_ON_CHAIN: &str = "That other weights were announced before the market that they decide in was known: the vault takes decisions late, so the times of the blocks that hold the decisions after an announcement have to be looked at.";

/// What has been shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Digest of the mandate.
    pub mandate_digest: Digest,
    /// Commitment to the model at genesis.
    pub model_commitment: Digest,
    /// Other weights that took over among the decisions up to the last proven one; before the first proven one, on the log's word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rotations: Vec<Rotation>,
    /// Weights announced and not yet in force before the first proven decision; none at genesis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_at_start: Option<Rotation>,
    /// Weights announced and not yet in force after the last proven decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_at_end: Option<Rotation>,
    /// Head after the last proven decision.
    pub head: Digest,
    /// Decisions before the first proven one; 0 if the proof starts at genesis.
    pub from_decision: u32,
    /// Decisions up to the last proven one, counted from genesis.
    pub decisions: u32,
    /// Folds they took.
    pub folds: u32,
    /// Time of the first proven decision, Unix seconds; none if it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_time_s: Option<u64>,
    /// Time of the last proven decision, Unix seconds; none if it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_time_s: Option<u64>,
    /// The claim.
    pub shows: Vec<String>,
    /// What the claim leaves open.
    pub does_not_show: Vec<String>,
}

/// Which weights are about to take over, in words.
fn announced(ahead: Option<Rotation>) -> String {
    ahead.map_or_else(
        || "no other weights were announced to take over".to_owned(),
        |r| format!("the weights committed to as {} were announced to take over at decision {}", r.commitment, r.at_step),
    )
}

impl Statement {
    /// The statement of a verified proof over the log of `header`, whose weights rotated as said, and whose first and last decisions were made at
    /// these Unix seconds; none where that is not known.
    #[must_use]
    pub fn new(header: &Header, proven: &Proven, rotations: Option<&[Rotation]>, times_s: Option<(u64, u64)>) -> Self {
        let (from, Waypoint { decisions, head, .. }) = (proven.from(), proven.end);
        let known = rotations.is_some();
        let rotations: Vec<Rotation> = rotations.unwrap_or_default().iter().filter(|r| r.at_step < decisions).copied().collect();
        let which = if from == 0 {
            format!("Each of the first {decisions} decisions")
        } else {
            format!("Each of the decisions {from} … {}", decisions.saturating_sub(1))
        };
        let adopted = proven.start.filter(|s| s.adopts(header, Some(&rotations)));
        let (models, weights) = if let Some(start) = adopted {
            let later: String = rotations
                .iter()
                .filter(|r| r.at_step > start.decisions)
                .map(|r| format!("; {} from decision {}", r.commitment, r.at_step))
                .collect();
            let models = format!("the model then in force (committed to as {} at the first of them{later})", start.commitment);
            (models, "Between two of these steps the same weights and the same private policy were used.".to_owned())
        } else if !known || (rotations.is_empty() && proven.end.commitment != header.model_commitment) {
            let models = format!(
                "the model then in force (committed to as {} at genesis, {} at the end)",
                header.model_commitment, proven.end.commitment
            );
            (models, "Weights changed only where that had been announced in the log before.".to_owned())
        } else if rotations.is_empty() {
            let model = format!("the model committed to as {}", header.model_commitment);
            (model, "The same weights and the same private policy were used for all of them.".to_owned())
        } else {
            let later: Vec<String> = rotations.iter().map(|r| format!("{} from decision {}", r.commitment, r.at_step)).collect();
            let models = format!("the model then in force (committed to as {}; {})", header.model_commitment, later.join("; "));
            let weights = "Between two of these steps the same weights and the same private policy were used, and each change was announced in the log before it.";
            (models, weights.to_owned())
        };
        let mut does_not_show = vec![NOT_TRUE.to_owned(), NOT_SENT.to_owned(), NOT_ONLY.to_owned()];
        if from > 0 {
            does_not_show.push(format!("Anything about decisions before {from}, not even that they left the private state that decision {from} starts from; a proof that ends where this one starts shows that. Limits that look back (drawdown, turnover) count from that state."));
        }
        if let Some(start) = adopted {
            does_not_show.push(format!(
                "That the weights of the first of them ({}, {}) follow from those committed to as {}: that is the word of lines that no proof here covers, and whoever wrote them may never have known the committed model.",
                start.commitment,
                announced(start.ahead),
                header.model_commitment
            ));
        }
        if !known || !rotations.is_empty() || proven.end.commitment != header.model_commitment {
            does_not_show.push(NOT_THEN.to_owned());
        }
        does_not_show.extend([
            "Anything about decisions after the last proven one.".to_owned(),
            "That the model is good, or how it was trained.".to_owned(),
        ]);
        let (ahead_at_start, ahead_at_end) = (proven.start.and_then(|start| start.ahead), proven.end.ahead);
        let mut shows = vec![
            format!(
                "{which} of this log, without exception and in this order, is what {models} decides under the mandate {} on the recorded observations.",
                header.mandate_digest
            ),
            weights,
            "Every risk limit of the mandate was applied to every one of them, halts included.".to_owned(),
            format!(
                "The log was not edited, reordered or thinned out {} the head {head}.",
                if from == 0 { "up to" } else { "between there and" }
            ),
        ];
        if from > 0 {
            shows.push(format!("At the first of them, by the state that the proof starts from, {}.", announced(ahead_at_start)));
        }
        if from > 0 || ahead_at_end.is_some() {
            shows.push(format!("After the last of them, {}.", announced(ahead_at_end)));
        }
        Self {
            mandate_digest: header.mandate_digest,
            model_commitment: header.model_commitment,
            rotations,
            ahead_at_start,
            ahead_at_end,
            head,
            from_decision: from,
            decisions,
            folds: proven.folds,
            from_time_s: times_s.map(|t| t.0),
            to_time_s: times_s.map(|t| t.1),
            shows,
            does_not_show,
        }
    }

    /// The statement after a comparison with the chain that found no error: what was open there is now shown, on the node's word.
    #[must_use]
    pub(crate) fn on_chain(mut self, chain: &ChainCoverage) -> Self {
        self.does_not_show.retain(|s| ![NOT_TRUE, NOT_SENT, NOT_ONLY].contains(&s.as_str()));
        for open in self.does_not_show.iter_mut().filter(|s| *s == NOT_THEN) {
            NOT_THEN_ON_CHAIN.clone_into(open);
        }
        self.shows.extend([
            "Mandate and commitment were registered in the vault before its first decision.".to_owned(),
            format!("The observations of all {} decisions are those that the vault computed itself on chain.", chain.decisions),
            format!("Log and vault have the same decisions, and every swap of the vault in the pool is one of their orders ({} filled, {} not).", chain.filled, chain.unfilled),
        ]);
        if let Some(block) = chain.since_block {
            self.does_not_show.push(format!(
                "That decisions and swaps up to block {block} were compared with the chain now: the earlier audit did, and the block still has its hash."
            ));
        }
        if let Some(header) = &chain.header {
            self.shows.push(format!(
                "Registration, number of decisions and last head are what the vault's storage held in block {} ({}), by Merkle proofs under that block's header.",
                header.number, header.hash
            ));
            self.does_not_show.insert(
                0,
                format!(
                    "That block {} of hash {} is of the chain that everybody uses: compare the hash with another source.",
                    header.number, header.hash
                ),
            );
        }
        self.does_not_show.insert(
            0,
            format!(
                "That the node {} told the truth about the chain (read at block {}); ask another one, or your own.",
                chain.node, chain.block_number
            ),
        );
        self
    }

    /// Says that only decisions `from` … `to` − 1 are shown, the first and last of them made at these Unix seconds.
    #[must_use]
    pub(crate) fn showing(mut self, from: u32, to: u32, times_s: (u64, u64)) -> Self {
        self.does_not_show.push("That the decisions that are not shown would be taken as lines of a log: time moving forward, prices that fit their ticks, shares in the vault (without which the drawdown limit holds nothing back), amounts and announcements within their formats.".to_owned());
        self.shows.push(format!(
            "Of them, decisions {from} … {} are shown, exactly as they were made and in their places, the first at Unix time {} s and the last at {} s; the others are proven and not shown.",
            to.saturating_sub(1),
            times_s.0,
            times_s.1
        ));
        self
    }

    /// Says what was taken from an earlier audit.
    #[must_use]
    pub(crate) fn since(mut self, decisions: u32) -> Self {
        self.does_not_show.push(format!(
            "That the clock, prices, fills and halts of the first {decisions} decisions were looked at now: the earlier audit did, and their lines have not changed since."
        ));
        self
    }

    /// Adds what parameters of this origin leave open.
    #[must_use]
    pub fn under(mut self, origin: &Origin) -> Self {
        self.does_not_show.extend(origin.does_not_show());
        self
    }
}
