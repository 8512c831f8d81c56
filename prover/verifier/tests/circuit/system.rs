//! A constraint system for tests: it keeps the matrices, the witness and the names, so that any cell can be overwritten
//! and any row left out.

use ff::Field;
use nova_snark::frontend::util_cs::witness_cs::WitnessCS;
use nova_snark::frontend::{ConstraintSystem, Index, LinearCombination, SynthesisError, Variable, num::AllocatedNum};
use nova_snark::traits::circuit::StepCircuit;
use probity_verifier::{ARITY, FoldCircuit, Scalar, Z};
use std::sync::Arc;

/// Variable 0 is the constant one; variable i + 1 is the i-th allocated one. Sorted, merged, without zeros.
pub(crate) type Lc = Vec<(usize, Scalar)>;

/// a · b = c, where it stands and what it is called.
pub(crate) struct Row {
    pub(crate) a: Lc,
    pub(crate) b: Lc,
    pub(crate) c: Lc,
    pub(crate) label: String,
    pub(crate) place: Place,
}

impl Row {
    pub(crate) fn sides(&self) -> [&Lc; 3] {
        [&self.a, &self.b, &self.c]
    }
}

/// Where a row or a variable was made.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Block of the circuit, 1 … 13 for `C1` … `C13`; 0 for z.
    pub(crate) block: u8,
    /// Which visit to a block, counted over all of them.
    pub(crate) visit: usize,
    /// Which hash, if any.
    pub(crate) hash: Option<usize>,
    /// Innermost namespace.
    pub(crate) leaf: Arc<str>,
}

/// The recorded system.
pub(crate) struct System {
    /// Values; all zero when only the shape was asked for.
    pub(crate) w: Vec<Scalar>,
    pub(crate) rows: Vec<Row>,
    /// Where each variable was made.
    pub(crate) places: Vec<Place>,
    /// Name of each block, as the circuit says it.
    pub(crate) blocks: Vec<Arc<str>>,
    shape_only: bool,
    stack: Vec<Place>,
    visits: usize,
    hashes: usize,
}

/// The value of a linear combination.
pub(crate) fn eval(lc: &Lc, w: &[Scalar]) -> Scalar {
    lc.iter().map(|(i, c)| *c * w[*i]).sum()
}

impl System {
    /// Synthesises a fold; returns the system and z after it.
    pub(crate) fn of(circuit: &FoldCircuit, z: Z) -> (Self, Vec<Scalar>) {
        let mut cs = Self::empty(false);
        let input: Vec<_> = z.iter().map(|v| AllocatedNum::alloc(&mut cs, || Ok(*v)).unwrap()).collect();
        let out = circuit.synthesize(&mut cs, &input).unwrap();
        // The witness that proofs are made from is collected by a system without rows: the same, cell by cell.
        let mut bare = WitnessCS::<Scalar>::new();
        let input: Vec<_> = z.iter().map(|v| AllocatedNum::alloc(&mut bare, || Ok(*v)).unwrap()).collect();
        circuit.synthesize(&mut bare, &input).unwrap();
        assert!(bare.aux_slice() == &cs.w[1..], "another witness without rows");
        let out = out.iter().map(|n| n.get_value().unwrap()).collect();
        (cs, out)
    }

    /// The matrices alone, without a witness: what the keys are made of.
    pub(crate) fn shape(circuit: &FoldCircuit) -> Self {
        let mut cs = Self::empty(true);
        let input: Vec<_> = (0..ARITY).map(|_| AllocatedNum::alloc(&mut cs, || Ok(Scalar::ZERO)).unwrap()).collect();
        circuit.synthesize(&mut cs, &input).unwrap();
        cs
    }

    fn empty(shape_only: bool) -> Self {
        let nowhere = Place { block: 0, visit: 0, hash: None, leaf: "".into() };
        let (w, places, stack) = (vec![Scalar::ONE], vec![nowhere.clone()], vec![nowhere]);
        Self { w, rows: Vec::new(), places, blocks: Vec::new(), shape_only, stack, visits: 0, hashes: 0 }
    }

    fn place(&self) -> Place {
        self.stack.last().unwrap().clone()
    }

    /// Whether a row holds.
    pub(crate) fn holds(&self, row: usize) -> bool {
        let row = &self.rows[row];
        eval(&row.a, &self.w) * eval(&row.b, &self.w) == eval(&row.c, &self.w)
    }

    /// The first row that does not hold.
    pub(crate) fn broken(&self) -> Option<usize> {
        (0..self.rows.len()).find(|i| !self.holds(*i))
    }

    pub(crate) fn nonzeros(&self) -> usize {
        self.rows.iter().flat_map(|r| r.sides().map(Vec::len)).sum()
    }

    /// b, if the row says b · (1 − b) = 0.
    pub(crate) fn boolean_of(&self, row: usize) -> Option<usize> {
        let Row { a, b, c, .. } = &self.rows[row];
        match (a.as_slice(), b.as_slice(), c.as_slice()) {
            ([(v, k)], [(0, one), (u, minus)], []) if *k == Scalar::ONE && *one == Scalar::ONE && u == v && *minus == -Scalar::ONE => {
                Some(*v)
            }
            _ => None,
        }
    }

    /// (w, inv, z) for every pair of rows w · inv = 1 − z, w · z = 0, with the first row's number.
    pub(crate) fn zero_tests(&self) -> Vec<(usize, Lc, usize, usize)> {
        let mut out = Vec::new();
        for i in 1..self.rows.len() {
            let (first, second) = (&self.rows[i - 1], &self.rows[i]);
            if first.label != "w · inv = 1 − z" {
                continue;
            }
            let ([(inv, _)], [(z, _)], []) = (first.b.as_slice(), second.b.as_slice(), second.c.as_slice()) else {
                panic!("row {i} does not look like the end of is_zero")
            };
            let expected = vec![(0, Scalar::ONE), (*z, -Scalar::ONE)];
            assert!(first.a == second.a && first.c == expected && second.label == "w · z = 0");
            out.push((i - 1, first.a.clone(), *inv, *z));
        }
        out
    }
}

fn merged(lc: &LinearCombination<Scalar>) -> Lc {
    let index = |v: Variable| match v.get_unchecked() {
        Index::Input(i) => {
            assert_eq!(i, 0, "the step circuit has no inputs of its own");
            0
        }
        Index::Aux(i) => i + 1,
    };
    let mut terms: Lc = lc.iter().map(|(v, c)| (index(v), *c)).collect();
    terms.sort_by_key(|(i, _)| *i);
    let mut out = Lc::with_capacity(terms.len());
    for (i, c) in terms {
        match out.last_mut() {
            Some((last, sum)) if *last == i => *sum += c,
            _ => out.push((i, c)),
        }
    }
    out.retain(|(_, c)| *c != Scalar::ZERO);
    out
}

impl ConstraintSystem<Scalar> for System {
    type Root = Self;

    fn alloc<F, A, AR>(&mut self, _: A, f: F) -> Result<Variable, SynthesisError>
    where
        F: FnOnce() -> Result<Scalar, SynthesisError>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.w.push(if self.shape_only { Scalar::ZERO } else { f()? });
        self.places.push(self.place());
        Ok(Variable::new_unchecked(Index::Aux(self.w.len() - 2)))
    }

    fn alloc_input<F, A, AR>(&mut self, _: A, _: F) -> Result<Variable, SynthesisError>
    where
        F: FnOnce() -> Result<Scalar, SynthesisError>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        panic!("the step circuit has no inputs of its own")
    }

    fn enforce<A, AR, LA, LB, LC>(&mut self, label: A, a: LA, b: LB, c: LC)
    where
        A: FnOnce() -> AR,
        AR: Into<String>,
        LA: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
        LB: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
        LC: FnOnce(LinearCombination<Scalar>) -> LinearCombination<Scalar>,
    {
        let zero = LinearCombination::zero;
        let (a, b, c) = (merged(&a(zero())), merged(&b(zero())), merged(&c(zero())));
        self.rows.push(Row { a, b, c, label: label().into(), place: self.place() });
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, name: N) {
        let mut place = Place { leaf: name().into().into(), ..self.place() };
        if let Some(number) = place.leaf.strip_prefix('C').and_then(|n| n.split(' ').next()?.parse().ok()) {
            assert_eq!(place.block, 0, "{} inside another block", place.leaf);
            self.visits += 1;
            (place.block, place.visit) = (number, self.visits);
            if !self.blocks.contains(&place.leaf) {
                self.blocks.push(place.leaf.clone());
            }
        }
        if &*place.leaf == "hash" {
            self.hashes += 1;
            place.hash = Some(self.hashes);
        }
        self.stack.push(place);
    }

    fn pop_namespace(&mut self) {
        self.stack.pop();
    }

    fn get_root(&mut self) -> &mut Self::Root {
        self
    }
}
