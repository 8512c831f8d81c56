//! Parameter files through the binaries: checked, fetched by digest from a server that misbehaves, and insecure ones refused unless
//! named, and then named in every report.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../prover/verifier/tests/ptau/mod.rs"]
mod writer;

use probity_tests::{json, run, run_with};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use writer::Ptau;

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the server does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// Serves what is asked for, ranges too.
    Good,
    /// Hangs up after so many bytes of the whole file; knows no ranges.
    HangsUpAt(usize),
}

/// Serves bytes on a port of its own, one manner after the other; keeps the ranges it was asked for.
fn serve(bytes: &[u8], manners: &[Manners]) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/powers.ptau?key=secret", listener.local_addr().unwrap());
    let (bytes, manners, asked) = (bytes.to_vec(), manners.to_vec(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&asked);
    std::thread::spawn(move || {
        for manner in manners {
            let (mut stream, _) = listener.accept().unwrap();
            let mut from = None;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap().to_lowercase();
                if let Some(range) = line.strip_prefix("range: bytes=") {
                    from = Some(range.trim_end_matches('-').parse::<usize>().unwrap());
                }
                if line.is_empty() {
                    break;
                }
            }
            kept.lock().unwrap().push(from);
            let (total, start) = (bytes.len(), from.filter(|_| manner == Manners::Good).unwrap_or(0));
            let head = match (manner, from) {
                (Manners::Good, Some(from)) if from >= total => {
                    "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n".to_owned()
                }
                (Manners::Good, Some(from)) => format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\nContent-Length: {}\r\n\r\n",
                    total - 1,
                    total - from
                ),
                _ => format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n"),
            };
            let end = if let Manners::HangsUpAt(end) = manner { end } else { total };
            let body = bytes.get(start..end).unwrap_or_default();
            // A client that has seen enough hangs up first.
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)));
        }
    });
    (url, asked)
}

fn digest(file: &Path) -> String {
    let out = run("probity", &["--json", "params", "check", text(file)]);
    json(&out)["result"]["blake2b"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_is_fetched_by_its_digest_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let bytes = Ptau::of(5, 12).bytes();
    std::fs::write(path("own.ptau"), &bytes).unwrap();
    let blake2b = digest(&path("own.ptau"));
    let out = path("fetched.ptau");
    let fetch =
        |url: &str, more: &[&str]| run("probity", &[&["--json", "params", "fetch", "--url", url, "--out", text(&out)], more].concat());
    let part = path(&format!("fetched.ptau.{}.part", &blake2b[..16]));

    // A server that goes away for good: the part stays, and the error says so without the URL's secret.
    let (url, _) = serve(&bytes, &[Manners::HangsUpAt(100_000)]);
    let refused = fetch(&url, &["--digest", &blake2b]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("100000 bytes are kept in") && !said(&refused).contains("secret"), "{}", said(&refused));
    assert_eq!(std::fs::read(&part).unwrap(), bytes[..100_000]);
    assert!(!out.exists());

    // The next call goes on, first at a server without ranges that hangs up once more, earlier and then later, in one call.
    let (url, asked) = serve(&bytes, &[Manners::HangsUpAt(50_000), Manners::HangsUpAt(150_000), Manners::Good]);
    let fetched = fetch(&url, &["--digest", &blake2b]);
    assert_eq!(fetched.status.code(), Some(0), "{}", said(&fetched));
    assert_eq!(*asked.lock().unwrap(), [Some(100_000), Some(100_000), Some(150_000)]);
    let result = &json(&fetched)["result"];
    assert_eq!(
        (&result["blake2b"], &result["resumed_from"], &result["pinned_power"]),
        (&blake2b.clone().into(), &100_000.into(), &().into())
    );
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
    assert!(!part.exists());
    let again = fetch(&url, &["--digest", &blake2b]);
    assert!(said(&again).contains("never overwritten"), "{}", said(&again));
    std::fs::remove_file(&out).unwrap();

    // Complete already: only the digest is left to compare.
    std::fs::write(&part, &bytes).unwrap();
    let (url, _) = serve(&bytes, &[Manners::Good]);
    assert_eq!(fetch(&url, &["--digest", &blake2b]).status.code(), Some(0));
    std::fs::remove_file(&out).unwrap();

    // Not the pinned file, or not the one vouched for: set aside, never in place.
    let (url, _) = serve(&bytes, &[Manners::Good]);
    let refused = fetch(&url, &["--power", "8"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains(&format!("got {blake2b}")), "{}", said(&refused));
    assert!(!out.exists() && path("fetched.ptau.refused").exists());
    // Larger than it may be: refused by what the server says of it.
    let (url, _) = serve(&bytes, &[Manners::Good]);
    let refused = fetch(&url, &["--digest", &blake2b, "--max-bytes", "1000"]);
    assert!(said(&refused).contains("expected at most 1000 bytes"), "{}", said(&refused));
    assert!(!out.exists());
    for (bad, why) in [
        (vec!["--url", "file:///etc/passwd", "--power", "8"], "expected http"),
        (vec!["--url", &url, "--digest", "12"], "128 hex digits"),
        (vec!["--url", &url], "--power"),
    ] {
        let refused = run("probity", &[&["params", "fetch", "--out", text(&out)], bad.as_slice()].concat());
        assert!(refused.status.code() == Some(2) && said(&refused).contains(why), "{}", said(&refused));
    }
}

/// A model that is proven quickly.
fn small_model(dir: &Path) -> String {
    let model = serde_json::json!({ "version": 1, "shape": { "dims": [16, 1, 3], "shifts": [7] }, "model": {
        "scales": vec![4_096; 16], "weights": vec![9; 19], "biases": vec![0; 4],
        "policy": { "gain": 9_000, "band_gain": 10, "band_bps": 20, "max_step_bps": 2_000, "cooldown_steps": 0 } } });
    let path = dir.join("small.json");
    std::fs::write(&path, model.to_string()).unwrap();
    text(&path).to_owned()
}

#[test]
fn insecure_parameters_are_refused_unless_named_and_named_in_every_report() {
    const NAME: &str = "tau in the test's source";
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let model = small_model(dir.path());
    let (ptau, tiny, bent) = (path("known.ptau"), path("tiny.ptau"), path("bent.ptau"));
    std::fs::write(&tiny, Ptau::of(5, 4).bytes()).unwrap();
    let check = |file: &Path, env: &[(&str, &str)]| {
        let out = run_with("probity", &["--json", "params", "check", text(file), "--model", &model, "--decisions-per-fold", "1"], env);
        (out.status.code(), json(&out)["result"].clone())
    };
    let (code, small) = check(&tiny, &[]);
    assert_eq!(
        (code, &small["large_enough"], &small["powers"], &small["fault"]),
        (Some(1), &false.into(), &16.into(), &().into()),
        "{small}"
    );
    let power = u32::try_from(small["needed"]["power"].as_u64().unwrap()).unwrap();
    let mut powers = Ptau::of(5, power);
    std::fs::write(&ptau, powers.bytes()).unwrap();
    powers.g1.swap(2, 3);
    std::fs::write(&bent, powers.bytes()).unwrap();
    let (code, bad) = check(&bent, &[("PROBITY__PROOF__INSECURE_PARAMS", NAME)]);
    assert_eq!((code, &bad["serves"]), (Some(1), &false.into()));
    assert!(bad["fault"].as_str().unwrap().starts_with("tau G1: expected consecutive powers"), "{bad}");

    // A sound file, large enough: nobody believes it until it is named.
    let (code, good) = check(&ptau, &[]);
    assert_eq!((code, &good["large_enough"], &good["origin"], &good["pinned"]), (Some(1), &true.into(), &().into(), &().into()), "{good}");
    let (code, good) = check(&ptau, &[("PROBITY__PROOF__INSECURE_PARAMS", NAME)]);
    let origin = serde_json::json!({ "kind": "insecure", "name": NAME, "blake2b": good["blake2b"] });
    assert_eq!((code, &good["origin"]), (Some(0), &origin), "{good}");

    let mut series = String::from("ts_ms,open,high,low,close,volume\n");
    for (k, price) in [2_000, 2_020, 1_990].iter().enumerate() {
        writeln!(series, "{},{price},{price},{price},{price},1", 1_699_999_200_000u64 + u64::try_from(k).unwrap() * 3_600_000).unwrap();
    }
    std::fs::write(path("series.csv"), series).unwrap();
    let (cache, trials) = (path("cache"), path("trials.jsonl"));
    let settings = [
        ("PROBITY__MANDATE__PROOF_ENGINE", "pairing"),
        ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1"),
        ("PROBITY__PROOF__PTAU_FILE", text(&ptau)),
        ("PROBITY__PROOF__CACHE_DIR", text(&cache)),
        ("PROBITY__TRIALS__PATH", text(&trials)),
    ];
    let named = [settings.as_slice(), &[("PROBITY__PROOF__INSECURE_PARAMS", NAME)]].concat();
    let (data, proven, sheet) = (path("series.csv"), path("proven"), path("sheet"));
    let prove = |env: &[(&str, &str)]| {
        let args = ["--json", "backtest", "--data", text(&data), "--model", &model, "--prove", text(&proven), "--out", text(&sheet)];
        run_with("probity", &args, env)
    };
    let refused = prove(&settings);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("name the parameters insecure"), "{}", said(&refused));
    let out = prove(&named);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert!(said(&out).contains("insecure parameters"), "the prover warns: {}", said(&out));

    // The report carries the statement, and the proof that the audits below accept.
    let (log, proof) = (sheet.join("decisions.jsonl"), sheet.join("proof.bin"));
    assert_eq!(std::fs::read(&proof).unwrap(), std::fs::read(proven.join("proof.bin")).unwrap());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(sheet.join("report.json")).unwrap()).unwrap();
    let statement = &report["proved"]["statement"];
    assert_eq!((&statement["decisions"], &json(&out)["result"]["proved"]["statement"]), (&3.into(), statement));
    let page = std::fs::read_to_string(sheet.join("report.html")).unwrap();
    for part in ["What is proven", "What the proof does not show", statement["model_commitment"].as_str().unwrap()] {
        assert!(page.contains(part), "{part}");
    }
    let files = ["--json", "audit", "--log", text(&log), "--proof", text(&proof)];
    let undecided = run_with("probity", &files, &settings);
    assert_eq!(undecided.status.code(), Some(2), "{}", String::from_utf8_lossy(&undecided.stdout));
    let audited = run_with("probity", &files, &named);
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let verify = ["--json", "--log", text(&log), "--proof", text(&proof), "--ptau", text(&ptau)];
    assert_eq!(run("probity-verify", &verify).status.code(), Some(2));
    let verified = run("probity-verify", &[verify.as_slice(), &["--insecure-ptau", NAME]].concat());
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    for report in [json(&audited)["result"].clone(), json(&verified)] {
        assert_eq!((&report["verdict"], &report["parameters"]), (&"accepted".into(), &origin), "{report}");
        assert_eq!(report["statement"]["shows"], statement["shows"]);
        assert!(report["statement"]["does_not_show"].to_string().contains(NAME), "{report}");
    }
}

#[test]
fn layouts_are_counted_and_the_cheapest_within_a_latency_is_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let model = small_model(dir.path());
    let layout = |more: &[&str]| run("probity", &[&["--json", "layout", "--model", &model, "--interval", "100"], more].concat());
    let out = layout(&["--max-latency", "1000", "--engine", "pairing"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let table = &json(&out)["result"];
    let rows = table["layouts"].as_array().unwrap();
    let b: Vec<u64> = rows.iter().map(|r| r["decisions_per_fold"].as_u64().unwrap()).collect();
    assert_eq!(b, [1, 2, 4, 8, 16, 32, 64]);
    // Fifteen intervals of 100 s are too long; of the others the largest fold is the cheapest.
    assert_eq!(table["cheapest"], 8, "{table}");
    let counts: Vec<u64> = rows.iter().map(|r| r["constraints"].as_u64().unwrap()).collect();
    assert!(counts.windows(2).all(|w| w[0] < w[1]), "{counts:?}");
    // The same circuit as the one `params check` counts.
    let ptau = dir.path().join("tiny.ptau");
    std::fs::write(&ptau, Ptau::of(5, 4).bytes()).unwrap();
    let check = run("probity", &["--json", "params", "check", text(&ptau), "--model", &model, "--decisions-per-fold", "1"]);
    assert_eq!(json(&check)["result"]["needed"]["constraints"], counts[0]);
    let none = layout(&["--max-latency", "0"]);
    assert_eq!((none.status.code(), &json(&none)["result"]["cheapest"]), (Some(1), &().into()));
}
