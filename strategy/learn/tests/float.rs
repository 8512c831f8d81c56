//! Float networks: a state dict from elsewhere becomes an integer model, and quantising is reported; training goes on after an interruption.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use probity_learn::{FloatNet, LearnError, Series, TrainConfig, import, quantisation, train_in};
use probity_strategy::{ModelShape, Recurrent};
use std::path::{Path, PathBuf};

/// A seeded walk that reverts a little; no market.
fn series(bars: u64) -> Series {
    let (mut state, mut tick) = (1u64, 200_000i32);
    let ticks = (0..bars).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tick += i32::try_from((state >> 33) % 201).unwrap() - 100 - (tick - 200_000) / 50;
        tick
    });
    let ticks = ticks.collect();
    Series::new("walk".into(), 3_600, (0..bars).map(|i| 1_600_000_000 + i * 3_600).collect(), ticks).unwrap()
}

fn config() -> TrainConfig {
    let at = |bar: u64| 1_600_000_000 + bar * 3_600;
    TrainConfig {
        batch: 16,
        window: 8,
        max_steps: 60,
        embargo: 64,
        validation_from: at(2_000),
        validation_to: at(2_800),
        ..TrainConfig::default()
    }
}

/// A safetensors file by hand, as PyTorch would write it: header length, JSON header, little-endian data.
fn state_dict(path: &Path, tensors: &[(&str, Vec<usize>, Vec<f32>)]) {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        header.push(format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{}]}}", data.len()));
    }
    let mut header = format!("{{{}}}", header.join(","));
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    std::fs::write(path, file).unwrap();
}

/// Weights of some size, the same every time.
fn weights(n: usize, size: f32) -> Vec<f32> {
    let mut state = 9u64;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (f32::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0) * size
        })
        .collect()
}

#[test]
fn a_network_trained_elsewhere_imports_quantises_and_reports() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    let dense = vec![
        ("model.0.weight", vec![24, 16], weights(24 * 16, 0.4)),
        ("model.0.bias", vec![24], weights(24, 0.1)),
        ("model.2.weight", vec![3, 24], weights(72, 0.3)),
        ("model.2.bias", vec![3], vec![0.0; 3]),
    ];
    let linear = vec![("fc0.weight", vec![3, 16], weights(48, 0.5)), ("fc0.bias", vec![3], vec![0.01, 0.0, -0.01])];
    let series = series(4_000);
    for (tensors, dims) in [(dense.clone(), vec![16, 24, 3]), (linear, vec![16, 3])] {
        state_dict(&path, &tensors);
        let net = FloatNet::load(&path).unwrap();
        let (file, report) = import(&net, &series, &config()).unwrap();
        assert_eq!((&file.shape.dims, report.own_scales, report.policies_tried), (&dims, false, 72));
        let cost = quantisation(&net, &file, &series, config().validation_to, u64::MAX, 5.0).unwrap();
        assert_eq!((cost.decisions, cost.flips_per_10_000), (1_200, f64::from(u32::try_from(cost.flips).unwrap()) * 10_000.0 / 1_200.0));
        assert!(cost.flips < 60 && cost.reversals == 0 && cost.worst_logit > 0.0 && cost.worst_logit < cost.logit_size, "{cost:?}");
        // Another network is not what this model was made of.
        let mut other = tensors.clone();
        other[0].2.iter_mut().for_each(|w| *w = -*w);
        state_dict(&path, &other);
        let worse = quantisation(&FloatNet::load(&path).unwrap(), &file, &series, config().validation_to, u64::MAX, 5.0);
        assert!(worse.is_err() || worse.unwrap().flips > 100);
    }

    for (change, field) in [
        (vec![("0.weight", vec![3, 15], weights(45, 0.1)), ("0.bias", vec![3], vec![0.0; 3])], "layer 0"),
        (vec![("0.weight", vec![3, 16], weights(48, 0.1))], "layer 0"),
        (vec![("0.weight", vec![2, 16], weights(32, 0.1)), ("0.bias", vec![2], vec![0.0; 2])], "layers"),
        (vec![("0.gamma", vec![3], vec![0.0; 3])], "tensor"),
        (vec![("0.weight", vec![3, 16], vec![f32::NAN; 48]), ("0.bias", vec![3], vec![0.0; 3])], "layer 0"),
        (vec![("feature_scales", vec![16], vec![0.5; 16])], "feature_scales"),
    ] {
        state_dict(&path, &change);
        let error = FloatNet::load(&path).unwrap_err();
        assert!(matches!(&error, LearnError::Value { field: f, .. } if f.ends_with(field) || f.contains(field)), "{error}");
    }
    std::fs::write(&path, "no safetensors").unwrap();
    assert!(FloatNet::load(&path).is_err());
}

#[test]
fn training_goes_on_to_the_same_model_and_its_network_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let series = series(3_000);
    let (shape, whole) = (ModelShape { dims: vec![16, 8, 3], shifts: vec![7], recurrent: None }, config());
    let straight = train_in(&shape, &series, &whole, None).unwrap();
    let file: PathBuf = dir.path().join("training.ckpt");
    let half = train_in(&shape, &series, &TrainConfig { max_steps: 40, ..whole.clone() }, Some(&file)).unwrap();
    assert_eq!(half.report.steps, 40);
    let rest = train_in(&shape, &series, &whole, Some(&file)).unwrap();
    assert!(rest.file == straight.file && rest.net == straight.net, "an interruption changed the model");
    assert_eq!(rest.report, straight.report);
    assert!(straight.report.validation_sharpe.is_finite() && straight.report.validation_sharpe != 0.0);
    // The checkpoint of another training is refused.
    for other in [TrainConfig { seed: 8, ..whole.clone() }, TrainConfig { cost_bps: 6.0, ..whole.clone() }] {
        let error = train_in(&shape, &series, &other, Some(&file)).unwrap_err().to_string();
        assert!(error.contains("this very training"), "{error}");
    }
    // Through floats it is another training.
    let float = train_in(&shape, &series, &TrainConfig { quantised_forward: false, ..whole.clone() }, None).unwrap();
    assert!(float.file != straight.file);

    let path = dir.path().join("net.safetensors");
    straight.net.save(&path).unwrap();
    assert!(straight.net.save(&path).is_err(), "never overwritten");
    let back = FloatNet::load(&path).unwrap();
    assert!(back == straight.net);
    let (imported, report) = import(&back, &series, &whole).unwrap();
    assert!(report.own_scales && imported == straight.file, "the exported network quantises to the trained model");
    assert!(!format!("{back:?}").contains("0."));
}

/// Two cells of memory, as PyTorch would write them, into their `Linear`s.
fn recurrent_state() -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    vec![
        ("gate.weight", vec![2, 18], weights(36, 0.9)),
        ("gate.bias", vec![2], vec![-1.0, 0.5]),
        ("candidate.weight", vec![2, 18], weights(36, 0.7)),
        ("candidate.bias", vec![2], vec![0.1, -0.1]),
        ("layers.0.weight", vec![8, 18], weights(144, 0.4)),
        ("layers.0.bias", vec![8], weights(8, 0.1)),
        ("layers.2.weight", vec![3, 8], weights(24, 0.3)),
        ("layers.2.bias", vec![3], vec![0.0; 3]),
    ]
}

#[test]
fn a_recurrent_network_from_elsewhere_imports_and_its_memory_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    let series = series(4_000);
    state_dict(&path, &recurrent_state());
    let net = FloatNet::load(&path).unwrap();
    // The largest shifts that cut no weight off: 0.9·256·2^8/(6·127) = 77, at 2^9 it would be 155; 0.7·2^7 = 90, at 2^8 179.
    let expected =
        ModelShape { dims: vec![18, 8, 3], shifts: vec![7], recurrent: Some(Recurrent { units: 2, gate_shift: 8, candidate_shift: 7 }) };
    assert_eq!(net.shape(), expected);
    let (file, _) = import(&net, &series, &config()).unwrap();
    let cost = quantisation(&net, &file, &series, config().validation_to, u64::MAX, 5.0).unwrap();
    assert!(cost.decisions == 1_200 && cost.flips < 60 && cost.reversals == 0 && cost.worst_logit < cost.logit_size, "{cost:?}");
    // A network with another memory is not what this model was made of.
    let mut other = recurrent_state();
    other[2].2.iter_mut().for_each(|w| *w = -*w);
    state_dict(&path, &other);
    let worse = quantisation(&FloatNet::load(&path).unwrap(), &file, &series, config().validation_to, u64::MAX, 5.0).unwrap();
    assert!(worse.worst_logit > 2.0 * cost.worst_logit, "{worse:?} {cost:?}");

    let changed = |at: usize, to: (&'static str, Vec<usize>, Vec<f32>)| {
        let mut state = recurrent_state();
        state[at] = to;
        state
    };
    let mut more = recurrent_state();
    more.push(("memory_shifts", vec![2], vec![13.0, 6.0]));
    let mut without = recurrent_state();
    without.drain(..4);
    without.push(("memory_shifts", vec![2], vec![7.0, 6.0]));
    for (state, field) in [
        (changed(0, ("gate.weight", vec![2, 16], weights(32, 0.5))), "gate"),
        (changed(1, ("gate.scale", vec![2], vec![0.0; 2])), "tensor"),
        (changed(2, ("candidate.weight", vec![3, 18], weights(54, 0.5))), "candidate"),
        (changed(4, ("layers.0.weight", vec![8, 16], weights(128, 0.5))), "layer 0"),
        (recurrent_state().into_iter().skip(1).collect(), "gate"),
        (more, "memory_shifts"),
        (without, "memory_shifts"),
    ] {
        state_dict(&path, &state);
        let error = FloatNet::load(&path).unwrap_err();
        assert!(matches!(&error, LearnError::Value { field: f, .. } if f.contains(field)), "{field}: {error}");
    }
}

#[test]
fn a_memory_is_trained_repeats_goes_on_and_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let series = series(3_000);
    let recurrent = Some(Recurrent { units: 3, gate_shift: 7, candidate_shift: 6 });
    let (shape, whole) = (ModelShape { dims: vec![19, 8, 3], shifts: vec![7], recurrent }, config());
    let straight = train_in(&shape, &series, &whole, None).unwrap();
    let file: PathBuf = dir.path().join("training.ckpt");
    train_in(&shape, &series, &TrainConfig { max_steps: 40, ..whole.clone() }, Some(&file)).unwrap();
    let rest = train_in(&shape, &series, &whole, Some(&file)).unwrap();
    assert!(rest.file == straight.file && rest.net == straight.net, "an interruption changed the model");
    // Gates and candidates are learnt: with more steps they are others.
    let early = train_in(&shape, &series, &TrainConfig { max_steps: 0, ..whole.clone() }, None).unwrap();
    assert_eq!(early.report.best_step, 0);
    if straight.report.best_step > 0 {
        let own = 2 * 3 * 19;
        let rows = |from: usize, to: usize| (&straight.file.model.weights[from..to], &early.file.model.weights[from..to]);
        for (now, then) in [rows(0, own / 2), rows(own / 2, own)] {
            assert_ne!(now, then);
        }
    }
    let path = dir.path().join("net.safetensors");
    straight.net.save(&path).unwrap();
    let back = FloatNet::load(&path).unwrap();
    assert!(back == straight.net && back.shape() == shape);
    let (imported, report) = import(&back, &series, &whole).unwrap();
    assert!(report.own_scales && imported == straight.file, "the exported network quantises to the trained model");
}
