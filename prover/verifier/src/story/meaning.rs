//! What a finding could mean, for a reader who did not write the program.

use crate::Code;

impl Code {
    /// What may be behind a finding of this kind; harmless and harmful readings alike.
    #[must_use]
    #[rustfmt::skip]
    pub const fn could_mean(self) -> &'static str {
        match self {
            Self::LogMalformed => "The file is damaged, cut off, edited by hand, or written by another version. Nothing after this line was read.",
            Self::LogUnreadable => "The file could not be read to its end. This says nothing about the agent.",
            Self::MandateInvalid => "The promise itself is not one that this program knows how to hold anybody to.",
            Self::MandateOther => "The log keeps another promise than the one you were given. Ask which of the two is registered on chain.",
            Self::HeaderMismatch => "The mandate or the commitment was changed after the log was begun, or the header was put together from two logs.",
            Self::HeadMismatch => "This record, or the one before, is not the one that was written: something was edited, inserted or taken out here.",
            Self::StepIndex => "A decision is missing, repeated or out of order here.",
            Self::TimeNotForward => "Records were reordered or invented: the chain's clock only moves forward.",
            Self::TimeOffGrid => "A decision at a time that the mandate does not know: the record was not made by the agent's clock.",
            Self::Gap => "The operator was down, or chose not to decide. A gap hides nothing that happened in the vault, but an operator who can choose when to be away can choose moments.",
            Self::BlockOrder => "The node reorganised, or two nodes were asked. Repeatedly, it weakens the claim that the agent saw the newest block.",
            Self::TickRange => "No pool has such a price: the observation is invented or damaged.",
            Self::PriceMismatch => "The price in the record is not the one its tick stands for: one of the two was edited.",
            Self::Flow => "Somebody put funds in or took them out. Normal; performance below is computed without it.",
            Self::FillWithoutOrder => "Funds moved as if by a trade that nobody ordered.",
            Self::FillBelowLimit => "A trade gave less than its order allowed: the venue or the record is wrong.",
            Self::OrderLimit => "The agent ordered what its mandate forbids, or the record was edited.",
            Self::HaltMismatch => "The drawdown stop fired and was ignored, or was claimed without cause.",
            Self::SealMismatch => "Lines were added or removed after the log was closed.",
            Self::Unsealed => "The agent is still running, or the end was cut off: what follows is unknown.",
            Self::AfterSeal => "Somebody appended to a closed log.",
            Self::ProofMissing => "There is no proof, so nothing ties these decisions to the committed model.",
            Self::ProofMalformed => "The proof file is damaged, or is no proof.",
            Self::ProofUnsupported => "The proof was made by another version of the program: get the verifier of that version.",
            Self::ProofOtherParameters => "The proof was made for another circuit or under other parameters: it is not about this mandate.",
            Self::ProofOtherMandate => "This is a proof about another agent's promise.",
            Self::ProofOtherCommitment => "This is a proof about another model than the one committed to.",
            Self::ProofOtherHead => "The proof is about other decisions than this log shows: the log was rebuilt, or belongs to another run.",
            Self::ProofInvalid => "The proof is false: it was edited, or made for something else.",
            Self::ProofPanicked => "The proof is so malformed that the proof library gave up on it. An honest prover does not make such files.",
            Self::UnprovenTail => "The newest decisions are not proven yet. In a closed log they never will be: ask why.",
            Self::LogShorterThanProof => "The operator proved more decisions than he shows.",
            Self::KeysUnavailable => "This program could not build what it needs to check the proof. This says nothing about the agent.",
            Self::InsecureParameters => "Whoever made the parameters can forge proofs. Fine for a test, worthless for money.",
            Self::RevealMismatch => "The revealed model is not the committed one.",
            Self::ReplayMismatch => "The revealed model would have decided otherwise here.",
            Self::TooMany => "The file is wrong throughout; more findings would say no more.",
            Self::OtherChain => "The node serves another chain than the mandate names.",
            Self::VaultCode => "The contract that holds the funds is not the one this program knows: what it reports cannot be relied on.",
            Self::NotRegistered => "The promise was never made on chain: it could have been written afterwards.",
            Self::RegistrationMismatch => "What was promised on chain is not what this log says.",
            Self::RegisteredLate => "The promise was made after the first decision.",
            Self::ObservationMismatch => "The log says the agent saw something else than the vault recorded.",
            Self::AnchorMismatch => "The block that the record stands on is not part of the chain that the node serves: a reorganisation, another chain, or an invention.",
            Self::OrderMismatch => "The vault was given another order than the log shows.",
            Self::DecisionNotOnChain => "The log has a decision that the vault never took.",
            Self::DecisionNotInLog => "The vault took a decision that the log leaves out.",
            Self::SwapWithoutDecision => "The vault traded, and no decision in the log ordered it.",
            Self::SwapMismatch => "The pool's own record of the trade is not the vault's.",
            Self::ChainHeadMismatch => "The chain holds another history than this log.",
            Self::PostedHeadMismatch => "The operator posted a proof of another history than this log.",
            Self::ProofNotPosted => "Not every decision is covered by a proof on chain yet.",
            Self::ChainUnreadable => "The chain could not be read. This says nothing about the agent.",
        }
    }
}
