//! The float network as others train and keep it: a PyTorch-style state dict in a safetensors file.
//!
//! Architecture: `Linear, ReLU, Linear, ReLU, …, Linear` from 16 inputs to 3 outputs. Input i is S3's feature i over 127
//! (the last one is the weight: (weight − ½)·2); outputs are sell, hold, buy; the target weight is sigmoid(buy − sell).
//! Tensors `<name><n>.weight` (out × in) and `<name><n>.bias` (out), layers in the order of n, as in the state dict of a
//! `Sequential`; and, if wanted, `feature_scales` (16 whole numbers 1 … 65535, the `scale_i` of S3).
//!
//! A recurrent network has `<name>gate.weight`, `<name>gate.bias`, `<name>candidate.weight`, `<name>candidate.bias` besides, two `Linear` of
//! its inputs and memory, and its first layer sees the memory behind the inputs (see `cell.rs`). Optional: `memory_shifts` (2 whole
//! numbers 1 … 12, the rescale shifts of gates and candidates), else the largest at which no weight is cut off.

use crate::{
    LearnError,
    cell::{self, Cell},
    surrogate::Surrogate,
};
use candle_core::{DType, Device, Tensor, Var};
use probity_strategy::{BIAS_LIMIT, FEATURES, MEMORY_MAX, ModelShape, Recurrent};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Name of the tensor of feature scales.
const SCALES: &str = "feature_scales";
/// Name of the tensor of a memory's rescale shifts.
const SHIFTS: &str = "memory_shifts";
/// Rescale shift of an imported network's hidden layers.
const SHIFT: u8 = 7;
/// Names of the two matrices of a memory.
const PARTS: [&str; 2] = ["gate", "candidate"];

/// Weights (out × in, row by row) and biases.
type Matrix = (Vec<f32>, Vec<f32>);

/// A float network. `Debug` shows its sizes only.
#[derive(Clone, PartialEq)]
pub struct FloatNet {
    /// Layer widths, from 16 to 3.
    pub(crate) dims: Vec<u16>,
    /// Each layer.
    pub(crate) layers: Vec<Matrix>,
    /// Gates and candidates of a memory.
    pub(crate) memory: Option<(Recurrent, [Matrix; 2])>,
    /// Scales of the features it was trained on, if it says so.
    pub(crate) scales: Option<[u16; FEATURES]>,
}

impl std::fmt::Debug for FloatNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FloatNet({:?}, private)", self.dims)
    }
}

impl FloatNet {
    /// Reads a state dict.
    pub fn load(path: &Path) -> Result<Self, LearnError> {
        let bytes = std::fs::read(path).map_err(|e| LearnError::file(path, e))?;
        let bad = |e: candle_core::Error| LearnError::value(path.display(), "a safetensors file", e);
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(bad)?;
        Self::of(tensors).map_err(|e| match e {
            LearnError::Value { field, expected, got } => {
                LearnError::Value { field: format!("{}: {field}", path.display()), expected, got }
            }
            other => other,
        })
    }

    fn of(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<Self, LearnError> {
        let mut found: BTreeMap<u32, [Option<Tensor>; 2]> = BTreeMap::new();
        let (mut scales, mut shifts) = (None, None);
        let mut parts: [[Option<Tensor>; 2]; 2] = Default::default();
        for (name, tensor) in tensors {
            if name == SCALES {
                scales = Some(whole(&tensor, SCALES, 65_535)?);
                continue;
            }
            if name == SHIFTS {
                shifts = Some(whole::<2>(&tensor, SHIFTS, 12)?);
                continue;
            }
            let known = "<name><n>.weight, <name><n>.bias, <name>gate.…, <name>candidate.…, feature_scales or memory_shifts";
            let unknown = || LearnError::value("tensor", known, &name);
            let (layer, kind) = name.rsplit_once('.').ok_or_else(unknown)?;
            let own = layer.rsplit('.').next().and_then(|last| PARTS.iter().position(|p| *p == last));
            if let Some(part) = own.and_then(|part| parts.get_mut(part)) {
                let slot =
                    part.get_mut(usize::from(kind != "weight")).filter(|_| ["weight", "bias"].contains(&kind)).ok_or_else(unknown)?;
                if slot.replace(tensor).is_some() {
                    return Err(LearnError::value("tensor", "one of each layer and kind", format!("a second one: {name}")));
                }
                continue;
            }
            let digits = layer.trim_start_matches(|c: char| !c.is_ascii_digit());
            let n: u32 = digits.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|d| d.parse().ok()).ok_or_else(unknown)?;
            let at = match kind {
                "weight" => 0,
                "bias" => 1,
                _ => return Err(unknown()),
            };
            let slot = found.entry(n).or_default().get_mut(at).ok_or_else(unknown)?;
            if slot.replace(tensor).is_some() {
                return Err(LearnError::value("tensor", "one of each layer and kind", format!("a second one of layer {n}: {name}")));
            }
        }
        let memory = memory_of(parts, shifts)?;
        let inputs = memory.as_ref().map_or(16, |(part, _)| 16 + part.units);
        let (mut dims, mut layers): (Vec<u16>, Vec<_>) = (vec![inputs], Vec::new());
        for (n, pair) in found {
            let before = dims.last().copied().map_or(0, usize::from);
            let (out, layer) = matrix(&format!("layer {n}"), pair, before, 128)?;
            dims.push(out);
            layers.push(layer);
        }
        if !(1..=4).contains(&layers.len()) || dims.last() != Some(&3) {
            return Err(LearnError::value("layers", format!("1 … 4 from {inputs} inputs to 3 outputs"), format!("{dims:?}")));
        }
        Ok(Self { dims, layers, memory, scales })
    }

    /// The shape its integer model has.
    #[must_use]
    pub fn shape(&self) -> ModelShape {
        let shifts = vec![SHIFT; self.layers.len().saturating_sub(1)];
        ModelShape { shifts, dims: self.dims.clone(), recurrent: self.memory.as_ref().map(|(part, _)| *part) }
    }

    /// Writes a new state dict (`0.weight`, `0.bias`, `2.weight`, … as of a `Sequential` with activations between) that
    /// only its owner may read. An existing file is never overwritten.
    pub fn save(&self, path: &Path) -> Result<(), LearnError> {
        let mut tensors = Vec::new();
        for (i, ((w, b), pair)) in self.layers.iter().zip(self.dims.windows(2)).enumerate() {
            let [from, to] = pair else { continue };
            let (from, to) = (usize::from(*from), usize::from(*to));
            tensors.push((format!("{}.weight", 2 * i), Tensor::from_vec(w.clone(), (to, from), &Device::Cpu)?));
            tensors.push((format!("{}.bias", 2 * i), Tensor::from_vec(b.clone(), to, &Device::Cpu)?));
        }
        if let Some((part, matrices)) = &self.memory {
            let units = usize::from(part.units);
            for (name, (w, b)) in PARTS.iter().zip(matrices) {
                tensors.push((format!("{name}.weight"), Tensor::from_vec(w.clone(), (units, FEATURES + units), &Device::Cpu)?));
                tensors.push((format!("{name}.bias"), Tensor::from_vec(b.clone(), units, &Device::Cpu)?));
            }
            let shifts = [part.gate_shift, part.candidate_shift].map(f32::from);
            tensors.push((SHIFTS.into(), Tensor::from_vec(shifts.to_vec(), 2, &Device::Cpu)?));
        }
        if let Some(scales) = self.scales {
            tensors.push((SCALES.into(), Tensor::from_vec(scales.map(f32::from).to_vec(), FEATURES, &Device::Cpu)?));
        }
        let bytes = safetensors::serialize(tensors, None);
        let bytes = bytes.map_err(|e| LearnError::value(path.display(), "tensors that can be written", e))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|e| LearnError::file(path, e))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| LearnError::file(path, e))
    }

    pub(crate) fn surrogate(&self) -> Result<Surrogate, LearnError> {
        let mut layers = Vec::new();
        for ((w, b), pair) in self.layers.iter().zip(self.dims.windows(2)) {
            let [from, to] = pair else { continue };
            let (from, to) = (usize::from(*from), usize::from(*to));
            layers.push(variables(w, b, (to, from))?);
        }
        let cell = self.memory.as_ref().map(|(part, [(g, b), (c, d)])| -> Result<Cell, LearnError> {
            let units = usize::from(part.units);
            let of = |w, b| variables(w, b, (units, FEATURES + units));
            Ok(Cell { part: *part, gate: of(g, b)?, candidate: of(c, d)? })
        });
        Ok(Surrogate { cell: cell.transpose()?, layers })
    }

    pub(crate) fn of_surrogate(shape: &ModelShape, net: &Surrogate, scales: [u16; FEATURES]) -> Result<Self, LearnError> {
        let flat = |v: &Var| -> Result<Vec<f32>, LearnError> { Ok(v.as_tensor().flatten_all()?.to_vec1()?) };
        let matrix = |(w, b): &(Var, Var)| -> Result<Matrix, LearnError> { Ok((flat(w)?, flat(b)?)) };
        let layers = net.layers.iter().map(matrix).collect::<Result<_, LearnError>>()?;
        let memory = net.cell.as_ref().map(|c| -> Result<_, LearnError> { Ok((c.part, [matrix(&c.gate)?, matrix(&c.candidate)?])) });
        Ok(Self { dims: shape.dims.clone(), layers, memory: memory.transpose()?, scales: Some(scales) })
    }
}

fn variables(w: &[f32], b: &[f32], (to, from): (usize, usize)) -> Result<(Var, Var), LearnError> {
    let w = Tensor::from_vec(w.to_vec(), (to, from), &Device::Cpu)?;
    let b = Tensor::from_vec(b.to_vec(), (1, to), &Device::Cpu)?;
    Ok((Var::from_tensor(&w)?, Var::from_tensor(&b)?))
}

/// A weight and a bias with so many inputs, and how many outputs they have, at most `most`.
fn matrix(name: &str, pair: [Option<Tensor>; 2], inputs: usize, most: usize) -> Result<(u16, Matrix), LearnError> {
    let [Some(w), Some(b)] = pair else { return Err(LearnError::value(name, "a weight and a bias", "one of them")) };
    let (out, from) = w.dims2().map_err(|_| LearnError::value(format!("{name}, weight"), "out × in", format!("{:?}", w.dims())))?;
    if from != inputs || b.elem_count() != out || !(1..=most).contains(&out) {
        let expected = format!("a weight of 1 … {most} × {inputs} and as many biases");
        return Err(LearnError::value(name, expected, format!("{:?} and {:?}", w.dims(), b.dims())));
    }
    let flat = |t: &Tensor| -> Result<Vec<f32>, LearnError> { Ok(t.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?) };
    let (w, b) = (flat(&w)?, flat(&b)?);
    if w.iter().chain(&b).any(|v| !v.is_finite()) {
        return Err(LearnError::value(name, "finite numbers", "another"));
    }
    Ok((u16::try_from(out).unwrap_or(0), (w, b)))
}

/// The memory of a recurrent network: none of its tensors, or all four.
fn memory_of(parts: [[Option<Tensor>; 2]; 2], shifts: Option<[u16; 2]>) -> Result<Option<(Recurrent, [Matrix; 2])>, LearnError> {
    if parts.iter().flatten().all(Option::is_none) {
        return match shifts {
            None => Ok(None),
            Some(_) => Err(LearnError::value(SHIFTS, "gates and candidates beside it", "none")),
        };
    }
    let [gate, candidate] = parts;
    let most = usize::from(MEMORY_MAX);
    let units = gate.iter().flatten().next().and_then(|t| t.dim(0).ok()).unwrap_or(0);
    let (units, gate) = matrix("gate", gate, FEATURES + units, most)?;
    let (same, candidate) = matrix("candidate", candidate, FEATURES + usize::from(units), most)?;
    if same != units {
        return Err(LearnError::value("candidate", format!("{units} outputs, as gate"), same));
    }
    let part = |shifts: [u8; 2]| Recurrent { units, gate_shift: shifts[0], candidate_shift: shifts[1] };
    let given = shifts.map(|s| s.map(|v| u8::try_from(v).unwrap_or(0)));
    let matrices = [gate, candidate];
    let shifts = given.unwrap_or_else(|| {
        // The integer units of each shift; the largest at which every weight and bias is within what an integer one can be.
        let largest = |of: usize| {
            let cut = |s: &u8| {
                cell::grids(&part([*s; 2])).get(of).zip(matrices.get(of)).is_some_and(|(l, (w, b))| {
                    let most = |v: &[f32]| v.iter().fold(0f64, |m, v| m.max(f64::from(*v).abs()));
                    most(w) * l.weight > 127.5 || most(b) * l.weight * l.from > f64::from(BIAS_LIMIT)
                })
            };
            (1..=12).rev().find(|s| !cut(s)).unwrap_or(1)
        };
        [largest(0), largest(1)]
    });
    Ok(Some((part(shifts), matrices)))
}

/// N whole numbers 1 … most.
fn whole<const N: usize>(tensor: &Tensor, name: &str, most: u16) -> Result<[u16; N], LearnError> {
    let values: Vec<f64> = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let bad = |got: String| LearnError::value(name, format!("{N} whole numbers 1 … {most}"), got);
    let mut out = [0u16; N];
    if values.len() != N {
        return Err(bad(format!("{} numbers", values.len())));
    }
    for (o, v) in out.iter_mut().zip(&values) {
        let whole = crate::grid::round(*v, 65_536);
        let fits = |w: &u16| (1..=most).contains(w) && (f64::from(*w) - v).abs() < 1e-9;
        *o = u16::try_from(whole).ok().filter(fits).ok_or_else(|| bad(v.to_string()))?;
    }
    Ok(out)
}
