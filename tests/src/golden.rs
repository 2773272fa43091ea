//! Golden numbers: what LeRobot computes in every stage, recorded by `tests/tools/make_reference.py`.

use crate::fixture;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use sinew_models::checkpoint::Checkpoint;
use std::collections::HashMap;

/// Allowed error, relative to `max(1, largest reference value)`.
pub const TOLERANCE: f64 = 1e-4;

/// Every recorded configuration.
pub const CASES: [&str; 14] = [
    "tiny",
    "r1pro",
    "all_cross",
    "cameras1",
    "cameras3",
    "missing_empty",
    "missing_middle",
    "mixed",
    "prefix_length",
    "self_every_3",
    "self_only",
    "special_tokens",
    "unfrozen",
    "zero_std",
];

/// A recorded tensor; integers and booleans as numbers too.
#[derive(Clone, Debug)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

impl Array {
    /// Entry `index` of the first axis.
    pub fn sample(&self, index: usize) -> Self {
        let shape = self.shape[1..].to_vec();
        let length: usize = shape.iter().product();
        Self { values: self.values[index * length..][..length].to_vec(), shape }
    }

    /// Whether each number is not zero.
    pub fn bools(&self) -> Vec<bool> {
        self.values.iter().map(|value| *value != 0.0).collect()
    }

    /// Its numbers as integers.
    pub fn ids(&self) -> Vec<i64> {
        self.values.iter().map(|value| *value as i64).collect()
    }

    /// Its numbers as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.values.iter().map(|value| *value as u8).collect()
    }
}

/// One recorded configuration.
pub struct Case {
    /// Its name.
    pub name: String,
    /// The policy.
    pub checkpoint: Checkpoint,
    /// What was recorded with it: options, tasks, versions.
    pub meta: Value,
    tensors: HashMap<String, Array>,
}

impl Case {
    /// Opens a folder of `tests/fixtures/golden`.
    pub fn open(name: &str) -> Self {
        let folder = fixture("golden").join(name);
        let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter().map(|(name, view)| (name, read(&view))).collect();
        Self {
            name: name.to_owned(),
            checkpoint: Checkpoint::open(&folder, None).unwrap(),
            meta: serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap(),
            tensors,
        }
    }

    /// A recorded tensor.
    pub fn get(&self, name: &str) -> &Array {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: `{name}` was not recorded", self.name))
    }

    /// A recorded tensor, if it was kept.
    pub fn find(&self, name: &str) -> Option<&Array> {
        self.tensors.get(name)
    }

    /// Samples in the batch.
    pub fn batch(&self) -> usize {
        self.get("in.noise").shape[0]
    }

    /// The instruction of each sample.
    pub fn tasks(&self) -> Vec<String> {
        let tasks = self.meta["tasks"].as_array().unwrap();
        tasks.iter().map(|task| task.as_str().unwrap().to_owned()).collect()
    }

    /// Keys of the cameras that were present, in configuration order.
    pub fn present_cameras(&self) -> Vec<String> {
        let strings = |key: &str| -> Vec<String> {
            self.meta[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        let missing = strings("missing");
        strings("cameras").into_iter().filter(|camera| !missing.contains(camera)).collect()
    }

    /// The recorded frames of a camera.
    pub fn frames(&self, camera: &str) -> &Array {
        self.get(&format!("in.image_u8.{}", camera.rsplit('.').next().unwrap()))
    }

    /// Camera slots in token order: whether each is present.
    pub fn camera_valid(&self) -> Vec<bool> {
        (0..)
            .map_while(|slot| self.find(&format!("pre.image_mask.{slot}")))
            .map(|mask| mask.values[0] != 0.0)
            .collect()
    }

    /// Panics unless `found` is as close to the recorded tensor as the tolerance says.
    pub fn assert_close(&self, name: &str, found: &[f32]) {
        let expected = self.get(name);
        assert_close(&format!("{}: {name}", self.name), &expected.values, found);
    }
}

/// Panics unless every number is within [`TOLERANCE`] of the expected one.
pub fn assert_close(name: &str, expected: &[f32], found: &[f32]) {
    let error = relative_error(name, expected, found);
    assert!(error <= TOLERANCE, "{name}: error {error:.2e} exceeds {TOLERANCE:.0e}");
}

/// Largest difference over `max(1, largest expected value)`; infinite if anything is not finite.
pub fn relative_error(name: &str, expected: &[f32], found: &[f32]) -> f64 {
    assert_eq!(expected.len(), found.len(), "{name}: expected {} numbers", expected.len());
    let largest = expected.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    let difference = |(a, b): (&f32, &f32)| f64::from((a - b).abs());
    let worst = expected.iter().zip(found).map(difference);
    let worst = worst.fold(0.0, |worst: f64, d| if d.is_finite() { worst.max(d) } else { f64::INFINITY });
    worst / f64::from(largest)
}

fn read(view: &safetensors::tensor::TensorView<'_>) -> Array {
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
        Dtype::U8 | Dtype::BOOL => data.iter().map(|b| f32::from(*b)).collect(),
        other => panic!("golden numbers of type {other:?}"),
    };
    Array { shape: view.shape().to_vec(), values }
}
