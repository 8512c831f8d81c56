//! Answers in a registry of agents through the binary: an honest one, lies with a score of 100, and what is refused. The registries are
//! this project's own, on a run's development chains.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_chain::{Answer, Identities, Sender, Validations, keccak};
use probity_tests::{Rpc, fork_url, json, run_with};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Output;

const VALIDATOR: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const OTHER: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const TAG: &str = "probity-attestation.1";

/// A finished run, with registries on its chains and an agent of its operator's.
struct World {
    _temp: tempfile::TempDir,
    dir: PathBuf,
    url: String,
    registry: String,
    runtime: tokio::runtime::Runtime,
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// The result of a command that succeeds.
fn done(out: &Output) -> Value {
    assert_eq!(out.status.code(), Some(0), "{}\n{}", said(out), String::from_utf8_lossy(&out.stdout));
    json(out)["result"].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(hex: &str) -> [u8; 32] {
    let digits = hex.trim_start_matches("0x");
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
}

fn probity(args: &[&str], key: Option<&str>) -> Output {
    let mut all = vec!["--json", "attest"];
    all.extend(args);
    let env: Vec<(&str, &str)> = key.map(|key| ("PROBITY_OPERATOR_KEY", key)).into_iter().collect();
    run_with("probity", &all, &env)
}

impl World {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("run");
        let dir_arg = dir.to_str().unwrap();
        let env = [("PROBITY__MANDATE__WARMUP_STEPS", "1"), ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1")];
        let args = ["--json", "run", "--dir", dir_arg, "--decisions", "4", "--posting", "every", "--keep-chain"];
        done(&run_with("probity", &args, &env));
        let url = fork_url(&dir);
        let registries = done(&probity(&["registries", "--dir", dir_arg], None));
        let registry = text(&registries["validation_registry"]).to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = Self { dir, url, registry, runtime, _temp: temp };
        let agent = done(&probity(&["register", "--dir", world.dir(), "--registry", &world.registry, "--uri", "ipfs://agent"], None));
        assert_eq!(agent["agent_id"], "0");
        world
    }

    fn dir(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// An account with ether.
    fn account(&self, key: &str) -> Sender {
        let sender = self.runtime.block_on(Sender::new(&self.url, key, 1, 20)).unwrap();
        Rpc::at(&self.url).call("anvil_setBalance", &json!([format!("{:?}", sender.address()), "0x3635c9adc5dea00000"]));
        sender
    }

    fn validations(&self) -> Validations {
        Validations::at(&self.url, self.registry.parse().unwrap()).unwrap()
    }

    /// The run's operator asks; the hash.
    fn ask(&self, validator: &Sender) -> String {
        let validator = format!("{:?}", validator.address());
        let args = ["request", "--dir", self.dir(), "--registry", &self.registry, "--agent-id", "0", "--validator", &validator];
        let asked = done(&probity(&args, None));
        let hash = text(&asked["request_hash"]).to_owned();
        assert_eq!(bytes(&hash), keccak(&std::fs::read(text(&asked["request"])).unwrap()));
        hash
    }

    fn respond(&self, hash: &str, agent: &str, key: &str, log: &str, more: &[&str]) -> Output {
        let proof = self.file("proof.bin");
        let mut args = vec!["respond", "--registry", &self.registry, "--rpc", &self.url, "--request", hash, "--agent-id", agent];
        args.extend(["--log", log, "--proof", &proof, "--uri", "https://validator.example/a.json"]);
        args.extend(more);
        probity(&args, Some(key))
    }

    /// Exit code, result and the names of the fields that differ.
    fn check(&self, hash: &str, document: &Path, log: &str, more: &[&str]) -> (Option<i32>, Value, Vec<String>) {
        let proof = self.file("proof.bin");
        let mut args = vec!["check", "--registry", &self.registry, "--rpc", &self.url, "--request", hash];
        args.extend(["--document", document.to_str().unwrap(), "--log", log, "--proof", &proof]);
        args.extend(more);
        let out = probity(&args, None);
        assert!(!out.stdout.is_empty(), "{}", said(&out));
        let result = json(&out)["result"].clone();
        let fields = result["mismatches"].as_array().unwrap().iter().map(|m| text(&m["field"]).to_owned()).collect();
        (out.status.code(), result, fields)
    }

    /// Answers with any document and score.
    fn post(&self, sender: &Sender, hash: &str, score: u8, document: &[u8]) -> Answer {
        self.runtime.block_on(self.validations().answer(sender, bytes(hash), score, "", keccak(document), TAG)).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(run_with("probity", &["chain", "stop", "--dir", self.dir()], &[]));
    }
}

/// The document with one value changed, in the form that its author would write.
fn lie(honest: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(honest.contains(from), "{from} is not in {honest}");
    honest.replacen(from, to, 1).into_bytes()
}

#[test]
fn an_answer_is_believed_for_what_its_reader_verifies_and_for_nothing_else() {
    let world = World::new();
    let (validator, other) = (world.account(VALIDATOR), world.account(OTHER));
    let log = world.file("decisions.jsonl");
    let hash = world.ask(&validator);

    // A log that does not hold, an account that was not asked, an agent that it is not about: nothing is sent.
    let forged = world.dir.join("forged.jsonl");
    std::fs::write(&forged, std::fs::read_to_string(&log).unwrap().replacen("\"mean_tick\":", "\"mean_tick\":1", 1)).unwrap();
    let forged = forged.to_str().unwrap();
    let refused = world.respond(&hash, "0", VALIDATOR, forged, &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("nothing was sent"), "{}", said(&refused));
    let refused = world.respond(&hash, "0", OTHER, &log, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains(&format!("the request is to the validator {:?}", validator.address())), "{}", said(&refused));
    let refused = world.respond(&hash, "5", VALIDATOR, &log, &[]);
    assert!(said(&refused).contains("--agent-id: the request is about agent 0, got 5"), "{}", said(&refused));
    let (code, early, _) = world.check(&hash, Path::new(&log), &log, &[]);
    assert_eq!(code, Some(2), "no answer is no verdict: {early}");
    assert!(text(&early["open"][0]).contains("no answer"), "{early}");

    // An honest answer.
    let answered = done(&world.respond(&hash, "0", VALIDATOR, &log, &[]));
    let document = PathBuf::from(text(&answered["document"]));
    let honest = std::fs::read_to_string(&document).unwrap();
    assert_eq!((&answered["response"], &answered["sent_before"]), (&json!(100), &json!(false)));
    assert_eq!(bytes(text(&answered["response_hash"])), keccak(honest.as_bytes()));
    let (code, good, _) = world.check(&hash, &document, &log, &["--validator", &format!("{:?}", validator.address())]);
    assert_eq!((code, &good["verdict"], &good["score"]), (Some(0), &json!("accepted"), &json!(100)), "{good}");
    assert_eq!((&good["statement"]["decisions"], &good["uri"]), (&json!(4), &json!("https://validator.example/a.json")), "{good}");
    let kept: Value = serde_json::from_str(&honest).unwrap();
    assert_eq!(kept["statement"], good["statement"]);
    assert!(kept["proof"]["posted"]["tx_hash"].is_string(), "{kept}");
    as_the_golden_one(&honest, &kept);
    assert_eq!(done(&world.respond(&hash, "0", VALIDATOR, &log, &[]))["sent_before"], true);
    assert_eq!(world.runtime.block_on(world.validations().answers(bytes(&hash), 0)).unwrap().len(), 1);

    // Another validator than the wanted one; another log; a document altered after it was posted.
    let (code, _, fields) = world.check(&hash, &document, &log, &["--validator", &format!("{:?}", other.address())]);
    assert_eq!((code, fields), (Some(1), vec!["validator".to_owned()]));
    let (code, _, fields) = world.check(&hash, &document, forged, &[]);
    assert_eq!((code, fields.contains(&"audit".to_owned())), (Some(1), true), "{fields:?}");
    let altered = world.dir.join("altered.json");
    std::fs::write(&altered, lie(&honest, "without exception", "with few exceptions")).unwrap();
    let (code, _, fields) = world.check(&hash, &altered, &log, &[]);
    assert_eq!((code, fields), (Some(1), vec!["response_hash".to_owned(), "document/statement/shows/0".to_owned()]));

    lies(&world, &validator, &hash, &honest, &kept);
    strangers(&world, &validator, &other, &honest);
}

/// The document has the fields of the golden file, which the schema is held against.
fn as_the_golden_one(honest: &str, kept: &Value) {
    let path = probity_tests::root().join("docs/formats/golden/attestation.json");
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::write(&path, honest).unwrap();
    }
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(fields(kept), fields(&golden));
}

/// The fields of an object and of those in it, in their order, without their values.
fn fields(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), fields(value))).collect(),
        _ => Value::Null,
    }
}

/// Documents that lie, posted with a score of 100 and their true digest; and an honest one with a score of 0.
fn lies(world: &World, validator: &Sender, hash: &str, honest: &str, kept: &Value) {
    let log = world.file("decisions.jsonl");
    let path = world.dir.join("lie.json");
    let statement = |to: &str| {
        format!("\"statement\":{}", honest.split("\"statement\":").nth(1).unwrap().split(",\"statement_keccak256\"").next().unwrap())
            .replacen("\"decisions\":4", to, 1)
    };
    let more = statement("\"decisions\":400");
    let digest = keccak(more.trim_start_matches("\"statement\":").as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let longer = honest.replacen(&statement("\"decisions\":4"), &more, 1);
    let longer = lie(&longer, text(&kept["statement_keccak256"]), &format!("0x{digest}"));
    let posted = text(&kept["proof"]["posted"]["tx_hash"]);
    let zeros = format!("0x{}", "0".repeat(64));
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (longer, &["document/statement/decisions", "document/statement_keccak256"]),
        (lie(honest, posted, &zeros), &["document/proof/posted"]),
        (lie(honest, "\"version\":1,", "\"version\": 1,"), &["document"]),
    ];
    for (document, expected) in cases {
        let answer = world.post(validator, hash, 100, &document);
        std::fs::write(&path, &document).unwrap();
        let (code, result, fields) = world.check(hash, &path, &log, &[]);
        assert_eq!((code, &result["verdict"], &result["score"]), (Some(1), &json!("rejected"), &json!(100)), "{result}");
        assert_eq!(fields, expected, "{result}");
        assert_eq!(bytes(text(&result["response_hash"])), answer.hash);
    }

    // Other words by another version: neither believed nor called a lie.
    let worded =
        lie(&String::from_utf8(lie(honest, "\"program_version\":\"", "\"program_version\":\"9")).unwrap(), "halts included", "halts too");
    world.post(validator, hash, 100, &worded);
    std::fs::write(&path, &worded).unwrap();
    let (code, result, _) = world.check(hash, &path, &log, &[]);
    assert_eq!((code, &result["verdict"]), (Some(2), &json!("undecided")), "{result}");

    // The score decides nothing, in either direction.
    world.post(validator, hash, 0, honest.as_bytes());
    std::fs::write(&path, honest).unwrap();
    let (code, result, _) = world.check(hash, &path, &log, &[]);
    assert_eq!((code, &result["score"]), (Some(0), &json!(0)), "{result}");
    assert!(result["notes"].to_string().contains("its score is 0"), "{result}");
}

/// A document that another validator copies, and an agent of a stranger's that answers with this vault's record.
fn strangers(world: &World, validator: &Sender, other: &Sender, honest: &str) {
    let log = world.file("decisions.jsonl");
    let path = world.dir.join("copied.json");
    std::fs::write(&path, honest).unwrap();
    let second = world.ask(other);
    world.post(other, &second, 100, honest.as_bytes());
    let (code, result, fields) = world.check(&second, &path, &log, &[]);
    assert_eq!((code, fields), (Some(1), vec!["document/request_hash".to_owned(), "document/validator".to_owned()]), "{result}");
    assert_eq!(text(&result["validator"]), format!("{:?}", other.address()));

    let hash = keccak(b"whatever a stranger asks for");
    let agent = world.runtime.block_on(async {
        let identities: Identities = world.validations().identities().await.unwrap();
        let agent = identities.register(validator, "").await.unwrap();
        world.validations().ask(validator, validator.address(), agent, "", hash).await.unwrap();
        agent.to_string()
    });
    let hash = format!("0x{}", hash.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let refused = world.respond(&hash, &agent, VALIDATOR, &log, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains(&format!("agent {agent}: expected the vault's operator")), "{}", said(&refused));
    let document = done(&world.respond(&hash, &agent, VALIDATOR, &log, &["--other-operator"]))["document"].clone();
    let document = Path::new(text(&document));
    let (code, result, fields) = world.check(&hash, document, &log, &[]);
    assert_eq!((code, fields), (Some(1), vec!["agent".to_owned()]), "{result}");
    let (code, result, _) = world.check(&hash, document, &log, &["--other-operator"]);
    assert_eq!(code, Some(0), "{result}");
    let notes = result["notes"].to_string();
    assert!(notes.contains("is not the vault's operator") && notes.contains("own owner or wallet"), "{notes}");
}
