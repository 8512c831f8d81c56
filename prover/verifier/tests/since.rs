//! An audit that goes on from an earlier one says what a whole one says, and finds what changed before its start.
#![expect(clippy::unwrap_used, reason = "tests")]

use probity_strategy::Mandate;
use probity_verifier::{
    AuditState, ChainMark, Code, Evidence, Finding, Keys, Report, Severity, Story, VECTOR_LOG, VECTOR_MANDATE, VECTOR_OTHER_LOG,
    VECTOR_OTHER_PROOF, VECTOR_PROOF, VECTOR_SHORT_PROOF, Verdict, attacks, audit_since,
};
use std::path::Path;
use std::sync::{Arc, LazyLock};

static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| {
    let mandate: Mandate = serde_json::from_str(VECTOR_MANDATE).unwrap();
    Arc::new(Keys::for_mandate(&mandate).unwrap())
});

fn run(log: &str, proof: &[u8], since: Option<&AuditState>) -> (Report, Option<AuditState>) {
    let evidence = Evidence { proof: Some(proof), ..Evidence::default() };
    audit_since(log.as_bytes(), evidence, since, |_| Ok(KEYS.clone())).unwrap()
}

/// The vector's log up to so many decisions.
fn first(decisions: usize) -> String {
    let mut left = decisions;
    VECTOR_LOG
        .split_inclusive('\n')
        .take_while(|line| {
            let take = left > 0 || !line.contains("\"record\"");
            left -= usize::from(take && line.contains("\"record\""));
            take && !line.contains("\"seal\"")
        })
        .collect()
}

fn errors(report: &Report) -> Vec<(Code, Option<&str>)> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| (f.code, f.field.as_deref())).collect()
}

fn findings_behind(report: &Report, line: u64) -> Vec<&Finding> {
    report.findings.iter().filter(|f| f.line.is_none_or(|l| l > line)).collect()
}

#[test]
fn going_on_says_what_a_whole_audit_says() {
    let (whole, end) = run(VECTOR_LOG, VECTOR_PROOF, None);
    assert_eq!(whole.verdict, Verdict::Accepted);
    let end = end.unwrap();
    for (decisions, proof) in [(8, VECTOR_SHORT_PROOF), (9, VECTOR_SHORT_PROOF), (10, VECTOR_SHORT_PROOF)] {
        let (report, state) = run(&first(decisions), proof, None);
        assert_eq!((report.verdict, report.since), (Verdict::Accepted, None), "{decisions}");
        let state = AuditState::from_bytes(state.unwrap().to_text().unwrap().as_bytes()).unwrap();
        let (report, last) = run(VECTOR_LOG, VECTOR_PROOF, Some(&state));
        assert_eq!(report.verdict, Verdict::Accepted, "{:?}", report.findings);
        assert_eq!(report.coverage, whole.coverage);
        assert_eq!(findings_behind(&report, state.log.lines), findings_behind(&whole, state.log.lines));
        let told = report.since.unwrap();
        assert_eq!((told.state, usize::try_from(told.decisions).unwrap()), (state.digest.clone(), decisions));
        let (now, then) = (report.statement.unwrap(), whole.statement.clone().unwrap());
        assert_eq!(
            (now.decisions, now.head, now.from_time_s, now.to_time_s),
            (then.decisions, then.head, then.from_time_s, then.to_time_s)
        );
        assert!(now.does_not_show.last().unwrap().contains(&format!("first {decisions} decisions")), "{:?}", now.does_not_show);
        assert_eq!(last.unwrap(), end, "the state does not depend on the way there");
        // Nothing new: the same log and proof again.
        let (report, same) = run(&first(decisions), proof, Some(&state));
        assert_eq!((report.verdict, report.coverage.proven), (Verdict::Accepted, 8));
        assert_eq!(same.unwrap(), state);
    }
}

#[test]
fn a_rewritten_earlier_part_is_found() {
    let (_, state) = run(&first(8), VECTOR_SHORT_PROOF, None);
    let state = state.unwrap();
    for name in ["decision /record/observation/quote edited", "the announcement taken out, log rebuilt"] {
        let log = attacks().into_iter().find(|a| a.name == name).unwrap().log;
        let (report, next) = run(&log, VECTOR_PROOF, Some(&state));
        assert_eq!((report.verdict, next), (Verdict::Rejected, None), "{name}");
        assert_eq!(errors(&report), [(Code::LogRewritten, None)], "{name}");
    }
    // Shorter than it was, and the same values in other bytes.
    let (report, _) = run(&first(7), VECTOR_SHORT_PROOF, Some(&state));
    assert_eq!(errors(&report), [(Code::LogRewritten, None)]);
    let (report, _) = run(&VECTOR_LOG.replacen("{\"record\":", "{ \"record\":", 1), VECTOR_PROOF, Some(&state));
    assert_eq!(errors(&report), [(Code::LogRewritten, None)]);
    // Behind the earlier end the checks are those of any audit.
    let edited = VECTOR_LOG.replacen(&first(12)[first(11).len()..], &first(11)[first(10).len()..], 1);
    let (report, _) = run(&edited, VECTOR_PROOF, Some(&state));
    assert!(errors(&report).iter().any(|e| e.0 == Code::StepIndex), "{:?}", report.findings);
}

#[test]
fn a_state_of_something_else_is_refused() {
    let (_, state) = run(&first(8), VECTOR_SHORT_PROOF, None);
    let state = state.unwrap();
    let (report, next) = run(VECTOR_OTHER_LOG, VECTOR_OTHER_PROOF, Some(&state));
    assert_eq!((errors(&report), next), (vec![(Code::AuditStateOther, Some("audit_state.model_commitment"))], None));
    let with = |change: &dyn Fn(&mut AuditState)| {
        let mut other = state.clone();
        change(&mut other);
        let other = other.sealed().unwrap();
        let (report, next) = run(VECTOR_LOG, VECTOR_PROOF, Some(&other));
        assert_eq!(next, None);
        report.findings.iter().find(|f| f.severity == Severity::Error).map(|f| (f.code, f.field.clone().unwrap_or_default())).unwrap()
    };
    let other = |field: &str| (Code::AuditStateOther, format!("audit_state.{field}"));
    assert_eq!(with(&|s| s.chain_id += 1), other("chain_id"));
    assert_eq!(with(&|s| s.vault = "0x".to_owned() + &"33".repeat(20)), other("vault"));
    assert_eq!(with(&|s| s.mandate_digest = s.genesis_head), other("mandate_digest"));
    assert_eq!(with(&|s| s.genesis_head = s.mandate_digest), other("genesis_head"));
    assert_eq!(with(&|s| s.parameters = s.genesis_head), other("parameters"));
    // A proof that ends before the earlier audit did, and is not the one that was verified then.
    let (_, ahead) = run(VECTOR_LOG, VECTOR_PROOF, None);
    let (report, _) = run(VECTOR_LOG, VECTOR_SHORT_PROOF, ahead.as_ref());
    assert_eq!(errors(&report)[0], (Code::ProofOtherHead, Some("proof.end")));
    // With a revealed model the whole log is needed.
    let reveal = serde_json::from_str(&std::fs::read_to_string(folder().join("golden/opening.json")).unwrap()).unwrap();
    let evidence = Evidence { proof: Some(VECTOR_PROOF), reveal: Some(&reveal), ..Evidence::default() };
    assert_eq!(audit_since(VECTOR_LOG.as_bytes(), evidence, Some(&state), |_| Ok(KEYS.clone())).unwrap_err().field, "evidence");
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats")
}

/// The documented form, and every damage to it.
#[test]
fn a_state_file_has_one_form() {
    let (_, state) = run(&first(8), VECTOR_SHORT_PROOF, None);
    let mark = ChainMark { block_number: 7, block_hash: format!("0x{}", "ab".repeat(32)), decisions: 5, filled: 2, unfilled: 1 };
    let text = state.unwrap().with_chain(Some(mark)).unwrap().to_text().unwrap();
    let path = folder().join("golden/audit-state.json");
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "the vectors or the format changed: PROBITY_BLESS=1 writes the file");
    let bytes = text.as_bytes();
    AuditState::from_bytes(bytes).unwrap();
    for at in 0..bytes.len() {
        let mut other = bytes.to_vec();
        other[at] ^= 1;
        assert!(AuditState::from_bytes(&other).is_err(), "byte {at}");
        assert!(AuditState::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(AuditState::from_bytes(&[bytes, b" "].concat()).unwrap_err().field, "file");
    assert_eq!(AuditState::from_bytes(text.replacen("\"bytes\":", "\"bytes\": ", 1).as_bytes()).unwrap_err().field, "file");
    assert_eq!(AuditState::from_bytes(text.replacen("\"decisions\":5", "\"decisions\":6", 1).as_bytes()).unwrap_err().field, "digest");
    assert_eq!(AuditState::from_bytes(text.replacen("\"version\":1", "\"version\":2", 1).as_bytes()).unwrap_err().field, "format");
}

/// The page for people says what was audited before and what is new.
#[test]
fn a_page_says_what_is_new() {
    let page = |log: &str, report: Report| Story::read(log.as_bytes(), report, None).page();
    let (whole, state) = run(&first(8), VECTOR_SHORT_PROOF, None);
    assert!(!page(&first(8), whole).contains("Audited before, and new"));
    let state = state.unwrap();
    let (report, _) = run(VECTOR_LOG, VECTOR_PROOF, Some(&state));
    let words = page(VECTOR_LOG, report);
    for part in
        ["<dd>decisions 0 to 7 (8)</dd>", "<dd>decisions 8 to 11 (4)</dd>", "Checked again", "Taken from the earlier audit", &state.digest]
    {
        assert!(words.contains(part), "{part}");
    }
    assert!(
        words.contains("Decisions before 8 line by line: the earlier audit&#39;s state stands for them."),
        "it is named as not checked"
    );
    let (report, _) = run(&first(8), VECTOR_SHORT_PROOF, Some(&state));
    assert!(page(&first(8), report).contains("<dt>New in this audit</dt><dd>none</dd>"));
    let (report, _) = run(&VECTOR_LOG.replacen("{\"record\":", "{ \"record\":", 1), VECTOR_PROOF, Some(&state));
    assert!(page(VECTOR_LOG, report).contains("Rejected"));
}
