//! Logs, the program, and what is in a dataset.

use crate::installed::python;
use serde_json::{Value, json};
use sinew_dataset::Dataset;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const CAMERAS: [&str; 3] = ["head", "left_wrist", "right_wrist"];

/// A script of `tests/oracles/trainer`.
pub(crate) fn oracle(script: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oracles/trainer").join(script));
    command
}

/// A folder with `logs` in it, written as the specs say; `name` is taken from their order where they have none.
pub(crate) fn logs(specs: &[Value]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    add_logs(folder.path(), 0, specs);
    folder
}

/// More logs, numbered from `first` on.
pub(crate) fn add_logs(folder: &Path, first: usize, specs: &[Value]) {
    let named = specs.iter().enumerate().map(|(index, spec)| {
        let number = first + index;
        let mut named = json!({
            "name": format!("episode_{number:06}.mcap"), "seed": number, "start_s": 100 * number
        });
        for (key, value) in spec.as_object().unwrap() {
            named[key] = value.clone();
        }
        named
    });
    let specs = Value::Array(named.collect());
    let mut child = oracle("write_logs.py").arg(folder.join("logs")).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(specs.to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// `sinew-trainer convert` of all logs in a folder, to its `dataset`.
pub(crate) fn program(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
    command.arg("convert").arg(folder.join("logs")).arg("--output").arg(folder.join("dataset")).args(more);
    command
}

/// Exit code, and all that was said.
pub(crate) fn convert(folder: &Path, more: &[&str]) -> (i32, String) {
    said(&program(folder, more).output().unwrap())
}

pub(crate) fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

pub(crate) fn dataset(folder: &Path) -> Dataset {
    Dataset::open(folder.join("dataset")).unwrap()
}

/// Tasks of an episode's rows.
pub(crate) fn tasks(dataset: &Dataset, episode_index: u64) -> Vec<String> {
    let episode = dataset.episode(episode_index).unwrap();
    (0..episode.row_count()).map(|row| episode.task(row).unwrap().to_owned()).collect()
}

/// The number that `write_logs.py` drew into each picture of a camera.
pub(crate) fn picture_numbers(dataset: &Dataset, episode_index: u64, camera: &str) -> Vec<u64> {
    let episode = dataset.episode(episode_index).unwrap();
    let frames = episode.frames(&format!("observation.images.{camera}")).unwrap();
    let number = |frame: sinew_dataset::Frame| {
        let (width, upper) = (frame.width as usize, frame.height as usize / 2);
        let is_white = |bit: usize| {
            let columns = bit * width / 8..(bit + 1) * width / 8;
            let pixels = (0..upper).flat_map(|y| columns.clone().map(move |x| (y * width + x) * 3));
            let (sum, count) =
                pixels.fold((0, 0), |(sum, count), at| (sum + u64::from(frame.rgb[at]), count + 1));
            sum > 128 * count
        };
        (0..8).map(|bit| u64::from(is_white(bit)) << bit).sum()
    };
    frames.map(|frame| number(frame.unwrap())).collect()
}

/// Every file of a folder with its content, but what depends on when it was written.
pub(crate) fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
