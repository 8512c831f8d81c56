//! `probity layout`: what each number of decisions a fold costs, and which one serves a latency. `probity commit` shows the same.

use crate::cli::LayoutArgs;
use crate::settings::Settings;
use crate::{output, strategy_file};
use anyhow::Result;
use probity_prover::{Law, Layout, Unit, cheapest, plan};
use probity_strategy::{ModelShape, ProofEngine};
use probity_verifier::engine_name;
use serde::Serialize;
use std::process::ExitCode;

/// Decisions a fold that are looked at.
const CANDIDATES: [u16; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The table and what it rests on.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    engine: &'static str,
    shape: ModelShape,
    interval_s: u32,
    max_latency_s: Option<u64>,
    /// This machine, measured just now.
    unit_ms: f64,
    /// Estimates follow from it; constraints do not.
    law: Law,
    layouts: Vec<Layout>,
    /// The cheapest one within the latency; none if none is.
    cheapest: Option<u16>,
}

/// What a table is asked for.
pub(crate) struct Ask {
    pub(crate) shape: ModelShape,
    pub(crate) engine: ProofEngine,
    pub(crate) interval_s: u32,
    pub(crate) max_latency_s: Option<u64>,
}

impl Table {
    /// Measures this machine and counts the circuits: seconds of work.
    pub(crate) fn of(ask: Ask) -> Result<Self> {
        output::talk("measuring this machine and counting circuits …");
        let (unit, law) = (Unit::measure(), Law::of(ask.engine));
        let layouts = plan(&ask.shape, &CANDIDATES, &law, unit, ask.interval_s)?;
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "seconds, for a comparison")]
        let chosen = cheapest(&layouts, ask.max_latency_s.map(|s| s as f64)).map(|l| l.decisions_per_fold);
        Ok(Self {
            engine: engine_name(ask.engine),
            shape: ask.shape,
            interval_s: ask.interval_s,
            max_latency_s: ask.max_latency_s,
            unit_ms: unit.ms,
            law,
            layouts,
            cheapest: chosen,
        })
    }

    /// Whether some layout serves.
    pub(crate) const fn found(&self) -> bool {
        self.cheapest.is_some()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "decisions a fold",
            "constraints",
            "2^k",
            "fold, ms",
            "ms a decision",
            "compress, s",
            "to the proof, s",
            "proof, bytes",
            "gas a post",
            "gas a decision",
        ]);
        for l in &self.layouts {
            let mark = if self.cheapest == Some(l.decisions_per_fold) { " ←" } else { "" };
            table.add_row([
                format!("{}{mark}", l.decisions_per_fold),
                l.constraints.to_string(),
                l.power.to_string(),
                format!("{:.0}", l.fold_ms),
                format!("{:.1}", l.fold_ms_per_decision),
                format!("{:.1}", l.compress_s),
                format!("{:.1}", l.latency_s),
                l.proof_bytes.to_string(),
                l.post_gas.to_string(),
                l.post_gas_per_decision.to_string(),
            ]);
        }
        let within = self.max_latency_s.map_or_else(|| "at any latency".to_owned(), |s| format!("within {s} s of a decision"));
        let choice = match self.cheapest {
            Some(b) => format!("cheapest {within}: {b} decisions a fold (setting mandate.decisions_per_fold)"),
            None => format!("none of these proves {within}: allow more, or decide less often"),
        };
        format!(
            "{table}\n{choice}\n{} engine, model {:?}, a decision every {} s. Constraints are counted; times are estimates by the law of the planner for this\n\
             machine (one commitment to 2^16 elements: {:.0} ms, just now). Gas is that of posting the bytes once a fold, by the protocol's rules.",
            self.engine, self.shape.dims, self.interval_s, self.unit_ms
        )
    }
}

/// Runs the command.
pub(crate) fn run(args: &LayoutArgs, settings: &Settings, json: bool) -> Result<ExitCode> {
    let table = Table::of(Ask {
        shape: strategy_file::model(args.model.as_deref())?.shape,
        engine: args.engine.map_or(settings.mandate.proof_engine, Into::into),
        interval_s: args.interval.unwrap_or(settings.mandate.interval_s),
        max_latency_s: args.max_latency,
    })?;
    output::data(json, "layout", &table, || table.text())?;
    Ok(ExitCode::from(u8::from(!table.found())))
}
