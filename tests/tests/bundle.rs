//! `sinew-trainer export` makes bundles that keep what they promise, or none.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use sinew_models::checkpoint::Checkpoint;
use sinew_models::contract::{Bundle, MANIFEST_FILE, Manifest};
use sinew_models::embodiment::{Embodiment, Layout};
use sinew_tests::{fixture, onnxruntime_library, python};
use sinew_trainer::export::GraphDtype;
use sinew_trainer::export::bundle::{Request, export};
use sinew_trainer::export::engine::Engine;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::load(Some(&onnxruntime_library())).unwrap());

/// How to export; by default as `sinew-trainer export` does.
struct Options {
    dtype: GraphDtype,
    tolerance: f64,
    layout: Layout,
}

impl Default for Options {
    fn default() -> Self {
        let embodiment = Embodiment::built_in("r1pro").unwrap();
        let layout = embodiment.layout("behavior-2025-top32").unwrap().clone();
        Self { dtype: GraphDtype::F32, tolerance: 1e-4, layout }
    }
}

impl Options {
    fn half() -> Self {
        Self { dtype: GraphDtype::F16, tolerance: 2e-2, ..Self::default() }
    }

    /// Exports the small R1 Pro policy.
    fn export(&self, output: &Path) -> Result<Manifest, sinew_trainer::Error> {
        let request = Request {
            checkpoint: &Checkpoint::open(&fixture("golden/r1pro"), None).unwrap(),
            embodiment: &Embodiment::built_in("r1pro").unwrap(),
            layout: &self.layout,
            cameras: &BTreeMap::new(),
            trust_names: false,
            dtype: self.dtype,
            tolerance: self.tolerance,
            output,
            command: "test",
        };
        export(&ENGINE, &request)
    }
}

#[test]
fn a_bundle_opens_and_says_what_the_policy_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("bundle");
    let manifest = Options::default().export(&output).unwrap();
    let bundle = Bundle::open(&output).unwrap();
    assert_eq!(bundle.manifest, manifest);
    let cameras: Vec<&str> = manifest.cameras.iter().map(|camera| camera.name.as_str()).collect();
    assert_eq!(cameras, ["head", "left_wrist", "right_wrist"]);
    // The 32 numbers are those of the dataset's 256 that the published slices say.
    let indices: Vec<Option<usize>> =
        manifest.state.dimensions.iter().map(|dimension| dimension.source_index).collect();
    let expected: Vec<usize> = (158..165)
        .chain(179..181)
        .chain(186..189)
        .chain(193..195)
        .chain(197..204)
        .chain(218..220)
        .chain(225..228)
        .chain(232..234)
        .chain(236..240)
        .collect();
    assert_eq!(indices, expected.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(manifest.action.dimensions.len(), 23);
    let stages: Vec<&str> = manifest.parity.stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(stages, ["vision", "keys", "values", "velocity", "actions"]);
    // No trace of the temporary folder.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_onnx_checker_accepts_every_graph() {
    for options in [Options::default(), Options::half()] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("bundle");
        options.export(&output).unwrap();
        let program =
            "import onnx, sys\nfor path in sys.argv[1:]: onnx.checker.check_model(path, full_check=True)";
        let graphs = ["vision.onnx", "prefix.onnx", "denoise.onnx"].map(|name| output.join(name));
        let result = Command::new(python()).arg("-c").arg(program).args(graphs).output().unwrap();
        assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    }
}

#[test]
fn half_precision_is_in_the_files_and_not_only_in_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let full = Options::default().export(&folder.path().join("f32")).unwrap();
    let half = Options::half().export(&folder.path().join("f16")).unwrap();
    for (full, half) in [
        (&full.graphs.vision, &half.graphs.vision),
        (&full.graphs.prefix, &half.graphs.prefix),
        (&full.graphs.denoise, &half.graphs.denoise),
    ] {
        assert!(!full.weight_bytes.contains_key("float16"), "{full:?}");
        assert!(half.weight_bytes["float16"] > half.weight_bytes["float32"], "{half:?}");
    }
}

#[test]
fn equal_checkpoints_give_equal_bundles() {
    let folder = tempfile::tempdir().unwrap();
    let first = Options::default().export(&folder.path().join("first")).unwrap();
    let second = Options::default().export(&folder.path().join("second")).unwrap();
    assert_eq!(first.files, second.files);
    assert_eq!(first.bundle_id, second.bundle_id);
}

#[test]
fn an_export_that_misses_its_tolerance_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("bundle");
    let strict = Options { tolerance: 1e-12, ..Options::default() };
    let error = strict.export(&output).unwrap_err().to_string();
    assert!(error.contains("exceeds"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_existing_bundle_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let error = Options::default().export(folder.path()).unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
}

#[test]
fn a_layout_of_another_width_names_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::default();
    options.layout.state.pop();
    let error = options.export(&folder.path().join("bundle")).unwrap_err().to_string();
    assert!(error.contains("32") && error.contains("31") && error.contains("behavior-2025-top32"), "{error}");
}

#[test]
fn a_spoilt_file_is_found_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("bundle");
    Options::default().export(&output).unwrap();
    let graph = output.join("vision.onnx");
    let mut bytes = std::fs::read(&graph).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&graph, bytes).unwrap();
    let error = Bundle::open(&output).unwrap_err().to_string();
    assert!(
        error.contains("vision.onnx") && error.contains("sha256") && error.contains(MANIFEST_FILE),
        "{error}"
    );
}

#[test]
fn a_manifest_with_a_number_missing_or_not_finite_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("bundle");
    Options::default().export(&output).unwrap();
    let path = output.join(MANIFEST_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let refused = |manifest: &serde_json::Value| {
        std::fs::write(&path, serde_json::to_string(manifest).unwrap()).unwrap();
        Bundle::open(&output).unwrap_err().to_string()
    };
    let good = manifest.clone();
    manifest["state"]["dimensions"][3]["statistics"].as_object_mut().unwrap().remove("mean");
    assert!(refused(&manifest).contains("mean"), "{}", refused(&manifest));
    manifest = good.clone();
    manifest["state"]["dimensions"][3]["statistics"]["std"] = serde_json::json!(null);
    assert!(refused(&manifest).contains("null"), "{}", refused(&manifest));
    manifest = good.clone();
    manifest["action"]["dimensions"][4]["statistics"]["std"] = serde_json::json!(-1.0);
    assert!(refused(&manifest).contains("action.torso_joint2.std"), "{}", refused(&manifest));
    manifest = good;
    manifest["state"]["dimensions"][1]["name"] = manifest["state"]["dimensions"][0]["name"].clone();
    assert!(refused(&manifest).contains("left_arm_joint1.pos"), "{}", refused(&manifest));
}
