//! What `scripts/setup` installs.

use std::path::{Path, PathBuf};

/// ONNX Runtime's shared library: what `ORT_DYLIB_PATH` names, else what `scripts/setup` installed.
pub(crate) fn onnxruntime_library() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        return PathBuf::from(path);
    }
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
    };
    let library = children(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/lib"))
        .iter()
        .flat_map(|python| children(&python.join("site-packages/onnxruntime/capi")))
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so."))
        });
    library.expect("no libonnxruntime.so in .venv: run scripts/setup or set ORT_DYLIB_PATH")
}

/// The Python that has the clients tests compare with: what `SINEW_PYTHON` names, else what `scripts/setup` installed.
pub(crate) fn python() -> PathBuf {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let python = std::env::var_os("SINEW_PYTHON").map_or_else(installed, PathBuf::from);
    assert!(python.exists(), "no Python at {}: run scripts/setup or set SINEW_PYTHON", python.display());
    python
}
