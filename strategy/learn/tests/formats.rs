//! The model file as documented: the golden one is read, and written back byte for byte.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use probity_learn::ModelFile;
use std::path::Path;

#[test]
fn golden_model_file_is_read_and_written_back() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["model.json", "model-recurrent.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/golden").join(name);
        let file = ModelFile::load(&path).unwrap();
        let copy = dir.path().join(name);
        file.save(&copy).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), std::fs::read(copy).unwrap());
    }
}
