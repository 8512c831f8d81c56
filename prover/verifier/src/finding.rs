//! What an audit finds: a code, a severity and coordinates, so that a reader can go and look.

use serde::Serialize;
use std::fmt;

/// How much a finding weighs. Only errors turn the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; part of normal life (a gap, a deposit).
    Info,
    /// Weakens the evidence without contradicting it.
    Warn,
    /// Contradicts the log, the mandate or the proof.
    Error,
}

/// What kind of thing was found. The names are part of the JSON format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// A line or field of the log does not parse.
    LogMalformed,
    /// The log could not be read.
    LogUnreadable,
    /// The mandate of the header is out of range.
    MandateInvalid,
    /// The mandate of the header is not the one that the auditor was promised.
    MandateOther,
    /// The commitment of the header is not the one that the auditor was promised.
    CommitmentOther,
    /// The mandate's vault is the zero address: a run on paper, or a backtest.
    NoVault,
    /// A digest of the header is not the digest of what the header holds.
    HeaderMismatch,
    /// A head is not the hash of the head before and the record.
    HeadMismatch,
    /// A step index is missing, repeated or out of order.
    StepIndex,
    /// Time does not move forward.
    TimeNotForward,
    /// Time is not on the grid of the mandate.
    TimeOffGrid,
    /// Intervals without a decision; never filled in.
    Gap,
    /// The observed block is older than the one before.
    BlockOrder,
    /// The tick does not fit a pool's tick.
    TickRange,
    /// The price is not the price of the tick.
    PriceMismatch,
    /// Balances moved without a trade: a deposit, a withdrawal or a donation.
    Flow,
    /// Shares that nobody paid for: a fee by the terms of the vault's share contract.
    FeeShares,
    /// A vault without shares: a loss a share cannot be told.
    NoShares,
    /// A fill without an order.
    FillWithoutOrder,
    /// A fill below the order's limit.
    FillBelowLimit,
    /// An order outside the mandate.
    OrderLimit,
    /// The halt is not what balances, prices and fills demand.
    HaltMismatch,
    /// The seal contradicts the log.
    SealMismatch,
    /// The log has no seal: more may follow.
    Unsealed,
    /// Something stands after the seal.
    AfterSeal,
    /// No proof was given.
    ProofMissing,
    /// The proof's bytes do not parse.
    ProofMalformed,
    /// The proof is of a version or engine this program does not know.
    ProofUnsupported,
    /// The proof was made under other parameters, or by the other engine.
    ProofOtherParameters,
    /// The proof is about another mandate.
    ProofOtherMandate,
    /// The proof is about another model.
    ProofOtherCommitment,
    /// The proof ends at another head than the log.
    ProofOtherHead,
    /// The proof's mathematics fail.
    ProofInvalid,
    /// The proof made the proof library panic: rejected.
    ProofPanicked,
    /// Decisions at the end of the log that no proof covers.
    UnprovenTail,
    /// Decisions at the start of the log that no proof covers.
    UnprovenStart,
    /// Proofs of consecutive stretches do not meet.
    ProofsDoNotMeet,
    /// Other weights were announced without notice, twice at a time, or for nothing.
    RotationRefused,
    /// The proof covers more decisions than the log shows.
    LogShorterThanProof,
    /// The keys could not be derived: nothing can be said about the proof.
    KeysUnavailable,
    /// The proof holds only if the maker of the parameters is honest: they were named insecure.
    InsecureParameters,
    /// The revealed model does not open the commitment.
    RevealMismatch,
    /// The revealed model decides otherwise.
    ReplayMismatch,
    /// More findings than a report holds.
    TooMany,
    /// The node serves another chain than the mandate's.
    OtherChain,
    /// The code at the vault's address is not the vault's.
    VaultCode,
    /// Mandate and commitment were never registered.
    NotRegistered,
    /// What is registered is not what the log says.
    RegistrationMismatch,
    /// Decisions came before the registration.
    RegisteredLate,
    /// The log's observation is not the one that the vault computed.
    ObservationMismatch,
    /// The block that an observation names is not the node's block of that number.
    AnchorMismatch,
    /// The log's order is not the one that the vault was given.
    OrderMismatch,
    /// A decision of the log that the vault does not have.
    DecisionNotOnChain,
    /// A decision of the vault that the log does not have.
    DecisionNotInLog,
    /// An announcement of the log that the vault does not have.
    AnnouncementNotOnChain,
    /// An announcement of the vault that the log does not have.
    AnnouncementNotInLog,
    /// The vault took another announcement than the log's.
    AnnouncementMismatch,
    /// Weights took over at the vault where the log has no such take-over, or the reverse.
    TakeOverMismatch,
    /// A swap of the vault that no decision ordered.
    SwapWithoutDecision,
    /// A fill that the pool's own event contradicts.
    SwapMismatch,
    /// A head of the vault is not the log's.
    ChainHeadMismatch,
    /// A posted proof is of a head that the log does not have.
    PostedHeadMismatch,
    /// Decisions that no posted proof covers.
    ProofNotPosted,
    /// Two logs of one genesis tell two histories.
    Equivocation,
    /// A storage proof does not follow from the block header.
    StateProofInvalid,
    /// What a storage proof shows is not what the log says.
    StateMismatch,
    /// The node gave no storage proofs: its word stands for the vault's state.
    StateUnproven,
    /// The pool's own state, proven under the block that a record names, gives another observation than the record's.
    PoolMismatch,
    /// The audit state is of another log, chain or key.
    AuditStateOther,
    /// The part of the log that an earlier audit read is not the same any more.
    LogRewritten,
    /// The block that an earlier comparison reached is not the node's block of that number any more.
    ChainRewritten,
    /// The chain could not be read: nothing can be said about it.
    ChainUnreadable,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Weight.
    pub severity: Severity,
    /// Kind.
    pub code: Code,
    /// Line of the log, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Decision, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Field, in the words of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was expected and what was got.
    pub message: String,
}

impl Finding {
    /// A finding without coordinates.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self { severity, code, line: None, step: None, field: None, message: message.into() }
    }

    /// An error.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Expected and got, as an error.
    pub fn mismatch(code: Code, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self::error(code, format!("expected {expected}, got {got}"))
    }

    /// Adds coordinates in the log.
    #[must_use]
    pub fn at(mut self, line: u64, step: u32) -> Self {
        (self.line, self.step) = (Some(line), Some(step));
        self
    }

    /// Adds the line.
    #[must_use]
    pub fn on_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Adds the field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.severity, self.code)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(step) = self.step {
            write!(f, ", decision {step}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", {field}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Finding {}
