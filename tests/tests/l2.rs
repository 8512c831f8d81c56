//! The whole path on a chain with another id and another price of gas, as an L2 has them: deploy, arm, decide, trade, prove, settle, compare the
//! verifier's code, audit. And the proof that waits there is refused on a chain that differs in nothing but its id.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[expect(dead_code, reason = "shared with the tests of settling")]
mod settling;

use probity_chain::{Sender, Standing, Vault, VaultView};
use probity_tests::own_clock::{KEY, OPERATOR, OwnClock, USDC};
use probity_tests::{Anvil, json, run_with};
use serde_json::{Value, json as object};
use settling::{Run, said};
use std::os::unix::process::ExitStatusExt;

const ID: &str = "8453";
/// Wei a gas.
const BASE_FEE: u64 = 10_000_000;
/// Of the vault's events.
const SETTLED: &str = "0xcc1d5618ae2ca348ae8ba2af18082b4b3d33f1feda657c035111d87d0e64dba6";

/// A fork of a node under another id, by the rules of an OP-stack chain: a base fee of a hundredth of a gwei, and large blocks.
fn chain(origin: &str, id: &str, more: &[&str]) -> Anvil {
    let fee = BASE_FEE.to_string();
    let flags = ["--fork-url", origin, "--no-storage-caching", "--chain-id", id, "--network", "optimism"];
    let price = ["--block-base-fee-per-gas", fee.as_str(), "--gas-limit", "240000000"];
    Anvil::start(&[&flags[..], &price, more].concat())
}

/// The agent on the chain; it leaves after four decisions.
struct Agent<'a> {
    run: &'a Run,
    url: &'a str,
}

impl Agent<'_> {
    fn start(&self, more: &[(&'static str, &str)]) -> std::process::Output {
        let mut args =
            vec!["--json", "run", "--dir", self.run.dir(), "--rpc", self.url, "--decisions", "4", "--posting", "every", "--deploy"];
        if !self.run.dir.join("opening.json").exists() {
            args.extend(["--model", self.run.model.to_str().unwrap()]);
        }
        self.run.with(&args, &[&[("PROBITY_OPERATOR_KEY", KEY)], more].concat())
    }

    fn with(&self, args: &[&str]) -> Value {
        let out = self.run.with(&[args, &["--dir", self.run.dir(), "--rpc", self.url]].concat(), &[]);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", said(&out));
        json(&out)["result"].clone()
    }
}

/// The vault of a run on a node, and where its settlement stands.
async fn vault(run: &Run, url: &str, id: &str) -> (Vault, Standing) {
    let seen = json(&probity_tests::run("probity", &["--json", "inspect", run.dir()]));
    let address = seen["result"]["vault"].as_str().unwrap().parse().unwrap();
    let sender = Sender::new(url, KEY, id.parse().unwrap(), 60).await.unwrap();
    (Vault::at(sender, address), VaultView::at(url, address).unwrap().standing().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_path_under_another_chain_id_and_a_settlement_for_it_is_refused_under_a_third() {
    let market = OwnClock::start();
    market.stand_still();
    let l2 = chain(market.rpc.url(), ID, &["--block-time", "2"]);
    l2.call("anvil_setBalance", &object!([OPERATOR, "0xde0b6b3a7640000"]));
    l2.call("anvil_dealERC20", &object!([OPERATOR, USDC, format!("{:#x}", 200_000_000_000u64)]));
    let mut run = Run::new("deferred", 4, 1);
    let settings = [
        ("PROBITY__MANDATE__INTERVAL_S", "12"),
        ("PROBITY__CHAIN__CHAIN_ID", ID),
        ("PROBITY__CHAIN__POLL_INTERVAL_MS", "200"),
        ("PROBITY__SAFETY__CONFIRMATIONS", "1"),
        ("PROBITY__SAFETY__TIP_MGWEI", "1"),
        ("PROBITY__SAFETY__FOLD", "later"),
    ];
    run.env.extend(settings.map(|(k, v)| (k, v.to_owned())));
    let run = &run;
    let agent = Agent { run, url: l2.url() };

    // Three decisions are made, their proof is on disk and not sent.
    let out = agent.start(&[("PROBITY_CRASH_AT", "settle_proven:1")]);
    assert_eq!(out.status.signal(), Some(9), "{}", said(&out));
    let waiting: Value = serde_json::from_slice(&std::fs::read(run.dir.join("settlement.json")).unwrap()).unwrap();
    let proof = hex(waiting["settlement"].as_str().unwrap());

    // Two chains that have the very same vault with the very same records: one of this id, one of another.
    let (same, other) = (chain(l2.url(), ID, &[]), chain(l2.url(), "10", &[]));
    let ((here, before), (there, standing)) = (vault(run, same.url(), ID).await, vault(run, other.url(), "10").await);
    assert_eq!((before.steps, before.proven_steps, &before), (3, 0, &standing));
    let refusal = there.settle(&proof).await.unwrap_err().to_string();
    assert!(refusal.contains("SettlementRefused"), "{refusal}");
    assert_eq!(vault(run, other.url(), "10").await.1, before, "a refused settlement changes nothing");
    here.settle(&proof).await.unwrap();
    let after = vault(run, same.url(), ID).await.1;
    assert_eq!((after.proven_steps, after.proven_head), (3, before.head), "where only the id is the same, it holds");
    // The command does not even send it there.
    let out = run.with(&["settle", "--dir", run.dir(), "--rpc", other.url()], &[("PROBITY_OPERATOR_KEY", KEY)]);
    assert!(out.status.code() == Some(2) && said(&out).contains("expected chain 8453, got 10"), "{}", said(&out));
    drop((same, other));

    // On its own chain it is sent at the next start, and the last decision's at the end.
    let out = agent.start(&[]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let summary = &json(&out)["result"];
    assert_eq!(summary["decisions"], 4, "{summary}");
    assert!(summary["buys"].as_u64() > summary["unfilled"].as_u64(), "nothing was traded: {summary}");
    let (vault, end) = vault(run, l2.url(), ID).await;
    assert_eq!((end.steps, end.proven_steps, end.proven_head), (4, 4, end.head));
    let code = agent.with(&["--json", "settlement", "verify-code"]);
    assert_eq!(code["matches"], true, "{code}");
    let status = agent.with(&["--json", "vault", "status"]);
    assert_eq!(
        (&status["promise_matches"], &status["code_matches"], &status["chain_id"]),
        (&true.into(), &true.into(), &8_453.into()),
        "{status}"
    );
    let log = run.dir.join("decisions.jsonl");
    let audit = run_with("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", l2.url()], &[]);
    assert_eq!(audit.status.code(), Some(0), "{}", json(&audit));
    assert_eq!(json(&audit)["result"]["chain"]["decisions"], 4);

    // What was paid: the base fee and the tip that was asked for. The node charges nothing for data on another chain.
    let logs =
        l2.call("eth_getLogs", &object!([{ "fromBlock": "0x0", "address": format!("{:?}", vault.view().address()), "topics": [SETTLED] }]));
    assert_eq!(logs.as_array().unwrap().len(), 2);
    for log in logs.as_array().unwrap() {
        let receipt = l2.call("eth_getTransactionReceipt", &object!([log["transactionHash"]]));
        let block = l2.call("eth_getBlockByNumber", &object!([log["blockNumber"], false]));
        let number = |value: &Value| u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
        let (gas, price, base) = (number(&receipt["gasUsed"]), number(&receipt["effectiveGasPrice"]), number(&block["baseFeePerGas"]));
        println!("settled for {gas} gas at {price} wei a gas, base fee {base}, of {} gas a block", number(&block["gasLimit"]));
        assert!(base <= BASE_FEE && price == base + 1_000_000, "{receipt}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
