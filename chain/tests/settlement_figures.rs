//! Figures of settlement on the shipped shape, gas from receipts: `make figures-settlement`.
//!
//! Parameters: a tau that stands in the source, so whoever reads it can forge. The figures do not depend on which tau it is.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use crate::{agent, common, settling, writer};
use common::{OPERATOR, World};
use probity_chain::{POOL_500, PoolInfo, SettlementVerifier, USDC};
use probity_strategy::ModelShape;
use probity_verifier::{ParamsSource, SettlementSetup};
use serde_json::{Value, json};
use settling::Armed;
use std::sync::Arc;
use std::time::Instant;

/// Processor seconds of this process, all threads.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn shape() -> ModelShape {
    ModelShape { dims: vec![16, 32, 16, 3], shifts: vec![7, 7], recurrent: None }
}

struct Measured {
    setup: Arc<SettlementSetup>,
    gas_settle: u64,
    gas_first: u64,
    cpu_s: f64,
    wall_s: f64,
    bytes: usize,
    code: usize,
    gas_deploy: u64,
}

/// Settles one decision, which writes the vault's slots for the first time, then as many as asked for in one.
async fn measure(world: &World, setup: Arc<SettlementSetup>, decisions: u64) -> Measured {
    let sender = world.account(OPERATOR).await;
    let (verifier, gas_deploy) = SettlementVerifier::deploy(&sender, setup.key.table()).await.unwrap();
    let model = agent::model(&setup.model, 1);
    let mut desk = Armed::open(world, &setup, &verifier, model, (1_024, u32::MAX)).await;
    desk.decide(1).await;
    let gas_first = desk.vault.settle(&desk.settlement().bytes).await.unwrap();
    desk.done();
    for n in 2..=decisions + 1 {
        desk.decide(n).await;
    }
    let (started, cpu) = (Instant::now(), cpu_s());
    let settlement = desk.settlement();
    let (wall_s, cpu_s) = (started.elapsed().as_secs_f64(), cpu_s() - cpu);
    let gas_settle = desk.vault.settle(&settlement.bytes).await.unwrap();
    println!("{decisions} decisions: {} bytes, {gas_settle} gas, {cpu_s:.1} CPU-s, {wall_s:.1} s", settlement.bytes.len());
    let code = SettlementVerifier::code(setup.key.table()).len();
    Measured { setup, gas_settle, gas_first, cpu_s, wall_s, bytes: settlement.bytes.len(), code, gas_deploy }
}

/// Gas of decisions that hold, of decisions that trade, of the same swap through Uniswap's own router, and of a decision that carries
/// its proof (strict terms).
async fn decisions(world: &World, setup: &Arc<SettlementSetup>) -> Value {
    let sender = world.account(OPERATOR).await;
    let (verifier, _) = SettlementVerifier::deploy(&sender, setup.key.table()).await.unwrap();
    let (mut hold, mut trade) = (Vec::new(), Vec::new());
    for still in [false, true] {
        let mut model = agent::model(&setup.model, 1);
        if still {
            (model.policy.band_bps, model.policy.band_gain) = (10_000, 0);
        }
        let mut desk = Armed::open(world, setup, &verifier, model, (1_024, u32::MAX)).await;
        for n in 1..=8 {
            let (made, outcome) = desk.decide(n).await;
            assert_eq!((made.order.is_none(), outcome.executed), (still, !still));
            // The first decisions write slots for the first time.
            if n > 3 {
                if still { hold.push(outcome.gas_used) } else { trade.push(outcome.gas_used) }
            }
        }
    }
    let mut swaps = Vec::new();
    let pool = PoolInfo::read(world.chain.url(), POOL_500, USDC).await.unwrap();
    let rpc = probity_chain::connect(world.chain.url()).unwrap();
    for price in [common::PRICE / 1_000 * 1_001, common::PRICE / 1_000 * 1_002, common::PRICE, common::PRICE / 1_000 * 1_001] {
        let moved = world.chain.move_price(&pool, price).await.unwrap();
        let number = format!("0x{:x}", moved.block_number);
        let block: Value = rpc.request("eth_getBlockByNumber", json!([number, false])).await.unwrap();
        let receipt: Value = rpc.request("eth_getTransactionReceipt", json!([block["transactions"][0]])).await.unwrap();
        swaps.push(u64::from_str_radix(receipt["gasUsed"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap());
    }
    let mut strict = Armed::open(world, setup, &verifier, agent::model(&setup.model, 1), (0, 0)).await;
    let mut carried = Vec::new();
    for n in 1..=3 {
        carried.push(strict.decide_settled(n).await.1.gas_used);
    }
    let (trade, swap) = (median(trade).unwrap(), median(swaps).unwrap());
    json!({
        "gas_hold": median(hold), "gas_trade": trade, "gas_bare_swap": swap, "gas_trade_overhead": trade.saturating_sub(swap),
        "gas_trade_strict": carried.last(),
    })
}

fn median(mut all: Vec<u64>) -> Option<u64> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

fn size(setup: &SettlementSetup) -> Value {
    let (constraints, variables, non_zeros) = setup.size();
    let (log_rows, log_size) = setup.key.logs();
    json!({ "constraints": constraints, "variables": variables, "non_zeros": non_zeros, "log_rows": log_rows, "log_size": log_size })
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: make figures-settlement"]
async fn figures() {
    let (decisions, per_block) = (number("DECISIONS", 192), u16::try_from(number("PER_BLOCK", 16)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figures.ptau");
    std::fs::write(&path, writer::Ptau::of(5, 20).bytes()).unwrap();
    let source = ParamsSource::insecure(&path, "tau of the figures");
    let world = World::stand_in().await;
    let mut figures = json!({ "decisions": decisions, "per_block": per_block });
    for (name, per_block, decisions) in [("1", 1u16, 1u64), ("192", per_block, decisions)] {
        let started = Instant::now();
        let setup = Arc::new(SettlementSetup::derive(&shape(), per_block, &source).unwrap());
        println!("blocks of {per_block}: {}, derived in {:.1} s", size(&setup), started.elapsed().as_secs_f64());
        let m = measure(&world, setup, decisions).await;
        figures[format!("gas_settle_{name}")] = json!(m.gas_settle);
        figures[format!("settle_cpu_s_{name}")] = json!(m.cpu_s);
        figures[format!("settle_wall_s_{name}")] = json!(m.wall_s);
        figures[format!("settlement_bytes_{name}")] = json!(m.bytes);
        figures[format!("circuit_{name}")] = size(&m.setup);
        figures["verifier_code_bytes"] = json!(m.code);
        figures["gas_deploy_verifier"] = json!(m.gas_deploy);
        figures[format!("gas_settle_{name}_first")] = json!(m.gas_first);
        if decisions > 1 {
            figures["gas_per_decision"] = json!(m.gas_settle / decisions);
        } else {
            let gas = self::decisions(&world, &m.setup).await;
            figures.as_object_mut().unwrap().extend(gas.as_object().unwrap().clone());
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).unwrap().join("target/figures");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("settlement.json"), serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
    println!("{figures:#}");
}
