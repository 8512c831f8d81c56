//! The JSON Schemas take what the program writes, and no other fields.

use crate::{disclosed, folder, golden_log, leaves, parted, parted_by_a_seal};
use serde_json::Value;

fn file(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

/// The keywords of JSON Schema that the files use, patterns aside.
fn matches(schema: &Value, root: &Value, value: &Value) -> bool {
    if let Some(to) = schema["$ref"].as_str() {
        let (name, path) = to.split_once('#').unwrap_or((to, ""));
        if name.is_empty() {
            return matches(root.pointer(path).unwrap(), root, value);
        }
        let other =
            ["mandate.schema.json", "log.schema.json", "report.schema.json"].map(file).into_iter().find(|s| s["$id"] == name).unwrap();
        return matches(other.pointer(path).unwrap(), &other, value);
    }
    if let Some(cases) = schema["oneOf"].as_array() {
        return cases.iter().filter(|case| matches(case, root, value)).count() == 1;
    }
    let kind = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if !kind {
        return false;
    }
    let same = schema.get("const").is_none_or(|c| c == value) && schema["enum"].as_array().is_none_or(|e| e.contains(value));
    let number = |v: &Value| v.as_i64().map(i128::from).or_else(|| v.as_u64().map(i128::from));
    let range = number(value)
        .is_none_or(|n| number(&schema["minimum"]).is_none_or(|lo| lo <= n) && number(&schema["maximum"]).is_none_or(|hi| n <= hi));
    let fields = value.as_object().is_none_or(|object| {
        let (properties, required) = (schema["properties"].as_object().unwrap(), schema["required"].as_array().unwrap());
        required.iter().all(|name| object.contains_key(name.as_str().unwrap()))
            && object.iter().all(|(name, v)| properties.get(name).is_some_and(|s| matches(s, root, v)))
    });
    let items = value.as_array().is_none_or(|list| list.iter().all(|v| matches(&schema["items"], root, v)));
    same && range && fields && items
}

#[test]
fn schemas_take_the_golden_files_and_no_other_fields() {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(folder().join("log.schema.json")).unwrap()).unwrap();
    let log = golden_log();
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(matches(&schema, &schema, &value), "{line}");
        for pointer in leaves(&value, "") {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut more = value.clone();
            if let Some(object) = more.pointer_mut(parent).unwrap().as_object_mut() {
                object.insert("surplus".to_owned(), Value::from(1));
                assert!(!matches(&schema, &schema, &more), "{pointer}");
                let object = more.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                object.remove("surplus");
                object.remove(name);
                assert_eq!(matches(&schema, &schema, &more), ["fill", "order"].contains(&name), "{pointer}");
            }
        }
    }
}

/// The other schemas: golden files of openings and models, and reports of honest and attacked logs.
#[test]
fn schemas_take_openings_models_and_reports() {
    let schema = |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap() };
    let golden =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(folder().join("golden").join(name)).unwrap()).unwrap() };
    let mut pairs = vec![(schema("opening.schema.json"), golden("opening.json")), (schema("model.schema.json"), golden("model.json"))];
    let report = schema("report.schema.json");
    let logs = std::iter::once(golden_log()).chain(probity_verifier::attacks().into_iter().map(|a| a.log));
    pairs.extend(logs.map(|log| (report.clone(), serde_json::to_value(crate::audited(&log, 0)).unwrap())));
    for (schema, value) in pairs {
        assert!(matches(&schema, &schema, &value), "{}: {value}", schema["title"]);
        let mut more = value.clone();
        more.as_object_mut().unwrap().insert("surplus".to_owned(), Value::from(1));
        assert!(!matches(&schema, &schema, &more));
        for name in schema["required"].as_array().unwrap() {
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(name.as_str().unwrap());
            assert!(!matches(&schema, &schema, &less), "{name}");
        }
    }
}

/// The schema of this name takes this text.
pub(crate) fn takes(name: &str, text: &str) {
    let (schema, value) = (file(name), serde_json::from_str(text).unwrap());
    assert!(matches(&schema, &schema, &value), "{name}: {text}");
}

/// Whether a schema takes a value, and neither more fields anywhere nor fewer; `optional` ones may be missing.
fn holds(schema: &Value, value: &Value, optional: &[&str]) {
    assert!(matches(schema, schema, value), "{}: {value}", schema["title"]);
    for pointer in leaves(value, "") {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut other = value.clone();
        let Some(object) = other.pointer_mut(parent).unwrap().as_object_mut() else { continue };
        object.insert("surplus".to_owned(), Value::from(1));
        assert!(!matches(schema, schema, &other), "{pointer}");
        let object = other.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        object.remove("surplus");
        let was = object.remove(name).unwrap();
        assert_eq!(matches(schema, schema, &other), optional.contains(&name), "{pointer} missing");
        // Another kind of value: a list stands nowhere in place of a leaf.
        let object = other.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        object.insert(name.to_owned(), Value::from(vec![was]));
        assert!(!matches(schema, schema, &other), "{pointer} as a list");
    }
}

#[test]
fn schemas_take_audit_states_evidence_and_disclosures() {
    let golden = |name: &str| std::fs::read(folder().join("golden").join(name)).unwrap();
    let state = probity_verifier::AuditState::from_bytes(&golden("audit-state.json")).unwrap();
    for state in [state.clone(), state.with_chain(None).unwrap()] {
        holds(&file("audit-state.schema.json"), &serde_json::from_str(&state.to_text().unwrap()).unwrap(), &[]);
    }
    // Fill and order are optional in the log's lines, which both hold.
    let optional = ["fill", "order"];
    for step in [2, 5] {
        holds(&file("evidence.schema.json"), &serde_json::to_value(parted(step)).unwrap(), &optional);
    }
    let sealed = serde_json::to_value(parted_by_a_seal()).unwrap();
    assert!(sealed["right"]["sealed"] == true && sealed["right"]["entry"].is_null() && sealed["left"]["entry"].is_object(), "{sealed}");
    holds(&file("evidence.schema.json"), &sealed, &["fill", "order", "sealed"]);
    let schema = file("disclosure.schema.json");
    for line in disclosed().lines() {
        holds(&schema, &serde_json::from_str(line).unwrap(), &optional);
    }
    // A statement gives the times of the proven decisions where they are known.
    let times = ["from_time_s", "to_time_s"];
    holds(&file("attestation.schema.json"), &serde_json::from_slice(&golden("attestation.json")).unwrap(), &times);
    // A seal has no place in a disclosure.
    let log = golden_log();
    assert!(!matches(&schema, &schema, &serde_json::from_str(log.lines().last().unwrap()).unwrap()));
}
