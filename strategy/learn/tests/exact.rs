//! candle equals the integer network bit for bit; files round-trip; training repeats.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests may panic and report")]

use probity_learn::{Candle, LearnError, ModelFile, Series, TrainConfig, forward_batch, train};
use probity_strategy::{BIAS_LIMIT, Inputs, Model, ModelShape, PolicyParams, Recurrent, forward};
use proptest::prelude::*;
use std::path::PathBuf;

fn model(shape: &ModelShape, weights: Vec<i8>, biases: Vec<i32>) -> Model {
    let policy = PolicyParams { gain: 1, band_gain: 0, band_bps: 0, max_step_bps: 10_000, cooldown_steps: 0 };
    assert_eq!((weights.len(), biases.len()), (shape.weights(), shape.biases()));
    Model { scales: [1; 16], weights, biases, policy }
}

fn shape() -> impl Strategy<Value = ModelShape> {
    prop_oneof![
        Just(ModelShape::default()),
        (1u16..=128, 1u8..=16).prop_map(|(d, s)| ModelShape { dims: vec![16, d, 3], shifts: vec![s], recurrent: None }),
        (1u16..=128, 1u16..=128, 1u8..=16, 1u8..=16).prop_map(|(a, b, s, t)| ModelShape {
            dims: vec![16, a, b, 3],
            shifts: vec![s, t],
            recurrent: None
        }),
        (1u16..=32, 1u8..=12, 1u8..=12).prop_map(|(units, gate_shift, candidate_shift)| ModelShape {
            dims: vec![16 + units, 8, 3],
            shifts: vec![7],
            recurrent: Some(Recurrent { units, gate_shift, candidate_shift }),
        }),
    ]
}

fn any_model() -> impl Strategy<Value = (ModelShape, Model)> {
    shape().prop_flat_map(|shape| {
        let weight = prop_oneof![Just(-128i8), Just(127i8), any::<i8>(), -3i8..=3];
        let bias = prop_oneof![Just(-BIAS_LIMIT), Just(BIAS_LIMIT), -BIAS_LIMIT..=BIAS_LIMIT, -2_000i32..=2_000];
        (prop::collection::vec(weight, shape.weights()), prop::collection::vec(bias, shape.biases()))
            .prop_map(move |(w, b)| (shape.clone(), model(&shape, w, b)))
    })
}

/// Features, and more cells of memory than any model has.
fn inputs() -> impl Strategy<Value = Vec<([i32; 16], Vec<i8>)>> {
    let value = prop_oneof![Just(-128), Just(127), -128i32..=127, Just(0)];
    let cell = prop_oneof![Just(-128i8), Just(127), any::<i8>(), Just(0)];
    prop::collection::vec((prop::array::uniform16(value), prop::collection::vec(cell, 32)), 1..6)
}

fn plain(value: i32) -> Inputs {
    Inputs { features: [value; 16], memory: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_200))]

    #[test]
    fn candle_is_the_integer_network((shape, model) in any_model(), inputs in inputs()) {
        let candle = Candle::new(&shape, &model).unwrap();
        let inputs: Vec<Inputs> = inputs
            .into_iter()
            .map(|(features, memory)| Inputs { features, memory: memory.into_iter().take(shape.units()).collect() })
            .collect();
        let batch = forward_batch(&shape, &model, &inputs).unwrap();
        for (input, row) in inputs.iter().zip(batch) {
            let twin = forward(&shape, &model, input);
            prop_assert_eq!((row.outputs, &row.memory), (twin.outputs, &twin.memory));
            prop_assert!(candle.checked_signal(input).unwrap() == row);
        }
    }
}

#[test]
fn the_extremes_are_exact() {
    let shape = ModelShape { dims: vec![16, 128, 128, 3], shifts: vec![1, 1], recurrent: None };
    for (w, b, x) in [(127i8, BIAS_LIMIT, 127), (-128, -BIAS_LIMIT, 127), (-128, BIAS_LIMIT, -128), (-128, -BIAS_LIMIT, -128)] {
        let model = model(&shape, vec![w; shape.weights()], vec![b; shape.biases()]);
        let row = forward_batch(&shape, &model, &[plain(x)]).unwrap();
        assert_eq!(row.first().unwrap().outputs, forward(&shape, &model, &plain(x)).outputs);
    }
    let recurrent = Some(Recurrent { units: 32, gate_shift: 12, candidate_shift: 12 });
    let shape = ModelShape { dims: vec![48, 3], shifts: vec![], recurrent };
    for (w, b, x) in [(127i8, BIAS_LIMIT, 127i8), (-128, -BIAS_LIMIT, 127), (-128, BIAS_LIMIT, -128), (-128, -BIAS_LIMIT, -128)] {
        let model = model(&shape, vec![w; shape.weights()], vec![b; shape.biases()]);
        let inputs = Inputs { features: [x.into(); 16], memory: vec![x; 32] };
        assert!(Candle::new(&shape, &model).unwrap().checked_signal(&inputs).is_ok());
    }
}

#[test]
fn bad_shapes_and_inputs_are_refused() {
    let shape = ModelShape::default();
    let good = model(&shape, vec![1; shape.weights()], vec![0; shape.biases()]);
    let mut short = good.clone();
    short.weights.pop();
    assert!(matches!(Candle::new(&shape, &short), Err(LearnError::Domain(_))));
    assert!(Candle::new(&shape, &good).unwrap().signal(&plain(128)).is_err());
    assert!(Candle::new(&shape, &good).unwrap().signal(&plain(-129)).is_err());
    assert!(Candle::new(&shape, &good).unwrap().checked_signal(&plain(-128)).is_ok());
    let remembering = Inputs { memory: vec![0], ..plain(0) };
    assert!(Candle::new(&shape, &good).unwrap().signal(&remembering).is_err(), "a memory for a model without one");
    assert!(Candle::new(&ModelShape { dims: vec![16, 32, 16, 3], shifts: vec![7], recurrent: None }, &good).is_err());
}

#[test]
fn model_files_round_trip_and_never_show_a_weight() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.json");
    let shape = ModelShape::default();
    let file = ModelFile::new(shape.clone(), model(&shape, vec![-77; shape.weights()], vec![0; shape.biases()])).unwrap();
    file.save(&path).unwrap();
    assert!(matches!(file.save(&path), Err(LearnError::File { .. })), "a model file is never overwritten");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    assert_eq!(ModelFile::load(&path).unwrap(), file);
    assert!(!format!("{file:?}").contains("77"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("-77", "777")).unwrap();
    let error = ModelFile::load(&path).unwrap_err().to_string();
    assert!(error.contains("line 1") && !error.contains("777"), "{error}");
    std::fs::write(&path, text.replace("\"version\":1", "\"version\":2")).unwrap();
    assert_eq!(ModelFile::load(&path).unwrap_err().to_string(), "version: expected 1, got 2");
    assert!(ModelFile::load(&dir.path().join("absent")).is_err());
}

fn hourly() -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ohlcv/ETHUSDT-1h-2017-08-17_2024-12-31.csv.gz"));
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

#[test]
fn training_repeats_for_a_seed_and_never_looks_past_validation() {
    let Some(path) = hourly() else { return };
    let series = Series::read(&path).unwrap();
    assert_eq!((series.ticks.len(), series.interval_s), (64_524, 3_600));
    let config = TrainConfig { max_steps: 20, batch: 32, window: 16, ..TrainConfig::default() };
    let (first, report) = train(&ModelShape::default(), &series, &config).unwrap();
    let (again, _) = train(&ModelShape::default(), &series, &config).unwrap();
    assert!(first == again);
    let keep = series.times.partition_point(|t| *t < config.validation_to) + 1;
    let mut cut = series.clone();
    for tick in cut.ticks.iter_mut().skip(keep) {
        *tick += 5_000;
    }
    let (blind, _) = train(&ModelShape::default(), &cut, &config).unwrap();
    assert!(first == blind, "bars after validation changed the model");
    let (other, _) = train(&ModelShape::default(), &series, &TrainConfig { seed: 8, ..config }).unwrap();
    assert!(first != other);
    assert!(report.decision_flips < 0.1, "{report:?}");
}

#[test]
fn bad_training_numbers_are_refused_by_name() {
    let times: Vec<u64> = (0..2_000).map(|i| 1_600_000_000 + i * 3_600).collect();
    let series = Series::new(String::new(), 3_600, times, vec![200_000; 2_000]).unwrap();
    let good = TrainConfig::default();
    for (config, field) in [
        (TrainConfig { window: 0, ..good.clone() }, "window"),
        (TrainConfig { batch: 0, ..good.clone() }, "batch"),
        (TrainConfig { cost_bps: f64::NAN, ..good.clone() }, "cost_bps"),
        (TrainConfig { cost_bps: -1.0, ..good.clone() }, "cost_bps"),
        (TrainConfig { validation_to: 1, ..good.clone() }, "validation_to"),
        (TrainConfig { embargo: usize::MAX, ..good.clone() }, "embargo"),
        (good, "windows without gaps"),
    ] {
        let error = train(&ModelShape::default(), &series, &config).unwrap_err();
        assert!(matches!(&error, LearnError::Value { field: f, .. } if f == field), "{error}");
    }
}

#[test]
fn the_default_model_loads() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/models/default.json"));
    let file = ModelFile::load(&path).unwrap();
    assert_eq!(file.shape, ModelShape::default());
    assert!(Candle::new(&file.shape, &file.model).is_ok());
}
