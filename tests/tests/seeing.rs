//! A real run on a development chain, seen: dashboard in a headless browser, its guards, its metrics; and its folder afterwards.
//!
//! The browser's part skips loudly where Chromium or Node.js is missing.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and says loudly that it skips")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts probity and returns it with the address of its dashboard; what else it says is read away.
fn start(args: &[&str]) -> (Running, String) {
    let mut command = Command::new(probity_tests::binary("probity").unwrap());
    command.args(args).env("PROBITY__MANDATE__WARMUP_STEPS", "1").env("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1");
    command.env("PROBITY__POSTING__EVERY_DECISIONS", "8");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|l| l.split("http://").nth(1).and_then(|rest| rest.split('/').next()).map(str::to_owned)).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (Running(child), address)
}

/// One answer, headers included.
fn get(address: &str, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn found(names: &[&str]) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).flat_map(|dir| names.iter().map(move |n| dir.join(n))).find(|p| p.is_file())
}

/// What the page showed once it had so many decisions.
fn driven(address: &str, decided: u32) -> Option<Value> {
    let (Some(chromium), Some(node)) = (found(&["chromium", "chromium-browser", "google-chrome"]), found(&["node"])) else {
        eprintln!("SKIPPED: no Chromium or no Node.js on PATH, the dashboard was not looked at");
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let plan = dir.path().join("plan.json");
    let shots = [(1360, 900, false), (1360, 900, true), (390, 844, false), (390, 844, true)];
    let shots: Vec<_> = shots.iter().map(|(width, height, dark)| json!({ "width": width, "height": height, "dark": dark })).collect();
    std::fs::write(&plan, json!({ "decided": decided, "shots": shots }).to_string()).unwrap();
    let url = format!("http://{address}/");
    let drive = probity_tests::root().join("tests/see/drive.mjs");
    let out = Command::new(node).arg(drive).arg(chromium).arg(url).arg(&plan).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

fn view(address: &str) -> Value {
    let answer = get(address, "/api/view", address);
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap()
}

/// The names in an exposition, and how often each has a sample.
fn metric_names(exposition: &str) -> Vec<&str> {
    exposition.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).filter_map(|l| l.split(['{', ' ']).next()).collect()
}

/// Words of a text that are names of this program's metrics.
fn used(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("probity_")).collect()
}

fn check_metrics(address: &str) {
    let answer = get(address, "/metrics", address);
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(body.ends_with("# EOF\n"), "{body}");
    let names = metric_names(body);
    for line in body.lines().filter(|l| !l.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
    }
    let operators = probity_tests::root().join("docs/operators");
    let mut count = 0;
    for file in ["grafana.json", "alerts.yaml"] {
        let text = std::fs::read_to_string(operators.join(file)).unwrap();
        for name in used(&text) {
            assert!(names.contains(&name), "{file} uses {name}, which /metrics does not have: {names:?}");
            count += 1;
        }
    }
    assert!(count > 10, "dashboard and alerts use metrics");
    let documented = std::fs::read_to_string(operators.join("seeing.md")).unwrap();
    for name in &names {
        assert!(documented.contains(&format!("`{name}`")), "docs/operators/seeing.md does not say what {name} is");
    }
}

fn check_guards(address: &str, dir: &Path) {
    let port = address.rsplit(':').next().unwrap();
    for host in ["evil.example", "127.0.0.1.evil.example", "8.8.8.8", "", "localhost.", "[::1"] {
        assert!(get(address, "/api/view", host).starts_with("HTTP/1.1 4"), "Host: {host} is refused");
    }
    for host in [address.to_owned(), format!("localhost:{port}"), format!("[::1]:{port}")] {
        let answer = get(address, "/", &host);
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{answer}");
    }
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST /api/view HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 405"), "nothing can be written: {text}");
    // Neither key nor weights are anywhere in what is served.
    let key = std::fs::read_to_string(dir.join("operator.key")).unwrap();
    let all = get(address, "/api/view", address) + &get(address, "/metrics", address);
    assert!(!all.contains(key.trim()) && !all.contains("\"weights\""), "{all}");
}

#[test]
fn a_run_is_seen_while_it_goes_and_afterwards() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let dir_arg = dir.to_str().unwrap();
    // More decisions than the test waits for: the run still goes on while it is looked at.
    let args = ["run", "--dir", dir_arg, "--decisions", "400", "--posting", "every", "--serve", "127.0.0.1:0"];
    let (run, address) = start(&args);
    let page = driven(&address, 12);
    while view(&address)["figures"]["posted"].as_u64() < Some(8) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let live = view(&address);
    assert_eq!((&live["health"]["state"], &live["about"]["simulated"]), (&json!("active"), &json!(true)), "{}", live["health"]);
    check_metrics(&address);
    check_guards(&address, &dir);
    if let Some(page) = page {
        assert_eq!((&page["problems"], &page["focused"]), (&json!([]), &json!("Skip to the decisions")), "{page:#}");
        let foreign = page["asked"].as_array().unwrap().iter().any(|u| !u.as_str().unwrap().starts_with(&format!("http://{address}/")));
        assert!(!foreign, "{}", page["asked"]);
        let shots = page["shots"].as_array().unwrap();
        assert_ne!(shots[0]["ground"], shots[1]["ground"], "light and dark differ");
        for shot in shots {
            assert_eq!((&shot["unnamed"], &shot["wide"]), (&json!([]), &json!(false)), "{shot:#}");
            assert_eq!(shot["drawings"].as_array().unwrap().len(), 2);
            for words in [
                "Portfolio",
                "Proof backlog",
                "Mandate",
                "Commitment",
                "simulated market",
                "WETH",
                live["about"]["model_commitment"].as_str().unwrap(),
            ] {
                assert!(shot["text"].as_str().unwrap().contains(words), "{words}: {}", shot["text"]);
            }
            // The table's newest rows, against the journal's own word (the hash in full).
            assert!(shot["rows"].as_array().unwrap().len() >= 12);
            let known = probity_tests::json(&probity_tests::run("probity", &["--json", "inspect", dir_arg]));
            assert!(known["result"]["decisions"].as_u64().unwrap() >= 12);
            for hash in shot["hashes"].as_array().unwrap() {
                assert_eq!(hash.as_str().unwrap().len(), 66, "{hash}");
            }
        }
    }
    drop(run);

    // Its folder, after it was killed.
    let (_serving, address) = start(&["serve", "--dir", dir_arg, "--listen", "127.0.0.1:0"]);
    let after = view(&address);
    assert!(after["figures"]["decided"].as_u64() >= live["figures"]["decided"].as_u64());
    assert_eq!(after["about"]["model_commitment"], live["about"]["model_commitment"]);
    assert_eq!((&after["health"]["state"], &after["points"][0]), (&json!("ended"), &live["points"][0]));
    let stopped = probity_tests::run("probity", &["chain", "stop", "--dir", dir_arg]);
    assert!(stopped.status.success());
}

#[test]
fn an_address_of_others_needs_a_flag() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let out = probity_tests::run("probity", &["run", "--dir", dir.to_str().unwrap(), "--decisions", "1", "--serve", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--serve 0.0.0.0:0: expected an address of this machine only") && said.contains("--serve-beyond-loopback"),
        "{said}"
    );
}

/// A listener that answers each request with the next status, and keeps path and body.
fn listener(statuses: &'static [u16]) -> (String, std::sync::mpsc::Receiver<(String, Value)>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let (mut path, mut length) = (String::new(), 0);
            for line in reader.by_ref().lines().map_while(Result::ok).take_while(|l| !l.is_empty()) {
                if path.is_empty() {
                    path = line.split(' ').nth(1).unwrap().to_owned();
                } else if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            drop(send.send((path, serde_json::from_slice(&body).unwrap())));
            let status = statuses.next().unwrap_or(&200);
            write!(reader.into_inner(), "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (url, received)
}

#[test]
fn a_fault_reaches_webhook_and_collector_and_no_secret_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    // The first post is answered with an error and made again.
    let (hook, posts) = listener(&[503]);
    let (collector, exports) = listener(&[]);
    let url = format!("{hook}/services/S3CRET");
    let key = "11".repeat(32);
    let env = [
        ("PROBITY__ALERTS__WEBHOOK_URL", url.as_str()),
        ("PROBITY__TELEMETRY__OTLP_ENDPOINT", collector.as_str()),
        ("PROBITY_OPERATOR_KEY", key.as_str()),
        ("PROBITY_LOG", "debug"),
    ];
    // Nobody listens at this node.
    let out = probity_tests::run_with("probity", &["run", "--dir", dir.to_str().unwrap(), "--rpc", "http://127.0.0.1:1"], &env);
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(!said.contains("S3CRET") && !said.contains(&key), "{said}");
    let all: Vec<_> = posts.try_iter().collect();
    assert_eq!(all.len(), 2, "one alert, posted again after an error: {all:?}");
    assert_eq!(all[0], all[1]);
    assert_eq!((&all[1].0, &all[1].1["event"], &all[1].1["version"]), (&"/services/S3CRET".into(), &json!("fault"), &json!(1)));
    assert!(all[1].1["text"].as_str().unwrap().starts_with("probity: the run ended with an error"), "{all:?}");
    let (path, export) = exports.try_iter().last().unwrap();
    assert_eq!(path, "/v1/metrics");
    let metrics = export["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let of = |name: &str| metrics.iter().find(|m| m["name"] == name).unwrap();
    assert_eq!(of("probity_fault")["gauge"]["dataPoints"][0]["asDouble"], 1.0);
    assert_eq!(of("probity_decisions")["sum"]["dataPoints"][0]["asInt"], "0");
    // A secret that cannot be a URL is not said either.
    let out = probity_tests::run_with("probity", &["run", "--dir", dir.to_str().unwrap()], &[("PROBITY__ALERTS__WEBHOOK_URL", "S3CRET")]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        out.status.code() == Some(2) && said.contains("alerts.webhook_url: expected an http or https URL") && !said.contains("S3CRET"),
        "{said}"
    );
}
