//! What a run says of itself: `metrics.jsonl`, and the same numbers as TensorBoard events.

use crate::Error;
use crate::train::tensorboard::EventFile;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const FILE: &str = "metrics.jsonl";

/// Where a run's numbers go.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    lines: File,
    events: EventFile,
}

impl Metrics {
    /// Opens the run's files. What was written after `step` is dropped: a run that was killed comes by it again.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn open(run: &Path, step: u64) -> Result<Self, Error> {
        let path = run.join(FILE);
        if path.exists() {
            keep_until(&path, step)?;
        }
        let lines = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        Ok(Self { path, lines, events: EventFile::create(run, step)? })
    }

    /// Writes one line. Its numbers, nested ones by their path, are TensorBoard's scalars.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn record(&mut self, kind: &str, step: u64, values: &impl Serialize) -> Result<(), Error> {
        let json_error = |e| sinew_models::Error::file(Path::new(FILE), e);
        let values = serde_json::to_value(values).map_err(json_error)?;
        let mut line = Map::new();
        line.insert("kind".to_owned(), kind.into());
        line.insert("step".to_owned(), step.into());
        let mut scalars = Vec::new();
        collect_scalars(kind, &values, &mut scalars);
        if let Value::Object(values) = values {
            line.extend(values);
        }
        let text = format!("{}\n", Value::Object(line));
        self.lines.write_all(text.as_bytes()).map_err(Error::io(&self.path))?;
        self.events.scalars(step, &scalars)
    }
}

/// A line that was cut off by a kill is dropped too.
fn keep_until(path: &Path, step: u64) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let is_kept = |line: &&str| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.and_then(|line| line["step"].as_u64()).is_some_and(|found| found <= step)
    };
    let kept: String = text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    let new = path.with_extension("jsonl.new");
    fs::write(&new, kept).map_err(Error::io(&new))?;
    fs::rename(&new, path).map_err(Error::io(path))
}

fn collect_scalars(path: &str, value: &Value, scalars: &mut Vec<(String, f32)>) {
    match value {
        Value::Number(number) => {
            scalars.push((path.to_owned(), number.as_f64().unwrap_or(f64::NAN) as f32));
        }
        Value::Object(map) => {
            for (key, value) in map {
                collect_scalars(&format!("{path}/{key}"), value, scalars);
            }
        }
        _ => {}
    }
}
