//! Fixtures, and the values LeRobot read from them.

use std::fs;
use std::path::PathBuf;

use safetensors::SafeTensors;
use sinew_dataset::{Dataset, Episode};

/// A path in the fixtures all crates share.
pub(crate) fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(path)
}

/// The episode and row of a row of the whole set.
pub(crate) fn place(dataset: &Dataset, index: usize) -> (Episode, usize) {
    let mut row = index;
    for episode in dataset.episodes() {
        if row < episode.length {
            return (dataset.episode(episode.episode_index).unwrap(), row);
        }
        row -= episode.length;
    }
    panic!("the set has no row {index}");
}

/// An `expected.safetensors`.
pub(crate) struct Expected(Vec<u8>);

impl Expected {
    pub(crate) fn read(path: &str) -> Self {
        Self(fs::read(fixture(path)).unwrap())
    }

    /// The rows of the whole set that values were recorded for.
    pub(crate) fn frame_indices(&self) -> Vec<usize> {
        let (_, metadata) = SafeTensors::read_metadata(&self.0).unwrap();
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["frame_indices"]).unwrap()
    }

    pub(crate) fn bytes(&self, key: &str) -> &[u8] {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(key).unwrap_or_else(|_| panic!("no {key}"));
        tensor.data()
    }

    pub(crate) fn floats(&self, key: &str) -> Vec<f32> {
        self.bytes(key).chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    pub(crate) fn integers(&self, key: &str) -> Vec<i64> {
        self.bytes(key).chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    pub(crate) fn bools(&self, key: &str) -> Vec<bool> {
        self.bytes(key).iter().map(|byte| *byte != 0).collect()
    }
}
