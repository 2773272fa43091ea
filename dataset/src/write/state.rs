//! What a dataset's metadata says, as it grows.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::description::Plan;
use super::encode::VideoCodec;
use super::entry::{Entry, Totals};
use super::options::Format;
use super::staging::Change;
use super::tables::write_tasks;
use super::v21::Lines;
use super::v30::Ends;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::info::read_text;
use crate::statistics::WHOLE_SET;

pub(crate) const INFO: &str = "meta/info.json";
/// Our key in `info.json`, which LeRobot leaves alone.
pub(crate) const OURS: &str = "sinew";
pub(crate) const IDS: &str = "episode_ids";

/// What changes with each episode.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) info: Value,
    pub(crate) tasks: Vec<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) totals: Totals,
    pub(crate) ids: BTreeMap<String, u64>,
    pub(crate) shelf: Shelf,
}

/// Where the next episode goes.
#[derive(Debug, Clone)]
pub(crate) enum Shelf {
    V21(Lines),
    V30(Ends),
}

impl State {
    /// The number of a task, a new one if it is new.
    pub(crate) fn task_index(&mut self, task: &str) -> i64 {
        let place = self.tasks.iter().position(|known| known == task).unwrap_or(self.tasks.len());
        if place == self.tasks.len() {
            self.tasks.push(task.to_owned());
        }
        place as i64
    }

    /// Writes the tasks, and in v3.0 the statistics of the whole set.
    pub(crate) fn write_common(&self, plan: &Plan, change: &mut Change) -> Result<()> {
        match &self.shelf {
            Shelf::V21(_) => {
                let lines = self.tasks.iter().enumerate();
                let lines =
                    lines.map(|(index, task)| format!("{}\n", json!({ "task_index": index, "task": task })));
                change.text(crate::v21::TASKS, &lines.collect::<String>())
            }
            Shelf::V30(_) => {
                let aside = change.file(crate::v30::TASKS);
                write_tasks(&aside, &self.tasks)?;
                change.text(WHOLE_SET, &pretty(&self.totals.to_json(plan)))
            }
        }
    }

    /// Brings the totals of `info.json` up to date.
    pub(crate) fn count(&mut self, plan: &Plan, chunks_size: u64) {
        let episode_count = self.entries.len();
        let frame_count = self.entries.last().map_or(0, |last| last.first_index + last.length as u64);
        self.info["total_episodes"] = json!(episode_count);
        self.info["total_frames"] = json!(frame_count);
        self.info["total_tasks"] = json!(self.tasks.len());
        self.info["splits"] = json!({ "train": format!("0:{episode_count}") });
        if matches!(self.shelf, Shelf::V21(_)) {
            self.info["total_videos"] = json!(episode_count * plan.views.len());
            self.info["total_chunks"] = json!((episode_count as u64).div_ceil(chunks_size));
        }
    }
}

/// Fails if the set in `root` does not go with what is to be written.
pub(crate) fn check_like(root: &Path, plan: &Plan, format: Format) -> Result<()> {
    let dataset = Dataset::open(root)?;
    if dataset.version() != format.version() {
        return Err(differs(root, "format".to_owned(), dataset.format(), format.version().name()));
    }
    plan.check_like(&dataset)
}

/// Fails if the videos in `root` are of another codec.
pub(crate) fn check_codec(root: &Path, plan: &Plan, codec: VideoCodec) -> Result<()> {
    let info = read_info(root)?;
    for view in &plan.views {
        let feature = &info["features"][&view.name];
        let found = ["info", "video_info"].iter().find_map(|key| feature[*key]["video.codec"].as_str());
        if let Some(found) = found.filter(|found| *found != codec.name()) {
            return Err(differs(root, format!("codec of {}", view.name), found, codec.name()));
        }
    }
    Ok(())
}

fn differs(root: &Path, what: String, existing: &str, new: &str) -> Error {
    Error::Differs { path: root.to_owned(), what, existing: existing.to_owned(), new: new.to_owned() }
}

/// Fails if episodes or tasks are not numbered from 0 on, so that the next number is unclear.
pub(crate) fn check_numbering(dataset: &Dataset) -> Result<()> {
    let gap = |what: &str, mut numbers: Box<dyn Iterator<Item = u64> + '_>| {
        let mut expected = 0;
        let wrong = numbers.find(|number| {
            expected += 1;
            *number != expected - 1
        });
        wrong.map_or(Ok(()), |found| {
            Err(Error::Inconsistent {
                path: dataset.root().to_owned(),
                what: format!("numbers of {what}, to append to"),
                expected: format!("{} after those before", expected - 1),
                found: found.to_string(),
            })
        })
    };
    gap("episodes", Box::new(dataset.episodes().iter().map(|episode| episode.episode_index)))?;
    gap("tasks", Box::new(dataset.tasks().keys().copied()))
}

pub(crate) fn read_info(root: &Path) -> Result<Value> {
    let path = root.join(INFO);
    let text = read_text(&path, "description of a LeRobot dataset")?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path, line: 1, source })
}

/// Indented by four, as LeRobot's own.
pub(crate) fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A Value has string keys and finite numbers, and a Vec takes all that is written.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    String::from_utf8_lossy(&bytes).into_owned()
}
