//! Several mandates side by side in one process, of pairs with odd decimals, both token orders and two fee tiers, through the binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_tests::bad_day::Running;
use probity_tests::listing::{Listing, Wanted};
use probity_tests::own_clock::OwnClock;
use probity_tests::trader::Trader;
use probity_tests::{Rpc, binary, codes, json, run};
use serde_json::{Value, json as object};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Quote is dear in raw units, and token1.
const WIDE: Wanted = Wanted { decimals: (2, 21), base_is_token1: false, tier: (3_000, 60), price: 1e8, depth: 1e9 };
/// Base is dear in raw units, and token1.
const NARROW: Wanted = Wanted { decimals: (21, 2), base_is_token1: true, tier: (100, 1), price: 1e-10, depth: 1e6 };

/// A folder with settings files, keys and the runs.
struct Desk {
    temp: tempfile::TempDir,
    url: String,
}

impl Desk {
    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// An account of its own, with ether and quote tokens, in a key file.
    fn account(&self, rpc: &Rpc, name: &str, key: &str, listing: &Listing) -> String {
        let (key, password) = (self.write(&format!("{name}.key"), &key.repeat(32)), self.write("password", "correct horse"));
        let out = self.path(&format!("{name}.json"));
        let args = ["--json", "keys", "import", "--key-file", &key, "--password-file", &password, "--out", out.to_str().unwrap()];
        let done = json(&run("probity", &args));
        let address = &done["result"]["address"];
        rpc.call("anvil_setBalance", &object!([address, "0xde0b6b3a7640000000"]));
        Listing::give(rpc, &listing.quote, address.as_str().unwrap(), 1 << 90);
        out.to_str().unwrap().to_owned()
    }

    /// The settings of a run.
    fn settings(&self, name: &str, listing: &Listing, units: [u64; 2], keystore: &str) -> String {
        let [seed, most] = units;
        let text = format!(
            "[chain]\nrpc_url = {:?}\npool = {:?}\nquote_token = {:?}\npoll_interval_ms = 200\n[mandate]\ninterval_s = 4\nwarmup_steps = 1\n\
             decisions_per_fold = 1\nmin_trade_bps = 2\nmax_slippage_bps = 500\nmax_trade_quote_units = {most}\n[agent]\nseed_quote_units = {seed}\n\
             [posting]\npolicy = \"every\"\nevery_decisions = 1000\n[safety]\nconfirmations = 0\nfold = \"later\"\n\
             [keys]\nkeystore = {keystore:?}\npassword_file = {:?}\n",
            self.url,
            listing.pool,
            listing.quote,
            self.path("password").to_str().unwrap()
        );
        self.write(&format!("{name}.toml"), &text)
    }

    fn agent(&self, files: &[&str], more: &[&str]) -> Running {
        let mut command = Command::new(binary("probity").unwrap());
        command.env_remove("PROBITY_OPERATOR_KEY");
        for file in files {
            command.args(["--config", file]);
        }
        Running::start(command.args(["run", "--dir"]).arg(self.path("runs")).args(more))
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.path("runs").join(name)
    }
}

fn inspect(dir: &Path) -> Value {
    json(&run("probity", &["--json", "inspect", "--last", "100", dir.to_str().unwrap()]))["result"].clone()
}

/// What follows the head of an HTTP answer.
fn body(answer: &str) -> Value {
    let start = answer.find('{').unwrap();
    serde_json::from_str(&answer[start..=answer.rfind('}').unwrap()]).unwrap()
}

/// Every amount that is shown is the raw one by its token's decimals; how many orders there were.
fn shown_as_they_are(page: &Rpc, name: &str, dir: &Path, listing: &Listing) -> usize {
    let view = body(&page.get(&format!("/run/{name}/api/view")));
    let (quote, base) = (10f64.powi(listing.decimals.0.into()), 10f64.powi(listing.decimals.1.into()));
    let near = |shown: &Value, raw: &Value, unit: f64| {
        let raw: f64 = raw.as_str().unwrap().parse().unwrap();
        let shown = shown.as_f64().unwrap();
        assert!((shown - raw / unit).abs() <= shown.abs() * 1e-9, "{name}: {shown} of {raw} by {unit}");
    };
    let seen = inspect(dir);
    let (records, outcomes) = (seen["last"].as_array().unwrap(), seen["last_outcomes"].as_array().unwrap());
    let mut orders = 0;
    for row in view["decisions"].as_array().unwrap() {
        let step = usize::try_from(row["step"].as_u64().unwrap()).unwrap();
        let (record, order) = (&records[step], &records[step]["decision"]["order"]);
        let price: f64 = record["observation"]["price_x64"].as_str().unwrap().parse().unwrap();
        let price = price / 2f64.powi(64) * base / quote;
        assert!((row["price_quote"].as_f64().unwrap() / price - 1.0).abs() < 1e-9, "{name}: {row}");
        if order.is_null() {
            continue;
        }
        let (given, taken) = if order["side"] == "buy" { (quote, base) } else { (base, quote) };
        near(&row["amount_in"], &order["amount_in"], given);
        if outcomes[step]["executed"] == true && !row["amount_out"].is_null() {
            near(&row["amount_out"], &outcomes[step]["amount_out"], taken);
            orders += 1;
        }
    }
    orders
}

#[test]
fn two_mandates_of_odd_pairs_run_side_by_side_and_each_is_its_own() {
    let chain = OwnClock::start();
    let (wide, narrow) = (Listing::make(&chain.rpc, WIDE), Listing::make(&chain.rpc, NARROW));
    let desk = Desk { temp: tempfile::tempdir().unwrap(), url: chain.rpc.url().to_owned() };
    let accounts = [desk.account(&chain.rpc, "first", "11", &wide), desk.account(&chain.rpc, "second", "22", &narrow)];
    let files =
        [desk.settings("wide", &wide, [1_000_000, 500_000], &accounts[0]), desk.settings("narrow", &narrow, [1_000, 500], &accounts[1])];
    let both = [files[0].as_str(), files[1].as_str()];

    // One account for two vaults is refused before anything is done.
    let twice = desk.settings("twice", &narrow, [1_000, 500], &accounts[0]);
    let (code, said) = desk.agent(&[both[0], &twice], &["--deploy"]).ends();
    assert!(code == Some(2) && said.contains("two vaults would race for its nonces"), "{said}");
    assert!(!desk.path("runs").exists(), "nothing was begun");

    let mut agent = desk.agent(&both, &["--deploy", "--serve", "127.0.0.1:0"]);
    let line = agent.says("dashboard at http://");
    let page = Rpc::at(line.split_whitespace().find(|w| w.starts_with("http://")).unwrap().trim_end_matches([',', '/']));
    let traders = [(&wide, 3_000), (&narrow, 100)].map(|(l, fee)| (l, Trader::in_listing(&chain.rpc, fee, l)));
    // About two percent of each pool.
    let amounts = [1_000_000_000u128, 10u128.pow(25)];
    for _ in 0..3 {
        agent.says("[wide] #");
        agent.says("[narrow] #");
        for ((listing, trader), amount) in traders.iter().zip(amounts) {
            trader.swap(&listing.quote, &listing.base, amount);
        }
    }
    let list = page.get("/");
    assert!(list.contains("href=\"/run/wide/\"") && list.contains("href=\"/run/narrow/\"") && list.contains("BAS/QUO"), "{list}");
    assert!(page.get("/run/wide").contains("/run/wide/") && page.get("/run/wide/").contains("src=\"dashboard.js\""));
    let metrics = page.get("/metrics");
    for name in ["wide", "narrow"] {
        assert!(metrics.contains(&format!("probity_decisions_total{{run=\"{name}\"}}")), "{metrics}");
    }

    // One is halted: the other goes on; and it goes on itself when it is let.
    let narrow_dir = desk.dir("narrow");
    let narrow_arg = narrow_dir.to_str().unwrap();
    assert!(run("probity", &["halt", "--reason", "for lunch", "--dir", narrow_arg]).status.success());
    agent.says("[narrow] halted: nothing is decided");
    let decided = inspect(&narrow_dir)["decisions"].clone();
    agent.says("[wide] #");
    agent.says("[wide] #");
    assert_eq!(inspect(&narrow_dir)["decisions"], decided, "a halted run decides nothing");
    assert!(run("probity", &["resume", "--reason", "fed", "--dir", narrow_arg]).status.success());
    agent.says("[narrow] #");
    agent.says("[wide] #");
    for (name, listing) in [("wide", &wide), ("narrow", &narrow)] {
        assert!(shown_as_they_are(&page, name, &desk.dir(name), listing) > 0, "{name}: an order was filled\n{}", agent.heard().join("\n"));
    }

    // Ctrl-C seals both.
    agent.signal("INT");
    let (code, said) = agent.ends();
    assert_eq!(code, Some(0), "{said}");
    let mut vaults = Vec::new();
    for (name, listing) in [("wide", &wide), ("narrow", &narrow)] {
        let (dir, seen) = (desk.dir(name), inspect(&desk.dir(name)));
        assert_eq!((&seen["sealed"], &seen["outcome_unknown"]), (&true.into(), &0.into()), "{name}: {seen}");
        vaults.push(seen["vault"].clone());
        let log = dir.join("decisions.jsonl");
        let header: Value = serde_json::from_str(std::fs::read_to_string(&log).unwrap().lines().next().unwrap()).unwrap();
        assert_eq!(header["mandate"]["pool"], listing.pool.as_str(), "{name}");
        let out = run("probity", &["--json", "audit", "--log", log.to_str().unwrap(), "--rpc", chain.rpc.url()]);
        let report = &json(&out)["result"];
        assert_eq!((out.status.code(), codes(report)), (Some(0), vec![]), "{name}: {report}");
        assert_eq!(
            (&report["coverage"]["proven"], &report["chain"]["decisions"]),
            (&seen["decisions"], &seen["decisions"]),
            "{name}: {report}"
        );
        assert!(report["chain"]["filled"].as_u64().unwrap() > 0, "{name}: {report}");
    }
    assert_ne!(vaults[0], vaults[1]);

    // What fails is told and stops no other: one is sealed already, the other's pair is beyond what the engine can tell, a third goes on.
    let far = Listing::make(&chain.rpc, Wanted { decimals: (0, 27), base_is_token1: true, tier: (3_000, 60), price: 2_000.0, depth: 1e9 });
    let (far, third) = (desk.settings("far", &far, [2_000, 500], ""), desk.settings("third", &wide, [1_000_000, 500_000], ""));
    let mut agent = desk.agent(&[both[0], &far, &third], &["--paper"]);
    let line = agent.says("[far] error: ");
    assert!(
        line.contains("chain.pool") && line.contains("BAS has 27 decimals and QUO 0") && line.contains("the other runs go on"),
        "{line}"
    );
    agent.says("[third] PAPER #0");
    agent.signal("TERM");
    let (code, said) = agent.ends();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("[wide] error: ") && said.contains("this run is sealed"), "{said}");
    assert_eq!(inspect(&desk.dir("third"))["sealed"], false);
}
