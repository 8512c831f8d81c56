//! A run whose vault verifies, through the binary on development chains: parameters of a tau that stands in the source, and a model that always buys.

#[path = "../../../prover/verifier/tests/ptau/mod.rs"]
mod writer;

use probity_tests::{binary, json, run_with};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use writer::Ptau;

/// Folder, model and settings of a run whose vault verifies.
pub(crate) struct Run {
    _temp: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) model: PathBuf,
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Run {
    /// One that waits for `most` decisions less `margin` before it settles; blocks of two decisions.
    pub(crate) fn new(mode: &str, most: u32, margin: u32) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let (ptau, model) = (temp.path().join("tests.ptau"), temp.path().join("model.json"));
        std::fs::write(&ptau, Ptau::of(5, 17).bytes()).unwrap();
        // Buys a little at every step.
        let eager = serde_json::json!({
            "version": 1,
            "shape": { "dims": [16, 1, 3], "shifts": [7] },
            "model": {
                "scales": vec![4_096; 16],
                "weights": vec![0; 19],
                "biases": [0, -400_000, 0, 400_000],
                "policy": { "gain": 9_000, "band_gain": 10, "band_bps": 20, "max_step_bps": 300, "cooldown_steps": 0 },
            },
        });
        std::fs::write(&model, eager.to_string()).unwrap();
        let env = vec![
            ("PROBITY__MANDATE__WARMUP_STEPS", "0".to_owned()),
            ("PROBITY__MANDATE__DECISIONS_PER_FOLD", "1".to_owned()),
            ("PROBITY__PROOF__PTAU_FILE", ptau.to_str().unwrap().to_owned()),
            ("PROBITY__PROOF__INSECURE_PARAMS", "tau of the tests".to_owned()),
            ("PROBITY__SETTLEMENT__MODE", mode.to_owned()),
            ("PROBITY__SETTLEMENT__DECISIONS_PER_BLOCK", "2".to_owned()),
            ("PROBITY__SETTLEMENT__MAX_UNPROVEN_DECISIONS", most.to_string()),
            ("PROBITY__SETTLEMENT__MARGIN_DECISIONS", margin.to_string()),
        ];
        Self { dir: temp.path().join("run"), model, env, _temp: temp }
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    /// A command with the run's settings and more.
    pub(crate) fn with(&self, args: &[&str], more: &[(&'static str, &str)]) -> Output {
        let mut env: Vec<(&str, &str)> = self.env.iter().map(|(k, v)| (*k, v.as_str())).collect();
        env.extend(more);
        run_with("probity", args, &env)
    }

    /// Flags of the agent.
    pub(crate) fn decide_args<'a>(&'a self, decisions: &'a str) -> Vec<&'a str> {
        let mut args = vec!["--json", "run", "--dir", self.dir(), "--decisions", decisions, "--posting", "every", "--keep-chain"];
        if !self.dir.join("opening.json").exists() {
            args.extend(["--model", self.model.to_str().unwrap()]);
        }
        args
    }

    /// The agent to its end.
    pub(crate) fn decide(&self, decisions: &str) -> Output {
        let out = self.with(&self.decide_args(decisions), &[]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        out
    }

    /// The agent, told to leave after so many decisions.
    pub(crate) fn decide_and_leave(&self, after: usize) {
        let mut child = Command::new(binary("probity").unwrap())
            .args(self.decide_args("40"))
            .envs(self.env.iter().map(|(k, v)| (*k, v.as_str())))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut decided = 0;
        for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
            decided += usize::from(line.starts_with('#'));
            if decided == after {
                Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
            }
        }
        assert!(child.wait().unwrap().success());
    }

    /// `vault status`.
    pub(crate) fn status(&self) -> serde_json::Value {
        let out = self.with(&["--json", "vault", "status", "--dir", self.dir()], &[]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        json(&out)["result"].clone()
    }

    /// `settle`.
    pub(crate) fn settle(&self, more: &[(&'static str, &str)]) -> Output {
        self.with(&["--json", "settle", "--dir", self.dir()], more)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(run_with("probity", &["chain", "stop", "--dir", self.dir()], &[]));
    }
}

/// What a command told.
pub(crate) fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}
