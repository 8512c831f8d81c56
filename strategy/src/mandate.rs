//! The mandate: what an agent may do. Public.

use crate::{Amount, DomainError, FEATURES, MEMORY_MAX, Recurrent};
use serde::{Deserialize, Serialize};

/// Risk limits and the clock of the decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest weight of the base asset after a buy, bps of the net asset value.
    pub max_weight_bps: u16,
    /// Largest trade, bps of the net asset value.
    pub max_trade_bps: u16,
    /// Smallest trade, bps; smaller moves are dropped. At least 2.
    pub min_trade_bps: u16,
    /// Largest sum of trades within one turnover window, bps.
    pub max_turnover_bps: u32,
    /// Steps of one (tumbling) turnover window.
    pub turnover_window_steps: u16,
    /// Loss from the high-water mark per share at which the agent sells all and stays out, bps.
    pub max_drawdown_bps: u16,
    /// Worst fill against the mean price, pool fee included, bps.
    pub max_slippage_bps: u16,
    /// Largest trade, raw quote units, below 2^80.
    pub max_trade_quote: Amount,
    /// Steps before the first trade, while the recurrent features settle.
    pub warmup_steps: u16,
}

/// The public shape of the private model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Widths of the dense layers, from 16 features, and the cells of the memory if there is one, to 3 outputs.
    pub dims: Vec<u16>,
    /// Rescale shift of each hidden layer, 1 … 16.
    pub shifts: Vec<u8>,
    /// The recurrent part, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Recurrent::present")]
    pub recurrent: Option<Recurrent>,
}

impl ModelShape {
    /// Cells of memory.
    #[must_use]
    pub fn units(&self) -> usize {
        self.recurrent.map_or(0, |r| usize::from(r.units))
    }

    /// Inputs and outputs of each matrix of weights, in the order of the model: gates and candidates as one, then the dense layers.
    pub fn matrices(&self) -> impl Iterator<Item = (usize, usize)> {
        let memory = (self.units() > 0).then(|| (FEATURES + self.units(), 2 * self.units()));
        let dense = self.dims.iter().zip(self.dims.iter().skip(1)).map(|(a, b)| (usize::from(*a), usize::from(*b)));
        memory.into_iter().chain(dense)
    }

    /// Number of weights.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.matrices().map(|(from, to)| from * to).sum()
    }

    /// Number of biases.
    #[must_use]
    pub fn biases(&self) -> usize {
        self.matrices().map(|(_, to)| to).sum()
    }

    /// Checks widths and shifts.
    pub fn validate(&self) -> Result<(), DomainError> {
        if let Some(part) = self.recurrent {
            range("model.recurrent.units", part.units.into(), 1, MEMORY_MAX.into())?;
            range("model.recurrent.gate_shift", part.gate_shift.into(), 1, 12)?;
            range("model.recurrent.candidate_shift", part.candidate_shift.into(), 1, 12)?;
        }
        range("model.dims (layers)", self.dims.len().try_into().unwrap_or(u128::MAX), 2, 5)?;
        for d in &self.dims {
            range("model.dims", (*d).into(), 1, 128)?;
        }
        let inputs = u16::try_from(FEATURES + self.units()).unwrap_or(u16::MAX);
        if self.dims.first() != Some(&inputs) || self.dims.last() != Some(&3) {
            let memory = if self.recurrent.is_some() { " (16 features and the memory's units)" } else { "" };
            return Err(DomainError::new("model.dims", format!("{inputs} inputs{memory} and 3 outputs"), format!("{:?}", self.dims)));
        }
        let hidden = self.dims.len().saturating_sub(2);
        if self.shifts.len() != hidden {
            return Err(DomainError::new("model.shifts", format!("{hidden} (one a hidden layer)"), self.shifts.len()));
        }
        for s in &self.shifts {
            range("model.shifts", (*s).into(), 1, 16)?;
        }
        Ok(())
    }
}

/// In words: the widths, and how many inputs are the network's own memory.
impl std::fmt::Display for ModelShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.dims)?;
        match self.units() {
            0 => Ok(()),
            units => write!(f, ", {units} of the inputs cells of its own memory"),
        }
    }
}

impl Default for ModelShape {
    fn default() -> Self {
        Self { dims: vec![16, 32, 16, 3], shifts: vec![7, 7], recurrent: None }
    }
}

fn range(field: &'static str, v: u128, lo: u128, hi: u128) -> Result<(), DomainError> {
    if (lo..=hi).contains(&v) { Ok(()) } else { Err(DomainError::new(field, format!("{lo} … {hi}"), v)) }
}

/// How proofs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofEngine {
    /// Pedersen commitments and inner-product arguments: nothing to download, nothing to trust.
    Transparent,
    /// KZG commitments over a powers-of-tau ceremony.
    Pairing,
}

/// Everything an agent has promised. Its digest is registered on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mandate {
    /// Format version, 1.
    pub version: u16,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Vault address, `0x` and 40 lowercase hex digits.
    pub vault: String,
    /// Pool address, same form.
    pub pool: String,
    /// Whether the base asset is the pool's token1 (as WETH in USDC/WETH).
    pub base_is_token1: bool,
    /// Seconds between decisions.
    pub interval_s: u32,
    /// Unix time from which decisions are counted.
    pub genesis_time_s: u64,
    /// Decisions one fold holds, 1 … 64.
    pub decisions_per_fold: u16,
    /// Proof engine.
    pub proof_engine: ProofEngine,
    /// Shape of the model.
    pub model: ModelShape,
    /// Risk limits.
    pub limits: Limits,
}

impl Mandate {
    /// Checks every field's range; the engine and the circuit rely on it.
    pub fn validate(&self) -> Result<(), DomainError> {
        fn address(field: &'static str, v: &str) -> Result<(), DomainError> {
            let ok = v.strip_prefix("0x").is_some_and(|h| h.len() == 40 && h.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
            if ok { Ok(()) } else { Err(DomainError::new(field, "0x and 40 lowercase hex digits", v)) }
        }
        let l = &self.limits;
        range("version", self.version.into(), 1, 1)?;
        range("chain_id", self.chain_id.into(), 1, u128::from(u64::MAX))?;
        address("vault", &self.vault)?;
        address("pool", &self.pool)?;
        range("interval_s", self.interval_s.into(), 1, 604_800)?;
        range("genesis_time_s", self.genesis_time_s.into(), 0, 1 << 40)?;
        range("decisions_per_fold", self.decisions_per_fold.into(), 1, 64)?;
        range("limits.max_weight_bps", l.max_weight_bps.into(), 0, 10_000)?;
        range("limits.max_trade_bps", l.max_trade_bps.into(), 1, 10_000)?;
        range("limits.min_trade_bps", l.min_trade_bps.into(), 2, 10_000)?;
        range("limits.max_turnover_bps", l.max_turnover_bps.into(), 1, 1 << 24)?;
        range("limits.turnover_window_steps", l.turnover_window_steps.into(), 1, 65_535)?;
        range("limits.max_drawdown_bps", l.max_drawdown_bps.into(), 1, 10_000)?;
        range("limits.max_slippage_bps", l.max_slippage_bps.into(), 0, 10_000)?;
        range("limits.max_trade_quote", l.max_trade_quote.raw(), 1, (1 << 80) - 1)?;
        self.model.validate()
    }
}
