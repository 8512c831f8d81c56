//! The formats of a model with a memory: its shape in the mandate, its log and its opening, read by the audit and by `check.py`.

use crate::{audited_with, folder, golden, mandate, run_of, schema};
use probity_strategy::{Mandate, Model, ModelShape, PolicyParams, Recurrent};
use probity_verifier::{Code, Entry, Header, Reveal, Salt, Severity, commit_model, next_head};
use std::fmt::Write;
use std::process::Command;

fn agent() -> (Mandate, Model) {
    let recurrent = Some(Recurrent { units: 2, gate_shift: 7, candidate_shift: 6 });
    let shape = ModelShape { dims: vec![18, 3], shifts: vec![], recurrent };
    let weights = (0..shape.weights()).map(|i| i8::try_from((i * 37) % 200).unwrap_or(-90)).collect();
    let policy = PolicyParams { gain: 900, band_gain: 0, band_bps: 20, max_step_bps: 5_000, cooldown_steps: 0 };
    let model = Model { scales: [4_096; 16], weights, biases: vec![-64, 900, 70, -7, -9_000, 0, 30_000], policy };
    (Mandate { model: shape, ..mandate() }, model)
}

fn log(mandate: &Mandate, reveal: &Reveal, count: u32) -> String {
    let header = Header::new(mandate.clone(), commit_model(&mandate.model, &reveal.model, &reveal.salt));
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    let mut head = header.genesis_head;
    for record in run_of(mandate, &reveal.model, count) {
        head = next_head(&head, &record);
        writeln!(text, "{}", serde_json::to_string(&Entry { record, head }).unwrap()).unwrap();
    }
    text
}

#[test]
fn a_model_with_a_memory_has_its_place_in_every_format() {
    let (mandate, model) = agent();
    let file = format!(
        "{{\"version\":1,\"shape\":{},\"model\":{}}}\n",
        serde_json::to_string(&mandate.model).unwrap(),
        serde_json::to_string(&model).unwrap()
    );
    golden("model-recurrent.json", &file);
    let reveal = Reveal { model, salt: Salt::new([7; 32]), then: None };
    let text = log(&mandate, &reveal, 6);
    assert!(text.lines().any(|l| l.contains("\"buy\"") || l.contains("\"sell\"")), "the example shows little");
    schema::takes("log.schema.json", text.lines().next().unwrap());
    schema::takes("model.schema.json", &file);

    // The audit decides every line again, with the memory.
    let errors = |text: &str, reveal: &Reveal| -> Vec<Code> {
        let report = audited_with(text, reveal);
        report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect()
    };
    assert_eq!(errors(&text, &reveal), [Code::ProofMissing]);
    assert_eq!(audited_with(&text, &reveal).coverage.replayed, 6);
    let mut other = reveal.clone();
    other.model.weights[17] ^= 1;
    assert!(errors(&text, &other).contains(&Code::RevealMismatch));

    // `null` is no part, and a shift beyond its range or another number of inputs is no shape.
    let part = "\"recurrent\":{\"units\":2,\"gate_shift\":7,\"candidate_shift\":6}";
    assert!(text.contains(part));
    let bad = [
        text.replacen(part, "\"recurrent\":null", 1),
        text.replacen(part, &part.replace("7", "13"), 1),
        text.replacen(part, &part.replace("2", "3"), 1),
        text.replacen(&format!(",{part}"), "", 1),
    ];
    for text in &bad {
        assert_ne!(errors(text, &reveal), [Code::ProofMissing]);
    }

    // So does the independent checker.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("opening"), serde_json::to_string(&reveal).unwrap()).unwrap();
    let check = |text: &str| {
        std::fs::write(dir.path().join("log"), text).unwrap();
        let mut command = Command::new("python3");
        command.arg("-B").arg(folder().join("check.py")).args(["log", "--opening", "opening"]).current_dir(dir.path());
        match command.output() {
            Ok(out) => Some((out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => panic!("python3: {e}"),
        }
    };
    let Some((status, said)) = check(&text) else {
        eprintln!("SKIPPED: no python3 on this machine, so docs/formats/check.py was NOT run");
        return;
    };
    assert_eq!(status, 0, "{said}");
    for text in &bad {
        assert_ne!(check(text).unwrap().0, 0, "{}", text.lines().next().unwrap());
    }
}
