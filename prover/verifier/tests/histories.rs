//! Two logs of one agent: one history, two, or none of each other's business.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use probity_verifier::{Code, Evidence, Histories, Report, VECTOR_LOG, VECTOR_OTHER_LOG, Verdict, attacks, audit, histories};

fn report(log: &str) -> Report {
    audit(log.as_bytes(), Evidence::default(), |_| unreachable!("no proof, no keys"))
}

fn compared(left: &str, right: &str) -> Histories {
    histories((left.as_bytes(), &report(left)), (right.as_bytes(), &report(right))).unwrap()
}

fn attacked(name: &str) -> String {
    attacks().into_iter().find(|a| a.name == name).unwrap_or_else(|| panic!("no attack {name}")).log
}

#[test]
fn one_history_whichever_is_longer() {
    let cut: String = VECTOR_LOG.split_inclusive('\n').take(6).collect();
    assert_eq!(compared(VECTOR_LOG, VECTOR_LOG), Histories::One { shared: 12 });
    assert_eq!(compared(VECTOR_LOG, &cut), Histories::One { shared: 5 });
    assert_eq!(compared(&cut, VECTOR_LOG), Histories::One { shared: 5 });
}

#[test]
fn another_model_or_mandate_is_another_agent() {
    assert_eq!(compared(VECTOR_LOG, VECTOR_OTHER_LOG), Histories::Apart);
    assert_eq!(compared(VECTOR_LOG, &attacked("header /mandate/chain_id edited, log rebuilt")), Histories::Apart);
}

#[test]
fn two_histories_part_where_they_do_and_are_evidence() {
    let other = attacked("decision /record/observation/quote edited, log rebuilt");
    let step = VECTOR_LOG.lines().zip(other.lines()).skip(1).position(|(a, b)| a != b).unwrap();
    let Histories::Two(found) = compared(VECTOR_LOG, &other) else { panic!("one history") };
    assert_eq!((usize::try_from(found.step).unwrap(), found.proven), (step, false));
    let before: serde_json::Value = serde_json::from_str(VECTOR_LOG.lines().nth(step).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(found.common_head).unwrap(), before["head"]);
    assert_eq!(probity_verifier::next_head(&found.common_head, &found.left.entry.record), found.left.entry.head);
    assert_eq!(probity_verifier::next_head(&found.common_head, &found.right.entry.record), found.right.entry.head);
    let finding = found.finding();
    assert_eq!((finding.code, finding.step), (Code::Equivocation, Some(found.step)));
    let with = report(VECTOR_LOG).and(finding);
    assert_eq!((with.verdict, with.statement), (Verdict::Rejected, None));
    serde_json::to_string(&found).unwrap();
}
