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
    let cut: String = VECTOR_LOG.split_inclusive('\n').take(7).collect();
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
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let place = VECTOR_LOG.lines().zip(other.lines()).skip(1).position(|(a, b)| value(a) != value(b)).unwrap();
    // Announcements are lines and no decisions.
    let step = VECTOR_LOG.lines().skip(1).take(place).filter(|l| l.contains("\"record\"")).count();
    assert!(step < place);
    let Histories::Two(found) = compared(VECTOR_LOG, &other) else { panic!("one history") };
    assert_eq!((usize::try_from(found.step).unwrap(), found.proven), (step, false));
    let before: serde_json::Value = serde_json::from_str(VECTOR_LOG.lines().nth(place).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(found.common_head).unwrap(), before["head"]);
    for entry in [&found.left, &found.right].map(|s| s.entry.as_ref().unwrap()) {
        assert_eq!(probity_verifier::next_head(&found.common_head, &entry.record), entry.head);
    }
    let finding = found.finding();
    assert_eq!((finding.code, finding.step), (Code::Equivocation, Some(found.step)));
    let with = report(VECTOR_LOG).and(finding);
    assert_eq!((with.verdict, with.statement), (Verdict::Rejected, None));
    serde_json::to_string(&found).unwrap();
}

/// An announcement in both logs, or another one in each, does not end the comparison.
#[test]
fn histories_part_at_an_announcement_too() {
    let other = attacked("announcement /rotation/at_step edited to 20, log rebuilt");
    let Histories::Two(found) = compared(VECTOR_LOG, &other) else { panic!("one history") };
    assert_eq!((found.step, found.proven), (2, false));
    assert_eq!([&found.left, &found.right].map(|s| s.announced.map(|r| r.at_step)), [Some(16), Some(20)]);
    let Histories::Two(found) = compared(VECTOR_LOG, &attacked("the announcement taken out, log rebuilt")) else { panic!("one history") };
    assert_eq!((found.step, found.left.announced.is_some(), found.right.announced.is_none()), (2, true, true));
}

/// Lines that were edited under their old heads prove nothing against anybody, even beside a proof.
#[test]
fn a_forged_copy_is_no_proven_side() {
    let edited = attacked("decision /record/observation/quote edited");
    let Histories::Two(found) = compared(VECTOR_LOG, &edited) else { panic!("one history") };
    assert!(!found.proven);
    assert_eq!(found.left.entry.as_ref().unwrap().head, found.right.entry.as_ref().unwrap().head);
}

/// One log says that nothing follows, or that other weights do, and the other one says otherwise: two histories, though no proof covers that.
#[test]
fn what_the_shorter_log_ends_with_is_held_against_the_longer_one() {
    let lines: Vec<&str> = VECTOR_LOG.split_inclusive('\n').collect();
    let at = lines.iter().position(|l| l.contains("\"rotation\"")).unwrap();
    let decided = u32::try_from(lines.iter().take(at).filter(|l| l.contains("\"record\"")).count()).unwrap();
    let ends_announcing = lines[..=at].concat();
    assert_eq!(compared(VECTOR_LOG, &ends_announcing), Histories::One { shared: decided });

    // Other weights were promised than those that took over, or none were.
    let other = attacked("announcement /rotation/at_step edited to 20, log rebuilt");
    let other: String = other.split_inclusive('\n').take(at + 1).collect();
    let Histories::Two(found) = compared(&ends_announcing, &other) else { panic!("one history") };
    assert_eq!((found.step, found.proven, &found.left.entry, &found.right.entry), (decided, false, &None, &None));
    assert!(found.left.announced.is_some() && found.left.announced != found.right.announced);
    let none = attacked("the announcement taken out, log rebuilt");
    for (left, right) in [(&ends_announcing, &none), (&none, &ends_announcing)] {
        let Histories::Two(found) = compared(left, right) else { panic!("one history") };
        assert_eq!((found.step, found.proven), (decided, false));
        assert_eq!([&found.left, &found.right].map(|s| s.announced.is_some()), [left == &ends_announcing, right == &ends_announcing]);
    }

    // One is sealed where the other goes on.
    let seal = lines.last().unwrap();
    assert!(seal.contains("\"seal"), "{seal}");
    let open = lines[..lines.len() - 1].concat();
    assert_eq!(compared(VECTOR_LOG, &open), Histories::One { shared: 12 });
    let head = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["head"].as_str().unwrap().to_owned();
    let (before, last) = (lines[lines.len() - 3], lines[lines.len() - 2]);
    let sealed_early = lines[..lines.len() - 2].concat() + &seal.replace(&head(last), &head(before)).replace("12", "11");
    let Histories::Two(found) = compared(VECTOR_LOG, &sealed_early) else { panic!("one history") };
    assert_eq!((found.step, found.proven, found.right.sealed, found.left.sealed), (11, false, true, false));
    assert!(found.finding().to_string().contains("a seal"), "{}", found.finding());
}
