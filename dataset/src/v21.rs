//! The tables of format v2.1: JSON, one object a line. Everything else follows from the episode's number.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::catalog::{EpisodeInfo, Tasks};
use crate::error::{Error, Result};
use crate::info::read_text;

/// The episodes table.
pub(crate) const EPISODES: &str = "meta/episodes.jsonl";
/// The tasks table.
pub(crate) const TASKS: &str = "meta/tasks.jsonl";

#[derive(Deserialize)]
struct EpisodeLine {
    episode_index: u64,
    tasks: Vec<String>,
    length: usize,
}

#[derive(Deserialize)]
struct TaskLine {
    task_index: u64,
    task: String,
    task_name: Option<String>,
}

/// Reads the episodes, in file order.
pub(crate) fn read_episodes(root: &Path) -> Result<Vec<EpisodeInfo>> {
    let lines = read_lines(&root.join(EPISODES), "episodes table")?;
    Ok(lines
        .into_iter()
        .map(|EpisodeLine { episode_index, tasks, length }| EpisodeInfo { episode_index, length, tasks })
        .collect())
}

/// Reads the tasks.
pub(crate) fn read_tasks(root: &Path) -> Result<Tasks> {
    let mut tasks = Tasks::default();
    for line in read_lines::<TaskLine>(&root.join(TASKS), "tasks table")? {
        if let Some(short_name) = line.task_name {
            tasks.by_short_name.insert(short_name, line.task.clone());
        }
        tasks.by_index.insert(line.task_index, line.task);
    }
    Ok(tasks)
}

fn read_lines<T: DeserializeOwned>(path: &Path, what: &str) -> Result<Vec<T>> {
    read_text(path, what)?
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|source| Error::Json {
                path: path.to_owned(),
                line: index + 1,
                source,
            })
        })
        .collect()
}
