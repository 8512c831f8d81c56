//! Rules by which values follow from values in a constraint system, whatever the witness. Each is a small theorem about the rows it names:
//!
//! - *Linear*: Σ cᵢ·vᵢ = 0 with one unknown vⱼ, cⱼ ≠ 0: vⱼ follows.
//! - *Positional*: Σ cᵢ·vᵢ = 0 whose unknowns are integers 0 … 2^wᵢ − 1 (by rows of their own) with cᵢ = ±2^oᵢ, all of one sign, in
//!   disjoint places below 2^253 < p: all of them follow (one integer has one binary form).
//! - *Product*: a · b = c with a and b known and one unknown in c: it follows.
//! - *Zero test*: w · inv = 1 − z and w · z = 0 with w known: z follows (w ≠ 0 ⇒ z = 0 by the second, w = 0 ⇒ z = 1 by the first).
//! - *Division*: q · d = n − r with d and n known and bits for q < 2^i, r < 2^j and d − 1 − r < 2^j, i + j + 1 ≤ 253: 0 ≤ r < d and
//!   q·d + r < 2^253 < p, so the equation is one of integers: q and r follow.
//! - *Opening*: the digest of a hash block is known: what it absorbed follows, by collision resistance of Poseidon. Applies only to
//!   blocks of which every row is there and whose digest follows from what it absorbs (checked first).

use crate::system::{Lc, System};
use ff::Field;
use probity_verifier::Scalar;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// 2^253 is below the order of BN254's scalar field.
const BITS: u32 = 253;

/// v is within 0 … 2^width − 1 by these rows.
#[derive(Clone)]
struct Range {
    width: u32,
    rows: Vec<usize>,
}

enum Kind {
    Linear(Lc),
    Product,
    Known { yields: Vec<usize> },
}

/// A rule: the variables it needs, the rows it stands on.
struct Rule {
    kind: Kind,
    needs: Vec<usize>,
    /// Of a product: the variables of c alone, one of which may be unknown.
    loose: Vec<usize>,
    rows: Vec<usize>,
}

/// The rules of a system.
pub(crate) struct Rules {
    rules: Vec<Rule>,
    by_row: Vec<Vec<usize>>,
    uses: Vec<Vec<(usize, bool)>>,
    ranges: Vec<Vec<Range>>,
    ranged_by_row: HashMap<usize, Vec<usize>>,
    /// Bits of some number.
    pub(crate) digits: BTreeSet<usize>,
    /// The inverse hints of zero tests.
    pub(crate) hints: BTreeSet<usize>,
    variables: usize,
    powers: HashMap<[u8; 32], u32>,
}

/// One application of a rule: what it yielded and every row that it stands on.
struct Event {
    rule: usize,
    yields: Vec<usize>,
    rows: Vec<usize>,
}

/// How everything follows from the inputs.
pub(crate) struct Derivation {
    events: Vec<Event>,
    by_row: Vec<Vec<usize>>,
    used_by: Vec<Vec<usize>>,
}

/// Unknowns of a rule: in `needs`, in `loose`, and without a range.
#[derive(Clone, Copy)]
struct Count {
    missing: usize,
    loose: usize,
    wild: usize,
}

fn variables(lc: &Lc) -> impl Iterator<Item = usize> + '_ {
    lc.iter().map(|(v, _)| *v).filter(|v| *v != 0)
}

fn combine(a: &Lc, k: Scalar, b: &Lc) -> Lc {
    let mut sum: BTreeMap<usize, Scalar> = a.iter().copied().collect();
    for (v, c) in b {
        *sum.entry(*v).or_insert(Scalar::ZERO) += k * c;
    }
    sum.into_iter().filter(|(_, c)| *c != Scalar::ZERO).collect()
}

/// a · b = c as a linear equation, if a or b is constant.
fn linear(system: &System, row: usize) -> Option<Lc> {
    let constant = |lc: &Lc| match lc.as_slice() {
        [] => Some(Scalar::ZERO),
        [(0, k)] => Some(*k),
        _ => None,
    };
    let row = &system.rows[row];
    let scaled = |k: Scalar, lc: &Lc| combine(&Lc::new(), k, lc);
    let product = constant(&row.b).map(|k| scaled(k, &row.a)).or_else(|| constant(&row.a).map(|k| scaled(k, &row.b)))?;
    Some(combine(&product, -Scalar::ONE, &row.c))
}

fn bytes(s: &Scalar) -> [u8; 32] {
    ff::PrimeField::to_repr(s).as_ref().try_into().unwrap()
}

fn powers() -> HashMap<[u8; 32], u32> {
    let mut out = HashMap::new();
    let mut power = Scalar::ONE;
    for n in 0..BITS {
        out.insert(bytes(&power), n);
        power = power.double();
    }
    out
}

/// A row Σ 2^i·bᵢ = wire whose bits are made right before it.
struct Binary {
    bits: Vec<usize>,
    rows: Vec<usize>,
    wire: Lc,
}

fn binaries(system: &System) -> Vec<Binary> {
    let (mut out, mut run): (Vec<Binary>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    for i in 0..system.rows.len() {
        if let Some(bit) = system.boolean_of(i) {
            run.push((bit, i));
            continue;
        }
        let equation = if run.is_empty() { None } else { linear(system, i) };
        if let Some(lc) = equation {
            let expected: Vec<(usize, Scalar)> =
                run.iter().scan(Scalar::ONE, |p, (b, _)| Some((*b, std::mem::replace(p, p.double())))).collect();
            if expected.iter().all(|term| lc.contains(term)) {
                let bits: Vec<usize> = run.iter().map(|(b, _)| *b).collect();
                let wire = lc.iter().filter(|(v, _)| !bits.contains(v)).map(|(v, k)| (*v, -*k)).collect();
                let mut rows: Vec<usize> = run.iter().map(|(_, r)| *r).collect();
                rows.push(i);
                out.push(Binary { bits, rows, wire });
            }
        }
        run.clear();
    }
    out
}

impl Rules {
    pub(crate) fn of(system: &System) -> Self {
        let count = system.w.len();
        let mut ranges: Vec<Vec<Range>> = vec![Vec::new(); count];
        for i in 0..system.rows.len() {
            if let Some(bit) = system.boolean_of(i) {
                ranges[bit].push(Range { width: 1, rows: vec![i] });
            }
        }
        let binaries = binaries(system);
        for b in &binaries {
            let [(v, one)] = b.wire.as_slice() else { continue };
            if *v != 0 && *one == Scalar::ONE {
                ranges[*v].push(Range { width: u32::try_from(b.bits.len()).unwrap(), rows: b.rows.clone() });
            }
        }
        let mut rules = Vec::new();
        for (i, row) in system.rows.iter().enumerate() {
            if let Some(lc) = linear(system, i) {
                rules.push(Rule { needs: variables(&lc).collect(), kind: Kind::Linear(lc), loose: Vec::new(), rows: vec![i] });
            } else {
                let needs: BTreeSet<usize> = variables(&row.a).chain(variables(&row.b)).collect();
                let loose = variables(&row.c).filter(|v| !needs.contains(v)).collect();
                rules.push(Rule { kind: Kind::Product, needs: needs.into_iter().collect(), loose, rows: vec![i] });
            }
        }
        let tests = system.zero_tests();
        for (first, w, _, z) in &tests {
            rules.push(Rule::known(variables(w).collect(), vec![*z], vec![*first, first + 1]));
        }
        rules.extend(divisions(system, &binaries, &ranges));
        rules.extend(openings(system));
        let (mut uses, mut by_row) = (vec![Vec::new(); count], vec![Vec::new(); system.rows.len()]);
        for (n, rule) in rules.iter().enumerate() {
            rule.needs.iter().for_each(|v| uses[*v].push((n, false)));
            rule.loose.iter().for_each(|v| uses[*v].push((n, true)));
            rule.rows.iter().for_each(|r| by_row[*r].push(n));
        }
        let mut ranged_by_row: HashMap<usize, Vec<usize>> = HashMap::new();
        for (v, facts) in ranges.iter().enumerate() {
            for row in facts.iter().flat_map(|f| &f.rows) {
                ranged_by_row.entry(*row).or_default().push(v);
            }
        }
        Self {
            rules,
            by_row,
            uses,
            ranges,
            ranged_by_row,
            digits: binaries.iter().flat_map(|b| b.bits.iter().copied()).collect(),
            hints: tests.iter().map(|t| t.2).collect(),
            variables: count,
            powers: powers(),
        }
    }

    /// n if c = 2^n, n < 253.
    fn exponent(&self, c: Scalar) -> Option<u32> {
        self.powers.get(&bytes(&c)).copied()
    }

    /// Width of the range of a variable that holds without a row.
    fn width(&self, v: usize, without: Option<usize>) -> Option<u32> {
        let holds = |f: &&Range| without.is_none_or(|row| !f.rows.contains(&row));
        self.ranges[v].iter().filter(holds).map(|f| f.width).min()
    }

    /// The width to which a variable is range-checked, if it is.
    pub(crate) fn range(&self, v: usize) -> Option<u32> {
        self.width(v, None)
    }

    /// What follows from the inputs: the derivation, and the variables that do *not* follow, hints aside.
    pub(crate) fn derive(&self, inputs: &[usize]) -> (Derivation, Vec<usize>) {
        let mut unknown = vec![true; self.variables];
        unknown[0] = false;
        inputs.iter().for_each(|v| unknown[*v] = false);
        let all: Vec<usize> = (0..self.rules.len()).collect();
        let events = self.close(&mut unknown, &all, None);
        let mut by_row = vec![Vec::new(); self.by_row.len()];
        let mut used_by = vec![Vec::new(); self.variables];
        for (n, event) in events.iter().enumerate() {
            let rule = &self.rules[event.rule];
            event.rows.iter().for_each(|row| by_row[*row].push(n));
            rule.needs.iter().chain(&rule.loose).filter(|v| !event.yields.contains(v)).for_each(|v| used_by[*v].push(n));
        }
        let open = (1..self.variables).filter(|v| unknown[*v] && !self.hints.contains(v)).collect();
        (Derivation { events, by_row, used_by }, open)
    }

    /// Whether everything still follows without a row.
    ///
    /// The cells in doubt are first only those that the row itself yielded, everything else taken as known: if they do not follow even
    /// so, they do not follow at all (more known values never yield less). Otherwise the doubt spreads to what was derived from them,
    /// until it is settled or covers all that depends on the row.
    pub(crate) fn follows_without(&self, row: usize, derivation: &Derivation) -> bool {
        let mut unknown = vec![false; self.variables];
        self.hints.iter().for_each(|v| unknown[*v] = true);
        let mut doubt: Vec<usize> = derivation.by_row[row].iter().flat_map(|n| derivation.events[*n].yields.iter().copied()).collect();
        doubt.iter().for_each(|v| unknown[*v] = true);
        let off = |n: &usize| self.rules[*n].rows.contains(&row);
        loop {
            let mut touched: Vec<usize> = doubt.iter().flat_map(|v| self.uses[*v].iter().map(|(n, _)| *n)).filter(|n| !off(n)).collect();
            touched.sort_unstable();
            touched.dedup();
            let mut rest = unknown.clone();
            self.close(&mut rest, &touched, Some(row));
            if doubt.iter().any(|v| rest[*v]) {
                return false;
            }
            let next = doubt.iter().flat_map(|v| &derivation.used_by[*v]).flat_map(|n| &derivation.events[*n].yields);
            let fresh: BTreeSet<usize> = next.copied().filter(|v| !unknown[*v]).collect();
            if fresh.is_empty() {
                return true;
            }
            fresh.iter().for_each(|v| unknown[*v] = true);
            doubt.extend(fresh);
        }
    }

    /// Applies rules until nothing more follows; returns what was derived how.
    fn close(&self, unknown: &mut [bool], rules: &[usize], without: Option<usize>) -> Vec<Event> {
        let widened: BTreeSet<usize> = without.and_then(|row| self.ranged_by_row.get(&row)).into_iter().flatten().copied().collect();
        let ranged = |v: usize| if widened.contains(&v) { self.width(v, without).is_some() } else { !self.ranges[v].is_empty() };
        let mut counts: Vec<Option<Count>> = vec![None; self.rules.len()];
        let (mut events, mut queue) = (Vec::new(), VecDeque::new());
        for n in rules {
            let rule = &self.rules[*n];
            let open = |vs: &[usize]| vs.iter().filter(|v| unknown[**v]).count();
            let linear = matches!(rule.kind, Kind::Linear(_));
            let wild = if linear { rule.needs.iter().filter(|v| unknown[**v] && !ranged(**v)).count() } else { 1 };
            counts[*n] = Some(Count { missing: open(&rule.needs), loose: open(&rule.loose), wild });
            queue.push_back(*n);
        }
        while let Some(n) = queue.pop_front() {
            let Some(count) = counts[n] else { continue };
            let Some(event) = self.fire(n, count, unknown, without) else { continue };
            for v in &event.yields {
                unknown[*v] = false;
                for (n, loose) in &self.uses[*v] {
                    let Some(count) = &mut counts[*n] else { continue };
                    if *loose {
                        count.loose -= 1;
                    } else {
                        count.missing -= 1;
                        count.wild -= usize::from(matches!(self.rules[*n].kind, Kind::Linear(_)) && !ranged(*v));
                    }
                    queue.push_back(*n);
                }
            }
            events.push(event);
        }
        events
    }

    fn fire(&self, n: usize, count: Count, unknown: &[bool], without: Option<usize>) -> Option<Event> {
        let rule = &self.rules[n];
        let open = |vs: &[usize]| vs.iter().copied().filter(|v| unknown[*v]).collect::<Vec<usize>>();
        let mut rows = rule.rows.clone();
        let yields = match &rule.kind {
            Kind::Linear(_) if count.missing == 1 => open(&rule.needs),
            Kind::Linear(lc) if count.missing > 1 && count.wild == 0 => {
                let terms: Lc = lc.iter().filter(|(v, _)| unknown[*v]).copied().collect();
                if !self.positional(&terms, without) {
                    return None;
                }
                for (v, _) in &terms {
                    rows.extend(self.ranges[*v].iter().flat_map(|f| &f.rows));
                }
                terms.iter().map(|(v, _)| *v).collect()
            }
            Kind::Product if count.missing == 0 && count.loose == 1 => open(&rule.loose),
            Kind::Known { yields } if count.missing == 0 => open(yields),
            _ => return None,
        };
        if yields.is_empty() { None } else { Some(Event { rule: n, yields, rows }) }
    }

    fn positional(&self, terms: &Lc, without: Option<usize>) -> bool {
        [Scalar::ONE, -Scalar::ONE].into_iter().any(|sign| {
            let mut places = Vec::with_capacity(terms.len());
            for (v, c) in terms {
                let (Some(low), Some(width)) = (self.exponent(sign * c), self.width(*v, without)) else { return false };
                places.push((low, low + width));
            }
            places.sort_unstable();
            places.windows(2).all(|pair| pair[0].1 <= pair[1].0) && places.last().is_none_or(|(_, end)| *end <= BITS)
        })
    }
}

impl Rule {
    fn known(needs: Vec<usize>, yields: Vec<usize>, rows: Vec<usize>) -> Self {
        let needs: BTreeSet<usize> = needs.into_iter().collect();
        Self { kind: Kind::Known { yields }, needs: needs.into_iter().collect(), loose: Vec::new(), rows }
    }
}

fn divisions(system: &System, binaries: &[Binary], ranges: &[Vec<Range>]) -> Vec<Rule> {
    let mut out = Vec::new();
    for (i, row) in system.rows.iter().enumerate() {
        let [(q, one)] = row.a.as_slice() else { continue };
        let Some(q_range) = ranges[*q].iter().find(|r| r.width > 1) else { continue };
        if *q == 0 || *one != Scalar::ONE {
            continue;
        }
        for (r, minus) in &row.c {
            let Some(r_range) = ranges.get(*r).and_then(|r| r.iter().find(|r| r.width > 1)) else { continue };
            let gap = combine(&row.b, -Scalar::ONE, &vec![(0, Scalar::ONE), (*r, Scalar::ONE)]);
            let Some(strict) = binaries.iter().find(|b| b.wire == gap) else { continue };
            let width = u32::try_from(strict.bits.len()).unwrap();
            if *minus != -Scalar::ONE || width != r_range.width || q_range.width + width + 1 > BITS {
                continue;
            }
            let needs = variables(&row.b).chain(variables(&row.c)).filter(|v| v != r).collect();
            let mut rows = vec![i];
            rows.extend(q_range.rows.iter().chain(&r_range.rows).chain(&strict.rows));
            out.push(Rule::known(needs, vec![*q, *r], rows));
        }
    }
    out
}

/// One rule a hash: from its digest to what it absorbs. Panics if a hash is not a function of what it absorbs.
fn openings(system: &System) -> Vec<Rule> {
    let mut hashes: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (v, place) in system.places.iter().enumerate() {
        if let Some(id) = place.hash {
            hashes.entry(id).or_default().0.push(v);
        }
    }
    for (i, row) in system.rows.iter().enumerate() {
        if let (Some(id), true) = (row.place.hash, row.label != "in") {
            hashes.entry(id).or_default().1.push(i);
        }
    }
    let mut out = Vec::new();
    for (id, (inside, rows)) in hashes {
        let absorbed: Vec<usize> = inside.iter().copied().filter(|v| &*system.places[*v].leaf == "in").collect();
        let mut known: BTreeSet<usize> = absorbed.iter().copied().collect();
        for row in &rows {
            let lc = linear(system, *row);
            let [a, b, c] = system.rows[*row].sides();
            let (free, bound): (Vec<usize>, Vec<usize>) = match &lc {
                Some(lc) => (variables(lc).collect(), Vec::new()),
                None => (variables(c).collect(), variables(a).chain(variables(b)).collect()),
            };
            let open: Vec<usize> = free.into_iter().filter(|v| !known.contains(v)).collect();
            assert!(bound.iter().all(|v| known.contains(v)) && open.len() == 1, "hash {id}: row {row} does not go forward");
            known.extend(open);
        }
        assert!(inside.iter().all(|v| known.contains(v)), "hash {id} is not a function of what it absorbs");
        out.push(Rule::known(vec![*inside.last().unwrap()], absorbed, rows));
    }
    out
}
