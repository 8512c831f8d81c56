//! Trains the default model: `--data FILE --seed N --out FILE`.
#![expect(clippy::print_stdout, reason = "a command-line example")]

use probity_learn::{LearnError, Series, TrainConfig, train};
use probity_strategy::ModelShape;
use std::{collections::BTreeMap, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut options = BTreeMap::new();
    for pair in words.chunks(2) {
        if let [name, value] = pair {
            options.insert(name.as_str(), value.as_str());
        }
    }
    let option = |name: &'static str| {
        options.get(name).copied().ok_or(LearnError::Value { field: name.into(), expected: "a value".into(), got: "none".into() })
    };
    let config = TrainConfig { seed: option("--seed")?.parse()?, progress: true, ..TrainConfig::default() };
    let series = Series::read(Path::new(option("--data")?))?;
    let (file, report) = train(&ModelShape::default(), &series, &config)?;
    file.save(Path::new(option("--out")?))?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
