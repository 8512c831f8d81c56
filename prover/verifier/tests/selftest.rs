//! The public vectors through the program, and the manifest: every field of every format that an auditor takes has an attack.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use probity_verifier::{ENVELOPE_FIELDS, VECTOR_LOG, VECTOR_PROOF, attacks};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Paths of everything that is not an object; lists count as one field.
fn leaves(value: &Value, at: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| leaves(inner, &format!("{at}/{name}"), out)),
        _ => drop(out.insert(at.to_owned())),
    }
}

#[test]
fn every_field_has_an_attack() {
    let attacks = attacks();
    let attacked: BTreeSet<&str> = attacks.iter().filter_map(|a| a.field.as_deref()).collect();
    let lines: Vec<Value> = VECTOR_LOG.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut fields = BTreeSet::new();
    leaves(&lines[0], "header", &mut fields);
    for line in &lines[1..lines.len() - 1] {
        leaves(line, "decision", &mut fields);
    }
    leaves(lines.last().unwrap(), "", &mut fields);
    // Absent orders and fills are attacked as whole lines are.
    let optional = ["decision/record/observation/fill", "decision/record/decision/order"];
    let missing: Vec<&String> =
        fields.iter().filter(|f| !attacked.contains(f.trim_start_matches('/')) && !optional.contains(&f.as_str())).collect();
    assert!(missing.is_empty(), "fields of the log without an attack: {missing:?}");
    assert!(fields.len() > 40, "{fields:?}");
    for attack in attacks.iter().filter(|a| a.name != "nothing" && a.promised.is_none()) {
        assert!(attack.log != VECTOR_LOG || attack.proof != VECTOR_PROOF, "{} changes nothing", attack.name);
    }
}

#[test]
fn every_byte_of_the_envelopes_fixed_part_belongs_to_an_attacked_field() {
    let attacks = attacks();
    let mut covered = 0;
    for (offset, length, name) in ENVELOPE_FIELDS {
        assert_eq!(offset, covered, "{name} follows the field before");
        covered += length;
        let field = format!("envelope/{name}");
        let hit = attacks.iter().filter(|a| a.field.as_ref() == Some(&field)).any(|a| {
            let end = if length == 0 { VECTOR_PROOF.len() } else { offset + length };
            a.proof[offset..end] != VECTOR_PROOF[offset..end] && a.proof[..offset] == VECTOR_PROOF[..offset]
        });
        assert!(hit, "{field} has no attack inside its own bytes");
    }
    assert_eq!(covered, 222);
}

#[test]
fn the_program_finds_every_attack_and_says_so() {
    let out = Command::new(env!("CARGO_BIN_EXE_probity-verify")).args(["selftest", "--json"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let missed: Vec<&Value> = lines.iter().filter(|l| l["found"] != true).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(lines.len(), attacks().len());
    assert_eq!((&lines[0]["attack"], &lines[0]["verdict"]), (&"nothing".into(), &"accepted".into()));
    let wrong = Command::new(env!("CARGO_BIN_EXE_probity-verify")).args(["selftest", "more"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
