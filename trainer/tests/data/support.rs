//! Fixtures, what LeRobot read from them, and small datasets written here.

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use safetensors::SafeTensors;
use serde_json::json;
use sinew_trainer::data::{Corpus, DataOptions, FrameId};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) const V21: &str = "lerobot_v21_sample/dataset";
pub(crate) const V30: &str = "lerobot_v30_sample/dataset";
pub(crate) const V30_FILES: &str = "lerobot_v30_sample/dataset_multifile";
pub(crate) const BEHAVIOR: &str = "behavior_sim";

/// A path in the fixtures all crates share.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(path)
}

/// All of a fixture, without a validation set.
pub(crate) fn all_of(dataset: &str) -> DataOptions {
    all_of_folder(&fixture(dataset))
}

/// As [`all_of`], of any folder.
pub(crate) fn all_of_folder(folder: &Path) -> DataOptions {
    DataOptions { validation_fraction: 0.0, ..DataOptions::of(folder.to_str().unwrap()) }
}

/// Options from TOML without the datasets, over one fixture.
pub(crate) fn options(dataset: &str, text: &str) -> DataOptions {
    let options: DataOptions = toml::from_str(text).unwrap();
    DataOptions { datasets: all_of(dataset).datasets, ..options }
}

/// The frame at a place of the whole set.
pub(crate) fn frame_at(corpus: &Corpus, index: usize) -> FrameId {
    let mut row = index;
    for episode in corpus.dataset(0).episodes() {
        if row < episode.length {
            return FrameId { dataset: 0, episode_index: episode.episode_index, row };
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
        SafeTensors::deserialize(&self.0).unwrap().tensor(key).unwrap().data()
    }

    pub(crate) fn floats(&self, key: &str) -> Vec<f32> {
        self.bytes(key).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    pub(crate) fn doubles(&self, key: &str) -> Vec<f64> {
        self.bytes(key).as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }
}

/// A copy of a fixture to break.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn copy_of(dataset: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&fixture(dataset), folder.path());
        Self(folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Cuts a file down to its first bytes.
    pub(crate) fn truncate(&self, file: &str, length: usize) {
        let bytes = fs::read(self.path(file)).unwrap();
        fs::write(self.path(file), &bytes[..length]).unwrap();
    }

    /// Overwrites a stretch in the middle of a file.
    pub(crate) fn damage_middle(&self, file: &str) {
        let mut bytes = fs::read(self.path(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 3000].fill(0xff);
        fs::write(self.path(file), bytes).unwrap();
    }

    /// Replaces every `from` in a text file, which must have one.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{from} in {file}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// State and action.
pub(crate) type Row = (Vec<f32>, Vec<f32>);

/// A dataset without pictures, written here: format v2.1, one task.
pub(crate) struct Written {
    pub(crate) fps: f64,
    pub(crate) state_names: Option<Vec<&'static str>>,
    pub(crate) action_names: Option<Vec<&'static str>>,
    /// Each episode's number, and its rows of state and action.
    pub(crate) episodes: Vec<(u64, Vec<Row>)>,
}

impl Written {
    /// One state and one action dimension, `x` and `a`, of so many rows an episode.
    pub(crate) fn ramps(lengths: &[usize]) -> Self {
        let rows = |length: usize| (0..length).map(|row| (vec![row as f32], vec![-(row as f32)])).collect();
        Self {
            fps: 10.0,
            state_names: Some(vec!["x"]),
            action_names: Some(vec!["a"]),
            episodes: lengths.iter().enumerate().map(|(i, length)| (i as u64, rows(*length))).collect(),
        }
    }

    pub(crate) fn write(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("meta")).unwrap();
        fs::create_dir_all(folder.path().join("data/chunk-000")).unwrap();
        let vector = |names: &Option<Vec<&str>>, width: usize| json!({ "dtype": "float32", "shape": [width], "names": names });
        let (state, action) = &self.episodes[0].1[0];
        let frame_count: usize = self.episodes.iter().map(|(_, rows)| rows.len()).sum();
        let info = json!({
            "codebase_version": "v2.1", "robot_type": null, "fps": self.fps, "chunks_size": 1000,
            "total_episodes": self.episodes.len(), "total_frames": frame_count,
            "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            "video_path": null,
            "features": {
                "observation.state": vector(&self.state_names, state.len()),
                "action": vector(&self.action_names, action.len()),
            },
        });
        let write = |file: &str, text: String| fs::write(folder.path().join(file), text).unwrap();
        write("meta/info.json", info.to_string());
        write("meta/tasks.jsonl", json!({ "task_index": 0, "task": "move" }).to_string());
        let lines = self.episodes.iter().map(|(number, rows)| {
            json!({ "episode_index": number, "tasks": ["move"], "length": rows.len() }).to_string()
        });
        write("meta/episodes.jsonl", lines.collect::<Vec<_>>().join("\n"));
        for (number, rows) in &self.episodes {
            let path = folder.path().join(format!("data/chunk-000/episode_{number:06}.parquet"));
            write_episode(&path, *number, rows, self.fps);
        }
        folder
    }
}

fn write_episode(path: &Path, number: u64, rows: &[Row], fps: f64) {
    let vectors = |numbers: &dyn Fn(usize) -> Vec<f32>| -> ArrayRef {
        let width = numbers(0).len() as i32;
        let lists = (0..rows.len()).map(|row| Some(numbers(row).into_iter().map(Some).collect::<Vec<_>>()));
        Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(lists, width))
    };
    let times = (0..rows.len()).map(|row| (row as f64 / fps) as f32);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("observation.state", vectors(&|row| rows[row].0.clone())),
        ("action", vectors(&|row| rows[row].1.clone())),
        ("timestamp", Arc::new(times.collect::<Float32Array>())),
        ("episode_index", Arc::new(vec![number as i64; rows.len()].into_iter().collect::<Int64Array>())),
    ];
    let table = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), table.schema(), None).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
}
