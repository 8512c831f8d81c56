//! The verifier against public vectors: an honest log and proof are accepted, and every attack on them gives its own finding.
//!
//! The vectors stand in `prover/verifier/vectors/`, and in this program. Each [`Attack`] names the field it changes; a test holds the list
//! of attacks against the fields of the formats, so that no field can be added without one.

use crate::audit::{Checked, audit_with};
use crate::{
    Code, Digest, Entry, Evidence, Header, Keys, KeysError, Line, LogReader, ProofPart, Report, Seal, Verdict, genesis_head,
    mandate_digest, next_head, rotation_head,
};
use probity_strategy::{Mandate, Record};
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;

/// An honest log of 12 decisions, sealed.
pub const VECTOR_LOG: &str = include_str!("../vectors/good.jsonl");
/// Its proof.
pub const VECTOR_PROOF: &[u8] = include_bytes!("../vectors/good.proof");
/// A proof of its first 8 decisions.
pub const VECTOR_SHORT_PROOF: &[u8] = include_bytes!("../vectors/short.proof");
/// Its mandate.
pub const VECTOR_MANDATE: &str = include_str!("../vectors/mandate.json");
/// Another model's log under the same mandate.
pub const VECTOR_OTHER_LOG: &str = include_str!("../vectors/other.jsonl");
/// The other model's proof.
pub const VECTOR_OTHER_PROOF: &[u8] = include_bytes!("../vectors/other.proof");

/// Index of the line whose fields are attacked: the first decision with an order and a fill.
fn target() -> usize {
    VECTOR_LOG.lines().position(|l| l.contains("\"amount_in\"") && l.contains("\"amount_out\"")).unwrap_or(0)
}

/// One change to the vectors, and what has to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// What was done, in words.
    pub name: String,
    /// The field that was changed, as `header/…`, `decision/…`, `seal/…`, `envelope/…`, `mandate/…`; none for whole lines and files.
    pub field: Option<String>,
    /// The log.
    pub log: String,
    /// The proof.
    pub proof: Vec<u8>,
    /// The mandate that the auditor was promised.
    pub promised: Option<String>,
    /// Any one of these findings, errors all of them; none: nothing may be found, and the audit accepts.
    pub expect: Vec<Code>,
    /// Field and line that one of the findings has to name.
    pub at: (Option<String>, Option<u64>),
    /// A finding that has to come beside it, on the line.
    pub beside: Option<(Code, u64)>,
}

/// What became of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The attack.
    pub attack: Attack,
    /// Whether the right finding came.
    pub found: bool,
    /// The audit.
    pub report: Report,
}

/// Carries out every attack. Keys are derived once a circuit shape.
pub fn selftest() -> Result<Vec<Outcome>, KeysError> {
    let known: RefCell<Vec<Arc<Keys>>> = RefCell::default();
    let keys = |mandate: &Mandate| {
        let mut known = known.borrow_mut();
        if let Some(keys) = known.iter().find(|k| k.fit(mandate)) {
            return Ok(keys.clone());
        }
        let keys = Arc::new(Keys::for_mandate(mandate)?);
        known.push(keys.clone());
        Ok(keys)
    };
    // No keys, no test: said once, not for every attack.
    if let Ok(mandate) = serde_json::from_str::<Mandate>(VECTOR_MANDATE) {
        keys(&mandate)?;
    }
    // Many attacks leave proof, mandate and commitment alone: the mathematics of those is checked once.
    let done: RefCell<Vec<ProofPart>> = RefCell::default();
    let proven = |header: &Header, proof: &[u8]| {
        let evidence = Evidence { proof: (!proof.is_empty()).then_some(proof), ..Evidence::default() };
        ProofPart::among(&mut done.borrow_mut(), header, evidence, keys).outcome
    };
    Ok(attacks().into_iter().map(|attack| judge(attack, &proven)).collect())
}

fn judge(attack: Attack, proven: &impl Fn(&Header, &[u8]) -> Checked) -> Outcome {
    let mut report = audit_with(attack.log.as_bytes(), Evidence::default(), Vec::new(), |header| proven(header, &attack.proof));
    let promised = attack.promised.as_ref().and_then(|text| serde_json::from_str::<Mandate>(text).ok());
    if let (Some(promised), Ok(reader)) = (promised, LogReader::new(attack.log.as_bytes())) {
        report = report.promised(&promised, &reader.header().mandate);
    }
    let (field, line) = &attack.at;
    let found = match attack.expect.as_slice() {
        [] => report.verdict == Verdict::Accepted,
        some => {
            let beside = attack.beside.is_none_or(|(code, line)| report.findings.iter().any(|f| f.code == code && f.line == Some(line)));
            report.verdict == Verdict::Rejected
                && beside
                && report.findings.iter().any(|f| {
                    some.contains(&f.code)
                        && (field.is_none() || f.field.as_deref() == field.as_deref())
                        && (line.is_none() || f.line == *line)
                })
        }
    };
    Outcome { attack, found, report }
}

/// Every attack, the untouched vectors first.
#[must_use]
pub fn attacks() -> Vec<Attack> {
    let mut out = vec![plain("nothing", &[])];
    header(&mut out);
    decision(&mut out);
    announcement(&mut out);
    seal(&mut out);
    envelope(&mut out);
    whole(&mut out);
    promised(&mut out);
    out
}

fn plain(name: &str, expect: &[Code]) -> Attack {
    Attack {
        name: name.to_owned(),
        field: None,
        log: VECTOR_LOG.to_owned(),
        proof: VECTOR_PROOF.to_vec(),
        promised: None,
        expect: expect.to_vec(),
        at: (None, None),
        beside: None,
    }
}

fn lines() -> Vec<String> {
    VECTOR_LOG.lines().map(str::to_owned).collect()
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|l| [l.as_str(), "\n"]).collect()
}

/// The log with one leaf changed, and nothing else.
fn edited(line: usize, pointer: &str, value: &str) -> String {
    let mut lines = lines();
    if let Some(text) = lines.get_mut(line) {
        *text = changed(text, pointer, value);
    }
    joined(&lines)
}

fn changed(text: &str, pointer: &str, value: &str) -> String {
    let mut tree: Value = serde_json::from_str(text).unwrap_or_default();
    if let (Some(leaf), Ok(value)) = (tree.pointer_mut(pointer), serde_json::from_str(value)) {
        *leaf = value;
    }
    tree.to_string()
}

/// The log with digests, heads and seal computed afresh: the forger who knows how.
fn rebuilt(log: &str) -> String {
    let Ok(mut reader) = LogReader::new(log.as_bytes()) else { return log.to_owned() };
    let mut header: Header = reader.header().clone();
    header.mandate_digest = mandate_digest(&header.mandate);
    header.genesis_head = genesis_head(&header.mandate_digest, &header.model_commitment);
    let mut out = vec![serde_json::to_string(&header).unwrap_or_default()];
    let (mut head, mut decisions, mut sealed) = (header.genesis_head, 0u32, false);
    while let Ok(Some(line)) = reader.next_line() {
        match line {
            Line::Entry(entry) => {
                (head, decisions) = (next_head(&head, &entry.record), decisions.saturating_add(1));
                out.push(entry_text(entry.record, head));
            }
            Line::Announcement(announcement) => {
                head = rotation_head(&head, &announcement.rotation);
                out.push(serde_json::json!({ "rotation": announcement.rotation, "head": head }).to_string());
            }
            Line::Seal(_) => sealed = true,
        }
    }
    if sealed {
        out.push(serde_json::json!({ "seal": Seal { decisions, head } }).to_string());
    }
    joined(&out)
}

fn entry_text(record: Record, head: Digest) -> String {
    serde_json::to_string(&Entry { record, head }).unwrap_or_default()
}

const DIGEST: &str = "\"0x0000000000000000000000000000000000000000000000000000000000000001\"";
const HASH: &str = "\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";
const ADDRESS: &str = "\"0x3333333333333333333333333333333333333333\"";

#[rustfmt::skip]
fn header(out: &mut Vec<Attack>) {
    use Code::{HeaderMismatch, LogMalformed, MandateInvalid, ProofOtherCommitment, ProofOtherMandate, ProofOtherParameters};
    let table: &[(&str, &str, &[Code], &str)] = &[
        ("/format", "\"probity-logs\"", &[LogMalformed], ""),
        ("/version", "1", &[LogMalformed], ""),
        // Bound by nothing, and the report says so.
        ("/program_version", "\"9.9.9\"", &[], ""),
        ("/model_commitment", DIGEST, &[ProofOtherCommitment], "end.commitment"),
        ("/mandate_digest", DIGEST, &[HeaderMismatch], "mandate_digest"),
        ("/genesis_head", DIGEST, &[HeaderMismatch], "genesis_head"),
        ("/mandate/version", "2", &[MandateInvalid], "mandate.version"),
        ("/mandate/chain_id", "10", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/vault", ADDRESS, &[ProofOtherMandate], "end.mandate"),
        ("/mandate/pool", ADDRESS, &[ProofOtherMandate], "end.mandate"),
        ("/mandate/base_is_token1", "false", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/interval_s", "1800", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/genesis_time_s", "1699996400", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/decisions_per_fold", "1", &[ProofOtherParameters], "parameters"),
        ("/mandate/proof_engine", "\"pairing\"", &[ProofOtherParameters], "engine"),
        ("/mandate/model/dims", "[16,1,3]", &[ProofOtherParameters], "parameters"),
        ("/mandate/model/shifts", "[8]", &[ProofOtherParameters], "parameters"),
        ("/mandate/limits/max_weight_bps", "10000", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/max_trade_bps", "10000", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/min_trade_bps", "11", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/max_turnover_bps", "20001", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/turnover_window_steps", "23", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/max_drawdown_bps", "9000", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/max_slippage_bps", "101", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/max_trade_quote", "\"1000000000001\"", &[ProofOtherMandate], "end.mandate"),
        ("/mandate/limits/warmup_steps", "0", &[ProofOtherMandate], "end.mandate"),
    ];
    for (pointer, value, expect, at) in table {
        let field = Some(format!("header{pointer}"));
        let at = ((!at.is_empty()).then(|| (*at).to_owned()), None);
        let log = edited(0, pointer, value);
        out.push(Attack { name: format!("header {pointer} edited"), field: field.clone(), log: log.clone(), at: at.clone(), ..plain("", expect) });
        // The same with every digest and head made to fit: only the proof can tell.
        if ["chain_id", "vault", "pool", "interval_s", "limits/max_weight_bps"].iter().any(|name| pointer.ends_with(name)) {
            out.push(Attack { name: format!("header {pointer} edited, log rebuilt"), field, log: rebuilt(&log), at, ..plain("", expect) });
        }
    }
}

#[rustfmt::skip]
fn decision(out: &mut Vec<Attack>) {
    use Code::{HeadMismatch, PriceMismatch, ProofOtherHead, StepIndex, TimeOffGrid};
    let table: &[(&str, &str, Code)] = &[
        ("/record/observation/step", "77", StepIndex),
        ("/record/observation/time_s", "1700014399", TimeOffGrid),
        ("/record/observation/block_number", "18000601", ProofOtherHead),
        ("/record/observation/block_hash", HASH, ProofOtherHead),
        ("/record/observation/mean_tick", "1", PriceMismatch),
        ("/record/observation/price_x64", "\"56777132826\"", PriceMismatch),
        ("/record/observation/quote", "\"50000000001\"", ProofOtherHead),
        ("/record/observation/base", "\"10000000000000000001\"", ProofOtherHead),
        ("/record/observation/shares", "\"1000000001\"", ProofOtherHead),
        ("/record/observation/fill/amount_out", "\"79228162514264337593543950335\"", ProofOtherHead),
        ("/record/decision/order/side", "\"other\"", ProofOtherHead),
        ("/record/decision/order/amount_in", "\"1\"", Code::OrderLimit),
        ("/record/decision/order/min_out", "\"1\"", Code::OrderLimit),
        ("/record/decision/halted", "true", Code::HaltMismatch),
    ];
    let at = u64::try_from(target()).unwrap_or(0).saturating_add(1);
    for (pointer, value, kind) in table {
        let text = VECTOR_LOG.lines().nth(target()).unwrap_or_default();
        // The other side, whichever it is.
        let value = if value.contains("other") { if text.contains("\"side\":\"buy\"") { "\"sell\"" } else { "\"buy\"" } } else { value };
        let field = Some(format!("decision{pointer}"));
        let log = edited(target(), pointer, value);
        out.push(Attack { name: format!("decision {pointer} edited"), field: field.clone(), log: log.clone(), at: (Some("head".to_owned()), Some(at)), ..plain("", &[HeadMismatch]) });
        out.push(Attack { name: format!("decision {pointer} edited, log rebuilt"), field, log: rebuilt(&log), beside: (*kind != ProofOtherHead).then_some((*kind, at)), ..plain("", &[ProofOtherHead]) });
    }
    let head = edited(target(), "/head", DIGEST);
    out.push(Attack { name: "decision /head edited".to_owned(), field: Some("decision/head".to_owned()), log: head, at: (Some("head".to_owned()), Some(at)), ..plain("", &[HeadMismatch]) });
    for (name, pointer) in [("a fill taken out", "/record/observation/fill"), ("an order taken out", "/record/decision/order")] {
        out.push(Attack { name: format!("{name}, log rebuilt"), log: rebuilt(&edited(target(), pointer, "null")), ..plain("", &[ProofOtherHead]) });
    }
}

fn announcement(out: &mut Vec<Attack>) {
    let line = VECTOR_LOG.lines().position(|l| l.contains("\"rotation\"")).unwrap_or(0);
    let at = u64::try_from(line).ok().map(|l| l.saturating_add(1));
    for (pointer, value, kind) in [
        ("/rotation/commitment", DIGEST, None),
        ("/rotation/at_step", "20", None),
        // Without notice: the audit sees that by itself.
        ("/rotation/at_step", "3", Some(Code::RotationRefused)),
    ] {
        let field = Some(format!("decision{pointer}"));
        let (log, at_head) = (edited(line, pointer, value), (Some("head".to_owned()), at));
        let name = format!("announcement {pointer} edited to {value}");
        out.push(Attack { name: name.clone(), field: field.clone(), log: log.clone(), at: at_head, ..plain("", &[Code::HeadMismatch]) });
        let beside = kind.zip(at);
        out.push(Attack { name: name + ", log rebuilt", field, log: rebuilt(&log), beside, ..plain("", &[Code::ProofOtherHead]) });
    }
    let dropped: Vec<String> = lines().into_iter().enumerate().filter(|(n, _)| *n != line).map(|(_, l)| l).collect();
    out.push(Attack { log: rebuilt(&joined(&dropped)), ..plain("the announcement taken out, log rebuilt", &[Code::ProofOtherHead]) });
}

fn seal(out: &mut Vec<Attack>) {
    let line = lines().len().saturating_sub(1);
    let at = u64::try_from(line).ok().map(|l| l.saturating_add(1));
    for (pointer, value, field) in [("/seal/decisions", "11", "seal.decisions"), ("/seal/head", DIGEST, "seal.head")] {
        out.push(Attack {
            name: format!("seal {pointer} edited"),
            field: Some(pointer.trim_start_matches('/').to_owned()),
            log: edited(line, pointer, value),
            at: (Some(field.to_owned()), at),
            ..plain("", &[Code::SealMismatch])
        });
    }
}

/// Offset, bytes and name of the fields of an envelope's fixed part (`docs/formats/README.md`).
pub const ENVELOPE_FIELDS: [(usize, usize, &str); 16] = [
    (0, 8, "magic"),
    (8, 2, "format"),
    (10, 2, "circuit"),
    (12, 1, "engine"),
    (13, 32, "parameters"),
    (45, 4, "folds"),
    (49, 32, "end.commitment"),
    (81, 32, "end.mandate"),
    (113, 32, "end.ahead"),
    (145, 4, "end.at_step"),
    (149, 4, "end.decisions"),
    (153, 32, "end.head"),
    (185, 32, "end.state"),
    (217, 1, "start"),
    (218, 4, "length"),
    (222, 0, "proof"),
];

fn envelope(out: &mut Vec<Attack>) {
    use Code::{ProofInvalid, ProofMalformed, ProofOtherMandate, ProofOtherParameters, ProofPanicked, ProofUnsupported};
    let table: [(&str, &[Code]); 16] = [
        ("magic", &[ProofMalformed]),
        ("format", &[ProofUnsupported]),
        ("circuit", &[ProofUnsupported]),
        ("engine", &[ProofUnsupported]),
        ("parameters", &[ProofOtherParameters, ProofMalformed]),
        ("folds", &[ProofInvalid]),
        ("end.commitment", &[ProofInvalid]),
        ("end.mandate", &[ProofOtherMandate]),
        ("end.ahead", &[ProofInvalid]),
        ("end.at_step", &[ProofInvalid]),
        ("end.decisions", &[ProofInvalid]),
        ("end.head", &[ProofInvalid]),
        ("end.state", &[ProofInvalid]),
        ("start", &[ProofMalformed]),
        ("length", &[ProofMalformed]),
        ("proof", &[ProofInvalid, ProofMalformed, ProofPanicked]),
    ];
    for ((offset, length, field), (name, expect)) in ENVELOPE_FIELDS.into_iter().zip(table) {
        debug_assert_eq!(field, name);
        // The last byte of a field: canonical elements stay canonical. The proof itself in several places.
        let places = if length == 0 {
            vec![222, 2_000, VECTOR_PROOF.len().saturating_sub(1)]
        } else {
            vec![offset.saturating_add(length).saturating_sub(1)]
        };
        for place in places {
            let mut proof = VECTOR_PROOF.to_vec();
            if let Some(byte) = proof.get_mut(place) {
                // An engine that does not exist; fewer decisions than there were, not more.
                *byte ^= match field {
                    "engine" => 8,
                    "end.decisions" => 4,
                    _ => 1,
                };
            }
            out.push(Attack {
                name: format!("proof, byte {place} ({field})"),
                field: Some(format!("envelope/{field}")),
                proof,
                ..plain("", expect)
            });
        }
    }
    let other_engine = [VECTOR_PROOF.get(..12).unwrap_or_default(), &[2], VECTOR_PROOF.get(13..).unwrap_or_default()].concat();
    out.push(Attack { proof: other_engine, ..plain("the other engine's number", &[ProofOtherParameters]) });
    let no_folds = [VECTOR_PROOF.get(..45).unwrap_or_default(), &[0; 4], VECTOR_PROOF.get(49..).unwrap_or_default()].concat();
    out.push(Attack { proof: no_folds, at: (Some("folds".to_owned()), None), ..plain("no folds", &[ProofMalformed]) });
    out.push(Attack {
        proof: VECTOR_PROOF.get(..VECTOR_PROOF.len() / 2).unwrap_or_default().to_vec(),
        ..plain("a proof cut in half", &[ProofMalformed])
    });
    out.push(Attack { proof: [VECTOR_PROOF, b"\0"].concat(), ..plain("a byte after the proof", &[ProofMalformed]) });
    out.push(Attack { proof: Vec::new(), ..plain("no proof", &[Code::ProofMissing]) });
}

fn whole(out: &mut Vec<Attack>) {
    use Code::{AfterSeal, LogMalformed, LogShorterThanProof, ProofOtherCommitment, ProofOtherHead, StepIndex, UnprovenTail};
    let all = lines();
    let last = all.len().saturating_sub(1);
    let part = |range: std::ops::Range<usize>| all.get(range).unwrap_or_default().to_vec();
    let mut push = |name: &str, log: String, expect: &[Code]| out.push(Attack { log, ..plain(name, expect) });
    push("a decision dropped", joined(&[part(0..5), part(6..all.len())].concat()), &[StepIndex]);
    push("a decision dropped, log rebuilt", rebuilt(&joined(&[part(0..5), part(6..all.len())].concat())), &[StepIndex]);
    push("a decision doubled", joined(&[part(0..6), part(5..all.len())].concat()), &[StepIndex]);
    push("two decisions swapped", joined(&[part(0..5), part(6..7), part(5..6), part(7..all.len())].concat()), &[StepIndex]);
    push(
        "the last decision dropped, sealed again",
        rebuilt(&joined(&[part(0..last.saturating_sub(1)), part(last..all.len())].concat())),
        &[LogShorterThanProof],
    );
    push("cut off before the end", joined(&part(0..8)), &[LogShorterThanProof]);
    push("a torn last line", VECTOR_LOG.trim_end().to_owned(), &[LogMalformed]);
    push("an empty log", String::new(), &[LogMalformed]);
    push("no header", joined(&part(1..all.len())), &[LogMalformed]);
    push("a decision after the seal", joined(&[part(0..all.len()), part(2..3)].concat()), &[AfterSeal]);
    push("a second seal", joined(&[part(0..all.len()), part(last..all.len())].concat()), &[AfterSeal]);
    // One more decision than was proven, an hour on, everything else made to fit.
    let more = all.get(last.saturating_sub(1)).map(|text| later(text, 3_600)).unwrap_or_default();
    push(
        "a decision appended, sealed again",
        rebuilt(&joined(&[part(0..last), vec![more], part(last..all.len())].concat())),
        &[UnprovenTail],
    );
    let future = all.get(last.saturating_sub(1)).map(|text| changed(text, "/record/observation/time_s", "4000000000")).unwrap_or_default();
    push(
        "the last decision moved into the future, log rebuilt",
        rebuilt(&joined(&[part(0..last.saturating_sub(1)), vec![future], part(last..all.len())].concat())),
        &[ProofOtherHead],
    );
    let other: Vec<String> = VECTOR_OTHER_LOG.lines().map(str::to_owned).collect();
    let tail = other.get(7..).unwrap_or_default().to_vec();
    push("the end of another model's log spliced in, log rebuilt", rebuilt(&joined(&[part(0..7), tail].concat())), &[ProofOtherHead]);
    push("another model's log under this proof", VECTOR_OTHER_LOG.to_owned(), &[ProofOtherCommitment]);
    let body = other.get(1..).unwrap_or_default().to_vec();
    push("another model's decisions under this header, log rebuilt", rebuilt(&joined(&[part(0..1), body].concat())), &[ProofOtherHead]);
    out.push(Attack { proof: VECTOR_OTHER_PROOF.to_vec(), ..plain("another model's proof", &[ProofOtherCommitment]) });
    out.push(Attack { proof: VECTOR_SHORT_PROOF.to_vec(), ..plain("an earlier proof of this log, though it is closed", &[UnprovenTail]) });
    out.push(Attack {
        // Header, announcement and eight decisions.
        log: joined(&part(0..10)),
        proof: VECTOR_SHORT_PROOF.to_vec(),
        ..plain("an earlier proof under the log of then: honest", &[])
    });
}

/// A record's line one interval and one step later.
fn later(text: &str, seconds: u64) -> String {
    let tree: Value = serde_json::from_str(text).unwrap_or_default();
    let number = |pointer: &str| tree.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (step, time) = (number("/record/observation/step").saturating_add(1), number("/record/observation/time_s").saturating_add(seconds));
    changed(&changed(text, "/record/observation/step", &step.to_string()), "/record/observation/time_s", &time.to_string())
}

/// The honest log, and an auditor who was promised something else.
fn promised(out: &mut Vec<Attack>) {
    out.push(Attack { promised: Some(VECTOR_MANDATE.to_owned()), ..plain("the promised mandate", &[]) });
    let table = [
        ("/chain_id", "10"),
        ("/vault", ADDRESS),
        ("/interval_s", "60"),
        ("/limits/max_weight_bps", "100"),
        ("/limits/max_drawdown_bps", "100"),
    ];
    for (pointer, value) in table {
        out.push(Attack {
            field: Some(format!("mandate{pointer}")),
            promised: Some(changed(VECTOR_MANDATE, pointer, value)),
            at: (Some("mandate".to_owned()), Some(1)),
            ..plain(&format!("another {pointer} was promised"), &[Code::MandateOther])
        });
    }
}
