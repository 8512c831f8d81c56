//! Bars in a Parquet file, as the same text that a CSV file would hold: one reader judges both.
//!
//! Columns by name: `ts_ms` (whole milliseconds or a timestamp), `open`, `high`, `low`, `close`, `volume`; numbers may be
//! integers, floats (written as the shortest decimal that means the same float) or text. Compression: none or Snappy.

use crate::BacktestError;
use crate::dataset::COLUMNS;
use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::fmt::Write as _;

/// The first bytes of a Parquet file.
pub(crate) const MAGIC: &[u8] = b"PAR1";

pub(crate) fn csv_of(file: Vec<u8>) -> Result<Vec<u8>, BacktestError> {
    let bad = |expected: &str, got: String| BacktestError::Series { field: "Parquet file", expected: expected.into(), got };
    let reader = SerializedFileReader::new(Bytes::from(file)).map_err(|e| bad("one that can be read", e.to_string()))?;
    let mut text = COLUMNS.join(",") + "\n";
    let rows = reader.get_row_iter(None).map_err(|e| bad("rows", e.to_string()))?;
    for row in rows {
        let row = row.map_err(|e| bad("rows, uncompressed or Snappy", e.to_string()))?;
        for (i, name) in COLUMNS.iter().enumerate() {
            let field = row.get_column_iter().find(|(n, _)| n.as_str() == *name).map(|(_, f)| f);
            let field = field.ok_or_else(|| bad(&format!("a column {name}"), "none".into()))?;
            if i > 0 {
                text.push(',');
            }
            let cell = match field {
                Field::Byte(v) => v.to_string(),
                Field::Short(v) => v.to_string(),
                Field::Int(v) => v.to_string(),
                Field::Long(v) | Field::TimestampMillis(v) => v.to_string(),
                Field::UByte(v) => v.to_string(),
                Field::UShort(v) => v.to_string(),
                Field::UInt(v) => v.to_string(),
                Field::ULong(v) => v.to_string(),
                // Whole milliseconds only; anything finer is refused below as it would be in CSV.
                Field::TimestampMicros(v) if v % 1_000 == 0 => (v / 1_000).to_string(),
                Field::Float(v) => format!("{v}"),
                Field::Double(v) => format!("{v}"),
                Field::Str(v) => v.clone(),
                other => return Err(bad(&format!("a number, a timestamp or text in column {name}"), format!("{other:?}"))),
            };
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", cell.replace([',', '"', '\n'], " "));
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}
