//! The vault's and the pool's storage by Merkle proofs: tries built here, honest and lying nodes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use probity_verifier::{
    Code, HeaderField, Line, LogReader, PoolHead, PoolObservation, PoolSeen, StateSeen, VECTOR_LOG, VaultSlots, audit_pool, audit_state,
    keccak256, log_end, word,
};

const SLOTS: VaultSlots = VaultSlots { registration: 1, head: 10, next_step: (11, 8) };
const VAULT: [u8; 20] = [0x11; 20];

fn text(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [b] if *b < 0x80 => vec![*b],
        _ => [length(0x80, bytes.len()), bytes.to_vec()].concat(),
    }
}

fn length(base: u8, n: usize) -> Vec<u8> {
    if let Some(short) = u8::try_from(n).ok().filter(|n| *n < 56) {
        return vec![base + short];
    }
    let digits: Vec<u8> = n.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    [vec![base + 55 + u8::try_from(digits.len()).unwrap()], digits].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let content = items.concat();
    [length(0xc0, content.len()), content].concat()
}

/// Hashed keys, as nibbles, with their values.
type Leaves = Vec<(Vec<u8>, Vec<u8>)>;

/// The node over some leaves, and the nodes down to the leaf with the wanted path. Nodes here are never below 32 bytes.
fn build(leaves: &Leaves, depth: usize, wanted: &[u8], down: &mut Vec<Vec<u8>>) -> Vec<u8> {
    if let [(path, value)] = leaves.as_slice() {
        let left = &path[depth..];
        let mut nibbles = if left.len() % 2 == 1 { vec![3, left[0]] } else { vec![2, 0] };
        nibbles.extend(&left[left.len() % 2..]);
        let compact: Vec<u8> = nibbles.chunks(2).map(|p| p[0] << 4 | p[1]).collect();
        let node = list(&[text(&compact), text(value)]);
        if path == wanted {
            down.push(node.clone());
        }
        return node;
    }
    let mut items = Vec::new();
    let mut below = Vec::new();
    for nibble in 0..16 {
        let some: Leaves = leaves.iter().filter(|(path, _)| path[depth] == nibble).cloned().collect();
        items.push(if some.is_empty() { text(&[]) } else { text(&keccak256(&build(&some, depth + 1, wanted, &mut below))) });
    }
    items.push(text(&[]));
    let node = list(&items);
    // Only what lies on the way to the wanted leaf belongs to its proof.
    if leaves.iter().any(|(path, _)| path == wanted) {
        down.push(node.clone());
        down.extend(below);
    }
    node
}

fn nibbles(key: &[u8]) -> Vec<u8> {
    keccak256(key).iter().flat_map(|b| [b >> 4, b & 15]).collect()
}

/// A chain whose vault holds these five words.
fn seen(words: &[[u8; 32]; 5]) -> StateSeen {
    let names = SLOTS.wanted();
    let trimmed = |word: &[u8; 32]| text(&word.iter().copied().skip_while(|b| *b == 0).collect::<Vec<u8>>());
    let mut leaves: Leaves = names.iter().zip(words).map(|(name, word)| (nibbles(name), trimmed(word))).collect();
    leaves.extend((100..120).map(|n| (nibbles(&word(n)), trimmed(&word(n)))));
    let mut root = [0; 32];
    let slots = names.map(|name| {
        let mut down = Vec::new();
        root = keccak256(&build(&leaves, 0, &nibbles(&name), &mut down));
        (name, down)
    });
    let code = b"code of the vault".to_vec();
    let account = list(&[text(&[1]), text(&[]), text(&root), text(&keccak256(&code))]);
    let mut accounts: Leaves = (0..20u8).map(|n| (nibbles(&[n; 20]), list(&[text(&[n + 1]), text(&[9; 40])]))).collect();
    accounts.retain(|(path, _)| *path != nibbles(&VAULT));
    accounts.push((nibbles(&VAULT), account));
    let mut down = Vec::new();
    let state = keccak256(&build(&accounts, 0, &nibbles(&VAULT), &mut down));
    let mut header = vec![HeaderField::Bytes(vec![7; 32]); 15];
    header[3] = HeaderField::Bytes(state.to_vec());
    header[8] = HeaderField::Number(vec![0x12, 0x34]);
    let encoded: Vec<Vec<u8>> = header
        .iter()
        .map(|f| match f {
            HeaderField::Bytes(b) | HeaderField::Number(b) => text(b),
        })
        .collect();
    StateSeen { header_hash: keccak256(&list(&encoded)), header, vault: VAULT, account: down, code, slots: slots.to_vec() }
}

fn honest() -> ([[u8; 32]; 5], u32) {
    let reader = LogReader::new(VECTOR_LOG.as_bytes()).unwrap();
    let h = reader.header();
    let (decisions, head) = log_end(VECTOR_LOG.as_bytes()).unwrap();
    let mut packed = word(1_700_043_200);
    packed[20..24].copy_from_slice(&decisions.to_be_bytes());
    let words = [h.mandate_digest.to_bytes(), h.model_commitment.to_bytes(), h.genesis_head.to_bytes(), head.to_bytes(), packed];
    (words, decisions)
}

fn found(seen: &StateSeen) -> (bool, Vec<(Code, Option<String>)>) {
    let (header, findings) = audit_state(VECTOR_LOG.as_bytes(), &SLOTS, seen);
    (header.is_some(), findings.into_iter().map(|f| (f.code, f.field)).collect())
}

#[test]
fn an_honest_node_is_believed_for_its_header_alone() {
    let (words, _) = honest();
    let seen = seen(&words);
    assert_eq!(found(&seen), (true, vec![]));
    let (header, _) = audit_state(VECTOR_LOG.as_bytes(), &SLOTS, &seen);
    assert_eq!(header.unwrap().number, 0x1234);
}

#[test]
fn another_history_in_the_vault_is_named_by_its_field() {
    let names = ["registration.mandateDigest", "registration.commitment", "registration.genesisHead", "head", "nextStep"];
    for (i, name) in names.into_iter().enumerate() {
        let (mut words, _) = honest();
        words[i][if name == "nextStep" { 23 } else { 31 }] ^= 1;
        assert_eq!(found(&seen(&words)), (true, vec![(Code::StateMismatch, Some(format!("vault.{name}")))]));
    }
}

#[test]
fn a_lying_node_contradicts_its_header() {
    let (words, _) = honest();
    let honest = seen(&words);
    type Lie = fn(&mut StateSeen);
    let lies: [Lie; 9] = [
        |s| s.header_hash[0] ^= 1,
        |s| s.header[3] = HeaderField::Bytes(vec![1; 32]),
        |s| s.header[9] = HeaderField::Bytes(vec![8; 32]),
        |s| s.account[1][40] ^= 1,
        |s| drop(s.account.pop()),
        |s| s.code.push(0),
        |s| s.slots[3].1.last_mut().unwrap()[20] ^= 1,
        |s| s.slots.swap(0, 1),
        |s| drop(s.slots.pop()),
    ];
    for (i, lie) in lies.into_iter().enumerate() {
        let mut seen = honest.clone();
        lie(&mut seen);
        let (header, codes) = found(&seen);
        assert!(!header, "lie {i}");
        assert!(codes.iter().all(|(code, _)| *code == Code::StateProofInvalid) && codes.len() == 1, "lie {i}: {codes:?}");
    }
    let mut elsewhere = honest;
    elsewhere.vault = [0x77; 20];
    assert_eq!(found(&elsewhere).1.len(), 1, "another address is not under these nodes");
}

/// The vector's log with the first decision on a block of a chain whose pool stands at a tick, and what a node hands over for it: one
/// observation before the interval, so that the mean is that tick.
fn pool(tick: i32) -> (String, PoolSeen) {
    let mut reader = LogReader::new(VECTOR_LOG.as_bytes()).unwrap();
    let mandate = reader.header().mandate.clone();
    let Some(Line::Entry(entry)) = reader.next_line().unwrap() else { unreachable!("the first line is a decision") };
    let obs = &entry.record.observation;
    let mut slot0 = [0x11; 32];
    slot0[9..12].copy_from_slice(&tick.to_be_bytes()[1..]);
    slot0[7..9].copy_from_slice(&0u16.to_be_bytes());
    slot0[5..7].copy_from_slice(&1u16.to_be_bytes());
    let mut stored = [0x22; 32];
    stored[0] = 1;
    stored[28..].copy_from_slice(&u32::try_from(obs.time_s - u64::from(mandate.interval_s) - 5).unwrap().to_be_bytes());
    let names = [PoolHead::place(), PoolObservation::place(0)];
    let mut leaves: Leaves = vec![(nibbles(&names[0]), text(&slot0)), (nibbles(&names[1]), text(&stored))];
    leaves.extend((100..120).map(|n| (nibbles(&word(n)), text(&[1]))));
    let mut root = [0; 32];
    let slots = names.map(|name| {
        let mut down = Vec::new();
        root = keccak256(&build(&leaves, 0, &nibbles(&name), &mut down));
        (name, down)
    });
    let address: Vec<u8> = hex::decode(&mandate.pool[2..]).unwrap();
    let mut accounts: Leaves = (0..20u8).map(|n| (nibbles(&[n; 20]), list(&[text(&[n + 1]), text(&[9; 40])]))).collect();
    accounts.push((nibbles(&address), list(&[text(&[1]), text(&[]), text(&root), text(&[5; 32])])));
    let mut down = Vec::new();
    let state = keccak256(&build(&accounts, 0, &nibbles(&address), &mut down));
    let number = |n: u64| HeaderField::Number(n.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect());
    let mut header = vec![HeaderField::Bytes(vec![7; 32]); 15];
    header[3] = HeaderField::Bytes(state.to_vec());
    (header[8], header[11]) = (number(obs.block_number), number(obs.time_s));
    let encoded: Vec<Vec<u8>> = header
        .iter()
        .map(|f| match f {
            HeaderField::Bytes(b) | HeaderField::Number(b) => text(b),
        })
        .collect();
    let named = |hash: [u8; 32]| format!("\"block_hash\":\"0x{}\"", hex::encode(hash));
    let log = VECTOR_LOG.replacen(&named(obs.block_hash), &named(keccak256(&list(&encoded))), 1);
    (log, PoolSeen { step: 0, header, account: down, slots: slots.to_vec() })
}

/// Code, line, decision and field of a finding.
type Found = (Code, Option<u64>, Option<u32>, Option<String>);

fn pool_found(log: &str, seen: &PoolSeen) -> (u32, Vec<Found>) {
    let (proven, findings) = audit_pool(log.as_bytes(), std::slice::from_ref(seen));
    (proven, findings.into_iter().map(|f| (f.code, f.line, f.step, f.field)).collect())
}

fn first_tick() -> i32 {
    let mut reader = LogReader::new(VECTOR_LOG.as_bytes()).unwrap();
    match reader.next_line().unwrap() {
        Some(Line::Entry(entry)) => entry.record.observation.mean_tick,
        _ => unreachable!("the first line is a decision"),
    }
}

#[test]
fn a_mean_tick_follows_from_the_pool_or_is_named() {
    let (log, seen) = pool(first_tick());
    assert_eq!(pool_found(&log, &seen), (1, vec![]));
    for off in [-1, 1] {
        let (log, seen) = pool(first_tick() + off);
        let field = Some("record.observation.mean_tick".to_owned());
        assert_eq!(pool_found(&log, &seen), (0, vec![(Code::PoolMismatch, Some(2), Some(0), field)]), "off by {off}");
    }
    // Another block than the record names: its state is nobody's business.
    assert_eq!(pool_found(VECTOR_LOG, &seen).1[0].0, Code::StateProofInvalid);
}

#[test]
fn a_node_that_lies_about_the_pool_contradicts_the_record_s_block() {
    let (log, honest) = pool(first_tick());
    type Lie = fn(&mut PoolSeen);
    let lies: [(Lie, &str); 8] = [
        (|s| s.header[3] = HeaderField::Bytes(vec![1; 32]), "pool.block header"),
        (|s| s.header[11] = HeaderField::Number(vec![1]), "pool.block header"),
        (|s| s.account[1][40] ^= 1, "pool.accountProof"),
        (|s| drop(s.account.pop()), "pool.accountProof"),
        (|s| s.slots[1].1.last_mut().unwrap()[20] ^= 1, "pool.storageProof"),
        (|s| s.slots[0].0 = word(4), "pool.storageProof"),
        (|s| drop(s.slots.pop()), "pool.storageProof"),
        (|s| drop(s.slots.remove(0)), "pool.storageProof"),
    ];
    for (i, (lie, field)) in lies.into_iter().enumerate() {
        let mut seen = honest.clone();
        lie(&mut seen);
        let expected = vec![(Code::StateProofInvalid, Some(2), Some(0), Some(field.to_owned()))];
        assert_eq!(pool_found(&log, &seen), (0, expected), "lie {i}");
    }
}
