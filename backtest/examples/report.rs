//! Figures of a model file over recorded data: `--model FILE --data FILE [--from UNIX] [--to UNIX] [--cost BPS] [--window N]`.
//!
//! Prints metrics beside buy-and-hold and cash. The limits are those of the worked example: trades of 50 to 2500 bps,
//! turnover 20000 bps in 48 steps, warm-up 16 steps, drawdown limit off so that the figures cover the whole span.
#![expect(clippy::print_stdout, reason = "a command-line example")]

use probity_backtest::{Dataset, Frictions, Scale, Terms, buy_and_hold, cash, run};
use probity_strategy::{Amount, Engine, Limits, Mandate, Model, ModelShape, ProofEngine};
use std::{collections::BTreeMap, path::Path};

#[derive(serde::Deserialize)]
struct File {
    shape: ModelShape,
    model: Model,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options: BTreeMap<&str, &str> = words.chunks(2).filter_map(|p| Some((p.first()?.as_str(), p.get(1)?.as_str()))).collect();
    let option = |name: &str| options.get(name).copied().ok_or(format!("{name}: expected a value, got none"));
    let number = |name: &str| options.get(name).map(|v| v.parse::<u64>()).transpose();
    let file: File = serde_json::from_slice(&std::fs::read(option("--model")?)?)?;
    let data = Dataset::read(Path::new(option("--data")?), Scale::default(), number("--from")?, number("--to")?)?;
    let limits = Limits {
        max_weight_bps: 10_000,
        max_trade_bps: 2_500,
        min_trade_bps: 50,
        max_turnover_bps: 20_000,
        turnover_window_steps: 48,
        max_drawdown_bps: 10_000,
        max_slippage_bps: 200,
        max_trade_quote: Amount::saturating((1 << 80) - 1),
        warmup_steps: 16,
    };
    let mandate = Mandate {
        version: 1,
        chain_id: 1,
        vault: format!("0x{}", "00".repeat(20)),
        pool: format!("0x{}", "00".repeat(20)),
        base_is_token1: true,
        interval_s: data.interval_s,
        genesis_time_s: 0,
        decisions_per_fold: 4,
        proof_engine: ProofEngine::Transparent,
        model: file.shape,
        limits,
    };
    let engine = Engine::new(mandate, file.model)?;
    let fee_bps = u16::try_from(number("--cost")?.unwrap_or(5))?;
    let terms = Terms::from(Frictions { fee_bps, slippage_bps: 0, gas_quote: Amount::ZERO });
    let quote = Amount::saturating(1_000_000_000_000);
    let result = run(&engine, &data, &terms, quote, Amount::ZERO)?;
    let report = serde_json::json!({
        "bars": data.bars.len(), "data_sha256": data.sha256, "gaps": data.gaps, "cost_bps": fee_bps, "failed": result.failed,
        "model": result.metrics(), "buy_and_hold": buy_and_hold(&data, &terms, quote)?.metrics, "cash": cash(&data, quote)?.metrics,
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    // How lively any stretch of N decisions is.
    if let Some(n) = number("--window")? {
        let steps = u64::try_from(data.bars.len())?;
        for start in (0..steps.saturating_sub(n)).step_by(usize::try_from(n)?) {
            let inside = result.trades.iter().filter(|t| (start..start + n).contains(&u64::from(t.step)));
            let (buys, sells): (Vec<&probity_backtest::Trade>, Vec<_>) = inside.partition(|t| t.side == probity_strategy::Side::Buy);
            println!("decisions {start} … {}: {} buys, {} sells", start + n - 1, buys.len(), sells.len());
        }
    }
    Ok(())
}
