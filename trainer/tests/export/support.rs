//! Weights from a map, sessions of ONNX Runtime, and recorded tensors.

use crate::installed::onnxruntime_library;
pub(crate) use crate::installed::python;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::{DynValue, Tensor as OrtTensor};
use safetensors::{Dtype as StoredDtype, SafeTensors, tensor::TensorView};
use sinew_models::weights::Weights;
use sinew_trainer::Error;
use sinew_trainer::export::{Dtype, Graph, GraphDtype, GraphOps, Tensor, write};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::OnceLock;

/// The repository's root.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub(crate) fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| ort::init_from(onnxruntime_library()).unwrap().build().unwrap())
}

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array<T> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<T>,
}

/// What torch computes, see `tests/fixtures/ops/SOURCE.md`.
pub(crate) struct Recorded(HashMap<String, (StoredDtype, Vec<usize>, Vec<u8>)>);

impl Recorded {
    pub(crate) fn open() -> Self {
        let bytes = std::fs::read(workspace().join("tests/fixtures/ops/ops.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter();
        let copy = |(name, view): (String, TensorView<'_>)| {
            (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        };
        Self(tensors.map(copy).collect())
    }

    fn get<T, const N: usize>(&self, name: &str, dtype: StoredDtype, decode: fn([u8; N]) -> T) -> Array<T> {
        let (found, shape, bytes) = self.0.get(name).unwrap_or_else(|| panic!("no recorded `{name}`"));
        assert_eq!(*found, dtype, "{name}");
        Array { shape: shape.clone(), values: bytes.as_chunks().0.iter().copied().map(decode).collect() }
    }

    pub(crate) fn floats(&self, name: &str) -> Array<f32> {
        self.get(name, StoredDtype::F32, f32::from_le_bytes)
    }

    pub(crate) fn doubles(&self, name: &str) -> Array<f64> {
        self.get(name, StoredDtype::F64, f64::from_le_bytes)
    }

    pub(crate) fn ids(&self, name: &str) -> Array<i64> {
        self.get(name, StoredDtype::I64, i64::from_le_bytes)
    }
}

/// A checkpoint's weights with these entries.
pub(crate) fn weights(entries: &[(&str, Array<f32>)]) -> Weights {
    let bytes: Vec<Vec<u8>> = entries
        .iter()
        .map(|(_, array)| array.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = entries.iter().zip(&bytes).map(|((name, array), bytes)| {
        (*name, TensorView::new(StoredDtype::F32, array.shape.clone(), bytes).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
    // The map outlives its file's name.
    Weights::open(&path).unwrap()
}

/// A graph in the making, with the numbers that will go into it.
pub(crate) struct Bench<'w> {
    pub(crate) ops: GraphOps<'w>,
    weights: &'w Weights,
    feeds: Vec<(String, DynValue)>,
}

impl<'w> Bench<'w> {
    pub(crate) fn new(dtype: GraphDtype, weights: &'w Weights) -> Self {
        Self { ops: GraphOps::new("case", dtype, weights), weights, feeds: Vec::new() }
    }

    pub(crate) fn floats(&mut self, name: &str, array: &Array<f32>) -> Tensor {
        environment();
        let fed = OrtTensor::from_array((array.shape.clone(), array.values.clone())).unwrap();
        self.feeds.push((name.to_owned(), fed.into_dyn()));
        self.ops.input(name, Dtype::F32, &array.shape).unwrap()
    }

    pub(crate) fn ids(&mut self, name: &str, array: &Array<i64>) -> Tensor {
        environment();
        let fed = OrtTensor::from_array((array.shape.clone(), array.values.clone())).unwrap();
        self.feeds.push((name.to_owned(), fed.into_dyn()));
        self.ops.input(name, Dtype::I64, &array.shape).unwrap()
    }

    /// Writes the graph, runs it and returns every output.
    pub(crate) fn run(self) -> BTreeMap<String, Array<f32>> {
        let folder = tempfile::tempdir().unwrap();
        let written = write(&self.ops.finish(), self.weights, folder.path()).unwrap();
        let mut session = session(&written.model);
        let names: Vec<String> = session.outputs().iter().map(|output| output.name().to_owned()).collect();
        let outputs = session.run(self.feeds).unwrap();
        let array = |name: &String| {
            let (shape, values) = outputs[name.as_str()].try_extract_tensor::<f32>().unwrap();
            Array { shape: shape.iter().map(|&size| size as usize).collect(), values: values.to_vec() }
        };
        names.iter().map(|name| (name.clone(), array(name))).collect()
    }
}

pub(crate) fn session(model: &Path) -> Session {
    Session::builder(environment()).unwrap().with_intra_threads(1).unwrap().commit_from_file(model).unwrap()
}

/// Asserts that `found` is `expected`, to `tolerance` relative to the largest expected number.
pub(crate) fn assert_close(what: &str, found: &Array<f32>, expected: &Array<f32>, tolerance: f32) {
    assert_eq!(found.shape, expected.shape, "{what}");
    let largest = expected.values.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.values.iter().zip(&expected.values).enumerate() {
        let error = (found - expected).abs() / largest;
        assert!(error <= tolerance, "{what}[{index}]: {found}, expected {expected} (error {error:e})");
    }
}

/// The text of the error that wiring ends in.
pub(crate) fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("an error").to_string()
}

/// The graph that `build` wires.
pub(crate) fn graph(
    dtype: GraphDtype,
    weights: &Weights,
    build: impl FnOnce(&GraphOps<'_>) -> Result<(), Error>,
) -> Graph {
    let ops = GraphOps::new("case", dtype, weights);
    build(&ops).unwrap();
    ops.finish()
}
