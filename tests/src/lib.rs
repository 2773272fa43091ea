//! What cross-crate tests share: fixtures, golden numbers and how close to them a result must be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a broken fixture should stop the test"
)]

pub mod golden;
pub mod planted;

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A folder or file under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures").join(name)
}

/// ONNX Runtime's shared library: what `ORT_DYLIB_PATH` names, else what `scripts/setup` installed.
pub fn onnxruntime_library() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        return path.into();
    }
    let pythons = std::fs::read_dir(repository().join(".venv/lib")).into_iter().flatten().flatten();
    let folders = pythons.map(|python| python.path().join("site-packages/onnxruntime/capi"));
    let mut files = folders.flat_map(std::fs::read_dir).flatten().flatten().map(|file| file.path());
    let is_library =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("libonnxruntime.so.");
    files.find(is_library).expect("ONNX Runtime is not installed: run scripts/setup")
}

/// The Python that has the clients tests compare with: what `SINEW_PYTHON` names, else the one that
/// `scripts/setup` installed.
pub fn python() -> PathBuf {
    let installed = || repository().join(".venv/bin/python");
    let python = std::env::var_os("SINEW_PYTHON").map_or_else(installed, PathBuf::from);
    assert!(python.exists(), "{} is not there: run scripts/setup", python.display());
    python
}
