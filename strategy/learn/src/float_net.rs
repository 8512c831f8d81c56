//! The float network as others train and keep it: a PyTorch-style state dict in a safetensors file.
//!
//! Architecture: `Linear, ReLU, Linear, ReLU, …, Linear` from 16 inputs to 3 outputs. Input i is S3's feature i over 127
//! (the last one is the weight: (weight − ½)·2); outputs are sell, hold, buy; the target weight is sigmoid(buy − sell).
//! Tensors `<name><n>.weight` (out × in) and `<name><n>.bias` (out), layers in the order of n, as in the state dict of a
//! `Sequential`; and, if wanted, `feature_scales` (16 whole numbers 1 … 65535, the `scale_i` of S3).

use crate::{LearnError, surrogate::Surrogate};
use candle_core::{DType, Device, Tensor, Var};
use probity_strategy::{FEATURES, ModelShape};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Name of the tensor of feature scales.
const SCALES: &str = "feature_scales";
/// Rescale shift of an imported network's hidden layers.
const SHIFT: u8 = 7;

/// A float network. `Debug` shows its sizes only.
#[derive(Clone, PartialEq)]
pub struct FloatNet {
    /// Layer widths, from 16 to 3.
    pub(crate) dims: Vec<u16>,
    /// Weights (out × in, row by row) and biases of each layer.
    pub(crate) layers: Vec<(Vec<f32>, Vec<f32>)>,
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
        let mut scales = None;
        for (name, tensor) in tensors {
            if name == SCALES {
                scales = Some(scales_of(&tensor)?);
                continue;
            }
            let unknown = || LearnError::value("tensor", "<name><n>.weight, <name><n>.bias or feature_scales", &name);
            let (layer, kind) = name.rsplit_once('.').ok_or_else(unknown)?;
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
        let (mut dims, mut layers): (Vec<u16>, Vec<_>) = (vec![16], Vec::new());
        for (n, pair) in found {
            let [Some(w), Some(b)] = pair else {
                return Err(LearnError::value(format!("layer {n}"), "a weight and a bias", "one of them"));
            };
            let (out, from) =
                w.dims2().map_err(|_| LearnError::value(format!("layer {n}, weight"), "out × in", format!("{:?}", w.dims())))?;
            let before = dims.last().copied().map_or(0, usize::from);
            if from != before || b.elem_count() != out || !(1..=128).contains(&out) {
                let expected = format!("a weight of 1 … 128 × {before} and as many biases");
                return Err(LearnError::value(format!("layer {n}"), expected, format!("{:?} and {:?}", w.dims(), b.dims())));
            }
            let flat = |t: &Tensor| -> Result<Vec<f32>, LearnError> { Ok(t.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?) };
            let (w, b) = (flat(&w)?, flat(&b)?);
            if w.iter().chain(&b).any(|v| !v.is_finite()) {
                return Err(LearnError::value(format!("layer {n}"), "finite numbers", "another"));
            }
            dims.push(u16::try_from(out).unwrap_or(0));
            layers.push((w, b));
        }
        if !(1..=4).contains(&layers.len()) || dims.last() != Some(&3) {
            return Err(LearnError::value("layers", "1 … 4 from 16 inputs to 3 outputs", format!("{dims:?}")));
        }
        Ok(Self { dims, layers, scales })
    }

    /// The shape its integer model has.
    #[must_use]
    pub fn shape(&self) -> ModelShape {
        ModelShape { shifts: vec![SHIFT; self.layers.len().saturating_sub(1)], dims: self.dims.clone() }
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
            let w = Tensor::from_vec(w.clone(), (to, from), &Device::Cpu)?;
            let b = Tensor::from_vec(b.clone(), (1, to), &Device::Cpu)?;
            layers.push((Var::from_tensor(&w)?, Var::from_tensor(&b)?));
        }
        Ok(Surrogate { layers })
    }

    pub(crate) fn of_surrogate(shape: &ModelShape, net: &Surrogate, scales: [u16; FEATURES]) -> Result<Self, LearnError> {
        let flat = |v: &Var| -> Result<Vec<f32>, LearnError> { Ok(v.as_tensor().flatten_all()?.to_vec1()?) };
        let layers = net.layers.iter().map(|(w, b)| Ok((flat(w)?, flat(b)?))).collect::<Result<_, LearnError>>()?;
        Ok(Self { dims: shape.dims.clone(), layers, scales: Some(scales) })
    }
}

fn scales_of(tensor: &Tensor) -> Result<[u16; FEATURES], LearnError> {
    let values: Vec<f64> = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let bad = |got: String| LearnError::value(SCALES, "16 whole numbers 1 … 65535", got);
    let mut out = [0u16; FEATURES];
    if values.len() != FEATURES {
        return Err(bad(format!("{} numbers", values.len())));
    }
    for (o, v) in out.iter_mut().zip(&values) {
        let whole = crate::grid::round(*v, 65_536);
        *o = u16::try_from(whole).ok().filter(|w| *w > 0 && (f64::from(*w) - v).abs() < 1e-9).ok_or_else(|| bad(v.to_string()))?;
    }
    Ok(out)
}
