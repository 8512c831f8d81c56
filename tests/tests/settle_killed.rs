//! The agent killed around a settlement: with its proof on disk and nothing signed, with a transaction that no block has yet, that was dropped,
//! and that is in a block nobody told it of. Every range is settled once, and by the proof that was made for it first: proofs are made
//! under random masks, so another one would have other bytes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests of settling")]
mod settling;

use probity_chain::{Standing, VaultView};
use probity_tests::bad_day::Running;
use probity_tests::{Rpc, binary, fork_url, json, run};
use serde_json::{Value, json as object};
use settling::{Run, said};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

/// Of the vault's events.
const SETTLED: &str = "0xcc1d5618ae2ca348ae8ba2af18082b4b3d33f1feda657c035111d87d0e64dba6";
const DECIDED: &str = "0x5847ff1e51cf913937dacae963731ad48f68dee199240b8f5cf3cf4c9a3a28f6";

/// A run, its chain and its vault.
struct Watched {
    run: Run,
    decisions: &'static str,
}

impl Watched {
    fn start(mode: &str, decisions: &'static str) -> Self {
        let mut run = Run::new(mode, 4, 1);
        run.env.push(("PROBITY__SAFETY__FOLD", "later".to_owned()));
        Self { run, decisions }
    }

    /// Runs until the drill kills it.
    fn killed_at(&self, at: &str) {
        let out = self.run.with(&self.run.decide_args(self.decisions), &[("PROBITY_CRASH_AT", at)]);
        assert_eq!(out.status.signal(), Some(9), "{at}: {}", said(&out));
    }

    /// The same, beside the test.
    fn spawned(&self, at: &str) -> Running {
        let mut command = Command::new(binary("probity").unwrap());
        command.args(self.run.decide_args(self.decisions)).envs(self.run.env.iter().map(|(k, v)| (*k, v.as_str())));
        Running::start(command.env("PROBITY_CRASH_AT", at))
    }

    fn rpc(&self) -> Rpc {
        Rpc::at(&fork_url(&self.run.dir))
    }

    /// The proof on disk, hex; none without the file.
    fn waiting(&self) -> Option<String> {
        let text = std::fs::read(self.run.dir.join("settlement.json")).ok()?;
        Some(serde_json::from_slice::<Value>(&text).unwrap()["settlement"].as_str().unwrap().to_owned())
    }

    /// Decisions in the journal, and how many of them have no outcome there.
    fn journal(&self) -> (u64, u64) {
        let seen = &json(&run("probity", &["--json", "inspect", self.run.dir()]))["result"];
        (seen["decisions"].as_u64().unwrap(), seen["outcome_unknown"].as_u64().unwrap())
    }

    /// Where the vault's settlement stands.
    fn standing(&self) -> Standing {
        let seen = json(&run("probity", &["--json", "inspect", self.run.dir()]));
        let vault = seen["result"]["vault"].as_str().unwrap().parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { VaultView::at(self.rpc().url(), vault).unwrap().standing().await.unwrap() })
    }

    /// Decisions on the vault and proven ones.
    fn vault(&self) -> (u32, u32) {
        let seen = self.standing();
        (seen.steps, seen.proven_steps)
    }

    /// Waits until nothing lies in the pool: a node that mines at once has answered before.
    fn mined(&self) {
        while self.rpc().call("txpool_status", &object!([]))["pending"] != "0x0" {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// First topic of the vault's events of a kind, and the input of the transaction of each.
    fn events(&self, kind: &str) -> Vec<(u64, String)> {
        let (rpc, seen) = (self.rpc(), json(&run("probity", &["--json", "inspect", self.run.dir()])));
        let vault = &seen["result"]["vault"];
        let logs = rpc.call("eth_getLogs", &object!([{ "fromBlock": "0x0", "address": vault, "topics": [kind] }]));
        let logs = logs.as_array().unwrap().iter().map(|log| {
            let number = u64::from_str_radix(&log["topics"][1].as_str().unwrap()[50..], 16).unwrap();
            let sent = rpc.call("eth_getTransactionByHash", &object!([log["transactionHash"]]));
            (number, sent["input"].as_str().unwrap().to_owned())
        });
        logs.collect()
    }

    /// What the vault took: these ranges' ends, each by the very proof that was kept for it where one was.
    fn settled_once(&self, ranges: &[(u64, Option<&str>)]) {
        let events = self.events(SETTLED);
        assert_eq!(events.iter().map(|(end, _)| *end).collect::<Vec<_>>(), ranges.iter().map(|(end, _)| *end).collect::<Vec<_>>());
        for ((end, input), (_, proof)) in events.iter().zip(ranges) {
            assert!(proof.is_none_or(|proof| input.contains(proof)), "the settlement up to {end} was sent with another proof");
        }
    }

    /// Every decision once, on the vault and in the journal; all of them proven, the log's last head among them; nothing waits.
    fn ends_right(&self, decisions: u64) {
        let out = self.run.with(&self.run.decide_args(self.decisions), &[]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        let summary = &json(&out)["result"];
        assert_eq!((summary["decisions"].as_u64(), summary["unfilled"].as_u64()), (Some(decisions), Some(0)), "{summary}");
        assert_eq!(summary["buys"].as_u64(), Some(decisions), "{summary}");
        let both = u32::try_from(decisions).unwrap();
        assert_eq!((self.vault(), self.journal(), self.waiting()), ((both, both), (decisions, 0), None));
        let steps: Vec<u64> = self.events(DECIDED).into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, (0..decisions).collect::<Vec<_>>(), "every decision once, in order");
        let log = self.run.dir.join("decisions.jsonl");
        let text = std::fs::read_to_string(&log).unwrap();
        let mut heads = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).unwrap().get("head").cloned());
        let (seen, last) = (self.standing(), heads.next_back().unwrap());
        let hex = |head: [u8; 32]| head.iter().fold("0x".to_owned(), |text, b| format!("{text}{b:02x}"));
        assert_eq!((hex(seen.head), hex(seen.proven_head)), (last.as_str().unwrap().to_owned(), hex(seen.head)));
        let audit = run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", self.rpc().url()]);
        assert_eq!(audit.status.code(), Some(0), "{}", json(&audit));
    }
}

#[test]
fn killed_between_proof_and_receipt_it_settles_once_with_that_proof() {
    let w = Watched::start("deferred", "7");
    w.killed_at("settle_proven:1");
    let first = w.waiting().unwrap();
    assert_eq!((w.vault(), w.journal()), ((3, 0), (3, 0)));
    w.killed_at("settle_signed:1");
    w.settled_once(&[]);
    assert_eq!(w.waiting().as_ref(), Some(&first), "the proof that waited serves");

    // It leaves, and the node loses it: nothing of it is on the chain.
    let rpc = w.rpc();
    rpc.call("evm_setAutomine", &object!([false]));
    w.killed_at("settle_sent:1");
    rpc.call("anvil_dropAllTransactions", &object!([]));
    w.settled_once(&[]);
    // It leaves again and lies in the pool: the next start neither proves nor sends another one.
    w.killed_at("settle_sent:1");
    let pending = rpc.call("txpool_status", &object!([]))["pending"].clone();
    assert_eq!((w.vault(), pending, w.waiting().as_ref()), ((3, 0), object!("0x1"), Some(&first)));
    let mut agent = w.spawned("settled:1");
    agent.says("not settled, tried again after the next decision");
    // The market's next move brings the block that takes it.
    rpc.call("evm_setAutomine", &object!([true]));
    let (code, told) = agent.ends();
    assert_eq!(code, None, "{told}");
    assert_eq!((w.vault(), w.journal(), w.waiting().as_ref()), ((4, 3), (4, 0), Some(&first)));
    w.settled_once(&[(3, Some(&first))]);
    // Nothing waits any more, whoever looks.
    w.killed_at("observed:1");
    assert_eq!(w.waiting(), None);

    // In a block, and the process ends before it knows.
    w.killed_at("settle_mined:1");
    let second = w.waiting().unwrap();
    assert_eq!((w.vault(), w.journal()), ((6, 6), (6, 0)));
    w.ends_right(7);
    w.settled_once(&[(3, Some(&first)), (6, Some(&second)), (7, None)]);
}

#[test]
fn killed_around_a_trade_that_carries_its_proof_it_trades_once() {
    let w = Watched::start("strict", "2");
    w.killed_at("settle_proven:1");
    let first = w.waiting().unwrap();
    assert_eq!((w.vault(), w.journal()), ((0, 0), (1, 1)), "the decision is in the journal, the vault has nothing");
    w.killed_at("settle_sent:1");
    w.mined();
    assert_eq!((w.vault(), w.journal(), w.waiting().as_ref()), ((1, 1), (1, 1), Some(&first)));
    w.killed_at("settle_proven:1");
    let second = w.waiting().unwrap();
    assert_eq!((w.vault(), w.journal()), ((1, 1), (2, 1)), "the first outcome was found on the chain");
    w.ends_right(2);
    w.settled_once(&[(1, Some(&first)), (2, Some(&second))]);
}
